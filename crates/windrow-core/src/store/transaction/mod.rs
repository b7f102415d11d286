//! Changing records: each method checks, writes, and appends the event that tells it, inside one transaction.

mod batches;
mod history;
mod landings;
mod leases;
mod ports;
mod sessions;
mod tickets;
mod verified;
mod worktrees;

use std::ops::Deref;

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{Fence, NewEvent};

pub use self::history::Forgotten;
use super::{Records, StoreError, rows};

/// An open transaction; made by [`LocalStore::transaction`](super::LocalStore::transaction), reads through [`Records`].
///
/// Instants are kept to the microsecond. A refusal (any error but the database's own) has changed nothing.
#[derive(Debug)]
pub struct Tx<'a> {
    records: &'a Records,
}

impl<'a> Tx<'a> {
    pub(super) fn new(records: &'a Records) -> Self {
        Self { records }
    }

    /// Draws the next fence, higher than every one before. One drawn in a transaction that fails is drawn again.
    ///
    /// # Errors
    /// The database failed.
    pub fn next_fence(&mut self) -> Result<Fence, StoreError> {
        let sql = "UPDATE counters SET value = value + 1 WHERE name = 'fence' RETURNING value";
        let drawn = self.database().one("draw a fence", sql, [], |row| rows::unsigned(row, "value"))?;
        let lost =
            || StoreError::Corrupt { path: self.path().to_owned(), reason: "the fence counter is gone" };
        drawn.map(Fence).ok_or_else(lost)
    }

    /// Makes every further fence higher than `floor`; never lowers it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; the database failed.
    pub fn raise_fence(&mut self, floor: u64) -> Result<(), StoreError> {
        let sql = "UPDATE counters SET value = max(value, ?1) WHERE name = 'fence'";
        self.database().write("raise the fence", sql, [rows::signed("fence", floor)?]).map(drop)
    }

    /// Appends an event; returns its number.
    ///
    /// # Errors
    /// The database failed.
    pub fn append(&mut self, event: &NewEvent, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "INSERT INTO events (at, kind, worktree, lease, detail) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING seq";
        let worktree = event.worktree.as_ref().map(|name| name.as_str());
        let lease = event.lease.map(|id| id.to_string());
        let values = params![now.as_microsecond(), event.kind.as_str(), worktree, lease, event.detail];
        let seq = self.database().one("append an event", sql, values, |row| rows::unsigned(row, "seq"))?;
        Ok(seq.expect("an insert returns the row it made"))
    }

    /// Writes a free-form fact.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.database().write("write a fact", sql, [key, value]).map(drop)
    }

    /// Forgets a free-form fact.
    ///
    /// # Errors
    /// The database failed.
    pub fn forget_meta(&mut self, key: &str) -> Result<(), StoreError> {
        self.database().write("forget a fact", "DELETE FROM meta WHERE key = ?1", [key]).map(drop)
    }
}

impl Deref for Tx<'_> {
    type Target = Records;

    fn deref(&self) -> &Records {
        self.records
    }
}
