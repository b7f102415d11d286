//! Walks a worktree and lists all that lies in it, so that a rescue can prove that nothing was missed.
//!
//! No symbolic link is followed and no mount point entered; a directory that cannot be read is an error, because what
//! was not seen cannot be called saved.

#[cfg(test)]
mod tests;
mod walk;
mod witness;

use std::{collections::HashSet, io, num::NonZeroUsize, os::fd::AsFd, path::Path};

use bstr::{BStr, BString};
use windrow_model::{Disposable, EntryMode, FileStat, StagedFile, Stamp};

use self::walk::Walk;
pub use self::witness::{Witness, witness};
use super::{Patterns, at};

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoundKind {
    /// A regular file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink,
    /// A directory with nothing in it.
    Directory,
    /// A directory that holds a `.git`; not entered.
    Repository,
    /// Something is mounted there; not entered.
    Mount,
    /// A fifo, socket or device.
    Other,
}

impl FoundKind {
    /// Tells whether a tracked path of this mode looks like that on disk.
    #[must_use]
    pub fn is(self, mode: EntryMode) -> bool {
        match (self, mode) {
            (Self::File { executable }, EntryMode::File) => !executable,
            (Self::File { executable }, EntryMode::Executable) => executable,
            (Self::Symlink, EntryMode::Symlink)
            | (Self::Directory | Self::Repository, EntryMode::Gitlink) => true,
            _ => false,
        }
    }
}

/// One thing that lies in a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// What it is.
    pub kind: FoundKind,
    /// Its stat data.
    pub stat: FileStat,
    /// `st_mode`, the type included.
    pub mode: u32,
}

/// A directory that was not entered because all in it can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedDirectory {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// Why.
    pub why: Disposable,
}

/// All that lies in a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// What was found, sorted bytewise by path; tracked files are among it.
    pub found: Vec<Found>,
    /// What was left out, sorted bytewise by path.
    pub dropped: Vec<DroppedDirectory>,
    /// Directories that were entered and have a mode that no checkout gives, sorted bytewise by path.
    pub odd: Vec<Found>,
    /// How many files are as an index says, and therefore not among what was found.
    pub as_known: usize,
}

/// The directories that hold tracked files, at any depth.
#[derive(Clone, Debug, Default)]
pub struct TrackedDirectories(HashSet<BString>);

impl TrackedDirectories {
    /// Collects them from the paths of all tracked files.
    pub fn from_files<'a>(paths: impl IntoIterator<Item = &'a BStr>) -> Self {
        let mut all = HashSet::new();
        for path in paths {
            let mut directory = at::split(path).0;
            while !directory.is_empty() && !all.contains(BStr::new(directory)) {
                all.insert(BString::from(directory));
                directory = at::split(directory).0;
            }
        }
        Self(all)
    }

    /// Tells whether a directory holds a tracked file.
    #[must_use]
    pub fn contains(&self, directory: &BStr) -> bool {
        self.0.contains(directory)
    }
}

/// What an index says of the files that lie there.
#[derive(Clone, Copy, Debug)]
pub struct KnownFiles<'a> {
    /// Its entries, in index order.
    pub files: &'a [StagedFile<'a>],
    /// When it was written.
    pub written: Stamp,
}

/// Where files lie that somebody tracks.
#[derive(Clone, Copy, Debug)]
pub enum Tracked<'a> {
    /// In these directories; every file is told of.
    In(&'a TrackedDirectories),
    /// Where an index says; files that its stat data proves to be as it says are only counted.
    Known(KnownFiles<'a>),
}

/// How a worktree is walked.
#[derive(Clone, Copy, Debug)]
pub struct ScanRules<'a> {
    /// A directory with tracked files is entered even if its name says that it can be made again.
    pub tracked: Tracked<'a>,
    /// The user's own patterns of what may be dropped; here they decide about whole directories.
    pub disposable: &'a Patterns,
    /// How many threads walk.
    pub threads: NonZeroUsize,
}

/// Why a worktree could not be seen whole.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A directory or file cannot be looked at.
    #[error("cannot look at `{path}`")]
    Unreadable {
        /// Path relative to the root; empty for the root.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ScanError {
    fn unreadable(path: &[u8], source: io::Error) -> Self {
        Self::Unreadable { path: path.into(), source }
    }
}

/// Lists all that lies in a worktree, except the `.git` at its root.
///
/// Directories are listed only when they are empty, hold a repository or are mount points.
///
/// # Errors
/// Anything that cannot be looked at.
pub fn scan(root: &Path, rules: &ScanRules<'_>) -> Result<Scan, ScanError> {
    let root = at::open_root(root).map_err(|source| ScanError::unreadable(b"", source))?;
    let mut scan = Walk::new(root, rules).run()?;
    scan.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    scan.odd.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    scan.dropped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(scan)
}

/// How much lies at a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Sum of the lengths of files in bytes; holes count.
    pub bytes: u64,
    /// Files, links and other leaves.
    pub files: u64,
}

/// Adds up what lies at a path, without following symbolic links or entering mount points.
///
/// # Errors
/// Anything that cannot be looked at.
pub fn size_of(path: &Path) -> io::Result<Size> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Ok(Size { bytes: meta.len(), files: 1 });
    }
    let root = at::open_root(path)?;
    let mut size = Size::default();
    let mut waiting = vec![Vec::new()];
    while let Some(directory) = waiting.pop() {
        let fd = at::open_dir(&root, &directory)?;
        for (name, _) in at::names(&fd)? {
            add_to_size(fd.as_fd(), &directory, &name, &mut size, &mut waiting)?;
        }
    }
    Ok(size)
}

fn add_to_size(
    fd: impl AsFd,
    directory: &[u8],
    name: &[u8],
    size: &mut Size,
    waiting: &mut Vec<Vec<u8>>,
) -> io::Result<()> {
    // What vanished since the names were read has no size.
    let Some(looked) = at::look_if_there(fd, name)? else { return Ok(()) };
    if !looked.kind().is_dir() {
        size.bytes = size.bytes.saturating_add(looked.stat.size);
        size.files += 1;
    } else if !looked.mount {
        waiting.push(at::join(directory, name));
    }
    Ok(())
}
