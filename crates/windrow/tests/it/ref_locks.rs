//! H35: locks on refs that a git left when it was killed, ours and others'.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use windrow_testkit::{Running, TestRepo, poll_for, poll_until};

use super::pool::{SOON, acquire, nudge, repository, windrow};

const SHARED: &str = "packed-refs.lock";
const BRANCH: &str = "refs/heads/windrow/fern.lock";

/// A repository with a pool, and the note of a change of one branch.
fn noted() -> (TestRepo, PathBuf) {
    let repo = repository();
    nudge(&repo);
    let note = repo.git_dir().join("windrow/locks/refs-0123456789abcdef");
    fs::write(&note, "refs/heads/windrow/fern").unwrap();
    (repo, note)
}

fn lock(repo: &TestRepo, name: &str) -> PathBuf {
    let path = repo.git_dir().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    path
}

#[test]
fn h35_locks_of_a_killed_change_go_with_the_next_command() {
    let (repo, note) = noted();
    let locks = [SHARED, BRANCH].map(|name| lock(&repo, name));
    let other = lock(&repo, "refs/heads/other.lock");
    acquire(&repo, &["--name", "fern"]);
    assert!(!note.exists() && locks.iter().all(|lock| !lock.exists()));
    assert!(other.exists(), "a lock on a ref that the change was not about is somebody else's");
}

#[test]
fn h35_a_lock_that_was_there_before_the_change_stays() {
    let repo = repository();
    nudge(&repo);
    let theirs = lock(&repo, "refs/heads/theirs.lock");
    let note = repo.git_dir().join("windrow/locks/refs-0123456789abcdef");
    let born = |path: &PathBuf| fs::metadata(path).unwrap().created().unwrap();
    poll_until(SOON, "a later file has a later birth", || {
        fs::write(&note, "refs/heads/theirs").unwrap();
        let later = born(&note) > born(&theirs);
        if !later {
            fs::remove_file(&note).unwrap();
        }
        later
    });
    nudge(&repo);
    assert!(theirs.exists() && !note.exists());
}

#[test]
fn h35_a_change_under_way_keeps_its_locks() {
    let (repo, note) = noted();
    let held = File::open(&note).unwrap();
    held.lock().unwrap();
    let lock = lock(&repo, "refs/heads/windrow/fern.lock");
    nudge(&repo);
    assert!(note.exists() && lock.exists());
}

/// A git that is at work until what is returned with it goes.
fn git_at_work(repo: &TestRepo) -> (Running, File) {
    let script = "mkfifo ../hold; echo up; exec git cat-file --batch < ../hold";
    let mut git = repo.command("sh", repo.path()).args(["-c", script]).spawn();
    git.wait_for_stdout("up");
    (git, File::options().write(true).open(repo.root().join("hold")).unwrap())
}

#[test]
fn h35_locks_stay_while_any_git_is_at_work_that_may_have_made_them() {
    let (repo, note) = noted();
    let (git, writer) = git_at_work(&repo);
    let lock = lock(&repo, BRANCH);
    nudge(&repo);
    assert!(note.exists() && lock.exists());
    drop(writer);
    git.wait().assert_success();
    nudge(&repo);
    assert!(!note.exists() && !lock.exists());
}

#[test]
fn h35_locks_go_although_gits_that_began_later_are_at_work() {
    let (repo, note) = noted();
    let lock = lock(&repo, BRANCH);
    let packed = repo.git_dir().join("packed-refs.lock");
    fs::write(&packed, "").unwrap();
    // Start times of processes are in whole seconds.
    poll_for(SOON, "the lock is old enough", || {
        let age = packed.metadata().unwrap().created().unwrap().elapsed().unwrap_or_default();
        (age > Duration::from_secs(4)).then_some(())
    });
    let (git, writer) = git_at_work(&repo);
    nudge(&repo);
    assert!(!note.exists() && !lock.exists() && !packed.exists());
    drop(writer);
    git.wait().assert_success();
}

#[test]
fn h35_locks_of_an_agent_that_died_with_its_run_go_when_it_is_given_back() {
    let repo = TestRepo::builder()
        .binary(windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into()))
        .reftable()
        .build();
    acquire(&repo, &["--name", "fern"]);
    let tables = lock(&repo, "reftable/tables.list.lock");
    windrow(&repo, &["release", "fern"]);
    assert!(!tables.exists());
}

#[test]
fn h35_locks_of_others_are_left_alone() {
    let repo = repository();
    nudge(&repo);
    let theirs = lock(&repo, SHARED);
    repo.windrow(["reconcile"]).run().assert_success();
    assert!(theirs.exists());
}
