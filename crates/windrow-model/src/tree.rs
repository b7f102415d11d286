//! What a tree and an index hold, free of any library's types.

use bstr::{BStr, BString};

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

    /// Tells whether what an index written at `written` recorded may be believed: stat data as young as the index itself may hide
    /// an edit made in the same tick.
    #[must_use]
    pub fn is_settled(&self, written: Stamp) -> bool {
        self.mtime < written && self.mtime != Stamp::default()
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

impl IndexEntry {
    /// Tells whether stat data alone proves that a file of the same kind, which has `found` now, is as it was staged in an index
    /// written at `written`; a path in conflict is staged more than once.
    #[must_use]
    pub fn is_proven_by(&self, found: &FileStat, written: Stamp) -> bool {
        self.flags.stage == 0 && self.stat.is_settled(written) && self.stat.same_file(found)
    }
}

/// Stat data as an index stores it: every number cut to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedStat {
    /// Last change of content, in seconds and nanoseconds.
    pub mtime: (u32, u32),
    /// Last change of the inode, in seconds and nanoseconds.
    pub ctime: (u32, u32),
    /// Inode number.
    pub ino: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u32,
}

impl RecordedStat {
    /// Like [`FileStat::same_file`].
    #[must_use]
    pub fn same_file(&self, found: &FileStat) -> bool {
        let Self { mtime, ctime, ino, uid, gid, size } = *self;
        [mtime.0, mtime.1, ctime.0, ctime.1, ino, uid, gid, size] == cut(found)
    }

    /// Like [`FileStat::is_settled`].
    #[must_use]
    pub fn is_settled(&self, written: Stamp) -> bool {
        let mtime = Stamp { seconds: self.mtime.0.into(), nanos: self.mtime.1 };
        FileStat { mtime, ..FileStat::default() }.is_settled(written)
    }
}

/// A file or link that an index names once, read where the index lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedFile<'a> {
    /// Slash-separated path relative to the root, raw bytes.
    pub path: &'a BStr,
    /// What it is.
    pub mode: EntryMode,
    /// The name of the staged blob, raw bytes.
    pub oid: &'a [u8],
    /// The stat data recorded when the entry was last known to be equal to the file.
    pub stat: RecordedStat,
}

impl StagedFile<'_> {
    /// Tells whether stat data alone proves that a file of the same kind, which has `found` now, is as it was staged in an index
    /// written at `written`.
    #[must_use]
    pub fn is_proven_by(&self, found: &FileStat, written: Stamp) -> bool {
        self.stat.is_settled(written) && self.stat.same_file(found)
    }
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

    #[test]
    fn stat_data_proves_a_file_only_if_it_is_older_than_the_index() {
        let (mtime, written) = (Stamp { seconds: 9, nanos: 7 }, Stamp { seconds: 10, nanos: 0 });
        let found = FileStat { mtime, ino: 1 << 40 | 5, size: 3, ..FileStat::default() };
        let stat = RecordedStat { mtime: (9, 7), ctime: (0, 0), ino: 5, uid: 0, gid: 0, size: 3 };
        let file = StagedFile { path: "a".into(), mode: EntryMode::File, oid: &[1; 20], stat };
        assert!(file.is_proven_by(&found, written));
        assert!(!file.is_proven_by(&found, mtime));
        for other in [
            FileStat { ctime: mtime, ..found },
            FileStat { mtime: Stamp { nanos: 8, ..mtime }, ..found },
            FileStat { uid: 1, ..found },
            FileStat { gid: 1, ..found },
            FileStat { size: 4, ..found },
            FileStat { ino: 6, ..found },
        ] {
            assert!(!file.is_proven_by(&other, written), "{other:?}");
        }
    }
}
