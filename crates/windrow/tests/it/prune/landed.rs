//! H21: what is in its target is recognised however it came there, and nothing else is.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use serde_json::Value;
use windrow_testkit::{Binary, TestRepo, assert_same};

use super::{EVERYTHING, about, assert_kept, assert_pruned, keep, plan, prune, refs};
use crate::pool::{Lease, acquire, put, repository, rescues, restore, state, windrow};

/// A branch of ours whose worktree is gone, with a commit for each text: it replaces `file`.
#[track_caller]
pub(super) fn worked(repo: &TestRepo, name: &str, file: &str, texts: &[&str]) -> Lease {
    let lease = acquire(repo, &["--name", name]);
    for text in texts {
        lease.write(file, text);
        repo.commit_in(&lease.path, &format!("Write {file}"));
    }
    windrow(repo, &["release", name]);
    assert!(refs(repo).contains(&lease.branch));
    lease
}

#[track_caller]
fn squash(repo: &TestRepo, branch: &str) {
    repo.git(["merge", "--quiet", "--squash", branch]);
    repo.commit(&format!("Squashed {branch}"));
}

/// How a branch is judged by `--merged`.
#[track_caller]
fn judge(repo: &TestRepo, lease: &Lease) -> Value {
    about(&plan(repo, &["--merged"]), "branch", &lease.branch).clone()
}

#[track_caller]
fn assert_recognised(repo: &TestRepo, lease: &Lease, way: &str) {
    let item = judge(repo, lease);
    assert_eq!((&item["action"], &item["landed"]["way"]), (&"prune".into(), &way.into()), "{item:#}");
}

#[track_caller]
fn assert_not_recognised(repo: &TestRepo, lease: &Lease) {
    let item = judge(repo, lease);
    assert_eq!((&item["action"], &item["reason"]), (&"keep".into(), &"not_landed".into()), "{item:#}");
}

const LINES: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";

/// A repository with a file of several lines.
fn with_lines() -> TestRepo {
    let repo = repository();
    repo.write("lines.txt", LINES);
    repo.commit("Lines");
    repo
}

#[test]
fn h21_a_squashed_branch_is_recognised_and_goes() {
    let repo = with_lines();
    let fern = worked(&repo, "fern", "new.txt", &["one", "one and two"]);
    assert_not_recognised(&repo, &fern);
    squash(&repo, &fern.branch);
    repo.write("other.txt", "what others do meanwhile");
    repo.commit("Other work");
    let before = repo.git(["count-objects", "-v"]);
    assert_recognised(&repo, &fern, "nothing_to_add");
    assert_eq!(before, repo.git(["count-objects", "-v"]), "looking makes no object");
    let done = prune(&repo, &["--landed"]);
    assert_kept(&done, "branch", &fern.branch, "not_landed");
    let tip = repo.oid(&fern.branch);
    let done = prune(&repo, &["--merged"]);
    assert_pruned(&done, "branch", &fern.branch, "landed");
    assert!(!refs(&repo).contains(&fern.branch));
    let told = windrow(&repo, &["events"]).text();
    assert!(told.contains(&format!("windrow/fern was at {tip}")), "{told}");
}

