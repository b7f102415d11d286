//! Changes to rescues and waiters, and forgetting what is long over.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{EventKind, NewEvent, ProcessIdentity, RescueId, RescueRecord, Waiter};

use super::Tx;
use crate::store::{StoreError, rows};

/// How many rows were forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Worktrees that were gone.
    pub worktrees: usize,
    /// Leases that had ended.
    pub leases: usize,
    /// Sessions that had ended.
    pub sessions: usize,
    /// Landings that were over.
    pub landings: usize,
    /// Events.
    pub events: usize,
}

impl Tx<'_> {
    /// Records a rescue that is proven complete.
    ///
    /// # Errors
    /// [`StoreError::RescueExists`], [`StoreError::TooLarge`]; the database failed.
    pub fn insert_rescue(&mut self, rescue: &RescueRecord) -> Result<(), StoreError> {
        if self.rescue(&rescue.id)?.is_some() {
            return Err(StoreError::RescueExists(rescue.id.clone()));
        }
        let sql = "INSERT INTO rescues (id, worktree, name, head, branch, snapshot, index_tree, archive,
            archive_bytes, paths, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let values = params![
            rescue.id.as_str(),
            rescue.worktree.to_string(),
            rescue.name.as_str(),
            rescue.head.as_bytes(),
            rescue.branch.as_ref().map(|branch| branch.as_str()),
            rescue.commit.as_ref().map(|commit| commit.as_bytes()),
            rescue.index_tree.as_ref().map(|tree| tree.as_bytes()),
            rescue.archive.as_deref().map(rows::path_column),
            rows::signed("archive length", rescue.archive_bytes)?,
            rows::signed("number of paths", rescue.paths)?,
            rescue.created_at.as_microsecond(),
        ];
        self.database().write("record a rescue", sql, values)?;
        self.tell_rescue(EventKind::RescueCreated, rescue, rescue.created_at)
    }

    /// Records where the archive of a rescue lies.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRescue`]; the database failed.
    pub fn set_rescue_archive(&mut self, id: &RescueId, archive: &Path) -> Result<(), StoreError> {
        let sql = "UPDATE rescues SET archive = ?2 WHERE id = ?1";
        let values = params![id.as_str(), rows::path_column(archive)];
        match self.database().write("move an archive", sql, values)? {
            0 => Err(StoreError::NoSuchRescue(id.clone())),
            _ => Ok(()),
        }
    }

    /// Removes the record of a rescue that was dropped.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRescue`]; the database failed.
    pub fn delete_rescue(&mut self, id: &RescueId, now: Timestamp) -> Result<(), StoreError> {
        let rescue = self.rescue(id)?.ok_or_else(|| StoreError::NoSuchRescue(id.clone()))?;
        self.database().write("drop a rescue", "DELETE FROM rescues WHERE id = ?1", [id.as_str()])?;
        self.tell_rescue(EventKind::RescueDropped, &rescue, now)
    }

    /// Puts a process at the end of the queue, or finds the place that it already has.
    ///
    /// # Errors
    /// The database failed.
    pub fn enqueue_waiter(
        &mut self,
        process: &ProcessIdentity,
        now: Timestamp,
    ) -> Result<Waiter, StoreError> {
        if let Some(waiter) = self.waiters()?.into_iter().find(|waiter| waiter.process == *process) {
            return Ok(waiter);
        }
        let sql = "INSERT INTO waiters (pid, start, boot, since) VALUES (?1, ?2, ?3, ?4) RETURNING *";
        let start = process.start_ticks.cast_signed();
        let values = params![process.pid, start, process.scope, now.as_microsecond()];
        let waiter = self.database().one("queue", sql, values, rows::waiter)?;
        self.tell_wait(EventKind::WaitBegan, process, now)?;
        Ok(waiter.expect("an insert returns the row it made"))
    }

    /// Takes a waiter out of the queue; one that is not in it stays out.
    ///
    /// # Errors
    /// The database failed.
    pub fn remove_waiter(&mut self, ticket: u64, now: Timestamp) -> Result<(), StoreError> {
        let sql = "DELETE FROM waiters WHERE ticket = ?1 RETURNING *";
        match self.database().one("leave the queue", sql, [rows::signed("ticket", ticket)?], rows::waiter)? {
            Some(waiter) => self.tell_wait(EventKind::WaitEnded, &waiter.process, now),
            None => Ok(()),
        }
    }

    /// Deletes worktrees that were gone, leases, sessions and landings that had ended, batches that began and events that were recorded
    /// before `before`. A landing with a key stays, because a key lands once.
    ///
    /// A gone worktree and a session stay while one of their leases stays, and a lease while its worktree is there: the rescue of
    /// a kept one is named after it. Rescues are never forgotten here.
    ///
    /// # Errors
    /// The database failed.
    pub fn forget(&mut self, before: Timestamp) -> Result<Forgotten, StoreError> {
        let before = [before.as_microsecond()];
        let leases = "DELETE FROM leases WHERE ended_at < ?1
            AND NOT EXISTS (SELECT 1 FROM worktrees WHERE worktrees.id = leases.worktree AND state <> 'gone')";
        let worktrees = "DELETE FROM worktrees WHERE state = 'gone' AND gone_at < ?1
            AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.worktree = worktrees.id)";
        let sessions = "DELETE FROM sessions WHERE ended_at < ?1
            AND NOT EXISTS (SELECT 1 FROM leases WHERE holder = 'session' AND holder_name = sessions.id)";
        self.database().write("forget batches", "DELETE FROM batches WHERE began_at < ?1", before)?;
        self.database().write("forget verifications", "DELETE FROM verified WHERE at < ?1", before)?;
        self.database().write(
            "forget tickets",
            "DELETE FROM tickets WHERE ended_at < ?1 AND key IS NULL",
            before,
        )?;
        Ok(Forgotten {
            leases: self.database().write("forget leases", leases, before)?,
            sessions: self.database().write("forget sessions", sessions, before)?,
            landings: self.database().write(
                "forget landings",
                "DELETE FROM landings WHERE ended_at < ?1 AND key IS NULL",
                before,
            )?,
            worktrees: self.database().write("forget worktrees", worktrees, before)?,
            events: self.database().write("forget events", "DELETE FROM events WHERE at < ?1", before)?,
        })
    }

    fn tell_rescue(
        &mut self,
        kind: EventKind,
        rescue: &RescueRecord,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let detail = rescue.id.to_string();
        self.append(&NewEvent { kind, worktree: Some(rescue.name.clone()), lease: None, detail }, now)
            .map(drop)
    }

    fn tell_wait(
        &mut self,
        kind: EventKind,
        process: &ProcessIdentity,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let detail = format!("process {}", process.pid);
        self.append(&NewEvent { kind, worktree: None, lease: None, detail }, now).map(drop)
    }
}
