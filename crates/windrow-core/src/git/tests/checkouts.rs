//! Checkouts by git, the decision for them, and the proof afterwards.

use std::{fs, path::PathBuf};

use windrow_model::Oid;

use super::support::*;
use crate::git::*;

/// Registers a worktree and lets git fill it.
fn by_git(fixture: &Fixture, name: &str) -> (Repository, PathBuf, PathBuf, Oid) {
    let (repo, root) = (fixture.repo(), fixture.base().join(name));
    fs::create_dir(&root).unwrap();
    let sparse = repo.sparse();
    let mut request = fixture.request(name, &root, AdminHead::Detached);
    request.sparse = sparse.as_ref();
    let admin = prepare(&fixture.git, &repo, &request).unwrap().publish().unwrap();
    write_dot_git(&root, &admin).unwrap();
    checkout_by_git(&fixture.git, &repo, &admin, &root, &request.commit).unwrap();
    let commit = request.commit;
    (repo, admin, root, commit)
}

fn why(fixture: &Fixture) -> Option<WhyGit> {
    let (repo, commit) = (fixture.repo(), fixture.oid("HEAD"));
    let objects = Objects::open(&repo);
    needs_git(&fixture.git, &repo, &objects, &objects.tree_entries(&commit).unwrap()).unwrap()
}

#[test]
fn git_fills_a_worktree_and_filters_run() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        fixture.git_in(&fixture.root, &["config", "filter.up.smudge", "tr a-z A-Z"]);
        fixture.git_in(&fixture.root, &["config", "filter.up.clean", "tr A-Z a-z"]);
        fixture.write("dir/.gitattributes", "*.txt filter=up\n");
        fixture.commit("filtered");
        assert_eq!(why(&fixture), Some(WhyGit::Filter("up".into())));
        let (repo, admin, root, commit) = by_git(&fixture, "one");
        assert_eq!(fs::read(root.join("dir/b.txt")).unwrap(), b"B\n");
        verify_checkout(&fixture.git, &repo, &admin, &root, &commit).unwrap();
        assert_eq!(fixture.git_in(&root, &["status", "--porcelain"]), "");
    }
}

#[test]
fn a_sparse_checkout_is_taken_over() {
    let fixture = Fixture::new();
    fixture.git_in(&fixture.root, &["sparse-checkout", "set", "--cone", "dir/sub"]);
    assert_eq!(why(&fixture), Some(WhyGit::Sparse));
    let (repo, admin, root, commit) = by_git(&fixture, "one");
    assert!(root.join("a.txt").exists() && root.join("dir/sub/c.sh").exists());
    fixture.git_in(&fixture.root, &["sparse-checkout", "set", "--cone", "none"]);
    assert!(fixture.git_in(&root, &["status", "--porcelain"]).is_empty());
    verify_checkout(&fixture.git, &repo, &admin, &root, &commit).unwrap();
    assert!(fixture.git_in(&root, &["sparse-checkout", "list"]).contains("dir/sub"));
}

#[test]
fn verification_finds_every_difference() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let verify =
        || verify_checkout(&fixture.git, &worktree.repo, &worktree.admin, &worktree.root, &worktree.commit);
    verify().unwrap();
    write(&worktree.root, "stray", "x");
    assert!(matches!(verify(), Err(VerifyError::Dirty(paths)) if paths == ["stray"]));
    fs::remove_file(worktree.root.join("stray")).unwrap();
    write(&worktree.root, "a.txt", "b\n");
    assert!(matches!(verify(), Err(VerifyError::Dirty(paths)) if paths == ["a.txt"]));
    write(&worktree.root, "a.txt", "a\n");
    verify().unwrap();
    fs::remove_file(worktree.root.join("dir/b.txt")).unwrap();
    assert!(matches!(verify(), Err(VerifyError::Dirty(paths)) if paths == ["dir/b.txt"]));
    write(&worktree.root, "dir/b.txt", "b\n");
    fixture.git_in(&worktree.root, &["update-index", "--assume-unchanged", "a.txt"]);
    assert!(matches!(verify(), Err(VerifyError::Index { path, .. }) if path == "a.txt"));
    fixture.git_in(&worktree.root, &["update-index", "--no-assume-unchanged", "a.txt"]);
    fs::rename(worktree.root.join("dir"), fixture.base().join("moved")).unwrap();
    std::os::unix::fs::symlink(fixture.base().join("moved"), worktree.root.join("dir")).unwrap();
    assert!(matches!(verify(), Err(VerifyError::Dirty(paths)) if paths.contains(&"dir".into())));
    fs::remove_file(worktree.admin.join("index")).unwrap();
    assert!(matches!(verify(), Err(VerifyError::Index { found: 0, wanted: 5, .. })), "h36: an empty index");
}

