//! Sessions: what they hold ends with their process, however it ends, and nothing that was in it is lost.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use rusqlite::Connection;
use serde_json::Value;
use windrow_core::ops::KeeperMode;
use windrow_testkit::{
    Invocation, Running, TestRepo, TreeSnapshot, assert_same, poll_until, processes_under,
};

use crate::{
    pool::{
        Lease, acquire, holder, nudge, outlast, record, refused, repository, rescues, restore, state, text,
        windrow,
    },
    schema::assert_valid,
};

const BINARY: &str = env!("CARGO_BIN_EXE_windrow");

/// Starts a session and returns its id.
#[track_caller]
fn start(repo: &TestRepo, arguments: &[&str]) -> String {
    let outcome = windrow(repo, &[&["session", "start"], arguments].concat());
    outcome.text()
}

/// Starts a session that ends with `process`.
#[track_caller]
fn start_with(repo: &TestRepo, process: &Running) -> String {
    start(repo, &["--pid", &process.pid().to_string()])
}

/// Leases a worktree in a session and puts work of every kind into it.
#[track_caller]
fn busy(repo: &TestRepo, session: &str, name: &str) -> (Lease, TreeSnapshot) {
    let lease = acquire(repo, &["--name", name, "--session", session]);
    let work = work_in(&lease.path, name);
    (lease, work)
}

/// Work of every kind: changed, new, binary, ignored, linked.
fn work_in(worktree: &Path, name: &str) -> TreeSnapshot {
    crate::pool::put(&worktree.join("README.md"), format!("changed in {name}\n"));
    crate::pool::put(&worktree.join("src/new.rs"), format!("//! New in {name}.\n"));
    let binary: Vec<u8> =
        name.bytes().cycle().take(3_000).enumerate().map(|(n, byte)| byte ^ (n % 251) as u8).collect();
    crate::pool::put(&worktree.join("data.bin"), binary);
    crate::pool::put(&worktree.join(".env"), format!("SECRET={name}\n"));
    symlink("src/new.rs", worktree.join("to-new")).unwrap();
    crate::pool::files(worktree)
}

#[track_caller]
fn assert_rescued(repo: &TestRepo, name: &str, work: &TreeSnapshot) {
    assert_eq!(state(repo, name), "gone");
    assert_same(work, &restore(repo, name).files());
}

#[track_caller]
fn session(repo: &TestRepo, id: &str) -> Value {
    let document = windrow(repo, &["session", "show", id, "--json"]).json();
    assert_valid("session-show", &document);
    document["session"].clone()
}

/// Changes the records behind the program's back.
#[track_caller]
fn alter(repo: &TestRepo, sql: &str) {
    let records = Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    assert_eq!(records.execute(sql, []).unwrap(), 1, "{sql}");
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("agent-{number}")).collect()
}

/// A shell that starts a session, leases worktrees in it, and stays.
fn orchestrator(repo: &TestRepo, names: &[String], keeper: KeeperMode) -> Running {
    let script = r#"
        WINDROW_SESSION=$("$0" session start) || exit 1
        export WINDROW_SESSION
        for name in "$@"; do "$0" acquire --quiet --name "$name" > /dev/null || exit 1; done
        echo ready
        exec sleep 300"#;
    let shell = repo.command("sh", repo.path()).args(["-c", script, BINARY]).args(names);
    let keeper = ("WINDROW_CONFIG__POOL__KEEPER", (keeper == KeeperMode::OnDemand).to_string());
    let room = ("WINDROW_CONFIG__POOL__MAX_WORKTREES", "40".to_owned());
    let mut shell = shell.envs([keeper, room].map(|(key, value)| (key.into(), value.into()))).spawn();
    shell.wait_for_stdout("ready");
    shell
}

#[test]
fn h05_what_a_killed_orchestrator_held_is_saved_by_the_next_command() {
    let repo = repository();
    let names = names(8);
    let mut shell = orchestrator(&repo, &names, KeeperMode::Never);
    let root = crate::pool::pool_root(&repo);
    let work: Vec<_> = names.iter().map(|name| work_in(&root.join(name), name)).collect();
    nudge(&repo);
    names.iter().for_each(|name| assert_eq!(state(&repo, name), "leased"));

    shell.kill_alone();

    nudge(&repo);
    for (name, work) in names.iter().zip(&work) {
        assert_rescued(&repo, name, work);
    }
    let none = windrow(&repo, &["session", "list", "--json"]).json();
    assert_eq!(none["sessions"], serde_json::json!([]));
}

