//! H40: the records are lost; what is on disk says what was there, and what it does not say is left alone.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::symlink,
    time::SystemTime,
};

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::Value;
use windrow_testkit::{Fault, Running, TestRepo, assert_same, inject};

use crate::{
    pool::{
        everything, nudge, pool_root, record, registered, repository, rescues, restore, state, text, windrow,
    },
    reconcile::{about, assert_settled, leased, lose_records, reconcile},
};

/// All rescues as they are on record, but for what can only be guessed from what is on disk.
fn recorded_rescues(repo: &TestRepo) -> Value {
    let mut list = windrow(repo, &["rescue", "list", "--json"]).json()["rescues"].take();
    for one in list.as_array_mut().unwrap() {
        let one = one.as_object_mut().unwrap();
        one.retain(|key, _| !["branch", "paths", "created_at"].contains(&key.as_str()));
    }
    list
}

#[track_caller]
fn recorded(repo: &TestRepo, name: &str, field: &str) -> Value {
    let list = windrow(repo, &["rescue", "list", "--json"]).json();
    let mut all = list["rescues"].as_array().unwrap().iter();
    all.find(|one| one["worktree"] == name).unwrap()[field].clone()
}

#[test]
fn h40_rescues_are_on_record_again_as_they_were() {
    let repo = repository();
    for (name, script) in [("fern", "echo a > .env; echo b > b.txt"), ("moss", "echo b > b.txt")] {
        windrow(&repo, &["run", "--name", name, "--", "sh", "-c", script]);
    }
    let script = "git add --all; git commit -q --allow-empty -m Work; echo a > .env; echo b > b.txt";
    windrow(&repo, &["run", "--name", "reed", "--", "sh", "-c", script]);
    let [id] = rescues(&repo, "fern").try_into().unwrap();
    let before = recorded_rescues(&repo);
    // What attempts that came to nothing may leave, some of them later, and what belongs to another rescue.
    let home = repo.git_dir().join("windrow/rescue");
    for number in 0..8 {
        let old = home.join(format!("{id}-0000000{number}.tar.zst"));
        fs::write(&old, "not whole").unwrap();
        let age = std::time::Duration::from_secs(60 + number);
        File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
    fs::write(home.join(format!("{id}-of-another-00000000.tar.zst")), "another rescue's").unwrap();
    fs::write(home.join(format!("{id}-00000000.tar.zst.part")), "no archive").unwrap();
    fs::create_dir(home.join(format!("{id}-0000000d.tar.zst"))).unwrap();
    repo.git(["branch", "beside-main"]);
    lose_records(&repo);
    let done = reconcile(&repo);
    assert_eq!(done["rescues"].as_array().unwrap().len(), 3, "{done:#}");
    assert_eq!(recorded_rescues(&repo), before);
    let saved: Timestamp = text(&recorded(&repo, "fern", "created_at")).parse().unwrap();
    let committed = repo.git(["log", "-1", "--format=%ct", &format!("refs/windrow/rescue/{id}")]);
    assert_eq!(saved.as_second().to_string(), committed);
    assert_eq!(recorded(&repo, "reed", "branch"), "windrow/reed");
    assert_eq!(
        recorded(&repo, "moss", "branch"),
        Value::Null,
        "two branches are there, and neither was its own"
    );
    assert_eq!(fs::read(restore(&repo, "fern").path.join(".env")).unwrap(), b"a\n");
}

#[test]
fn h40_a_rescue_that_cannot_be_recorded_again_is_told_and_keeps_no_other_from_it() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "fern", "--", "sh", "-c", "echo b > b.txt"]);
    let root = repo.git(["commit-tree", "-m", "No snapshot", "HEAD^{tree}"]);
    repo.git(["update-ref", "refs/windrow/rescue/odd-00000000", &root]);
    lose_records(&repo);
    let done = repo.windrow(["reconcile", "--json"]).run().assert_code(1).json();
    let failures = done["failures"].as_array().unwrap();
    assert!(matches!(&failures[..], [one] if text(one).contains("odd-00000000")), "{done:#}");
    assert_eq!(rescues(&repo, "fern").len(), 1);
    repo.git(["rev-parse", "refs/windrow/rescue/odd-00000000"]);
}

