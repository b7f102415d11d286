//! Batches that are interrupted, killed, and resumed: each task comes to exactly one result.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use windrow_testkit::{Invocation, TestRepo, poll_until};

use super::{assert_nothing_left, map, results};
use crate::{
    pool::{SOON, text, windrow},
    repo,
};

/// One batch may take longer than anything else on a busy machine.
const LONG: Duration = Duration::from_secs(110);

/// Succeeds, fails, hangs or leaves changes; notes in `$LEDGER` that it began and that it ended.
const AGENT: &str = r#"echo "began $WINDROW_TASK" >> "$LEDGER"
case $WINDROW_TASK in
    ok-*) echo work > "$WINDROW_TASK"; git add .; git commit -qm "$WINDROW_TASK" ;;
    dirty-*) echo draft > draft; echo secret > .env ;;
    hang-*) sleep 300 ;;
    fail-*) exit 3 ;;
esac"#;

struct Batch {
    repo: TestRepo,
    tasks: String,
    ledger: PathBuf,
}

impl Batch {
    fn new(tasks: impl IntoIterator<Item = String>) -> Self {
        let repo = repo();
        let ledger = repo.root().join("ledger");
        fs::write(&ledger, "").unwrap();
        Self { repo, tasks: tasks.into_iter().collect(), ledger }
    }

    fn call(&self, arguments: &[&str], script: &str) -> Invocation {
        let ledger = format!("LEDGER={}", self.ledger.display());
        let head = ["map", "-", "--json", "--batch", "b", "-j", "8", "--env", &ledger];
        let line = [&head[..], arguments, &["--", "sh", "-c", script]].concat();
        self.repo.windrow(line).stdin(self.tasks.as_str()).bound(LONG)
    }

    /// How often each task began.
    fn begun(&self) -> BTreeMap<String, usize> {
        let mut begun = BTreeMap::new();
        let ledger = fs::read_to_string(&self.ledger).unwrap();
        for task in ledger.lines().filter_map(|line| line.strip_prefix("began ")) {
            *begun.entry(task.to_owned()).or_default() += 1;
        }
        begun
    }
}

fn outcomes(results: &[Value]) -> BTreeMap<String, String> {
    results.iter().map(|result| (text(&result["key"]), text(&result["outcome"]))).collect()
}

#[test]
fn h33_a_killed_batch_of_sixty_is_resumed_and_each_task_has_one_result() {
    let kinds = [("ok", 36), ("dirty", 10), ("fail", 10), ("hang", 4)];
    let names: Vec<_> = kinds
        .iter()
        .flat_map(|(kind, count)| {
            (0..*count).map(move |number| (number * 100 / count, format!("{kind}-{number}")))
        })
        .collect();
    let mut names = names;
    names.sort();
    let line = |(_, name): &(usize, String)| match name.starts_with("hang") {
        true => format!("{}\n", json!({ "task": name, "timeout": "1s" })),
        false => format!("{}\n", json!({ "task": name })),
    };
    let batch = Batch::new(names.iter().map(line));
    let mut first = batch.call(&[], AGENT).spawn();
    first.wait_for_stdout("\"index\":20,");
    first.kill_alone();
    let told = first.wait().json_lines();
    let before = batch.begun();

    let second = batch.call(&["--resume"], AGENT).run().assert_code(1);
    let results = results(&second);
    assert_eq!(results.len(), 60);
    let outcomes = outcomes(&results);
    assert_eq!(outcomes.len(), 60, "each task has one result");
    for (name, outcome) in &outcomes {
        let expected = match name.split_once('-').unwrap().0 {
            "fail" => "failed",
            "hang" => "timed_out",
            _ => "succeeded",
        };
        assert_eq!(outcome, expected, "{name}");
    }
    let begun = batch.begun();
    for result in &told {
        assert_eq!(begun[&text(&result["key"])], 1, "what was told to be over is not done again: {result}");
    }
    assert!(
        told.len() >= 12 && before.len() < 60,
        "it was killed in the middle: {} of {}",
        told.len(),
        before.len()
    );
    for result in &results {
        let (kind, left) = (text(&result["key"]), &result["left"]);
        assert_eq!(left["fate"], "removed", "{result}");
        match kind.split_once('-').unwrap().0 {
            "ok" => {
                assert_eq!(left["work"]["commits"], 1, "{result}");
                assert_eq!(batch.repo.oid(&text(&left["branch"])), text(&left["head_oid"]));
            }
            "dirty" => drop(windrow(&batch.repo, &["rescue", "show", &text(&left["rescue"])])),
            _ => assert_eq!((&left["branch"], &left["rescue"]), (&Value::Null, &Value::Null), "{result}"),
        }
    }
    assert_nothing_left(&batch.repo);

    let third = batch.call(&["--resume"], AGENT).run().assert_code(1);
    assert_eq!(super::results(&third), results, "the results stay");
    assert_eq!(batch.begun(), begun, "and nothing is done again");
}

