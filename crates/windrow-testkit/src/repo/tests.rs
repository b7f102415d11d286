//! Repositories of every shape, and programs run in their surroundings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::process::Signal;

use super::*;

/// Catches the panic of `action` and returns its message.
fn panic_of(action: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(action)).expect_err("it should have panicked");
    payload.downcast::<String>().map_or_else(|_| "another payload".to_owned(), |message| *message)
}

#[test]
fn an_ordinary_repository_is_clean_and_always_the_same() {
    let (one, two) = (TestRepo::new(), TestRepo::new());
    assert_eq!(one.git(["status", "--porcelain", "--ignored"]), "");
    assert_eq!(one.git(["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(one.oid("HEAD"), two.oid("HEAD"));
    assert_ne!(one.path(), two.path());
}

#[test]
fn generated_files_are_always_the_same() {
    let (one, two) = (TestRepo::builder().files(230).build(), TestRepo::builder().files(230).build());
    assert_eq!(one.git(["ls-files"]).lines().count(), 235);
    assert_eq!(one.oid("HEAD^{tree}"), two.oid("HEAD^{tree}"));
}

#[test]
fn other_formats_are_really_other() {
    let repo = TestRepo::builder().sha256().reftable().build();
    assert_eq!(repo.oid("HEAD").len(), 64);
    assert_eq!(repo.git(["rev-parse", "--show-ref-format"]), "reftable");
}

#[test]
fn a_bare_repository_has_the_commit_and_no_index() {
    let repo = TestRepo::builder().bare().files(3).build();
    assert_eq!(repo.git(["rev-parse", "--is-bare-repository"]), "true");
    assert_eq!(repo.git(["ls-tree", "-r", "--name-only", "HEAD"]).lines().count(), 8);
    assert_eq!(repo.git_dir(), repo.path());
    assert!(!repo.path().join("index").exists());
}

#[test]
fn an_unborn_repository_has_no_commit() {
    let repo = TestRepo::builder().unborn().build();
    assert_ne!(repo.try_git(["rev-parse", "--verify", "HEAD"]).code, 0);
}

#[test]
fn a_path_may_hold_newlines_and_other_bytes() {
    let repo = TestRepo::builder().directory(OsStr::from_bytes(b"odd\nname \xff")).build();
    assert!(repo.path().is_dir());
    assert_eq!(repo.git(["rev-list", "--count", "HEAD"]), "1");
}

#[test]
fn a_commit_takes_everything_and_comes_later() {
    let repo = TestRepo::new();
    let date = |repo: &TestRepo| repo.git(["log", "-1", "--format=%ct"]).parse::<u64>().expect("a number");
    let before = date(&repo);
    repo.write("new/file", "content");
    assert_eq!(repo.commit("Add a file"), repo.oid("HEAD"));
    assert_eq!(repo.git(["show", "HEAD:new/file"]), "content");
    assert_eq!(date(&repo), before + 1);
}

#[test]
fn programs_see_only_the_environment_of_the_test() {
    let repo = TestRepo::new();
    let seen = repo.command("env", repo.path()).env("EXTRA", "yes").run().assert_success().text();
    let names: Vec<&str> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"HOME") && names.contains(&"EXTRA"));
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[test]
fn the_program_under_test_runs_in_the_repository() {
    let repo = TestRepo::with_binary(Binary("/bin/sh".into()));
    let outcome = repo.windrow(["-c", "cat; pwd >&2; exit 3"]).stdin("{\"a\": 1}").run().assert_code(3);
    assert_eq!(outcome.json()["a"], 1);
    assert_eq!(Path::new(outcome.stderr_text().trim_end()), repo.path());
}

#[test]
fn a_hanging_program_dies_with_its_descendants() {
    let repo = TestRepo::new();
    let script = "setsid sleep 600 >/dev/null 2>&1 & exec sleep 600";
    let hang = repo.command("sh", repo.path()).args(["-c", script]).bound(Duration::from_millis(300));
    let message = panic_of(|| drop(hang.run()));
    assert!(message.contains("did not end within 300ms"), "{message}");
    assert_eq!(crate::processes_under(repo.root()), Vec::<String>::new());
}

#[test]
fn output_kept_open_by_a_descendant_is_noticed() {
    let repo = TestRepo::new();
    let leak = repo.command("sh", repo.path()).args(["-c", "sleep 600 & echo done"]);
    let message = panic_of(|| drop(leak.bound(Duration::from_secs(2)).run()));
    assert!(message.contains("keeps its output open") && message.contains("sleep"), "{message}");
}

#[test]
fn a_spawned_program_can_be_watched_and_killed_alone() {
    let repo = TestRepo::new();
    let mut running = repo.command("sh", repo.path()).args(["-c", "echo ready; exec sleep 600"]).spawn();
    running.wait_for_stdout("ready");
    assert!(running.is_running());
    running.signal(Signal::TERM);
    let outcome = running.wait().assert_code(143);
    assert_eq!((outcome.signal, outcome.text()), (Some(15), "ready".to_owned()));
}

#[test]
fn a_process_left_behind_fails_the_test() {
    let message = panic_of(|| {
        let surroundings = Surroundings::new();
        let idle = Invocation::new("sleep", surroundings.root(), &surroundings).arg("600");
        // Forgotten on purpose, as a test would that starts a daemon.
        std::mem::forget(idle.spawn());
        surroundings.give_up(Duration::ZERO);
    });
    assert!(message.contains("left processes behind") && message.contains("sleep"), "{message}");
}

#[test]
fn everything_is_gone_afterwards() {
    let repo = TestRepo::new();
    let root = repo.root().to_owned();
    repo.write("locked/inner/file", "x");
    repo.command("chmod", repo.path()).args(["000", "locked/inner", "locked"]).run().assert_success();
    drop(repo);
    assert!(!root.exists());
}
