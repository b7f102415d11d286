//! Whether work is in another branch, on every kind of repository.

use std::os::unix::fs::PermissionsExt;

use super::support::*;
use crate::git::*;

/// What a branch made at `base` and a target have to do with each other.
fn containment(fixture: &Fixture, target: &str, branch: &str) -> Containment {
    let repo = fixture.repo();
    let comparison = Comparison::open(&fixture.git, &repo).unwrap();
    let (target, branch) = (fixture.oid(target), fixture.oid(branch));
    assert!(!comparison.reaches(&target, &branch).unwrap());
    assert!(comparison.reaches(&branch, &branch).unwrap());
    comparison.contains(&target, &branch).unwrap()
}

fn git(fixture: &Fixture, args: &[&str]) {
    fixture.git_in(&fixture.root, args);
}

/// Commits these texts of a file on a branch from `main`, then goes back to it.
fn branch(fixture: &Fixture, name: &str, file: &str, texts: &[&str]) {
    git(fixture, &["checkout", "-q", "-b", name, "main"]);
    for text in texts {
        fixture.write(file, text);
        fixture.commit(name);
    }
    git(fixture, &["checkout", "-q", "main"]);
}

#[test]
fn h21_squashed_work_is_told_from_what_only_looks_like_it() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        branch(&fixture, "squashed", "new.txt", &["1\n", "2\n"]);
        branch(&fixture, "half", "half.txt", &["1\n", "2\n"]);
        fixture.write("new.txt", "2\n");
        fixture.write("half.txt", "1\n");
        fixture.commit("squashed");
        let before = fixture.git_in(&fixture.root, &["count-objects", "-v"]);
        assert_eq!(containment(&fixture, "main", "squashed"), Containment::NothingToAdd, "{kind:?}");
        assert_eq!(containment(&fixture, "main", "half"), Containment::Out, "{kind:?}");
        assert_eq!(before, fixture.git_in(&fixture.root, &["count-objects", "-v"]));
        git(&fixture, &["revert", "--no-edit", "HEAD"]);
        assert_eq!(containment(&fixture, "main", "squashed"), Containment::Out, "{kind:?}");
    }
}

#[test]
fn h21_only_the_very_same_changes_are_the_same() {
    let fixture = Fixture::new();
    fixture.write("text", "if x:\n    y\nz\n");
    fixture.write("binary", "\0one");
    fixture.commit("start");
    branch(&fixture, "same", "text", &["if x:\n    same\nz\n"]);
    branch(&fixture, "blanks", "text", &["if x:\n    y\n    z\n"]);
    branch(&fixture, "binary-change", "binary", &["\0two"]);
    fixture.write("text", "if x:\n    same\nz\n");
    fixture.commit("The same change");
    fixture.write("text", "if x:\n    something else\nz\n");
    fixture.commit("Goes on");
    fixture.write("text", "if x:\n    something else\n z\n");
    fixture.write("binary", "\0three");
    fixture.commit("The same but for blanks, and another binary change");
    assert_eq!(containment(&fixture, "main", "same"), Containment::SameChanges);
    assert_eq!(containment(&fixture, "main", "blanks"), Containment::Out);
    assert_eq!(containment(&fixture, "main", "binary-change"), Containment::Out);
}

#[test]
fn h21_merges_modes_and_unrelated_histories_are_no_proof() {
    let fixture = Fixture::new();
    branch(&fixture, "merging", "new.txt", &["1\n"]);
    branch(&fixture, "side", "side.txt", &["1\n"]);
    git(&fixture, &["checkout", "-q", "merging"]);
    git(&fixture, &["merge", "-q", "--no-edit", "side"]);
    git(&fixture, &["checkout", "-q", "--orphan", "unrelated"]);
    fixture.commit("unrelated");
    git(&fixture, &["checkout", "-q", "-f", "main"]);
    git(&fixture, &["checkout", "-q", "-b", "mode"]);
    std::fs::set_permissions(fixture.root.join("a.txt"), std::fs::Permissions::from_mode(0o755)).unwrap();
    fixture.commit("mode");
    git(&fixture, &["checkout", "-q", "main"]);
    fixture.write("new.txt", "other\n");
    fixture.write("side.txt", "other\n");
    fixture.commit("other");
    for name in ["merging", "unrelated", "mode"] {
        assert_eq!(containment(&fixture, "main", name), Containment::Out, "{name}");
    }
}

#[test]
fn what_is_missing_is_an_error_and_the_upstream_is_read() {
    let fixture = Fixture::new();
    let repo = fixture.repo();
    let comparison = Comparison::open(&fixture.git, &repo).unwrap();
    let head = fixture.oid("HEAD");
    assert!(comparison.reaches(&head, &head.null_like()).is_err());
    assert!(comparison.contains(&head, &head.null_like()).is_err());
    assert_eq!(upstream_of(&fixture.git, &repo, "refs/heads/main").unwrap(), None);
    git(&fixture, &["config", "branch.main.remote", "origin"]);
    git(&fixture, &["config", "branch.main.merge", "refs/heads/trunk"]);
    git(&fixture, &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    let upstream = upstream_of(&fixture.git, &repo, "refs/heads/main").unwrap();
    assert_eq!(upstream.as_deref(), Some("refs/remotes/origin/trunk"));
}
