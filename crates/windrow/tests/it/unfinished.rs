//! H34: a creation that was cut short is undone, but not what the user locked since, nor what cannot be seen from here.

use std::fs;

use serde_json::Value;
use windrow_testkit::{TestRepo, assert_same};

use crate::pool::{
    Lease, acquire, everything, files, nudge, pool_root, registered, repository, state, windrow,
};

/// A worktree as a kill leaves it before its record says that it is made.
fn cut_short(repo: &TestRepo) -> Lease {
    let lease = acquire(repo, &["--name", "fern"]);
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    let sql = "UPDATE worktrees SET state = 'creating', filesystem = NULL, inode = NULL, born_nanos = NULL";
    database.execute(sql, []).unwrap();
    lease
}

/// What `reconcile` says about the only worktree.
#[track_caller]
fn reconciled(repo: &TestRepo) -> (Value, Value) {
    let mut done = windrow(repo, &["reconcile", "--json"]).json();
    let one = &mut done["worktrees"][0];
    (one["action"].take(), one["reason"].take())
}

#[test]
fn h34_what_the_user_locked_is_not_undone() {
    let repo = repository();
    let lease = cut_short(&repo);
    let path = lease.path.to_str().unwrap();
    repo.git(["worktree", "unlock", path]);
    repo.git(["worktree", "lock", "--reason", "mine", path]);
    let before = lease.files();
    assert_eq!(reconciled(&repo), ("leave".into(), "locked_by_user".into()));
    let told = repo.windrow(["acquire", "--detach"]).run().assert_success().stderr_text();
    assert!(told.contains("`fern` was left as it is") && told.contains("git worktree lock"), "{told}");
    assert_same(&before, &lease.files());
    assert!(registered(&repo).contains(&path.to_owned()));

    repo.git(["worktree", "unlock", path]);
    nudge(&repo);
    assert_eq!(state(&repo, "fern"), "gone");
    assert!(!lease.path.exists());
}

#[test]
fn h34_what_cannot_be_seen_is_not_undone() {
    let repo = repository();
    let lease = cut_short(&repo);
    let before = (files(&lease.path), everything(&repo.git_dir().join("worktrees")));
    let away = repo.root().join("away");
    fs::rename(pool_root(&repo), &away).unwrap();
    assert_eq!(reconciled(&repo), ("leave".into(), "out_of_sight".into()));
    let session = windrow(&repo, &["session", "start", "--ttl", "1h", "--json"]).json();
    // The end of a session brings the pool to order first.
    windrow(&repo, &["session", "end", session["session"]["id"].as_str().unwrap()]);
    assert!(!pool_root(&repo).exists());
    fs::rename(&away, pool_root(&repo)).unwrap();
    assert_same(&before.0, &files(&lease.path));
    assert_same(&before.1, &everything(&repo.git_dir().join("worktrees")));

    assert_eq!(reconciled(&repo).0, "roll_back");
    assert_eq!(state(&repo, "fern"), "gone");
    assert!(!lease.path.exists());
}
