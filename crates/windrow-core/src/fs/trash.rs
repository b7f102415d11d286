//! Takes directories out of the way by one rename, and deletes them later.
//!
//! # Locking
//! Each entry is deleted under a `flock` of its own directory, so that two deleters never meet; a locked one is busy.
//!
//! # Crash safety
//! A move is one rename. Deleting can stop anywhere and goes on at the next call; what is too deep is first moved up
//! into the trash under a name that the next call knows.

mod remove;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, Mode, RenameFlags},
    io::Errno,
};

use self::remove::Remover;
use super::{DirectoryError, at, dirs};

/// Why something was not moved into the trash, or the trash not looked through.
#[derive(Debug, thiserror::Error)]
pub enum TrashError {
    /// The label is not 1 to 64 of `a-z`, `0-9` and `-`.
    #[error("`{label}` is not a label of 1 to 64 lower-case letters, digits and hyphens")]
    Label {
        /// The label.
        label: String,
    },
    /// The trash directory is not fit.
    #[error("cannot use the trash")]
    Directory(#[from] DirectoryError),
    /// The trash lies on another file system, so that no rename reaches it.
    #[error("cannot move `{}` into the trash: it is on another file system", path.display())]
    OtherFilesystem {
        /// What was to be moved.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot move `{}` into the trash", path.display())]
    Move {
        /// What was to be moved.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The trash cannot be listed.
    #[error("cannot list the trash `{}`", path.display())]
    List {
        /// The trash.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Something that could not be deleted.
#[derive(Debug)]
pub struct TrashFailure {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What emptying did.
#[derive(Debug, Default)]
pub struct TrashReport {
    /// Entries that are gone.
    pub removed: u64,
    /// Files, links and directories that are gone.
    pub files: u64,
    /// Entries that somebody else is deleting.
    pub busy: Vec<PathBuf>,
    /// What could not be deleted; the rest is gone all the same.
    pub failures: Vec<TrashFailure>,
}

/// Moves a file or directory into a trash directory by one rename, and tells where it is now.
///
/// The trash is made with mode 0700 when it is not there, else taken as it is; its parent must be there.
///
/// # Errors
/// See [`TrashError`]; `path` is then where it was, though its owner may have been given all rights to it.
pub fn move_to_trash(path: &Path, trash: &Path, label: &str) -> Result<PathBuf, TrashError> {
    check_label(label)?;
    let fail = |source| move_error(path, source);
    let name = path.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
    let parent = at::open_root(parent).map_err(fail)?;
    let (target, _) = dirs::open_own(trash)?;
    let entry = entry_name(label);
    rename_or_make_writable(&parent, name.as_bytes(), &target, entry.as_bytes()).map_err(fail)?;
    Ok(trash.join(entry))
}

/// What was moved into the trash and stays there while this is held: it may still go back.
#[derive(Debug)]
pub struct SetAside {
    path: PathBuf,
    /// Locked, so that no deleter takes it.
    _entry: OwnedFd,
}

impl SetAside {
    /// Where it is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Moves a directory into a trash directory like [`move_to_trash`], and keeps it from being deleted for the time being.
///
/// # Errors
/// See [`TrashError`]; somebody holds a lock on the directory, or it cannot be read. It is then where it was.
pub fn set_aside(path: &Path, trash: &Path, label: &str) -> Result<SetAside, TrashError> {
    let entry = at::open_root(path).map_err(|source| move_error(path, source))?;
    match try_lock(&entry) {
        Ok(true) => Ok(SetAside { path: move_to_trash(path, trash, label)?, _entry: entry }),
        Ok(false) => Err(move_error(path, Errno::WOULDBLOCK.into())),
        Err(source) => Err(move_error(path, source)),
    }
}

/// Makes an empty directory in a trash directory, which is deleted like everything there once it is let go, whatever becomes of
/// us.
pub(super) fn scratch(trash: &Path) -> io::Result<SetAside> {
    let (target, _) = dirs::open_own(trash).map_err(io::Error::other)?;
    loop {
        let name = entry_name("scratch");
        rustix::fs::mkdirat(&target, &name, Mode::RWXU)?;
        // A deleter may have been quicker than our lock.
        if let Some(held) = take_in_hand(&trash.join(name))? {
            return Ok(held);
        }
    }
}

/// Moves what has a name in a directory into an open trash directory.
pub(super) fn lift(from: &OwnedFd, name: &[u8], trash: &OwnedFd) -> io::Result<()> {
    let entry = entry_name("scrubbed").into_bytes();
    rename_or_make_writable(from, name, trash, &entry)
}

/// Takes an entry of the trash in hand, so that no deleter takes it; `None` when one has it already, or it is gone.
///
/// # Errors
/// It cannot be looked at.
pub fn take_in_hand(path: &Path) -> io::Result<Option<SetAside>> {
    let entry = match at::open_root(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let free = try_lock(&entry)?;
    Ok(free.then(|| SetAside { path: path.to_owned(), _entry: entry }))
}

/// To move a directory is to write its `..`, which needs the right to write in it.
fn rename_or_make_writable(from: &OwnedFd, name: &[u8], to: &OwnedFd, entry: &[u8]) -> io::Result<()> {
    match rename(from, name, to, entry) {
        Err(Errno::ACCESS) if remove::open_to_empty(from, name).is_ok() => Ok(rename(from, name, to, entry)?),
        moved => Ok(moved?),
    }
}

fn rename(from: &OwnedFd, name: &[u8], to: &OwnedFd, entry: &[u8]) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, name, to, entry, RenameFlags::NOREPLACE) {
        // No flags on this file system; the name is random, so that nothing can be in its place.
        Err(Errno::INVAL | Errno::NOSYS) => rustix::fs::renameat(from, name, to, entry),
        result => result,
    }
}

fn move_error(path: &Path, source: io::Error) -> TrashError {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::XDEV) => TrashError::OtherFilesystem { path },
        _ => TrashError::Move { path, source },
    }
}

const PREFIX: &str = "windrow-";
const ID_DIGITS: usize = 32;

fn check_label(label: &str) -> Result<(), TrashError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&label.len()) && label.bytes().all(fits) {
        return Ok(());
    }
    Err(TrashError::Label { label: label.to_owned() })
}

fn entry_name(label: &str) -> String {
    format!("{PREFIX}{label}-{}", uuid::Uuid::now_v7().simple())
}

/// Only what bears a name that [`entry_name`] makes is ever deleted.
fn is_entry_name(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX.as_bytes()) else { return false };
    let Some((label, id)) = rest.split_at_checked(rest.len().saturating_sub(ID_DIGITS + 1)) else {
        return false;
    };
    let label = std::str::from_utf8(label).unwrap_or_default();
    let id = id.strip_prefix(b"-").unwrap_or_default();
    check_label(label).is_ok() && id.len() == ID_DIGITS && id.iter().all(u8::is_ascii_hexdigit)
}

/// Deletes what [`move_to_trash`] put into a trash directory; goes on after errors and reports them.
///
/// No symbolic link is followed and no mount point entered; directories without permissions are given them first.
/// A trash that is not there is empty.
///
/// # Errors
/// The trash itself cannot be used or listed.
pub fn empty_trash(trash: &Path) -> Result<TrashReport, TrashError> {
    let list_error = |source| TrashError::List { path: trash.to_owned(), source };
    let fd = match at::open_root(trash) {
        Ok(_) => dirs::open_own(trash)?.0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(TrashReport::default()),
        Err(error) => return Err(list_error(error)),
    };
    let names = at::names(&fd).map_err(list_error)?;
    let mut remover = Remover::new(&fd, trash);
    for (name, _) in names.iter().filter(|(name, _)| is_entry_name(name)) {
        remover.remove_entry(name);
    }
    Ok(remover.report)
}

/// Renames within a file system, refusing to replace anything.
///
/// # Errors
/// `AlreadyExists` when something has the new name; the system refuses, or cannot rename without replacing.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_ok() => Err(Errno::EXIST.into()),
        // No flags on this file system; whoever calls holds the lock under which these names are given.
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::rename(from, to),
        result => Ok(result?),
    }
}

/// Tells whether a trash directory holds anything of ours; what cannot be read holds nothing.
#[must_use]
pub fn has_trash(trash: &Path) -> bool {
    let names = at::open_root(trash).and_then(|fd| at::names(&fd));
    names.is_ok_and(|names| names.iter().any(|(name, _)| is_entry_name(name)))
}

/// Tells whether a path in a trash directory bears a name that [`move_to_trash`] gives.
#[must_use]
pub fn is_in_trash(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_entry_name(name.as_bytes()))
}

/// Takes the lock of an entry; `false` when somebody else has it.
fn try_lock(entry: &OwnedFd) -> io::Result<bool> {
    match rustix::fs::flock(entry, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn entry_path(trash: &Path, name: &[u8]) -> PathBuf {
    trash.join(OsStr::from_bytes(name))
}
