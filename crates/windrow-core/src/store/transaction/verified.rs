//! Changes to what is known of verifications.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{LandingId, LeaseId, Oid};

use super::Tx;
use crate::store::{StoreError, rows};

impl Tx<'_> {
    /// Records that a tree stood a command, with the log of that.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_verified(
        &mut self,
        tree: &Oid,
        command: &str,
        log: Option<&Path>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO verified (tree, command, log, at) VALUES (?1, ?2, ?3, ?4)";
        let values = params![tree.as_bytes(), command, log.map(rows::path_column), now.as_microsecond()];
        self.database().write("record a verification", sql, values).map(drop)
    }

    /// Records that a lease exists only to verify a landing, so that nothing in its worktree is anybody's work.
    ///
    /// It is the lease and not the worktree: the same files may be handed out again to somebody who works in them.
    ///
    /// # Errors
    /// The database failed.
    pub fn mark_trial(&mut self, lease: LeaseId, landing: LandingId) -> Result<(), StoreError> {
        let sql = "INSERT INTO trials (lease, landing) VALUES (?1, ?2)";
        let values = [lease.to_string(), landing.to_string()];
        self.database().write("mark a trial", sql, values).map(drop)
    }
}
