//! How much room a tree takes, and how much of it nothing else holds.
//!
//! # File systems
//! Where files cannot share blocks nothing is asked about any file. Elsewhere the extents of each one tell it, except
//! of those that take no block of their own: what is empty, and on btrfs what lies inside its metadata, which counts
//! as unique. What is not written out yet is nobody else's. A file that this user may not read leaves the shared bytes
//! of the whole tree unknown.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    io,
    num::NonZeroUsize,
    os::fd::OwnedFd,
    path::Path,
    sync::{Mutex, PoisonError},
};

use bstr::BString;
use rustix::{fs::FileType, io::Errno};
use windrow_model::Usage;

#[cfg(target_os = "linux")]
use self::linux::Sharing;
#[cfg(not(target_os = "linux"))]
use self::other::Sharing;
use super::{
    at::{self, Looked},
    spread::spread,
};

/// Why the room that a tree takes cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot look at `{path}`")]
pub struct UsageError {
    /// Path relative to what was asked about; empty for that itself.
    pub path: BString,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl UsageError {
    fn at(path: &[u8], source: impl Into<io::Error>) -> Self {
        Self { path: path.into(), source: source.into() }
    }
}

/// Adds up what lies at a path, itself included, with `threads` threads; nothing when nothing is there.
///
/// No symbolic link is followed and no mount point entered. A file with several names counts once. What vanishes
/// meanwhile does not count.
///
/// # Errors
/// A directory that cannot be read.
pub fn usage_of(path: &Path, threads: NonZeroUsize) -> Result<Usage, UsageError> {
    let failed = |source| UsageError::at(b"", source);
    let root = match at::open_root(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Usage::default()),
        Err(error) if is_no_directory(&error) => return usage_of_leaf(path).map_err(failed),
        opened => opened.map_err(failed)?,
    };
    let usage = tally(&at::look(&root, b".").map_err(failed)?, Some(0));
    let seen = Mutex::new(Seen { usage, linked: HashSet::new() });
    let counter = Counter { sharing: Sharing::of(&root), root, seen };
    spread(threads, BString::default(), |directory| counter.count(&directory))?;
    let seen = counter.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(seen.usage)
}

fn is_no_directory(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOTDIR | Errno::LOOP))
}

fn usage_of_leaf(path: &Path) -> io::Result<Usage> {
    use std::os::unix::ffi::OsStrExt;

    let (name, parent) = path.file_name().zip(path.parent()).ok_or(io::ErrorKind::InvalidInput)?;
    let (name, directory) = (name.as_bytes(), at::open_root(parent)?);
    let looked = at::look_if_there(&directory, name)?;
    Ok(looked.map_or_else(Usage::default, |looked| {
        tally(&looked, Sharing::of(&directory).of_file(&directory, name, &looked))
    }))
}

fn tally(looked: &Looked, shared_bytes: Option<u64>) -> Usage {
    Usage {
        apparent_bytes: if looked.kind().is_dir() { 0 } else { looked.stat.size },
        allocated_bytes: looked.allocated,
        // An extent may be longer than what is left of its file.
        shared_bytes: shared_bytes.map(|shared| shared.min(looked.allocated)),
        inodes: 1,
    }
}

/// What was counted so far.
struct Seen {
    usage: Usage,
    /// Device and inode of each file with several names.
    linked: HashSet<(u64, u64)>,
}

struct Counter {
    root: OwnedFd,
    sharing: Sharing,
    seen: Mutex<Seen>,
}

impl Counter {
    /// Counts a directory with its leaves, and names the directories in it.
    fn count(&self, path: &BString) -> Result<Vec<BString>, UsageError> {
        let fd = match at::open_dir_same_mount(&self.root, path) {
            Ok(fd) => fd,
            Err(error) if is_elsewhere(&error) && !path.is_empty() => return Ok(Vec::new()),
            Err(error) => return Err(UsageError::at(path, error)),
        };
        let failed = |error| UsageError::at(path, error);
        let (mut usage, mut linked, mut inside) = (Usage::default(), Vec::new(), Vec::new());
        for (name, _) in at::names(&fd).map_err(failed)? {
            let full = at::join(path, &name);
            let looked = at::look_if_there(&fd, &name).map_err(|error| UsageError::at(&full, error))?;
            match looked {
                None => {}
                Some(looked) if looked.mount => {}
                Some(looked) if looked.kind().is_dir() => {
                    usage += tally(&looked, Some(0));
                    inside.push(full.into());
                }
                Some(looked) => {
                    let one = tally(&looked, self.sharing.of_file(&fd, &name, &looked));
                    match looked.links {
                        0 | 1 => usage += one,
                        _ => linked.push(((looked.stat.dev, looked.stat.ino), one)),
                    }
                }
            }
        }
        self.add(usage, linked);
        Ok(inside)
    }

    fn add(&self, usage: Usage, linked: Vec<((u64, u64), Usage)>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.usage += usage;
        for (file, one) in linked {
            if seen.linked.insert(file) {
                seen.usage += one;
            }
        }
    }
}

/// It vanished, became something else, or something was mounted there.
fn is_elsewhere(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV];
    Errno::from_io_error(error).is_some_and(|error| gone.contains(&error))
}

/// Tells whether a leaf has blocks that others may hold.
fn has_blocks(looked: &Looked) -> bool {
    looked.kind() == FileType::RegularFile && looked.allocated > 0 && looked.stat.size > 0
}
