//! Directories that only their owner may look into.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{fs::Mode, io::Errno};

use super::at;

/// Why a directory is not fit to hold what is ours.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A symbolic link, or no directory at all.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("`{}` belongs to user {owner}", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// The owner's number.
        owner: u32,
    },
    /// Everybody may write there, so that everybody could have put something in our place.
    #[error("`{}` can be written by everybody", path.display())]
    WorldWritable {
        /// The path.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot use directory `{}`", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DirectoryError {
    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::LOOP | Errno::NOTDIR) => Self::NotADirectory { path },
            _ => Self::Io { path, source },
        }
    }
}

/// Makes a directory with mode 0700, or takes one that is there, is ours and no symbolic link, and gives it that mode.
///
/// Its parent must exist.
///
/// # Errors
/// See [`DirectoryError`].
pub fn private_dir(path: &Path) -> Result<(), DirectoryError> {
    let (fd, seclusion) = open_own(path)?;
    if seclusion == Seclusion::Shared {
        rustix::fs::fchmod(&fd, Mode::RWXU).map_err(|error| DirectoryError::new(path, error.into()))?;
    }
    Ok(())
}

/// Whether others can get into a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seclusion {
    /// Only its owner.
    Private,
    /// Its mode lets others do something there.
    Shared,
}

/// Makes a directory with mode 0700, or takes one that is there, is ours and no symbolic link, as it is: it may be the
/// user's own, with other things in it.
///
/// Its parent must exist.
///
/// # Errors
/// See [`DirectoryError`].
pub fn own_dir(path: &Path) -> Result<Seclusion, DirectoryError> {
    open_own(path).map(|(_, seclusion)| seclusion)
}

/// Like [`own_dir`], and hands out its descriptor.
pub(super) fn open_own(path: &Path) -> Result<(OwnedFd, Seclusion), DirectoryError> {
    let fail = |error: Errno| DirectoryError::new(path, error.into());
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(fail(error)),
    }
    let fd = at::open_root(path).map_err(|source| DirectoryError::new(path, source))?;
    let stat = rustix::fs::fstat(&fd).map_err(fail)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(DirectoryError::Foreign { path: path.to_owned(), owner: stat.st_uid });
    }
    let seclusion = if stat.st_mode & 0o777 == 0o700 { Seclusion::Private } else { Seclusion::Shared };
    Ok((fd, seclusion))
}

/// Checks that the parent of a directory to be made is not one in which everybody may write, sticky or not.
///
/// # Errors
/// [`DirectoryError::WorldWritable`] names the parent; a parent that cannot be looked at is an error too.
pub fn check_parent(path: &Path) -> Result<(), DirectoryError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.ok_or_else(|| DirectoryError::NotADirectory { path: path.to_owned() })?;
    let stat = rustix::fs::stat(parent).map_err(|error| DirectoryError::new(parent, error.into()))?;
    match stat.st_mode & 0o002 {
        0 => Ok(()),
        _ => Err(DirectoryError::WorldWritable { path: parent.to_owned() }),
    }
}

/// Checks that a pool directory is there or can be made: its parent is not open to everybody and we may write there.
///
/// # Errors
/// [`DirectoryError::NotADirectory`] names what lies in the way; [`DirectoryError::WorldWritable`], or the system refuses.
pub fn can_make(path: &Path) -> Result<(), DirectoryError> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path);
    // A link is refused by whoever opens the directory.
    if there.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        check_parent(&there.join("pool"))?;
    }
    if there == path {
        check_parent(path)?;
    }
    if !there.is_dir() {
        return Err(DirectoryError::NotADirectory { path: there.to_owned() });
    }
    let flags = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(there, flags).map_err(|error| DirectoryError::new(there, error.into()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn a_private_directory_is_made_and_tightened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        private_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        private_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_is_there_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert_eq!(own_dir(&path).unwrap(), Seclusion::Private);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(own_dir(&path).unwrap(), Seclusion::Shared);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn links_files_and_world_writable_parents_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        symlink(dir.path(), dir.path().join("link")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for name in ["link", "file"] {
            let error = private_dir(&dir.path().join(name)).unwrap_err();
            assert!(matches!(error, DirectoryError::NotADirectory { .. }), "{error:?}");
        }
        check_parent(&dir.path().join("pool")).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let error = check_parent(&dir.path().join("pool")).unwrap_err();
        assert!(matches!(error, DirectoryError::WorldWritable { .. }), "{error:?}");
    }

    #[test]
    fn a_foreign_directory_is_refused() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: a_foreign_directory_is_refused needs root to give a directory away");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(4_242), None).unwrap();
        assert!(matches!(private_dir(&path), Err(DirectoryError::Foreign { owner: 4_242, .. })));
    }
}
