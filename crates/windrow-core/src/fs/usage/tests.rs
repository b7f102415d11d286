//! Tests of telling how much room a tree takes.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
};

use windrow_testkit::{FileSystem, Invocation, Surroundings, loop_fs, noise, root_only};

use super::*;
use crate::fs::testing::{chmod, mount_tmpfs, put, unprivileged, with_own_mounts};

const THREADS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

#[track_caller]
fn usage(path: &Path) -> Usage {
    usage_of(path, THREADS).unwrap()
}

/// What du(1) counts, in bytes.
#[track_caller]
fn du(path: &Path, more: &[&str]) -> u64 {
    let surroundings = Surroundings::new();
    let du = Invocation::new("du", surroundings.root(), &surroundings);
    let told =
        du.args(["-s", "-x", "-B1"]).args(more.iter().copied()).arg(path).run().assert_success().text();
    told.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn every_kind_of_thing_counts_as_du_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "a/b/c/file", noise(10_000, 1));
    put(root, "a/empty", "");
    put(root, "z/small", "x");
    symlink("a/b", root.join("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let found = usage(root);
    assert_eq!(found.apparent_bytes, 10_000 + 1 + 3);
    assert_eq!(found.allocated_bytes, du(root, &[]));
    assert_eq!(found.inodes, du(root, &["--inodes", "-B1"]));
    assert_eq!(found, usage_of(root, NonZeroUsize::MIN).unwrap(), "one thread finds the same");
}

#[test]
fn holes_take_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let found = usage(dir.path());
    assert_eq!(found.apparent_bytes, 1 << 30);
    assert!(found.allocated_bytes < 1 << 20, "{found:?}");
    assert_eq!(found.allocated_bytes, du(dir.path(), &[]));
}

#[test]
fn a_file_with_several_names_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "a/file", noise(50_000, 2));
    fs::create_dir(root.join("b")).unwrap();
    let once = usage(root);
    fs::hard_link(root.join("a/file"), root.join("a/again")).unwrap();
    fs::hard_link(root.join("a/file"), root.join("b/again")).unwrap();
    assert_eq!(usage(root), once);
}

#[test]
fn no_link_is_followed_and_no_mount_point_entered() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    put(&root, "file", "x");
    put(dir.path(), "outside/large", noise(100_000, 3));
    symlink(dir.path().join("outside"), root.join("link")).unwrap();
    fs::create_dir(root.join("mounted")).unwrap();
    let target = dir.path().join("outside").as_os_str().len() as u64;
    assert_eq!((usage(&root).apparent_bytes, usage(&root).inodes), (1 + target, 4));
    let link = usage(&root.join("link"));
    assert_eq!((link.apparent_bytes, link.inodes), (target, 1), "the link itself");
    with_own_mounts("a mount point in a tree", || {
        mount_tmpfs(&root.join("mounted"), c"size=1m");
        put(&root, "mounted/file", noise(100_000, 4));
        assert_eq!((usage(&root).apparent_bytes, usage(&root).inodes), (1 + target, 3));
    });
}

#[test]
fn a_file_takes_its_room_and_nothing_takes_none() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "file", noise(5_000, 5));
    let found = usage(&dir.path().join("file"));
    assert_eq!((found.apparent_bytes, found.inodes), (5_000, 1));
    assert_eq!(found.allocated_bytes, du(&dir.path().join("file"), &[]));
    assert_eq!(usage(&dir.path().join("absent")), Usage::default());
    assert_eq!(usage(&dir.path().join("absent/below")), Usage::default());
}

#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "open/closed/file", "x");
    chmod(dir.path(), 0o755);
    chmod(dir.path().join("open/closed"), 0o000);
    unprivileged(|| {
        let error = usage_of(dir.path(), THREADS).unwrap_err();
        assert_eq!(error.path, "open/closed");
        assert_eq!(error.source.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "cannot look at `open/closed`");
    });
    chmod(dir.path().join("open/closed"), 0o755);
}

/// Copies by sharing, as `cp --reflink=always` does.
#[track_caller]
fn share(from: &Path, to: &Path) {
    let source = File::open(from).unwrap();
    rustix::fs::ioctl_ficlone(File::create(to).unwrap(), source).unwrap();
}

