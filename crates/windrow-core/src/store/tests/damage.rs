//! Damaged, foreign, older and newer databases: a clear error, and nothing written.

use std::{collections::BTreeMap, fs, thread};

use rusqlite::Connection;

use super::{
    super::{
        local::SCHEMA,
        open::{self, Schema},
    },
    *,
};

const BOTH: [Access; 2] = [Access::ReadWrite, Access::ReadOnly];

/// A database with some rows, whole in one file.
fn folded() -> (TempDir, PathBuf) {
    let mut fixture = fixture();
    for number in 0..40 {
        fixture.add(&format!("w-{number}"));
    }
    let file = fixture.path().join("state.db");
    let Fixture { dir, store } = fixture;
    drop(store);
    Connection::open(&file).unwrap().execute("UPDATE counters SET value = 7", []).unwrap();
    assert!(!file.with_file_name("state.db-wal").exists());
    (dir, file)
}

/// What lies in the database's files; SQLite makes an empty log before it looks at the pages, which says nothing.
fn contents(file: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = ["state.db", "state.db-wal", "state.db-journal"].map(|name| file.with_file_name(name));
    let read =
        |path: PathBuf| fs::read(&path).ok().filter(|bytes| !bytes.is_empty()).map(|bytes| (path, bytes));
    names.into_iter().filter_map(read).collect()
}

fn assert_refused_as_corrupt(file: &Path) {
    let before = contents(file);
    for access in BOTH {
        let error = LocalStore::open(file.parent().unwrap(), access).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{access:?}: {error}");
    }
    assert!(contents(file) == before, "something was written");
}

#[test]
fn zeros_are_refused() {
    let (_dir, file) = folded();
    fs::write(&file, vec![0; 64 * 1024]).unwrap();
    assert_refused_as_corrupt(&file);
}

#[test]
fn an_empty_file_is_refused() {
    let (_dir, file) = folded();
    fs::write(&file, b"").unwrap();
    assert_refused_as_corrupt(&file);
}

#[test]
fn a_garbage_header_is_refused() {
    let (_dir, file) = folded();
    let mut bytes = fs::read(&file).unwrap();
    bytes[..100].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    assert_refused_as_corrupt(&file);
}

#[test]
fn a_truncated_file_is_refused() {
    let (_dir, file) = folded();
    let bytes = fs::read(&file).unwrap();
    for keep in [50, 100, 512, 4096, 4096 + 1000, bytes.len() / 2, bytes.len() - 4096] {
        fs::write(&file, &bytes[..keep]).unwrap();
        assert_refused_as_corrupt(&file);
    }
}

#[test]
fn another_programs_database_is_refused() {
    let (_dir, file) = folded();
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1").unwrap();
    assert_refused_as_corrupt(&file);
}

#[test]
fn a_log_without_its_database_is_never_replayed_into_a_new_one() {
    let mut fixture = fixture();
    fixture.add("logged");
    let dir = fixture.path();
    let Fixture { dir: _kept, store } = fixture;
    drop(store);
    let log = fs::read(dir.join("state.db-wal")).unwrap();
    assert!(!log.is_empty());
    fs::remove_file(dir.join("state.db")).unwrap();
    let error = LocalStore::open(&dir, Access::ReadWrite).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(fs::read(dir.join("state.db-wal")).unwrap() == log && !dir.join("state.db").exists());
}

#[test]
fn a_broken_page_is_found_by_the_check() {
    let (_dir, file) = folded();
    let mut bytes = fs::read(&file).unwrap();
    let worktrees = bytes.windows(7).rposition(|window| window == b"/pool/w").unwrap() / 4096 * 4096;
    bytes[worktrees..worktrees + 8].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let store = LocalStore::open(file.parent().unwrap(), Access::ReadOnly).unwrap();
    match store.problems() {
        Ok(problems) => assert!(!problems.is_empty()),
        Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error}"),
    }
}

