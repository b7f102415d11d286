//! Failures: exit codes, two lines for people, an envelope for programs.

use std::fs;

use windrow_testkit::TestRepo;

use crate::{repo, schema::assert_valid};

#[test]
fn a_failure_is_two_lines_or_a_document() {
    let repo = repo();
    let human = repo.windrow(["release", "fern"]).run().assert_code(1);
    assert_eq!(human.stdout, "");
    insta::assert_snapshot!(human.stderr_text(), @r"
    error: there is no worktree named `fern`
    hint: `windrow list` shows those that are there
    ");
    let json = repo.windrow(["release", "fern", "--json"]).run().assert_code(1);
    assert_eq!(json.stderr, "");
    assert_valid("error", &json.json());
    assert_eq!(json.json()["error"]["code"], "NOT_FOUND");
}

#[test]
fn misuse_is_told_in_the_form_that_was_asked_for() {
    let repo = repo();
    let human = repo.windrow(["list", "--jsn"]).run().assert_code(2);
    assert!(human.stderr_text().contains("'--json'"), "{human}");
    let json = repo.windrow(["list", "--jsn", "--json"]).run().assert_code(2);
    assert_valid("error", &json.json());
    assert_eq!(json.json()["error"]["code"], "USAGE");
    let none = repo.windrow([] as [&str; 0]).run().assert_code(2);
    assert!(none.stderr_text().contains("Usage: windrow"), "{none}");
    let help = repo.windrow(["--help"]).run().assert_success();
    assert!(help.text().contains("Run in a worktree:") && help.stderr.is_empty(), "{help}");
}

#[test]
fn outside_of_a_repository() {
    let repo = repo();
    let directory = repo.root().join("elsewhere");
    fs::create_dir(&directory).unwrap();
    let outcome = repo.windrow(["list", "--json"]).current_dir(&directory).run().assert_code(1);
    assert_eq!(outcome.json()["error"]["code"], "NOT_A_REPOSITORY");
    let named = repo.windrow(["list", "--repo"]).arg(repo.path()).current_dir(&directory).run();
    named.assert_success();
}

#[test]
fn configuration_errors_have_their_own_code() {
    let repo = repo();
    let flag = repo.windrow(["list", "--config", "pool.tl=1h"]).run().assert_code(78);
    assert!(flag.stderr_text().contains("did you mean `pool.ttl`?"), "{flag}");
    repo.write("windrow.toml", "[pool]\nttl = \"2h\"\nshape = \"round\"\n");
    let warned = repo.windrow(["config", "pool.ttl"]).run().assert_success();
    assert_eq!(warned.text(), "\"2h\"");
    assert!(warned.stderr_text().starts_with("note: "), "{warned}");
    let origin = repo.windrow(["config", "pool.ttl", "--show-origin"]).run().assert_success();
    assert!(origin.text().starts_with("pool.ttl = \"2h\"  # repository: "), "{origin}");
}

#[test]
fn names_that_could_steer_are_refused_before_anything_is_made() {
    let repo = repo();
    for name in ["../up", "-x", "a/b", "UPPER", "con", ""] {
        repo.windrow(["acquire", &format!("--name={name}")]).run().assert_code(2);
    }
    assert!(!repo.git_dir().join("windrow").exists());
}

#[test]
fn a_question_makes_nothing() {
    let repo: TestRepo = repo();
    for line in [["list"].as_slice(), &["rescue", "list"], &["events"], &["config"]] {
        repo.windrow(line).run().assert_success();
    }
    assert!(!repo.git_dir().join("windrow").exists());
}

#[test]
fn an_unborn_repository_is_told() {
    let binary = windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).unborn().build();
    let outcome = repo.windrow(["acquire"]).run().assert_code(1);
    assert!(outcome.stderr_text().contains("has no commit yet\nhint: make a first commit"), "{outcome}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure_to_talk_about() {
    let repo = repo();
    let script = r#""$1" --help | true; "$1" config | head -c 1 >/dev/null; "$1" config > /dev/full"#;
    let shell = repo.command("sh", repo.path()).args(["-c", script, "sh", env!("CARGO_BIN_EXE_windrow")]);
    let outcome = shell.run().assert_code(1);
    assert_eq!(
        outcome.stderr_text(),
        "error: cannot write the output: No space left on device (os error 28)\n"
    );
}

#[test]
fn colour_is_given_only_when_wanted() {
    let repo = repo();
    let coloured = |line: &[&str]| repo.windrow(line).run().stdout.contains(&0x1b);
    assert!(coloured(&["list", "--color", "always"]));
    assert!(!coloured(&["list", "--color", "never"]));
    assert!(!coloured(&["list"]));
    let forced = repo.windrow(["list"]).env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").run();
    assert!(forced.stdout.contains(&0x1b), "{forced}");
}
