//! Worktrees made by hand come into care as they are, and everything hostile is refused with nothing changed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_testkit::{Include, TestRepo, TreeSnapshot, assert_same};

use crate::pool::{
    acquire, everything, files, nudge, outlast, put, record, refused, registered, repository, rescues,
    restore, state, text, windrow,
};
use crate::schema::assert_valid;

/// A worktree made by `git worktree add`, with work of every kind.
fn by_hand(repo: &TestRepo, name: &str) -> PathBuf {
    let path = repo.root().join(name);
    repo.git(["worktree", "add", "-q", "-b", &format!("topic/{name}"), path.to_str().unwrap()]);
    put(&path.join("committed.txt"), name);
    repo.commit_in(&path, "By hand");
    put(&path.join("staged.txt"), "staged");
    repo.git_in(&path, ["add", "staged.txt"]);
    put(&path.join("README.md"), "changed");
    put(&path.join("notes/untracked.txt"), "untracked");
    put(&path.join(".env"), "secret");
    path
}

#[track_caller]
fn adopt(repo: &TestRepo, path: &Path, arguments: &[&str]) -> Value {
    let line = [&["adopt", path.to_str().unwrap(), "--json"], arguments].concat();
    let document = windrow(repo, &line).json();
    assert_valid("adopt", &document);
    document
}

/// The administrative directory of a worktree, but for our own two files.
fn admin(repo: &TestRepo, name: &str) -> TreeSnapshot {
    let marks = Include::except([
        "windrow-id",
        "windrow-adopted",
        "windrow-id.windrow-new",
        "windrow-adopted.windrow-new",
    ]);
    TreeSnapshot::of(&repo.git_dir().join("worktrees").join(name), &marks)
}

fn status(repo: &TestRepo, path: &Path) -> String {
    // Not to write the index.
    repo.git_in(path, ["--no-optional-locks", "status", "--porcelain=v2", "--branch", "--ignored"])
}

#[test]
fn h04_a_worktree_made_by_hand_is_adopted_as_it_is_and_its_release_loses_nothing() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    let (before, facts, told) = (everything(&path), admin(&repo, "hotfix"), status(&repo, &path));
    let document = adopt(&repo, &path, &[]);
    assert_eq!(document["worktree"]["name"], "hotfix");
    assert_eq!(document["worktree"]["branch"], "topic/hotfix");
    assert_eq!(document["worktree"]["state"], "kept");
    assert_eq!(document["notices"], serde_json::json!([]));
    let week: jiff::SignedDuration = "168h".parse().unwrap();
    let until: jiff::Timestamp = text(&document["worktree"]["keep_until"]).parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now());
    assert!(left < week && left > week / 2, "a week when nobody says otherwise: {left}");
    assert_same(&before, &everything(&path));
    assert_same(&facts, &admin(&repo, "hotfix"));
    assert_eq!(told, status(&repo, &path));
    let shown = windrow(&repo, &["show", "hotfix", "--json"]).json();
    assert_eq!(shown["work"]["commits"], 1, "what it has beyond the main branch");
    nudge(&repo);
    assert_eq!(state(&repo, "hotfix"), "kept");
    windrow(&repo, &["release", "hotfix"]);
    assert!(!path.exists());
    assert_eq!(repo.git(["log", "-1", "--format=%s", "topic/hotfix"]), "By hand");
    let back = restore(&repo, "hotfix");
    assert_eq!(back.branch, "topic/hotfix");
    let without_git = TreeSnapshot::of(&back.path, &Include::without_git());
    assert!(before.differences(&without_git).iter().all(|line| line.starts_with("\".git\":")));
    assert_eq!(told, status(&repo, &back.path));
}

#[test]
fn h05_when_its_time_is_over_it_is_rescued_and_its_branch_stays() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    // Nothing of its own on it: a branch of ours would go.
    repo.git_in(&path, ["reset", "-q", "--soft", "main"]);
    let before = files(&path);
    adopt(&repo, &path, &["--keep", "1s", "--name", "fix"]);
    outlast(1);
    nudge(&repo);
    assert_eq!(state(&repo, "fix"), "gone");
    assert!(!path.exists());
    assert!(!registered(&repo).contains(&path.to_str().unwrap().to_owned()));
    assert_eq!(repo.oid("topic/hotfix"), repo.oid("main"), "it was there before");
    assert_same(&before, &restore(&repo, "fix").files());
}

