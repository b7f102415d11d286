//! Keys, keeping and the cap: who gets which worktree, and when it goes.

use std::fs;

use windrow_testkit::{Running, TestRepo, assert_same, poll_for, poll_until};

use crate::pool::{
    Lease, SOON, acquire, everything, holder, nudge, outlast, pool_root, record, refused, repository,
    rescues, restore, state, windrow,
};

#[test]
fn a_key_gives_the_same_lease_to_the_same_holder() {
    let repo = repository();
    let (me, other) = (holder(&repo), holder(&repo));
    let pid = me.pid().to_string();
    let first = acquire(&repo, &["--key", "T-1", "--pid", &pid]);
    let again = acquire(&repo, &["--key", "T-1", "--pid", &pid]);
    assert_eq!((&first.id, first.fence, &first.path), (&again.id, again.fence, &again.path));
    assert_eq!([&first.provenance, &again.provenance], ["created", "same"]);
    let error = refused(&repo, 75, &["acquire", "--key", "T-1", "--pid", &other.pid().to_string()]);
    assert!(error["retryable"].as_bool().unwrap(), "{error}");
    assert!(error["message"].as_str().unwrap().contains(&pid), "{error}");
    assert_ne!(acquire(&repo, &["--key", "T-2", "--pid", &pid]).path, first.path);
}

#[test]
fn a_released_key_goes_on_on_its_branch() {
    let repo = repository();
    let first = acquire(&repo, &["--key", "T-1"]);
    first.write("work", "of the first");
    let tip = repo.commit_in(&first.path, "First");
    windrow(&repo, &["release", "--key", "T-1"]);
    // Several times, and once without doing anything: what the first one committed stays on the branch.
    for _ in 0..2 {
        let next = acquire(&repo, &["--key", "T-1"]);
        assert_eq!((&next.branch, &next.provenance[..]), (&first.branch, "created"));
        assert_ne!(next.id, first.id);
        assert_eq!(fs::read_to_string(next.path.join("work")).unwrap(), "of the first");
        assert_eq!(record(&repo, &next.name)["target"], "main");
        windrow(&repo, &["release", "--key", "T-1"]);
        assert_eq!(repo.oid(&format!("refs/heads/{}", first.branch)), tip);
    }
    let last = acquire(&repo, &["--key", "T-1"]);
    last.write("more", "of the last");
    let tip = repo.commit_in(&last.path, "Last");
    windrow(&repo, &["release", "--key", "T-1"]);
    assert_eq!(repo.oid(&format!("refs/heads/{}", first.branch)), tip);
}

#[test]
fn a_released_key_leaves_the_users_branch_to_the_user() {
    let repo = repository();
    repo.git(["branch", "feature"]);
    let tip = repo.oid("feature");
    windrow(&repo, &["acquire", "--key", "T-1", "--branch", "feature"]);
    windrow(&repo, &["release", "--key", "T-1"]);
    assert_eq!(acquire(&repo, &["--key", "T-1"]).branch, "feature");
    windrow(&repo, &["release", "--key", "T-1"]);
    assert_eq!(repo.oid("feature"), tip);
}

#[test]
fn a_released_key_without_commits_starts_anew() {
    let repo = repository();
    let first = acquire(&repo, &["--key", "T-1"]);
    windrow(&repo, &["release", "--key", "T-1"]);
    assert_ne!(repo.try_git(["rev-parse", "--verify", &first.branch]).code, 0, "an empty branch goes");
    let main = repo.commit("The main branch moves on");
    let next = acquire(&repo, &["--key", "T-1"]);
    assert_eq!(repo.git_in(&next.path, ["rev-parse", "HEAD"]), main);
}

#[test]
fn an_expired_lease_is_taken_over_by_its_key_and_lives_again() {
    let repo = repository();
    let first = acquire(&repo, &["--key", "T-1", "--ttl", "1s"]);
    first.write("work", "half done");
    let before = first.files();
    outlast(1);
    let next = acquire(&repo, &["--key", "T-1"]);
    assert_eq!((&next.path, &next.provenance[..]), (&first.path, "taken_over"));
    assert!(next.fence > first.fence);
    nudge(&repo);
    assert_eq!(state(&repo, &next.name), "leased");
    assert_same(&before, &next.files());
}

