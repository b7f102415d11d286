//! Changes to blocks of ports.

use rusqlite::params;
use windrow_model::{PortBlock, WorktreeId};

use super::Tx;
use crate::store::StoreError;

impl Tx<'_> {
    /// Gives a worktree a block of ports, in place of one that it had; it has them until it is gone.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_ports(&mut self, worktree: WorktreeId, block: PortBlock) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO ports (worktree, first, count) VALUES (?1, ?2, ?3)";
        let values = params![worktree.to_string(), block.first, block.count];
        self.database().write("give ports", sql, values).map(drop)
    }
}
