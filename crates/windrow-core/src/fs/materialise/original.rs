//! A tree on disk that files are copied from instead of being unpacked from objects.
//!
//! Nothing depends on it: a file is taken only while its stat data is that of the moment it was written, and what cannot be
//! taken is read from the objects.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::fs::Mode;
use windrow_model::FileStat;

use super::at;
use crate::fs::reflink;

/// From which size on a file is cloned: below it the extra metadata costs more than the bytes. *Source*: measured on xfs.
const CLONED: u64 = 16 << 10;

/// How files are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Byte by byte.
    Copy,
    /// Large ones on the same blocks.
    Clone,
}

/// Files that were written before.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The directory that they are in, on the same file system where they are to be cloned.
    pub root: &'a Path,
    /// For each entry to be written the stat data of the file that holds it, by the number of the entry.
    pub known: &'a [Option<FileStat>],
    /// How they are taken over.
    pub taking: Taking,
}

/// An original whose root is open.
pub(super) struct Opened<'a> {
    root: OwnedFd,
    original: Original<'a>,
}

impl<'a> Opened<'a> {
    /// Opens an original; one that cannot be opened holds nothing.
    pub(super) fn new(original: Original<'a>) -> Option<Self> {
        Some(Self { root: at::open_root(original.root).ok()?, original })
    }

    /// The directory that the files of a chunk lie in.
    pub(super) fn directory(&self, path: &[u8]) -> Option<Source<'_>> {
        let directory = at::open_dir_same_mount(&self.root, path).ok()?;
        Some(Source { directory, original: &self.original })
    }
}

/// One directory of an original.
pub(super) struct Source<'a> {
    directory: OwnedFd,
    original: &'a Original<'a>,
}

impl Source<'_> {
    /// Fills an empty file with what an entry holds; `false`, and the file empty, when it has to come from elsewhere.
    ///
    /// # Errors
    /// The new file cannot be written.
    pub(super) fn take(
        &self,
        number: usize,
        name: &[u8],
        to: &mut File,
        buffer: &mut Vec<u8>,
    ) -> std::io::Result<bool> {
        let Some(known) = self.original.known.get(number).copied().flatten() else { return Ok(false) };
        let Some(mut from) = self.open(name, &known) else { return Ok(false) };
        if known.size == 0 {
            return Ok(true);
        }
        if self.original.taking == Taking::Clone && known.size > CLONED && reflink(&from, to).is_ok() {
            // Whoever wrote into it meanwhile has changed its time.
            return if is_as_written(&from, &known) { Ok(true) } else { to.set_len(0).map(|()| false) };
        }
        if !read(&mut from, &known, buffer) {
            return Ok(false);
        }
        to.write_all(buffer)?;
        Ok(true)
    }

    fn open(&self, name: &[u8], known: &FileStat) -> Option<File> {
        let file = File::from(rustix::fs::openat(&self.directory, name, at::READ, Mode::empty()).ok()?);
        is_as_written(&file, known).then_some(file)
    }
}

fn is_as_written(file: &File, known: &FileStat) -> bool {
    at::stat_of(file).is_ok_and(|(found, _)| known.same_file(&found))
}

/// Reads a whole file; `false` when it is not, or no longer, as it was written.
fn read(from: &mut File, known: &FileStat, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    let Ok(size) = usize::try_from(known.size) else { return false };
    buffer.resize(size, 0);
    from.read_exact(buffer).is_ok() && is_as_written(from, known)
}
