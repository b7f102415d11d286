//! The target's commits come into a worktree: wholly or not at all, and what its agent has open there stays.

use std::{fs, path::PathBuf};

use super::*;
use crate::repo;

/// A worktree that somebody holds, with a commit of its own if the script says so.
#[track_caller]
fn held(repo: &TestRepo, name: &str, script: &str) -> PathBuf {
    let path: PathBuf = repo.windrow(["acquire", "--name", name]).run().assert_success().text().into();
    if !script.is_empty() {
        repo.command("sh", &path).args(["-ec", script]).run().assert_success();
        repo.git_in(&path, ["add", "--all"]);
        repo.git_in(&path, ["commit", "-q", "-m", &format!("By {name}")]);
    }
    path
}

#[track_caller]
fn sync(repo: &TestRepo, arguments: &[&str]) -> Value {
    let document = repo.windrow(["sync", "--json"]).args(arguments).run().assert_success().json();
    assert_valid("sync", &document);
    document["sync"].clone()
}

#[track_caller]
fn not_synced(repo: &TestRepo, code: i32, arguments: &[&str]) -> Value {
    let document = repo.windrow(["sync", "--json"]).args(arguments).run().assert_code(code).json();
    assert_valid("error", &document);
    document["error"].clone()
}

/// Everything of a worktree: its files and its index byte for byte, its branch, and all other refs.
fn everything(repo: &TestRepo, at: &Path) -> (TreeSnapshot, Vec<u8>, String) {
    let admin = PathBuf::from(repo.git_in(at, ["rev-parse", "--absolute-git-dir"]));
    let files = TreeSnapshot::of(at, &Include::without_git());
    (files, fs::read(admin.join("index")).unwrap(), repo.git(["for-each-ref"]))
}

#[track_caller]
fn same(before: &(TreeSnapshot, Vec<u8>, String), after: &(TreeSnapshot, Vec<u8>, String), what: &str) {
    let differences = before.0.differences(&after.0);
    assert!(differences.is_empty(), "{what}: {differences:#?}");
    assert!(before.1 == after.1, "{what}: the index is another one");
    assert_eq!(before.2, after.2, "{what}");
}

#[test]
fn a_worktree_without_commits_follows_its_target_and_still_counts_as_empty() {
    let repo = repo();
    let path = held(&repo, "fern", "");
    repo.write("new.txt", "new");
    let tip = repo.commit("Meanwhile");
    let synced = sync(&repo, &["fern"]);
    assert_eq!((&synced["after"], &synced["commits"]), (&tip.clone().into(), &1.into()));
    assert_eq!(fs::read(path.join("new.txt")).unwrap(), b"new");
    clean(&repo, &path);
    nothing_left(&repo);
    let again = sync(&repo, &["fern"]);
    assert_eq!(
        (&again["before"], &again["after"], &again["commits"]),
        (&tip.clone().into(), &tip.into(), &0.into())
    );
    let released = repo.windrow(["release", "fern", "--json"]).run().assert_success().json();
    assert_eq!(released["released"]["work"]["commits"], 0);
    assert!(repo.git(["for-each-ref", "refs/heads/windrow/fern"]).is_empty());
}

#[test]
fn both_sides_come_together_by_a_merge_or_on_top() {
    let repo = repo();
    let merged = held(&repo, "fern", "echo fern > fern.txt");
    let rebased = held(&repo, "moss", "echo moss > moss.txt");
    let own = repo.oid("windrow/moss");
    repo.write("new.txt", "new");
    let tip = repo.commit("Meanwhile");
    let before = repo.oid("windrow/fern");
    let synced = sync(&repo, &["fern"]);
    assert_eq!((&synced["manner"], &synced["before"]), (&"merge".into(), &before.clone().into()));
    assert_eq!((repo.oid("windrow/fern^1"), repo.oid("windrow/fern^2")), (before, tip.clone()));
    let synced = sync(&repo, &["moss", "--rebase"]);
    assert_eq!((&synced["manner"], repo.oid("windrow/moss^")), (&"rebase".into(), tip));
    let author = |oid: &str| repo.git(["log", "-1", "--format=%an %ae %ad %s", oid]);
    assert_eq!(author("windrow/moss"), author(&own));
    for (path, name) in [(&merged, "fern.txt"), (&rebased, "moss.txt")] {
        assert_eq!(fs::read(path.join("new.txt")).unwrap(), b"new");
        assert!(path.join(name).exists());
        clean(&repo, path);
    }
    nothing_left(&repo);
    // What counts as the worktree's own work is what its agent did.
    let released = repo.windrow(["release", "fern", "--json"]).run().assert_success().json();
    assert_eq!(released["released"]["work"]["files"], 1, "{released}");
    land(&repo, &["moss", "--strategy", "ff"]);
}