#[test]
fn a_session_ends_with_the_shell_that_started_it_and_not_with_a_part_of_it() {
    let repo = repository();
    for shell in ["sh", "bash"] {
        for line in [
            r#"id=$("$0" session start)"#,
            r#"id=$("$0" session start | tr -d '\r')"#,
            r#"id=$(cd . && "$0" session start --quiet && true)"#,
        ] {
            let script = format!("{line}; echo $$ $id; \"$0\" session show $id --json");
            let outcome = repo.command(shell, repo.path()).args(["-c", &script, BINARY]).run();
            let said = outcome.assert_success().text();
            let (first, document) = said.split_once('\n').unwrap();
            let (pid, id) = first.split_once(' ').unwrap();
            assert_eq!(id.len(), 32, "{id}");
            let document: Value = serde_json::from_str(document).unwrap();
            assert_eq!(document["session"]["bond"]["pid"].to_string(), pid, "{shell}: {line}");
            assert_eq!(document["session"]["alive"], true);
        }
    }
}

#[test]
fn a_program_that_forks_is_not_taken_for_its_parent() {
    let repo = repository();
    let script =
        r#""$0" -c 'id=$("$1" session start); "$1" session show $id --json; echo $$ $PPID' x "$1"; true"#;
    let outcome = repo.command("sh", repo.path()).args(["-c", script, "sh", BINARY]).run().assert_success();
    let said = outcome.text();
    let (document, pids) = said.split_once('\n').unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    let inner = pids.split_once(' ').unwrap().0;
    assert_eq!(document["session"]["bond"]["pid"].to_string(), inner, "{said}");
}

#[test]
fn ending_a_session_gives_back_everything_and_tells_of_each() {
    let repo = repository();
    let process = holder(&repo);
    let id = start_with(&repo, &process);
    let held: Vec<_> = names(3).iter().map(|name| busy(&repo, &id, name)).collect();
    let other = acquire(&repo, &["--name", "other"]);
    let listed = windrow(&repo, &["session", "list", "--json"]).json();
    assert_valid("session-list", &listed);
    assert_eq!(listed["sessions"][0]["leases"].as_array().unwrap().len(), 3);

    let ended = repo.windrow(["session", "end", "--json"]).env("WINDROW_SESSION", &id).run();
    let ended = ended.assert_success().json();

    assert_valid("session-end", &ended);
    assert_eq!(ended["failed"], serde_json::json!([]));
    let told = ended["released"].as_array().unwrap();
    let told: Vec<_> =
        told.iter().map(|one| (text(&one["worktree"]["name"]), &one["rescue"]["id"])).collect();
    assert_eq!(told.len(), 3);
    for ((lease, work), (name, rescue)) in held.iter().zip(told) {
        assert_eq!((&lease.name, &Value::from(rescues(&repo, &lease.name))[0]), (&name, rescue));
        assert_rescued(&repo, &name, work);
    }
    assert_eq!(state(&repo, &other.name), "leased");
    assert_eq!(session(&repo, &id)["alive"], false);
    let again = windrow(&repo, &["session", "end", &id, "--json"]).json();
    assert_eq!(again["released"], serde_json::json!([]));
    let events = windrow(&repo, &["events", "--json"]).json();
    let told = events["events"].as_array().unwrap().iter();
    let told: Vec<_> =
        told.filter(|event| event["detail"] == format!("session {id}")).map(|e| text(&e["kind"])).collect();
    assert_eq!(told, ["session.started", "session.ended"]);
}

#[test]
fn a_worktree_in_use_is_left_until_nobody_uses_it() {
    let repo = repository();
    let process = holder(&repo);
    let id = start_with(&repo, &process);
    let (used, work) = busy(&repo, &id, "used");
    let (free, free_work) = busy(&repo, &id, "free");
    let user = repo.command("sleep", &used.path).arg("300").spawn();

    let ended = repo.windrow(["session", "end", &id, "--json"]).run().assert_code(75).json();
    assert_valid("session-end", &ended);
    assert_eq!(ended["released"][0]["worktree"]["name"], *free.name);
    assert_eq!(ended["failed"][0]["worktree"], *used.name);
    assert_eq!(ended["failed"][0]["error"]["code"], "BUSY");
    assert_rescued(&repo, &free.name, &free_work);
    nudge(&repo);
    assert_same(&work, &used.files());

    drop(user);
    nudge(&repo);
    assert_rescued(&repo, &used.name, &work);
}

