//! A worktree that somebody holds, uses or locked is not handed out again and does not go.

use std::{fs, process::Stdio};

use windrow_testkit::{RepoFingerprint, assert_same, pid_namespace, poll_until, root_only};

use crate::pool::{
    Lease, SOON, acquire, expire, holder, left_in_place, nudge, outlast, put, refused, registered,
    repository, rescues, restore, state, windrow,
};

#[test]
fn h01_a_worktree_whose_holder_lives_is_nobody_elses() {
    let repo = repository();
    let (mine, other) = (holder(&repo), holder(&repo));
    let lease = acquire(&repo, &["--key", "T-1", "--name", "mine", "--pid", &mine.pid().to_string()]);
    lease.write("work", "under way");
    let before = (lease.files(), RepoFingerprint::of(&repo));
    let other = other.pid().to_string();
    for (code, wanted) in
        [(75, ["--key", "T-1"]), (75, ["--name", "mine"]), (65, ["--branch", &lease.branch])]
    {
        let arguments = [&["acquire", "--pid", &other], wanted.as_slice()].concat();
        let error = refused(&repo, code, &arguments);
        assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
    }
    nudge(&repo);
    assert_eq!(state(&repo, "mine"), "leased");
    assert_same(&before.0, &lease.files());
    before.1.assert_unchanged(&repo);
}

#[test]
fn h01_time_alone_does_not_end_the_lease_of_a_live_process() {
    let repo = repository();
    let mine = holder(&repo);
    let lease = acquire(&repo, &["--pid", &mine.pid().to_string(), "--ttl", "1s"]);
    lease.write("work", "under way");
    let before = lease.files();
    outlast(1);
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "leased");
    assert_same(&before, &lease.files());
    assert_eq!(rescues(&repo, &lease.name), Vec::<String>::new());
}

#[test]
fn h01_a_worktree_in_use_outlives_its_lease() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    lease.write("work", "under way");
    let before = lease.files();
    let mut user = repo.command("sleep", &lease.path).arg("300").spawn();
    outlast(1);
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "leased");
    assert_same(&before, &lease.files());
    let error = refused(&repo, 75, &["release", &lease.name]);
    assert!(error["message"].as_str().unwrap().contains("sleep"), "{error}");
    user.kill_alone();
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "gone");
    assert_same(&before, &restore(&repo, &lease.name).files());
}

#[test]
fn h01_an_open_file_or_a_running_program_is_use() {
    let repo = repository();
    let leases = ["open", "program"].map(|name| acquire(&repo, &["--name", name]));
    leases[0].write("log", "");
    fs::copy("/bin/sleep", leases[1].path.join("own-sleep")).unwrap();
    let before = leases.each_ref().map(Lease::files);
    let log = leases[0].path.join("log");
    let script = "exec 3>>\"$1\"; echo ready; exec sleep 300";
    let mut writer = repo.command("sh", repo.root()).args(["-c", script, "sh"]).arg(log).spawn();
    writer.wait_for_stdout("ready");
    let _program = repo.command(leases[1].path.join("own-sleep"), repo.root()).arg("300").spawn();
    expire(&repo, &leases.each_ref());
    nudge(&repo);
    for (lease, before) in leases.iter().zip(&before) {
        assert_eq!(state(&repo, &lease.name), "leased");
        assert_same(before, &lease.files());
    }
}

#[test]
fn h01_a_supervised_worktree_is_left_to_its_command() {
    let repo = repository();
    let script = "echo under way >work; echo ready; read line; cat work";
    let mut run = repo.windrow(["run", "--name", "mine", "--key", "T-1", "--", "sh", "-c", script]).command();
    let mut run = run.stdin(Stdio::piped()).spawn().expect("the run starts");
    let work = crate::pool::pool_root(&repo).join("mine/work");
    poll_until(SOON, "the command", || fs::read(&work).is_ok_and(|text| !text.is_empty()));
    nudge(&repo);
    refused(&repo, 75, &["release", "mine"]);
    refused(&repo, 75, &["release", "mine", "--discard"]);
    refused(&repo, 75, &["acquire", "--key", "T-1"]);
    assert_eq!(fs::read_to_string(&work).unwrap(), "under way\n");
    drop(run.stdin.take());
    let output = run.wait_with_output().expect("the run ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ready\nunder way\n");
    assert_eq!(rescues(&repo, "mine").len(), 1);
}

#[test]
fn h01_a_worktree_that_the_user_locked_stays() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    lease.write("work", "precious");
    let path = lease.path.to_str().unwrap();
    repo.git(["worktree", "unlock", path]);
    repo.git(["worktree", "lock", "--reason", "mine now", path]);
    let before = (lease.files(), registered(&repo));
    outlast(1);
    nudge(&repo);
    left_in_place(&repo, &["release", &lease.name]);
    assert_eq!(state(&repo, &lease.name), "quarantined");
    let shown = windrow(&repo, &["show", &lease.name]).text();
    assert!(shown.contains("mine now"), "{shown}");
    assert_same(&before.0, &lease.files());
    assert_eq!(before.1, registered(&repo));
    repo.git(["worktree", "unlock", path]);
    windrow(&repo, &["release", &lease.name]);
    assert_same(&before.0, &restore(&repo, &lease.name).files());
}

