//! Verification: what a target would be is tried before anything moves, in a worktree that leaves nothing behind.

use std::{fs, path::PathBuf, time::Duration};

use windrow_testkit::{Running, poll_until, processes_under};

use super::*;
use crate::repo;

const BOUND: Duration = Duration::from_secs(100);

/// A file outside of every checkout, for scripts to write into.
fn outside(repo: &TestRepo, name: &str) -> PathBuf {
    repo.root().join(name)
}

/// The lines of it; none when it is not there.
fn lines(repo: &TestRepo, name: &str) -> Vec<String> {
    let text = fs::read_to_string(outside(repo, name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A verification that notes each time it runs, and then does something.
fn noting(repo: &TestRepo, then: &str) -> String {
    format!("git rev-parse HEAD^{{tree}} >> '{}'; {then}", outside(repo, "trials").display())
}

/// Neither a worktree nor a rescue is left of a verification.
#[track_caller]
fn no_trial_left(repo: &TestRepo) {
    let listed = repo.windrow(["list", "--json"]).run().assert_success().json();
    let names: Vec<_> = listed["worktrees"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    let trial = |name: &&&Value| name.as_str().unwrap_or_default().starts_with("verify-");
    assert!(!names.iter().any(|name| trial(&name)), "{names:?}");
    let rescues = repo.windrow(["rescue", "list", "--json"]).run().assert_success().json();
    let of_trial = |rescue: &Value| rescue["worktree"].as_str().unwrap_or_default().starts_with("verify-");
    assert!(!rescues["rescues"].as_array().unwrap().iter().any(of_trial), "{rescues}");
    nothing_left(repo);
}

#[test]
fn the_merged_files_are_verified_and_not_the_agents() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    repo.write("mine.txt", "mine");
    repo.commit("Meanwhile");
    let there = "test -f new.txt && test -f mine.txt && ! git symbolic-ref -q HEAD && echo junk > junk && echo x > README.md";
    let landed = land(&repo, &["fern", "--verify", &noting(&repo, &format!("echo told; {there}"))]);
    assert_eq!((&landed["fate"], &landed["verification"]["stood"]), (&"landed".into(), &"at_once".into()));
    assert_eq!(lines(&repo, "trials"), [repo.oid("main^{tree}")]);
    let log = landed["verification"]["log"].as_str().unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "told\n");
    assert!(!repo.path().join("junk").exists());
    clean(&repo, repo.path());
    no_trial_left(&repo);
}

#[test]
fn what_fails_does_not_land_and_changes_nothing() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    repo.write("README.md", "mine, and in nobody's way");
    let before = Everything::of(&repo);
    let error = refused(&repo, 65, &["fern", "--verify", &noting(&repo, "echo it is broken; exit 3")]);
    assert_eq!(error["code"], "VERIFY_FAILED");
    let told = &error["details"]["verification"];
    assert_eq!((&told["code"], &told["tries"], &told["timed_out"]), (&3.into(), &2.into(), &false.into()));
    assert_eq!(fs::read_to_string(told["log"].as_str().unwrap()).unwrap(), "it is broken\n".repeat(2));
    before.assert_same(&repo, "a failed verification");
    no_trial_left(&repo);
    let human = repo.windrow(["land", "fern", "--verify", "echo it is broken; exit 3"]).run().assert_code(65);
    assert!(human.stderr_text().contains("\n  it is broken\n"), "{human}");
    // What failed is not remembered: the cause may have been elsewhere.
    refused(&repo, 65, &["fern", "--verify", &noting(&repo, "echo it is broken; exit 3")]);
    assert_eq!(lines(&repo, "trials").len(), 4);
}

#[test]
fn a_flaky_command_gets_a_second_try_on_files_that_nobody_mended() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let once = outside(&repo, "once");
    let flaky = format!("echo here; test -e '{0}' || {{ touch '{0}'; false; }}", once.display());
    // It mends what it checks, so it would pass where it ran before.
    let mending = noting(&repo, "grep -q mended new.txt || { echo mended > new.txt; git add .; false; }");
    let error = refused(&repo, 65, &["fern", "--verify", &mending]);
    assert_eq!((&error["code"], lines(&repo, "trials").len()), (&"VERIFY_FAILED".into(), 2));
    let landed = land(&repo, &["fern", "--verify", &flaky]);
    assert_eq!(landed["verification"]["stood"], "at_the_second_try");
    let log = fs::read_to_string(landed["verification"]["log"].as_str().unwrap()).unwrap();
    assert_eq!(log, "here\nhere\n");
    assert_eq!(repo.read("new.txt"), b"theirs\n");
    no_trial_left(&repo);
}

#[test]
fn the_same_files_need_not_stand_the_same_command_twice() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    repo.git(["branch", "other", "main"]);
    let command = noting(&repo, "echo told");
    let first = land(&repo, &["fern", "--squash", "--verify", &command]);
    let again = land(&repo, &["fern", "--squash", "--onto", "other", "--verify", &command]);
    assert_eq!((&again["fate"], &again["verification"]["stood"]), (&"landed".into(), &"before".into()));
    assert_eq!(again["verification"]["log"], first["verification"]["log"]);
    assert_eq!(lines(&repo, "trials").len(), 1);
}

