//! Tasks: ids that are never given twice, states that change by compare-and-set, claims, history.

use std::time::Duration;

use serde_json::{Value, json};
use windrow_testkit::{TaskRace, TestRepo, poll_until};

use crate::{
    pool::{SOON, refused, text, windrow},
    repo,
    schema::assert_valid,
};

#[track_caller]
fn task(repo: &TestRepo, schema: &str, arguments: &[&str]) -> Value {
    let document = windrow(repo, &[&["task"], arguments, &["--json"]].concat()).json();
    assert_valid(schema, &document);
    document
}

#[track_caller]
fn new(repo: &TestRepo) -> String {
    text(&task(repo, "task", &["new", "Mend the fence", "--field", "n=1"])["task"]["id"])
}

#[test]
fn workers_that_race_lose_nothing() {
    let repo = repo();
    let raced = repo.race_tasks(&TaskRace { workers: 10, tasks: 20, tries: 80 });
    assert_eq!(raced.wrong, [] as [&str; 0]);
    assert_eq!(raced.won + raced.lost, 80);
    assert!(raced.won >= 2 && raced.lost > 0, "{raced:?}");
}

#[test]
fn a_state_changes_only_for_who_knows_it() {
    let repo = repo();
    let id = new(&repo);
    let set = ["set", &id, "--expect", "queued", "--to", "running", "--field", "by=me", "--unset", "n"];
    let running = task(&repo, "task", &set);
    assert_eq!((&running["task"]["state"], &running["task"]["rev"]), (&json!("running"), &json!(2)));
    assert_eq!(running["task"]["fields"], json!({ "by": "me" }));

    let late = repo.windrow(["task"]).args(set).run().assert_code(75);
    let said = late.stderr_text();
    assert!(said.contains(&format!("task `{id}` is `running` at revision 2")), "{said}");
    let error = refused(&repo, 75, &[&["task"], &set[..]].concat());
    assert_eq!((&error["code"], &error["retryable"]), (&json!("LOST"), &json!(false)));
    assert_eq!(error["details"], json!({ "task": id, "state": "running", "rev": 2 }));
    assert_eq!(task(&repo, "task", &["show", &id]), running, "who came late changed nothing");
}

#[test]
fn fields_are_json_or_text_and_those_not_named_stay() {
    let repo = repo();
    let id = new(&repo);
    let fields =
        ["--field", "list=[1,2]", "--field", "text=a b", "--field", "quoted=\"3\"", "--actor", "ann"];
    task(&repo, "task", &[&["set", &id], &fields[..]].concat());
    let shown = task(&repo, "task", &["set", &id, "--expect", "queued", "--field", "n=null"]);
    assert_eq!(shown["task"]["fields"], json!({ "list": [1, 2], "text": "a b", "quoted": "3" }));
    let log = task(&repo, "task-log", &["log", &id]);
    let changes: Vec<_> = log["changes"].as_array().unwrap().iter().collect();
    assert_eq!(changes.iter().map(|change| &change["rev"]).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&changes[1]["actor"], &changes[0]["fields"]), (&json!("ann"), &json!({ "n": 1 })));
}

#[test]
fn states_are_those_of_the_configuration() {
    let repo = repo();
    repo.write("windrow.toml", "[task]\nstates = [\"todo\", \"shipped\"]\n");
    let id = new(&repo);
    assert_eq!(task(&repo, "task", &["show", &id])["task"]["state"], "todo");
    let unknown = ["task", "set", &id, "--expect", "todo", "--to", "done"];
    let said = repo.windrow(unknown).run().assert_code(2).stderr_text();
    assert!(said.contains("`done` is not a state") && said.contains("todo, shipped"), "{said}");
    repo.windrow(["task", "new", "x", "--state", "queued"]).run().assert_code(2);
    task(&repo, "task", &["set", &id, "--expect", "todo", "--to", "shipped"]);
    let shipped = task(&repo, "task-list", &["list", "--state", "shipped"]);
    assert_eq!(shipped["tasks"][0]["id"], *id);
    assert_eq!(task(&repo, "task-list", &["list", "--state", "todo"])["tasks"], json!([]));
    let wrong = repo.windrow(["task", "list", "--config", "task.states=[\"a\", \"a\"]"]).run();
    wrong.assert_code(78);
}

