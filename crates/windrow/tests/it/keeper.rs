//! The keeper: what is over ends within seconds, and no further command is run.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use windrow_testkit::{
    Invocation, Running, TestRepo, TreeSnapshot, assert_same, poll_for, poll_until, processes_under,
};

use crate::{
    leasing::{acquire as acquire_without, pool_directory, repository},
    saving::{bring_back, files_of, put, rescues},
};

/// Nothing may take longer from the end of a holder to the end of its worktree.
const BOUND: Duration = Duration::from_secs(30);

/// A call of the program in a pool that is kept.
fn kept(repo: &TestRepo, arguments: &[&str]) -> Invocation {
    repo.windrow(arguments).env("WINDROW_CONFIG__POOL__KEEPER", "true")
}

#[track_caller]
fn lease(repo: &TestRepo, name: &str, arguments: &[&str]) -> PathBuf {
    kept(repo, &["acquire", "--name", name]).args(arguments).run().assert_success().text().into()
}

/// The running keepers of a repository.
fn keepers(repo: &TestRepo) -> Vec<u32> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.contains(&b"__keeper".as_slice()) && words.contains(&repo.path().as_os_str().as_bytes()) {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let parent = status(&entry.path(), "PPid:");
            found.extend(pid.zip(parent));
        }
    }
    // A child that it is just starting looks like itself.
    let child = |parent: u32| found.iter().any(|(pid, _)| *pid == parent);
    found.iter().filter(|(_, parent)| !child(*parent)).map(|(pid, _)| *pid).collect()
}

