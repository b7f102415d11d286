//! Removal goes through no symbolic link.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use windrow_testkit::{RepoFingerprint, TestRepo, TreeSnapshot, assert_same, poll_until};

use crate::pool::{
    Lease, SOON, acquire, everything, left_in_place, nudge, outlast, pool_root, put, repository, restore,
    state, wait_for_empty_trash, windrow,
};

/// A directory that is nobody's business.
fn outside(repo: &TestRepo) -> (PathBuf, TreeSnapshot) {
    let path = repo.root().join("outside");
    put(&path.join("deep/precious"), "precious");
    put(&path.join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    let before = everything(&path);
    (path, before)
}

#[test]
fn h07_links_in_a_worktree_are_removed_and_never_followed() {
    let repo = repository();
    repo.write("Cargo.toml", "[package]\n");
    repo.commit("Be a package");
    let (outside, before) = outside(&repo);
    let main = RepoFingerprint::of(&repo);
    let lease = acquire(&repo, &[]);
    // `target` beside `Cargo.toml` is a build's output and may be dropped; this one is a link.
    for (link, target) in [
        ("target", outside.clone()),
        ("deep/linked", outside.join("deep")),
        ("src-link", repo.path().join("src")),
        ("upwards", PathBuf::from("..")),
        ("dangling", PathBuf::from("nowhere")),
    ] {
        fs::create_dir_all(lease.path.join("deep")).unwrap();
        symlink(target, lease.path.join(link)).unwrap();
    }
    lease.write("build.log", "ignored");
    fs::remove_dir_all(lease.path.join("src")).unwrap();
    symlink(repo.path().join("src"), lease.path.join("src")).unwrap();
    let files = lease.files();
    windrow(&repo, &["release", &lease.name]);
    assert_eq!(state(&repo, &lease.name), "gone");
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    assert_same(&before, &everything(&outside));
    main.assert_unchanged(&repo);
    assert_same(&files, &restore(&repo, &lease.name).files());
}

/// Moves the whole pool away and puts a link to `other` in its place.
fn swap_pool_for_link(repo: &TestRepo, other: &Path) -> PathBuf {
    let moved = repo.root().join("moved");
    fs::rename(pool_root(repo), &moved).unwrap();
    symlink(other, pool_root(repo)).unwrap();
    moved
}

#[test]
fn h07_a_pool_that_became_a_link_leads_nowhere() {
    let repo = repository();
    let (outside, _) = outside(&repo);
    let leases = ["released", "expired"].map(|name| acquire(&repo, &["--name", name]));
    for lease in &leases {
        lease.write("work", "precious");
        put(&outside.join(&lease.name).join("file"), "of somebody else");
        fs::copy(lease.path.join(".git"), outside.join(&lease.name).join(".git")).unwrap();
    }
    windrow(&repo, &["renew", "expired", "--ttl", "1s"]);
    let before = (everything(&outside), everything(&pool_root(&repo)));
    let moved = swap_pool_for_link(&repo, &outside);
    left_in_place(&repo, &["release", "released", "--discard"]);
    outlast(1);
    repo.windrow(["acquire", "--detach"]).run();
    for lease in &leases {
        assert_eq!(state(&repo, &lease.name), "quarantined");
    }
    assert_same(&before.0, &everything(&outside));
    assert_same(&before.1, &everything(&moved));
}

#[test]
fn h07_a_trash_that_is_a_link_is_not_used() {
    let repo = repository();
    let (outside, _) = outside(&repo);
    // Named as an entry of the trash, so that only the link itself can tell that it is none.
    let name = format!("windrow-quiet-fern-{}", "0123456789abcdef".repeat(2));
    put(&outside.join(name).join("file"), "precious");
    let before = everything(&outside);
    let lease = acquire(&repo, &[]);
    lease.write("work", "mine");
    let files = lease.files();
    let trash = pool_root(&repo).join(".trash");
    drop(fs::remove_dir(&trash));
    symlink(&outside, &trash).unwrap();
    left_in_place(&repo, &["release", &lease.name]);
    nudge_with(&repo);
    assert_eq!(state(&repo, &lease.name), "quarantined");
    assert_same(&before, &everything(&outside));
    assert_same(&files, &lease.files());
    // Once the link is gone everything takes its course.
    fs::remove_file(&trash).unwrap();
    windrow(&repo, &["release", &lease.name]);
    assert_saved(&repo, &lease, &files);
    assert_same(&before, &everything(&outside));
}

/// Looks after the pool without leaving a quarantined worktree of its own.
fn nudge_with(repo: &TestRepo) {
    repo.windrow(["acquire", "--detach", "--no-carry", "--key", "nudge"]).run();
}

#[track_caller]
fn assert_saved(repo: &TestRepo, lease: &Lease, files: &TreeSnapshot) {
    assert_eq!(state(repo, &lease.name), "gone");
    assert_same(files, &restore(repo, &lease.name).files());
}

#[test]
fn h07_a_link_among_the_trash_is_unlinked_alone() {
    let repo = repository();
    let (outside, before) = outside(&repo);
    nudge(&repo);
    let entry = format!("windrow-quiet-fern-{}", "0123456789abcdef".repeat(2));
    let entry = pool_root(&repo).join(".trash").join(entry);
    symlink(&outside, &entry).unwrap();
    nudge(&repo);
    poll_until(SOON, "the link's end", || entry.symlink_metadata().is_err());
    assert_same(&before, &everything(&outside));
}