#[test]
fn a_claim_ends_by_time_and_shuts_its_former_holder_out() {
    let repo = repo();
    let id = new(&repo);
    let first = task(&repo, "task-claim", &["claim", &id, "--ttl", "1h", "--holder", "first"]);
    let fence = first["claim"]["fence"].to_string();
    let busy = refused(&repo, 75, &["task", "claim", &id]);
    assert!(text(&busy["message"]).contains("claimed by `first`") && busy["code"] == "BUSY", "{busy}");
    assert_eq!(task(&repo, "task", &["show", &id])["task"]["claim"], first["claim"]);

    task(&repo, "task-claim", &["claim", &id, "--fence", &fence, "--ttl", "1s"]);
    let mut second = Value::Null;
    poll_until(SOON, "the end of the claim", || {
        let outcome = repo.windrow(["task", "claim", &id, "--json", "--holder", "second"]).run();
        second = outcome.json();
        outcome.code == 0
    });
    assert!(second["claim"]["fence"].as_u64() > first["claim"]["fence"].as_u64());
    for late in [
        &["task", "set", &id, "--expect", "queued", "--to", "done", "--fence", &fence][..],
        &["task", "set", &id, "--field", "n=2", "--fence", &fence],
        &["task", "claim", &id, "--fence", &fence],
        &["task", "release", &id, "--fence", &fence],
    ] {
        let error = refused(&repo, 65, late);
        assert_eq!(
            (&error["code"], &error["details"]["fence"]),
            (&json!("STALE_FENCE"), &second["claim"]["fence"])
        );
    }
    let shown = task(&repo, "task", &["show", &id]);
    assert_eq!((&shown["task"]["rev"], &shown["task"]["claim"]["holder"]), (&json!(1), &json!("second")));
    task(&repo, "task-release", &["release", &id, "--fence", &second["claim"]["fence"].to_string()]);
    refused(&repo, 65, &["task", "set", &id, "--field", "n=2", "--fence", &fence]);
}

#[test]
fn questions_about_tasks_make_nothing_and_unknown_ones_are_told() {
    let repo = repo();
    let listed = windrow(&repo, &["task", "list"]).text();
    assert_eq!(listed, "no tasks; make one with windrow task new TITLE");
    let id = "t-0000";
    let claim = ["task", "claim", id, "--ttl", "1s"];
    for line in
        [&["task", "show", id][..], &["task", "log", id], &["task", "set", id, "--field", "a=1"], &claim]
    {
        assert_eq!(refused(&repo, 1, line)["code"], "NOT_FOUND");
    }
    assert!(!repo.git_dir().join("windrow").exists());
    repo.windrow(["task", "set", id]).run().assert_code(2);
    repo.windrow(["task", "set", id, "--to", "done"]).run().assert_code(2);
}

#[test]
fn a_task_is_told_to_people() {
    let repo = repo();
    let id = new(&repo);
    let said = windrow(&repo, &["task", "set", &id, "--expect", "queued", "--to", "running"]).stderr_text();
    assert_eq!(said, format!("{id}  running, revision 2\n"));
    let fence = repo.windrow(["task", "claim", &id, "--holder", "a\u{1b}b"]).run().assert_success();
    assert_eq!(
        (fence.text().as_str(), fence.stderr_text().contains("claimed by a\\u{1b}b for 1h")),
        ("1", true)
    );
    let shown = windrow(&repo, &["task", "show", &id]).text();
    assert!(shown.starts_with(&format!("{id}  Mend the fence\n  state")), "{shown}");
    assert!(shown.contains("fence 1") && shown.contains(r#"fields   {"n":1}"#), "{shown}");
    let bound = Duration::from_secs(60);
    let log = repo.windrow(["task", "log", &id]).bound(bound).run().assert_success().text();
    assert_eq!(log.lines().count(), 3, "{log}");
}
