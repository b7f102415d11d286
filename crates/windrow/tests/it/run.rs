//! `windrow run`: whose output and whose exit code.

use std::{fs, os::fd::AsRawFd};

use serde_json::Value;

use crate::{repo, schema::assert_valid};

#[test]
fn the_exit_code_and_the_output_are_the_commands() {
    let repo = repo();
    for (script, code) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
    {
        let outcome =
            repo.windrow(["run", "--", "sh", "-c", &format!("echo out; echo err >&2; {script}")]).run();
        let outcome = outcome.assert_code(code);
        assert_eq!(outcome.stdout, "out\n", "{script}");
        assert!(outcome.stderr_text().starts_with("err\n"), "{outcome}");
    }
}

#[test]
fn what_does_not_start_is_told_apart_from_what_fails() {
    let repo = repo();
    for (program, code, word) in
        [("no-such-program", 127, "COMMAND_NOT_FOUND"), ("/", 126, "COMMAND_NOT_EXECUTABLE")]
    {
        let document = repo.windrow(["run", "--json", "--", program]).run().assert_code(code).json();
        assert_valid("error", &document);
        assert_eq!(document["error"]["code"], word);
        assert_eq!(document["exit"]["origin"], "windrow");
    }
    let child = repo.windrow(["run", "--json", "--", "sh", "-c", "exit 127"]).run().assert_code(127).json();
    assert_eq!(child["exit"]["origin"], "child");
    assert_eq!(repo.windrow(["list"]).run().text(), "no worktrees; make one with windrow run -- CMD");
}

#[test]
fn a_document_leaves_standard_output_to_itself() {
    let repo = repo();
    let outcome =
        repo.windrow(["run", "--json", "--", "sh", "-c", "echo out; echo err >&2"]).run().assert_success();
    assert_valid("run", &outcome.json());
    assert_eq!(outcome.stderr_text(), "out\nerr\n");
}

#[test]
fn a_result_goes_to_a_file_and_the_output_stays_the_commands() {
    let repo = repo();
    let outcome =
        repo.windrow(["run", "--result", "../result.json", "--", "sh", "-c", "echo out; exit 4"]).run();
    assert_eq!(outcome.assert_code(4).text(), "out");
    let document: Value =
        serde_json::from_slice(&fs::read(repo.root().join("result.json")).unwrap()).unwrap();
    assert_valid("run", &document);
    assert_eq!(document["exit"]["code"], 4);
    repo.windrow(["run", "--result", "../result.json", "--", "no-such-program"]).run().assert_code(127);
    let document: Value =
        serde_json::from_slice(&fs::read(repo.root().join("result.json")).unwrap()).unwrap();
    assert_valid("error", &document);
}

#[test]
fn a_result_goes_to_a_descriptor_that_the_command_does_not_see() {
    let repo = repo();
    let script =
        r#"exec 5>"$2"; "$1" run --result fd:5 -- sh -c 'if { true >&5; } 2>/dev/null; then exit 9; fi'"#;
    let target = repo.root().join("result.json");
    let shell = repo.command("sh", repo.path()).args(["-c", script, "sh", env!("CARGO_BIN_EXE_windrow")]);
    shell.arg(&target).run().assert_success();
    let document: Value = serde_json::from_slice(&fs::read(&target).unwrap()).unwrap();
    assert_valid("run", &document);
}

#[test]
fn a_descriptor_that_is_not_open_is_refused_before_anything_is_made() {
    let repo = repo();
    let closed = fs::File::open("/dev/null").unwrap().as_raw_fd() + 500;
    let outcome =
        repo.windrow(["run", "--result", &format!("fd:{closed}"), "--", "true"]).run().assert_code(2);
    assert!(outcome.stderr_text().contains("cannot use `--result fd:"), "{outcome}");
    assert!(!repo.git_dir().join("windrow").exists());
}

#[test]
fn a_timeout_has_its_own_code() {
    let repo = repo();
    let outcome = repo.windrow(["run", "--name", "fern", "--timeout", "1s", "--", "sleep", "60"]).run();
    insta::assert_snapshot!(outcome.assert_code(124).stderr_text(), @r"
    fern  removed
      timeout  ended after 1s
    ");
}

#[test]
fn a_kept_worktree_is_resumed_by_the_same_line() {
    let repo = repo();
    let line = ["run", "--name", "fern", "--keep", "1h", "--", "sh", "-c", "echo x >> log.txt; cat log.txt"];
    let first = repo.windrow(line).run().assert_success();
    insta::assert_snapshot!(first.stderr_text(), @r"
    fern  kept for 1h
      next  windrow shell fern
    ");
    assert_eq!(repo.windrow(line).run().assert_success().text(), "x\nx");
    assert_eq!(repo.windrow(["exec", "fern", "--", "cat", "log.txt"]).run().assert_success().text(), "x\nx");
}

#[test]
fn a_log_can_be_read_while_the_worktree_stays() {
    let repo = repo();
    repo.windrow(["run", "--name", "fern", "--keep", "1h", "--log", "--", "echo", "told"])
        .run()
        .assert_success();
    assert_eq!(repo.windrow(["logs", "fern"]).run().assert_success().text(), "told");
    let list = repo.windrow(["logs", "fern", "--list"]).run().assert_success().text();
    assert!(list.ends_with("/windrow/logs/fern.log"), "{list}");
}

#[test]
fn commits_are_counted_and_named() {
    let repo = repo();
    let script = "echo one > a; echo two >> README.md; git add -A; git commit -q -m work";
    let outcome = repo
        .windrow(["run", "--name", "fern", "--", "sh", "-c", script])
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.invalid")
        .env("GIT_COMMITTER_NAME", "A")
        .env("GIT_COMMITTER_EMAIL", "a@example.invalid")
        .run()
        .assert_success();
    let told = outcome.stderr_text().replace(&repo.oid("HEAD")[..10], "[OID]");
    insta::assert_snapshot!(told, @r"
    fern  removed
      branch  windrow/fern  1 commit, 2 files, +2 -0
      next    git log -p [OID]..windrow/fern
    ");
}

#[test]
fn stragglers_are_ended_and_named() {
    let repo = repo();
    // Until its exec the child is called what its parent is.
    let script = "sleep 600 & until grep -q sleep /proc/$!/comm; do :; done";
    let outcome = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).run();
    let told = outcome.assert_success().stderr_text();
    assert!(told.contains("ended  1 process left behind: ") && told.contains(" sleep"), "{told}");
}
