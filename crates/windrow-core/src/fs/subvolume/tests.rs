//! Tests of subvolumes, on an image of btrfs.

use std::fs;

use windrow_testkit::{FileSystem, loop_fs, root_only};

use super::*;
use crate::fs::{empty_trash, move_to_trash, testing::put};

#[test]
fn a_snapshot_holds_everything_and_is_its_own() {
    let Some(root) = root_only("a btrfs image") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Btrfs, 128 << 20) else { return };
    let (from, to) = (mounted.path().join("from"), mounted.path().join("to"));
    make_subvolume(&from).unwrap();
    put(&from, "a/b", "one");
    set_writing(&from, Writing::Refused).unwrap();
    assert!(fs::write(from.join("a/b"), "two").is_err());
    snapshot(&from, &to).unwrap();
    fs::write(to.join("a/b"), "two").unwrap();
    assert_eq!(fs::read(from.join("a/b")).unwrap(), b"one");
    assert!(snapshot(&from, &to).is_err(), "something is there");
    assert!(snapshot(&to.join("a"), &mounted.path().join("part")).is_err(), "only a part");
    set_writing(&from, Writing::Permitted).unwrap();
    fs::write(from.join("a/b"), "three").unwrap();
}

#[test]
fn a_subvolume_goes_from_the_trash_and_takes_nothing_else_along() {
    let Some(root) = root_only("a btrfs image") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Btrfs, 128 << 20) else { return };
    let (plain, nesting) = (mounted.path().join("plain"), mounted.path().join("nesting"));
    for path in [&plain, &nesting, &nesting.join("inner")] {
        make_subvolume(path).unwrap();
        put(path, "a/b", "one");
    }
    let trash = mounted.path().join(".trash");
    let parent = at::open_root(mounted.path()).unwrap();
    assert!(!delete(&parent, b"nesting"), "it holds another");
    for path in [&plain, &nesting] {
        move_to_trash(path, &trash, "gone").unwrap();
    }
    let report = empty_trash(&trash).unwrap();
    assert_eq!(report.removed, 2, "{report:?}");
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0);
}

#[test]
fn elsewhere_there_are_none() {
    let dir = tempfile::tempdir().unwrap();
    if super::super::abilities(&dir.path().join(".trash")).unwrap().snapshot.is_ok() {
        eprintln!("SKIPPED: the temporary directory is on btrfs");
        return;
    }
    fs::create_dir(dir.path().join("from")).unwrap();
    assert!(make_subvolume(&dir.path().join("new")).is_err());
    assert!(snapshot(&dir.path().join("from"), &dir.path().join("to")).is_err());
    assert!(set_writing(&dir.path().join("from"), Writing::Refused).is_err());
    assert!(!delete(&at::open_root(dir.path()).unwrap(), b"from"));
    assert!(dir.path().join("from").is_dir());
}
