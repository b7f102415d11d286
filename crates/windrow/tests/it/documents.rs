//! Every document that a command prints is the one its schema promises.

use serde_json::Value;
use windrow_testkit::TestRepo;

use crate::{repo, schema::assert_valid};

/// Runs a command, checks its document and gives it back.
#[track_caller]
fn document(repo: &TestRepo, schema: &str, line: &[&str]) -> Value {
    let outcome = repo.windrow(line).run().assert_success();
    let document = outcome.json();
    assert_valid(schema, &document);
    document
}

#[test]
fn leases_and_questions() {
    let repo = repo();
    let acquired = document(&repo, "acquire", &["acquire", "--name", "fern", "--key", "T-1", "--json"]);
    assert_eq!(acquired["lease"]["name"], "fern");
    assert_eq!(acquired["lease"]["branch"], "windrow/fern");
    assert_eq!(acquired["lease"]["base_oid"], repo.oid("HEAD"));
    assert_eq!(acquired["env_set"]["WINDROW_NAME"], "fern");
    let listed = document(&repo, "list", &["list", "--json"]);
    assert_eq!(listed["worktrees"][0]["lease"]["id"], acquired["lease"]["id"]);
    let shown = document(&repo, "show", &["show", "--key", "T-1", "--json"]);
    assert_eq!(shown["worktree"]["state"], "leased");
    assert_eq!(shown["head"]["oid"], repo.oid("HEAD"));
    let path = document(&repo, "path", &["path", "fern", "--json"]);
    assert_eq!(path["path"], acquired["lease"]["path"]);
    let renewed = document(&repo, "renew", &["renew", "fern", "--ttl", "3h", "--json"]);
    assert_ne!(renewed["lease"]["expires_at"], acquired["lease"]["expires_at"]);
    let diff = document(&repo, "diff", &["diff", "fern", "--json"]);
    assert_eq!(diff["diff"], "");
    let logs = document(&repo, "logs", &["logs", "fern", "--json"]);
    assert_eq!(logs["logs"], serde_json::json!([]));
    let exec = document(&repo, "exec", &["exec", "fern", "--json", "--", "true"]);
    assert_eq!(exec["exit"]["origin"], "child");
    let released = document(&repo, "release", &["release", "fern", "--json"]);
    assert_eq!(released["released"]["fate"]["kind"], "removed");
    let events = document(&repo, "events", &["events", "--json"]);
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert!(kinds.iter().any(|kind| *kind == "lease.acquired"), "{kinds:?}");
    document(&repo, "config", &["config", "--json"]);
}

#[test]
fn runs_and_rescues() {
    let repo = repo();
    let script = "echo work > new.txt; echo secret > .env; git commit -q --allow-empty -m x; sleep 60 &";
    let ran = document(&repo, "run", &["run", "--name", "fern", "--log", "--json", "--", "sh", "-c", script]);
    assert_eq!(ran["exit"]["code"], 0);
    assert_eq!(ran["stragglers"].as_array().unwrap().len(), 1);
    assert_eq!(ran["released"]["work"]["commits"], 1);
    let rescues = document(&repo, "rescue-list", &["rescue", "list", "--json"]);
    let id = rescues["rescues"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(ran["released"]["rescue"]["id"], *id);
    let shown = document(&repo, "rescue-show", &["rescue", "show", &id, "--json"]);
    let paths: Vec<_> = shown["paths"].as_array().unwrap().iter().map(|path| &path["path"]).collect();
    assert!(paths.contains(&&Value::from("new.txt")) && paths.contains(&&Value::from(".env")), "{paths:?}");
    let restored = document(&repo, "restore", &["restore", &id, "--json"]);
    assert_eq!(restored["rescue"]["id"], *id);
    repo.windrow(["release", restored["lease"]["name"].as_str().unwrap(), "--discard"])
        .run()
        .assert_success();
    let dropped = document(&repo, "rescue-drop", &["rescue", "drop", &id, "--json"]);
    assert_eq!(dropped["dropped"]["id"], *id);
}

#[test]
fn following_gives_one_document_for_each_event() {
    let repo = repo();
    repo.windrow(["run", "--name", "fern", "--", "true"]).run().assert_success();
    let mut follower = repo.windrow(["events", "--follow", "--json"]).spawn();
    follower.wait_for_stdout("worktree.gone");
    repo.windrow(["run", "--name", "moss", "--", "true"]).run().assert_success();
    follower.wait_for_stdout("\"worktree\":\"moss\"");
    follower.signal(rustix::process::Signal::TERM);
    let outcome = follower.wait();
    let events = outcome.json_lines();
    events.iter().for_each(|event| assert_valid("event", event));
    let numbers: Vec<_> = events.iter().map(|event| event["event"]["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}