#[test]
fn an_end_that_was_cut_short_is_finished_by_the_next_command() {
    let repo = repository();
    let process = holder(&repo);
    let id = start_with(&repo, &process);
    let (lease, work) = busy(&repo, &id, "fern");
    // What a kill leaves between the end of the session and that of its first lease.
    alter(&repo, &format!("UPDATE sessions SET ended_at = started_at + 1 WHERE id = '{id}'"));
    nudge(&repo);
    assert_rescued(&repo, &lease.name, &work);
}

#[test]
fn a_later_process_of_the_same_number_is_not_the_sessions() {
    let repo = repository();
    let process = holder(&repo);
    for column in ["start = start - 1", "boot = 'of-another-boot/1'"] {
        let id = start_with(&repo, &process);
        let name = if column.starts_with("start") { "number" } else { "boot" };
        let (_, work) = busy(&repo, &id, name);
        nudge(&repo);
        assert_eq!(state(&repo, name), "leased");
        alter(&repo, &format!("UPDATE sessions SET {column} WHERE id = '{id}'"));
        assert_eq!(session(&repo, &id)["alive"], false);
        nudge(&repo);
        assert_rescued(&repo, name, &work);
        let error = refused(&repo, 65, &["acquire", "--session", &id]);
        assert_eq!(error["code"], "CONFLICT");
    }
    let mut dead = holder(&repo);
    dead.kill_alone();
    let error = refused(&repo, 1, &["session", "start", "--pid", &dead.pid().to_string()]);
    assert_eq!(error["code"], "NOT_FOUND");
}

#[test]
fn a_session_within_a_session_has_its_own_end() {
    let repo = repository();
    let (outer_process, mut inner_process) = (holder(&repo), holder(&repo));
    let outer = start_with(&repo, &outer_process);
    let inside = |session: &str, line: &[&str]| {
        repo.windrow(line).env("WINDROW_SESSION", session).run().assert_success()
    };
    let pid = inner_process.pid().to_string();
    let inner = inside(&outer, &["session", "start", "--pid", &pid]).text();
    assert_ne!(outer, inner);
    let (first, first_work) = busy(&repo, &outer, "outer-one");
    let (_, second_work) = busy(&repo, &inner, "inner-one");
    // An orchestrator in a worktree of the outer session, as its environment says.
    inside(&inner, &["acquire", "--name", "inner-two"]);
    assert_eq!(record(&repo, "inner-two")["lease"]["holder"]["id"], *inner);

    inner_process.kill_alone();
    nudge(&repo);
    assert_rescued(&repo, "inner-one", &second_work);
    assert_eq!(state(&repo, "inner-two"), "gone");
    assert_same(&first_work, &first.files());

    let third_process = holder(&repo);
    let third = inside(&outer, &["session", "start", "--pid", &third_process.pid().to_string()]).text();
    let (last, last_work) = busy(&repo, &third, "inner-three");
    windrow(&repo, &["session", "end", &outer]);
    assert_rescued(&repo, "outer-one", &first_work);
    assert_same(&last_work, &last.files());
    assert_eq!(session(&repo, &third)["alive"], true);
}

#[test]
fn a_session_without_a_process_ends_by_time() {
    let repo = repository();
    let started = windrow(&repo, &["session", "start", "--ttl", "1h", "--json"]).json();
    assert_valid("session-start", &started);
    let id = text(&started["session"]["id"]);
    let (_, work) = busy(&repo, &id, "fern");
    let lease = &record(&repo, "fern")["lease"];
    assert_eq!(lease["expires_at"], Value::Null);
    nudge(&repo);
    assert_eq!(state(&repo, "fern"), "leased");
    alter(&repo, &format!("UPDATE sessions SET expires_at = started_at + 1 WHERE id = '{id}'"));
    outlast(0);
    nudge(&repo);
    assert_rescued(&repo, "fern", &work);
}