#[test]
fn a_run_goes_on_in_it() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    adopt(&repo, &path, &["--name", "fix"]);
    let line = ["run", "--name", "fix", "--keep", "1h", "--", "sh", "-c", "cat .env; echo more > more.txt"];
    assert!(windrow(&repo, &line).text().contains("secret"));
    assert_eq!(fs::read(path.join("more.txt")).unwrap(), b"more\n");
    assert_eq!(text(&record(&repo, "fix")["path"]), path.to_str().unwrap());
    let done = windrow(&repo, &["reconcile", "--json"]).json();
    assert_eq!(done["worktrees"][0]["reason"], "in_order", "{done:#}");
}

#[test]
fn h11_commits_that_only_a_detached_worktree_knows_are_saved() {
    let repo = repository();
    let path = repo.root().join("loose");
    repo.git(["worktree", "add", "-q", "--detach", path.to_str().unwrap()]);
    put(&path.join("lost.txt"), "only here");
    let commit = repo.commit_in(&path, "Nobody else knows");
    let document = adopt(&repo, &path, &[]);
    assert_eq!(document["worktree"]["branch"], Value::Null);
    windrow(&repo, &["release", "loose"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
    assert_eq!(repo.git(["show", &format!("{commit}:lost.txt")]), "only here");
    let back = restore(&repo, "loose");
    assert_eq!(repo.git_in(&back.path, ["rev-parse", "HEAD"]), commit);
}

#[test]
fn h13_a_merge_in_progress_is_adopted_and_comes_back() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    repo.commit_in(&path, "All of it");
    repo.write("README.md", "elsewhere");
    repo.commit("Elsewhere");
    assert_ne!(repo.git_invocation(&path).args(["merge", "main"]).run().code, 0);
    let told = status(&repo, &path);
    adopt(&repo, &path, &[]);
    assert_eq!(told, status(&repo, &path));
    windrow(&repo, &["release", "hotfix"]);
    let back = restore(&repo, "hotfix");
    assert_eq!(told, status(&repo, &back.path));
    assert!(repo.git_in(&back.path, ["rev-parse", "-q", "--verify", "MERGE_HEAD"]).len() >= 40);
}

/// What is refused, with the code and a word of the message; nothing at all may be different afterwards.
#[track_caller]
fn assert_refused(repo: &TestRepo, path: &Path, code: &str, said: &str) {
    let before = TreeSnapshot::of(repo.root(), &Include::Everything);
    let exit = if code == "CONFLICT" { 65 } else { 1 };
    let error =
        refused(repo, if code == "UNTRUSTED" { 78 } else { exit }, &["adopt", path.to_str().unwrap()]);
    assert_eq!(error["code"], code, "{error:#}");
    assert!(text(&error["message"]).contains(said), "{error:#}");
    assert!(error["hint"].is_string() || code == "UNTRUSTED", "{error:#}");
    assert_same(&before, &TreeSnapshot::of(repo.root(), &Include::Everything));
}

#[test]
fn h03_what_is_no_linked_worktree_of_this_repository_is_refused() {
    let repo = repository();
    assert_refused(&repo, repo.path(), "CONFLICT", "repository's own");
    assert_refused(&repo, &repo.git_dir(), "CONFLICT", "repository's own");
    assert_refused(&repo, &repo.root().join("nowhere"), "NOT_FOUND", "not there");
    assert_refused(&repo, &repo.path().join("src"), "CONFLICT", "not the root");
    let other = repo.root().join("other");
    repo.git(["init", "-q", other.to_str().unwrap()]);
    assert_refused(&repo, &other, "CONFLICT", "another repository");
    let bare = repo.root().join("bare.git");
    repo.git(["init", "-q", "--bare", bare.to_str().unwrap()]);
    assert_refused(&repo, &bare, "CONFLICT", "not the root");
    repo.git_in(&other, ["commit", "-q", "--allow-empty", "-m", "x"]);
    let theirs = repo.root().join("theirs");
    repo.git_in(&other, ["worktree", "add", "-q", theirs.to_str().unwrap()]);
    assert_refused(&repo, &theirs, "CONFLICT", "another repository");
    let path = by_hand(&repo, "hotfix");
    assert_refused(&repo, &path.join("notes"), "CONFLICT", "not the root");
}

#[test]
fn h01_a_locked_worktree_is_refused() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    repo.git(["worktree", "lock", "--reason", "agent 7 works here", path.to_str().unwrap()]);
    assert_refused(&repo, &path, "CONFLICT", "agent 7 works here");
    repo.git(["worktree", "unlock", path.to_str().unwrap()]);
    repo.git(["worktree", "lock", path.to_str().unwrap()]);
    assert_refused(&repo, &path, "CONFLICT", "is locked");
    repo.git(["worktree", "unlock", path.to_str().unwrap()]);
    adopt(&repo, &path, &[]);
}

