//! The facts kept about worktrees, leases, rescues and those who wait.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use bstr::BString;
use jiff::Timestamp;

use crate::{
    BranchName, Fence, Holder, LeaseId, LeaseKey, Oid, ProcessIdentity, RescueId, WorktreeId, WorktreeName,
    WorktreeState,
};

/// What tells a directory from every other one, across reboots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DirectoryIdentity {
    /// The file system's own id (statfs `f_fsid`); device numbers change at a reboot.
    pub filesystem: u64,
    /// Inode number.
    pub inode: u64,
    /// Birth time in nanoseconds since 1970, where the file system records one. *Source*: statx(2).
    pub born_nanos: Option<i64>,
}

/// Who made a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchOrigin {
    /// Windrow, for this worktree.
    Created,
    /// Windrow, for a former worktree of the same key; what that one committed is on it.
    Continued,
    /// It was there before, so it is never deleted.
    Existing,
}

/// What a worktree's HEAD was set to when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// A branch.
    Branch {
        /// Its name.
        name: BranchName,
        /// Who made it.
        origin: BranchOrigin,
    },
    /// The base commit itself.
    Detached,
}

impl Checkout {
    /// The branch, if there is one.
    #[must_use]
    pub fn branch(&self) -> Option<&BranchName> {
        match self {
            Self::Branch { name, .. } => Some(name),
            Self::Detached => None,
        }
    }
}

/// A worktree that Windrow made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeRecord {
    /// Its id, for ever.
    pub id: WorktreeId,
    /// Its name, unique among those that are not gone.
    pub name: WorktreeName,
    /// The root of its files, absolute.
    pub path: PathBuf,
    /// Its administrative directory below `<common>/worktrees/`, absolute.
    pub admin: PathBuf,
    /// Identity of `path`, once it was made.
    pub identity: Option<DirectoryIdentity>,
    /// Where it is in its life.
    pub state: WorktreeState,
    /// The commit it was made from.
    pub base: Oid,
    /// The branch that the base named, on which a landing lands.
    pub target: Option<BranchName>,
    /// What HEAD was set to.
    pub checkout: Checkout,
    /// When creation began.
    pub created_at: Timestamp,
    /// Until when a kept worktree stays.
    pub keep_until: Option<Timestamp>,
    /// Why it is quarantined.
    pub doubt: Option<String>,
    /// The boot under which its files were written; after another one an idle worktree is verified again.
    pub boot_id: String,
}

/// The exclusive right to use one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Its id, for ever.
    pub id: LeaseId,
    /// The worktree.
    pub worktree: WorktreeId,
    /// Who has it.
    pub holder: Holder,
    /// The caller's own name for it.
    pub key: Option<LeaseKey>,
    /// The number that every mutation by the holder carries.
    pub fence: Fence,
    /// When it ends by time alone; `None` while a watched process holds it.
    pub expires_at: Option<Timestamp>,
    /// When it was given.
    pub acquired_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// For how long the worktree stays after the end.
    pub keep: Option<Duration>,
    /// The reaper of a supervised command.
    pub reaper: Option<ProcessIdentity>,
}

/// How a carried path was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedKind {
    /// A copied file with its content hash.
    File,
    /// A copied symbolic link.
    Symlink,
    /// A directory that was made.
    Directory,
    /// A symbolic link to the main worktree's own file or directory (`.worktreelink`).
    Link,
}

impl CarriedKind {
    /// Every kind with its word on disk.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::File, "file"),
        (Self::Symlink, "symlink"),
        (Self::Directory, "directory"),
        (Self::Link, "link"),
    ];

    /// The word on disk.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(kind, _)| *kind == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for CarriedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CarriedKind {
    type Err = String;

    /// Reads [`CarriedKind::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| text.to_owned())
    }
}

/// A file that was taken along from the main worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedFile {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// How it was brought.
    pub kind: CarriedKind,
    /// BLAKE3 of the content (of the target, for links; empty for directories), as lower-case hexadecimal.
    pub hash: String,
    /// Permission bits.
    pub mode: u32,
    /// Length in bytes.
    pub size: u64,
}

/// Everything that a worktree had beyond its branch, saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescueRecord {
    /// Its id, for ever.
    pub id: RescueId,
    /// The worktree it came from.
    pub worktree: WorktreeId,
    /// That worktree's name.
    pub name: WorktreeName,
    /// The commit HEAD was at.
    pub head: Oid,
    /// The branch HEAD was on.
    pub branch: Option<BranchName>,
    /// The snapshot commit, kept by `refs/windrow/rescue/<id>`.
    pub commit: Option<Oid>,
    /// The tree of what was staged.
    pub index_tree: Option<Oid>,
    /// The archive of what the snapshot cannot hold, absolute.
    pub archive: Option<PathBuf>,
    /// Length of the archive in bytes.
    pub archive_bytes: u64,
    /// How many paths it holds.
    pub paths: u64,
    /// When it was proven complete.
    pub created_at: Timestamp,
}

/// Somebody who waits for a worktree, first come first served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The place in the queue; lower comes first.
    pub ticket: u64,
    /// The waiting process.
    pub process: ProcessIdentity,
}