#[test]
fn what_is_open_in_the_worktree_stays_and_what_is_in_the_way_stops_it() {
    let repo = repo();
    repo.write("staged", "before");
    repo.write("changed", "before");
    repo.commit("Before");
    let path = held(&repo, "fern", "echo fern > fern.txt");
    fs::write(path.join("staged"), "staged").unwrap();
    repo.git_in(&path, ["add", "staged"]);
    fs::write(path.join("changed"), "changed").unwrap();
    fs::write(path.join("untracked"), "untracked").unwrap();
    fs::write(path.join("ignored.log"), "ignored").unwrap();
    let status = || repo.git_in(&path, ["status", "--porcelain", "--ignored"]);
    let told = status();
    repo.write("new.txt", "new");
    repo.commit("Meanwhile");
    sync(&repo, &["fern"]);
    assert_eq!((status(), fs::read(path.join("new.txt")).unwrap()), (told, b"new".to_vec()));
    for (name, content) in [("changed", "changed"), ("untracked", "untracked"), ("ignored.log", "ignored")] {
        assert_eq!(fs::read_to_string(path.join(name)).unwrap(), content);
    }
    // Each of them in the way: nothing changes, and all are told.
    for name in ["staged", "changed", "untracked", "ignored.log"] {
        repo.write(name, "theirs");
    }
    repo.git(["add", "--force", "--all"]);
    repo.commit("In the way");
    let before = everything(&repo, &path);
    for manner in [&["fern"][..], &["fern", "--rebase"]] {
        let error = not_synced(&repo, 65, manner);
        assert_eq!(error["code"], "BLOCKED");
        let expected = [
            ("changed", "changed"),
            ("ignored.log", "untracked"),
            ("staged", "staged"),
            ("untracked", "untracked"),
        ];
        let expected = expected.map(|(path, kind)| (path.to_owned(), kind.to_owned()));
        assert_eq!(in_the_way(&error), BTreeMap::from(expected));
        same(&before, &everything(&repo, &path), "something in the way");
    }
    nothing_left(&repo);
}

#[test]
fn h49_a_conflict_leaves_the_worktree_as_it_was() {
    let repo = repo();
    let path = held(&repo, "fern", "echo fern > same.txt");
    fs::write(path.join("open"), "open").unwrap();
    repo.write("same.txt", "mine\n");
    repo.commit("Meanwhile");
    let before = everything(&repo, &path);
    for manner in [&["fern"][..], &["fern", "--rebase"]] {
        let error = not_synced(&repo, 65, manner);
        assert_eq!(
            (&error["code"], &error["details"]["conflict"]["files"][0]["path"]),
            (&"CONFLICT".into(), &"same.txt".into())
        );
        same(&before, &everything(&repo, &path), "a conflict");
    }
    let human = repo.windrow(["sync", "fern"]).run().assert_code(65);
    assert!(human.stderr_text().contains("windrow exec fern -- git merge main"), "{human}");
    nothing_left(&repo);
}

#[test]
fn what_is_in_the_middle_of_something_or_on_no_branch_is_left_alone() {
    let repo = repo();
    let path = held(&repo, "fern", "echo fern > same.txt");
    repo.write("same.txt", "mine\n");
    repo.commit("Meanwhile");
    repo.command("git", &path).args(["merge", "main"]).run().assert_code(1);
    let before = everything(&repo, &path);
    assert_eq!(not_synced(&repo, 75, &["fern"])["code"], "BUSY");
    same(&before, &everything(&repo, &path), "a merge in progress");
    repo.git_in(&path, ["merge", "--abort"]);
    repo.git_in(&path, ["checkout", "-q", "--detach"]);
    assert_eq!(not_synced(&repo, 65, &["fern"])["code"], "CONFLICT");
    assert_eq!(not_synced(&repo, 1, &["moss"])["code"], "NOT_FOUND");
}

#[test]
fn work_that_was_squashed_goes_on_without_a_conflict_with_itself() {
    for manner in [&["fern"][..], &["fern", "--rebase"]] {
        let repo = repo();
        let path = held(&repo, "fern", "echo one > fern.txt");
        fs::write(path.join("fern.txt"), "two\n").unwrap();
        repo.git_in(&path, ["commit", "-qam", "Two"]);
        land(&repo, &["fern", "--squash"]);
        fs::write(path.join("fern.txt"), "three\n").unwrap();
        repo.git_in(&path, ["commit", "-qam", "Three"]);
        repo.write("new.txt", "new");
        repo.commit("Meanwhile");
        sync(&repo, manner);
        assert_eq!(fs::read(path.join("fern.txt")).unwrap(), b"three\n");
        assert_eq!(fs::read(path.join("new.txt")).unwrap(), b"new");
        clean(&repo, &path);
    }
}