#[test]
fn a_renewed_lease_outlives_its_first_time() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    windrow(&repo, &["renew", &lease.name, "--ttl", "1h", "--fence", &lease.fence.to_string()]);
    outlast(1);
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "leased");
}

#[test]
fn a_kept_worktree_stays_for_its_time_and_goes_with_the_next_command() {
    let repo = repository();
    let lease = acquire(&repo, &["--keep", "1h"]);
    lease.write("work", "unsaved");
    let before = lease.files();
    windrow(&repo, &["release", &lease.name]);
    assert_eq!(state(&repo, &lease.name), "kept");
    refused(&repo, 65, &["acquire", "--branch", &lease.branch]);
    assert_same(&before, &lease.files());
    windrow(&repo, &["release", &lease.name, "--keep", "1s"]);
    outlast(1);
    // Looking changes nothing.
    windrow(&repo, &["list"]);
    assert_same(&before, &lease.files());
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "gone");
    assert_same(&before, &restore(&repo, &lease.name).files());
}

#[test]
fn a_kept_worktree_can_be_kept_for_longer() {
    let repo = repository();
    let lease = acquire(&repo, &["--keep", "1s"]);
    lease.write("work", "unsaved");
    let before = lease.files();
    windrow(&repo, &["release", &lease.name]);
    windrow(&repo, &["release", &lease.name, "--keep", "1h"]);
    outlast(1);
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "kept");
    assert_same(&before, &lease.files());
}

#[test]
fn a_kept_worktree_survives_commands_until_its_time() {
    let repo = repository();
    let script = "echo hello >greeting";
    windrow(&repo, &["run", "--name", "kept", "--keep", "1h", "--", "sh", "-c", script]);
    (0..3).for_each(|_| nudge(&repo));
    assert_eq!(state(&repo, "kept"), "kept");
    assert_eq!(windrow(&repo, &["exec", "kept", "--", "cat", "greeting"]).text(), "hello");
    assert_eq!(state(&repo, "kept"), "kept");
    assert_eq!(rescues(&repo, "kept"), Vec::<String>::new());
    windrow(&repo, &["release", "kept"]);
    assert_eq!(state(&repo, "kept"), "gone");
    assert_eq!(fs::read_to_string(restore(&repo, "kept").path.join("greeting")).unwrap(), "hello\n");
}

const ONE: [&str; 2] = ["--config", "pool.max_worktrees=1"];

/// Acquires in a pool of one and waits; comes back once it stands in line.
fn stand_in_line(repo: &TestRepo, name: &str) -> Running {
    let waiter = repo.windrow(ONE).args(["acquire", "--json", "--name", name, "--wait", "1m"]).spawn();
    poll_until(SOON, "a place in line", || String::from_utf8_lossy(&waiter.stderr()).contains("waiting"));
    waiter
}

#[test]
fn a_full_pool_refuses_with_69_and_says_who_holds_what() {
    let repo = repository();
    let me = holder(&repo);
    let lease = acquire(&repo, &["--pid", &me.pid().to_string()]);
    let worktrees = fs::read_dir(lease.path.parent().unwrap()).unwrap().count();
    for wait in [[].as_slice(), &["--wait", "1s"]] {
        let error = refused(&repo, 69, &[&ONE, ["acquire"].as_slice(), wait].concat());
        assert_eq!(error["details"]["max_worktrees"], 1, "{error}");
        assert_eq!(error["details"]["holders"][0]["worktree"], lease.name, "{error}");
        let holder = error["details"]["holders"][0]["holder"].as_str().unwrap();
        assert!(holder.contains(&me.pid().to_string()), "{error}");
    }
    assert_eq!(fs::read_dir(lease.path.parent().unwrap()).unwrap().count(), worktrees);
    repo.windrow(ONE).args(["run", "--", "true"]).run().assert_code(69);
}