#[test]
fn h41_links_that_do_not_agree_are_refused() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    let dot_git = fs::read(path.join(".git")).unwrap();
    let gitdir = repo.git_dir().join("worktrees/hotfix/gitdir");
    let link = fs::read(&gitdir).unwrap();
    let moved = repo.root().join("moved");
    fs::rename(&path, &moved).unwrap();
    assert_refused(&repo, &path, "NOT_FOUND", "not there");
    assert_refused(&repo, &moved, "CONFLICT", "git has it at");
    fs::rename(&moved, &path).unwrap();
    fs::write(&gitdir, "../../../hotfix/.git\n").unwrap();
    assert_refused(&repo, &path, "CONFLICT", "relative");
    fs::remove_file(&gitdir).unwrap();
    assert_refused(&repo, &path, "CONFLICT", "names no worktree");
    fs::write(&gitdir, link).unwrap();
    fs::write(path.join(".git"), format!("gitdir: {}\n", repo.git_dir().display())).unwrap();
    assert_refused(&repo, &path, "CONFLICT", "another repository");
    fs::write(path.join(".git"), "gitdir: /nowhere/worktrees/hotfix\n").unwrap();
    assert_refused(&repo, &path, "CONFLICT", "not there");
    fs::remove_file(path.join(".git")).unwrap();
    symlink(repo.git_dir().join("worktrees/hotfix/gitdir"), path.join(".git")).unwrap();
    assert_refused(&repo, &path, "CONFLICT", "no plain file");
    fs::remove_file(path.join(".git")).unwrap();
    fs::write(path.join(".git"), dot_git).unwrap();
    let commondir = repo.git_dir().join("worktrees/hotfix/commondir");
    fs::write(&commondir, "../../..\n").unwrap();
    assert_refused(&repo, &path, "CONFLICT", "names another repository");
    fs::write(&commondir, "../..\n").unwrap();
    adopt(&repo, &path, &[]);
}

#[test]
fn h08_where_everybody_may_write_nothing_is_adopted() {
    let repo = repository();
    let shared = repo.root().join("shared");
    fs::create_dir(&shared).unwrap();
    let path = by_hand(&repo, "shared/hotfix");
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(&shared, 0o1777);
    assert_refused(&repo, &path, "UNTRUSTED", "written by everybody");
    open(&shared, 0o755);
    open(&path, 0o777);
    assert_refused(&repo, &path, "UNTRUSTED", "written by everybody");
    open(&path, 0o755);
    adopt(&repo, &path, &["--name", "fix"]);
}

#[test]
fn a_worktree_without_a_commit_is_refused() {
    let repo = repository();
    let path = repo.root().join("fresh");
    repo.git(["worktree", "add", "-q", "--orphan", "-b", "fresh", path.to_str().unwrap()]);
    assert_refused(&repo, &path, "NOT_FOUND", "has no commit");
}

#[test]
fn h29_what_is_ours_and_names_that_are_taken_are_refused() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "work");
    let before = everything(&lease.path);
    let path = by_hand(&repo, "hotfix");
    let (made, facts) = (everything(&path), admin(&repo, "hotfix"));
    let error = refused(&repo, 65, &["adopt", lease.path.to_str().unwrap()]);
    assert!(text(&error["message"]).contains("is worktree `fern` already"), "{error:#}");
    let error = refused(&repo, 65, &["adopt", path.to_str().unwrap(), "--name", "fern"]);
    assert!(text(&error["message"]).contains("`fern` is there already"), "{error:#}");
    assert_same(&facts, &admin(&repo, "hotfix"));
    adopt(&repo, &path, &[]);
    let error = refused(&repo, 65, &["adopt", path.to_str().unwrap()]);
    assert_eq!(error["details"]["worktree"], "hotfix");
    assert_same(&before, &everything(&lease.path));
    assert_same(&made, &everything(&path));
    // The name of a directory that is no name of ours, or taken, is no obstacle.
    for directory in ["Feature X", "deeper/fern"] {
        let path = repo.root().join(directory);
        repo.git(["worktree", "add", "-q", "--detach", path.to_str().unwrap()]);
        let name = text(&adopt(&repo, &path, &[])["worktree"]["name"]);
        assert_eq!(text(&record(&repo, &name)["path"]), path.to_str().unwrap());
    }
}

