//! Tests of throwing away and deleting.

use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::fs::testing::{chmod, mode, mount_tmpfs, put, unprivileged, with_own_mounts};

#[test]
fn a_move_is_one_rename_into_a_private_directory() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "work/a/b", "x");
    let trash = dir.path().join("trash");
    let moved = move_to_trash(&dir.path().join("work"), &trash, "quiet-fern").unwrap();
    assert!(!dir.path().join("work").exists());
    assert_eq!(fs::read(moved.join("a/b")).unwrap(), b"x");
    assert_eq!(mode(&trash), 0o700);
    assert!(is_entry_name(moved.file_name().unwrap().as_bytes()));
}

#[test]
fn what_is_not_there_and_bad_labels_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let trash = dir.path().join("trash");
    let absent = move_to_trash(&dir.path().join("absent"), &trash, "a").unwrap_err();
    assert!(matches!(absent, TrashError::Move { .. }), "{absent:?}");
    for label in ["", "../x", "A", "a b", &"a".repeat(65)] {
        let error = move_to_trash(&dir.path().join("absent"), &trash, label).unwrap_err();
        assert!(matches!(error, TrashError::Label { .. }), "{error:?}");
    }
}

#[test]
fn a_link_is_moved_itself_and_a_link_for_a_trash_is_refused() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(outside.path(), "kept", "x");
    symlink(outside.path(), dir.path().join("link")).unwrap();
    symlink(outside.path(), dir.path().join("fake")).unwrap();
    let error = move_to_trash(&dir.path().join("link"), &dir.path().join("fake"), "a").unwrap_err();
    assert!(matches!(error, TrashError::Directory(_)), "{error:?}");
    let trash = dir.path().join("trash");
    move_to_trash(&dir.path().join("link"), &trash, "a").unwrap();
    assert_eq!(empty_trash(&trash).unwrap().removed, 1);
    assert!(outside.path().join("kept").exists());
}

#[test]
fn another_file_system_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    with_own_mounts("another_file_system_is_refused", || {
        fs::create_dir(dir.path().join("mnt")).unwrap();
        mount_tmpfs(&dir.path().join("mnt"), c"size=64k");
        put(dir.path(), "mnt/work/x", "");
        let error = move_to_trash(&dir.path().join("mnt/work"), &dir.path().join("trash"), "a").unwrap_err();
        assert!(matches!(error, TrashError::OtherFilesystem { .. }), "{error:?}");
        assert!(dir.path().join("mnt/work/x").exists());
    });
}

#[test]
fn emptying_removes_whatever_permissions_stand_in_the_way() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(outside.path(), "kept", "x");
    chmod(outside.path(), 0o755);
    let work = dir.path().join("work");
    for path in ["none/a", "read/b/c", "deep/none/x"] {
        put(&work, path, "");
    }
    symlink(outside.path(), work.join("link")).unwrap();
    symlink(outside.path().join("kept"), work.join("read/link")).unwrap();
    for (path, mode) in [("none", 0), ("read/b", 0o555), ("read", 0o500), ("deep/none", 0), ("", 0o555)] {
        chmod(work.join(path), mode);
    }
    let trash = dir.path().join("trash");
    unprivileged(|| {
        move_to_trash(&work, &trash, "work").unwrap();
        let report = empty_trash(&trash).unwrap();
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        assert_eq!(report.removed, 1);
    });
    assert!(fs::read_dir(&trash).unwrap().next().is_none());
    assert_eq!(fs::read(outside.path().join("kept")).unwrap(), b"x");
    assert_eq!(mode(outside.path()), 0o755);
}

#[test]
fn only_our_own_entries_go_and_a_locked_one_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let trash = dir.path().join("trash");
    for name in ["a", "b"] {
        put(dir.path(), format!("{name}/x"), "");
    }
    let busy = move_to_trash(&dir.path().join("a"), &trash, "a").unwrap();
    let free = move_to_trash(&dir.path().join("b"), &trash, "b").unwrap();
    put(&trash, "windrow-notes/x", "");
    put(&trash, "foreign", "");
    let lock = fs::File::open(&busy).unwrap();
    lock.lock().unwrap();
    let report = empty_trash(&trash).unwrap();
    assert_eq!((report.removed, report.busy), (1, vec![busy.clone()]));
    assert!(!free.exists() && busy.join("x").exists());
    drop(lock);
    assert_eq!(empty_trash(&trash).unwrap().removed, 1);
    assert!(!busy.exists() && trash.join("windrow-notes/x").exists() && trash.join("foreign").exists());
}

#[test]
fn very_deep_trees_go_too() {
    let dir = tempfile::tempdir().unwrap();
    let trash = dir.path().join("trash");
    let mut fd = at::open_root(dir.path()).unwrap();
    for _ in 0..1_500 {
        rustix::fs::mkdirat(&fd, "deep-directory", rustix::fs::Mode::RWXU).unwrap();
        fd = at::open_dir(&fd, b"deep-directory").unwrap();
    }
    drop(fd);
    move_to_trash(&dir.path().join("deep-directory"), &trash, "deep").unwrap();
    let report = empty_trash(&trash).unwrap();
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!((report.removed, report.files), (1, 1_500));
    assert!(fs::read_dir(&trash).unwrap().next().is_none());
}

#[test]
fn a_mount_inside_is_reported_and_the_rest_goes() {
    let dir = tempfile::tempdir().unwrap();
    with_own_mounts("a_mount_inside_is_reported_and_the_rest_goes", || {
        put(dir.path(), "work/other/x", "");
        fs::create_dir(dir.path().join("work/mnt")).unwrap();
        let trash = dir.path().join("trash");
        let moved = move_to_trash(&dir.path().join("work"), &trash, "a").unwrap();
        mount_tmpfs(&moved.join("mnt"), c"size=64k");
        put(&moved, "mnt/kept", "");
        let report = empty_trash(&trash).unwrap();
        assert_eq!((report.removed, report.failures.len()), (0, 1), "{:?}", report.failures);
        assert_eq!(report.failures[0].path, moved.join("mnt"));
        assert!(moved.join("mnt/kept").exists() && !moved.join("other").exists());
    });
}

#[test]
fn a_trash_that_is_not_there_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(empty_trash(&dir.path().join("absent")).unwrap().removed, 0);
}

#[test]
fn what_is_set_aside_is_not_deleted_and_may_go_back() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "work/a/b", "x");
    let (work, trash) = (dir.path().join("work"), dir.path().join("trash"));
    let aside = set_aside(&work, &trash, "fern").unwrap();
    let report = empty_trash(&trash).unwrap();
    assert_eq!((report.removed, report.busy.as_slice()), (0, [aside.path().to_owned()].as_slice()));
    rename_new(aside.path(), &work).unwrap();
    drop(aside);
    assert_eq!(fs::read(work.join("a/b")).unwrap(), b"x");

    let held = at::open_root(&work).unwrap();
    assert!(try_lock(&held).unwrap());
    assert!(matches!(set_aside(&work, &trash, "fern").unwrap_err(), TrashError::Move { .. }));
    assert!(work.exists());
    drop(held);
    drop(set_aside(&work, &trash, "fern").unwrap());
    assert_eq!(empty_trash(&trash).unwrap().removed, 1);
}
