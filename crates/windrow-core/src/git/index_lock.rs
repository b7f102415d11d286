//! The lock by which every git keeps others from changing an index, taken by us with a text of our own in it.
//!
//! # Crash safety
//! The lock of a dead one is known by its text; nobody else's is ever removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::facts::read_plain;

/// The lock of one index, released when it is dropped.
#[derive(Debug)]
pub struct IndexLock {
    path: PathBuf,
    text: String,
}

impl IndexLock {
    /// Takes the lock of the index in an administrative directory; one that holds the same text already is ours. `None` when somebody
    /// else has it. The text is written to `aside` first, so that no lock is ever there without it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn take(admin: &Path, aside: &Path, text: &str) -> io::Result<Option<Self>> {
        let path = lock_of(admin);
        if Self::holds(admin, text)? {
            return Ok(Some(Self { path, text: text.to_owned() }));
        }
        fs::write(aside, text)?;
        let taken = match fs::hard_link(aside, &path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::holds(admin, text)?,
            Err(error) => return Err(error),
        };
        Ok(taken.then(|| Self { path, text: text.to_owned() }))
    }

    /// Whether the lock of the index in an administrative directory is there with this text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn holds(admin: &Path, text: &str) -> io::Result<bool> {
        Ok(read_plain(&lock_of(admin))?.is_some_and(|found| found == text.as_bytes()))
    }

    /// Puts a new index in place of the one that is locked.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn publish(&self, index: &Path) -> io::Result<()> {
        fs::rename(index, self.path.with_file_name("index"))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        // Somebody may have removed it by hand and another git taken it since.
        if read_plain(&self.path).is_ok_and(|found| found.is_some_and(|found| found == self.text.as_bytes()))
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn lock_of(admin: &Path) -> PathBuf {
    admin.join("index.lock")
}
