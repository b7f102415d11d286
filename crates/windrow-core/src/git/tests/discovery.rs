//! Finding repositories in odd places.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use super::support::*;
use crate::git::*;

#[test]
fn finds_the_repository_from_its_root_from_below_and_through_a_symlink() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let alias = fixture.base().join("alias");
        std::os::unix::fs::symlink(&fixture.root, &alias).unwrap();
        for start in [fixture.root.clone(), fixture.root.join("dir/sub"), alias.join("dir")] {
            let repo = discover(&fixture.git, &start, 0).unwrap();
            assert_eq!(repo.common_dir, fixture.root.join(".git"));
            assert_eq!(repo.git_dir, repo.common_dir);
            assert_eq!(repo.main_worktree.as_deref(), Some(fixture.root.as_path()));
            assert_eq!(repo.current_worktree.as_deref(), Some(fixture.root.as_path()));
            assert_eq!(repo.object_format == ObjectFormat::Sha256, kind.hash == "sha256");
            assert_eq!(repo.ref_format == RefFormat::Reftable, kind.refs == "reftable");
        }
    }
}

#[test]
fn a_linked_worktree_has_its_own_git_dir_and_the_same_common_dir() {
    let fixture = Fixture::new();
    let linked = fixture.base().join("linked");
    fixture.git_in(&fixture.root, &["worktree", "add", "-q", "../linked"]);
    let repo = discover(&fixture.git, &linked.join("dir"), 0).unwrap();
    assert_eq!(repo.common_dir, fixture.root.join(".git"));
    assert_eq!(repo.git_dir, fixture.root.join(".git/worktrees/linked"));
    assert_eq!(repo.main_worktree.as_deref(), Some(fixture.root.as_path()));
    assert_eq!(repo.current_worktree.as_deref(), Some(linked.as_path()));
    assert!(repo.is_linked());
}

#[test]
fn h59_bare_unborn_and_separate_git_dirs() {
    let fixture = Fixture::empty(KINDS[0]);
    let unborn = fixture.repo();
    assert_eq!(unborn.current_head(&fixture.git).unwrap(), Head { oid: None, branch: "main".parse().ok() });
    assert!(matches!(unborn.resolve_commit(&fixture.git, "HEAD"), Err(ResolveError::Unknown(_))));

    let base = fixture.base();
    fixture.git_in(&base, &["init", "-q", "--bare", "bare.git"]);
    let bare = discover(&fixture.git, &base.join("bare.git"), 0).unwrap();
    assert_eq!((bare.main_worktree, bare.current_worktree), (None, None));

    fixture.git_in(&base, &["init", "-q", "--separate-git-dir", "apart", "tree"]);
    let apart = discover(&fixture.git, &base.join("tree"), 0).unwrap();
    assert_eq!(apart.common_dir, base.join("apart"));
    assert_eq!(apart.main_worktree, Some(base.join("tree")));
    assert_eq!(apart.current_worktree, Some(base.join("tree")));
}

