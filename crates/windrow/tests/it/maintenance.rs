//! The keeper lets git pack loose objects once nobody works, and drops none.

use std::{fs, time::Duration};

use windrow_testkit::{TestRepo, poll_until, processes_under};

use crate::pool::repository;

/// Ten seconds of quiet, and git twice, on a machine that is busy.
const BOUND: Duration = Duration::from_secs(90);
const LOOSE: usize = 300;

/// A repository with loose objects that nothing reaches; git's own settings say whether to pack them.
fn with_loose(settings: &[(&str, &str)]) -> (TestRepo, Vec<String>) {
    let repo = repository();
    for (key, value) in settings {
        repo.git(["config", key, value]);
    }
    let files: Vec<_> = (0..LOOSE).map(|number| format!("objects/{number}")).collect();
    for file in &files {
        repo.write(file, format!("{file}\n"));
    }
    let hashed = repo.git(
        [&["hash-object", "-w", "--"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
    );
    fs::remove_dir_all(repo.path().join("objects")).unwrap();
    (repo, hashed.lines().map(str::to_owned).collect())
}

fn loose(repo: &TestRepo) -> usize {
    let counted = repo.git(["count-objects"]);
    counted.split(' ').next().unwrap().parse().unwrap()
}

fn diary(repo: &TestRepo) -> String {
    fs::read_to_string(repo.git_dir().join("windrow/logs/_keeper.log")).unwrap_or_default()
}

/// A command that leaves nothing to keep, with a keeper, until that has left.
fn run_and_let_it_leave(repo: &TestRepo, configured: &str) {
    fs::write(repo.path().join("windrow.toml"), configured).unwrap();
    let run = repo.windrow(["run", "--", "true"]).env("WINDROW_CONFIG__POOL__KEEPER", "true");
    run.run().assert_success();
    poll_until(BOUND, "the keeper's end", || diary(repo).trim_end().ends_with("nothing to keep"));
    poll_until(BOUND, "the keeper leaves", || processes_under(repo.root()).is_empty());
}

const WANTED: [(&str, &str); 2] = [("gc.auto", "200"), ("maintenance.auto", "true")];

#[test]
fn loose_objects_are_packed_once_nobody_works_and_none_is_dropped() {
    let (repo, objects) = with_loose(&WANTED);
    assert!(loose(&repo) >= LOOSE);
    run_and_let_it_leave(&repo, "");
    let told = diary(&repo);
    assert!(told.contains("git's maintenance began") && told.contains("git's maintenance ended"), "{told}");
    assert_eq!(loose(&repo), 0, "{told}");
    for object in objects {
        repo.git(["cat-file", "-e", &object]);
    }
    repo.git(["fsck", "--strict", "--no-dangling"]);
    assert!(!repo.git_dir().join("objects/maintenance.lock").exists());
}

#[test]
fn maintenance_that_the_user_does_not_want_does_not_run() {
    let unwanted = [
        (&[("gc.auto", "0"), ("maintenance.auto", "true")][..], ""),
        (&[("gc.auto", "200"), ("maintenance.auto", "false")], ""),
        (&[("gc.auto", "1000"), ("maintenance.auto", "true")], ""),
        (&WANTED, "[pool]\nmaintenance = false\n"),
    ];
    for (settings, configured) in unwanted {
        let (repo, _) = with_loose(settings);
        let before = loose(&repo);
        run_and_let_it_leave(&repo, configured);
        assert!(!diary(&repo).contains("maintenance"), "{settings:?} {configured}: {}", diary(&repo));
        assert!(loose(&repo) >= before, "{settings:?}");
    }
}

#[test]
fn h35_a_maintenance_of_somebody_else_is_not_disturbed() {
    let (repo, _) = with_loose(&WANTED);
    let lock = repo.git_dir().join("objects/maintenance.lock");
    fs::write(&lock, "").unwrap();
    run_and_let_it_leave(&repo, "");
    assert!(diary(&repo).contains("git's maintenance waits"), "{}", diary(&repo));
    assert!(lock.exists() && loose(&repo) >= LOOSE);
    let told = repo.windrow(["doctor"]).run().assert_code(1).text();
    assert!(told.contains("objects/maintenance.lock"), "{told}");
}
