//! Files that get their name only when they are finished.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::fs::{AtFlags, FlockOperation, Mode};

use super::at;

const PREFIX: &str = ".windrow-";
const SUFFIX: &str = ".tmp";

/// A name in a directory that nobody else uses; what is there goes away unless it was published.
pub(super) struct Temporary<'a> {
    dir: &'a OwnedFd,
    name: Vec<u8>,
    published: bool,
}

impl<'a> Temporary<'a> {
    pub(super) fn new(dir: &'a OwnedFd) -> Self {
        let name = format!("{PREFIX}{}{SUFFIX}", uuid::Uuid::now_v7().simple()).into_bytes();
        Self { dir, name, published: false }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Makes the file, readable and writable by its owner alone.
    pub(super) fn create(&self) -> io::Result<File> {
        let flags = at::CREATE.difference(rustix::fs::OFlags::WRONLY) | rustix::fs::OFlags::RDWR;
        let fd = rustix::fs::openat(self.dir, self.name.as_slice(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(fd))
    }

    /// Gives it its name, which nothing may have.
    pub(super) fn publish(mut self, name: &[u8]) -> io::Result<()> {
        at::publish(self.dir, &self.name, name)?;
        self.published = true;
        Ok(())
    }

    /// Gives it its name in place of the file or link that has it.
    pub(super) fn replace(mut self, name: &[u8]) -> io::Result<()> {
        rustix::fs::renameat(self.dir, self.name.as_slice(), self.dir, name)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.published {
            // An error is already on its way to the caller; a leftover is found by its name.
            let _ = rustix::fs::unlinkat(self.dir, self.name.as_slice(), AtFlags::empty());
        }
    }
}

/// Removes the unfinished files that a crash left in a directory, and gives their number.
///
/// A file that its writer still holds locked is not unfinished business of the past and stays.
///
/// # Errors
/// The directory cannot be read or a file not removed.
pub fn remove_leftovers(directory: &Path) -> io::Result<u64> {
    let dir = at::open_root(directory)?;
    let mut removed = 0;
    for (name, _) in at::names(&dir)?.iter().filter(|(name, _)| is_temporary(name)) {
        let Ok(fd) = at::open(&dir, name, at::READ, Mode::empty()) else { continue };
        if rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_ok() {
            rustix::fs::unlinkat(&dir, name.as_slice(), AtFlags::empty())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_temporary(name: &[u8]) -> bool {
    let id = name.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    id.is_some_and(|id| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit))
}

/// Copies to the end and gives the number of bytes and their BLAKE3 in hexadecimal.
pub(super) fn copy_hashed(from: &mut (impl Read + ?Sized), to: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok((total, hasher.finalize().to_hex().to_string())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        total += u64::try_from(count).unwrap_or_default();
    }
}

/// BLAKE3 in hexadecimal.
pub(super) fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_what_is_in_work_or_foreign_stays() {
        let dir = tempfile::tempdir().unwrap();
        let fd = at::open_root(dir.path()).unwrap();
        let (left, busy) = (Temporary::new(&fd), Temporary::new(&fd));
        drop(left.create().unwrap());
        let held = busy.create().unwrap();
        held.lock().unwrap();
        std::fs::write(dir.path().join(".windrow-notes.tmp"), "").unwrap();
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert_eq!(at::names(&fd).unwrap().len(), 2);
        drop(held);
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert!(dir.path().join(".windrow-notes.tmp").exists());
    }
}
