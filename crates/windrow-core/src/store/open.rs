//! Opens, makes and migrates a database file.
//!
//! # Locking
//! Making and migrating happen under `<dir>/locks/<database>.lock`, which every writer takes too. The database file itself is
//! never opened by anything but SQLite: closing any other descriptor of it would drop the POSIX locks of every connection in
//! this process. *Source*: <https://sqlite.org/howtocorrupt.html>, "Posix advisory locks canceled".
//!
//! # Crash safety
//! A new database is made beside its place, synced and renamed, so that an empty or half-made one is never found there.
//! A migration is one transaction.
//!
//! # Compatibility
//! The schema version is `user_version`. A newer one is read, never written: its connection does not even checkpoint.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use refinery::{Migration, Runner};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::{Access, StoreError};

/// One kind of database: where it lies and how its tables come to be.
pub(super) struct Schema {
    /// File name of the database.
    pub(super) file: &'static str,
    /// File name of the lock, below `locks/`.
    pub(super) lock: &'static str,
    /// Mark in the file header that tells it from other databases.
    pub(super) application_id: i32,
    /// Version after all migrations.
    pub(super) version: u32,
    /// File name and text of each migration, in order.
    pub(super) migrations: &'static [(&'static str, &'static str)],
}

/// A waiter gives up after this long; the lock file keeps waits far below it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// Pages in the write-ahead log before a commit folds it into the database. The log outlives the commands (folding at every
/// exit would cost three syncs), and each first opener reads it once, so it is kept below one megabyte.
const CHECKPOINT_PAGES: u32 = 200;

const SAFE_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// Opens the database of `schema` below `dir`.
pub(super) fn open(dir: &Path, access: Access, schema: &Schema) -> Result<(Connection, PathBuf), StoreError> {
    require_safe_sqlite()?;
    let path = dir.join(schema.file);
    if !present(&path)? {
        match access {
            Access::ReadOnly => return Err(StoreError::Missing { path }),
            Access::ReadWrite => create(dir, schema, &path)?,
        }
    }
    let mut connection = match access {
        Access::ReadOnly => connect_to_read(&path)?,
        Access::ReadWrite => connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
    };
    let found = version_of(&connection, &path, schema)?;
    match access {
        Access::ReadWrite if found > schema.version => {
            return Err(StoreError::Newer { path, found, known: schema.version });
        }
        Access::ReadOnly if found < schema.version => {
            return Err(StoreError::Older { path, found, known: schema.version });
        }
        Access::ReadWrite if found < schema.version => {
            let lock = lock_file(dir, schema)?;
            let _turn = Turn::take(&lock, dir)?;
            migrate(&mut connection, &path, schema)?;
        }
        _ => {}
    }
    Ok((connection, path))
}

/// Opens (and makes) the lock file of `schema`.
pub(super) fn lock_file(dir: &Path, schema: &Schema) -> Result<File, StoreError> {
    let locks = dir.join("locks");
    private_directory(&locks)?;
    let path = locks.join(schema.lock);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    opened.map_err(StoreError::io("open lock file", &path))
}

/// The turn to write, held until it is dropped.
pub(super) struct Turn<'a>(&'a File);

impl<'a> Turn<'a> {
    /// Waits for the turn. Waiters are served by the kernel, roughly in order; SQLite's own waiting starves some of them.
    pub(super) fn take(lock: &'a File, path: &Path) -> Result<Self, StoreError> {
        lock.lock().map_err(StoreError::io("lock the records below", path))?;
        Ok(Self(lock))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Cannot be reported from here; closing the file at the end of the process releases it in any case.
        let _ = self.0.unlock();
    }
}

fn require_safe_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() < SAFE_SQLITE.0 {
        return Err(StoreError::SqliteTooOld {
            found: rusqlite::version().to_owned(),
            needed: SAFE_SQLITE.1,
        });
    }
    Ok(())
}

fn present(path: &Path) -> Result<bool, StoreError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("examine", path)(error)),
    }
}

fn private_directory(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::io("make directory", path)(error))
        }
        _ => Ok(()),
    }
}

fn create(dir: &Path, schema: &Schema, path: &Path) -> Result<(), StoreError> {
    private_directory(dir)?;
    let lock = lock_file(dir, schema)?;
    let _turn = Turn::take(&lock, dir)?;
    if present(path)? {
        return Ok(());
    }
    let log = with_suffix(path, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        // SQLite would replay it into the new database.
        return Err(StoreError::Corrupt { path: log, reason: "its database is gone" });
    }
    let draft = with_suffix(path, ".new");
    make_draft(&draft, schema)?;
    std::fs::rename(&draft, path).map_err(StoreError::io("put in place", path))?;
    sync(dir)
}

fn make_draft(draft: &Path, schema: &Schema) -> Result<(), StoreError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        remove_if_present(&with_suffix(draft, suffix))?;
    }
    let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(draft);
    drop(made.map_err(StoreError::io("create", draft))?);
    let mut connection = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |source| StoreError::of(source, "create", draft);
    // Nobody sees the draft before it is synced as a whole.
    connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    connection.pragma_update(None, "application_id", schema.application_id).map_err(failed)?;
    migrate(&mut connection, draft, schema)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    connection.close().map_err(|(_, source)| failed(source))?;
    sync(draft)
}

pub(super) fn remove_if_present(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags).and_then(configured);
    connection.map_err(|source| StoreError::of(source, "open", path))
}

/// Opens to read; on a read-only file system, where SQLite cannot make its shared memory, as an immutable file, but only when
/// no log holds later changes.
fn connect_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())) {
        Ok(()) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(connection),
        Err(source) => match StoreError::of(source, "open", path) {
            StoreError::CannotOpen { .. } | StoreError::NotWritable { .. } if log_is_empty(path)? => {
                connect_immutable(path)
            }
            error => Err(error),
        },
    }
}

fn log_is_empty(path: &Path) -> Result<bool, StoreError> {
    let log = with_suffix(path, "-wal");
    match log.metadata() {
        Ok(found) => Ok(found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(StoreError::io("examine", &log)(error)),
    }
}

fn connect_immutable(path: &Path) -> Result<Connection, StoreError> {
    let escaped: String = path.as_os_str().as_bytes().iter().map(|byte| format!("%{byte:02X}")).collect();
    let uri = format!("file:{escaped}?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).and_then(configured);
    connection.map_err(|source| StoreError::of(source, "open", path))
}

fn configured(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The schema version; reading it checks the header and the length of the file.
fn version_of(connection: &Connection, path: &Path, schema: &Schema) -> Result<u32, StoreError> {
    let pragma = |name| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        value.map_err(|source| StoreError::of(source, "read the version", path))
    };
    if pragma("application_id")? != schema.application_id {
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            reason: "it is another program's database",
        });
    }
    let version = u32::try_from(pragma("user_version")?).unwrap_or(0);
    if version == 0 {
        return Err(StoreError::Corrupt { path: path.to_owned(), reason: "it has no schema version" });
    }
    Ok(version)
}

fn migrate(connection: &mut Connection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = |source| StoreError::Migration { path: path.to_owned(), source: Box::new(source) };
    let migrations = schema.migrations.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    let migrations = migrations.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let runner = Runner::new(&migrations).set_grouped(true).set_abort_missing(false);
    runner.run(connection).map(drop).map_err(failed)
}