#[test]
fn h21_what_only_looks_like_a_squash_is_not_recognised() {
    let repo = with_lines();
    let subject = worked(&repo, "subject", "subject.txt", &["mine"]);
    repo.write("subject.txt", "another text");
    repo.commit("Write subject.txt");
    let half = worked(&repo, "half", "half-1.txt", &["half"]);
    let halves = acquire(&repo, &["--name", "halves", "--base", &half.branch, "--branch", "windrow/halves"]);
    halves.write("half-2.txt", "other half");
    repo.commit_in(&halves.path, "Write half-2.txt");
    windrow(&repo, &["release", "halves"]);
    repo.git(["branch", "--quiet", "--force", &half.branch, &halves.branch]);
    repo.git(["branch", "--quiet", "-D", &halves.branch]);
    repo.write("half-1.txt", "half");
    repo.commit("Half of it");
    let reverted = worked(&repo, "reverted", "reverted.txt", &["mine"]);
    squash(&repo, &reverted.branch);
    assert_recognised(&repo, &reverted, "nothing_to_add");
    repo.git(["revert", "--no-edit", "HEAD"]);
    let blank = worked(&repo, "blank", "lines.txt", &[&LINES.replace("5\n", "  5\n")]);
    repo.write("lines.txt", LINES.replace("5\n", "\t5\n"));
    repo.commit("The same but for blanks");
    let mode = acquire(&repo, &["--name", "mode"]);
    repo.git_in(&mode.path, ["update-index", "--chmod=+x", "README.md"]);
    repo.git_in(&mode.path, ["commit", "--quiet", "-m", "A mode"]);
    windrow(&repo, &["release", "mode", "--discard"]);
    let cancelled = worked(&repo, "cancelled", "lines.txt", &["precious", &LINES.replace("5\n", "\t5\n")]);
    for lease in [&subject, &half, &reverted, &blank, &mode, &cancelled] {
        assert_not_recognised(&repo, lease);
    }
    let before = refs(&repo);
    prune(&repo, &EVERYTHING);
    assert_eq!(before, refs(&repo));
}

#[test]
fn h21_rebased_and_squashed_work_is_recognised_after_others_changed_the_same_lines() {
    let repo = with_lines();
    let line = |number: &str, text: &str| LINES.replace(&format!("{number}\n"), &format!("{text}\n"));
    let (one, two) = (line("5", "five"), line("5", "five").replace("6\n", "six\n"));
    let rebased = worked(&repo, "rebased", "lines.txt", &[&one, &two]);
    repo.write("first.txt", "before it");
    repo.commit("First");
    repo.git(["cherry-pick", &format!("{}~2..{}", rebased.branch, rebased.branch)]);
    assert_recognised(&repo, &rebased, "nothing_to_add");
    repo.write("lines.txt", two.replace("five", "FIVE"));
    repo.commit("Go on with the same lines");
    assert_recognised(&repo, &rebased, "same_changes");
    let squashed = worked(&repo, "squashed", "other.txt", &["a\n", "b\n"]);
    squash(&repo, &squashed.branch);
    repo.write("other.txt", "c\n");
    repo.commit("Go on with it");
    assert_recognised(&repo, &squashed, "same_changes");
    let undone = worked(&repo, "undone", "other.txt", &["undone\n"]);
    repo.write("first.txt", "before that");
    repo.commit("Second");
    repo.git(["cherry-pick", &undone.branch]);
    repo.git(["revert", "--no-edit", "HEAD"]);
    repo.write("other.txt", "d\n");
    repo.commit("Something else in its place");
    assert_not_recognised(&repo, &undone);
}

#[test]
fn h21_no_attribute_driver_or_replaced_object_makes_work_look_landed() {
    let repo = repository();
    let fern = worked(&repo, "fern", "work.txt", &["precious"]);
    repo.write("work.txt", "something else");
    repo.commit("Another work.txt");
    repo.git(["config", "merge.ours.driver", "true"]);
    put(&repo.git_dir().join("info/attributes"), "* merge=ours diff=none\n");
    repo.git(["config", "diff.none.textconv", "true"]);
    let (tip, main) = (repo.oid(&fern.branch), repo.oid("main"));
    repo.git(["replace", "--graft", &main, &tip]);
    repo.git(["merge-base", "--is-ancestor", &tip, "main"]);
    assert_not_recognised(&repo, &fern);
}

