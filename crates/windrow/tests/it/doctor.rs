//! H34 and H35: what a crash left locked, ours and others', and H26 and H27: what is everybody's is not as it was; what
//! `doctor` says and does about it.

use std::{fs, path::PathBuf};

use serde_json::Value;
use windrow_testkit::{TestRepo, assert_same};

use crate::pool::{acquire, everything, holder, put, registered, repository, restore, state, text, windrow};
use crate::schema::assert_valid;

/// What `doctor` says about one subject: severity, text, cure and fate of each finding.
#[track_caller]
fn findings(repo: &TestRepo, line: &[&str], about: &str) -> Vec<Value> {
    let document = repo.windrow([&["doctor", "--json"], line].concat()).run().json();
    assert_valid("doctor", &document);
    let all = document["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|one| one["about"] == about).collect()
}

/// The only finding about a subject.
#[track_caller]
fn finding(repo: &TestRepo, line: &[&str], about: &str) -> Value {
    let found: [Value; 1] = findings(repo, line, about).try_into().unwrap();
    found[0].clone()
}

#[test]
fn a_pool_that_is_well() {
    let repo = repository();
    let told = repo.windrow(["doctor"]).run().assert_success().text();
    assert!(told.contains("git 2.") && told.contains("no records yet"), "{told}");
    assert!(!repo.git_dir().join("windrow").exists(), "a question makes nothing");
    acquire(&repo, &["--name", "fern"]);
    let told = repo.windrow(["doctor"]).run().assert_success().text();
    assert!(!told.contains("problem") && !told.contains("note"), "{told}");
}

#[test]
fn h34_a_worktree_that_another_git_left_initializing_is_named_and_left() {
    let repo = repository();
    acquire(&repo, &["--name", "fern"]);
    let stuck = repo.git_dir().join("worktrees/stuck");
    put(&stuck.join("locked"), "initializing");
    put(&stuck.join("gitdir"), format!("{}/stuck/.git\n", repo.root().display()));
    put(&stuck.join("commondir"), "../..\n");
    put(&stuck.join("HEAD"), format!("{}\n", repo.oid("HEAD")));
    let before = everything(&repo.git_dir().join("worktrees"));
    let found = finding(&repo, &["--fix"], "worktree");
    assert!(text(&found["text"]).contains("did not finish"), "{found}");
    assert!(found["cure"].is_null());
    windrow(&repo, &["reconcile"]);
    windrow(&repo, &["run", "--name", "moss", "--", "true"]);
    assert_same(&before, &everything(&repo.git_dir().join("worktrees")));
}

#[test]
fn h34_a_creation_of_ours_that_was_cut_short_is_undone() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    database.execute("UPDATE worktrees SET state = 'creating'", []).unwrap();
    drop(database);
    let found = finding(&repo, &[], "worktree");
    assert_eq!(found["cure"], "reconcile", "{found}");
    assert_eq!(finding(&repo, &["--fix"], "worktree")["fate"]["kind"], "done");
    assert_eq!(state(&repo, "fern"), "gone");
    assert!(!lease.path.exists());
    assert_eq!(registered(&repo).len(), 1, "nothing stays locked");
}

fn lock_in(repo: &TestRepo, name: &str) -> PathBuf {
    repo.git_dir().join("worktrees").join(name).join("index.lock")
}

#[test]
fn h35_a_lock_in_a_worktree_goes_when_its_owner_is_proven_dead_and_not_before() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = acquire(&repo, &["--name", "fern", "--pid", &holder.pid().to_string()]);
    put(&lock_in(&repo, "fern"), "");
    let found = finding(&repo, &["--fix"], "git_lock");
    assert_eq!((&found["severity"], &found["cure"]), (&"note".into(), &Value::Null), "its holder lives");
    assert!(lock_in(&repo, "fern").exists());

    let mut inside = repo.command("sleep", &lease.path).arg("300").spawn();
    holder.kill_alone();
    assert_eq!(finding(&repo, &["--fix"], "git_lock")["severity"], "note", "somebody is in it");
    assert!(lock_in(&repo, "fern").exists());

    inside.kill_alone();
    let planned = finding(&repo, &["--fix", "--dry-run"], "git_lock");
    assert_eq!((&planned["severity"], &planned["cure"]), (&"problem".into(), &"remove_lock".into()));
    assert!(lock_in(&repo, "fern").exists(), "only told");
    assert_eq!(finding(&repo, &["--fix"], "git_lock")["fate"]["kind"], "done");
    assert!(!lock_in(&repo, "fern").exists());
    assert!(lease.path.join("README.md").exists());
}

