//! The queue: tickets are landed in the order in which they came, by whoever is there, and survive everybody.

use std::{fs, path::PathBuf, time::Duration};

use windrow_testkit::{Invocation, Running, poll_until, processes_under};

use super::*;
use crate::repo;

const BOUND: Duration = Duration::from_secs(100);

fn outside(repo: &TestRepo, name: &str) -> PathBuf {
    repo.root().join(name)
}

/// Queues and returns the ticket's number.
#[track_caller]
fn queue(repo: &TestRepo, arguments: &[&str]) -> String {
    let document = repo.windrow(["land", "--queue", "--json"]).args(arguments).run().assert_success().json();
    assert_valid("ticket", &document);
    document["ticket"]["ticket"].to_string()
}

#[track_caller]
fn wait(repo: &TestRepo, ticket: &str, code: i32) -> Value {
    let outcome = repo.windrow(["queue", "wait", ticket, "--json"]).bound(BOUND).run().assert_code(code);
    let document = outcome.json();
    assert_valid("ticket", &document);
    document["ticket"].clone()
}

#[track_caller]
fn listed(repo: &TestRepo, arguments: &[&str]) -> Vec<(String, String)> {
    let document = repo.windrow(["queue", "list", "--json"]).args(arguments).run().assert_success().json();
    assert_valid("queue-list", &document);
    let tickets = document["tickets"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tickets.iter().map(|one| (one["ticket"].to_string(), text(&one["state"]))).collect()
}

/// The subjects of the target's own line, the oldest first, but for the first commit.
fn subjects(repo: &TestRepo) -> Vec<String> {
    let log = repo.git(["log", "--reverse", "--first-parent", "--format=%s", "main"]);
    log.lines().skip(1).map(str::to_owned).collect()
}

fn agents(repo: &TestRepo, names: &[&str]) {
    for name in names {
        agent(repo, name, &format!("echo {name} > {name}.txt"));
    }
}

#[test]
fn tickets_are_landed_in_the_order_in_which_they_came() {
    let repo = repo();
    agents(&repo, &["fern", "moss", "reed"]);
    let tickets: Vec<String> =
        ["reed", "fern", "moss"].map(|name| queue(&repo, &[name, "--squash"])).to_vec();
    let before = Everything::of(&repo);
    assert_eq!(
        listed(&repo, &[]),
        tickets.iter().map(|one| (one.clone(), "queued".to_owned())).collect::<Vec<_>>()
    );
    // Nobody lands anything before somebody is there to do it.
    assert_eq!(before.files, Everything::of(&repo).files);
    let last = wait(&repo, &tickets[2], 0);
    assert_eq!((&last["state"], &last["after"]), (&"landed".into(), &repo.oid("main").into()));
    assert_eq!(subjects(&repo), ["By reed", "By fern", "By moss"]);
    assert!(listed(&repo, &[]).is_empty());
    assert_eq!(listed(&repo, &["--all"]).len(), 3);
    clean(&repo, repo.path());
    nothing_left(&repo);
    // What is over is told again, and is not landed again.
    assert_eq!(wait(&repo, &tickets[0], 0)["state"], "landed");
    assert_eq!(subjects(&repo).len(), 3);
}

#[test]
fn what_lands_without_a_ticket_lands_in_its_turn() {
    let repo = repo();
    agents(&repo, &["fern", "moss", "reed"]);
    let ticket = queue(&repo, &["fern", "--squash"]);
    queue(&repo, &["moss", "--squash"]);
    land(&repo, &["reed", "--squash"]);
    assert_eq!(subjects(&repo), ["By fern", "By moss", "By reed"]);
    assert_eq!(wait(&repo, &ticket, 0)["state"], "landed");
    // To look only does not land what others queued.
    agents(&repo, &["sage", "dill"]);
    queue(&repo, &["sage", "--squash"]);
    let before = repo.oid("main");
    land(&repo, &["dill", "--dry-run"]);
    assert_eq!(repo.oid("main"), before);
}

#[test]
fn what_cannot_land_does_not_hold_up_the_others() {
    let repo = repo();
    agent(&repo, "fern", "echo one > same.txt");
    agent(&repo, "moss", "echo two > same.txt");
    agents(&repo, &["reed", "sage", "dill", "mint"]);
    repo.write("sage.txt", "mine");
    let tickets = [
        (queue(&repo, &["fern", "--squash"]), "landed", 0),
        (queue(&repo, &["moss", "--squash"]), "conflict", 65),
        (queue(&repo, &["reed", "--squash", "--verify", "echo no; exit 7"]), "verify-failed", 65),
        (queue(&repo, &["sage", "--squash"]), "refused", 65),
        (
            queue(&repo, &["dill", "--squash", "--verify", "sleep 1000", "--verify-timeout", "1s"]),
            "verify-failed",
            65,
        ),
        (queue(&repo, &["mint", "--squash", "--verify", "test -f same.txt"]), "landed", 0),
    ];
    wait(&repo, &tickets[5].0, 0);
    for (ticket, state, code) in &tickets {
        let told = wait(&repo, ticket, *code);
        assert_eq!(told["state"], *state, "{told}");
        if *state == "verify-failed" {
            assert!(told["log"].as_str().is_some(), "{told}");
        }
    }
    let conflict = wait(&repo, &tickets[1].0, 65);
    assert!(conflict["detail"].as_str().unwrap().contains("same.txt"), "{conflict}");
    assert_eq!(subjects(&repo), ["By fern", "By mint"]);
    assert_eq!(repo.read("sage.txt"), b"mine");
    nothing_left(&repo);
}

#[test]
fn h51_a_ticket_is_the_commit_that_was_queued_whatever_becomes_of_its_branch() {
    let repo = repo();
    let first = agent(&repo, "fern", "echo theirs > new.txt");
    let ticket = queue(&repo, &["fern", "--squash"]);
    // The branch goes on, and then goes altogether.
    let later = repo.git(["commit-tree", "-p", &first, "-m", "Later", "main^{tree}"]);
    repo.git(["update-ref", "refs/heads/windrow/fern", &later]);
    repo.git(["branch", "-q", "-D", "windrow/fern"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
    assert_eq!(wait(&repo, &ticket, 0)["source"], first);
    assert_eq!(repo.read("new.txt"), b"theirs\n");
    nothing_left(&repo);
}

#[test]
fn a_ticket_that_waits_can_be_cancelled_and_one_that_is_over_cannot() {
    let repo = repo();
    agents(&repo, &["fern", "moss"]);
    let (fern, moss) = (queue(&repo, &["fern"]), queue(&repo, &["moss", "--squash"]));
    let cancel = |ticket: &str| repo.windrow(["queue", "cancel", ticket, "--json"]).run();
    let cancelled = cancel(&fern).assert_success().json();
    assert_valid("ticket", &cancelled);
    assert_eq!(cancelled["ticket"]["state"], "cancelled");
    wait(&repo, &moss, 0);
    assert_eq!(wait(&repo, &fern, 65)["state"], "cancelled");
    assert_eq!(subjects(&repo), ["By moss"]);
    for over in [&fern, &moss] {
        let error = cancel(over).assert_code(65).json();
        assert_valid("error", &error);
    }
    assert_eq!(cancel("99").assert_code(1).json()["error"]["code"], "NOT_FOUND");
    assert_eq!(
        repo.windrow(["queue", "wait", "99", "--json"]).run().assert_code(1).json()["error"]["code"],
        "NOT_FOUND"
    );
    nothing_left(&repo);
}

#[test]
fn h50_a_key_is_queued_once_and_lands_once() {
    let repo = repo();
    agents(&repo, &["fern", "moss"]);
    let first = queue(&repo, &["fern", "--squash", "--land-key", "effect-7"]);
    assert_eq!(queue(&repo, &["moss", "--squash", "--land-key", "effect-7"]), first);
    wait(&repo, &first, 0);
    let again = queue(&repo, &["moss", "--squash", "--land-key", "effect-7"]);
    assert_ne!(again, first);
    assert_eq!(wait(&repo, &again, 0)["detail"], "the target held it already");
    assert_eq!(subjects(&repo), ["By fern"]);
}

/// A verification that says where it is, and goes on when it may.
fn held(repo: &TestRepo) -> String {
    let (here, go) = (outside(repo, "here"), outside(repo, "go"));
    format!("touch '{}'; while ! test -e '{}'; do sleep 0.05; done", here.display(), go.display())
}

fn is_held(repo: &TestRepo) {
    poll_until(BOUND, "the verification to run", || outside(repo, "here").exists());
}

fn go(repo: &TestRepo) {
    fs::write(outside(repo, "go"), "").unwrap();
}

#[test]
fn a_killed_waiter_lets_its_ticket_go_and_nothing_is_lost() {
    let repo = repo();
    agents(&repo, &["fern", "moss"]);
    let fern = queue(&repo, &["fern", "--squash", "--verify", &held(&repo)]);
    let moss = queue(&repo, &["moss", "--squash"]);
    let mut waiter: Running = repo.windrow(["queue", "wait", &moss, "--json"]).bound(BOUND).spawn();
    is_held(&repo);
    assert_eq!(listed(&repo, &[])[0], (fern.clone(), "landing".to_owned()));
    let busy = repo.windrow(["queue", "cancel", &fern, "--json"]).run().assert_code(75).json();
    assert_eq!(busy["error"]["details"]["state"], "landing");
    waiter.kill_alone();
    poll_until(BOUND, "the command to end with the waiter", || processes_under(repo.root()).is_empty());
    go(&repo);
    let told = wait(&repo, &moss, 0);
    assert_eq!(told["attempts"], 1);
    let told = wait(&repo, &fern, 0);
    assert_eq!((&told["state"], &told["attempts"]), (&"landed".into(), &2.into()));
    assert_eq!(subjects(&repo), ["By fern", "By moss"]);
    nothing_left(&repo);
}

#[test]
fn two_that_wait_do_not_land_anything_twice() {
    let repo = repo();
    let names = ["fern", "moss", "reed", "sage"];
    agents(&repo, &names);
    let tickets: Vec<String> = names.map(|name| queue(&repo, &[name, "--squash"])).to_vec();
    let waiting: Vec<Running> = tickets
        .iter()
        .rev()
        .map(|one| repo.windrow(["queue", "wait", one, "--json"]).bound(BOUND).spawn())
        .collect();
    for waiter in waiting {
        waiter.wait().assert_success();
    }
    assert_eq!(subjects(&repo), names.map(|name| format!("By {name}")));
}

#[test]
fn waiting_ends_in_time_and_the_ticket_stays() {
    let repo = repo();
    agents(&repo, &["fern"]);
    let ticket = queue(&repo, &["fern", "--squash", "--verify", &held(&repo)]);
    let lander = repo.windrow(["queue", "wait", &ticket, "--json"]).bound(BOUND).spawn();
    is_held(&repo);
    let late = repo.windrow(["queue", "wait", &ticket, "--timeout", "1s", "--json"]).run().assert_code(75);
    assert_eq!(late.json()["error"]["details"]["state"], "landing");
    go(&repo);
    lander.wait().assert_success();
}

/// A call of the program in a pool that is kept.
fn kept(repo: &TestRepo, arguments: &[&str]) -> Invocation {
    repo.windrow(arguments).env("WINDROW_CONFIG__POOL__KEEPER", "true")
}

#[cfg(target_os = "linux")]
#[test]
fn the_keeper_lands_what_is_queued_and_nobody_has_to_wait() {
    let repo = repo();
    agents(&repo, &["fern", "moss"]);
    repo.git(["branch", "other", "main"]);
    let held = held(&repo);
    kept(&repo, &["land", "--queue", "fern", "--onto", "other", "--verify", &held]).run().assert_success();
    // What waits in the queue of one target does not hold up another's.
    let out = kept(&repo, &["land", "--queue", "moss", "--squash"]).run().assert_success();
    let ticket = out.text();
    poll_until(BOUND, "the keeper to land it", || subjects(&repo) == ["By moss"]);
    is_held(&repo);
    assert_eq!(wait(&repo, &ticket, 0)["state"], "landed");
    go(&repo);
    poll_until(BOUND, "the keeper to leave", || processes_under(repo.root()).is_empty());
    assert_eq!(repo.git(["show", "other:fern.txt"]), "fern");
    assert!(listed(&repo, &[]).is_empty());
    nothing_left(&repo);
}

/// The processes that serve the queue of a repository.
#[cfg(target_os = "linux")]
fn drivers(repo: &TestRepo) -> Vec<i32> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if words.contains(&b"__queue".as_slice()) && words.contains(&repo.path().as_os_str().as_bytes()) {
            found.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        }
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn a_queue_survives_the_death_of_whoever_serves_it() {
    let repo = repo();
    agents(&repo, &["fern", "moss"]);
    let held = held(&repo);
    kept(&repo, &["land", "--queue", "fern", "--squash", "--verify", &held]).run().assert_success();
    kept(&repo, &["land", "--queue", "moss", "--squash"]).run().assert_success();
    is_held(&repo);
    fs::remove_file(outside(&repo, "here")).unwrap();
    for pid in drivers(&repo) {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        // It may have been a child that has become something else by now.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    // The keeper starts another one, which begins with the same ticket.
    is_held(&repo);
    go(&repo);
    poll_until(BOUND, "both to land", || subjects(&repo) == ["By fern", "By moss"]);
    poll_until(BOUND, "the keeper to leave", || processes_under(repo.root()).is_empty());
    nothing_left(&repo);
}
