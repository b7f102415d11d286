//! Pruning by policy: what goes is saved first, and what is held, locked, foreign or not proven stays.

mod budget;
mod killed;
mod landed;
mod stale;
mod told;

use std::{fs, path::Path};

use serde_json::Value;
use windrow_testkit::{Include, RepoFingerprint, TestRepo, TreeSnapshot, assert_same};

use crate::{
    pool::{
        Lease, acquire, everything, files, holder, pool_root, put, record, registered, repository, rescues,
        restore, state, text, wait_for_empty_trash, windrow,
    },
    schema::assert_valid,
};

/// Every policy at its sharpest.
const EVERYTHING: [&str; 6] = ["--older-than", "0s", "--to-bytes", "0", "--landed", "--merged"];

/// A kept worktree.
#[track_caller]
fn keep(repo: &TestRepo, name: &str) -> Lease {
    let lease = acquire(repo, &["--name", name]);
    windrow(repo, &["release", name, "--keep", "1h"]);
    lease
}

/// What `prune` would do; checks that asking changes nothing.
#[track_caller]
fn plan(repo: &TestRepo, policy: &[&str]) -> Value {
    // The trash empties itself meanwhile.
    let worktrees = || TreeSnapshot::of(&pool_root(repo), &Include::except([".trash"]));
    let before = (RepoFingerprint::of(repo), refs(repo), worktrees());
    let rescues = repo.git_dir().join("windrow/rescue");
    let archives = rescues.exists().then(|| TreeSnapshot::of(&rescues, &Include::Everything));
    let planned = windrow(repo, &[&["prune", "--dry-run", "--json"], policy].concat()).json();
    assert_valid("prune", &planned);
    assert_eq!(planned["dry_run"], true);
    before.0.assert_unchanged(repo);
    assert_eq!(before.1, refs(repo));
    assert_same(&before.2, &worktrees());
    assert_eq!(archives, rescues.exists().then(|| TreeSnapshot::of(&rescues, &Include::Everything)));
    planned
}

/// Plans, prunes, and checks that both said the same and that the user's own is untouched.
#[track_caller]
fn prune(repo: &TestRepo, policy: &[&str]) -> Value {
    let planned = plan(repo, policy);
    let before = RepoFingerprint::of(repo);
    let done = windrow(repo, &[&["prune", "--json"], policy].concat()).json();
    assert_valid("prune", &done);
    assert_eq!(done["dry_run"], false);
    before.assert_unchanged(repo);
    let without_fates = |document: &Value| {
        let mut items = document["items"].clone();
        items.as_array_mut().unwrap().iter_mut().for_each(|item| item["fate"] = Value::Null);
        items
    };
    assert_eq!(planned["items"], without_fates(&done));
    assert_eq!(planned["policy"], done["policy"]);
    done
}

fn refs(repo: &TestRepo) -> String {
    repo.git(["for-each-ref", "--format=%(refname) %(objectname)"])
}

/// What is told about a thing: kind and name.
#[track_caller]
fn about<'a>(document: &'a Value, kind: &str, name: &str) -> &'a Value {
    let mut items = document["items"].as_array().unwrap().iter();
    let found = items.find(|item| item["kind"] == kind && item["name"] == name);
    found.unwrap_or_else(|| panic!("nothing about {kind} {name}: {document:#}"))
}

#[track_caller]
fn assert_pruned(done: &Value, kind: &str, name: &str, reason: &str) {
    let item = about(done, kind, name);
    assert_eq!((&item["action"], &item["reason"]), (&"prune".into(), &reason.into()), "{item:#}");
    assert_eq!(item["fate"]["kind"], "done", "{item:#}");
}

#[track_caller]
fn assert_kept(done: &Value, kind: &str, name: &str, reason: &str) {
    let item = about(done, kind, name);
    assert_eq!((&item["action"], &item["reason"]), (&"keep".into(), &reason.into()), "{item:#}");
    assert_eq!(item["fate"], Value::Null, "{item:#}");
}

