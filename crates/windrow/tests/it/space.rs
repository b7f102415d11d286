//! What everything takes on the disk, and how little is made ready when the budget is small.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_core::process::{FileLock, Wait};
use windrow_testkit::{Fault, TestRepo, inject, noise};

use crate::{
    pool::{acquire, nudge, pool_root, put, repository, state, text, wait_for_empty_trash, windrow},
    schema::assert_valid,
};

/// What du(1) counts in and below a path, in bytes.
#[track_caller]
fn du(repo: &TestRepo, path: &Path) -> u64 {
    let told = repo.command("du", repo.root()).args(["-s", "-B1"]).arg(path).run().assert_success().text();
    told.split_whitespace().next().unwrap().parse().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("`{value}` is no number"))
}

fn status(repo: &TestRepo) -> Value {
    let document = windrow(repo, &["pool", "status", "--du", "--json"]).json();
    assert_valid("pool-status", &document);
    document
}

fn trash(repo: &TestRepo) -> PathBuf {
    pool_root(repo).join(".trash")
}

/// Whoever holds this empties the trash; nobody else does.
#[track_caller]
pub(crate) fn hold_trash(repo: &TestRepo) -> FileLock {
    put(&trash(repo).join("sweep.lock"), "");
    FileLock::acquire(&trash(repo).join("sweep.lock"), Wait::No).unwrap().unwrap()
}

#[test]
fn list_tells_what_each_worktree_takes_and_the_sum() {
    let repo = repository();
    let (fern, moss) = (acquire(&repo, &["--name", "fern"]), acquire(&repo, &["--name", "moss"]));
    fern.write("large", noise(300_000, 1));
    let document = windrow(&repo, &["list", "--du", "--json"]).json();
    assert_valid("list", &document);
    let usage = |place: usize| &document["worktrees"][place]["usage"];
    for (place, lease) in [(0, &fern), (1, &moss)] {
        let admin = repo.git_dir().join("worktrees").join(&lease.name);
        let expected = du(&repo, &lease.path) + du(&repo, &admin);
        assert_eq!(number(&usage(place)["allocated_bytes"]), expected, "{document:#}");
    }
    let more = |field: &str| number(&usage(0)[field]) - number(&usage(1)[field]);
    assert_eq!((more("apparent_bytes"), more("inodes")), (300_000, 1));
    for field in ["apparent_bytes", "allocated_bytes", "inodes"] {
        assert_eq!(number(&document["usage"][field]), number(&usage(0)[field]) + number(&usage(1)[field]));
    }
    let told = windrow(&repo, &["list", "--du"]).text();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("NAME   STATE   UNIQUE"), "{told}");
    assert!(lines[1].starts_with("fern   leased") && lines[3].starts_with("total"), "{told}");

    let plain = windrow(&repo, &["list", "--json"]).json();
    assert_valid("list", &plain);
    assert_eq!((&plain["usage"], &plain["worktrees"][0]["usage"]), (&Value::Null, &Value::Null));
    assert_eq!(
        windrow(&repository(), &["list", "--du"]).text(),
        "no worktrees; make one with windrow run -- CMD"
    );
}