#[test]
fn what_is_missing_is_not_made_by_a_reader() {
    let dir = TempDir::new().unwrap();
    let error = LocalStore::open(dir.path(), Access::ReadOnly).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_cannot_write() {
    let mut fixture = fixture();
    fixture.add("seen");
    let mut reader = LocalStore::open(&fixture.path(), Access::ReadOnly).unwrap();
    assert_eq!(reader.worktrees().unwrap().len(), 1);
    let outcome = reader.transaction(|tx| tx.set_meta("a", "b"));
    assert!(matches!(outcome, Err(StoreError::NotWritable { .. })));
    let below = reader.database().write("write", "INSERT INTO meta VALUES ('a', 'b')", []);
    assert!(matches!(below, Err(StoreError::NotWritable { .. })));
}

#[test]
fn a_newer_schema_is_read_and_never_written() {
    let (_dir, file) = folded();
    let dir = file.parent().unwrap();
    // The log is kept open so that it, too, must stay as it is.
    let later = Connection::open(&file).unwrap();
    later
        .execute_batch(
            "ALTER TABLE worktrees ADD COLUMN mood TEXT; CREATE TABLE extra (x); PRAGMA user_version = 99",
        )
        .unwrap();
    let before = contents(&file);
    assert!(before[&file.with_file_name("state.db-wal")].len() > 1000);
    let error = LocalStore::open(dir, Access::ReadWrite).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 6, .. }), "{error}");
    let reader = LocalStore::open(dir, Access::ReadOnly).unwrap();
    assert_eq!(reader.worktrees().unwrap().len(), 40);
    assert!(reader.events(0, 5).unwrap().len() == 5 && reader.leases().unwrap().is_empty());
    drop(reader);
    assert!(contents(&file) == before, "something was written");
}

const LATER: Schema = Schema {
    version: 7,
    migrations: &[
        SCHEMA.migrations[0],
        SCHEMA.migrations[1],
        SCHEMA.migrations[2],
        SCHEMA.migrations[3],
        SCHEMA.migrations[4],
        SCHEMA.migrations[5],
        ("V7__mood.sql", "ALTER TABLE worktrees ADD COLUMN mood TEXT; PRAGMA user_version = 7;"),
    ],
    ..SCHEMA
};

#[test]
fn an_older_schema_is_migrated_once_by_many() {
    let (_dir, file) = folded();
    let dir = file.parent().unwrap();
    let error = open::open(dir, Access::ReadOnly, &LATER).unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 6, known: 7, .. }), "{error}");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| open::open(dir, Access::ReadWrite, &LATER).unwrap());
        }
    });
    let (connection, _) = open::open(dir, Access::ReadOnly, &LATER).unwrap();
    let moods =
        connection.query_row("SELECT count(*) FROM worktrees WHERE mood IS NULL", [], |row| row.get(0));
    assert_eq!(moods, Ok(40));
}

#[test]
fn a_failed_migration_changes_nothing() {
    const BROKEN: Schema = Schema {
        version: 7,
        migrations: &[
            SCHEMA.migrations[0],
            SCHEMA.migrations[1],
            SCHEMA.migrations[2],
            SCHEMA.migrations[3],
            SCHEMA.migrations[4],
            SCHEMA.migrations[5],
            ("V7__broken.sql", "CREATE TABLE half (x); CREATE TABLE half (x);"),
        ],
        ..SCHEMA
    };
    let (_dir, file) = folded();
    let dir = file.parent().unwrap();
    let error = open::open(dir, Access::ReadWrite, &BROKEN).unwrap_err();
    assert!(matches!(error, StoreError::Migration { .. }), "{error}");
    let store = LocalStore::open(dir, Access::ReadWrite).unwrap();
    assert_eq!(store.worktrees().unwrap().len(), 40);
    let half = store
        .database()
        .one("look", "SELECT 1 FROM sqlite_schema WHERE name = 'half'", [], |_| Ok(()))
        .unwrap();
    assert_eq!(half, None);
}

#[test]
fn a_half_made_draft_is_made_again() {
    let dir = TempDir::new().unwrap();
    let path = state_dir(&dir);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("state.db.new"), b"half").unwrap();
    fs::write(path.join("state.db.new-journal"), b"half").unwrap();
    LocalStore::open(&path, Access::ReadWrite).unwrap();
    assert!(!path.join("state.db.new").exists() && !path.join("state.db.new-journal").exists());
}
