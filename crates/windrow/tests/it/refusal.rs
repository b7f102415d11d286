//! What a refusal has to be: one clear error with a hint, its exit code, and nothing changed.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use windrow_testkit::{
    Include, Invocation, Outcome, RepoFingerprint, TestRepo, TreeSnapshot, assert_same, poll_until,
};

/// Everything around the repository, its git directory and home included.
pub(crate) fn everything(repo: &TestRepo) -> TreeSnapshot {
    TreeSnapshot::of(repo.root(), &Include::Everything)
}

/// One error line, then a hint or clap's pointer to the help, nothing that steers a terminal, nothing on standard output.
#[track_caller]
pub(crate) fn assert_told(outcome: &Outcome, error: &str) {
    let told = outcome.stderr_text();
    let errors: Vec<_> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains(error), "one error that holds {error:?}: {outcome}");
    let hint = |line: &str| line.starts_with("hint: ") || line == "For more information, try '--help'.";
    assert!(told.lines().any(hint), "no hint: {outcome}");
    assert!(!told.chars().any(|one| one.is_control() && one != '\n'), "control characters: {outcome:?}");
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

/// The call is refused, and not one byte, mode or name below the root of the test is another one.
#[track_caller]
pub(crate) fn assert_refused(repo: &TestRepo, call: Invocation, code: i32, error: &str) {
    let before = everything(repo);
    let outcome = call.run().assert_code(code);
    assert_told(&outcome, error);
    assert_same(&before, &everything(repo));
}

/// The call got as far as making something; all but our own state is as it was, and of that no lock or record stays.
#[track_caller]
pub(crate) fn assert_undone(repo: &TestRepo, call: Invocation, code: i32, error: &str) {
    let before = (RepoFingerprint::of(repo), outside(repo));
    let outcome = call.run().assert_code(code);
    assert_told(&outcome, error);
    before.0.assert_unchanged(repo);
    assert_same(&before.1, &outside(repo));
    assert_nothing_left(repo);
}

/// What lies beside the repository, without the pool's own directory where it is empty.
fn outside(repo: &TestRepo) -> TreeSnapshot {
    let inside = repo.path().strip_prefix(repo.root()).expect("below the root").to_owned();
    let pool = inside.with_file_name("repo.windrow");
    let trash = pool.join(".trash");
    settle(&repo.root().join(&pool));
    let ours = if holds_nothing(&repo.root().join(&pool)) { pool } else { trash };
    TreeSnapshot::of(repo.root(), &Include::except([inside, ours]))
}

pub(crate) fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.expect("a listed entry").file_name()).collect()
}

fn holds_nothing(pool: &Path) -> bool {
    names_in(pool).iter().all(|name| name == ".trash")
}

/// Waits until the sweeper has emptied the trash.
#[track_caller]
pub(crate) fn settle(pool: &Path) {
    poll_until(Duration::from_secs(10), "an empty trash", || {
        names_in(&pool.join(".trash")).iter().all(|name| name == "sweep.lock")
    });
}

#[track_caller]
pub(crate) fn assert_nothing_left(repo: &TestRepo) {
    assert!(!repo.git_dir().join("worktrees").is_dir(), "git knows no other worktree");
    assert_eq!(repo.git(["for-each-ref", "refs/heads/windrow/"]), "");
    let locks = names_in(&repo.git_dir().join("windrow/locks"));
    let of_worktrees = |name: &OsString| name.as_encoded_bytes().ends_with(b".owner");
    assert!(!locks.iter().any(of_worktrees), "{locks:?}");
    let list = repo.windrow(["list", "--json"]).run().assert_success().json();
    assert_eq!(list["worktrees"], serde_json::json!([]), "{list}");
}
