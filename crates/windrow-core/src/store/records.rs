//! Reading records.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{
    BatchId, BatchTask, BranchName, CarriedFile, Event, LandingId, LandingRecord, LeaseId, LeaseKey,
    LeaseRecord, Oid, PortBlock, RescueId, RescueRecord, SessionId, SessionRecord, TicketNumber,
    TicketRecord, Waiter, WorktreeId, WorktreeName, WorktreeRecord,
};

use super::{StoreError, database::Database, rows};

/// Reads of the records; reached through [`LocalStore`](super::LocalStore) and [`Tx`](super::Tx).
///
/// Every method's errors are those of the database: it is damaged, or a later version wrote a value that this one cannot read.
#[derive(Debug)]
pub struct Records {
    database: Database,
}

impl Records {
    /// Lists every worktree that is not gone, by time of creation.
    ///
    /// # Errors
    /// The database failed.
    pub fn worktrees(&self) -> Result<Vec<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE state <> 'gone' ORDER BY created_at, id";
        self.database.list("list worktrees", sql, [], rows::worktree)
    }

    /// Lists where worktrees are and were, in no order.
    ///
    /// # Errors
    /// The database failed.
    pub fn places(&self) -> Result<Vec<PathBuf>, StoreError> {
        let sql = "SELECT * FROM worktrees";
        let all = self.database.list("list worktrees", sql, [], rows::worktree)?;
        Ok(all.into_iter().map(|record| record.path).collect())
    }

    /// Finds a worktree, also one that is gone.
    ///
    /// # Errors
    /// The database failed.
    pub fn worktree(&self, id: WorktreeId) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE id = ?1";
        self.database.one("find a worktree", sql, [id.to_string()], rows::worktree)
    }

    /// Finds the worktree of that name that is not gone.
    ///
    /// # Errors
    /// The database failed.
    pub fn worktree_named(&self, name: &WorktreeName) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE name = ?1 AND state <> 'gone'";
        self.database.one("find a worktree by name", sql, [name.as_str()], rows::worktree)
    }

    /// Finds the worktree that is not gone and whose recorded checkout is the branch.
    ///
    /// # Errors
    /// The database failed.
    pub fn live_worktree_on_branch(&self, branch: &BranchName) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE branch = ?1 AND state <> 'gone'";
        self.database.one("find a worktree by branch", sql, [branch.as_str()], rows::worktree)
    }

    /// Lists the worktree that was on each branch last, also those that are gone, by time of creation. One that is not gone is the
    /// last.
    ///
    /// # Errors
    /// The database failed.
    pub fn last_on_branches(&self) -> Result<Vec<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM (
                SELECT *, ROW_NUMBER() OVER (
                    PARTITION BY branch ORDER BY state <> 'gone' DESC, created_at DESC, id DESC
                ) AS place FROM worktrees WHERE branch IS NOT NULL
            ) WHERE place = 1 ORDER BY created_at, id";
        self.database.list("list the last worktrees of branches", sql, [], rows::worktree)
    }

    /// Finds the worktree that was on a branch last, also one that is gone; one that is not gone is the last.
    ///
    /// # Errors
    /// The database failed.
    pub fn last_on_branch(&self, branch: &BranchName) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE branch = ?1
            ORDER BY state <> 'gone' DESC, created_at DESC, id DESC LIMIT 1";
        self.database.one("find the last worktree of a branch", sql, [branch.as_str()], rows::worktree)
    }

    /// Lists the worktrees for which a branch of this name was made, also those that are gone, by time of creation.
    ///
    /// # Errors
    /// The database failed.
    pub fn made_branch(&self, branch: &BranchName) -> Result<Vec<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE branch = ?1 AND branch_origin = 'created'
            ORDER BY created_at, id";
        self.database.list("list the makers of a branch", sql, [branch.as_str()], rows::worktree)
    }

    /// Finds the worktree that is not gone and whose root is the path, compared byte by byte.
    ///
    /// # Errors
    /// The database failed.
    pub fn worktree_at(&self, path: &Path) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE path = ?1 AND state <> 'gone'";
        self.database.one("find a worktree by path", sql, [rows::path_column(path)], rows::worktree)
    }

    /// Lists the leases that have not ended, by fence.
    ///
    /// # Errors
    /// The database failed.
    pub fn leases(&self) -> Result<Vec<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases WHERE ended_at IS NULL ORDER BY fence";
        self.database.list("list leases", sql, [], rows::lease)
    }

    /// Finds a lease, also one that has ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn lease(&self, id: LeaseId) -> Result<Option<LeaseRecord>, StoreError> {
        self.database.one("find a lease", "SELECT * FROM leases WHERE id = ?1", [id.to_string()], rows::lease)
    }

    /// Finds the lease of a worktree that has not ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn live_lease_of(&self, worktree: WorktreeId) -> Result<Option<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases WHERE worktree = ?1 AND ended_at IS NULL";
        self.database.one("find a live lease", sql, [worktree.to_string()], rows::lease)
    }

    /// Finds the lease of a worktree with the highest fence, ended or not.
    ///
    /// # Errors
    /// The database failed.
    pub fn last_lease_of(&self, worktree: WorktreeId) -> Result<Option<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases WHERE worktree = ?1 ORDER BY fence DESC LIMIT 1";
        self.database.one("find the last lease", sql, [worktree.to_string()], rows::lease)
    }

    /// Finds the lease with the key that has not ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn live_lease_with_key(&self, key: &LeaseKey) -> Result<Option<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases WHERE key = ?1 AND ended_at IS NULL";
        self.database.one("find a live lease by key", sql, [key.as_str()], rows::lease)
    }

    /// Finds the lease with the key and the highest fence, ended or not.
    ///
    /// # Errors
    /// The database failed.
    pub fn last_lease_with_key(&self, key: &LeaseKey) -> Result<Option<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases WHERE key = ?1 ORDER BY fence DESC LIMIT 1";
        self.database.one("find the last lease by key", sql, [key.as_str()], rows::lease)
    }

    /// Lists the rescues, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn rescues(&self) -> Result<Vec<RescueRecord>, StoreError> {
        self.database.list("list rescues", "SELECT * FROM rescues ORDER BY created_at, id", [], rows::rescue)
    }

    /// Finds a rescue.
    ///
    /// # Errors
    /// The database failed.
    pub fn rescue(&self, id: &RescueId) -> Result<Option<RescueRecord>, StoreError> {
        self.database.one("find a rescue", "SELECT * FROM rescues WHERE id = ?1", [id.as_str()], rows::rescue)
    }

    /// Finds a landing, also one that is over.
    ///
    /// # Errors
    /// The database failed.
    pub fn landing(&self, id: LandingId) -> Result<Option<LandingRecord>, StoreError> {
        let sql = "SELECT * FROM landings WHERE id = ?1";
        self.database.one("find a landing", sql, [id.to_string()], rows::landing)
    }

    /// Lists the landings that are not over, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn open_landings(&self) -> Result<Vec<LandingRecord>, StoreError> {
        let sql = "SELECT * FROM landings WHERE ended_at IS NULL ORDER BY created_at, id";
        self.database.list("list landings", sql, [], rows::landing)
    }

    /// Finds the landing of a key that is done.
    ///
    /// # Errors
    /// The database failed.
    pub fn landing_with_key(&self, key: &LeaseKey) -> Result<Option<LandingRecord>, StoreError> {
        let sql = "SELECT * FROM landings WHERE key = ?1 AND state = 'done'";
        self.database.one("find a landing by key", sql, [key.as_str()], rows::landing)
    }

    /// Lists the landings of a branch on a target that are done, the last one first.
    ///
    /// # Errors
    /// The database failed.
    pub fn landings_of(
        &self,
        branch: &BranchName,
        target: &BranchName,
    ) -> Result<Vec<LandingRecord>, StoreError> {
        let sql = "SELECT * FROM landings WHERE branch = ?1 AND target = ?2 AND state = 'done'
            ORDER BY ended_at DESC, id DESC";
        let values = [branch.as_str(), target.as_str()];
        self.database.list("list the landings of a branch", sql, values, rows::landing)
    }

    /// Lists the landings of a commit that are done, the last one first.
    ///
    /// # Errors
    /// The database failed.
    pub fn landings_of_commit(&self, source: &Oid) -> Result<Vec<LandingRecord>, StoreError> {
        let sql =
            "SELECT * FROM landings WHERE source = ?1 AND state = 'done' ORDER BY ended_at DESC, id DESC";
        self.database.list("list the landings of a commit", sql, [source.as_bytes()], rows::landing)
    }

    /// Finds a ticket, also one that is over.
    ///
    /// # Errors
    /// The database failed.
    pub fn ticket(&self, number: TicketNumber) -> Result<Option<TicketRecord>, StoreError> {
        // A number beyond the database's is none that it gave.
        let Ok(number) = i64::try_from(number.0) else { return Ok(None) };
        self.database.one("find a ticket", "SELECT * FROM tickets WHERE number = ?1", [number], rows::ticket)
    }

    /// Finds the ticket of a key that is not over.
    ///
    /// # Errors
    /// The database failed.
    pub fn open_ticket_with_key(&self, key: &LeaseKey) -> Result<Option<TicketRecord>, StoreError> {
        let sql = "SELECT * FROM tickets WHERE key = ?1 AND ended_at IS NULL";
        self.database.one("find a ticket by key", sql, [key.as_str()], rows::ticket)
    }

    /// Lists the tickets of a target that are not over, in the order in which they came.
    ///
    /// # Errors
    /// The database failed.
    pub fn open_tickets_of(&self, target: &BranchName) -> Result<Vec<TicketRecord>, StoreError> {
        let sql = "SELECT * FROM tickets WHERE target = ?1 AND ended_at IS NULL ORDER BY number";
        self.database.list("list the queue of a branch", sql, [target.as_str()], rows::ticket)
    }

    /// Lists the tickets that are not over, in the order in which they came.
    ///
    /// # Errors
    /// The database failed.
    pub fn open_tickets(&self) -> Result<Vec<TicketRecord>, StoreError> {
        let sql = "SELECT * FROM tickets WHERE ended_at IS NULL ORDER BY number";
        self.database.list("list the queue", sql, [], rows::ticket)
    }

    /// Lists all tickets, in the order in which they came.
    ///
    /// # Errors
    /// The database failed.
    pub fn tickets(&self) -> Result<Vec<TicketRecord>, StoreError> {
        self.database.list("list tickets", "SELECT * FROM tickets ORDER BY number", [], rows::ticket)
    }

    /// Finds out whether a tree stood a command after `since`; the inner option is the log of that.
    ///
    /// # Errors
    /// The database failed.
    pub fn verified(
        &self,
        tree: &Oid,
        command: &str,
        since: Timestamp,
    ) -> Result<Option<Option<PathBuf>>, StoreError> {
        let sql = "SELECT log FROM verified WHERE tree = ?1 AND command = ?2 AND at >= ?3";
        let values = params![tree.as_bytes(), command, since.as_microsecond()];
        self.database.one("find a verification", sql, values, |row| rows::path_option(row, "log"))
    }

    /// Tells whether a lease exists only to verify a landing.
    ///
    /// # Errors
    /// The database failed.
    pub fn is_trial(&self, lease: LeaseId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM trials WHERE lease = ?1";
        Ok(self.database.one("find a trial", sql, [lease.to_string()], |_| Ok(()))?.is_some())
    }

    /// Lists the live leases that exist only to verify a landing.
    ///
    /// # Errors
    /// The database failed.
    pub fn live_trials(&self) -> Result<Vec<LeaseId>, StoreError> {
        let sql = "SELECT lease FROM trials JOIN leases ON leases.id = trials.lease WHERE ended_at IS NULL ORDER BY lease";
        self.database.list("list trials", sql, [], |row| rows::parsed(row, "lease"))
    }

    /// Finds the worktree that had a name last, also one that is gone; one that is not gone is the last.
    ///
    /// # Errors
    /// The database failed.
    pub fn last_named(&self, name: &WorktreeName) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = "SELECT * FROM worktrees WHERE name = ?1
            ORDER BY state <> 'gone' DESC, created_at DESC, id DESC LIMIT 1";
        self.database.one("find the last worktree of a name", sql, [name.as_str()], rows::worktree)
    }

    /// Lists what was carried into a worktree, by path.
    ///
    /// # Errors
    /// The database failed.
    pub fn carried(&self, worktree: WorktreeId) -> Result<Vec<CarriedFile>, StoreError> {
        let sql = "SELECT * FROM carried WHERE worktree = ?1 ORDER BY path";
        self.database.list("list carried files", sql, [worktree.to_string()], rows::carried)
    }

    /// Lists at most `limit` events with a number above `after_seq`, in order.
    ///
    /// # Errors
    /// The database failed.
    pub fn events(&self, after_seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT * FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        self.database.list("list events", sql, params![after, limit], rows::event)
    }

    /// Lists the sessions that have not ended, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let sql = "SELECT * FROM sessions WHERE ended_at IS NULL ORDER BY started_at, id";
        self.database.list("list sessions", sql, [], rows::session)
    }

    /// Finds a session, also one that has ended.
    ///
    /// # Errors
    /// The database failed.
    pub fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let sql = "SELECT * FROM sessions WHERE id = ?1";
        self.database.one("find a session", sql, [id.to_string()], rows::session)
    }

    /// Lists the leases of a session that have not ended, by fence.
    ///
    /// # Errors
    /// The database failed.
    pub fn leases_of_session(&self, id: SessionId) -> Result<Vec<LeaseRecord>, StoreError> {
        let sql = "SELECT * FROM leases
            WHERE holder = 'session' AND holder_name = ?1 AND ended_at IS NULL ORDER BY fence";
        self.database.list("list the leases of a session", sql, [id.to_string()], rows::lease)
    }

    /// Finds the block of ports that a worktree has.
    ///
    /// # Errors
    /// The database failed.
    pub fn ports_of(&self, id: WorktreeId) -> Result<Option<PortBlock>, StoreError> {
        let sql = "SELECT * FROM ports WHERE worktree = ?1";
        self.database.one("find ports", sql, [id.to_string()], rows::port_block)
    }

    /// Lists the blocks of the worktrees that are not gone, but for those that nobody was given yet.
    ///
    /// # Errors
    /// The database failed.
    pub fn port_blocks(&self) -> Result<Vec<PortBlock>, StoreError> {
        let sql = "SELECT ports.* FROM ports JOIN worktrees ON worktrees.id = ports.worktree
            WHERE worktrees.state NOT IN ('gone', 'idle')";
        self.database.list("list ports", sql, [], rows::port_block)
    }

    /// Tells whether there ever was a call of this batch.
    ///
    /// # Errors
    /// The database failed.
    pub fn has_batch(&self, id: &BatchId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM batches WHERE id = ?1";
        Ok(self.database.one("find a batch", sql, [id.as_str()], |_| Ok(()))?.is_some())
    }

    /// Lists what is known of the tasks of a batch, by key.
    ///
    /// # Errors
    /// The database failed.
    pub fn batch_tasks(&self, id: &BatchId) -> Result<Vec<BatchTask>, StoreError> {
        let sql = "SELECT * FROM batch_tasks WHERE batch = ?1 ORDER BY key";
        self.database.list("list the tasks of a batch", sql, [id.as_str()], rows::batch_task)
    }

    /// Lists those who wait, in the order of their tickets.
    ///
    /// # Errors
    /// The database failed.
    pub fn waiters(&self) -> Result<Vec<Waiter>, StoreError> {
        self.database.list("list waiters", "SELECT * FROM waiters ORDER BY ticket", [], rows::waiter)
    }

    /// Reads a free-form fact, such as the identity of the common directory.
    ///
    /// # Errors
    /// The database failed.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.database.one("read a fact", "SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// The keys of all free-form facts that begin with `prefix`.
    ///
    /// # Errors
    /// The database failed.
    pub fn meta_keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT key FROM meta WHERE substr(key, 1, length(?1)) = ?1";
        self.database.list("list facts", sql, [prefix], |row| row.get(0))
    }

    /// Checks every page and index; returns what is wrong, nothing when all is well. Reads the whole database.
    ///
    /// # Errors
    /// The database failed.
    pub fn problems(&self) -> Result<Vec<String>, StoreError> {
        let found =
            self.database.list("check", "PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }
}
