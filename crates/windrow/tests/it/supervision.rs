//! Commands in worktrees, seen by scripts: signals, limits, leftovers, logs, variables, resumption, history.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bstr::ByteSlice;
use rustix::process::Signal;
use serde_json::Value;
use windrow_testkit::{Binary, Running, TestRepo, poll_until, processes_under};

use crate::repo;

const PATIENCE: Duration = Duration::from_secs(20);

fn many_files() -> TestRepo {
    TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into())).files(1_500).build()
}

fn result(repo: &TestRepo) -> Value {
    serde_json::from_slice(&fs::read(repo.root().join("result.json")).unwrap()).unwrap()
}

/// A run of `script` with a result, which has said `up`.
fn started(repo: &TestRepo, options: &[&str], script: &str) -> Running {
    let run = repo.windrow(["run", "--name", "fern", "--result", "../result.json"]).args(options);
    let mut running = run.args(["--", "sh", "-c", script]).spawn();
    running.wait_for_stdout("up");
    running
}

#[test]
fn a_script_that_captures_a_lease_does_not_hang() {
    let repo = many_files();
    // Each command leaves a deleter in the background, which must hold none of the pipes.
    let script = r#"set -e
        first=$("$0" acquire -q) && out=$("$0" release "$first" 2>&1)
        second=$("$0" acquire --pid $$ 2>&1 >/dev/null | head -n 1)
        third=$("$0" acquire -q)
        "$0" list | cat
        cd "$third" && "$0" release -q
        test -n "$first" -a -n "$out" -a -n "$second""#;
    let shell = repo.command("bash", repo.path()).args(["-c", script, env!("CARGO_BIN_EXE_windrow")]);
    let outcome = shell.bound(Duration::from_secs(50)).run().assert_success();
    assert_eq!(outcome.stderr, "", "{outcome}");
}

