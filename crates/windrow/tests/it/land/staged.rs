//! `--no-commit`: the result lies staged in the target's checkout, and nothing else changes.

use std::fs;

use super::*;
use crate::repo;

const WORK: &str = "echo new > new.txt; echo more >> README.md; git rm -q bin/tool; ln -sfn elsewhere link";

/// A user with open work of every kind but staged, and work that can be landed beside it.
fn scene() -> TestRepo {
    let repo = repo();
    agent(&repo, "fern", WORK);
    repo.write("mine.txt", "1");
    repo.commit("The user's file");
    repo.write("mine.txt", "2");
    repo.write("untracked", "mine");
    repo.write(".env", "SECRET");
    repo
}

fn users(repo: &TestRepo) -> [Vec<u8>; 3] {
    ["mine.txt", "untracked", ".env"].map(|path| repo.read(path))
}

#[test]
fn a_merge_lies_staged_and_becomes_a_merge_commit() {
    let repo = scene();
    let (before, users_before) = (repo.oid("main"), users(&repo));
    let merged = repo.git(["merge-tree", "--write-tree", "main", "windrow/fern"]);
    let landed = land(&repo, &["fern", "--no-commit"]);
    assert_eq!((landed["fate"].as_str(), landed["files"].as_u64()), (Some("staged"), Some(4)));
    assert_eq!((landed["before"].as_str(), landed["after"].as_str()), (Some(&*before), Some(&*before)));
    assert_eq!((repo.oid("main"), repo.git(["write-tree"])), (before, merged.clone()));
    assert_eq!(
        repo.git(["status", "--porcelain"]),
        "M  README.md\nD  bin/tool\nM  link\n M mine.txt\nA  new.txt\n?? untracked"
    );
    assert_eq!(users(&repo), users_before);
    nothing_left(&repo);
    let busy = refused(&repo, 75, &["fern"]);
    assert_eq!(busy["code"], "BUSY", "{busy}");
    repo.git(["commit", "-q", "--no-edit"]);
    assert_eq!((repo.oid("main^2"), repo.oid("main^{tree}")), (repo.oid("windrow/fern"), merged));
    assert_eq!(repo.git(["log", "-1", "--format=%s"]), "Merge branch 'windrow/fern'");
    assert_eq!(land(&repo, &["fern"])["fate"], "already_there");
}

#[test]
fn a_squash_lies_staged_with_its_message_or_is_undone_by_the_user() {
    let repo = scene();
    let words = ["fern", "--no-commit", "--squash", "--message", "Words of mine"];
    assert_eq!(land(&repo, &words)["fate"], "staged");
    repo.git(["reset", "-q", "--merge"]);
    assert_eq!(repo.git(["status", "--porcelain"]), " M mine.txt\n?? untracked");
    assert_eq!(land(&repo, &words)["fate"], "staged");
    repo.git(["commit", "-q", "--no-edit"]);
    assert_eq!(
        repo.git(["log", "-1", "--format=%B%P"]).trim(),
        format!("Words of mine\n{}", repo.oid("main^"))
    );
    assert_eq!(repo.git(["diff", "--stat", "main", "windrow/fern", "--", ":!mine.txt"]), "");
}

#[test]
fn what_is_staged_or_in_the_way_or_not_checked_out_refuses_it() {
    let repo = scene();
    repo.git(["branch", "release"]);
    repo.write("staged", "staged");
    repo.git(["add", "staged"]);
    let before = Everything::of(&repo);
    assert_eq!(in_the_way(&refused(&repo, 65, &["fern", "--no-commit"]))["staged"], "staged");
    before.assert_same(&repo, "something is staged");
    repo.git(["reset", "-q"]);
    repo.write("new.txt", "mine");
    let before = Everything::of(&repo);
    assert_eq!(in_the_way(&refused(&repo, 65, &["fern", "--no-commit"]))["new.txt"], "untracked");
    before.assert_same(&repo, "something is in the way");
    for words in [["--onto", "release"], ["--strategy", "rebase"], ["--strategy", "ff"]] {
        let words = [&["fern", "--no-commit"], words.as_slice()].concat();
        assert_eq!(refused(&repo, 2, &words)["code"], "USAGE", "{words:?}");
    }
    before.assert_same(&repo, "misuse");
    fs::remove_file(repo.path().join("new.txt")).unwrap();
    assert_eq!(land(&repo, &["fern", "--no-commit"])["fate"], "staged");
}

#[cfg(target_os = "linux")]
#[test]
fn h47_a_kill_anywhere_leaves_all_of_it_staged_or_nothing() {
    let old = |repo: &TestRepo| Everything::of(repo);
    super::killed::everywhere(&scene, &old, &|repo| repo.windrow(["land", "fern", "--no-commit"]), &|repo| {
        assert_eq!(repo.git(["diff", "--name-only"]), "mine.txt");
        assert_eq!(repo.read(".git/MERGE_HEAD"), format!("{}\n", repo.oid("windrow/fern")).into_bytes());
        assert_eq!(
            repo.git(["write-tree"]),
            repo.git(["merge-tree", "--write-tree", "main", "windrow/fern"])
        );
    });
}
