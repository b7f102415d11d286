//! Registering worktrees.

use std::{fs, path::PathBuf, sync::Mutex};

use super::support::*;
use crate::git::*;

#[test]
fn git_accepts_what_we_make() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let worktree = fixture.worktree("one");
        assert_eq!(fixture.git_in(&worktree.root, &["status", "--porcelain"]), "", "{kind:?}");
        assert_eq!(fixture.git_in(&worktree.root, &["symbolic-ref", "HEAD"]), "refs/heads/windrow/one\n");
        fixture.git_in(&worktree.root, &["fsck", "--strict"]);
        fixture.git_in(&worktree.root, &["rev-parse", "--show-toplevel"]);
        write(&worktree.root, "new", "x");
        fixture.git_in(&worktree.root, &["add", "new"]);
        fixture.git_in(&worktree.root, &["commit", "-qm", "more"]);
        assert_ne!(fixture.git_in(&worktree.root, &["rev-parse", "HEAD@{0}"]), "");
        let listed = worktree.repo.worktrees(&fixture.git).unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[1].admin.as_deref(), Some(worktree.admin.as_path()));
        assert_eq!(listed[1].locked, Some("windrow: test".into()));
        assert_eq!(listed[1].head, WorktreeHead::Branch("refs/heads/windrow/one".into()));
    }
}

#[test]
fn a_detached_head_is_read_by_git_and_by_us() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let (root, repo) = (fixture.base().join("d"), fixture.repo());
        let request = fixture.request("d", &root, AdminHead::Detached);
        let admin = prepare(&fixture.git, &repo, &request).unwrap().publish().unwrap();
        let expected = Head { oid: Some(request.commit), branch: None };
        assert_eq!(repo.head(&fixture.git, &admin).unwrap(), expected);
        let listed = repo.worktrees(&fixture.git).unwrap();
        assert_eq!(
            (&listed[1].head, listed[1].oid),
            (&WorktreeHead::Detached, Some(request.commit)),
            "{kind:?}"
        );
    }
}

#[test]
fn a_taken_name_gets_the_unique_part_and_what_is_dropped_leaves_nothing() {
    let fixture = Fixture::new();
    let (repo, root) = (fixture.repo(), fixture.base().join("w"));
    let mut request = fixture.request("w", &root, AdminHead::Detached);
    let publish = |request: &AdminRequest<'_>| prepare(&fixture.git, &repo, request).unwrap().publish();
    assert!(publish(&request).unwrap().ends_with("worktrees/w"));
    request.unique = "u1";
    assert!(publish(&request).unwrap().ends_with("worktrees/w-u1"));
    assert!(matches!(publish(&request), Err(AdminError::Taken(_))));
    prepare(&fixture.git, &repo, &request).unwrap().discard();
    assert_eq!(fs::read_dir(repo.windrow_dir()).unwrap().count(), 0);
}

#[test]
fn h09_a_prune_keeps_a_worktree_whose_files_are_not_there() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    fs::remove_dir_all(&worktree.root).unwrap();
    fixture.git_in(&fixture.root, &["worktree", "prune", "--expire=now"]);
    assert!(worktree.admin.join("HEAD").exists());
}

#[test]
fn facts_are_read_raw_and_never_through_symlinks() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let facts = admin_facts(&worktree.admin).unwrap();
    assert_eq!(facts.gitdir, Some(worktree.root.join(".git")));
    assert_eq!(facts.commondir, Some(PathBuf::from("../..")));
    assert_eq!(facts.identity_token, Some("token".into()));
    assert_eq!(facts.head, Some("ref: refs/heads/windrow/one".into()));
    assert_eq!(facts.config_worktree, None);
    assert_eq!(dot_git_of(&worktree.root).unwrap(), Some(worktree.admin.clone()));
    assert!(write_dot_git(&worktree.root, &worktree.admin).is_err());

    fs::remove_file(worktree.root.join(".git")).unwrap();
    assert_eq!(dot_git_of(&worktree.root).unwrap(), None);
    std::os::unix::fs::symlink("/etc/hostname", worktree.root.join(".git")).unwrap();
    assert!(dot_git_of(&worktree.root).is_err());
    assert!(write_dot_git(&worktree.root, &worktree.admin).is_err());
    assert!(dot_git_of(&fixture.root).is_err(), "a directory names nothing");
    fs::remove_file(worktree.admin.join("locked")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", worktree.admin.join("locked")).unwrap();
    assert!(admin_facts(&worktree.admin).is_err());
}

#[test]
fn retiring_takes_it_out_of_gits_sight() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let to = worktree.repo.windrow_dir().join("gone-1");
    retire_admin(&worktree.admin, &to).unwrap();
    assert_eq!(worktree.repo.worktrees(&fixture.git).unwrap().len(), 1);
    assert!(to.join("HEAD").exists() && !worktree.repo.common_dir.join("worktrees").exists());
    assert!(retire_admin(&worktree.admin, &to).is_err());
}