#[test]
fn h38_a_lease_bound_to_a_script_ends_with_it() {
    let repo = repo();
    let script = r#""$0" acquire --name fern --pid $$ && "$0" list --json"#;
    let shell = repo.command("sh", repo.path()).args(["-c", script, env!("CARGO_BIN_EXE_windrow")]);
    let inside = shell.run().assert_success();
    assert!(inside.stdout.contains_str(r#""state":"leased""#), "{inside}");
    let after = repo.windrow(["acquire", "--name", "moss"]).run().assert_success();
    assert!(after.stderr_text().contains("gave back the abandoned worktree `fern`"), "{after}");
}

#[test]
fn signals_are_forwarded_to_the_command() {
    for (signal, name) in
        [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")]
    {
        let repo = repo();
        let script = format!("trap 'echo got {name}; exit 7' {name}; echo up; while :; do sleep 0.02; done");
        let running = started(&repo, &[], &script);
        running.signal(signal);
        let outcome = running.wait().assert_code(7);
        assert_eq!(outcome.text(), format!("up\ngot {name}"));
        let exit = &result(&repo)["exit"];
        assert_eq!(exit["origin"], "child");
        let interruption = if name == "USR1" { Value::Null } else { Value::from(signal.as_raw()) };
        assert_eq!(exit["interrupted"], interruption, "{exit}");
    }
}

#[test]
fn a_command_that_dies_of_a_forwarded_signal_has_its_work_rescued() {
    let repo = repo();
    let running = started(&repo, &[], "echo work > new.txt; echo up; sleep 600");
    running.signal(Signal::TERM);
    running.wait().assert_code(143);
    let document = result(&repo);
    assert_eq!(document["exit"]["signal"], 15);
    assert_eq!(document["released"]["fate"]["kind"], "removed");
    let rescue = document["released"]["rescue"]["id"].as_str().unwrap();
    let restored = repo.windrow(["restore", rescue]).run().assert_success().text();
    assert_eq!(fs::read_to_string(PathBuf::from(restored).join("new.txt")).unwrap(), "work\n");
}

#[test]
fn a_stubborn_command_is_killed_after_the_grace() {
    let repo = repo();
    let options = ["--config", "run.grace=1s", "--timeout", "1s"];
    let running = started(&repo, &options, "trap '' TERM; echo up; while :; do sleep 0.02; done");
    running.wait().assert_code(124);
    let exit = &result(&repo)["exit"];
    assert_eq!((&exit["timed_out"], &exit["signal"]), (&true.into(), &9.into()), "{exit}");
}

#[test]
fn a_command_that_ends_in_time_has_no_timeout() {
    let repo = repo();
    let ended = repo.windrow(["run", "--timeout", "50s", "--json", "--", "true"]).run().assert_success();
    assert_eq!(ended.json()["exit"]["timed_out"], false);
}

#[test]
fn h39_whatever_the_command_left_is_ended_and_listed() {
    let repo = repo();
    let script = "setsid sleep 601 & (trap '' TERM; touch ready; while :; do sleep 0.02; done) &
        (setsid sh -c 'sleep 602 &' &) ; until [ -e ready ]; do sleep 0.02; done; rm ready; echo up; exit 5";
    started(&repo, &["--config", "run.grace=1s"], script).wait().assert_code(5);
    let stragglers = result(&repo)["stragglers"].clone();
    let stragglers = stragglers.as_array().unwrap();
    let ended = |how: &str| stragglers.iter().filter(|one| one["ended_by"] == how).count();
    assert!(ended("term") >= 2 && ended("kill") >= 1 && ended("nothing") == 0, "{stragglers:?}");
    for straggler in stragglers {
        assert!(!PathBuf::from(format!("/proc/{}", straggler["pid"])).exists(), "{straggler} lives");
    }
    poll_until(PATIENCE, "nothing is left", || processes_under(repo.root()).is_empty());
}

#[test]
fn a_log_has_both_streams_is_rotated_and_outlives_its_worktree() {
    let repo = repo();
    let line = ["--config", "run.log_size=4KiB", "run", "--log", "--name", "fern", "--", "sh", "-c"];
    let script = "echo to stderr >&2; i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done";
    let outcome = repo.windrow(line).arg(script).run().assert_success();
    assert_eq!(outcome.stdout.lines().count(), 1000);
    assert!(outcome.stderr.starts_with(b"to stderr\n"), "{outcome}");
    let listed = repo.windrow(["logs", "fern", "--json"]).run().assert_success().json();
    let files: Vec<&str> =
        listed["logs"].as_array().unwrap().iter().map(|log| log.as_str().unwrap()).collect();
    assert!(files.len() >= 2, "{files:?}");
    let sizes: Vec<u64> = files.iter().map(|file| fs::metadata(file).unwrap().len()).collect();
    assert!(sizes.iter().all(|size| *size <= 8 << 10), "{sizes:?}");
    let newest = repo.windrow(["logs", "fern"]).run().assert_success();
    assert!(outcome.stdout.ends_with(newest.stdout.as_slice()), "the newest log ends the output: {newest}");
    assert!(newest.stdout.ends_with(b"line 999\n"));
}

/// The variables of a command as NUL-separated text.
fn variables(bytes: &[u8]) -> BTreeMap<String, String> {
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| pair.to_str().unwrap().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn h28_the_command_knows_its_lease_and_nothing_ties_git_elsewhere() {
    let repo = repo();
    let elsewhere = TestRepo::new();
    let run = repo.windrow(["run", "--key", "T-1", "--result", "../result.json", "--", "env", "-0"]);
    let run =
        run.env("GIT_DIR", elsewhere.git_dir()).env("GIT_INDEX_FILE", "/nowhere").env("GIT_PREFIX", "x/");
    let run = run
        .env("PWD", repo.path())
        .env("OLDPWD", "/")
        .env("WINDROW_NAME", "of-another")
        .env("GIT_CONFIG_COUNT", "1");
    let run = run.env("GIT_CONFIG_KEY_0", "color.ui").env("GIT_CONFIG_VALUE_0", "never");
    let seen = variables(&run.run().assert_success().stdout);
    let lease = &result(&repo)["lease"];
    for (variable, field) in [
        ("WINDROW_LEASE", "id"),
        ("WINDROW_NAME", "name"),
        ("WINDROW_PATH", "path"),
        ("WINDROW_BRANCH", "branch"),
        ("WINDROW_BASE", "base_oid"),
        ("WINDROW_KEY", "key"),
    ] {
        assert_eq!(seen[variable], lease[field].as_str().unwrap(), "{variable}");
    }
    assert_eq!(seen["WINDROW_FENCE"], lease["fence"].to_string());
    assert_eq!(seen["WINDROW_REPO"], repo.git_dir().to_str().unwrap());
    assert_eq!(seen["WINDROW_MAIN_WORKTREE"], repo.path().to_str().unwrap());
    assert_eq!(seen["PWD"], lease["path"].as_str().unwrap(), "what programs believe");
    for gone in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "OLDPWD"] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
    let script = "git config gc.auto; git config color.ui; git rev-parse --show-toplevel";
    let told = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).env("GIT_CONFIG_COUNT", "1");
    let told =
        told.env("GIT_CONFIG_KEY_0", "color.ui").env("GIT_CONFIG_VALUE_0", "never").run().assert_success();
    assert_eq!(told.text(), format!("0\nnever\n{}.windrow/fern", repo.path().display()));
}

#[test]
fn h02_a_kept_worktree_is_resumed_with_its_dirt_by_name_and_by_key() {
    let repo = repo();
    let keep = ["--keep", "1h", "--json", "--", "sh", "-c"];
    let run = |which: [&str; 2], script: &str| {
        let outcome = repo.windrow(["run"]).args(which).args(keep).arg(script).run().assert_success();
        (outcome.json(), outcome.stderr_text())
    };
    for which in [["--name", "fern"], ["--key", "T-1"]] {
        let (first, _) = run(which, "echo dirt > new.txt; echo change >> README.md; git add README.md");
        assert_eq!(first["released"]["fate"]["kind"], "kept");
        let (second, told) = run(which, "git status --porcelain");
        assert_eq!(second["provenance"], "reattached");
        assert_eq!(told, "M  README.md\n?? new.txt\n");
        assert_eq!(second["lease"]["path"], first["lease"]["path"]);
        assert!(second["lease"]["fence"].as_u64() > first["lease"]["fence"].as_u64());
        let name = second["lease"]["name"].as_str().unwrap();
        repo.windrow(["release", name]).run().assert_success();
    }
}

#[test]
fn exec_runs_beside_the_holder_and_in_a_kept_worktree() {
    let repo = repo();
    let lease = repo.windrow(["acquire", "--name", "fern", "--json"]).run().assert_success().json();
    let exec = |script: &str| repo.windrow(["exec", "fern", "--json", "--", "sh", "-c", script]).run();
    let beside = exec("echo $WINDROW_LEASE; echo dirt > new.txt; exit 6").assert_code(6);
    assert_eq!(beside.stderr_text().trim(), lease["lease"]["id"].as_str().unwrap());
    assert_eq!(beside.json()["exit"]["origin"], "child");
    repo.windrow(["release", "fern", "--keep", "2h"]).run().assert_success();
    let until = |repo: &TestRepo| {
        let list = repo.windrow(["list", "--json"]).run().assert_success().json();
        assert_eq!(list["worktrees"][0]["state"], "kept", "{list}");
        list["worktrees"][0]["keep_until"].as_str().unwrap()[..16].to_owned()
    };
    let before = until(&repo);
    assert_eq!(exec("cat new.txt").assert_success().stderr_text(), "dirt\n");
    assert_eq!(until(&repo), before, "as long as it was to be kept before");
    repo.windrow(["exec", "fern", "--", "no-such-program"]).run().assert_code(127);
    repo.windrow(["exec", "moss", "--", "true"]).run().assert_code(1);
    until(&repo);
}

#[test]
fn the_history_is_followed_line_by_line() {
    let repo = repo();
    repo.windrow(["run", "--name", "past", "--", "true"]).run().assert_success();
    let past = repo.windrow(["events", "--json"]).run().assert_success().json();
    let last = past["events"].as_array().unwrap().last().unwrap()["seq"].to_string();
    let mut follower = repo.windrow(["events", "--follow", "--json", "--after", &last]).spawn();
    repo.windrow(["run", "--name", "fern", "--", "true"]).run().assert_success();
    follower.wait_for_stdout("worktree.gone");
    follower.signal(Signal::INT);
    let outcome = follower.wait();
    assert_eq!(outcome.code, 130, "{outcome}");
    let lines = outcome.json_lines();
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"]["kind"].as_str().unwrap()).collect();
    let expected = [
        "worktree.creating",
        "lease.acquired",
        "worktree.idle",
        "lease.releasing",
        "worktree.removing",
        "lease.released",
        "worktree.gone",
    ];
    assert_eq!(kinds, expected);
    assert!(lines.iter().all(|line| line["v"] == 1 && line["event"]["worktree"] == "fern"));
    let numbers: Vec<u64> = lines.iter().map(|line| line["event"]["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers[0] > last.parse().unwrap(), "{numbers:?}");
}

#[test]
fn a_reader_that_leaves_ends_the_follower() {
    let repo = repo();
    repo.windrow(["run", "--", "true"]).run().assert_success();
    let script = r#""$0" events --follow --json | head -n 1"#;
    let shell = repo.command("bash", repo.path()).args(["-c", script, env!("CARGO_BIN_EXE_windrow")]);
    assert_eq!(shell.bound(PATIENCE).run().assert_success().stdout.lines().count(), 1);
}
