//! Takes single files out of a worktree, to make room for others.

use std::{io, path::Path};

use rustix::{fs::AtFlags, io::Errno};

use super::at;

/// Removes what lies at a relative path, if it is no directory with something in it, and then the directories above it that
/// are empty.
///
/// Nothing is removed behind a symbolic link: there, as where nothing lies, there is nothing to clear.
///
/// # Errors
/// It is a directory with something in it, or cannot be removed.
pub fn clear(root: &Path, path: &[u8]) -> io::Result<()> {
    let root = at::open_root(root)?;
    let (mut above, name) = at::split(path);
    let parent = match at::open_dir(&root, above) {
        Ok(parent) => parent,
        Err(error) if is_elsewhere(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let Some(looked) = at::look_if_there(&parent, name)? else { return Ok(()) };
    let flags = if looked.kind().is_dir() { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    rustix::fs::unlinkat(&parent, name, flags)?;
    while !above.is_empty() {
        let (parent, name) = at::split(above);
        // The first that still holds something ends it.
        if rustix::fs::unlinkat(at::open_dir(&root, parent)?, name, AtFlags::REMOVEDIR).is_err() {
            break;
        }
        above = parent;
    }
    Ok(())
}

/// The way there ends, or leads through a link or a file.
fn is_elsewhere(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn h07_a_file_behind_a_link_stays() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("a"), "theirs").unwrap();
        symlink(other.path(), root.path().join("link")).unwrap();
        clear(root.path(), b"link/a").unwrap();
        clear(root.path(), b"nothing/a").unwrap();
        assert!(other.path().join("a").exists());
        clear(root.path(), b"link").unwrap();
        assert!(other.path().join("a").exists() && !root.path().join("link").exists());
    }

    #[test]
    fn empty_directories_go_along_and_full_ones_stay() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        fs::write(root.path().join("a/b/c/file"), "").unwrap();
        fs::write(root.path().join("a/other"), "").unwrap();
        assert!(clear(root.path(), b"a").is_err());
        clear(root.path(), b"a/b/c/file").unwrap();
        assert!(!root.path().join("a/b").exists() && root.path().join("a/other").exists());
    }
}