#[test]
fn h33_a_task_whose_command_had_ended_is_not_done_again() {
    let batch = Batch::new(["ok-1\n".to_owned(), "dirty-1\n".to_owned()]);
    let whole = results(&batch.call(&[], AGENT).run().assert_success());
    let records = Connection::open(batch.repo.git_dir().join("windrow/state.db")).unwrap();
    // As a call that was killed between the end of the command and the release leaves it, once that is recovered.
    let sql = "UPDATE batch_tasks SET settled = 0, name = NULL, base = NULL, branch = NULL, head = NULL,
        commits = NULL, files = NULL, added = NULL, deleted = NULL, rescue = NULL, fate = NULL";
    assert_eq!(records.execute(sql, []).unwrap(), 2);
    drop(records);
    assert_eq!(results(&batch.call(&["--resume"], AGENT).run().assert_success()), whole);
    assert_eq!(
        batch.begun(),
        [("ok-1", 1), ("dirty-1", 1)].map(|(name, count)| (name.to_owned(), count)).into()
    );
}

#[test]
fn an_interrupted_batch_ends_its_commands_and_goes_on_later() {
    let batch = Batch::new(["ok-1\n", "hang-1\n", "hang-2\n", "ok-2\n"].map(str::to_owned));
    let running = batch.call(&[], AGENT).spawn();
    poll_until(SOON, "all began", || batch.begun().len() == 4);
    running.signal(Signal::INT);
    let outcome = running.wait().assert_code(130);
    let first = outcomes(&results(&outcome));
    assert_eq!((first["hang-1"].as_str(), first["hang-2"].as_str()), ("stopped", "stopped"), "{first:?}");
    assert_nothing_left(&batch.repo);

    let results = results(&batch.call(&["--resume"], "echo \"began $WINDROW_TASK\" >> \"$LEDGER\"").run());
    assert!(outcomes(&results).values().all(|outcome| outcome == "succeeded"), "{results:?}");
    let begun = batch.begun();
    assert_eq!((begun["hang-1"], begun["hang-2"]), (2, 2));
    for (name, outcome) in first.iter().filter(|(name, _)| name.starts_with("ok")) {
        assert_eq!(begun[name], if outcome == "succeeded" { 1 } else { 2 }, "{name}: {outcome}");
    }
}

#[test]
fn fail_fast_stops_the_others() {
    let repo = repo();
    let script = "case {task} in fail) until test -e ../go; do sleep 0.05; done; exit 3;; *) touch ../go; sleep 300;; esac";
    let results = map(&repo, "fail\nhang\nlate\n", &["-j", "2", "--fail-fast"], script, 1);
    let outcomes: Vec<_> = results.iter().map(|result| text(&result["outcome"])).collect();
    assert_eq!(outcomes, ["failed", "stopped", "stopped"]);
    assert_nothing_left(&repo);
}

#[test]
fn two_calls_never_work_on_one_batch() {
    let batch = Batch::new(["hang-1\n".to_owned()]);
    let running = batch.call(&[], AGENT).spawn();
    poll_until(SOON, "it began", || batch.begun().len() == 1);
    let second = batch.call(&[], AGENT).run().assert_code(75).json();
    assert!(text(&second["error"]["message"]).contains("being worked on"), "{second}");
    running.signal(Signal::TERM);
    running.wait().assert_code(143);
}

#[test]
fn a_pool_with_few_places_serves_many_tasks() {
    let repo = repo();
    let held = crate::pool::acquire(&repo, &["--config", "pool.max_worktrees=2"]);
    let arguments = ["--config", "pool.max_worktrees=2", "-j", "8"];
    let results = map(&repo, "1\n2\n3\n4\n", &arguments, "true", 0);
    assert!(results.iter().all(|result| result["outcome"] == "succeeded"), "{results:?}");
    windrow(&repo, &["release", &held.name]);
}