#[test]
fn h22_sixteen_threads_create_while_others_list_and_nothing_fails() {
    for kind in [KINDS[0], KINDS[1]] {
        let fixture = Fixture::of(kind);
        let (repo, lock, done) = (fixture.repo(), Mutex::new(()), std::sync::atomic::AtomicBool::new(false));
        let commit = fixture.oid("HEAD");
        let create = |number: usize| {
            let (name, root) = (format!("w{number}"), fixture.base().join(format!("w{number}")));
            let branch: windrow_model::BranchName = format!("windrow/{name}").parse().unwrap();
            let mut request = fixture.request(&name, &root, AdminHead::Branch(&branch));
            request.commit = commit;
            let prepared = prepare(&fixture.git, &repo, &request).unwrap();
            let guard = lock.lock().unwrap();
            let change = RefChange { name: branch.full(), new: Some(commit), old: Expect::Absent };
            update_refs(&fixture.git, &repo, &[change], "test").unwrap();
            let admin = prepared.publish().unwrap();
            drop(guard);
            fs::create_dir(&root).unwrap();
            write_dot_git(&root, &admin).unwrap();
        };
        std::thread::scope(|scope| {
            let lister = scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    repo.worktrees(&fixture.git).unwrap();
                }
            });
            let makers: Vec<_> = (0..16).map(|number| scope.spawn(move || create(number))).collect();
            let results: Vec<_> = makers.into_iter().map(|maker| maker.join()).collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            lister.join().unwrap();
            assert!(results.into_iter().all(|result| result.is_ok()));
        });
        assert_eq!(repo.worktrees(&fixture.git).unwrap().len(), 17);
    }
}

#[test]
fn h29_a_branch_in_use_is_found_even_while_it_is_rebased() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let in_use = || worktree.repo.branch_in_use(&fixture.git, &worktree.branch).unwrap();
    assert_eq!(in_use(), Some(worktree.root.clone()));
    write(&worktree.root, "a.txt", "ours\n");
    fixture.git_in(&worktree.root, &["commit", "-qam", "ours"]);
    fixture.write("a.txt", "theirs\n");
    fixture.commit("theirs");
    assert!(fixture.user_call(&worktree.root, &["rebase", "main"]).run().is_err());
    assert_eq!(worktree.repo.worktrees(&fixture.git).unwrap()[1].head, WorktreeHead::Detached);
    assert_eq!(in_use(), Some(worktree.root.clone()));
    assert_eq!(worktree.repo.branch_in_use(&fixture.git, &"free".parse().unwrap()).unwrap(), None);
}

#[test]
fn h34_what_a_crash_left_is_swept_by_age_and_nothing_else() {
    let fixture = Fixture::new();
    let home = fixture.repo().windrow_dir();
    for name in ["new-1", "tmp-2", "locks", "land"] {
        fs::create_dir_all(home.join(name)).unwrap();
    }
    let (past, future) = (
        std::time::SystemTime::UNIX_EPOCH,
        std::time::SystemTime::now() + std::time::Duration::from_secs(60),
    );
    assert_eq!(sweep_leftovers(&fixture.repo(), past).unwrap(), 0);
    assert_eq!(sweep_leftovers(&fixture.repo(), future).unwrap(), 2);
    assert!(home.join("locks").exists() && home.join("land").exists());
}

#[test]
fn h59_a_worktree_path_with_a_newline_and_bytes_that_are_no_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::new();
    let root = fixture.base().join(std::ffi::OsStr::from_bytes(b"odd\n\xfe tree"));
    fs::create_dir(&root).unwrap();
    let repo = fixture.repo();
    let request = fixture.request("odd", &root, AdminHead::Detached);
    let admin = prepare(&fixture.git, &repo, &request).unwrap().publish().unwrap();
    write_dot_git(&root, &admin).unwrap();
    checkout_by_git(&fixture.git, &repo, &admin, &root, &request.commit).unwrap();
    verify_checkout(&fixture.git, &repo, &admin, &root, &request.commit).unwrap();
    assert_eq!(fixture.git_in(&root, &["status", "--porcelain"]), "");
    assert_eq!(discover(&fixture.git, &root, 0).unwrap().current_worktree, Some(root.clone()));
    let listed = &repo.worktrees(&fixture.git).unwrap()[1];
    assert_eq!((&listed.path, listed.admin.as_ref()), (&root, Some(&admin)));
}

#[test]
fn a_branch_that_is_rebased_in_a_worktree_git_cannot_list_is_in_use() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    fs::remove_file(worktree.admin.join("gitdir")).unwrap();
    fs::remove_file(worktree.admin.join("HEAD")).unwrap();
    write(&worktree.admin, "rebase-merge/head-name", "refs/heads/windrow/one\n");
    let found = worktree.repo.branch_in_use(&fixture.git, &worktree.branch).unwrap();
    assert_eq!(found, Some(worktree.admin));
}