#[test]
fn h59_paths_with_newlines_and_bytes_that_are_no_utf8() {
    let fixture = Fixture::empty(KINDS[0]);
    let odd = fixture.base().join(OsStr::from_bytes(b"odd\n\xff dir\n"));
    fs::create_dir(&odd).unwrap();
    fixture.git_in(&odd, &["init", "-q", "-b", "main"]);
    fixture.git_in(&odd, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let repo = discover(&fixture.git, &odd, 0).unwrap();
    assert_eq!(repo.main_worktree.as_deref(), Some(odd.as_path()));
    assert_eq!(repo.worktrees(&fixture.git).unwrap()[0].path, odd);
}

#[test]
fn h59_a_submodule_is_a_repository_of_its_own() {
    let fixture = Fixture::new();
    let other = Fixture::new();
    let url = other.root.to_str().unwrap();
    fixture.git_in(&fixture.root, &["submodule", "--quiet", "add", url, "mod"]);
    let repo = discover(&fixture.git, &fixture.root.join("mod/dir"), 0).unwrap();
    assert_eq!(repo.common_dir, fixture.root.join(".git/modules/mod"));
    assert_eq!(repo.main_worktree, Some(fixture.root.join("mod")));
    assert_eq!(repo.current_worktree, Some(fixture.root.join("mod")));
}

#[test]
fn h59_shallow_partial_and_sparse_are_told() {
    let fixture = Fixture::new();
    fixture.commit("second");
    fixture.git_in(&fixture.root, &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", fixture.root.display());
    let base = fixture.base();
    fixture.git_in(&base, &["clone", "-q", "--depth", "1", &url, "shallow"]);
    fixture.git_in(&base, &["clone", "-q", "--filter=blob:none", &url, "partial"]);
    let find = |name: &str| discover(&fixture.git, &base.join(name), 0).unwrap();
    assert!(find("shallow").is_shallow() && !find("shallow").is_partial_clone());
    assert!(find("partial").is_partial_clone() && !find("partial").is_shallow());
    assert!(fixture.repo().sparse().is_none());
    fixture.git_in(&fixture.root, &["sparse-checkout", "set", "--cone", "dir/sub"]);
    assert!(fixture.repo().sparse().is_some_and(|sparse| sparse.cone && !sparse.shared));
}

#[test]
fn h28_an_inherited_git_dir_plays_no_part() {
    let fixture = Fixture::new();
    let other = Fixture::new();
    let mut env = plain_env();
    env.push(("GIT_DIR".into(), other.root.join(".git").into()));
    env.push(("GIT_INDEX_FILE".into(), other.root.join(".git/index").into()));
    env.push(("GIT_CONFIG_COUNT".into(), "1".into()));
    env.push(("GIT_CONFIG_KEY_0".into(), "core.bare".into()));
    env.push(("GIT_CONFIG_VALUE_0".into(), "true".into()));
    let git = Git::new("git".into(), env);
    assert_eq!(discover(&git, &fixture.root, 0).unwrap().common_dir, fixture.root.join(".git"));
}

#[test]
fn looks_below_only_as_deep_as_told_and_refuses_to_choose() {
    let fixture = Fixture::new();
    let base = fixture.base();
    let deep = |depth| discover(&fixture.git, &base, depth);
    assert!(matches!(deep(0), Err(DiscoverError::NotARepository { .. })));
    assert_eq!(deep(1).unwrap().common_dir, fixture.root.join(".git"));
    // Another worktree of the same repository is no second repository.
    fixture.git_in(&fixture.root, &["worktree", "add", "-q", "../linked"]);
    assert!(deep(1).is_ok());
    fs::create_dir(base.join("stale")).unwrap();
    fs::write(base.join("stale/.git"), "gitdir: /nonexistent/x\n").unwrap();
    assert!(deep(1).is_ok());
    fs::create_dir(base.join("sub")).unwrap();
    fixture.git_in(&base, &["init", "-q", "sub/second"]);
    assert!(deep(1).is_ok());
    assert!(matches!(deep(2), Err(DiscoverError::Several { found, .. }) if found.len() == 2));
}

#[test]
fn tells_files_missing_places_and_broken_repositories_apart() {
    let fixture = Fixture::new();
    let find = |name: &str| discover(&fixture.git, &fixture.base().join(name), 0);
    assert!(matches!(find("repo/a.txt"), Err(DiscoverError::NotADirectory { .. })));
    assert!(matches!(find("nowhere"), Err(DiscoverError::NotADirectory { .. })));
    fs::create_dir(fixture.base().join("broken")).unwrap();
    fs::write(fixture.base().join("broken/.git"), "gitdir: /nonexistent/x\n").unwrap();
    assert!(matches!(find("broken"), Err(DiscoverError::Broken { .. })));
}

#[test]
fn a_repository_of_another_owner_is_unsafe() {
    let fixture = Fixture::new();
    if std::os::unix::fs::chown(&fixture.root, Some(12345), None).is_err() {
        eprintln!("SKIPPED: a_repository_of_another_owner_is_unsafe needs root");
        return;
    }
    std::os::unix::fs::chown(fixture.root.join(".git"), Some(12345), None).unwrap();
    assert!(matches!(discover(&fixture.git, &fixture.root, 0), Err(DiscoverError::Unsafe { .. })));
}

#[test]
fn h56_an_edited_commondir_does_not_lead_to_another_repository() {
    let fixture = Fixture::new();
    let other = Fixture::new();
    let worktree = fixture.worktree("one");
    fs::write(worktree.admin.join("commondir"), format!("{}/.git\n", other.root.display())).unwrap();
    assert!(matches!(discover(&fixture.git, &worktree.root, 0), Err(DiscoverError::Broken { .. })));
}

#[test]
fn h56_a_borrowed_git_dir_does_not_lead_to_another_repository() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let worktree = fixture.worktree("one");
    let dot_git = worktree.root.join(".git");
    let theirs = other.root.join(".git");
    fs::write(&dot_git, format!("gitdir: {}\n", theirs.display())).unwrap();
    let refused = discover(&fixture.git, &worktree.root.join("dir"), 0);
    assert!(matches!(refused, Err(DiscoverError::Broken { .. })), "{refused:?}");
    fs::remove_file(&dot_git).unwrap();
    std::os::unix::fs::symlink(&theirs, &dot_git).unwrap();
    let refused = discover(&fixture.git, &worktree.root, 0);
    assert!(matches!(refused, Err(DiscoverError::Broken { .. })), "{refused:?}");
    assert_eq!(discover(&fixture.git, &theirs.join("refs"), 0).unwrap().common_dir, theirs);
}

#[test]
fn resolves_bases_and_names_their_branch() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let first = fixture.oid("HEAD");
        fixture.git_in(&fixture.root, &["tag", "-a", "-m", "t", "v1"]);
        fixture.git_in(&fixture.root, &["branch", "topic"]);
        fixture.git_in(&fixture.root, &["update-ref", "refs/remotes/origin/topic", "HEAD"]);
        fixture.git_in(&fixture.root, &["update-ref", "refs/remotes/origin/far", "HEAD"]);
        let repo = fixture.repo();
        let branch =
            |base: &str| repo.resolve_commit(&fixture.git, base).unwrap().branch.map(|name| name.to_string());
        assert_eq!(branch("HEAD").as_deref(), Some("main"));
        assert_eq!(branch("topic").as_deref(), Some("topic"));
        assert_eq!(branch("origin/topic").as_deref(), Some("topic"));
        assert_eq!(branch("origin/far"), None);
        assert_eq!(branch("v1"), None);
        assert_eq!(branch(&first.to_string()), None);
        assert_eq!(repo.resolve_commit(&fixture.git, "v1").unwrap().oid, first);
    }
}

