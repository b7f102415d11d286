//! Copies that are like what they were made from, on every file system.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use windrow_testkit::{FileSystem, Include, TreeSnapshot, assert_same, loop_fs, root_only};

use super::*;
use crate::fs::testing::put;

fn furnish(root: &Path) {
    put(root, "a/large", "x".repeat(200 << 10));
    put(root, "a/small", "small");
    put(root, "empty", "");
    put(root, "a/b/c/deep", "deep");
    fs::hard_link(root.join("a/large"), root.join("a/b/same")).unwrap();
    symlink("small", root.join("a/link")).unwrap();
    fs::create_dir(root.join("nothing in it")).unwrap();
    fs::set_permissions(root.join("a/small"), fs::Permissions::from_mode(0o750)).unwrap();
    let odd = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_001, 123_456_789);
    for path in ["a/large", "a/small", "a/b/c", "a/b", "a", ""] {
        fs::File::open(root.join(path)).unwrap().set_modified(odd).unwrap();
    }
}

fn copy(root: &Path, to: &Path) -> Result<(SourceTree, CopiedTree, Blocks), SeedError> {
    let fd = at::open_root(root).unwrap();
    let tree = SourceTree::look(&fd, &mut |_, _| true)?;
    fs::create_dir_all(to).unwrap();
    let blocks = if shares_blocks(root, &tree, to) { Blocks::Shared } else { Blocks::Own };
    let copied = copy_tree(root, to, &tree, blocks, NonZeroUsize::new(3).unwrap())?;
    Ok((tree, copied, blocks))
}

#[test]
fn a_copy_keeps_times_modes_links_and_names_everywhere() {
    let mut places = vec![("here", None, tempfile::tempdir().unwrap())];
    if let Some(root) = root_only("images of file systems") {
        for (kind, size) in [(FileSystem::Btrfs, 128 << 20), (FileSystem::Xfs, 320 << 20)] {
            let Some(mounted) = loop_fs(root, kind, size) else { continue };
            let inside = tempfile::tempdir_in(mounted.path()).unwrap();
            places.push((kind.name(), Some(mounted), inside));
        }
    }
    for (place, mounted, directory) in &places {
        let (root, to) = (directory.path().join("root"), directory.path().join("copy"));
        fs::create_dir(&root).unwrap();
        furnish(&root);
        let (tree, copied, blocks) = copy(&root, &to).unwrap();
        let all = |path: &Path| TreeSnapshot::of(path, &Include::Everything);
        assert_same(&all(&root), &all(&to));
        for path in ["a/large", "a/small", "a/b/c", "a/b", "a", "a/link"] {
            let time = |top: &Path| {
                let facts = top.join(path).symlink_metadata().unwrap();
                (facts.mtime(), facts.mtime_nsec(), facts.mode())
            };
            assert_eq!(time(&root), time(&to), "{place}: {path}");
        }
        let inode = |path: &str| to.join(path).metadata().unwrap().ino();
        assert_eq!(inode("a/large"), inode("a/b/same"), "{place}");
        assert!(mounted.is_none() || blocks == Blocks::Shared, "{place}");
        assert_eq!((copied.files, copied.shared_bytes + copied.copied_bytes), (tree.files, tree.bytes));
    }
}

#[test]
fn what_changes_meanwhile_is_no_copy() {
    let directory = tempfile::tempdir().unwrap();
    let (root, to) = (directory.path().join("root"), directory.path().join("copy"));
    fs::create_dir(&root).unwrap();
    furnish(&root);
    let tree = SourceTree::look(&at::open_root(&root).unwrap(), &mut |_, _| true).unwrap();
    put(&root, "a/small", "other");
    fs::create_dir(&to).unwrap();
    let failed = copy_tree(&root, &to, &tree, Blocks::Own, NonZeroUsize::MIN).unwrap_err();
    assert!(matches!(failed, SeedError::Changed { ref path } if path == "a/small"), "{failed}");
    fs::remove_file(root.join("empty")).unwrap();
    fs::create_dir(directory.path().join("again")).unwrap();
    let again = directory.path().join("again");
    assert!(copy_tree(&root, &again, &tree, Blocks::Own, NonZeroUsize::MIN).is_err());
}