/// *Source*: proc_pid_status(5).
fn status(process: &Path, field: &str) -> Option<u32> {
    let text = fs::read_to_string(process.join("status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(field))?.trim().parse().ok()
}

/// The keeper of a repository, once it is at its post.
#[track_caller]
fn keeper(repo: &TestRepo) -> u32 {
    let lock = repo.git_dir().join("windrow/locks/keeper");
    poll_for(BOUND, "a keeper", || {
        let note = fs::read_to_string(&lock).ok()?;
        let pid = note.split(' ').nth(1)?.parse().ok()?;
        keepers(repo).contains(&pid).then_some(pid)
    })
}

fn diary(repo: &TestRepo) -> String {
    fs::read_to_string(repo.git_dir().join("windrow/logs/_keeper.log")).unwrap_or_default()
}

/// Waits until nobody works here any more, and checks that the keeper went because nothing was left.
#[track_caller]
fn assert_keeper_leaves(repo: &TestRepo) {
    poll_until(BOUND, "the keeper leaves", || processes_under(repo.root()).is_empty());
    assert!(diary(repo).trim_end().ends_with("keeper ended: nothing to keep"), "{}", diary(repo));
    assert!(!repo.git_dir().join("windrow/locks/keeper").exists());
}

#[track_caller]
fn wait_until_gone(repo: &TestRepo, worktree: &Path) {
    poll_until(BOUND, &format!("{} goes", worktree.display()), || !worktree.exists());
    // Given back means recorded as such, too.
    let name = worktree.file_name().unwrap().to_str().unwrap();
    let said = format!("gave back the abandoned worktree `{name}`");
    poll_until(BOUND, &said, || diary(repo).contains(&said));
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Like [`kill`], for one that may have ended by itself.
fn kill_if_running(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Work of every kind in a worktree: changed, staged, new, binary, ignored, executable, linked.
fn work_in(worktree: &Path) -> TreeSnapshot {
    put(worktree, "README.md", "changed by an agent\n");
    put(worktree, "src/new.rs", "//! New.\n");
    put(worktree, "data.bin", (0_u16..2_000).flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    put(worktree, ".env", "SECRET=kept\n");
    symlink("src/new.rs", worktree.join("to-new")).unwrap();
    files_of(worktree, &[])
}

/// Brings back the only rescue and checks that it holds the work byte for byte.
#[track_caller]
fn assert_rescued(repo: &TestRepo, work: &TreeSnapshot) {
    let found = rescues(repo);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_same(work, &files_of(&bring_back(repo, &found[0]), &[]));
}

/// An agent whose children left its session, its group and its parent, and are deaf to SIGTERM.
const AGENT: &str = r#"
deaf() { trap '' TERM HUP INT; while :; do sleep 1; done; }
deaf &
(deaf & exit 0)
setsid sh -c 'trap "" TERM HUP INT; echo up >> "$0"; while :; do sleep 1; done' "$1" &
(setsid sh -c 'trap "" TERM; (trap "" TERM; echo up >> "$0"; exec 3>&- ; while :; do sleep 1; done) &' "$1" &)
deaf
"#;

#[test]
fn h39_a_killed_run_leaves_no_process_and_its_work_in_a_rescue() {
    let repo = repository();
    let signs = repo.root().join("signs");
    let line = ["run", "--name", "fern", "--", "sh", "-c", AGENT, "agent", signs.to_str().unwrap()];
    let mut run = kept(&repo, &line).spawn();
    poll_until(BOUND, "the children run", || fs::read_to_string(&signs).unwrap_or_default().len() == 6);
    let keeper = keeper(&repo);
    let worktree = pool_directory(&repo).join("fern");
    let work = work_in(&worktree);
    assert!(processes_under(&worktree).len() >= 5);

    run.kill_alone();

    wait_until_gone(&repo, &worktree);
    assert!(diary(&repo).contains(&format!("process {keeper}")), "{}", diary(&repo));
    assert_keeper_leaves(&repo);
    assert_rescued(&repo, &work);
}

#[test]
fn h05_an_expired_lease_ends_and_its_work_is_saved() {
    let repo = repository();
    let worktree = lease(&repo, "fern", &["--ttl", "2s"]);
    let work = work_in(&worktree);
    wait_until_gone(&repo, &worktree);
    assert_keeper_leaves(&repo);
    assert_rescued(&repo, &work);
}

#[test]
fn a_renewal_is_noticed_whether_it_lengthens_or_shortens() {
    let repo = repository();
    let long = lease(&repo, "long", &["--ttl", "2s"]);
    let short = lease(&repo, "short", &["--ttl", "1h"]);
    kept(&repo, &["renew", "long", "--ttl", "1h"]).run().assert_success();
    let _ = keeper(&repo);
    kept(&repo, &["renew", "short", "--ttl", "1s"]).run().assert_success();
    wait_until_gone(&repo, &short);
    assert!(long.exists());
    kept(&repo, &["release", "long"]).run().assert_success();
    assert_keeper_leaves(&repo);
}

#[test]
fn a_kept_worktree_goes_when_its_time_is_over() {
    let repo = repository();
    let script = "echo 'by the run' > made.txt";
    kept(&repo, &["run", "--name", "fern", "--keep", "3s", "--", "sh", "-c", script]).run().assert_success();
    let worktree = pool_directory(&repo).join("fern");
    let kept_as = files_of(&worktree, &[]);
    wait_until_gone(&repo, &worktree);
    assert_keeper_leaves(&repo);
    assert_rescued(&repo, &kept_as);
}

fn holder(repo: &TestRepo) -> Running {
    repo.command("sleep", repo.root()).arg("600").spawn()
}

#[test]
fn the_leases_of_a_process_end_with_it() {
    const LEASES: usize = 32;
    let repo = repository();
    let mut holder = holder(&repo);
    let pid = holder.pid().to_string();
    let names: Vec<String> = (0..LEASES).map(|number| format!("agent-{number}")).collect();
    let mut work = Vec::new();
    for name in &names {
        let worktree = lease(&repo, name, &["--pid", &pid]);
        put(&worktree, "whose.txt", name);
        work.push(worktree);
    }
    assert_eq!(keepers(&repo), [keeper(&repo)]);

    holder.kill_alone();

    work.iter().for_each(|worktree| wait_until_gone(&repo, worktree));
    assert_keeper_leaves(&repo);
    let mut saved: Vec<_> = rescues(&repo).iter().map(|rescue| saved_name(&repo, rescue)).collect();
    let mut expected = names;
    saved.sort();
    expected.sort();
    assert_eq!(saved, expected);
}

/// What the agent wrote into the file that a rescue holds.
fn saved_name(repo: &TestRepo, rescue: &str) -> String {
    repo.git(["cat-file", "blob", &format!("refs/windrow/rescue/{rescue}:whose.txt")])
}

#[test]
fn a_process_that_ends_while_its_lease_is_being_given_is_noticed() {
    let repo = repository();
    let first = lease(&repo, "first", &["--ttl", "1h"]);
    let _ = keeper(&repo);
    let mut holder = holder(&repo);
    let worktree = lease(&repo, "fern", &["--pid", &holder.pid().to_string()]);
    // Most often before the keeper has seen the new lease.
    holder.kill_alone();
    poll_until(BOUND, "the worktree goes", || !worktree.exists());
    assert!(first.exists());
    kept(&repo, &["release", "first"]).run().assert_success();
    assert_keeper_leaves(&repo);
}

#[test]
fn many_at_once_start_one_keeper() {
    let repo = repository();
    let started: Vec<_> =
        (0..6).map(|_| kept(&repo, &["acquire", "--ttl", "1h", "--json"]).spawn()).collect();
    let leases: Vec<_> = started.into_iter().map(|one| one.wait().assert_success().json()).collect();
    poll_until(BOUND, "one keeper", || keepers(&repo).len() == 1);
    let first = keeper(&repo);
    // Another one, by hand, leaves at once.
    let common = repo.git_dir();
    let words = ["__keeper", "--", common.to_str().unwrap(), repo.path().to_str().unwrap()];
    repo.windrow(words).run().assert_success();
    assert_eq!(keepers(&repo), [first]);
    assert_eq!(diary(&repo).matches(" began as process ").count(), 1, "{}", diary(&repo));
    for lease in &leases {
        kept(&repo, &["release", lease["lease"]["id"].as_str().unwrap()]).run().assert_success();
    }
    assert_keeper_leaves(&repo);
}

#[test]
fn a_killed_keeper_is_replaced_by_the_next_command() {
    let repo = repository();
    let fern = lease(&repo, "fern", &["--ttl", "3s"]);
    let first = keeper(&repo);
    kill(first);
    poll_until(BOUND, "the first keeper dies", || !keepers(&repo).contains(&first));
    lease(&repo, "moss", &["--ttl", "1h"]);
    let second = keeper(&repo);
    assert_ne!(first, second);
    wait_until_gone(&repo, &fern);
    kept(&repo, &["release", "moss"]).run().assert_success();
    assert_keeper_leaves(&repo);
}

#[test]
fn h33_a_keeper_killed_at_its_work_loses_nothing() {
    type Moment = fn(&Path) -> bool;
    let moments: [(&str, Moment); 3] = [
        ("the processes are gone", |worktree| processes_under(worktree).is_empty()),
        ("the rescue is written", |worktree| {
            let repo = worktree.parent().unwrap().with_extension("");
            repo.join(".git/refs/windrow/rescue").read_dir().is_ok_and(|refs| refs.count() > 0)
        }),
        ("the worktree is gone", |worktree| !worktree.exists()),
    ];
    for (what, has_come) in moments {
        let repo = repository();
        let script = "echo up; while :; do sleep 1; done";
        let mut run = kept(&repo, &["run", "--name", "fern", "--", "sh", "-c", script]).spawn();
        run.wait_for_stdout("up");
        let worktree = pool_directory(&repo).join("fern");
        let work = work_in(&worktree);
        let first = keeper(&repo);
        run.kill_alone();
        poll_until(BOUND, what, || has_come(&worktree));
        kill_if_running(first);
        poll_until(BOUND, "the keeper dies", || !keepers(&repo).contains(&first));
        let moss = lease(&repo, "moss", &["--ttl", "1s"]);
        poll_until(BOUND, "both worktrees go", || !worktree.exists() && !moss.exists());
        assert_keeper_leaves(&repo);
        assert_rescued(&repo, &work);
    }
}

#[test]
fn an_older_keeper_is_asked_to_go() {
    let repo = repository();
    acquire_without(&repo, &["--name", "fern", "--ttl", "1h"]);
    let lock = repo.git_dir().join("windrow/locks/keeper");
    let script = r#"exec 9>>"$0"; flock 9; exec sleep 600"#;
    let older = repo.command("sh", repo.root()).args(["-c", script]).arg(&lock).spawn();
    let ticks = poll_for(BOUND, "the older one holds its post", || {
        let taken = repo.command("flock", repo.root()).args(["-n"]).arg(&lock).arg("true").run();
        (taken.code != 0).then(|| start_ticks(older.pid()))
    });
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    let namespace = namespace.trim_start_matches("pid:[").trim_end_matches(']').to_owned();
    let note = format!("0.0.9 {} {ticks} {}/{namespace}", older.pid(), boot.trim_end());
    fs::write(&lock, note).unwrap();

    let moss = lease(&repo, "moss", &["--ttl", "2s"]);

    assert_eq!(older.wait().signal, Some(15));
    wait_until_gone(&repo, &moss);
    // What it has just started to delete the files looks like itself until it is its own program.
    poll_until(BOUND, "one keeper is left", || keepers(&repo) == [keeper(&repo)]);
    kept(&repo, &["release", "fern"]).run().assert_success();
    assert_keeper_leaves(&repo);
}

/// *Source*: proc_pid_stat(5), field 22; the name in parentheses may hold anything.
fn start_ticks(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    rest.split_whitespace().nth(19).unwrap().to_owned()
}

#[test]
fn the_keeper_inherits_neither_descriptor_nor_directory_nor_gits_variables() {
    let repo = repository();
    let held = repo.root().join("held.lock");
    let script = r#"exec 9>"$2"; cd "$3"; path=$("$1" acquire --name fern --ttl 1h); echo "$path""#;
    let shell = repo.command("sh", repo.path()).env("WINDROW_CONFIG__POOL__KEEPER", "true");
    let shell = shell.env("GIT_AUTHOR_NAME", "Somebody").env("GIT_INDEX_FILE", "/nowhere").env("SECRET", "x");
    let shell = shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_windrow")]).arg(&held).arg(repo.path());
    // A keeper that had standard output would make this hang.
    assert!(shell.run().assert_success().text().ends_with("/fern"));
    let home = PathBuf::from(format!("/proc/{}", keeper(&repo)));
    assert_eq!(fs::read_link(home.join("cwd")).unwrap(), Path::new("/"));
    let open: Vec<_> = fs::read_dir(home.join("fd")).unwrap().flatten().collect();
    let open: Vec<_> = open.iter().filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    assert!(!open.contains(&held), "{open:?}");
    let environment = fs::read(home.join("environ")).unwrap();
    let names: Vec<_> = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let stray =
        |name: &str| name.starts_with("GIT_") || name.starts_with("SECRET") || name.starts_with("WINDROW");
    assert!(!names.iter().any(|name| stray(name)), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("HOME=")), "{names:?}");
    kept(&repo, &["release", "fern"]).run().assert_success();
    assert_keeper_leaves(&repo);
}

#[test]
fn no_keeper_is_started_where_the_configuration_says_no() {
    let repo = repository();
    acquire_without(&repo, &["--name", "fern", "--ttl", "1h"]);
    repo.windrow(["release", "fern"]).run().assert_success();
    assert!(!repo.git_dir().join("windrow/logs/_keeper.log").exists());
}

#[test]
fn a_keeper_goes_with_its_repository() {
    let repo = repository();
    lease(&repo, "fern", &["--ttl", "1h"]);
    let pid = keeper(&repo);
    let git_dir = repo.git_dir();
    // It may be writing still.
    poll_until(BOUND, "the repository goes", || fs::remove_dir_all(&git_dir).is_ok());
    poll_until(BOUND, "the keeper leaves", || !keepers(&repo).contains(&pid));
    assert!(!git_dir.exists());
}
