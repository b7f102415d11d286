//! Room on a file system, as df(1) tells it, with everything written out first.

use std::fs::File;
use std::path::Path;

use crate::Result;

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) used: u64,
    pub(super) available: u64,
}

impl Space {
    /// Looks at the file system that holds `path`.
    ///
    /// *Source*: statvfs(3).
    ///
    /// # Errors
    ///
    /// Fails when there is no such path.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let directory = File::open(path)?;
        rustix::fs::syncfs(&directory)?;
        let told = rustix::fs::fstatvfs(&directory)?;
        let used = (told.f_blocks - told.f_bfree) * told.f_frsize;
        Ok(Self { used, available: told.f_bavail * told.f_frsize })
    }
}

/// How many of `wanted` worktrees there is room for, when two are there and each further one takes `each` bytes.
pub(super) fn that_fit(wanted: usize, each: u64, available: u64) -> usize {
    // A tenth stays free, and what windrow itself insists on (`pool.min_free`).
    let room = (available / 10 * 9).saturating_sub(1 << 30);
    let further = room.checked_div(each).unwrap_or(u64::MAX);
    wanted.min(usize::try_from(further.saturating_add(2)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use windrow_testkit::{FileSystem, loop_fs, root_only};

    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn no_more_are_made_than_fit() {
        assert_eq!(that_fit(30, GIB, 100 * GIB), 30);
        assert_eq!(that_fit(30, GIB, 20 * GIB), 2 + 17);
        assert_eq!(that_fit(30, GIB, GIB), 2);
        assert_eq!(that_fit(30, 0, GIB), 30);
        assert_eq!(that_fit(1, GIB, GIB), 1);
    }

    #[test]
    fn what_was_just_written_is_used() {
        let Some(root) = root_only("an image that nobody else writes to") else { return };
        let Some(image) = loop_fs(root, FileSystem::Ext4, 64 << 20) else { return };
        let before = Space::of(image.path()).expect("it is there");
        fs::write(image.path().join("file"), vec![7; 8 << 20]).expect("there is room");
        let after = Space::of(image.path()).expect("it is there");
        let more = after.used - before.used;
        assert!((8 << 20..9 << 20).contains(&more), "{before:?} {after:?}");
        assert!(after.available < before.available);
    }
}
