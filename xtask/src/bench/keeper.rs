//! The keeper: how soon it clears away what is over, and what it needs while nothing is due.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use windrow_testkit::{Invocation, TestRepo, poll_for, poll_until};

use super::memory::rss_anon;
use super::report::Report;
use super::wait_until_quiet;
use crate::Result;

const BOUND: Duration = Duration::from_secs(60);

/// A command whose children left its session and its parent, and are deaf to SIGTERM.
const AGENT: &str = "trap '' TERM; echo work > work.txt
    (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &)
    sleep 600 & echo ready; while :; do sleep 1; done";

/// What is over.
#[derive(Args)]
pub(crate) struct Keeping {
    /// Also ends a session with this many leases, by SIGKILL of its process.
    #[arg(long, value_name = "LEASES")]
    session: Option<usize>,
    /// Also lets the time of a kept worktree run out.
    #[arg(long)]
    keep: bool,
    /// Seconds to look at the idle keeper.
    #[arg(long, default_value_t = 60)]
    idle: u64,
}

/// Kills `runs` runs, one after the other, ends the same number of sessions and of kept worktrees where wanted, then looks at
/// the idle keeper.
///
/// # Errors
///
/// Fails when a program does, or when what was killed is not cleared away.
pub(super) fn keeper(repo: &TestRepo, files: usize, runs: usize, keeping: &Keeping) -> Result<Report> {
    let mut holder = repo.command("sleep", repo.root()).arg("100000").bound(Duration::MAX).spawn();
    let held = ["acquire", "--name", "bench-held", "--pid", &holder.pid().to_string()];
    kept(repo, &held).run().assert_success();
    let post = repo.git_dir().join("windrow/locks/keeper");
    let pid =
        poll_for(BOUND, "a keeper", || fs::read_to_string(&post).ok()?.split(' ').nth(1).map(str::to_owned));
    let repeat =
        |measure: &dyn Fn(usize) -> Result<Duration>| (0..runs).map(measure).collect::<Result<Vec<_>>>();
    let mut cleared =
        vec![("SIGKILL of `windrow run`".to_owned(), repeat(&|round| kill_and_wait(repo, round))?)];
    if let Some(leases) = keeping.session {
        let what = format!("SIGKILL of a session's process with {leases} leases");
        cleared.push((what, repeat(&|round| end_session(repo, round, leases))?));
    }
    if keeping.keep {
        cleared.push(("the end of `--keep`".to_owned(), repeat(&|round| outlast(repo, round))?));
    }
    let idle = Duration::from_secs(keeping.idle);
    let process = Path::new("/proc").join(pid);
    let (wakeups, rss_anon_bytes) = idle_keeper(&process, idle)?;
    holder.kill_alone();
    wait_until_quiet(repo);
    Ok(Report::Keeper { files, cleared, idle, wakeups, rss_anon_bytes })
}

fn kept(repo: &TestRepo, line: &[&str]) -> Invocation {
    repo.windrow(line).env("WINDROW_CONFIG__POOL__KEEPER", "true")
}

/// From SIGKILL of `windrow run` until its worktree is gone and its work is in a rescue.
fn kill_and_wait(repo: &TestRepo, round: usize) -> Result<Duration> {
    let name = format!("bench-{round}");
    let mut run = kept(repo, &["run", "--name", &name, "--", "sh", "-c", AGENT]).spawn();
    run.wait_for_stdout("ready");
    let start = Instant::now();
    run.kill_alone();
    poll_until(BOUND, "the worktree goes", || !pool(repo).join(&name).exists());
    let cleared = start.elapsed();
    check_saved(repo, &name)?;
    Ok(cleared)
}

fn check_saved(repo: &TestRepo, name: &str) -> Result {
    let reference = format!("refs/windrow/rescue/{name}-");
    let saved = repo.git(["for-each-ref", "--format=%(refname)", "refs/windrow/rescue"]);
    if saved.lines().any(|name| name.starts_with(&reference)) {
        return Ok(());
    }
    Err(format!("no rescue of {name} among:\n{saved}").into())
}

/// From SIGKILL of the process of a session until all of its worktrees, each with unsaved work, are gone.
fn end_session(repo: &TestRepo, round: usize, leases: usize) -> Result<Duration> {
    let mut process = repo.command("sleep", repo.root()).arg("100000").bound(Duration::MAX).spawn();
    let session =
        kept(repo, &["session", "start", "--pid", &process.pid().to_string()]).run().assert_success().text();
    let names: Vec<_> = (0..leases).map(|number| format!("session-{round}-{number}")).collect();
    for name in &names {
        kept(repo, &["acquire", "--session", &session, "--name", name]).run().assert_success();
        fs::write(pool(repo).join(name).join("work.txt"), name)?;
    }
    let start = Instant::now();
    process.kill_alone();
    poll_until(BOUND * 2, "the worktrees go", || names.iter().all(|name| !pool(repo).join(name).exists()));
    let cleared = start.elapsed();
    names.iter().try_for_each(|name| check_saved(repo, name))?;
    Ok(cleared)
}

/// From the moment until which a worktree is kept until it is gone.
fn outlast(repo: &TestRepo, round: usize) -> Result<Duration> {
    let name = format!("kept-{round}");
    let work = ["run", "--name", &name, "--keep", "4s", "--", "sh", "-c", "echo work > work.txt"];
    kept(repo, &work).run().assert_success();
    let shown = repo.windrow(["show", &name, "--json"]).run().assert_success().json();
    let until = shown["worktree"]["keep_until"].as_str().ok_or("it is not kept")?;
    let until = SystemTime::from(until.parse::<jiff::Timestamp>()?);
    poll_until(BOUND, "the worktree goes", || !pool(repo).join(&name).exists());
    let cleared = until.elapsed()?;
    check_saved(repo, &name)?;
    Ok(cleared)
}

fn pool(repo: &TestRepo) -> std::path::PathBuf {
    let mut path = repo.path().as_os_str().to_owned();
    path.push(".windrow");
    path.into()
}

/// Wake-ups (voluntary context switches of all threads) during `idle`, and the anonymous memory after it.
fn idle_keeper(process: &Path, idle: Duration) -> Result<(u64, u64)> {
    // What the last run left has to be over, the trash included.
    std::thread::sleep(Duration::from_secs(15));
    let before = wakeups(process)?;
    std::thread::sleep(idle);
    let after = wakeups(process)?;
    let status = fs::read_to_string(process.join("status"))?;
    let rss = rss_anon(&status).ok_or("no RssAnon of the keeper")?;
    Ok((after - before, rss))
}

/// *Source*: proc_pid_status(5).
fn wakeups(process: &Path) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(process.join("task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.ok_or("no count of context switches")?.trim().parse::<u64>()?;
    }
    Ok(sum)
}