#[test]
fn the_status_of_the_pool_tells_what_is_ready_in_use_saved_and_thrown_away() {
    let repo = repository();
    let nothing = status(&repo);
    assert_eq!(number(&nothing["usage"]["total"]["count"]), 0);
    let saved = acquire(&repo, &["--name", "saved"]);
    fs::write(repo.git_dir().join("info/exclude"), ".env\n").unwrap();
    saved.write(".env", noise(200_000, 2));
    windrow(&repo, &["release", "saved"]);
    wait_for_empty_trash(&trash(&repo));
    windrow(&repo, &["pool", "warm", "2", "--wait"]);
    acquire(&repo, &["--name", "fern", "--config", "pool.keeper=false"]);
    let moss = acquire(&repo, &["--name", "moss", "--config", "pool.keeper=false"]);
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    let _sweeping = hold_trash(&repo);
    moss.write("large", noise(500_000, 3));
    windrow(&repo, &["release", "moss", "--discard"]);
    let document = status(&repo);
    let held = &document["usage"];
    let counts = ["ready", "in_use", "rescues", "trash", "total"].map(|kind| number(&held[kind]["count"]));
    assert_eq!(counts, [1, 1, 1, 1, 4], "{document:#}");
    let bytes = |kind: &str| number(&held[kind]["usage"]["allocated_bytes"]);
    assert!(bytes("rescues") >= 200_000 && bytes("rescues") < 300_000, "{document:#}");
    assert!(bytes("trash") >= 500_000 && bytes("ready") > 0, "{document:#}");
    assert_eq!(bytes("total"), bytes("ready") + bytes("in_use") + bytes("rescues") + bytes("trash"));
    let told =
        repo.windrow(["pool", "status", "--du", "--config", "pool.max_bytes=1KiB"]).run().assert_success();
    let told = told.text();
    assert!(told.contains("HELD       COUNT  UNIQUE") && told.contains("\ntrash      1      "), "{told}");
    assert!(
        told.ends_with("pool.max_bytes allows 1.0 KiB; `windrow prune --to-budget` keeps to it"),
        "{told}"
    );

    let plain = windrow(&repo, &["pool", "status", "--json"]).json();
    assert_valid("pool-status", &plain);
    assert_eq!((&plain["usage"], &plain["max_bytes"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_cannot_be_looked_at_is_said_and_left_out_of_the_sum() {
    let repo = repository();
    let (fern, moss) = (acquire(&repo, &["--name", "fern"]), acquire(&repo, &["--name", "moss"]));
    fern.write("closed/file", "x");
    let closed = fern.path.join("closed");
    repo.command("chmod", repo.root()).arg("000").arg(&closed).run().assert_success();
    let mut list = repo.windrow(["list", "--du", "--json"]);
    if rustix::process::geteuid().is_root() {
        list = list.wrapped_in([
            "setpriv",
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-all",
            "--",
        ]);
    }
    let document = list.run().assert_success().json();
    repo.command("chmod", repo.root()).arg("755").arg(&closed).run().assert_success();
    assert_valid("list", &document);
    assert_eq!(document["worktrees"][0]["usage"], Value::Null, "{document:#}");
    assert_eq!(document["usage"], document["worktrees"][1]["usage"]);
    drop(moss);
}

/// What `doctor` says about the trash.
fn findings(repo: &TestRepo) -> Vec<Value> {
    let document = repo.windrow(["doctor", "--json"]).run().assert_success().json();
    assert_valid("doctor", &document);
    let all = document["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|one| one["about"] == "trash").collect()
}

#[test]
fn doctor_tells_what_waits_in_the_trash_and_who_deletes_it() {
    let repo = repository();
    let sweeping = hold_trash(&repo);
    for name in ["fern", "moss"] {
        let lease = acquire(&repo, &["--name", name]);
        lease.write("large", noise(1 << 20, 4));
        windrow(&repo, &["release", name, "--discard"]);
    }
    let [found] = &findings(&repo)[..] else { panic!("one line about the trash") };
    let told = text(&found["text"]);
    assert!(told.starts_with("2 things thrown away (2.0 MiB) in `"), "{told}");
    assert!(told.ends_with(".trash`: a process in the background is deleting them"), "{told}");
    assert_eq!((&found["severity"], &found["cure"]), (&"note".into(), &"empty_trash".into()));
    drop(sweeping);
    let told = text(&findings(&repo)[0]["text"]);
    assert!(told.ends_with("the next command that changes something goes on deleting them"), "{told}");
    nudge(&repo);
    wait_for_empty_trash(&trash(&repo));
    assert_eq!(findings(&repo), Vec::<Value>::new());
}

#[test]
fn h33_what_a_killed_sweeper_left_is_deleted_after_the_next_command() {
    let repo = repository();
    let sweeping = hold_trash(&repo);
    let lease = acquire(&repo, &["--name", "fern"]);
    for number in 0..20 {
        lease.write(&format!("deep/{number}/file"), "x");
    }
    windrow(&repo, &["release", "fern", "--discard"]);
    drop(sweeping);
    let whole = number(&status(&repo)["usage"]["trash"]["usage"]["inodes"]);
    let sweep = repo.windrow(["__sweep".as_ref(), trash(&repo).as_os_str()]);
    let Some(killed) = inject(sweep, "unlinkat", Fault::Kill, 9) else { return };
    assert_ne!(killed.run().code, 0);
    let left = status(&repo)["usage"]["trash"].clone();
    assert_eq!(number(&left["count"]), 1);
    let inodes = number(&left["usage"]["inodes"]);
    assert!((20..whole).contains(&inodes), "some were deleted, and some not: {inodes} of {whole}");
    nudge(&repo);
    wait_for_empty_trash(&trash(&repo));
    assert_eq!((state(&repo, "fern").as_str(), findings(&repo).len()), ("gone", 0));
}

/// A repository whose checkout takes a good megabyte.
fn large() -> TestRepo {
    let repo = repository();
    put(&repo.path().join("large"), noise(1 << 20, 5));
    repo.commit("large");
    repo
}

#[test]
fn no_more_are_made_ready_than_the_budget_allows() {
    let repo = large();
    let warm = |budget: &str| {
        let line = ["pool", "warm", "3", "--wait", "--json", "--config", budget];
        let outcome = repo.windrow(line).run().assert_success();
        let document = outcome.json();
        assert_valid("pool-warm", &document);
        (
            number(&document["made"]),
            number(&document["withheld"]),
            number(&document["ready"]),
            outcome.stderr_text(),
        )
    };
    let (made, withheld, ready, said) = warm("pool.max_bytes=1MiB");
    assert_eq!((made, withheld, ready), (0, 3, 0));
    assert!(said.contains("pool.max_bytes allows 1.0 MiB"), "{said}");
    let (made, withheld, ready, _) = warm("pool.max_bytes=2500KiB");
    assert!(made > 0 && made + withheld == 3 && ready == made, "{made} {withheld} {ready}");
    assert!(number(&status(&repo)["usage"]["total"]["usage"]["unique_bytes"]) <= 2500 << 10);
    let (_, withheld, ready, said) = warm("pool.max_bytes=1GiB");
    assert_eq!((withheld, ready), (0, 3));
    assert!(!said.contains("max_bytes"), "{said}");
}

#[test]
fn whoever_asks_for_a_worktree_gets_it_whatever_the_budget() {
    let repo = large();
    let lease =
        acquire(&repo, &["--name", "fern", "--config", "pool.max_bytes=0", "--config", "pool.warm=1"]);
    assert_eq!(fs::read(lease.path.join("large")).unwrap().len(), 1 << 20);
}
