//! H60: damaged, newer and foreign records: a clear error, nothing written, and a way to start anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use windrow_testkit::{Include, RepoFingerprint, TestRepo, TreeSnapshot, assert_same};

use crate::{
    refusal::{assert_told, settle},
    repo,
};

const CHANGING: [&[&str]; 6] = [
    &["run", "--", "true"],
    &["acquire"],
    &["release", "fern"],
    &["renew", "fern"],
    &["exec", "fern", "--", "true"],
    &["restore", "moss"],
];
const LOOKING: [&[&str]; 5] =
    [&["list"], &["show", "fern"], &["path", "fern"], &["rescue", "list"], &["events"]];

/// A repository with the kept worktree `fern`, which holds unsaved work, a rescue of `moss`, and its records in one file.
fn pool() -> (TestRepo, PathBuf) {
    let repo = repo();
    let work = "echo work > work.txt; echo secret > .env";
    repo.windrow(["run", "--name", "fern", "--keep", "1h", "--", "sh", "-ec", work]).run().assert_success();
    repo.windrow(["run", "--name", "moss", "--", "sh", "-ec", work]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    let file = repo.git_dir().join("windrow/state.db");
    let connection = Connection::open(&file).expect("ours");
    connection.pragma_update(None, "journal_mode", "WAL").expect("ours");
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    assert_eq!(folded.expect("ours"), 0, "nobody else has it open");
    drop(connection);
    (repo, file)
}

/// Everything but what SQLite only keeps for itself: its shared memory and an empty log.
fn state(repo: &TestRepo) -> TreeSnapshot {
    let log = repo.git_dir().join("windrow/state.db-wal");
    let ours = ["repo/.git/windrow/state.db-shm", "repo/.git/windrow/state.db-wal"];
    let hidden = if fs::metadata(&log).is_ok_and(|found| found.len() > 0) { &ours[..1] } else { &ours[..] };
    TreeSnapshot::of(repo.root(), &Include::except(hidden.iter().copied()))
}

#[track_caller]
fn assert_all_refuse(repo: &TestRepo, commands: &[&[&str]], code: i32, error: &str) {
    let before = state(repo);
    for words in commands {
        assert_told(&repo.windrow(*words).run().assert_code(code), error);
        assert_same(&before, &state(repo));
    }
}

fn spoil(file: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("ours");
    how(&mut bytes);
    fs::write(file, bytes).expect("ours");
}

#[test]
fn h60_damaged_records_are_refused_and_nothing_is_written() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 5] = [
        Vec::clear,
        |bytes| bytes.fill(0),
        |bytes| bytes[..100].fill(0x5a),
        |bytes| bytes.truncate(5000),
        |bytes| bytes[4096..].fill(0xa5),
    ];
    let (repo, file) = pool();
    let whole = fs::read(&file).expect("ours");
    for damage in damages {
        fs::write(&file, &whole).expect("ours");
        spoil(&file, damage);
        let commands: Vec<_> = [CHANGING[0], CHANGING[2], LOOKING[0], LOOKING[3]].to_vec();
        assert_all_refuse(&repo, &commands, 70, "is damaged");
    }
    fs::write(&file, &whole).expect("ours");
    repo.windrow(["release", "fern"]).run().assert_success();
}

#[test]
fn h60_every_command_refuses_damaged_records() {
    let (repo, file) = pool();
    spoil(&file, |bytes| bytes[..100].fill(0x5a));
    let commands: Vec<_> = CHANGING.into_iter().chain(LOOKING).collect();
    assert_all_refuse(&repo, &commands, 70, "is damaged");
    let told = repo.windrow(["list", "--json"]).run().assert_code(70).json();
    assert_eq!(told["error"]["code"], "STATE_UNUSABLE", "{told}");
}

#[test]
fn h60_another_programs_database_is_refused() {
    let (repo, file) = pool();
    fs::remove_file(&file).expect("ours");
    Connection::open(&file).expect("made").execute("CREATE TABLE other (x)", []).expect("made");
    assert_all_refuse(&repo, &[CHANGING[0], LOOKING[0]], 70, "is damaged");
}

#[test]
fn h60_a_log_without_its_database_is_refused() {
    let (repo, file) = pool();
    repo.windrow(["run", "--", "true"]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    fs::remove_file(&file).expect("ours");
    assert!(fs::metadata(file.with_file_name("state.db-wal")).expect("a log").len() > 0);
    assert_all_refuse(&repo, &[CHANGING[0], LOOKING[0], CHANGING[2]], 70, "state");
}

#[test]
fn h60_newer_records_are_read_and_never_written() {
    let (repo, file) = pool();
    let connection = Connection::open(&file).expect("ours");
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("ours");
    connection.pragma_update(None, "user_version", version + 1).expect("ours");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("ours");
    drop(connection);
    assert_all_refuse(&repo, &CHANGING, 1, "newer than");
    let before = state(&repo);
    for words in LOOKING {
        repo.windrow(words).run().assert_success();
        assert_same(&before, &state(&repo));
    }
    let list = repo.windrow(["list", "--json"]).run().assert_success().json();
    assert_eq!(list["worktrees"][0]["name"], "fern", "{list}");
    let told = repo.windrow(["acquire", "--json"]).run().assert_code(1).json();
    assert_eq!(told["error"]["code"], "STATE_TOO_NEW", "{told}");
}

#[test]
fn h60_the_way_to_start_anew_loses_nothing() {
    let (repo, file) = pool();
    spoil(&file, |bytes| bytes.fill(0));
    let hint = repo.windrow(["run", "--", "true"]).run().assert_code(70).stderr_text();
    assert!(hint.contains("move `state.db`, `state.db-wal` and `state.db-shm` out"), "{hint}");
    let before = RepoFingerprint::of(&repo);
    let fern = repo.root().join("repo.windrow/fern");
    let tree = TreeSnapshot::of(&fern, &Include::Everything);
    let rescues = repo.git(["for-each-ref", "refs/windrow/rescue/"]);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::rename(file.with_file_name(name), repo.root().join(name));
    }
    repo.windrow(["run", "--", "git", "status"]).run().assert_success();
    assert_told(
        &repo.windrow(["run", "--name", "fern", "--", "true"]).run().assert_code(65),
        "already there",
    );
    before.assert_unchanged(&repo);
    assert_same(&tree, &TreeSnapshot::of(&fern, &Include::Everything));
    assert!(repo.git(["worktree", "list"]).contains("repo.windrow/fern"));
    assert_eq!(repo.git(["for-each-ref", "refs/windrow/rescue/"]), rescues);
    assert!(!rescues.is_empty());
}

#[test]
fn h60_records_that_were_copied_with_the_repository_claim_nothing() {
    let (repo, _file) = pool();
    let copy = repo.root().join("copy");
    repo.command("cp", repo.root()).args(["-a", "repo", "copy"]).run().assert_success();
    let before = TreeSnapshot::of(repo.root(), &Include::except(["copy/.git/windrow"]));
    for words in [CHANGING[0], CHANGING[1], CHANGING[2], CHANGING[5]] {
        let outcome = repo.windrow(words).current_dir(&copy).run().assert_code(70);
        assert_told(&outcome, "belongs to another repository");
    }
    assert_same(&before, &TreeSnapshot::of(repo.root(), &Include::except(["copy/.git/windrow"])));
    fs::remove_dir_all(copy.join(".git/windrow")).expect("what the hint says");
    repo.windrow(["run", "--", "true"]).current_dir(&copy).run().assert_success();
    settle(&repo.root().join("copy.windrow"));
    repo.windrow(["release", "fern"]).run().assert_success();
}
