//! What prune tells: why something went, how much goes by itself, and what cannot be told.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use windrow_core::process::{FileLock, Wait};
use windrow_testkit::TestRepo;

use super::{assert_kept, assert_pruned, keep, landed::worked, plan, prune, refs};
use crate::pool::{
    Lease, acquire, outlast, pool_root, put, registered, repository, text, wait_for_empty_trash, windrow,
};

/// Keeps a worktree with a commit of its own.
fn keep_with_a_commit(repo: &TestRepo, name: &str, time: &str) -> Lease {
    let lease = acquire(repo, &["--name", name]);
    lease.write(&format!("{name}.txt"), name);
    repo.commit_in(&lease.path, &format!("Write {name}.txt"));
    windrow(repo, &["release", name, "--keep", time]);
    lease
}

#[test]
fn the_history_says_why_a_worktree_went() {
    let repo = repository();
    let why = |name: &str| {
        let history = windrow(&repo, &["events", "--json"]).json();
        let mut events = history["events"].as_array().unwrap().iter();
        let began = events.find(|event| event["worktree"] == name && event["kind"] == "lease.releasing");
        text(&began.unwrap_or_else(|| panic!("{name}: {history:#}"))["detail"])
    };
    let merged = keep_with_a_commit(&repo, "merged", "1h");
    repo.git(["merge", "--quiet", "--no-edit", &merged.branch]);
    let squashed = keep_with_a_commit(&repo, "squashed", "1h");
    repo.git(["merge", "--quiet", "--squash", &squashed.branch]);
    repo.commit("Squashed");
    keep_with_a_commit(&repo, "old", "1h");
    assert_pruned(&prune(&repo, &["--landed"]), "worktree", "merged", "landed");
    assert_pruned(&prune(&repo, &["--merged"]), "worktree", "squashed", "landed");
    assert_pruned(&prune(&repo, &["--older-than", "0s"]), "worktree", "old", "old");
    keep_with_a_commit(&repo, "large", "1h");
    assert_pruned(&prune(&repo, &["--to-bytes", "0"]), "worktree", "large", "budget");
    keep_with_a_commit(&repo, "over", "1s");
    outlast(1);
    assert_pruned(&prune(&repo, &[]), "worktree", "over", "due");
    assert_eq!(why("merged"), "pruned: its commits are in the target");
    assert_eq!(why("squashed"), "pruned: its changes are in the target");
    assert_eq!(why("old"), "pruned: it is older than asked for");
    assert_eq!(why("large"), "pruned: all together hold more than asked for");
    assert_eq!(why("over"), "pruned: its time is over");
}

#[test]
fn what_goes_by_itself_is_counted_to_the_byte() {
    let repo = repository();
    let going = || {
        let planned = plan(&repo, &[]);
        (planned["logs_bytes"].clone(), planned["trash_bytes"].clone())
    };
    let fern = acquire(&repo, &["--name", "fern"]);
    fern.write("committed.txt", "x");
    assert_eq!(going(), (0.into(), 0.into()), "where no trash is");
    let trash = pool_root(&repo).join(".trash");
    put(&trash.join("sweep.lock"), "");
    // Whoever holds this empties the trash; nobody else does.
    let sweeping = FileLock::acquire(&trash.join("sweep.lock"), Wait::No).unwrap().unwrap();
    put(&trash.join("windrow-1/one"), [b'x'; 1000]);
    put(&trash.join("windrow-1/deep/two"), [b'x'; 200]);
    let logs = repo.git_dir().join("windrow/logs");
    for (name, days) in [("old.log", 400), ("new.log", 0), ("fern.log", 400)] {
        put(&logs.join(name), [b'x'; 30]);
        let log = fs::File::options().write(true).open(logs.join(name)).unwrap();
        log.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }
    assert_eq!(going(), (30.into(), 1200.into()));
    drop(sweeping);
}

#[test]
fn trash_that_cannot_be_looked_at_is_not_said_to_be_empty() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    windrow(&repo, &["release", "fern"]);
    assert!(!lease.path.exists());
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    fs::remove_dir_all(pool_root(&repo)).unwrap();
    put(&pool_root(&repo), "a file of the user");
    let planned = windrow(&repo, &["prune", "--dry-run", "--json"]).json();
    assert_eq!((&planned["trash_bytes"], &planned["logs_bytes"]), (&Value::Null, &0.into()));
}

#[test]
fn h19_a_branch_stays_when_nobody_can_tell_who_uses_it() {
    let repo = repository();
    let fern = worked(&repo, "fern", "a.txt", &["a"]);
    repo.git(["merge", "--quiet", "--no-edit", &fern.branch]);
    let foreign = repo.root().join("foreign");
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", foreign.to_str().unwrap()]);
    let head = repo.git_dir().join("worktrees/foreign/HEAD");
    let said = fs::read(&head).unwrap();
    let before = refs(&repo);
    fs::remove_file(&head).unwrap();
    repo.command("mkfifo", repo.root()).arg(&head).run().assert_success();
    let done = windrow(&repo, &["prune", "--landed", "--json"]).json();
    assert_kept(&done, "branch", &fern.branch, "unchecked");
    fs::remove_file(&head).unwrap();
    fs::write(&head, said).unwrap();
    assert_eq!(before, refs(&repo));
    assert_pruned(&prune(&repo, &["--landed"]), "branch", &fern.branch, "landed");
}

#[test]
fn h18_a_branch_that_the_user_took_over_stays() {
    let repo = repository();
    let gone = worked(&repo, "gone", "gone.txt", &["gone"]);
    let kept = keep_with_a_commit(&repo, "kept", "1h");
    for lease in [&gone, &kept] {
        repo.git(["merge", "--quiet", "--no-edit", &lease.branch]);
    }
    // At the very place where ours was.
    repo.git(["worktree", "add", "--quiet", gone.path.to_str().unwrap(), &gone.branch]);
    repo.git_in(&kept.path, ["checkout", "--quiet", "--detach"]);
    let hand = repo.root().join("hand");
    repo.git(["worktree", "add", "--quiet", hand.to_str().unwrap(), &kept.branch]);
    let before = refs(&repo);
    let done = prune(&repo, &["--landed"]);
    assert_kept(&done, "branch", &gone.branch, "checked_out");
    assert_kept(&done, "branch", &kept.branch, "checked_out");
    assert_pruned(&done, "worktree", "kept", "landed");
    assert_eq!((before, registered(&repo).len()), (refs(&repo), 3));
}

#[test]
fn an_empty_branch_is_not_named_beside_its_worktree() {
    let repo = repository();
    let [empty, full] = [keep(&repo, "empty"), keep_with_a_commit(&repo, "full", "1h")];
    repo.git(["merge", "--quiet", "--no-edit", &full.branch]);
    let planned = plan(&repo, &["--landed"]);
    let branches: Vec<_> =
        planned["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "branch").collect();
    let [only] = branches[..] else { panic!("{planned:#}") };
    assert_eq!((&only["name"], &only["action"]), (&full.branch.as_str().into(), &"prune".into()));
    prune(&repo, &["--landed"]);
    assert!(![&empty, &full].iter().any(|lease| refs(&repo).contains(&lease.branch)), "{}", refs(&repo));
}