#[test]
fn a_kept_worktree_takes_a_place_and_can_be_taken_up_in_a_full_pool() {
    let repo = repository();
    acquire(&repo, &["--name", "kept", "--keep", "1h", "--key", "T-1"]);
    windrow(&repo, &["release", "kept"]);
    refused(&repo, 69, &[&ONE, ["acquire"].as_slice()].concat());
    let again = windrow(&repo, &[&ONE, ["acquire", "--json", "--key", "T-1"].as_slice()].concat()).json();
    assert_eq!(again["provenance"], "reattached");
}

/// A pool of two that is full, and somebody in line for a key that was released; another caller, who has more room, took that
/// key up meanwhile and committed.
fn overtaken(repo: &TestRepo) -> (Running, Lease) {
    let (two, more) = (["--config", "pool.max_worktrees=2"], ["--config", "pool.max_worktrees=9"]);
    acquire(repo, &["--key", "T-1"]);
    windrow(repo, &["release", "--key", "T-1"]);
    for name in ["fern", "sage"] {
        acquire(repo, &["--name", name]);
    }
    let waiter = repo.windrow(two).args(["acquire", "--json", "--key", "T-1", "--wait", "1m"]).spawn();
    poll_until(SOON, "a place in line", || String::from_utf8_lossy(&waiter.stderr()).contains("waiting"));
    let other = acquire(repo, &[&more, ["--name", "moss", "--key", "T-1"].as_slice()].concat());
    other.write("work", "of the other");
    repo.commit_in(&other.path, "Other");
    (waiter, other)
}

fn make_room(repo: &TestRepo) {
    for name in ["fern", "sage"] {
        windrow(repo, &["release", name]);
    }
}

#[test]
fn who_waited_while_its_key_was_used_goes_on_where_that_ended() {
    let repo = repository();
    let (waiter, other) = overtaken(&repo);
    windrow(&repo, &["release", "moss"]);
    make_room(&repo);
    let lease = Lease::of(&waiter.wait().assert_success().json());
    assert_eq!((&lease.branch, &lease.provenance[..]), (&other.branch, "created"));
    assert_eq!(fs::read_to_string(lease.path.join("work")).unwrap(), "of the other");
    assert_eq!(repo.git_in(&lease.path, ["status", "--porcelain"]), "");
}

#[test]
fn who_waited_while_its_key_was_kept_gets_what_was_kept() {
    let repo = repository();
    let (waiter, other) = overtaken(&repo);
    other.write("more", "unsaved");
    windrow(&repo, &["release", "moss", "--keep", "1h"]);
    make_room(&repo);
    let lease = Lease::of(&waiter.wait().assert_success().json());
    assert_eq!((&lease.path, &lease.provenance[..]), (&other.path, "reattached"));
    assert_eq!(fs::read_to_string(lease.path.join("more")).unwrap(), "unsaved");
}

#[test]
fn who_waited_while_its_key_was_taken_is_told_to_try_again() {
    let repo = repository();
    let me = holder(&repo);
    let (waiter, _) = overtaken(&repo);
    windrow(&repo, &["release", "moss"]);
    let more = ["--config", "pool.max_worktrees=9"];
    acquire(&repo, &[&more, ["--key", "T-1", "--pid", &me.pid().to_string()].as_slice()].concat());
    make_room(&repo);
    let error = waiter.wait().assert_code(75).json()["error"].clone();
    assert!(error["retryable"].as_bool().unwrap(), "{error}");
    assert!(error["message"].as_str().unwrap().contains(&me.pid().to_string()), "{error}");
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    let repo = repository();
    acquire(&repo, &["--name", "first"]);
    let names = ["second", "third", "fourth"];
    let mut line: Vec<_> = names.iter().map(|name| stand_in_line(&repo, name)).collect();
    let mut held = "first";
    for name in names {
        windrow(&repo, &["release", held]);
        line.remove(0).wait().assert_success();
        assert!(line.iter_mut().all(Running::is_running), "only one is served");
        let leased = poll_for(SOON, "one lease", || leased(&repo));
        assert_eq!(leased, name);
        held = name;
    }
    // Who comes now has nobody before them, but no place either.
    refused(&repo, 69, &[&ONE, ["acquire"].as_slice()].concat());
}