#[test]
fn a_landed_worktree_goes_with_its_branch_and_one_with_unsaved_work_stays() {
    let repo = repository();
    let [clean, dirty, ignored] = ["clean", "dirty", "ignored"].map(|name| {
        let lease = keep(&repo, name);
        lease.write(&format!("{name}.txt"), name);
        repo.commit_in(&lease.path, "Work");
        lease
    });
    dirty.write("README.md", "not committed");
    ignored.write(".env", "not committed");
    for lease in [&clean, &dirty, &ignored] {
        repo.git(["merge", "--quiet", "--no-edit", &lease.branch]);
    }
    let before = [&dirty, &ignored].map(Lease::files);
    for policy in ["--landed", "--merged"] {
        let done = prune(&repo, &[policy]);
        assert_kept(&done, "worktree", "dirty", "unsaved");
        assert_kept(&done, "worktree", "ignored", "unsaved");
    }
    assert_eq!(state(&repo, "clean"), "gone");
    assert!(rescues(&repo, "clean").is_empty());
    assert!(!refs(&repo).contains("refs/heads/windrow/clean "), "{}", refs(&repo));
    assert!(refs(&repo).contains("refs/heads/windrow/dirty "), "{}", refs(&repo));
    [&dirty, &ignored].iter().zip(&before).for_each(|(lease, before)| assert_same(before, &lease.files()));
    let done = prune(&repo, &["--landed", "--older-than", "0s"]);
    assert_pruned(&done, "branch", &dirty.branch, "landed");
    assert_same(&before[0], &restore(&repo, "dirty").files());
}

#[test]
fn what_the_remote_holds_is_merged_but_not_landed() {
    let repo = repository();
    let remote = repo.root().join("remote.git");
    repo.git(["clone", "--quiet", "--bare", repo.path().to_str().unwrap(), remote.to_str().unwrap()]);
    repo.git(["remote", "add", "origin", remote.to_str().unwrap()]);
    let (pushed, squashed) =
        (worked(&repo, "pushed", "a.txt", &["a"]), worked(&repo, "squashed", "b.txt", &["b", "c"]));
    let other = repo.root().join("other");
    repo.git(["push", "--quiet", "origin", &pushed.branch, &squashed.branch]);
    repo.git(["clone", "--quiet", remote.to_str().unwrap(), other.to_str().unwrap()]);
    repo.git_in(&other, ["merge", "--quiet", "--no-ff", "--no-edit", &format!("origin/{}", pushed.branch)]);
    repo.git_in(&other, ["merge", "--quiet", "--squash", &format!("origin/{}", squashed.branch)]);
    repo.commit_in(&other, "Squashed");
    repo.git_in(&other, ["push", "--quiet", "origin", "main"]);
    assert_not_recognised(&repo, &pushed);
    repo.git(["fetch", "--quiet", "origin"]);
    let done = prune(&repo, &["--landed"]);
    assert_kept(&done, "branch", &pushed.branch, "not_landed");
    let done = prune(&repo, &["--merged"]);
    assert_pruned(&done, "branch", &pushed.branch, "landed");
    assert_pruned(&done, "branch", &squashed.branch, "landed");
    let landed = &about(&done, "branch", &squashed.branch)["landed"];
    assert_eq!((&landed["into"], &landed["side"]), (&"refs/remotes/origin/main".into(), &"remote".into()));
}

#[test]
fn h19_a_branch_whose_push_failed_stays_with_its_commits() {
    let repo = repository();
    repo.git(["remote", "add", "origin", repo.root().join("nowhere").to_str().unwrap()]);
    let fern = worked(&repo, "fern", "a.txt", &["a"]);
    assert_ne!(repo.try_git(["push", "--quiet", "--set-upstream", "origin", &fern.branch]).code, 0);
    let before = refs(&repo);
    let done = prune(&repo, &EVERYTHING);
    assert_kept(&done, "branch", &fern.branch, "not_landed");
    assert_eq!(before, refs(&repo));
}

#[test]
fn a_local_upstream_proves_nothing() {
    let repo = repository();
    let fern = worked(&repo, "fern", "a.txt", &["a"]);
    repo.git(["branch", "copy", &fern.branch]);
    repo.git(["config", "branch.main.remote", "."]);
    repo.git(["config", "branch.main.merge", "refs/heads/copy"]);
    assert_not_recognised(&repo, &fern);
}

