//! H05: somebody outside writes into a worktree after the last look at its files and before it leaves; nothing of it is lost.
//!
//! A git on PATH writes at that moment: the commits are counted when everything is saved already.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_testkit::{TestRepo, assert_same};

use crate::pool::{
    Lease, acquire, pool_root, registered, repository, restore, state, text, wait_for_empty_trash,
};

/// PATH with a git that does something before it counts commits.
fn path_with(repo: &TestRepo, action: &str) -> OsString {
    let path = repo.surroundings().environment()["PATH".as_ref() as &std::ffi::OsStr].clone();
    let git = std::env::split_paths(&path).map(|dir| dir.join("git")).find(|git| git.is_file()).unwrap();
    let bin = repo.root().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' rev-list --count '*) {action} ;; esac\nexec '{}' \"$@\"\n",
        git.display()
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

/// A worktree with a commit, so that there is something to count.
fn worked(repo: &TestRepo) -> Lease {
    let lease = acquire(repo, &["--name", "fern"]);
    lease.write("src/a.txt", "one");
    lease.write(".env", "secret");
    repo.commit_in(&lease.path, "Work");
    lease
}

/// Releases while `action` runs at the last moment; what became of it.
#[track_caller]
fn release_while(repo: &TestRepo, code: i32, action: &str) -> Value {
    let path = path_with(repo, action);
    repo.windrow(["release", "fern", "--json"]).env("PATH", path).run().assert_code(code).json()["released"]
        .take()
}

/// It stays with what was written, and a second release saves all of it.
#[track_caller]
fn assert_kept_and_saved(repo: &TestRepo, lease: &Lease, released: &Value) {
    assert_eq!(released["fate"]["kind"], "quarantined", "{released:#}");
    let doubt = text(&released["fate"]["doubt"]);
    assert!(doubt.contains("somebody wrote into it"), "{doubt}");
    assert_eq!(state(repo, "fern"), "quarantined");
    assert!(registered(repo).contains(&lease.path.to_str().unwrap().to_owned()));
    let before = lease.files();
    repo.windrow(["release", "fern"]).run().assert_success();
    assert!(!lease.path.exists());
    assert_same(&before, &restore(repo, "fern").files());
    wait_for_empty_trash(&pool_root(repo).join(".trash"));
}

fn inside(lease: &Lease, path: &str) -> PathBuf {
    lease.path.join(path)
}

fn echo(text: &str, path: &Path) -> String {
    format!("echo {text} > '{}'", path.display())
}

#[test]
fn h05_a_file_that_comes_at_the_last_moment_is_kept() {
    let repo = repository();
    let lease = worked(&repo);
    let late = inside(&lease, "late.txt");
    let released = release_while(&repo, 1, &echo("late", &late));
    assert_eq!(fs::read(&late).unwrap(), b"late\n");
    assert_kept_and_saved(&repo, &lease, &released);
}

#[test]
fn h05_an_edit_of_the_same_size_and_time_at_the_last_moment_is_kept() {
    let repo = repository();
    let lease = worked(&repo);
    let file = inside(&lease, "src/a.txt");
    let quoted = file.display();
    let edit = format!(
        "touch -r '{quoted}' '{quoted}.ref'; printf two > '{quoted}'; touch -r '{quoted}.ref' '{quoted}'; rm '{quoted}.ref'"
    );
    let released = release_while(&repo, 1, &edit);
    assert_eq!(fs::read(&file).unwrap(), b"two");
    assert_kept_and_saved(&repo, &lease, &released);
}

#[test]
fn h05_a_write_into_a_nested_repository_at_the_last_moment_is_kept() {
    let repo = repository();
    let lease = worked(&repo);
    let nested = inside(&lease, "vendor/lib");
    repo.git(["init", "-q", nested.to_str().unwrap()]);
    lease.write("vendor/lib/src/deep.txt", "deep");
    let late = nested.join("src/deep.txt");
    let released = release_while(&repo, 1, &echo("late", &late));
    assert_eq!(fs::read(&late).unwrap(), b"late\n");
    assert_kept_and_saved(&repo, &lease, &released);
}

#[test]
fn h11_a_commit_on_no_branch_at_the_last_moment_is_kept() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern", "--detach"]);
    repo.commit_in(&lease.path, "First");
    // Committing counts nothing, so the script does not call itself.
    let action = format!(
        "(unset GIT_DIR GIT_COMMON_DIR; git -C '{}' -c user.name=x -c user.email=x commit -q --allow-empty -m Late)",
        lease.path.display()
    );
    let released = release_while(&repo, 1, &action);
    assert_eq!(released["fate"]["kind"], "quarantined", "{released:#}");
    assert_eq!(repo.git_in(&lease.path, ["log", "-1", "--format=%s"]).trim(), "Late");
    repo.windrow(["release", "fern"]).run().assert_success();
    let back = restore(&repo, "fern");
    assert_eq!(repo.git_in(&back.path, ["log", "-1", "--format=%s"]).trim(), "Late");
}

#[test]
fn h05_what_is_discarded_by_name_goes_with_what_came_last() {
    let repo = repository();
    let lease = worked(&repo);
    let path = path_with(&repo, &echo("late", &inside(&lease, "late.txt")));
    repo.windrow(["release", "fern", "--discard"]).env("PATH", path).run().assert_success();
    assert!(!lease.path.exists());
}

#[test]
fn h05_a_build_output_that_grows_meanwhile_is_in_nobodys_way() {
    let repo = repository();
    let lease = worked(&repo);
    lease.write("Cargo.toml", "[package]");
    lease.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    let released = release_while(&repo, 0, &echo("late", &inside(&lease, "target/late.o")));
    assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
    assert!(!lease.path.exists());
}