/// The only leased worktree.
fn leased(repo: &TestRepo) -> Option<String> {
    let list = windrow(repo, &["list", "--json"]).json();
    let names: Vec<_> = list["worktrees"].as_array()?.iter().map(|one| one["name"].clone()).collect();
    let [name] = names.as_slice() else { return None };
    name.as_str().map(str::to_owned)
}

#[test]
fn who_comes_later_does_not_overtake_those_who_wait() {
    let repo = repository();
    let two = ["--config", "pool.max_worktrees=2"];
    acquire(&repo, &["--name", "first"]);
    let waiting = stand_in_line(&repo, "second");
    // With two places one is free, but it belongs to the one in line.
    let error = refused(&repo, 69, &[&two, ["acquire"].as_slice()].concat());
    assert_eq!(error["code"], "POOL_EXHAUSTED");
    windrow(&repo, &["release", "first"]);
    waiting.wait().assert_success();
    windrow(&repo, &[&two, ["acquire"].as_slice()].concat());
}

#[test]
fn the_dead_lose_their_place_in_line() {
    let repo = repository();
    acquire(&repo, &["--name", "first"]);
    let mut dead = stand_in_line(&repo, "dead");
    let living = stand_in_line(&repo, "living");
    dead.kill_alone();
    windrow(&repo, &["release", "first"]);
    living.wait().assert_success();
    assert_eq!(leased(&repo).as_deref(), Some("living"));
}

#[test]
fn who_waits_gets_the_place_of_a_holder_who_dies() {
    let repo = repository();
    let mut mortal = holder(&repo);
    let lease = acquire(&repo, &["--name", "first", "--pid", &mortal.pid().to_string()]);
    lease.write("work", "unsaved");
    let before = lease.files();
    let waiting = stand_in_line(&repo, "second");
    mortal.kill_alone();
    waiting.wait().assert_success();
    assert_eq!(leased(&repo).as_deref(), Some("second"));
    windrow(&repo, &["release", "second"]);
    assert_same(&before, &restore(&repo, "first").files());
}

#[test]
fn callers_of_one_key_at_once_get_one_worktree() {
    let repo = repository();
    let callers: Vec<_> =
        (0..6).map(|_| repo.windrow(["acquire", "--json", "--key", "T-1"]).spawn()).collect();
    let outcomes: Vec<_> = callers.into_iter().map(Running::wait).collect();
    let mut paths = Vec::new();
    for outcome in outcomes {
        match outcome.code {
            0 => paths.push(outcome.json()["lease"]["path"].clone()),
            _ => drop(outcome.assert_code(75)),
        }
    }
    paths.dedup();
    assert_eq!(paths.len(), 1, "{paths:?}");
    let lease: Lease = acquire(&repo, &["--key", "T-1"]);
    assert_eq!(Some(lease.path.as_path()), paths[0].as_str().map(std::path::Path::new));
}

#[test]
fn a_kept_worktree_is_not_handed_out_for_another_branch() {
    let repo = repository();
    windrow(&repo, &["run", "--name", "fern", "--keep", "1h", "--", "true"]);
    let before = everything(&pool_root(&repo).join("fern"));
    let error = refused(&repo, 65, &["acquire", "--name", "fern", "--branch", "other"]);
    assert!(error["message"].as_str().unwrap().contains("another branch"), "{error}");
    refused(&repo, 65, &["acquire", "--name", "fern", "--detach"]);
    assert_eq!(state(&repo, "fern"), "kept");
    assert_same(&before, &everything(&pool_root(&repo).join("fern")));
    let same = acquire(&repo, &["--name", "fern", "--branch", "windrow/fern"]);
    assert_eq!(same.path, pool_root(&repo).join("fern"));
}
