//! H05: the files of a worktree that leaves stand aside while they are looked at; whatever happens meanwhile, nothing is lost.
//!
//! A git on PATH acts at that moment: it is asked where the branch is while the files are looked at.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use windrow_testkit::{Invocation, TestRepo, assert_same};

use crate::{
    counted::{count, traced},
    pool::{
        Lease, acquire, expire, pool_root, put, registered, rescues, restore, state, text,
        wait_for_empty_trash, windrow,
    },
};

/// What git is asked while the files stand aside.
const WHERE_HEAD_IS: &str = "for-each-ref *refs/heads/windrow/fern";
/// And what it does then to the branch of a worktree that is as it was.
const PACKING: &str = "pack-refs ";
/// What it is asked first of all.
const BEFORE: &str = "rev-parse ";

/// PATH with a git that does something when a pattern stands in what it is asked.
fn path_with(repo: &TestRepo, pattern: &str, action: &str) -> OsString {
    let path = repo.surroundings().environment()["PATH".as_ref() as &std::ffi::OsStr].clone();
    let git = std::env::split_paths(&path).map(|dir| dir.join("git")).find(|git| git.is_file()).unwrap();
    let bin = repo.root().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let pattern = pattern.replace(' ', "' '");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *{pattern}*) {action} ;; esac\nexec '{}' \"$@\"\n", git.display());
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

/// Runs `action` only while files stand aside.
fn while_aside(repo: &TestRepo, action: &str) -> String {
    format!("for aside in '{}'/.leaving-*; do if [ -d \"$aside\" ]; then {action}; fi; done", shown(repo))
}

fn shown(repo: &TestRepo) -> String {
    pool_root(repo).display().to_string()
}

fn aside(repo: &TestRepo) -> Vec<PathBuf> {
    let entries = fs::read_dir(pool_root(repo)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().as_encoded_bytes().starts_with(b".leaving-")).collect()
}

fn repository() -> TestRepo {
    let repo = crate::pool::repository();
    repo.write("src/a.txt", "a");
    repo.write(".gitignore", ".env\n");
    repo.commit("Files");
    repo
}

/// Unsaved work of every kind.
fn worked(repo: &TestRepo) -> Lease {
    let lease = acquire(repo, &["--name", "fern"]);
    lease.write("src/a.txt", "changed");
    lease.write("new.txt", "untracked");
    lease.write(".env", "ignored");
    lease
}

fn release(repo: &TestRepo, pattern: &str, action: &str) -> Invocation {
    repo.windrow(["release", "fern", "--json"]).env("PATH", path_with(repo, pattern, action))
}

#[track_caller]
fn assert_saved(repo: &TestRepo, lease: &Lease, before: &windrow_testkit::TreeSnapshot) {
    assert!(!lease.path.exists());
    assert_eq!(aside(repo), Vec::<PathBuf>::new());
    assert_same(before, &restore(repo, "fern").files());
    wait_for_empty_trash(&pool_root(repo).join(".trash"));
}

#[test]
fn h05_what_is_written_until_the_files_step_aside_is_saved() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    let action = format!("echo late > '{}'; echo late > '{0}.new'", lease.path.join("src/a.txt").display());
    release(&repo, BEFORE, &action).run().assert_success();
    assert!(!lease.path.exists());
    let back = restore(&repo, "fern");
    for name in ["src/a.txt", "src/a.txt.new"] {
        assert_eq!(fs::read(back.path.join(name)).unwrap(), b"late\n", "{name}");
    }
}

/// Whether the files of `fern` stood aside in one of the moments in which `command` asks git where HEAD is.
fn stood_aside(repo: &TestRepo, command: &[&str]) -> bool {
    let seen = repo.root().join("seen");
    let action = while_aside(repo, &format!("touch '{}'", seen.display()));
    repo.windrow(command).env("PATH", path_with(repo, WHERE_HEAD_IS, &action)).run().assert_success();
    seen.exists()
}

