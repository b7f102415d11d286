//! How much room things take, and the guard before a worktree is made.

use std::ops::AddAssign;

/// What lies in a tree, and how much of it nothing else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Sum of the lengths of files and links, in bytes; holes count, directories do not.
    pub apparent_bytes: u64,
    /// What the file system set aside for it, in bytes; directories count.
    pub allocated_bytes: u64,
    /// How many of these other files hold as well, in or outside of the tree; `None` when that cannot be told.
    pub shared_bytes: Option<u64>,
    /// Files, links and directories; several names of one file are one.
    pub inodes: u64,
}

/// Nothing: all of it is told.
impl Default for Usage {
    fn default() -> Self {
        Self { apparent_bytes: 0, allocated_bytes: 0, shared_bytes: Some(0), inodes: 0 }
    }
}

impl Usage {
    /// The bytes that nothing else holds; `None` when that cannot be told.
    #[must_use]
    pub fn unique_bytes(&self) -> Option<u64> {
        Some(self.allocated_bytes.saturating_sub(self.shared_bytes?))
    }

    /// The bytes that count against a budget: the unique ones, or all where these cannot be told.
    #[must_use]
    pub fn charged_bytes(&self) -> u64 {
        self.unique_bytes().unwrap_or(self.allocated_bytes)
    }
}

/// Adds what lies elsewhere; a file that has names in both counts twice.
impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.apparent_bytes = self.apparent_bytes.saturating_add(other.apparent_bytes);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        let both = self.shared_bytes.zip(other.shared_bytes);
        self.shared_bytes = both.map(|(own, others)| own.saturating_add(others));
        self.inodes = self.inodes.saturating_add(other.inodes);
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// What a new worktree needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceNeed {
    /// Bytes of files, tree and carry together.
    pub bytes: u64,
    /// How many files and directories.
    pub files: u64,
}

/// What the file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceGuard {
    /// Bytes that this user may still use.
    pub free_bytes: u64,
    /// Size of the file system in bytes.
    pub total_bytes: u64,
    /// Inodes that are free; `None` where the file system makes them as needed.
    pub free_inodes: Option<u64>,
    /// Bytes to leave free whatever happens, besides 5 % of the file system; 1 GiB by default.
    pub reserve_bytes: u64,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceShortage {
    /// Too few bytes.
    #[error("{free} bytes are free and {needed} are needed")]
    Bytes {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed, the reserve included.
        needed: u64,
    },
    /// Too few inodes.
    #[error("{free} inodes are free and {needed} are needed")]
    Inodes {
        /// Inodes that are free.
        free: u64,
        /// Inodes that are needed.
        needed: u64,
    },
}

/// Checks that a worktree fits: bytes ≥ need + max(reserve, 5 % of the file system, at most ten reserves), inodes ≥ 1.2 × files.
///
/// # Errors
/// What is missing.
pub fn check_space(need: &SpaceNeed, guard: &SpaceGuard) -> Result<(), SpaceShortage> {
    let share = (guard.total_bytes / 20).min(guard.reserve_bytes.saturating_mul(10));
    let needed = need.bytes.saturating_add(guard.reserve_bytes.max(share));
    if guard.free_bytes < needed {
        return Err(SpaceShortage::Bytes { free: guard.free_bytes, needed });
    }
    let inodes = need.files.saturating_add(need.files / 5);
    match guard.free_inodes {
        Some(free) if free < inodes => Err(SpaceShortage::Inodes { free, needed: inodes }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: SpaceGuard = SpaceGuard {
        free_bytes: 10 << 30,
        total_bytes: 20 << 30,
        free_inodes: Some(120),
        reserve_bytes: 1 << 30,
    };

    #[test]
    fn what_is_shared_somewhere_unknown_is_unknown_in_the_sum_and_charged_whole() {
        let usage = |allocated_bytes, shared_bytes| Usage {
            apparent_bytes: 1,
            allocated_bytes,
            shared_bytes,
            inodes: 2,
        };
        let told: Usage = [usage(100, Some(30)), usage(50, Some(0))].into_iter().sum();
        assert_eq!(
            told,
            Usage { apparent_bytes: 2, allocated_bytes: 150, shared_bytes: Some(30), inodes: 4 }
        );
        assert_eq!((told.unique_bytes(), told.charged_bytes()), (Some(120), 120));
        let untold: Usage = [told, usage(8, None)].into_iter().sum();
        assert_eq!((untold.unique_bytes(), untold.charged_bytes()), (None, 158));
        assert_eq!(Usage::default().unique_bytes(), Some(0));
    }

    #[test]
    fn bytes_and_inodes_are_guarded_at_the_edge() {
        let need = |bytes, files| SpaceNeed { bytes, files };
        assert_eq!(check_space(&need(9 << 30, 100), &GUARD), Ok(()));
        assert!(matches!(check_space(&need((9 << 30) + 1, 100), &GUARD), Err(SpaceShortage::Bytes { .. })));
        assert!(matches!(check_space(&need(0, 101), &GUARD), Err(SpaceShortage::Inodes { .. })));
        let dynamic = SpaceGuard { free_inodes: None, ..GUARD };
        assert_eq!(check_space(&need(0, u64::MAX), &dynamic), Ok(()));
    }
}
