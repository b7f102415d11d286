//! What was everybody's when a lease was given, as rows.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};
use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{Fingerprint, LeaseId, LeaseRecord, Watched, WorktreeName};

use super::{Records, StoreError, Tx, rows};

/// The row that holds the instant.
const TAKEN: &str = "taken";

impl Records {
    /// Reads what was everybody's when a lease was given; `None` when nobody looked, or the lease ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn fingerprint(&self, lease: LeaseId) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT kind, name, value FROM fingerprints WHERE lease = ?1";
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
        };
        let found = self.database().list("read a fingerprint", sql, [lease.to_string()], row)?;
        let (mut taken_at, mut facts) = (None, BTreeMap::new());
        for (kind, name, value) in found {
            if kind == TAKEN {
                taken_at = name.to_str().ok().and_then(|text| text.parse::<Timestamp>().ok());
            } else if let Some((kind, _)) = Watched::WORDS.iter().find(|(_, word)| *word == kind) {
                // A kind of a later version is none of ours to compare.
                facts.insert((*kind, BString::from(name)), BString::from(value));
            }
        }
        Ok(taken_at.map(|taken_at| Fingerprint { taken_at, facts }))
    }

    /// Lists the leases that lived at some time since `since`, with the names of their worktrees, by time of their beginning.
    ///
    /// # Errors
    /// The database failed.
    pub fn leases_since(&self, since: Timestamp) -> Result<Vec<(WorktreeName, LeaseRecord)>, StoreError> {
        let sql = "SELECT leases.*, worktrees.name AS worktree_name FROM leases
            JOIN worktrees ON worktrees.id = leases.worktree
            WHERE leases.ended_at IS NULL OR leases.ended_at >= ?1 ORDER BY leases.acquired_at, leases.fence";
        let row = |row: &rusqlite::Row<'_>| Ok((rows::parsed(row, "worktree_name")?, rows::lease(row)?));
        self.database().list("list leases of a time", sql, [since.as_microsecond()], row)
    }
}

impl Tx<'_> {
    /// Records what was everybody's when a lease was given, in place of what was recorded before.
    ///
    /// # Errors
    /// There is no such lease; the database failed.
    pub fn set_fingerprint(&mut self, lease: LeaseId, seen: &Fingerprint) -> Result<(), StoreError> {
        self.forget_fingerprint(lease)?;
        let lease = lease.to_string();
        let sql = "INSERT INTO fingerprints (lease, kind, name, value) VALUES (?1, ?2, ?3, ?4)";
        let taken = seen.taken_at.to_string();
        self.database().write("record a fingerprint", sql, params![lease, TAKEN, taken.as_bytes(), b""])?;
        for ((kind, name), value) in &seen.facts {
            let values = params![lease, kind.as_str(), name.as_slice(), value.as_slice()];
            self.database().write("record a fingerprint", sql, values)?;
        }
        Ok(())
    }

    /// Forgets what was everybody's when a lease was given.
    ///
    /// # Errors
    /// The database failed.
    pub(super) fn forget_fingerprint(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let sql = "DELETE FROM fingerprints WHERE lease = ?1";
        self.database().write("forget a fingerprint", sql, [lease.to_string()]).map(drop)
    }
}