#[test]
fn h35_a_supervised_command_keeps_its_locks() {
    let repo = repository();
    let script = "touch \"$(git rev-parse --git-dir)/index.lock\"; echo ready; exec sleep 300";
    let mut run = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).spawn();
    run.wait_for_stdout("ready");
    let found = finding(&repo, &["--fix"], "git_lock");
    assert!(text(&found["text"]).contains("somebody uses"), "{found}");
    assert!(lock_in(&repo, "fern").exists());
    assert!(!findings(&repo, &[], "held").is_empty());
    run.signal(rustix::process::Signal::TERM);
    run.wait();
}

#[test]
fn h35_shared_locks_are_named_and_never_removed() {
    let repo = repository();
    acquire(&repo, &["--name", "fern"]);
    let names = ["index.lock", "config.lock", "packed-refs.lock"];
    for name in names {
        put(&repo.git_dir().join(name), "");
    }
    let document = repo.windrow(["doctor", "--fix", "--json"]).run().assert_code(1).json();
    let told = document.to_string();
    for name in names {
        assert!(told.contains(&format!(".git/{name}")), "{told}");
        assert!(repo.git_dir().join(name).exists(), "nobody knows whose `{name}` is");
    }
    // They stand in nobody's way but git's own.
    windrow(&repo, &["reconcile"]);
}

#[test]
fn a_quarantined_worktree_is_explained_with_the_next_command() {
    let repo = repository();
    let mut holder = holder(&repo);
    let lease = acquire(&repo, &["--name", "fern", "--pid", &holder.pid().to_string()]);
    lease.write("work.txt", "work");
    fs::write(lease.path.join(".git"), "gitdir: /nowhere\n").unwrap();
    holder.kill_alone();
    let found = finding(&repo, &["--fix"], "worktree");
    assert_eq!(found["fate"]["kind"], "done", "{found}");
    let found = finding(&repo, &[], "worktree");
    assert_eq!(found["severity"], "problem");
    assert!(text(&found["text"]).contains("another directory"), "{found}");
    assert!(text(&found["next"]).contains("windrow release fern"), "{found}");
    assert_eq!(fs::read(lease.path.join("work.txt")).unwrap(), b"work");
}

#[test]
fn records_that_are_gone_are_made_again() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "work");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::remove_file(repo.git_dir().join("windrow").join(name)).unwrap();
    }
    let before = lease.files();
    assert_eq!(finding(&repo, &[], "records")["severity"], "problem");
    assert_eq!(finding(&repo, &["--fix"], "records")["fate"]["kind"], "done");
    assert_eq!(finding(&repo, &[], "records")["severity"], "fine");
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

/// Has a git of the main checkout set something that all worktrees share.
fn set_shared(repo: &TestRepo, key: &str, value: &str) {
    repo.git(["config", "--file", repo.git_dir().join("config").to_str().unwrap(), key, value]);
}

fn shared_config(repo: &TestRepo) -> Vec<u8> {
    fs::read(repo.git_dir().join("config")).unwrap()
}

