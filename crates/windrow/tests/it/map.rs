//! Many tasks, each in a worktree of its own: results, placeholders, chains, retries, and ends of every kind.

mod library;
mod stopped;

use std::{fs, path::Path};

use serde_json::{Value, json};
use windrow_testkit::{Outcome, TestRepo};

use crate::{
    pool::{registered, text, windrow},
    repo,
    schema::assert_valid,
};

/// Runs `windrow map --json` over a list on standard input and returns a result for each task, by number.
#[track_caller]
fn map(repo: &TestRepo, tasks: &str, arguments: &[&str], script: &str, code: i32) -> Vec<Value> {
    results(&call(repo, tasks, arguments, script).assert_code(code))
}

#[track_caller]
fn call(repo: &TestRepo, tasks: &str, arguments: &[&str], script: &str) -> Outcome {
    let head = [&["map", "-", "--json"], arguments, &["--", "sh", "-c", script]].concat();
    repo.windrow(head).stdin(tasks).run()
}

#[track_caller]
fn results(outcome: &Outcome) -> Vec<Value> {
    let mut results = outcome.json_lines();
    results.iter().for_each(|result| assert_valid("map", result));
    results.sort_by_key(|result| result["index"].as_u64());
    results
}

#[track_caller]
fn assert_nothing_left(repo: &TestRepo) {
    assert_eq!(windrow(repo, &["list", "--json"]).json()["worktrees"], json!([]));
    assert_eq!(registered(repo).len(), 1, "only the main checkout is registered");
    let locks: Vec<_> = fs::read_dir(repo.git_dir().join("windrow/locks")).unwrap().collect();
    let maps = locks
        .iter()
        .filter(|lock| lock.as_ref().unwrap().file_name().as_encoded_bytes().starts_with(b"map-"));
    assert_eq!(maps.count(), 0);
}

#[test]
fn each_task_has_a_branch_a_log_and_a_result() {
    let repo = repo();
    let script =
        r#"echo "$WINDROW_TASK" > out && git add out && git commit -qm "$1 $2" && echo "said {key}""#;
    let file = repo.root().join("results.jsonl");
    let target = file.to_str().unwrap();
    let arguments = ["--batch", "fruit", "-j", "2", "--results", target, "--env", "EXTRA=<{task}>"];
    let script = format!("test \"$EXTRA\" = \"<$WINDROW_TASK>\" && {script}");
    let line =
        [&["map", "-", "--json"], &arguments[..], &["--", "sh", "-c", &script, "sh", "{index}", "{task}"]];
    let outcome = repo.windrow(line.concat()).stdin("red apples\n\npears\n").run().assert_success();
    let results = results(&outcome);
    assert_eq!(results.len(), 2);
    for (place, task) in ["red apples", "pears"].into_iter().enumerate() {
        let (result, number) = (&results[place], place + 1);
        assert_eq!((&result["key"], &result["outcome"]), (&json!(task), &json!("succeeded")));
        assert_eq!((&result["attempts"], &result["left"]["work"]["commits"]), (&json!(1), &json!(1)));
        let branch = format!("windrow/fruit-{number}");
        assert_eq!(result["left"]["branch"], *branch);
        assert_eq!(repo.git(["log", "-1", "--format=%s", &branch]), format!("{number} {task}"));
        assert_eq!(repo.git(["show", &format!("{branch}:out")]), task);
        let log = windrow(&repo, &["logs", &format!("fruit-{number}")]).text();
        assert_eq!(log, format!("said {task}"));
    }
    let written = fs::read_to_string(file).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written, results);
    assert_nothing_left(&repo);
}

#[test]
fn a_directory_of_prompts_goes_to_standard_input() {
    let repo = repo();
    let prompts = repo.root().join("prompts");
    fs::create_dir_all(&prompts).unwrap();
    for (name, prompt) in [("b.md", "Second\nof two\n"), ("a.md", "First"), (".hidden", "no")] {
        fs::write(prompts.join(name), prompt).unwrap();
    }
    let script = r#"cat > got; test "$(cat got)" = "$WINDROW_TASK" && test -f "$1" && git add got && git commit -qm "$WINDROW_TASK_KEY""#;
    let prompts = prompts.to_str().unwrap();
    let line = ["map", prompts, "--stdin", "{task}", "--json", "--", "sh", "-c", script, "sh", "{file}"];
    let results = results(&repo.windrow(line).run().assert_success());
    let keys: Vec<_> = results.iter().map(|result| text(&result["key"])).collect();
    assert_eq!(keys, ["a.md", "b.md"]);
    let branch = text(&results[1]["left"]["branch"]);
    assert_eq!(repo.git(["show", &format!("{branch}:got")]), "Second\nof two");
}

