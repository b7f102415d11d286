//! One open database: statements, snapshots and transactions, whatever the tables are.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, TransactionBehavior};

use super::{
    Access, StoreError,
    open::{self, Schema, Turn},
    reserve::Reserve,
};

/// A connection with what its writer needs.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    lock: File,
    reserve: Reserve,
}

/// An error of a transaction, which is run once more when the disk was full and the reserve has made room.
pub(super) trait Failure: From<StoreError> {
    /// Tells whether the disk was full.
    fn is_full(&self) -> bool;
}

impl Failure for StoreError {
    fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

impl Database {
    /// Opens the database of `schema` below `dir`, and makes and migrates it when it may be written.
    pub(super) fn open(dir: &Path, access: Access, schema: &Schema) -> Result<Self, StoreError> {
        let (connection, path) = open::open(dir, access, schema)?;
        let writing = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => {
                Some(Writing { lock: open::lock_file(dir, schema)?, reserve: Reserve::restock(dir) })
            }
        };
        Ok(Self { connection, path, writing })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `change` as one durable transaction; it may run twice.
    pub(super) fn transaction<T, E: Failure>(
        &self,
        mut change: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(writing) = &self.writing else {
            return Err(StoreError::NotWritable { path: self.path.clone() }.into());
        };
        match self.attempt(writing, &mut change) {
            Err(error) if error.is_full() && writing.reserve.give_up()? => self.attempt(writing, &mut change),
            outcome => outcome,
        }
    }

    fn attempt<T, E: Failure>(
        &self,
        writing: &Writing,
        change: &mut impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = Turn::take(&writing.lock, &self.path)?;
        // Rolls back when dropped, also by a panic.
        let begun = self.begin(TransactionBehavior::Immediate)?;
        let value = change()?;
        begun.commit().map_err(|source| self.explain(source, "commit"))?;
        Ok(value)
    }

    /// Runs `read` on the state of one instant.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _held = self.begin(TransactionBehavior::Deferred)?;
        read()
    }

    fn begin(&self, behavior: TransactionBehavior) -> Result<Transaction<'_>, StoreError> {
        let begun = Transaction::new_unchecked(&self.connection, behavior);
        begun.map_err(|source| self.explain(source, "begin a transaction"))
    }

    fn explain(&self, source: rusqlite::Error, doing: &'static str) -> StoreError {
        StoreError::of(source, doing, &self.path)
    }

    /// Reads every row.
    pub(super) fn list<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement =
            self.connection.prepare_cached(sql).map_err(|source| self.explain(source, doing))?;
        let found = statement.query_map(params, read).and_then(Iterator::collect);
        found.map_err(|source| self.explain(source, doing))
    }

    /// Reads the first row.
    pub(super) fn one<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement =
            self.connection.prepare_cached(sql).map_err(|source| self.explain(source, doing))?;
        statement.query_row(params, read).optional().map_err(|source| self.explain(source, doing))
    }

    /// Changes rows; returns how many.
    pub(super) fn write(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize, StoreError> {
        let mut statement =
            self.connection.prepare_cached(sql).map_err(|source| self.explain(source, doing))?;
        statement.execute(params).map_err(|source| self.explain(source, doing))
    }
}
