//! Coordination in SQLite, for one host or one shared disk that locks properly; `coordination.db` beside `state.db`.
//!
//! A file of its own, so that a fleet can replace it, and so that tasks and leases never wait for each other.

mod landings;
mod tasks;

use std::{path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use windrow_model::{BranchName, Fence};

use super::{
    Access, StoreError,
    coordination::{
        Claim, Clock, Coordination, CoordinationError, FieldsChange, Landing, LandingOutcome, NewTask,
        QueueEntry, StateChange, SystemClock, Task, TaskChange, TaskId, TaskState, Ticket,
    },
    database::{Database, Failure},
    open::Schema,
    rows,
};

const SCHEMA: Schema = Schema {
    file: "coordination.db",
    lock: "coordination.lock",
    application_id: 0x576e_6463,
    version: 1,
    migrations: &[("V1__coordination.sql", include_str!("../migrations/V1__coordination.sql"))],
};

type Outcome<T> = Result<T, CoordinationError>;

/// [`Coordination`] in one SQLite file; one connection, its clock is this host's.
#[derive(Debug)]
pub struct SqliteCoordination {
    database: Database,
    clock: Box<dyn Clock>,
}

impl SqliteCoordination {
    /// Opens `<dir>/coordination.db`; with [`Access::ReadWrite`] makes and migrates it.
    ///
    /// # Errors
    /// As for [`LocalStore::open`](super::LocalStore::open).
    pub fn open(dir: &Path, access: Access) -> Result<Self, StoreError> {
        Self::with_clock(dir, access, Box::new(SystemClock))
    }

    /// Opens it with another clock.
    ///
    /// # Errors
    /// As for [`SqliteCoordination::open`].
    pub fn with_clock(dir: &Path, access: Access, clock: Box<dyn Clock>) -> Result<Self, StoreError> {
        Database::open(dir, access, &SCHEMA).map(|database| Self { database, clock })
    }

    fn change<T>(&self, change: impl FnMut() -> Outcome<T>) -> Outcome<T> {
        self.database.transaction(change)
    }

    fn micros(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    /// The instant `ttl` from now; one beyond the calendar is its end.
    fn after(&self, ttl: Duration) -> Timestamp {
        let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
        self.clock.now().saturating_add(ttl).unwrap_or(Timestamp::MAX)
    }

    fn draw(&self, resource: &str) -> Outcome<Fence> {
        let sql = "INSERT INTO fences (resource, value) VALUES (?1, 1)
            ON CONFLICT (resource) DO UPDATE SET value = value + 1 RETURNING value";
        let drawn = self.database.one("draw a fence", sql, [resource], |row| rows::unsigned(row, "value"))?;
        Ok(Fence(drawn.expect("an upsert returns its row")))
    }

    fn drawn(&self, resource: &str) -> Outcome<Fence> {
        let sql = "SELECT value FROM fences WHERE resource = ?1";
        let found = self.database.one("read a fence", sql, [resource], |row| rows::unsigned(row, "value"))?;
        Ok(Fence(found.unwrap_or(0)))
    }
}

impl Failure for CoordinationError {
    fn is_full(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_full())
    }
}

impl Coordination for SqliteCoordination {
    fn now(&self) -> Outcome<Timestamp> {
        Ok(self.clock.now())
    }

    fn next_fence(&self, resource: &str) -> Outcome<Fence> {
        self.change(|| self.draw(resource))
    }

    fn current_fence(&self, resource: &str) -> Outcome<Fence> {
        self.drawn(resource)
    }

    fn create_task(&self, task: &NewTask) -> Outcome<Task> {
        self.change(|| self.insert_task(task))
    }

    fn task(&self, id: &TaskId) -> Outcome<Option<Task>> {
        self.find_task(id)
    }

    fn tasks(&self, state: Option<&TaskState>) -> Outcome<Vec<Task>> {
        let sql = "SELECT * FROM tasks WHERE ?1 IS NULL OR state = ?1 ORDER BY created_at, rowid";
        Ok(self.database.list("list tasks", sql, params![state.map(TaskState::as_str)], tasks::task)?)
    }

    fn set_state(&self, id: &TaskId, change: &StateChange) -> Outcome<Task> {
        self.change(|| self.change_state(id, change))
    }

    fn set_fields(&self, id: &TaskId, change: &FieldsChange) -> Outcome<Task> {
        self.change(|| self.change_fields(id, change))
    }

    fn history(&self, id: &TaskId) -> Outcome<Vec<TaskChange>> {
        let sql = "SELECT * FROM task_changes WHERE task = ?1 ORDER BY rev";
        let changes = self.database.list("read a task's history", sql, [id.as_str()], tasks::task_change)?;
        if changes.is_empty() { Err(CoordinationError::NoSuchTask(id.clone())) } else { Ok(changes) }
    }

    fn claim(&self, id: &TaskId, holder: &str, ttl: Duration) -> Outcome<Claim> {
        self.change(|| self.take_claim(id, holder, ttl))
    }

    fn renew(&self, id: &TaskId, fence: Fence, ttl: Duration) -> Outcome<Claim> {
        self.change(|| self.extend_claim(id, fence, ttl))
    }

    fn release(&self, id: &TaskId, fence: Fence) -> Outcome<()> {
        self.change(|| {
            self.held(id, fence)?;
            self.database.write("release a claim", "DELETE FROM claims WHERE task = ?1", [id.as_str()])?;
            Ok(())
        })
    }

    fn claim_of(&self, id: &TaskId) -> Outcome<Option<Claim>> {
        let now = self.clock.now();
        Ok(self.find_claim(id)?.filter(|claim| claim.expires_at > now))
    }

    fn enqueue(&self, target: &BranchName, landing: &Landing) -> Outcome<Ticket> {
        self.change(|| self.insert_landing(target, landing))
    }

    fn head(&self, target: &BranchName) -> Outcome<Option<QueueEntry>> {
        self.first_of(target)
    }

    fn queue(&self, target: &BranchName) -> Outcome<Vec<QueueEntry>> {
        let sql = "SELECT * FROM landings WHERE target = ?1 AND outcome IS NULL ORDER BY ticket";
        Ok(self.database.list("list landings", sql, [target.as_str()], landings::entry)?)
    }

    fn landing(&self, ticket: Ticket) -> Outcome<Option<QueueEntry>> {
        self.find_landing(ticket)
    }

    fn finish(&self, ticket: Ticket, fence: Fence, outcome: &LandingOutcome) -> Outcome<()> {
        self.change(|| self.finish_head(ticket, fence, outcome))
    }

    fn cancel(&self, ticket: Ticket) -> Outcome<()> {
        self.change(|| {
            self.waiting(ticket)?;
            self.write_outcome(ticket, &LandingOutcome::Cancelled)
        })
    }
}