#[test]
fn h05_the_files_stand_aside_for_whoever_waits_for_a_release() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    assert!(stood_aside(&repo, &["release", "fern"]));
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h05_an_abandoned_worktree_leaves_its_path_only_when_everything_is_saved() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    expire(&repo, &[&lease]);
    assert!(!stood_aside(&repo, &["reconcile"]), "whoever watches the path sees nothing saved");
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h05_a_release_that_is_killed_while_the_files_stand_aside_loses_nothing() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    release(&repo, WHERE_HEAD_IS, &while_aside(&repo, "kill -9 $PPID")).run().assert_code(137);
    assert!(!lease.path.exists() && aside(&repo).len() == 1, "it was killed at another moment");
    crate::pool::nudge(&repo);
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h05_a_killed_release_that_is_asked_for_again_loses_nothing() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    release(&repo, WHERE_HEAD_IS, &while_aside(&repo, "kill -9 $PPID")).run().assert_code(137);
    assert_eq!(aside(&repo).len(), 1);
    windrow(&repo, &["release", "fern"]);
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h05_reconcile_puts_files_back_that_stand_aside() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    release(&repo, WHERE_HEAD_IS, &while_aside(&repo, "kill -9 $PPID")).run().assert_code(137);
    windrow(&repo, &["reconcile"]);
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h05_files_whose_place_is_taken_while_they_stand_aside_are_kept() {
    let repo = repository();
    let lease = worked(&repo);
    let before = lease.files();
    let take = format!("mkdir -p '{0}' && echo other > '{0}/other'", lease.path.display());
    let outcome = release(&repo, WHERE_HEAD_IS, &while_aside(&repo, &take)).run().assert_code(1).json();
    let fate = &outcome["released"]["fate"];
    assert_eq!(fate["kind"], "quarantined", "{outcome:#}");
    assert!(text(&fate["doubt"]).contains("something else took its place"), "{fate:#}");
    assert_eq!(fs::read(lease.path.join("other")).unwrap(), b"other\n");
    fs::remove_dir_all(&lease.path).unwrap();
    windrow(&repo, &["reconcile"]);
    assert_eq!(rescues(&repo, "fern"), [""; 0]);
    windrow(&repo, &["release", "fern"]);
    assert_saved(&repo, &lease, &before);
}

#[test]
fn h11_a_commit_made_while_the_files_stand_aside_is_kept() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    let admin = repo.git_dir().join("worktrees/fern");
    let commit = format!(
        "(unset GIT_DIR GIT_COMMON_DIR; git --git-dir='{}' --work-tree=\"$aside\" \
         -c user.name=x -c user.email=x commit -q --allow-empty -m Late)",
        admin.display()
    );
    let outcome = release(&repo, PACKING, &while_aside(&repo, &commit)).run().assert_code(1).json();
    let fate = &outcome["released"]["fate"];
    assert_eq!(fate["kind"], "quarantined", "{outcome:#}");
    assert!(text(&fate["doubt"]).contains("somebody wrote into it"), "{fate:#}");
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert!(registered(&repo).contains(&lease.path.to_str().unwrap().to_owned()));
    assert_eq!(repo.git_in(&lease.path, ["log", "-1", "--format=%s"]).trim(), "Late");
    windrow(&repo, &["release", "fern"]);
    assert_eq!(repo.git(["log", "-1", "--format=%s", &lease.branch]).trim(), "Late");
}

#[test]
fn h12_an_index_that_lies_about_its_trees_hides_nothing() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("src/a.txt", "b");
    let index = repo.git_dir().join("worktrees/fern/index");
    let committed = repo.git(["rev-parse", "HEAD^{tree}"]);
    repo.git_in(&lease.path, ["add", "src/a.txt"]);
    // What is staged now, under the names of the trees that were committed.
    repo.git_in(&lease.path, ["write-tree"]);
    let staged = repo.git_in(&lease.path, ["write-tree"]);
    let (staged, committed) = (bytes(&staged), bytes(&committed));
    let mut content = fs::read(&index).unwrap();
    let at = content.windows(20).rposition(|bytes| bytes == staged).expect("the index names its tree");
    content[at..at + 20].copy_from_slice(&committed);
    // Git itself takes an index without a checksum.
    let end = content.len() - 20;
    content[end..].fill(0);
    fs::write(&index, content).unwrap();
    windrow(&repo, &["release", "fern"]);
    assert_eq!(fs::read(restore(&repo, "fern").path.join("src/a.txt")).unwrap(), b"b");
}

fn bytes(oid: &str) -> Vec<u8> {
    let digits = oid.trim().as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_worktree_in_which_nothing_is_unsaved_is_looked_at_once() {
    let repo = repository();
    for number in 0..200 {
        put(&repo.path().join(format!("many/dir-{}/file-{number}", number % 7)), number.to_string());
    }
    repo.commit("Many");
    acquire(&repo, &["--name", "fern"]);
    let Some(log) = traced(&repo, "statx,newfstatat,fstatat64", repo.windrow(["release", "fern"])) else {
        return;
    };
    // The guard looks at those of the main checkout by their whole path.
    assert_eq!(count(&log, |call| call.contains(", \"file-")), 200, "{log}");
}

#[test]
fn files_that_somebody_locked_with_git_stay_in_their_place() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    repo.git(["worktree", "unlock", path(&lease.path)]);
    let say = format!("ls -d '{}'/.leaving-* > '{}' 2>&1", shown(&repo), repo.root().join("seen").display());
    release(&repo, WHERE_HEAD_IS, &say).run().assert_success();
    let seen = fs::read_to_string(repo.root().join("seen")).unwrap();
    assert!(seen.contains("No such file"), "a prune would have taken it for gone: {seen}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
