//! The guard before a worktree is made.

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
    fn bytes_and_inodes_are_guarded_at_the_edge() {
        let need = |bytes, files| SpaceNeed { bytes, files };
        assert_eq!(check_space(&need(9 << 30, 100), &GUARD), Ok(()));
        assert!(matches!(check_space(&need((9 << 30) + 1, 100), &GUARD), Err(SpaceShortage::Bytes { .. })));
        assert!(matches!(check_space(&need(0, 101), &GUARD), Err(SpaceShortage::Inodes { .. })));
        let dynamic = SpaceGuard { free_inodes: None, ..GUARD };
        assert_eq!(check_space(&need(0, u64::MAX), &dynamic), Ok(()));
    }
}