#[test]
fn h18_h19_a_branch_in_use_renewed_by_hand_or_landed_on_stays() {
    let repo = repository();
    let names = ["checked-out", "rebasing", "renewed", "target"];
    let leases = names.map(|name| worked(&repo, name, &format!("{name}.txt"), &[name]));
    for lease in &leases {
        repo.git(["merge", "--quiet", "--no-edit", &lease.branch]);
    }
    let [checked_out, rebasing, renewed, target] = &leases;
    let hand = repo.root().join("hand");
    repo.git(["worktree", "add", "--quiet", hand.to_str().unwrap(), &checked_out.branch]);
    let busy = repo.root().join("busy");
    repo.git(["worktree", "add", "--quiet", busy.to_str().unwrap(), &rebasing.branch]);
    repo.git_invocation(&busy)
        .args(["rebase", "--quiet", "--interactive", "HEAD~1"])
        .env("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/")
        .run()
        .assert_success();
    repo.git(["branch", "--quiet", "-D", &renewed.branch]);
    repo.git(["branch", &renewed.branch, "main"]);
    let child = acquire(&repo, &["--name", "child", "--base", &target.branch]);
    let before = refs(&repo);
    let done = prune(&repo, &EVERYTHING);
    assert_kept(&done, "branch", &checked_out.branch, "checked_out");
    assert_kept(&done, "branch", &rebasing.branch, "checked_out");
    assert_kept(&done, "branch", &renewed.branch, "unmarked");
    assert_kept(&done, "branch", &target.branch, "target_of");
    assert_eq!(before, refs(&repo));
    let never = prune(&repo, &["--landed", "--config", "branch.delete=\"never\""]);
    assert_kept(&never, "branch", &target.branch, "never_deleted");
    windrow(&repo, &["release", &child.name]);
    let done = prune(&repo, &["--landed"]);
    assert_pruned(&done, "branch", &target.branch, "landed");
    fs::remove_dir_all(&busy).unwrap();
}

#[test]
fn work_without_a_target_or_on_its_own_target_is_not_judged() {
    let repo = repository();
    let tip = repo.oid("HEAD");
    let lease = acquire(&repo, &["--name", "fern", "--base", &tip]);
    lease.write("a.txt", "a");
    repo.commit_in(&lease.path, "Work");
    windrow(&repo, &["release", "fern"]);
    repo.git(["merge", "--quiet", "--no-edit", &lease.branch]);
    let done = prune(&repo, &["--merged"]);
    assert_kept(&done, "branch", &lease.branch, "no_target");
}

#[test]
fn work_is_recognised_in_every_kind_of_repository() {
    let builder = || TestRepo::builder().binary(Binary(env!("CARGO_BIN_EXE_windrow").into()));
    let odd = OsStr::from_bytes(b"odd\n\"\\\xff name");
    for repo in [builder().reftable().build(), builder().sha256().build(), builder().directory(odd).build()] {
        for name in ["merged", "squashed", "open"] {
            let script = format!("echo {name} > {name}.txt && git add . && git commit --quiet -m {name}");
            repo.windrow(["run", "--name", name, "--", "sh", "-c", &script])
                .env("GIT_CONFIG_GLOBAL", repo.surroundings().git_config())
                .run()
                .assert_success();
        }
        repo.git(["merge", "--quiet", "--no-edit", "windrow/merged"]);
        squash(&repo, "windrow/squashed");
        let done = prune(&repo, &["--merged"]);
        assert_pruned(&done, "branch", "windrow/merged", "landed");
        assert_pruned(&done, "branch", "windrow/squashed", "landed");
        assert_kept(&done, "branch", "windrow/open", "not_landed");
        let left = repo.git(["branch", "--list", "windrow/*"]);
        assert_eq!(left.trim(), "windrow/open");
    }
}
