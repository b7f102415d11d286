//! What a tree looked like, in a few bytes.

use std::{io, path::Path};

use super::at;

/// Tells a tree from what it was before any change: its names with inode, kind, mode, length and times, as they lie on the disk.
///
/// Costs a look at every name and opens no file.
///
/// # Errors
/// Something in it cannot be looked at.
pub fn stamp_of(root: &Path) -> io::Result<String> {
    let mut hash = blake3::Hasher::new();
    let root = at::open_root(root)?;
    let own = rustix::fs::fstat(&root)?;
    add(&mut hash, b"", &own);
    walk(&root, &mut hash)?;
    Ok(hash.finalize().to_hex().to_string())
}

fn walk(directory: &std::os::fd::OwnedFd, hash: &mut blake3::Hasher) -> io::Result<()> {
    let mut names = at::names(directory)?;
    names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    for (name, kind) in names {
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        let found = rustix::fs::statat(directory, &*name, flags)?;
        add(hash, &name, &found);
        if at::is_directory(directory, &name, kind)? {
            hash.update(b"(");
            walk(&at::open_dir(directory, &name)?, hash)?;
            hash.update(b")");
        }
    }
    Ok(())
}

fn add(hash: &mut blake3::Hasher, name: &[u8], found: &rustix::fs::Stat) {
    hash.update(&(name.len() as u64).to_le_bytes());
    hash.update(name);
    let facts = format!(
        "{} {} {} {}.{} {}.{};",
        found.st_ino,
        found.st_mode,
        found.st_size,
        found.st_mtime,
        found.st_mtime_nsec,
        found.st_ctime,
        found.st_ctime_nsec
    );
    hash.update(facts.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fs::testing::put;

    #[test]
    fn every_change_shows_and_a_look_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        put(&root, "a/b", "x");
        put(&root, "c", "y");
        let mut before = stamp_of(&root).unwrap();
        assert_eq!(stamp_of(&root).unwrap(), before);
        let mut differs = |what: &str| {
            let now = stamp_of(&root).unwrap();
            assert_ne!(now, before, "{what}");
            before = now;
        };
        fs::write(root.join("a/b"), "longer").unwrap();
        differs("a change");
        fs::remove_file(root.join("c")).unwrap();
        differs("a removal");
        fs::rename(root.join("a/b"), root.join("b")).unwrap();
        differs("a move");
        fs::create_dir(root.join("a/d")).unwrap();
        differs("a new directory");
    }

    #[test]
    fn a_tree_that_was_moved_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("holder/one"), dir.path().join("other"));
        put(&one, "a/b", "x");
        let before = stamp_of(&one).unwrap();
        fs::rename(dir.path().join("holder"), &other).unwrap();
        assert_eq!(stamp_of(&other.join("one")).unwrap(), before);
    }
}