/// A supervised command that works until it is killed.
fn supervised(repo: &TestRepo, name: &str) -> Running {
    let mut run =
        repo.windrow(["run", "--name", name, "--", "sh", "-c", "echo ready; exec sleep 300"]).spawn();
    run.wait_for_stdout("ready");
    run
}

#[test]
fn h40_a_supervised_command_is_not_disturbed_with_or_without_records() {
    let repo = repository();
    let mut run = supervised(&repo, "fern");
    let link = pool_root(&repo).join("fern/.git");
    let content = fs::read(&link).unwrap();
    fs::remove_file(&link).unwrap();
    assert_eq!(about(&reconcile(&repo), "fern"), ("leave".into(), "in_use".into()));
    assert!(!link.exists());
    fs::write(&link, content).unwrap();
    let home = repo.git_dir().join("windrow");
    fs::rename(home.join("state.db"), repo.root().join("state.db")).unwrap();
    let planned = windrow(&repo, &["reconcile", "--dry-run", "--json"]).json();
    assert_eq!(about(&planned, "fern"), ("leave".into(), "in_use".into()));
    fs::rename(repo.root().join("state.db"), home.join("state.db")).unwrap();
    run.kill_alone();
    nudge(&repo);
    assert_eq!(state(&repo, "fern"), "gone");
}

#[test]
fn h09_where_one_cannot_look_nothing_is_called_gone() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    windrow(&repo, &["release", "fern", "--keep", "1h"]);
    let before = lease.files();
    let away = repo.root().join("somewhere/else");
    fs::create_dir_all(away.parent().unwrap()).unwrap();
    fs::rename(pool_root(&repo), &away).unwrap();
    // So that nothing below it can be looked at.
    symlink("repo.windrow", pool_root(&repo)).unwrap();
    assert_eq!(about(&reconcile(&repo), "fern"), ("leave".into(), "out_of_sight".into()));
    lose_records(&repo);
    assert_eq!(about(&reconcile(&repo), "fern"), ("leave".into(), "out_of_sight".into()));
    fs::remove_file(pool_root(&repo)).unwrap();
    fs::rename(&away, pool_root(&repo)).unwrap();
    assert_eq!(about(&reconcile(&repo), "fern").0, "adopt");
    assert_same(&before, &lease.files());
}

#[test]
fn h40_without_records_what_the_user_locked_or_what_leads_nowhere_is_left_alone() {
    let repo = repository();
    let leases = ["locked", "unlinked"].map(|name| leased(&repo, name));
    repo.git(["worktree", "unlock", leases[0].path.to_str().unwrap()]);
    repo.git(["worktree", "lock", "--reason", "mine", leases[0].path.to_str().unwrap()]);
    fs::remove_file(leases[1].path.join(".git")).unwrap();
    let before = everything(&pool_root(&repo));
    lose_records(&repo);
    let done = reconcile(&repo);
    assert_eq!(about(&done, "locked"), ("leave".into(), "locked_by_user".into()));
    assert_eq!(about(&done, "unlinked"), ("leave".into(), "not_ours".into()));
    assert_same(&before, &everything(&pool_root(&repo)));
}