#[test]
fn plain_repositories_need_no_git_and_odd_ones_do() {
    let fixture = Fixture::new();
    fixture.write(
        ".gitattributes",
        "# ident\n*.x filter=lfs -text\n*.c text diff=cpp\n*.sh eol=lf\nident -text\n",
    );
    fixture.commit("attributes");
    assert_eq!(why(&fixture), None, "a filter that is not configured does nothing");
    let with = |key: &str, value: &str| {
        fixture.git_in(&fixture.root, &["config", key, value]);
        let why = why(&fixture);
        fixture.git_in(&fixture.root, &["config", "--unset", key]);
        why
    };
    assert_eq!(with("filter.lfs.process", "git-lfs filter-process"), Some(WhyGit::Filter("lfs".into())));
    assert_eq!(with("core.autocrlf", "true"), Some(WhyGit::LineEndings));
    assert_eq!(with("core.autocrlf", "input"), None);
    assert_eq!(with("core.eol", "crlf"), Some(WhyGit::LineEndings));
    assert_eq!(with("core.symlinks", "false"), Some(WhyGit::NoSymlinks));
    assert_eq!(with("core.attributesFile", "~nobody/x"), Some(WhyGit::AttributesFile("~nobody/x".into())));
    let user = fixture.base().join("attributes");
    fs::write(&user, "* working-tree-encoding=UTF-16\n").unwrap();
    assert_eq!(with("core.attributesFile", user.to_str().unwrap()), Some(WhyGit::Encoding));
    fs::create_dir_all(fixture.root.join(".git/info")).unwrap();
    fs::write(fixture.root.join(".git/info/attributes"), "*.c ident\n").unwrap();
    assert_eq!(why(&fixture), Some(WhyGit::Ident));
    fs::write(fixture.root.join(".git/info/attributes"), "").unwrap();
    fixture.write("dir/.gitattributes", "*.bat eol=crlf\n");
    fixture.commit("crlf");
    assert_eq!(why(&fixture), Some(WhyGit::LineEndings));
}

#[test]
fn untracked_and_ignored_paths_are_listed_with_directories_as_one() {
    let fixture = Fixture::new();
    for name in [".env", "target/debug/x", "target/y", "notes/a", "notes/b.log", "dir/new", "odd\nname"] {
        fixture.write(name, "x");
    }
    fixture.write(".gitignore", ".env\ntarget/\n*.log\n");
    fixture.git_in(&fixture.root, &["config", "status.showUntrackedFiles", "no"]);
    let index = fixture.root.join(".git/index");
    let found = untracked(&fixture.git, &fixture.repo(), &fixture.root, &index, &[]).unwrap();
    let shown: Vec<_> = found.iter().map(|one| (one.path.to_string(), one.directory, one.ignored)).collect();
    let expected = [
        (".env", false, true),
        (".gitignore", false, false),
        ("dir/new", false, false),
        ("notes", true, false),
        ("notes/b.log", false, true),
        ("odd\nname", false, false),
        ("target", true, true),
    ];
    assert_eq!(shown, expected.map(|(path, directory, ignored)| (path.to_owned(), directory, ignored)));
}