#[test]
fn h60_a_worktree_of_ours_whose_record_is_lost_is_not_taken_for_somebody_elses() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(repo.git_dir().join(format!("windrow/state.db{suffix}")));
    }
    let error = refused(&repo, 65, &["adopt", lease.path.to_str().unwrap()]);
    assert!(text(&error["message"]).contains("on no record"), "{error:#}");
    windrow(&repo, &["reconcile"]);
    assert_eq!(state(&repo, "fern"), "kept");
}

#[test]
fn h33_a_try_that_was_killed_after_its_marks_is_gone_on_with() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    let before = everything(&path);
    let marks = repo.git_dir().join("worktrees/hotfix");
    fs::write(marks.join("windrow-adopted"), "\n").unwrap();
    fs::write(marks.join("windrow-id"), "0199f0a1b2c374d58e6f708192a3b4c5\n").unwrap();
    nudge(&repo);
    assert_same(&before, &everything(&path));
    let document = adopt(&repo, &path, &[]);
    assert_eq!(text(&document["worktree"]["id"]).replace('-', ""), "0199f0a1b2c374d58e6f708192a3b4c5");
    windrow(&repo, &["release", "hotfix"]);
    assert_eq!(rescues(&repo, "hotfix").len(), 1);
}

#[test]
fn h33_killed_at_any_rename_it_is_adopted_or_as_it_was() {
    let calls = "rename,renameat,renameat2";
    for nth in 1..=4 {
        let repo = repository();
        let path = by_hand(&repo, "hotfix");
        let (before, facts) = (everything(&path), admin(&repo, "hotfix"));
        let line = repo.windrow(["adopt", path.to_str().unwrap()]);
        let Some(line) = windrow_testkit::inject(line, calls, windrow_testkit::Fault::Kill, nth) else {
            return;
        };
        line.run();
        nudge(&repo);
        assert_same(&before, &everything(&path));
        assert_same(&facts, &admin(&repo, "hotfix"));
        if state(&repo, "hotfix") == "gone" {
            adopt(&repo, &path, &[]);
        }
        windrow(&repo, &["release", "hotfix"]);
        let back = restore(&repo, "hotfix");
        assert_eq!(fs::read(back.path.join(".env")).unwrap(), b"secret");
    }
}

#[test]
fn h14_what_its_release_could_not_save_is_told_at_once() {
    let repo = repository();
    let path = by_hand(&repo, "hotfix");
    let inner = path.join("inner");
    let other = repo.root().join("other");
    repo.git(["init", "-q", other.to_str().unwrap()]);
    repo.git_in(&other, ["commit", "-q", "--allow-empty", "-m", "x"]);
    repo.git_in(&other, ["worktree", "add", "-q", inner.to_str().unwrap()]);
    let document = adopt(&repo, &path, &[]);
    let notice = text(&document["notices"][0]);
    assert!(notice.contains("quarantined") && notice.contains("inner"), "{notice}");
}

#[test]
fn h09_a_prune_while_its_registration_is_hidden_takes_nothing() {
    let mut seen_hidden = false;
    for nth in 1..=3 {
        let repo = repository();
        let path = by_hand(&repo, "hotfix");
        let (before, told) = (files(&path), status(&repo, &path));
        adopt(&repo, &path, &[]);
        let line = repo.windrow(["release", "hotfix"]);
        let Some(line) = windrow_testkit::inject(line, "renameat2", windrow_testkit::Fault::Kill, nth) else {
            return;
        };
        line.run();
        let registration = repo.git_dir().join("worktrees/hotfix");
        let hidden = registration.exists() && !registration.join("gitdir").exists();
        seen_hidden |= hidden;
        repo.git(["worktree", "prune", "--expire=now"]);
        assert_eq!(registration.exists(), hidden || path.exists());
        nudge(&repo);
        assert_eq!(state(&repo, "hotfix"), "gone");
        let back = restore(&repo, "hotfix");
        assert_same(&before, &back.files());
        assert_eq!(told, status(&repo, &back.path));
    }
    assert!(seen_hidden, "no kill struck while it was hidden");
}
