//! Directories that nobody may change the names in, as long as permissions count for him.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::fs::Mode;

use super::at;

/// Takes the right to write from every directory of a tree, its top included.
///
/// # Errors
/// One cannot be read or changed; others may have been.
pub fn freeze(root: &Path) -> io::Result<()> {
    walk(&at::open_root(root)?, &|mode| mode & !0o222)
}

/// Gives the owner the right to write in every directory of a tree back.
///
/// # Errors
/// One cannot be read or changed; others may have been.
pub fn thaw(root: &Path) -> io::Result<()> {
    walk(&at::open_root(root)?, &|mode| mode | 0o200)
}

fn walk(directory: &OwnedFd, change: &dyn Fn(u32) -> u32) -> io::Result<()> {
    for (name, kind) in at::names(directory)? {
        if at::is_directory(directory, &name, kind)? {
            walk(&at::open_dir_same_mount(directory.as_fd(), &name)?, change)?;
        }
    }
    let mode = rustix::fs::fstat(directory)?.st_mode & 0o7777;
    Ok(rustix::fs::fchmod(directory, Mode::from_raw_mode(change(mode)))?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fs::testing::{mode, put, unprivileged};

    #[test]
    fn nothing_can_be_added_until_it_is_thawed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        put(&root, "a/b/c", "x");
        let before = mode(root.join("a/b"));
        freeze(&root).unwrap();
        let add = || fs::write(root.join("a/b/new"), "");
        assert_eq!(unprivileged(add).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(mode(&root) & 0o222, 0);
        thaw(&root).unwrap();
        assert_eq!(mode(root.join("a/b")), before);
        unprivileged(add).unwrap();
    }
}