/// Everything about shared blocks on one file system.
fn sharing_is_told_on(kind: FileSystem, mebibytes: u64) {
    let Some(root) = root_only("a file system whose files share blocks") else { return };
    let Some(mounted) = loop_fs(root, kind, mebibytes << 20) else { return };
    let (one, two) = (mounted.path().join("one"), mounted.path().join("two"));
    let large: usize = 4 << 20;
    put(&one, "large", noise(large, 6));
    put(&one, "small", "x");
    put(&one, "empty", "");
    fs::create_dir(&two).unwrap();
    rustix::fs::sync();
    let alone = usage(&one);
    assert_eq!(alone.shared_bytes, Some(0), "{}", kind.name());
    assert_eq!(alone.unique_bytes(), Some(du(&one, &[])));

    share(&one.join("large"), &two.join("large"));
    rustix::fs::sync();
    let shared = Some(large as u64);
    assert_eq!((usage(&one).shared_bytes, usage(&two).shared_bytes), (shared, shared), "{}", kind.name());
    assert_eq!(usage(&one).allocated_bytes, alone.allocated_bytes);
    assert_eq!(usage(&one).unique_bytes(), Some(du(&one, &[]) - large as u64));
    assert_eq!(usage(&two.join("large")).unique_bytes(), Some(0), "a file by itself");

    overwrite(&two.join("large"), &noise(1 << 20, 7));
    rustix::fs::sync();
    assert_eq!(usage(&two).shared_bytes, Some(large as u64 - (1 << 20)), "what was changed is its own");

    many_extents(&one, &two);
    fs::remove_file(one.join("large")).unwrap();
    rustix::fs::sync();
    unreadable(&two);
}

/// Writes over the beginning of a file.
fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    File::options().write(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// More extents than one question answers.
fn many_extents(one: &Path, two: &Path) {
    use std::os::unix::fs::FileExt;

    let block = noise(64 << 10, 8);
    let file = File::create(one.join("many")).unwrap();
    let count = 3 * 72 + 5;
    for number in 0..count {
        // Every other block is a hole, so that no two extents are one.
        file.write_all_at(&block, number * (128 << 10)).unwrap();
    }
    file.sync_all().unwrap();
    let before = usage(two).shared_bytes.unwrap();
    share(&one.join("many"), &two.join("many"));
    rustix::fs::sync();
    assert_eq!(usage(two).shared_bytes.unwrap() - before, count * (64 << 10));
}

/// What may not be read cannot be told, and what cannot be told is not said to be nobody else's.
fn unreadable(two: &Path) {
    chmod(two.join("large"), 0o000);
    chmod(two.parent().unwrap(), 0o755);
    let known = usage(two);
    unprivileged(|| {
        let found = usage(two);
        assert_eq!((found.shared_bytes, found.unique_bytes()), (None, None));
        assert_eq!((found.allocated_bytes, found.inodes), (known.allocated_bytes, known.inodes));
    });
}

#[test]
fn shared_blocks_are_told_on_btrfs() {
    sharing_is_told_on(FileSystem::Btrfs, 256);
}

#[test]
fn shared_blocks_are_told_on_xfs() {
    sharing_is_told_on(FileSystem::Xfs, 400);
}

#[test]
fn what_btrfs_keeps_in_its_metadata_is_not_opened() {
    let Some(root) = root_only("a small btrfs") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Btrfs, 128 << 20) else { return };
    put(mounted.path(), "empty", "");
    put(mounted.path(), "small", noise(2_048, 10));
    for name in ["empty", "small"] {
        chmod(mounted.path().join(name), 0o000);
    }
    chmod(mounted.path(), 0o755);
    rustix::fs::sync();
    unprivileged(|| assert_eq!(usage(mounted.path()).shared_bytes, Some(0), "else it could not be told"));
    put(mounted.path(), "large", noise(2_049, 11));
    chmod(mounted.path().join("large"), 0o000);
    rustix::fs::sync();
    unprivileged(|| assert_eq!(usage(mounted.path()).shared_bytes, None));
}

#[test]
fn where_nothing_can_be_shared_no_file_is_opened() {
    let Some(root) = root_only("a small ext4") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Ext4, 32 << 20) else { return };
    put(mounted.path(), "file", noise(10_000, 9));
    chmod(mounted.path().join("file"), 0o000);
    fs::remove_dir(mounted.path().join("lost+found")).unwrap();
    chmod(mounted.path(), 0o755);
    unprivileged(|| {
        let found = usage(mounted.path());
        assert_eq!(found.shared_bytes, Some(0), "else it could not be told");
        assert!(found.unique_bytes() >= Some(10_000));
    });
}