#[test]
fn what_takes_too_long_is_ended_with_all_that_it_started() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let before = Everything::of(&repo);
    let endless = noting(&repo, "setsid sleep 1000 & sleep 1000");
    let error = refused(&repo, 65, &["fern", "--verify", &endless, "--verify-timeout", "1s"]);
    let told = &error["details"]["verification"];
    assert_eq!((&told["timed_out"], &told["tries"]), (&true.into(), &1.into()));
    before.assert_same(&repo, "a verification that took too long");
    assert_eq!(lines(&repo, "trials").len(), 1);
    // One that passes is not allowed to leave anything running either.
    land(&repo, &["fern", "--verify", "setsid sleep 1000 & exit 0"]);
    assert!(processes_under(repo.root()).is_empty());
    no_trial_left(&repo);
}

/// Lands with a verification that waits for us; returns once it does.
fn waiting(repo: &TestRepo, arguments: &[&str], then: &str) -> Running {
    let (here, go) = (outside(repo, "here"), outside(repo, "go"));
    let wait = format!(
        "echo junk > junk; touch '{}'; while ! test -e '{}'; do sleep 0.05; done; {then}",
        here.display(),
        go.display()
    );
    let command = noting(repo, &wait);
    let running =
        repo.windrow(["land", "--json", "fern", "--verify", &command]).args(arguments).bound(BOUND).spawn();
    poll_until(BOUND, "the verification to run", || here.exists());
    running
}

fn go(repo: &TestRepo) {
    fs::write(outside(repo, "go"), "").unwrap();
}

#[test]
fn h48_a_target_that_moves_meanwhile_is_merged_and_verified_anew() {
    for (onto, what) in [("main", "checked out"), ("other", "not checked out")] {
        let repo = repo();
        repo.git(["branch", "other", "main"]);
        agent(&repo, "fern", "echo theirs > new.txt");
        let running = waiting(&repo, &["--onto", onto], "true");
        // The user commits while it is verified: nothing of theirs is locked.
        let at = if onto == "main" { repo.path().to_owned() } else { repo.root().join("elsewhere") };
        if onto == "other" {
            repo.git(["worktree", "add", "-q", at.to_str().unwrap(), "other"]);
        }
        fs::write(at.join("mine.txt"), "mine").unwrap();
        let mine = repo.commit_in(&at, "Meanwhile");
        if onto == "other" {
            repo.git(["worktree", "remove", at.to_str().unwrap()]);
        }
        go(&repo);
        let landing = running.wait().assert_success().json()["landing"].clone();
        assert_eq!(landing["before"], *mine, "{what}");
        let trials = lines(&repo, "trials");
        assert_eq!(trials.len(), 2, "{what}");
        assert_eq!(trials[1], repo.oid(&format!("{onto}^{{tree}}")), "{what}");
        assert_ne!(trials[0], trials[1], "{what}");
        clean(&repo, repo.path());
        no_trial_left(&repo);
    }
}

#[test]
fn a_killed_verification_is_cleared_away_and_done_again() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let before = Everything::of(&repo);
    let mut running = waiting(&repo, &[], "echo junk > junk; git add .; git commit -qm junk");
    running.kill_alone();
    poll_until(BOUND, "the command to end with its lander", || processes_under(repo.root()).is_empty());
    // Any command clears it away.
    repo.windrow(["run", "--", "true"]).run().assert_success();
    before.assert_same(&repo, "a killed verification");
    no_trial_left(&repo);
    go(&repo);
    let landed = land(&repo, &["fern", "--verify", &noting(&repo, "true")]);
    assert_eq!(landed["fate"], "landed");
    assert_eq!(lines(&repo, "trials").len(), 2);
    no_trial_left(&repo);
}

#[test]
fn a_signal_ends_a_verification_and_nothing_lands() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let before = Everything::of(&repo);
    let running = waiting(&repo, &[], "true");
    running.signal(rustix::process::Signal::TERM);
    let outcome = running.wait().assert_code(75);
    assert_eq!(outcome.json()["error"]["code"], "BUSY");
    before.assert_same(&repo, "an interrupted verification");
    no_trial_left(&repo);
}

#[test]
fn a_full_pool_does_not_wait_for_itself() {
    let repo = repo();
    repo.write(
        ".git/windrow/config.toml",
        "[pool]\nmax_worktrees = 1\n[land]\nverify = \"test -f new.txt\"\n",
    );
    let script = "echo theirs > new.txt; git add .; git commit -qm fern";
    let run = ["run", "--name", "fern", "--land", "--json", "--", "sh", "-c", script];
    let ran = repo.windrow(run).bound(BOUND).run().assert_success().json();
    assert_eq!(ran["landing"]["verification"]["command"], "test -f new.txt");
    assert_eq!(repo.read("new.txt"), b"theirs\n");
    // And what is configured can be left out.
    agent(&repo, "moss", "git rm -q new.txt");
    assert_eq!(refused(&repo, 65, &["moss"])["code"], "VERIFY_FAILED");
    assert_eq!(land(&repo, &["moss", "--no-verify"])["verification"], Value::Null);
    no_trial_left(&repo);
}

/// A worktree that was ready for a verification, and is handed out to somebody afterwards, is theirs.
#[test]
fn h05_what_verified_before_is_saved_when_somebody_works_in_it_later() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    repo.windrow(["pool", "warm", "1", "--wait"]).run().assert_success();
    land(&repo, &["fern", "--verify", "true"]);
    let script = "echo precious > work.txt; kill -9 $(ps -o ppid= $PPID)";
    repo.windrow(["run", "--name", "moss", "--", "sh", "-c", script]).run();
    repo.windrow(["run", "--", "true"]).run().assert_success();
    let rescues = repo.windrow(["rescue", "list", "--json"]).run().assert_success().json();
    assert_eq!(rescues["rescues"][0]["worktree"], "moss", "{rescues}");
}
