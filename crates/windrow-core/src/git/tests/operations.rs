//! Operations in progress and commits that only a worktree remembers.

use std::fs;

use super::support::*;
use crate::git::*;

fn conflicting(fixture: &Fixture, worktree: &Worktree) {
    write(&worktree.root, "a.txt", "ours\n");
    fixture.git_in(&worktree.root, &["commit", "-qam", "ours"]);
    fixture.write("a.txt", "theirs\n");
    fixture.commit("theirs");
}

#[test]
fn h13_every_operation_in_progress_is_seen() {
    let cases: [(&[&str], Operation, &str); 5] = [
        (&["rebase", "main"], Operation::Rebase, "rebase-merge"),
        (&["rebase", "--apply", "main"], Operation::Rebase, "rebase-apply"),
        (&["merge", "main"], Operation::Merge, "MERGE_HEAD"),
        (&["cherry-pick", "main"], Operation::CherryPick, "CHERRY_PICK_HEAD"),
        (&["bisect", "start", "HEAD", "HEAD~1"], Operation::Bisect, "BISECT_LOG"),
    ];
    for (args, operation, file) in cases {
        let fixture = Fixture::new();
        let worktree = fixture.worktree("one");
        conflicting(&fixture, &worktree);
        assert_eq!(in_progress(&worktree.admin).unwrap(), InProgress::default());
        let _ = fixture.user_call(&worktree.root, args).output().unwrap();
        let found = in_progress(&worktree.admin).unwrap();
        assert_eq!(found.operations, [operation], "{args:?}");
        assert!(found.files.contains(&file), "{args:?}");
    }
}

#[test]
fn h11_detached_and_forgotten_commits_are_found_and_only_they() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let worktree = fixture.worktree("one");
        let orphans = || orphan_commits(&fixture.git, &worktree.repo, &worktree.admin, &[]).unwrap();
        let run = |args: &[&str]| fixture.git_in(&worktree.root, args);
        let commit = |message: &str| {
            run(&["commit", "-q", "--allow-empty", "-m", message]);
            run(&["rev-parse", "HEAD"]).trim().parse::<windrow_model::Oid>().unwrap()
        };
        assert_eq!(orphans(), [], "{kind:?}");
        commit("on the branch");
        assert_eq!(orphans(), [], "{kind:?}");
        run(&["checkout", "-q", "--detach"]);
        commit("below");
        let detached = commit("detached");
        assert_eq!(orphans(), [detached], "{kind:?}");
        run(&["checkout", "-q", "-"]);
        assert_eq!(orphans(), [detached], "by the reflog, {kind:?}");
        let dropped = commit("dropped");
        run(&["reset", "-q", "--hard", "HEAD~1"]);
        run(&["update-ref", "refs/worktree/mine", "HEAD"]);
        let mut expected = [detached, dropped];
        expected.sort();
        assert_eq!(orphans(), expected, "{kind:?}");
        run(&["update-ref", "refs/windrow/rescue/1", &detached.to_string()]);
        assert_eq!(orphans(), [dropped], "{kind:?}");
    }
}

#[test]
fn commits_of_a_rebase_are_found_without_a_reflog() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    conflicting(&fixture, &worktree);
    let ours = fixture.oid("windrow/one");
    let _ = fixture.user_call(&worktree.root, &["rebase", "main"]).output().unwrap();
    fixture.git_in(&fixture.root, &["update-ref", "-d", "refs/heads/windrow/one"]);
    fs::remove_dir_all(worktree.admin.join("logs")).unwrap();
    assert_eq!(orphan_commits(&fixture.git, &worktree.repo, &worktree.admin, &[]).unwrap(), [ours]);
}
