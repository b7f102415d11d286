//! What nobody comes back for goes by its age, and nothing else does.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::pool::{acquire, put, repository, windrow};

fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn old_logs_locks_and_unfinished_directories_go() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "gone", "--log", "--", "echo", "hello"]);
    windrow(&repo, &["run", "--name", "young", "--log", "--", "echo", "hello"]);
    let live = acquire(&repo, &["--name", "live"]);
    let state = repo.git_dir().join("windrow");
    put(&state.join("logs/live.log"), "of one that is there");
    put(&state.join("locks/0191f877e81372c080490fde8e8d7200.owner"), "");
    put(&state.join("locks/0191f877e81372c080490fde8e8d7201.owner"), "");
    put(&state.join("excludes/0191f877e81372c080490fde8e8d7200"), "*.log");
    put(&state.join("excludes/0191f877e81372c080490fde8e8d7201"), "*.log");
    put(&state.join("state.db.new-journal"), "cut short");
    for directory in ["new-a", "old-a", "tmp-a", "old-young"] {
        fs::create_dir(state.join(directory)).unwrap();
    }
    for old in [
        "logs/gone.log",
        "logs/live.log",
        "locks/0191f877e81372c080490fde8e8d7200.owner",
        "excludes/0191f877e81372c080490fde8e8d7200",
        "state.db.new-journal",
        "new-a",
        "old-a",
        "tmp-a",
    ] {
        age(&state.join(old), 15);
    }
    windrow(&repo, &["renew", "live"]);
    windrow(&repo, &["run", "--", "true"]);
    for gone in [
        "logs/gone.log",
        "locks/0191f877e81372c080490fde8e8d7200.owner",
        "excludes/0191f877e81372c080490fde8e8d7200",
        "state.db.new-journal",
        "new-a",
        "old-a",
        "tmp-a",
    ] {
        assert!(!state.join(gone).exists(), "{gone} is still there");
    }
    for stays in [
        "logs/young.log",
        "logs/live.log",
        "locks/0191f877e81372c080490fde8e8d7201.owner",
        "excludes/0191f877e81372c080490fde8e8d7201",
        "old-young",
    ] {
        assert!(state.join(stays).exists(), "{stays} is gone");
    }
    assert!(live.path.join(".git").exists());
}

#[test]
fn the_history_of_what_is_gone_is_forgotten_after_a_season() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "ancient", "--", "true"]);
    windrow(&repo, &["run", "--name", "recent", "--", "true"]);
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    let season = 91_i64 * 86_400 * 1_000_000;
    for (table, column, of) in [("events", "at", "worktree"), ("worktrees", "gone_at", "name")] {
        let age = format!("UPDATE {table} SET {column} = {column} - {season} WHERE {of} = 'ancient'");
        database.execute(&age, []).unwrap();
    }
    let leases = "UPDATE leases SET ended_at = ended_at - ?1 WHERE worktree IN
        (SELECT id FROM worktrees WHERE name = 'ancient')";
    database.execute(leases, [season]).unwrap();
    database.execute("DELETE FROM meta WHERE key = 'forgot'", []).unwrap();
    windrow(&repo, &["run", "--", "true"]);
    let known = |name: &str| {
        let count = "SELECT (SELECT count(*) FROM events WHERE worktree = ?1)
            + (SELECT count(*) FROM worktrees WHERE name = ?1)";
        database.query_row(count, [name], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(known("ancient"), 0);
    assert!(known("recent") > 0);
}
