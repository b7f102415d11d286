//! What a tree and an index hold, free of any library's types.

use bstr::BString;

use crate::Oid;

/// What kind of thing a tree entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryMode {
    /// A regular file, 100644.
    File,
    /// A regular file with the execute bit, 100755.
    Executable,
    /// A symbolic link, 120000; its blob is the target.
    Symlink,
    /// A submodule's commit, 160000; an empty directory until populated.
    Gitlink,
}

impl EntryMode {
    /// The mode in git's octal notation, as a number.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::File => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Symlink => 0o120_000,
            Self::Gitlink => 0o160_000,
        }
    }
}

/// One file of a tree, with its full path from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Slash-separated path relative to the root, raw bytes, never empty.
    pub path: BString,
    /// What it is.
    pub mode: EntryMode,
    /// Its blob, or for a gitlink its commit.
    pub oid: Oid,
}

/// A moment as file systems record it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

/// The stat data by which git decides whether a file may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileStat {
    /// Last change of content.
    pub mtime: Stamp,
    /// Last change of the inode; cannot be set by a program.
    pub ctime: Stamp,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
}

impl FileStat {
    /// Tells whether an index that recorded `self` still describes a file that now has `found`.
    ///
    /// Compares as the index stores: every field cut to 32 bits. Device numbers are left out, as in git, because they
    /// change at a reboot. *Source*: gitformat-index(5).
    #[must_use]
    pub fn same_file(&self, found: &Self) -> bool {
        cut(self) == cut(found)
    }
}

fn cut(stat: &FileStat) -> [u32; 8] {
    [
        low(stat.mtime.seconds.cast_unsigned()),
        stat.mtime.nanos,
        low(stat.ctime.seconds.cast_unsigned()),
        stat.ctime.nanos,
        low(stat.ino),
        stat.uid,
        stat.gid,
        low(stat.size),
    ]
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

/// Flags of an index entry that decide what `git status` hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexFlags {
    /// Merge stage, 0 when merged, else 1 to 3.
    pub stage: u8,
    /// `update-index --assume-unchanged`.
    pub assume_unchanged: bool,
    /// `update-index --skip-worktree`, also set by sparse checkout.
    pub skip_worktree: bool,
    /// `add --intent-to-add`.
    pub intent_to_add: bool,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Slash-separated path relative to the root, raw bytes.
    pub path: BString,
    /// What it is.
    pub mode: EntryMode,
    /// The staged blob or commit.
    pub oid: Oid,
    /// The stat data recorded when the entry was last known to be equal to the file.
    pub stat: FileStat,
    /// Its flags.
    pub flags: IndexFlags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_comparison_is_cut_to_32_bits_and_ignores_the_device() {
        let recorded = FileStat { size: 7, ino: 1 << 40 | 5, dev: 1, ..FileStat::default() };
        let found = FileStat { ino: 5, dev: 2, ..recorded };
        assert!(recorded.same_file(&found));
        assert!(!recorded.same_file(&FileStat { size: 8, ..recorded }));
    }
}
