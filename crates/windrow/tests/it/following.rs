//! What is held ready follows the branch, and no command is run.

use std::{fs, time::Duration};

use windrow_testkit::{Invocation, TestRepo, assert_same, poll_until};

use crate::pool::{acquire, files, put, text, windrow};

const BOUND: Duration = Duration::from_secs(60);

/// A call of the program in a pool that is kept.
fn kept(repo: &TestRepo, arguments: &[&str]) -> Invocation {
    repo.windrow(arguments).env("WINDROW_CONFIG__POOL__KEEPER", "true")
}

fn spares(repo: &TestRepo) -> Vec<(String, String)> {
    let status = windrow(repo, &["pool", "status", "--json"]).json();
    let spares = status["spares"].as_array().unwrap().iter();
    spares.map(|spare| (text(&spare["base"]), text(&spare["path"]))).collect()
}

fn ends(repo: &TestRepo) -> Vec<i64> {
    let records = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    let mut ends = records.prepare("SELECT keep_until FROM worktrees WHERE state = 'idle'").unwrap();
    ends.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Waits until everything that is ready is at HEAD; asking changes nothing and starts nothing.
#[track_caller]
fn wait_until_followed(repo: &TestRepo) {
    let head = repo.git(["rev-parse", "HEAD"]).trim().to_owned();
    let told = format!("all are at {head}");
    poll_until(BOUND, &told, || {
        spares(repo).len() == 2 && spares(repo).iter().all(|(base, _)| *base == head)
    });
    for (_, path) in spares(repo) {
        assert_same(&files(repo.path()), &files(path.as_ref()));
    }
}

fn commit(repo: &TestRepo, content: &str) {
    put(&repo.path().join("src/deep/lib.rs"), content);
    repo.commit(content);
}

/// Ends what is ready, so that the keeper has nothing to keep.
fn end(repo: &TestRepo) {
    windrow(repo, &["pool", "resize", "0"]);
    poll_until(BOUND, "the keeper leaves", || !repo.git_dir().join("windrow/locks/keeper").exists());
}

#[test]
fn a_commit_in_the_main_checkout_is_followed_with_no_command() {
    let repo = crate::leasing::repository();
    commit(&repo, "first");
    kept(&repo, &["pool", "warm", "2", "--wait"]).run().assert_success();
    let until = ends(&repo);
    commit(&repo, "second");
    wait_until_followed(&repo);
    // Nobody used it: it goes as early as it would have gone. One that is looked at again meanwhile is not ready for a moment.
    poll_until(BOUND, "both end when they would have ended", || ends(&repo) == until);
    // Another branch, and then refs that are packed.
    repo.git(["checkout", "--quiet", "-b", "feature/deep", "HEAD~1"]);
    wait_until_followed(&repo);
    repo.git(["pack-refs", "--all"]);
    commit(&repo, "third");
    wait_until_followed(&repo);
    let lease = acquire(&repo, &["--name", "fern"]);
    assert_eq!(fs::read(lease.path.join("src/deep/lib.rs")).unwrap(), b"third");
    windrow(&repo, &["release", "fern"]);
    end(&repo);
}

#[test]
fn with_reftable_it_is_followed_as_well_and_by_a_keeper_that_comes_late() {
    let repo = crate::leasing::builder().reftable().build();
    commit(&repo, "first");
    // In the background, so that its helper starts the keeper.
    kept(&repo, &["pool", "warm", "2"]).run().assert_success();
    let lock = repo.git_dir().join("windrow/locks/keeper");
    poll_until(BOUND, "a keeper", || lock.exists() && spares(&repo).len() == 2);
    commit(&repo, "second");
    wait_until_followed(&repo);
    end(&repo);
    // Where the pool is not kept it stays where it is until somebody starts a keeper.
    windrow(&repo, &["pool", "warm", "2", "--wait"]);
    commit(&repo, "third");
    kept(&repo, &["acquire", "--name", "fern", "--config", "pool.strategy=checkout"]).run().assert_success();
    wait_until_followed(&repo);
    windrow(&repo, &["release", "fern"]);
    end(&repo);
}