#[test]
fn h27_a_main_checkout_that_became_bare_is_told_with_who_was_there_and_repaired() {
    let repo = repository();
    let before = shared_config(&repo);
    let mut holder = holder(&repo);
    acquire(&repo, &["--name", "fern", "--pid", &holder.pid().to_string()]);
    set_shared(&repo, "core.bare", "true");
    let broken = shared_config(&repo);
    let problems = |line: &[&str]| -> Vec<Value> {
        findings(&repo, line, "shared").into_iter().filter(|one| one["severity"] == "problem").collect()
    };
    let planned = problems(&["--fix", "--dry-run"]);
    let [planned] = planned.as_slice() else { panic!("{planned:#?}") };
    let told = text(&planned["text"]);
    assert!(told.contains("`core.bare` is true") && told.contains("is the main checkout"), "{told}");
    assert!(told.contains(&format!("process {} had `fern`", holder.pid())), "{told}");
    assert_eq!((&planned["cure"], &planned["fate"]), (&"repair_config".into(), &Value::Null));
    assert_eq!(shared_config(&repo), broken, "only told");
    let notes = findings(&repo, &[], "shared");
    let note = notes.iter().find(|one| one["severity"] == "note").unwrap();
    assert!(text(&note["text"]).contains("`core.bare` changed from `false` to `true`"), "{note}");

    let done = problems(&["--fix"]);
    assert_eq!(done[0]["fate"]["kind"], "done", "{done:#?}");
    assert_eq!(shared_config(&repo), before);
    assert_eq!(findings(&repo, &[], "shared"), Vec::<Value>::new());
    repo.git(["status"]);
    holder.kill_alone();
}

#[test]
fn h27_a_bare_main_checkout_is_repaired_after_the_lease_as_well() {
    let repo = repository();
    let before = shared_config(&repo);
    let script = format!("git config --file '{}/config' core.bare true", repo.git_dir().display());
    windrow(&repo, &["run", "--name", "fern", "--", "sh", "-c", &script]);
    let found = finding(&repo, &["--fix"], "shared");
    assert!(text(&found["text"]).contains("had `fern`"), "{found}");
    assert_eq!(found["fate"]["kind"], "done", "{found}");
    assert_eq!(shared_config(&repo), before);
}

#[test]
fn h27_a_worktree_setting_that_leads_elsewhere_is_unset() {
    let repo = repository();
    let before = shared_config(&repo);
    let elsewhere = repo.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    set_shared(&repo, "core.worktree", elsewhere.to_str().unwrap());
    assert_eq!(findings(&repo, &["--fix"], "shared"), Vec::<Value>::new(), "no agent was ever here");
    set_shared(&repo, "core.worktree", repo.path().to_str().unwrap());
    windrow(&repo, &["run", "--", "true"]);
    set_shared(&repo, "core.worktree", elsewhere.to_str().unwrap());
    let found = finding(&repo, &["--fix"], "shared");
    assert!(text(&found["text"]).contains("`core.worktree` is `"), "{found}");
    assert_eq!(found["fate"]["kind"], "done", "{found}");
    assert_eq!(shared_config(&repo), before);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn h27_another_hooks_path_is_told_with_the_command_and_left() {
    let repo = repository();
    acquire(&repo, &["--name", "fern"]);
    set_shared(&repo, "core.hooksPath", "/elsewhere");
    let broken = shared_config(&repo);
    let found = finding(&repo, &["--fix"], "shared");
    assert_eq!((&found["severity"], &found["cure"]), (&"note".into(), &Value::Null), "{found}");
    assert!(text(&found["next"]).contains("--unset core.hooksPath"), "{found}");
    assert_eq!(shared_config(&repo), broken);
}

#[test]
fn h26_a_write_into_the_main_checkout_is_told_while_the_lease_lives() {
    let repo = repository();
    acquire(&repo, &["--name", "fern"]);
    acquire(&repo, &["--name", "moss"]);
    put(&repo.path().join("README.md"), "oops");
    let found = findings(&repo, &["--fix"], "shared");
    let told: Vec<_> = found.iter().map(|one| text(&one["text"])).collect();
    assert!(
        told.len() == 2 && told.iter().all(|one| one.contains("`README.md` in the main checkout")),
        "{told:?}"
    );
    assert!(told[0].contains("worktree `fern`") && told[0].contains("had `moss`"), "{told:?}");
    assert_eq!(fs::read(repo.path().join("README.md")).unwrap(), b"oops");
}
