//! H34: a creation that was cut short is undone, but not what the user locked since, nor what cannot be seen from here.

use std::fs;

use serde_json::Value;
use windrow_testkit::{Fault, TestRepo, assert_same, inject};

use crate::pool::{
    Lease, acquire, cut_short, everything, files, nudge, pool_root, registered, repository, state, windrow,
};

/// A worktree as a kill leaves it before its record says that it is made.
fn unfinished(repo: &TestRepo) -> Lease {
    let lease = acquire(repo, &["--name", "fern"]);
    cut_short(repo);
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
    let lease = unfinished(&repo);
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
    let lease = unfinished(&repo);
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

#[test]
fn h34_what_cannot_be_undone_is_not_recorded_as_gone() {
    let repo = repository();
    let lease = unfinished(&repo);
    let admin = repo.git_dir().join("worktrees/fern");
    // The first moves the files away, the second the registration.
    let command = repo.windrow(["acquire", "--detach"]);
    let Some(failing) = inject(command, "renameat2", Fault::Error("EIO"), 2) else { return };
    let told = failing.run().stderr_text();
    assert!(told.contains("`fern` was left as it is") && told.contains(admin.to_str().unwrap()), "{told}");
    assert_eq!(state(&repo, "fern"), "creating");
    nudge(&repo);
    assert_eq!(state(&repo, "fern"), "gone");
    assert!(!admin.exists() && !lease.path.exists());
    acquire(&repo, &["--name", "fern"]);
}
