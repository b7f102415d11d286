//! `--prepare`: a conflict is left in progress in the worktree that it came from, as plain git would leave it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::repo;

/// A worktree whose work is in conflict with its target in several ways, and an ignored file of the agent's.
fn scene_of(repo: &TestRepo) -> PathBuf {
    for path in ["f", "gone", "kept", "moved"] {
        repo.write(path, (1..9).map(|line| format!("{line} of {path}\n")).collect::<String>());
    }
    repo.commit("Before");
    let path = PathBuf::from(repo.windrow(["acquire", "--name", "fern"]).run().assert_success().text());
    let script = "set -e; sed -i 2s/of/by-the-agent/ f gone; git mv moved there; echo new > new; git add .
git commit -qm Work; echo SECRET > .env";
    repo.command("sh", &path).args(["-c", script]).run().assert_success();
    let script =
        "set -e; sed -i 2s/of/by-the-user/ f; sed -i 5s/of/by-the-user/ moved; git rm -q gone bin/tool
echo theirs > theirs; git add .; git commit -qm Mine";
    repo.command("sh", repo.path()).args(["-c", script]).run().assert_success();
    path
}

fn scene() -> TestRepo {
    let repo = repo();
    scene_of(&repo);
    repo
}

fn worktree_of(repo: &TestRepo) -> PathBuf {
    repo.windrow(["path", "fern"]).run().assert_success().text().into()
}

fn files(path: &Path) -> TreeSnapshot {
    TreeSnapshot::of(path, &Include::without_git())
}

fn git_dir(repo: &TestRepo, path: &Path) -> PathBuf {
    repo.git_in(path, ["rev-parse", "--absolute-git-dir"]).into()
}

#[test]
fn the_merge_is_in_progress_as_git_would_leave_it() {
    let repo = repo();
    let path = scene_of(&repo);
    let plain = repo.root().join("plain");
    repo.git(["worktree", "add", "-q", "--detach", plain.to_str().unwrap(), "windrow/fern"]);
    assert_eq!(repo.git_invocation(&plain).args(["merge", "main"]).run().code, 1);
    let before = Everything::of(&repo);
    let error = refused(&repo, 65, &["fern", "--prepare"]);
    before.assert_same(&repo, "the user's side");
    assert_eq!(
        (error["code"].as_str(), error["details"]["conflict"]["prepared"].as_str()),
        (Some("CONFLICT"), path.to_str())
    );
    for question in [["ls-files", "-s"].as_slice(), &["status", "--porcelain"], &["diff", "--name-only"]] {
        assert_eq!(repo.git_in(&path, question), repo.git_in(&plain, question), "{question:?}");
    }
    let marked = fs::read_to_string(path.join("f")).unwrap();
    assert!(marked.contains("<<<<<<< ") && marked.contains("by-the-user") && marked.contains("by-the-agent"));
    assert_eq!(fs::read(path.join("there")).unwrap(), fs::read(plain.join("there")).unwrap());
    assert_eq!(fs::read_to_string(path.join(".env")).unwrap(), "SECRET\n");
    assert_eq!(repo.git_in(&path, ["rev-parse", "MERGE_HEAD"]), repo.oid("main"));
    // Until it is resolved nothing lands.
    let error = refused(&repo, 65, &["fern"]);
    assert_eq!(error["code"], "BLOCKED", "{error}");
    fs::write(path.join("f"), "both\n").unwrap();
    repo.git_in(&path, ["rm", "-q", "gone"]);
    repo.git_in(&path, ["add", "f"]);
    repo.git_in(&path, ["commit", "-q", "--no-edit"]);
    assert_eq!(repo.git_in(&path, ["log", "-1", "--format=%s"]), "Merge branch 'main' into windrow/fern");
    assert_eq!(land(&repo, &["fern"])["fate"], "landed");
    assert_eq!(repo.read("f"), b"both\n");
    clean(&repo, repo.path());
    nothing_left(&repo);
}