#[test]
fn a_key_is_the_sessions() {
    let repo = repository();
    let mut process = holder(&repo);
    let id = start_with(&repo, &process);
    let first = acquire(&repo, &["--key", "T-1", "--session", &id]);
    let again = acquire(&repo, &["--key", "T-1", "--session", &id]);
    assert_eq!((&first.id, &again.provenance[..]), (&again.id, "same"));
    let other = start(&repo, &["--ttl", "1h"]);
    let error = refused(&repo, 75, &["acquire", "--key", "T-1", "--session", &other]);
    assert!(text(&error["message"]).contains(&id), "{error}");
    let work = work_in(&first.path, "T-1");
    process.kill_alone();
    let taken = acquire(&repo, &["--key", "T-1", "--session", &other]);
    assert_eq!((&taken.path, &taken.provenance[..]), (&first.path, "taken_over"));
    assert!(taken.fence > first.fence);
    assert_same(&work, &taken.files());
}

#[test]
fn a_lease_is_given_to_no_session_that_is_not_there() {
    let repo = repository();
    let acquire =
        |session: &str| -> Invocation { repo.windrow(["acquire", "--json"]).env("WINDROW_SESSION", session) };
    let unknown = "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f";
    let error = acquire(unknown).run().assert_code(1).json();
    assert_eq!(error["error"]["code"], "NOT_FOUND");
    assert!(!repo.git_dir().join("windrow").exists(), "a refusal leaves nothing");
    assert_eq!(acquire("mine").run().assert_code(2).json()["error"]["code"], "USAGE");
    let id = start(&repo, &["--ttl", "1h"]);
    windrow(&repo, &["session", "end", &id]);
    let error = acquire(&id).run().assert_code(65).json();
    assert_eq!(error["error"]["message"], format!("session `{id}` has ended"));
    assert_eq!(acquire(unknown).run().assert_code(1).json()["error"]["code"], "NOT_FOUND");
    assert_eq!(refused(&repo, 1, &["session", "end", unknown])["code"], "NOT_FOUND");
    assert_eq!(refused(&repo, 2, &["session", "end"])["code"], "USAGE");
    assert_eq!(windrow(&repo, &["list", "--json"]).json()["worktrees"], serde_json::json!([]));
}

#[test]
fn a_run_in_a_session_is_held_by_its_own_supervisor() {
    let repo = repository();
    let id = start(&repo, &["--ttl", "1h"]);
    let script = "echo $WINDROW_SESSION";
    let run = repo.windrow(["run", "--json", "--", "sh", "-c", script]).env("WINDROW_SESSION", &id).run();
    let run = run.assert_success();
    assert_eq!(run.json()["lease"]["holder"]["kind"], "process");
    assert!(run.stderr_text().contains(&id), "{run}");
}

#[test]
fn people_are_told_of_sessions_too() {
    let repo = repository();
    assert_eq!(windrow(&repo, &["session", "list"]).text(), "no sessions");
    let process = holder(&repo);
    let started = windrow(&repo, &["session", "start", "--pid", &process.pid().to_string()]);
    let id = started.text();
    let short = &id[24..];
    let pid = process.pid();
    assert_eq!(started.stderr_text(), format!("session {short}  ends with pid {pid}\n"));
    let (lease, _) = busy(&repo, &id, "fern");
    let listed = windrow(&repo, &["session", "list"]).text();
    assert!(listed.contains(&id) && listed.contains(&format!("with pid {pid}")), "{listed}");
    let shown = windrow(&repo, &["session", "show", &id]).text();
    assert!(shown.contains("1 lease") && shown.contains(&lease.name), "{shown}");
    let ended = windrow(&repo, &["session", "end", &id]).stderr_text();
    assert!(ended.starts_with("fern  removed\n"), "{ended}");
    assert!(ended.ends_with(&format!("session {short}  ended, 1 lease given back\n")), "{ended}");
}

#[test]
fn the_keeper_ends_what_a_killed_session_held() {
    let repo = repository();
    let names = names(32);
    let mut shell = orchestrator(&repo, &names, KeeperMode::OnDemand);
    let root = crate::pool::pool_root(&repo);
    let work: Vec<_> = names.iter().map(|name| work_in(&root.join(name), name)).collect();

    shell.kill_alone();

    let bound = Duration::from_secs(30);
    poll_until(bound, "every worktree goes", || names.iter().all(|name| !root.join(name).exists()));
    poll_until(bound, "the keeper leaves", || processes_under(repo.root()).is_empty());
    for (name, work) in names.iter().zip(&work) {
        assert_eq!(rescues(&repo, name).len(), 1, "{name}");
        let restored = restore(&repo, name);
        assert_same(work, &restored.files());
        windrow(&repo, &["release", &restored.name, "--discard"]);
    }
}