#[test]
fn refuses_bases_that_name_nothing_no_commit_or_two_things() {
    let fixture = Fixture::new();
    fixture.git_in(&fixture.root, &["branch", "twice"]);
    fixture.git_in(&fixture.root, &["tag", "twice"]);
    let repo = fixture.repo();
    let resolve = |base: &str| repo.resolve_commit(&fixture.git, base);
    for unknown in ["nope", "", "--all", "-h", "a\nb", "main..main", "HEAD~9"] {
        assert!(
            matches!(resolve(unknown), Err(ResolveError::Unknown(_))),
            "{unknown}: {:?}",
            resolve(unknown)
        );
    }
    assert!(matches!(resolve("HEAD:a.txt"), Err(ResolveError::NotACommit(_))));
    assert!(matches!(resolve("twice"), Err(ResolveError::Ambiguous(_))), "{:?}", resolve("twice"));
}

#[test]
fn h59_worktrees_of_bare_and_partial_repositories_live_a_whole_life() {
    let fixture = Fixture::new();
    fixture.git_in(&fixture.root, &["config", "uploadpack.allowFilter", "true"]);
    let (base, url) = (fixture.base(), format!("file://{}", fixture.root.display()));
    fixture.git_in(&base, &["clone", "-q", "--bare", &url, "bare.git"]);
    fixture.git_in(&base, &["clone", "-q", "--bare", "--filter=blob:none", &url, "partial.git"]);
    for name in ["bare.git", "partial.git"] {
        let repo = discover(&fixture.git, &base.join(name), 0).unwrap();
        let objects = Objects::open(&repo);
        let entries = objects.tree_entries(&fixture.oid("HEAD")).unwrap();
        let why = needs_git(&fixture.git, &repo, &objects, &entries).unwrap();
        assert_eq!(why, repo.is_partial_clone().then_some(WhyGit::PartialClone));
        let root = base.join(format!("{name}-tree"));
        fs::create_dir(&root).unwrap();
        let request = fixture.request("one", &root, AdminHead::Detached);
        let admin = prepare(&fixture.git, &repo, &request).unwrap().publish().unwrap();
        write_dot_git(&root, &admin).unwrap();
        checkout_by_git(&fixture.git, &repo, &admin, &root, &request.commit).unwrap();
        verify_checkout(&fixture.git, &repo, &admin, &root, &request.commit).unwrap();
        fs::write(root.join("new"), "x").unwrap();
        let request = SnapshotRequest {
            admin: &admin,
            worktree: &root,
            exclude: &[],
            message: "m",
            extra_parents: &[],
            files: SnapshotFiles::There,
        };
        let saved = snapshot(&fixture.git, &repo, &request).unwrap();
        assert_ne!(Some(saved.tree), saved.head_tree);
        assert_eq!(repo.worktrees(&fixture.git).unwrap()[0].head, WorktreeHead::Bare);
    }
}