#[test]
fn a_task_goes_on_where_its_predecessor_ended() {
    let repo = repo();
    let tasks = r#"{"key": "roof", "depends_on": "walls"}
        {"key": "walls"}
        {"key": "paint", "depends_on": "rotten"}
        {"key": "rotten"}
        {"key": "polish", "depends_on": "paint"}
        {"key": "look", "depends_on": "roof", "readonly": true}"#;
    let script = r#"test {key} != rotten || exit 4
        echo {key} >> log && git add log && git commit -qm {key}
        test "$(cat log | tr '\n' ' ')" = "$(case {key} in walls) echo 'walls ';; roof) echo 'walls roof ';; look) echo 'walls roof look ';; esac)""#;
    let results = map(&repo, tasks, &["-j", "3"], script, 1);
    let outcomes: Vec<_> = results.iter().map(|result| text(&result["outcome"])).collect();
    assert_eq!(outcomes, ["succeeded", "succeeded", "skipped", "failed", "skipped", "succeeded"]);
    assert_eq!((&results[3]["exit_code"], &results[2]["attempts"]), (&json!(4), &json!(0)));
    assert_eq!(results[0]["left"]["base_oid"], results[1]["left"]["head_oid"]);
    assert_eq!(results[2]["detail"], "`rotten` did not succeed");
    let look = &results[5]["left"];
    assert_eq!((&look["branch"], look["rescue"].is_string()), (&json!(null), true));
    let rescue = windrow(&repo, &["rescue", "show", &text(&look["rescue"]), "--json"]).json();
    assert_eq!(rescue["rescue"]["worktree"], look["worktree"]);
    assert_nothing_left(&repo);
}

#[test]
fn a_failed_task_is_tried_again_in_a_new_worktree() {
    let repo = repo();
    let marks = repo.root().join("marks");
    fs::create_dir_all(&marks).unwrap();
    let script = r#"test -z "$(git status --porcelain)" || exit 9
        echo draft > draft; n=$(ls "$MARKS" | wc -l); touch "$MARKS/$n"; test $n -ge $WINDROW_TASK"#;
    let marks = format!("MARKS={}", marks.display());
    let arguments = ["--env", &marks, "--retries", "2", "--backoff", "0s", "-j", "1"];
    let results = map(&repo, "1\n9\n", &arguments, script, 1);
    assert_eq!((&results[0]["outcome"], &results[0]["attempts"]), (&json!("succeeded"), &json!(2)));
    assert_eq!((&results[1]["outcome"], &results[1]["attempts"]), (&json!("failed"), &json!(3)));
    assert!(text(&results[1]["left"]["worktree"]).ends_with("-2-try3"), "{results:?}");
    let rescues = windrow(&repo, &["rescue", "list", "--json"]).json();
    assert_eq!(rescues["rescues"].as_array().unwrap().len(), 5, "what each try left is saved");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let repo = repo();
    for (tasks, script, expected) in [
        ("a\n", "{tsk}", "`{tsk}` stands for nothing in task `a`"),
        ("\n", "true", "`-` holds no task"),
        (r#"{"key": "a"}{"#, "true", "line 1"),
        (r#"{"key": "a", "depends_on": "b"}"#, "true", "`b`, which is not among the tasks"),
        (
            "{\"key\": \"a\", \"depends_on\": \"b\"}\n{\"key\": \"b\", \"depends_on\": \"a\"}",
            "true",
            "itself",
        ),
    ] {
        let error = call(&repo, tasks, &[], script).assert_code(2).json();
        assert!(text(&error["error"]["message"]).contains(expected), "{error}");
    }
    let none = call(&repo, "a\n", &["--resume"], "true").assert_code(1).json();
    assert_eq!(none["error"]["code"], "NOT_FOUND");
    let missing = repo.windrow(["map", "nowhere.txt", "--", "true"]).run().assert_code(1);
    assert!(missing.stderr_text().contains("cannot read `nowhere.txt`"), "{missing}");
    assert!(!Path::new(&repo.path().with_file_name("repo.windrow")).exists());
}

#[test]
fn a_command_that_is_not_there_is_a_result() {
    let repo = repo();
    let outcome = repo.windrow(["map", "-", "--", "no-such-agent"]).stdin("a\n").run().assert_code(1);
    let (table, said) = (outcome.text(), outcome.stderr_text());
    assert!(
        table.contains("failed: program `no-such-agent` was not found") && table.contains("1 failed"),
        "{table}"
    );
    assert!(said.contains("1/1  failed"), "{said}");
    assert_nothing_left(&repo);
}