#[test]
fn h01_a_lock_of_the_user_does_not_keep_the_holder_out() {
    let repo = repository();
    let lease = acquire(&repo, &["--key", "T-1"]);
    let path = lease.path.to_str().unwrap();
    repo.git(["worktree", "unlock", path]);
    repo.git(["worktree", "lock", path]);
    assert_eq!(acquire(&repo, &["--key", "T-1"]).provenance, "same");
    windrow(&repo, &["release", &lease.name, "--keep", "1h"]);
    assert_eq!(acquire(&repo, &["--key", "T-1"]).provenance, "reattached");
}

#[test]
fn h01_a_holder_outside_of_a_container_is_alive_inside() {
    let Some(root) = root_only("a PID namespace") else { return };
    let repo = repository();
    let mut mine = holder(&repo);
    let lease = acquire(&repo, &["--key", "T-1", "--pid", &mine.pid().to_string()]);
    lease.write("work", "under way");
    let before = lease.files();
    let inside = |arguments: &[&str]| pid_namespace(root, repo.windrow(arguments)).run();
    inside(&["run", "--detach", "--", "true"]).assert_success();
    inside(&["acquire", "--key", "T-1"]).assert_code(75);
    assert_eq!(state(&repo, &lease.name), "leased");
    assert_same(&before, &lease.files());
    mine.kill_alone();
    nudge(&repo);
    assert_eq!(state(&repo, &lease.name), "gone");
    assert_same(&before, &restore(&repo, &lease.name).files());
}

#[test]
fn h01_a_holder_in_a_container_is_alive_outside() {
    let Some(root) = root_only("a PID namespace") else { return };
    let repo = repository();
    let script = "sleep 300 >/dev/null 2>&1 & \"$1\" acquire --name inside --pid $!; wait";
    let call = repo.command("sh", repo.path()).args(["-c", script, "sh", env!("CARGO_BIN_EXE_windrow")]);
    let mut container = pid_namespace(root, call).spawn();
    container.wait_for_stdout("repo.windrow/inside");
    nudge(&repo);
    assert_eq!(state(&repo, "inside"), "leased");
    container.kill_alone();
    poll_until(SOON, "the end of the container's lease", || {
        nudge(&repo);
        state(&repo, "inside") == "gone"
    });
}

#[test]
fn h01_only_one_of_many_gets_a_dead_holders_worktree() {
    let repo = repository();
    let mut dead = holder(&repo);
    let lease = acquire(&repo, &["--key", "T-1", "--pid", &dead.pid().to_string()]);
    lease.write("work", "half done");
    let before = lease.files();
    dead.kill_alone();
    let holders: Vec<_> = (0..6).map(|_| holder(&repo)).collect();
    let call =
        |pid: u32| repo.windrow(["acquire", "--json", "--key", "T-1", "--pid", &pid.to_string()]).spawn();
    let running: Vec<_> = holders.iter().map(|holder| call(holder.pid())).collect();
    let outcomes: Vec<_> = running.into_iter().map(windrow_testkit::Running::wait).collect();
    let (given, others): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|outcome| outcome.code == 0);
    assert_eq!(given.len(), 1, "{given:?}");
    others.into_iter().for_each(|outcome| drop(outcome.assert_code(75)));
    assert_eq!(given[0].json()["lease"]["path"].as_str(), lease.path.to_str());
    assert_same(&before, &lease.files());
}

#[test]
fn h01_a_former_holder_can_no_longer_end_the_lease() {
    let repo = repository();
    let (mut dead, heir) = (holder(&repo), holder(&repo));
    let former = acquire(&repo, &["--key", "T-1", "--pid", &dead.pid().to_string()]);
    dead.kill_alone();
    let lease = acquire(&repo, &["--key", "T-1", "--pid", &heir.pid().to_string()]);
    assert_eq!((&lease.provenance[..], &lease.path), ("taken_over", &former.path));
    assert!(lease.fence > former.fence);
    lease.write("work", "the heir's");
    let before = lease.files();
    let fence = former.fence.to_string();
    for verb in [["release"].as_slice(), &["release", "--discard"], &["renew", "--ttl", "1s"]] {
        let error = refused(&repo, 65, &[verb, &[&former.name, "--fence", &fence]].concat());
        assert_eq!(error["details"]["fence"], lease.fence, "{error}");
    }
    assert_eq!(state(&repo, &lease.name), "leased");
    assert_same(&before, &lease.files());
    put(&lease.path.join("more"), "goes on");
    windrow(&repo, &["release", &lease.name, "--fence", &lease.fence.to_string()]);
    assert_eq!(rescues(&repo, &lease.name).len(), 1);
}
