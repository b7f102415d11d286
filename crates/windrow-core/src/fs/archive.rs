//! The archive of a rescue: what the object database must not hold, packed, proven and unpacked.
//!
//! A `.tar.zst` that GNU tar reads as well: long names as GNU long-name records (which, unlike pax records, no reader
//! splits at newlines), times to the nanosecond as pax records, and a checksum of the whole in the zstd frame.
//!
//! # Locking
//! An archive in work is locked (`flock`), which tells it from what a crash left behind.
//!
//! # Crash safety
//! Written under a temporary name, synced, read back and compared, renamed without replacing, directory synced.
//! [`remove_leftovers`](super::remove_leftovers) removes what a crash left; unpacking is repeated with
//! [`Overwrite::Replace`].
//!
//! # Compatibility
//! Owners, hard links, extended attributes and holes are not kept: a hard link comes back as a file of its own.

mod collect;
mod format;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::io::Errno;
use windrow_model::Stamp;

pub use self::{
    read::{list_archive, read_archive},
    write::write_archive,
};
use super::{at, temporary};

/// Something to be archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveItem {
    /// Its name in the archive, relative, such as `tree/.env`.
    pub path: BString,
    /// The directory below which it lies, itself trusted.
    pub root: PathBuf,
    /// Where it lies below `root`; no symbolic link is followed on the way.
    pub source: BString,
    /// How much of a directory is taken.
    pub extent: Extent,
}

/// How much of a directory is archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It and all that lies in it.
    Whole,
    /// Its mode and time alone.
    Alone,
}

/// What kind of thing an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// One thing in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its name in the archive.
    pub path: BString,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Length in bytes; 0 for all but files.
    pub size: u64,
    /// Last change of content.
    pub mtime: Stamp,
    /// Where a symbolic link leads; empty for all others.
    pub target: BString,
    /// BLAKE3 of the content or of the target in lower-case hexadecimal; that of nothing for all others.
    pub hash: String,
}

/// What was archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Length of the archive in bytes.
    pub bytes: u64,
    /// How many entries it holds.
    pub files: u64,
    /// What it holds, in its order: parents before children.
    pub entries: Vec<ArchiveEntry>,
    /// Sockets and devices, which have no content to save, by their name in the archive.
    pub skipped: Vec<BString>,
}

/// A directory into which a part of an archive is unpacked.
#[derive(Clone, Copy, Debug)]
pub struct RestoreRoot<'a> {
    /// What names in the archive begin with, such as `tree/`; the rest is the path below `root`.
    pub prefix: &'a [u8],
    /// The directory, which exists.
    pub root: &'a Path,
}

/// What happens when something is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// An error, before anything is written.
    Refuse,
    /// Files and links are replaced, directories get mode and time; a directory in the way of a file is an error.
    Replace,
}

/// Why an archive was not written or not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// More content than allowed.
    #[error("content of at least {bytes} bytes is above the limit of {limit}")]
    TooLarge {
        /// How much there is, as far as it was added up.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It changed while it was read.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// Its name in the archive.
        path: BString,
    },
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Source {
        /// Its name in the archive.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is mounted inside what is to be archived.
    #[error("`{path}` is a mount point")]
    Mount {
        /// Its name in the archive.
        path: BString,
    },
    /// A name that may not be in an archive, or is in it twice.
    #[error("name `{path}` is refused: {why}")]
    Name {
        /// The name.
        path: BString,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something is already there.
    #[error("`{}` already exists", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The archive is not what was written.
    #[error("archive `{}` is damaged at `{entry}`", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// The entry; empty when it is the archive as a whole.
        entry: BString,
        /// What the reader says, if it says anything.
        #[source]
        source: Option<io::Error>,
    },
    /// No space, inodes or quota left.
    #[error("cannot write `{}`: no space left", path.display())]
    NoSpace {
        /// What was written.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive cannot be opened.
    #[error("cannot open archive `{}`", path.display())]
    Open {
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ArchiveError {
    fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace { path },
            Some(Errno::EXIST) => Self::Exists { path },
            _ => Self::Write { path, source },
        }
    }
}

/// Names in an archive are relative and lead nowhere but down.
fn check_name(path: &[u8]) -> Result<(), ArchiveError> {
    let refuse = |why| Err(ArchiveError::Name { path: path.into(), why });
    if path.contains(&0) {
        return refuse("it holds a NUL byte");
    }
    if path.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
        return refuse("it has a component that is empty, `.` or `..`");
    }
    Ok(())
}