#[test]
fn h40_a_worktree_that_was_moved_before_the_records_were_lost_is_found() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    let before = lease.files();
    let moved = repo.root().join("elsewhere");
    fs::rename(&lease.path, &moved).unwrap();
    lose_records(&repo);
    assert_eq!(about(&reconcile(&repo), "fern").0, "adopt");
    assert_eq!(
        (state(&repo, "fern"), text(&record(&repo, "fern")["path"])),
        ("kept".into(), text(&moved.to_str().into()))
    );
    assert_eq!(registered(&repo)[1..], [moved.to_str().unwrap().to_owned()]);
    assert_settled(&repo);
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h40_a_repository_that_was_moved_and_has_lost_its_records_finds_its_worktrees() {
    let repo = repository();
    let before = leased(&repo, "fern").files();
    lose_records(&repo);
    let (to, pool) = (repo.root().join("moved"), repo.root().join("moved.windrow"));
    fs::rename(repo.path(), &to).unwrap();
    fs::rename(pool_root(&repo), &pool).unwrap();
    let done = repo.windrow(["reconcile", "--json"]).current_dir(&to).run().assert_success().json();
    assert_eq!(about(&done, "fern").0, "adopt");
    assert_same(&before, &crate::pool::files(&pool.join("fern")));
    repo.git_in(&pool.join("fern"), ["status"]);
    fs::rename(&pool, pool_root(&repo)).unwrap();
    fs::rename(&to, repo.path()).unwrap();
}

#[test]
fn h40_a_repository_that_was_moved_away_from_its_worktrees_and_lost_its_records_finds_them() {
    let repo = repository();
    let lease = leased(&repo, "fern");
    let before = lease.files();
    lose_records(&repo);
    let to = repo.root().join("moved");
    fs::rename(repo.path(), &to).unwrap();
    let done = repo.windrow(["reconcile", "--json"]).current_dir(&to).run().assert_success().json();
    assert_eq!(about(&done, "fern").0, "adopt");
    assert_same(&before, &lease.files());
    repo.git_in(&lease.path, ["status"]);
    fs::rename(&to, repo.path()).unwrap();
}

#[test]
fn h60_records_that_cannot_be_moved_aside_are_not_made_anew() {
    let repo = repository();
    leased(&repo, "fern");
    let home = repo.git_dir().join("windrow");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::write(home.join(name), "no database").unwrap();
    }
    let names =
        || -> BTreeSet<_> { home.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    let before = names();
    let call = repo.windrow(["reconcile", "--json"]);
    let Some(call) = inject(call, "rename", Fault::Error("EIO"), 1) else { return };
    call.run().assert_code(1);
    assert_eq!(names(), before);
    assert_eq!(about(&reconcile(&repo), "fern").0, "adopt");
}

#[test]
fn h60_records_that_can_be_read_but_are_not_whole_are_made_anew() {
    let repo = repository();
    let before = leased(&repo, "fern").files();
    let database = Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    database.pragma_update(None, "writable_schema", true).unwrap();
    let forgotten = "DELETE FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    assert_ne!(database.execute(forgotten, []).unwrap(), 0);
    drop(database);
    let done = reconcile(&repo);
    assert_eq!((&done["records"]["reason"], about(&done, "fern").0), (&"damaged".into(), "adopt".into()));
    assert_settled(&repo);
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h40_a_registration_of_another_repository_is_not_ours_with_or_without_a_record() {
    let repo = repository();
    leased(&repo, "fern");
    windrow(&repo, &["release", "fern", "--keep", "1h"]);
    let other = repo.root().join("other");
    repo.git(["init", "--quiet", other.to_str().unwrap()]);
    let theirs = format!("{}\n", other.join(".git").display());
    fs::write(repo.git_dir().join("worktrees/fern/commondir"), theirs).unwrap();
    let before = (everything(&pool_root(&repo)), everything(&repo.git_dir().join("worktrees")));
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern"), ("quarantine".into(), "foreign_registration".into()));
    lose_records(&repo);
    let done = reconcile(&repo);
    assert_eq!(about(&done, "fern"), ("leave".into(), "not_ours".into()));
    assert_same(&before.0, &everything(&pool_root(&repo)));
    assert_same(&before.1, &everything(&repo.git_dir().join("worktrees")));
}
