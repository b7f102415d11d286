//! Blocks of ports: no two live worktrees share one, and none is given that somebody listens on.
//!
//! # Locking
//! A block is chosen and written in the transaction that claims the worktree. Other repositories of the host choose from the same
//! range without knowing of ours; each begins at another place, and what they listen on is seen.

use windrow_model::{PortBlock, choose_ports};

use super::{
    error::{AcquireError, StateError},
    pool::Pool,
};
use crate::{process, store::Tx};

/// Chooses a block for a new worktree; `None` when the configuration wants none.
pub(super) fn choose(
    pool: &Pool,
    tx: &Tx<'_>,
) -> Result<Result<Option<PortBlock>, AcquireError>, StateError> {
    let settings = &pool.settings().ports;
    let count = u16::try_from(settings.count).unwrap_or(u16::MAX);
    if count == 0 {
        return Ok(Ok(None));
    }
    let taken = tx.port_blocks()?;
    let chosen = choose_ports(settings.range, count, first_choice(pool), &taken, process::is_port_free);
    let none = || AcquireError::NoPorts { count, range: settings.range };
    Ok(chosen.map(Some).ok_or_else(none))
}

/// Where this repository begins to look, so that others begin elsewhere.
fn first_choice(pool: &Pool) -> u64 {
    use std::os::unix::ffi::OsStrExt;
    let hash = blake3::hash(pool.repository().common_dir.as_os_str().as_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}
