//! Advisory locks on files, released by the kernel when the last holder is gone.
//!
//! Locking: `flock` through [`std::fs::File`]. [`FileLock`] is exclusive and never inherited by a child.
//! [`OccupancyLock`] is shared and meant to be inherited: it stays held until the last process that has the descriptor
//! is gone.
//!
//! Crash safety: nothing has to be cleaned up. A lock file may be deleted only by its holder ([`FileLock::remove`]);
//! who waited for the deleted file sees that its inode is no longer the one at the path, and starts again.
//!
//! File systems: `flock` on NFS is emulated by byte-range locks and is not inherited; state does not belong there.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// How long a mere look at a lock ([`is_free`]) by somebody else may make it seem taken.
const PROBE: Duration = Duration::from_millis(20);

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all (beyond the 20 ms that a mere look by somebody else may take).
    No,
    /// Until it is free; the kernel wakes the waiters in order.
    Forever,
    /// At most this long, by polling.
    For(Duration),
}

/// What went wrong with a lock file.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be opened or created.
    #[error("cannot open lock file `{path}`")]
    Open {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is something at the path that is not a regular file.
    #[error("`{path}` is not a regular file and cannot be a lock")]
    NotAFile {
        /// The lock file.
        path: PathBuf,
    },
    /// The file system refused to lock.
    #[error("cannot lock `{path}`")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody holds the lock in a way that excludes us.
    #[error("lock `{path}` is held by another process")]
    Held {
        /// The lock file.
        path: PathBuf,
    },
}

/// An exclusive lock, released on drop and not inherited by any child.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Locks `path`, creating the file (mode 0600) when it is missing. `None` when the wait was not long enough.
    ///
    /// # Errors
    /// [`LockError::Open`] (also for a symbolic link), [`LockError::NotAFile`], [`LockError::Lock`].
    pub fn acquire(path: &Path, wait: Wait) -> Result<Option<Self>, LockError> {
        let deadline = match wait {
            Wait::No => Some(Instant::now() + PROBE),
            Wait::Forever => None,
            Wait::For(time) => Instant::now().checked_add(time.max(PROBE)),
        };
        let locked = acquire(path, Kind::Exclusive, deadline)?;
        Ok(locked.map(|file| Self { file, path: path.to_owned() }))
    }

    /// Returns the path that was locked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes into the lock file what others shall know about its holder, in place of what was there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_note(&self, note: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(note.as_bytes(), 0)
    }

    /// Deletes the lock file while it is held, then releases the lock. Who waits for it starts again with a new file.
    ///
    /// # Errors
    /// The file cannot be deleted; the lock is released anyway.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Explicitly: a child between fork and exec shares the description and would keep the lock for that moment.
        // A failure leaves the release to the closing of the descriptor.
        let _ = self.file.unlock();
    }
}

/// A shared lock that stays held until every process that inherited its descriptor is gone.
#[derive(Debug)]
pub struct OccupancyLock {
    file: File,
}

impl OccupancyLock {
    /// Locks `path` shared, creating the file (mode 0600) when it is missing. The descriptor has `CLOEXEC`; who starts
    /// a process that shall inherit it clears the flag.
    ///
    /// # Errors
    /// [`LockError::Held`] when somebody keeps it exclusively for more than a second, else as [`FileLock::acquire`].
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let deadline = Instant::now() + Duration::from_secs(1);
        match acquire(path, Kind::Shared, Some(deadline))? {
            Some(file) => Ok(Self { file }),
            None => Err(LockError::Held { path: path.to_owned() }),
        }
    }
}

impl AsFd for OccupancyLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What a look at a lock file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Nobody holds it.
    Free,
    /// Somebody holds it, shared or exclusively.
    Held,
    /// There is no lock file.
    Missing,
}

/// Tells whether anybody holds the lock at `path`. Creates nothing; the answer may be out of date at once.
///
/// # Errors
/// As [`FileLock::acquire`].
pub fn is_free(path: &Path) -> Result<LockState, LockError> {
    let file = match open(path, OFlags::empty()) {
        Err(LockError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(LockState::Missing);
        }
        file => file?,
    };
    if !try_lock(&file, Kind::Exclusive, path)? {
        return Ok(LockState::Held);
    }
    let _ = file.unlock();
    Ok(LockState::Free)
}

/// Reads what the holder of a lock wrote into it, at most 4 KiB; empty when there is nothing.
///
/// Whoever wrote it may be gone: only the lock itself says whether it is held.
///
/// # Errors
/// There is no lock file, or it cannot be read.
pub fn note_of(path: &Path) -> Result<String, LockError> {
    let mut note = Vec::new();
    let file = open(path, OFlags::empty())?;
    file.take(4096).read_to_end(&mut note).map_err(|source| refused(path, source))?;
    Ok(String::from_utf8_lossy(&note).into_owned())
}

#[derive(Clone, Copy)]
enum Kind {
    Shared,
    Exclusive,
}

/// Locks the file that is at `path` once the lock is held. `None` when the deadline passed.
fn acquire(path: &Path, kind: Kind, deadline: Option<Instant>) -> Result<Option<File>, LockError> {
    loop {
        let file = open(path, OFlags::CREATE)?;
        if !lock_until(&file, kind, path, deadline)? {
            return Ok(None);
        }
        if is_at(&file, path)? {
            return Ok(Some(file));
        }
    }
}

fn open(path: &Path, extra: OFlags) -> Result<File, LockError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | extra;
    let opened = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(io::Error::from)
        .and_then(|file| Ok((file.metadata()?.is_file(), file)));
    match opened {
        Ok((true, file)) => Ok(file),
        Ok((false, _)) => Err(LockError::NotAFile { path: path.to_owned() }),
        Err(source) => Err(LockError::Open { path: path.to_owned(), source }),
    }
}

fn lock_until(file: &File, kind: Kind, path: &Path, deadline: Option<Instant>) -> Result<bool, LockError> {
    let Some(deadline) = deadline else {
        return lock_waiting(file, kind, path).map(|()| true);
    };
    let mut pause = Duration::from_millis(1);
    while !try_lock(file, kind, path)? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Ok(true)
}

fn lock_waiting(file: &File, kind: Kind, path: &Path) -> Result<(), LockError> {
    loop {
        let result = match kind {
            Kind::Shared => file.lock_shared(),
            Kind::Exclusive => file.lock(),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(|source| refused(path, source)),
        }
    }
}

fn try_lock(file: &File, kind: Kind, path: &Path) -> Result<bool, LockError> {
    let result = match kind {
        Kind::Shared => file.try_lock_shared(),
        Kind::Exclusive => file.try_lock(),
    };
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(refused(path, source)),
    }
}

fn refused(path: &Path, source: io::Error) -> LockError {
    LockError::Lock { path: path.to_owned(), source }
}

/// Whether `file` is still what the path names: its holder may have deleted it while we waited.
fn is_at(file: &File, path: &Path) -> Result<bool, LockError> {
    let ours = file.metadata().map_err(|source| refused(path, source))?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(refused(path, source)),
    }
}

impl From<OccupancyLock> for std::os::fd::OwnedFd {
    fn from(lock: OccupancyLock) -> Self {
        lock.file.into()
    }
}
