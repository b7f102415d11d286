//! The records of this host: opening them, reading a snapshot, running a transaction.

use std::{ops::Deref, path::Path};

use super::{Records, StoreError, Tx, database::Database, open::Schema};

pub(super) const SCHEMA: Schema = Schema {
    file: "state.db",
    lock: "store.lock",
    application_id: 0x576e_6472,
    version: 6,
    migrations: &[
        ("V1__records.sql", include_str!("migrations/V1__records.sql")),
        ("V2__sessions.sql", include_str!("migrations/V2__sessions.sql")),
        ("V3__fingerprints.sql", include_str!("migrations/V3__fingerprints.sql")),
        ("V4__batches_and_ports.sql", include_str!("migrations/V4__batches_and_ports.sql")),
        ("V5__landings.sql", include_str!("migrations/V5__landings.sql")),
        ("V6__verification_and_queue.sql", include_str!("migrations/V6__verification_and_queue.sql")),
    ],
};

/// What the records are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read and change them; makes and migrates the database.
    ReadWrite,
    /// To read them; works on a read-only file system and with a newer schema.
    ReadOnly,
}

/// The records of one repository on this host; one connection, opened per command.
///
/// Reads ([`Records`]) see what was committed; changes happen in [`LocalStore::transaction`].
#[derive(Debug)]
pub struct LocalStore {
    records: Records,
}

impl LocalStore {
    /// Opens `<dir>/state.db`; with [`Access::ReadWrite`] makes `dir` (0700), the database (0600) and the reserve, and migrates.
    ///
    /// # Errors
    /// [`StoreError::Missing`] to read what is not there, [`StoreError::Newer`] to write what a later version wrote,
    /// [`StoreError::Corrupt`] for anything that is not a whole database of ours, which is left as it is.
    pub fn open(dir: &Path, access: Access) -> Result<Self, StoreError> {
        Database::open(dir, access, &SCHEMA).map(|database| Self { records: Records::new(database) })
    }

    /// Runs `change` as one durable transaction: all of it or, when it returns an error, nothing.
    ///
    /// Waits for other writers. `change` runs a second time when the disk was full and the reserve was given up, so it must
    /// have no effect outside the transaction.
    ///
    /// # Errors
    /// Whatever `change` returns; [`StoreError::Full`], [`StoreError::Busy`] or [`StoreError::NotWritable`] from the database.
    pub fn transaction<T>(
        &mut self,
        mut change: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let records = &self.records;
        records.database().transaction(|| change(&mut Tx::new(records)))
    }

    /// Reads several records as they were at one instant; waits for nobody.
    ///
    /// # Errors
    /// Whatever `read` returns, or the database failed.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Records) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.records.database().snapshot(|| read(&self.records))
    }
}

impl Deref for LocalStore {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.records
    }
}
