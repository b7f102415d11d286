//! Takes untracked files along from the main worktree into a new one.
//!
//! Planning reads and decides, carrying writes: each file under a temporary name first, then renamed, never over
//! something that is there and never through a symbolic link of either side.
//!
//! # Crash safety
//! A worktree whose carry was cut off was never handed out and is made again from the start.

mod copy;
mod patterns;
mod plan;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    io,
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::io::Errno;
use windrow_model::CarriedFile;

pub use self::{
    copy::carry,
    patterns::CarryPatterns,
    plan::plan_carry,
    verify::{CarriedChange, CarriedState, verify_carried},
};
use super::{PatternError, at, temporary};

/// What git says of an untracked path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GitStanding {
    /// Untracked and not ignored.
    Untracked,
    /// Ignored.
    Ignored,
}

/// An untracked file or directory of the main worktree, as git lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Path relative to the root, raw bytes; a slash at the end is allowed.
    pub path: BString,
    /// What git says of it; for a directory, of all that lies in it.
    pub standing: GitStanding,
}

/// What is carried, and where.
#[derive(Clone, Copy, Debug)]
pub struct CarryRequest<'a> {
    /// The main worktree.
    pub from: &'a Path,
    /// The new worktree.
    pub to: &'a Path,
    /// What the files and the configuration ask for.
    pub patterns: &'a CarryPatterns,
    /// Directories that are never taken or entered, absolute: the pool, the git directory.
    pub never: &'a [PathBuf],
    /// How much may be carried in all, in bytes.
    pub max_bytes: u64,
}

/// What one planned path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedKind {
    /// A file to be copied.
    File,
    /// A symbolic link to be copied, with its target.
    Symlink(BString),
    /// A directory to be made.
    Directory,
    /// A link to the main worktree's own is made.
    Link,
}

/// One path that will be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCarry {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// What it is and what happens.
    pub kind: PlannedKind,
    /// Length in bytes of a file, else 0.
    pub bytes: u64,
}

/// Why something that was asked for was not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The new worktree has something there already.
    AlreadyThere,
    /// A directory on the way is a link or a file in the new worktree.
    Blocked,
    /// A link that leads out of the repository.
    LeadsOut,
    /// A repository or worktree of its own.
    Repository,
    /// Something is mounted there.
    Mount,
    /// A socket, fifo or device.
    Special,
    /// One of the directories that are never taken.
    Never,
    /// A directory that nothing asked for by name and that cannot be searched.
    Unreadable,
}

/// What will be carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarryPlan {
    /// Sorted bytewise by path, so that directories come before what they hold.
    pub items: Vec<PlannedCarry>,
    /// What will not be, in the order of `items`.
    pub skipped: Vec<(BString, SkipReason)>,
    /// Sum of the lengths of files, in bytes.
    pub bytes: u64,
}

/// What was carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// All that was made, directories before what they hold.
    pub files: Vec<CarriedFile>,
    /// Bytes of files.
    pub bytes: u64,
    /// What was not carried, of the plan and since.
    pub skipped: Vec<(BString, SkipReason)>,
}

/// Why files were not carried; what was carried before stays and is the caller's to remove.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// A pattern cannot be understood.
    #[error("cannot read the patterns of `{origin}`")]
    Pattern {
        /// The file or setting.
        origin: &'static str,
        /// Which.
        #[source]
        source: PatternError,
    },
    /// A file of patterns cannot be read or is not UTF-8.
    #[error("cannot read `{file}`")]
    PatternFile {
        /// The file.
        file: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than may be carried.
    #[error("files of {bytes} bytes are above the limit of {limit}; the largest is `{largest}`")]
    TooLarge {
        /// How much there is.
        bytes: u64,
        /// The limit.
        limit: u64,
        /// The largest file.
        largest: BString,
    },
    /// Something of the main worktree cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Path relative to the root.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file kept changing while it was copied.
    #[error("`{path}` changes while it is copied")]
    Changed {
        /// Path relative to the root.
        path: BString,
    },
    /// No space, inodes or quota left.
    #[error("cannot write `{path}`: no space left")]
    NoSpace {
        /// Path relative to the root.
        path: BString,
    },
    /// Anything else.
    #[error("cannot write `{path}`")]
    Write {
        /// Path relative to the root; empty for the root.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CarryError {
    fn read(path: &[u8], source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    fn write(path: &[u8], source: io::Error) -> Self {
        let path = BString::from(path);
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace { path },
            _ => Self::Write { path, source },
        }
    }
}