/// A rescue of a worktree of this name, with an archive.
#[track_caller]
fn saved(repo: &TestRepo, name: &str, secret: &str) -> String {
    let lease = acquire(repo, &["--name", name]);
    lease.write(".env", secret);
    windrow(repo, &["release", name]);
    let [id] = &rescues(repo, name)[..] else { panic!("one rescue of {name}") };
    id.clone()
}

fn archives(repo: &TestRepo) -> Vec<String> {
    let all = fs::read_dir(repo.git_dir().join("windrow/rescue")).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn h05_unsaved_work_of_a_kept_worktree_is_rescued_and_comes_back_byte_for_byte() {
    let repo = repository();
    put(&repo.path().join(".agent/rules.md"), "be brief");
    put(&repo.path().join(".agent/same.md"), "as brought");
    let lease = keep(&repo, "fern");
    lease.write("committed.txt", "committed");
    repo.commit_in(&lease.path, "Work");
    lease.write("README.md", "changed");
    lease.write("staged.txt", "staged");
    repo.git_in(&lease.path, ["add", "staged.txt"]);
    lease.write("staged.txt", "staged, then changed");
    lease.write("untracked.txt", "untracked");
    lease.write(".env", "secret");
    lease.write(".agent/rules.md", "be thorough");
    let (before, status) = (lease.files(), repo.git_in(&lease.path, ["status", "--porcelain=v2"]));
    let done = prune(&repo, &["--older-than", "0s"]);
    assert_pruned(&done, "worktree", "fern", "old");
    assert_eq!(about(&done, "worktree", "fern")["fate"]["rescue"], rescues(&repo, "fern")[0].as_str());
    assert!(!lease.path.exists() && registered(&repo).len() == 1);
    let back = restore(&repo, "fern");
    assert_same(&before, &back.files());
    assert_eq!(status, repo.git_in(&back.path, ["status", "--porcelain=v2"]));
    assert_eq!(repo.git_in(&back.path, ["log", "-1", "--format=%s"]).trim(), "Work");
}

#[test]
fn h01_h04_what_is_held_foreign_locked_or_older_than_windrow_stays() {
    let repo = repository();
    let mut holder = holder(&repo);
    let live = acquire(&repo, &["--name", "live", "--pid", &holder.pid().to_string()]);
    live.write("work.txt", "work");
    let foreign = repo.root().join("foreign");
    repo.git(["worktree", "add", "--quiet", "-b", "windrow/theirs", foreign.to_str().unwrap()]);
    put(&foreign.join("mine.txt"), "mine");
    repo.git(["branch", "old"]);
    windrow(&repo, &["run", "--name", "on-old", "--branch", "old", "--", "true"]);
    let locked = keep(&repo, "locked");
    repo.git(["worktree", "unlock", locked.path.to_str().unwrap()]);
    repo.git(["worktree", "lock", "--reason", "mine", locked.path.to_str().unwrap()]);
    let doubtful = acquire(&repo, &["--name", "doubtful"]);
    let elsewhere = repo.root().join("elsewhere");
    fs::rename(&doubtful.path, &elsewhere).unwrap();
    put(&doubtful.path.join("not-ours.txt"), "not ours");
    repo.windrow(["release", "doubtful"]).run().assert_code(1);
    let all = [&live.path, &foreign, &locked.path, &doubtful.path, &elsewhere].map(|path| everything(path));
    let before = refs(&repo);
    let done = prune(&repo, &EVERYTHING);
    assert_kept(&done, "worktree", "locked", "unproven");
    assert_kept(&done, "worktree", "doubtful", "quarantined");
    let after = [&live.path, &foreign, &locked.path, &doubtful.path, &elsewhere].map(|path| everything(path));
    all.iter().zip(&after).for_each(|(before, after)| assert_same(before, after));
    assert_eq!(before, refs(&repo));
    assert_eq!(
        ["live", "locked", "doubtful"].map(|name| state(&repo, name)),
        ["leased", "kept", "quarantined"]
    );
    assert!(!done.to_string().contains("theirs") && !done.to_string().contains("on-old"), "{done:#}");
    holder.kill_alone();
}

#[test]
fn a_kept_worktree_that_somebody_uses_or_stands_in_stays() {
    let repo = repository();
    let (used, here) = (keep(&repo, "used"), keep(&repo, "here"));
    let sleeper = repo.command("sleep", &used.path).arg("300").spawn();
    let done = plan(&repo, &["--older-than", "0s"]);
    assert_kept(&done, "worktree", "used", "in_use");
    let inside = repo.windrow(["prune", "--json", "--to-bytes", "0"]).current_dir(&here.path);
    let done = inside.run().assert_success().json();
    assert_kept(&done, "worktree", "here", "here");
    assert_kept(&done, "worktree", "used", "in_use");
    assert!(used.path.exists() && here.path.exists());
    drop(sleeper);
}

#[test]
fn the_age_counts_from_the_moment_of_keeping() {
    let repo = repository();
    keep(&repo, "fern");
    let id = saved(&repo, "moss", "secret");
    let done = prune(&repo, &["--older-than", "1h"]);
    assert_kept(&done, "worktree", "fern", "not_named");
    assert_kept(&done, "rescue", &id, "not_named");
    assert_eq!(state(&repo, "fern"), "kept");
}

#[test]
fn to_bytes_lets_the_oldest_go_first_and_zero_leaves_nothing_but_what_it_saved() {
    let repo = repository();
    let first = keep(&repo, "first");
    first.write("unsaved.txt", "unsaved");
    let old = saved(&repo, "old", "a secret");
    let second = keep(&repo, "second");
    second.write("big", vec![b'x'; 100_000]);
    let total = |done: &Value| -> u64 {
        let kept = done["items"].as_array().unwrap().iter().filter(|item| item["action"] == "keep");
        kept.filter_map(|item| item["bytes"].as_u64()).sum()
    };
    let limit = total(&plan(&repo, &[])) - 1;
    let done = prune(&repo, &["--to-bytes", &limit.to_string()]);
    assert_pruned(&done, "worktree", "first", "budget");
    assert_kept(&done, "worktree", "second", "not_named");
    assert_kept(&done, "rescue", &old, "not_named");
    assert!(total(&done) <= limit, "{done:#}");
    let before = second.files();
    let done = prune(&repo, &["--to-bytes", "0"]);
    assert_pruned(&done, "rescue", &old, "budget");
    assert_pruned(&done, "worktree", "second", "budget");
    assert!(!second.path.exists());
    assert_same(&before, &restore(&repo, "second").files());
    assert_eq!(fs::read(restore(&repo, "first").path.join("unsaved.txt")).unwrap(), b"unsaved");
}

#[test]
fn a_pruned_rescue_is_gone_from_refs_and_disk_and_a_newer_one_stays() {
    let repo = repository();
    let (old, new) = (saved(&repo, "fern", "old secret"), saved(&repo, "moss", "new secret, longer"));
    let size = |id: &str| {
        let found = about(&plan(&repo, &[]), "rescue", id)["bytes"].as_u64();
        found.unwrap()
    };
    let limit = size(&new).to_string();
    let done = prune(&repo, &["--to-bytes", &limit]);
    assert_pruned(&done, "rescue", &old, "budget");
    assert_kept(&done, "rescue", &new, "not_named");
    assert!(!refs(&repo).contains(&old) && refs(&repo).contains(&new));
    let [archive] = &archives(&repo)[..] else { panic!("one archive") };
    assert!(archive.starts_with(&new));
    repo.windrow(["restore", &old]).run().assert_code(1);
    assert_eq!(fs::read(restore(&repo, "moss").path.join(".env")).unwrap(), b"new secret, longer");
}

#[test]
fn without_a_policy_only_what_is_due_goes_and_the_policies_are_named() {
    let repo = repository();
    keep(&repo, "fern");
    let id = saved(&repo, "moss", "secret");
    // Else what it holds is told as well.
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    let told = windrow(&repo, &["prune"]).text();
    assert_eq!(
        told,
        "nothing went, 2 stay\nmore goes with: --older-than 7d, --to-bytes 2GiB, --landed, --merged"
    );
    let due = ["--config", "rescue.keep=0s"];
    let done = prune(&repo, &due);
    assert_pruned(&done, "rescue", &id, "due");
    assert_kept(&done, "worktree", "fern", "not_named");
    let untouched = repository();
    assert_eq!(windrow(&untouched, &["prune", "--older-than", "0s"]).text(), "nothing went, 0 stay");
    assert!(!untouched.git_dir().join("windrow").exists(), "where nothing is nothing is made");
}

#[test]
fn two_prunes_at_once_do_everything_once() {
    let repo = repository();
    let leases = ["a", "b", "c", "d"].map(|name| keep(&repo, name));
    leases.iter().for_each(|lease| lease.write("work.txt", &lease.name));
    let old = ["e", "f", "g"].map(|name| saved(&repo, name, name));
    let both = [(); 2].map(|()| repo.windrow(["prune", "--older-than", "0s", "--json"]).spawn());
    for one in both {
        let outcome = one.wait();
        let done = outcome.json();
        for item in done["items"].as_array().unwrap() {
            let fate = &item["fate"];
            let busy = fate["detail"].as_str().is_some_and(|why| why.contains("works on it"));
            let changed = fate["detail"].as_str().is_some_and(|why| why.contains("changed meanwhile"));
            let at_work = item["action"] == "keep";
            assert!(
                fate["kind"] == "done" || fate["kind"] == "gone" || busy || changed || at_work,
                "{item:#}"
            );
        }
    }
    windrow(&repo, &["prune"]);
    for lease in &leases {
        assert_eq!(state(&repo, &lease.name), "gone");
        let back = restore(&repo, &lease.name);
        assert_eq!(fs::read(back.path.join("work.txt")).unwrap(), lease.name.as_bytes());
    }
    assert!(!old.iter().any(|id| refs(&repo).contains(id)), "{}", refs(&repo));
}

#[test]
fn what_could_not_be_saved_stays_kept() {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write("big", vec![b'x'; 100_000]);
    let outcome =
        repo.windrow(["prune", "--older-than", "0s", "--json"]).args(["--config", "rescue.max_size=10KiB"]);
    let done = outcome.run().assert_code(1).json();
    let item = about(&done, "worktree", "fern");
    assert_eq!(item["fate"]["kind"], "skipped", "{item:#}");
    assert!(text(&item["fate"]["detail"]).contains("rescue.max_size"), "{item:#}");
    assert_eq!(state(&repo, "fern"), "kept");
    assert_eq!(fs::read(fern.path.join("big")).unwrap().len(), 100_000);
    assert!(record(&repo, "fern")["doubt"].is_null());
}

#[test]
fn people_see_a_table_a_sum_and_what_to_do_next() {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write(".env", "secret");
    let told = windrow(&repo, &["prune", "--older-than", "0s", "--dry-run"]).text();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("WHAT      NAME  SIZE"), "{told}");
    assert!(lines[1].starts_with("worktree  fern") && lines[1].ends_with("would go: old enough"), "{told}");
    assert!(lines[2].starts_with("1 worktree (") && lines[2].ends_with(") would go, 0 stay"), "{told}");
    assert_eq!(lines.last(), Some(&"next: windrow prune --older-than 0s"), "{told}");
    let told = windrow(&repo, &["prune", "--older-than", "0s"]).text();
    assert!(told.contains("gone: old enough; saved as fern-"), "{told}");
    assert!(told.ends_with("next: windrow rescue list"), "{told}");
    let help = windrow(&repo, &["prune", "--help"]).text();
    assert!(help.contains("Examples:") && help.contains("windrow prune --merged --older-than 30d"), "{help}");
}

/// Whether a worktree is there with its files.
#[track_caller]
fn assert_whole(path: &Path, before: &TreeSnapshot) {
    assert_same(before, &files(path));
}
