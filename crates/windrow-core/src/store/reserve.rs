//! A file that holds space for the records on a full disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::StoreError;

/// How much is held back: many commits, and the log's folding into the database.
const RESERVE_BYTES: usize = 1 << 20;

/// `<dir>/reserve`, given up when a commit finds the disk full.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Makes the reserve below `dir` if it is not there. Failing is no error: a disk that is full now still lets records be
    /// written as long as it can.
    pub(super) fn restock(dir: &Path) -> Self {
        let reserve = Self { path: dir.join("reserve") };
        if !reserve.is_whole() && reserve.fill().is_err() {
            // A part of it would only take space away.
            let _ = std::fs::remove_file(&reserve.path);
        }
        reserve
    }

    /// Frees the space; tells whether there was any.
    ///
    /// # Errors
    /// The file is there but cannot be removed.
    pub(super) fn give_up(&self) -> Result<bool, StoreError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("remove", &self.path)(error)),
        }
    }

    fn is_whole(&self) -> bool {
        let size = u64::try_from(RESERVE_BYTES).ok();
        self.path.symlink_metadata().is_ok_and(|found| found.is_file() && Some(found.len()) == size)
    }

    fn fill(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&self.path)?;
        allocate(file)
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: File) -> io::Result<()> {
    use rustix::{fs::FallocateFlags, io::Errno};
    let length = u64::try_from(RESERVE_BYTES).map_err(io::Error::other)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file),
        other => other.map_err(io::Error::from),
    }
}

/// A file system that compresses may hold back less than promised.
#[cfg(not(target_os = "linux"))]
fn allocate(file: File) -> io::Result<()> {
    write_zeros(file)
}

fn write_zeros(mut file: File) -> io::Result<()> {
    file.write_all(&vec![0; RESERVE_BYTES])
}
