//! The keeper: how soon a killed run is cleared away, and what the keeper needs while nothing is due.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use windrow_testkit::{Invocation, TestRepo, poll_for, poll_until};

use super::figures::Report;
use super::memory::rss_anon;
use super::wait_until_quiet;
use crate::Result;

const BOUND: Duration = Duration::from_secs(60);

/// A command whose children left its session and its parent, and are deaf to SIGTERM.
const AGENT: &str = "trap '' TERM; echo work > work.txt
    (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &)
    sleep 600 & echo ready; while :; do sleep 1; done";

/// Kills `runs` runs, one after the other, then looks at the keeper for `idle`.
///
/// # Errors
///
/// Fails when a program does, or when what was killed is not cleared away.
pub(super) fn keeper(repo: &TestRepo, files: usize, runs: usize, idle: Duration) -> Result<Report> {
    let mut holder = repo.command("sleep", repo.root()).arg("100000").bound(Duration::MAX).spawn();
    let held = ["acquire", "--name", "bench-held", "--pid", &holder.pid().to_string()];
    kept(repo, &held).run().assert_success();
    let post = repo.git_dir().join("windrow/locks/keeper");
    let pid =
        poll_for(BOUND, "a keeper", || fs::read_to_string(&post).ok()?.split(' ').nth(1).map(str::to_owned));
    let cleared = (0..runs).map(|round| kill_and_wait(repo, round)).collect::<Result<Vec<_>>>()?;
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
    let reference = format!("refs/windrow/rescue/{name}-");
    poll_until(BOUND, "the worktree goes", || !pool(repo).join(&name).exists());
    let cleared = start.elapsed();
    let saved = repo.git(["for-each-ref", "--format=%(refname)", "refs/windrow/rescue"]);
    if !saved.lines().any(|name| name.starts_with(&reference)) {
        return Err(format!("no rescue of {name} among:\n{saved}").into());
    }
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