#[test]
fn git_takes_it_back() {
    let repo = repo();
    let path = scene_of(&repo);
    let before = files(&path);
    refused(&repo, 65, &["fern", "--prepare"]);
    assert_ne!(before, files(&path));
    repo.git_in(&path, ["merge", "--abort"]);
    assert_eq!(before, files(&path));
    assert_eq!(repo.git_in(&path, ["status", "--porcelain"]), "");
    let page = repo.windrow(["land", "fern"]).run().assert_code(65).stderr_text();
    assert!(page.contains("Two ways on") && page.contains("windrow land fern --prepare"), "{page}");
}

#[test]
fn what_is_in_the_way_in_the_worktree_stays() {
    let repo = repo();
    let path = scene_of(&repo);
    repo.write("late.log", "theirs");
    repo.git(["add", "--force", "late.log"]);
    repo.commit("An ignored file");
    fs::write(path.join("late.log"), "the agent's").unwrap();
    let (user, agent) = (Everything::of(&repo), files(&path));
    let index = fs::read(git_dir(&repo, &path).join("index")).unwrap();
    let error = refused(&repo, 65, &["fern", "--prepare"]);
    assert_eq!(in_the_way(&error)["late.log"], "untracked");
    user.assert_same(&repo, "the user's side");
    assert_eq!(agent, files(&path));
    assert!(fs::read(git_dir(&repo, &path).join("index")).unwrap() == index);
    assert!(!git_dir(&repo, &path).join("MERGE_HEAD").exists());
    assert!(!git_dir(&repo, &path).join("index.lock").exists());
}

#[test]
fn there_has_to_be_a_worktree() {
    let repo = repo();
    agent(&repo, "moss", "echo theirs > README.md");
    repo.write("README.md", "mine");
    repo.commit("Mine");
    let before = Everything::of(&repo);
    assert_eq!(refused(&repo, 2, &["moss", "--prepare"])["code"], "USAGE");
    before.assert_same(&repo, "no worktree");
}

#[test]
fn what_was_squashed_and_merged_since_is_squashed_again() {
    let repo = repo();
    repo.write("f", "1\n2\n3\n");
    repo.commit("Before");
    let path = PathBuf::from(repo.windrow(["acquire", "--name", "fern"]).run().assert_success().text());
    fs::write(path.join("f"), "1\nfirst\n3\n").unwrap();
    repo.commit_in(&path, "First");
    land(&repo, &["fern", "--squash"]);
    repo.write("f", "1\nuser\n3\n");
    repo.commit("Mine");
    fs::write(path.join("f"), "1\nsecond\n3\n").unwrap();
    repo.commit_in(&path, "Second");
    refused(&repo, 65, &["fern", "--squash", "--prepare"]);
    fs::write(path.join("f"), "1\nboth\n3\n").unwrap();
    repo.commit_in(&path, "Resolved");
    assert_eq!(land(&repo, &["fern", "--squash"])["fate"], "landed");
    assert_eq!(repo.read("f"), b"1\nboth\n3\n");
}

#[cfg(target_os = "linux")]
#[test]
fn h47_a_kill_anywhere_leaves_the_merge_in_progress_or_nothing() {
    let state = |repo: &TestRepo| {
        let path = worktree_of(repo);
        let index = repo.git_in(&path, ["ls-files", "-s"]);
        (Everything::of(repo), files(&path), index, git_dir(repo, &path).join("MERGE_HEAD").exists())
    };
    super::killed::everywhere(&scene, &state, &|repo| repo.windrow(["land", "fern", "--prepare"]), &|repo| {
        let path = worktree_of(repo);
        assert_eq!(repo.git_in(&path, ["rev-parse", "MERGE_HEAD"]), repo.oid("main"));
        let status = repo.git_in(&path, ["status", "--porcelain"]);
        assert_eq!(status, "D  bin/tool\nUU f\nUD gone\nA  theirs\nM  there");
        assert!(!git_dir(repo, &path).join("index.lock").exists());
    });
}
