//! Changes to batches.

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{BatchId, BatchTask, Settled};

use super::Tx;
use crate::store::{StoreError, rows};

impl Tx<'_> {
    /// Counts one more call of a batch and returns how many there were, this one included; the first makes the record.
    ///
    /// # Errors
    /// The database failed.
    pub fn begin_batch(&mut self, id: &BatchId, now: Timestamp) -> Result<u32, StoreError> {
        let sql = "INSERT INTO batches (id, runs, began_at) VALUES (?1, 1, ?2)
            ON CONFLICT (id) DO UPDATE SET runs = runs + 1, began_at = ?2 RETURNING runs";
        let values = params![id.as_str(), now.as_microsecond()];
        let runs = self.database().one("begin a batch", sql, values, |row| row.get("runs"))?;
        Ok(runs.expect("an upsert returns its row"))
    }

    /// Forgets what became of the tasks of a batch.
    ///
    /// # Errors
    /// The database failed.
    pub fn forget_batch_tasks(&mut self, id: &BatchId) -> Result<(), StoreError> {
        self.database()
            .write("forget a batch", "DELETE FROM batch_tasks WHERE batch = ?1", [id.as_str()])
            .map(drop)
    }

    /// Records what a task of a batch comes to, in place of what was said of it before.
    ///
    /// # Errors
    /// The database failed.
    pub fn set_batch_task(&mut self, batch: &BatchId, task: &BatchTask) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO batch_tasks (batch, key, attempts, outcome, exit, detail, elapsed, worktree, settled,
                name, base, branch, head, commits, files, added, deleted, rescue, fate)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
        let (verdict, left) = (&task.verdict, task.harvest.as_ref());
        let number = |read: fn(&windrow_model::Harvest) -> u64| {
            left.map(|left| rows::signed("count", read(left))).transpose()
        };
        let branch = left.and_then(|left| left.branch.as_ref());
        let values = params![
            batch.as_str(),
            task.key,
            task.attempts,
            verdict.end.as_str(),
            verdict.exit,
            verdict.detail,
            rows::duration_column(verdict.elapsed),
            task.worktree.map(|id| id.to_string()),
            task.settled == Settled::Yes,
            left.map(|left| left.name.as_str()),
            left.map(|left| left.base.as_bytes()),
            branch.map(|(name, _)| name.as_str()),
            branch.map(|(_, head)| head.as_bytes()),
            number(|left| left.commits)?,
            number(|left| left.files)?,
            number(|left| left.added)?,
            number(|left| left.deleted)?,
            left.and_then(|left| left.rescue.as_ref()).map(|rescue| rescue.as_str()),
            left.map(|left| left.fate.as_str()),
        ];
        self.database().write("record a task of a batch", sql, values).map(drop)
    }
}
