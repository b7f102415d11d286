//! The edges of an ending: cut short, refused half-way, not to be synced, or meant for another worktree.

use std::{
    fs::{self, File},
    path::Path,
};

use rusqlite::Connection;
use serde_json::Value;
use windrow_testkit::{Fault, TestRepo, assert_same, inject, poll_until};

use crate::pool::{
    Lease, SOON, acquire, everything, left_in_place, nudge, record, registered, repository, rescues, restore,
    state, text, windrow,
};

/// A worktree with something staged, something untracked and a secret.
fn with_work(repo: &TestRepo, name: &str) -> Lease {
    let lease = acquire(repo, &["--name", name]);
    lease.write("staged.txt", "staged");
    repo.git_in(&lease.path, ["add", "staged.txt"]);
    lease.write("untracked.txt", "untracked");
    lease.write(".env", "SECRET=1\n");
    lease
}

fn admin(repo: &TestRepo, name: &str) -> std::path::PathBuf {
    repo.git_dir().join("worktrees").join(name)
}

/// Releases by name and tells what became of it.
#[track_caller]
fn release(repo: &TestRepo, words: &[&str]) -> Value {
    windrow(repo, &[&["release", "--json"], words].concat()).json()["released"].take()
}

/// The renames of a release with unsaved work: the files step aside and back, and then comes that of the archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rename {
    Files = 4,
    Registration = 5,
}

/// Kills a release before a rename; `false` where that cannot be done.
#[must_use]
fn kill_release(repo: &TestRepo, name: &str, before: Rename) -> bool {
    let call = inject(repo.windrow(["release", name]), "renameat2", Fault::Kill, before as u32);
    call.map(|call| call.run().assert_code(137)).is_some()
}

#[test]
fn h33_a_removal_cut_short_is_hidden_from_git_and_goes_on_with_all_that_was_saved() {
    for rename in [Rename::Files, Rename::Registration] {
        let repo = repository();
        let lease = with_work(&repo, "fern");
        if rename == Rename::Registration {
            // Now its branch is to stay.
            repo.git_in(&lease.path, ["commit", "--quiet", "--message", "Work"]);
        }
        let before = lease.files();
        if !kill_release(&repo, "fern", rename) {
            return;
        }
        assert_eq!(lease.path.exists(), rename == Rename::Files);
        assert_eq!(registered(&repo)[1..], [""; 0], "no git looks into what is about to go");
        nudge(&repo);
        assert_eq!((state(&repo, "fern"), lease.path.exists()), ("gone".into(), false));
        assert_same(&before, &restore(&repo, "fern").files());
    }
}

#[test]
fn h33_a_removal_that_is_finished_by_name_has_lost_nothing() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = lease.files();
    if !kill_release(&repo, "fern", Rename::Registration) {
        return;
    }
    assert_eq!(release(&repo, &["fern"])["fate"]["kind"], "removed");
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h33_a_removal_cut_short_goes_on_when_somebody_pruned_the_registration() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = lease.files();
    if !kill_release(&repo, "fern", Rename::Files) {
        return;
    }
    fs::remove_dir_all(admin(&repo, "fern")).unwrap();
    nudge(&repo);
    assert_eq!((state(&repo, "fern"), lease.path.exists()), ("gone".into(), false));
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h41_without_its_registration_nothing_of_a_worktree_can_be_checked_so_it_stays() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    fs::remove_dir_all(admin(&repo, "fern")).unwrap();
    let before = everything(&lease.path);
    for words in [&["release", "fern"][..], &["release", "fern", "--discard"]] {
        left_in_place(&repo, words);
        assert_eq!(state(&repo, "fern"), "quarantined");
    }
    assert_same(&before, &everything(&lease.path));
    assert_eq!(rescues(&repo, "fern"), Vec::<String>::new());
}

#[test]
fn h08_a_registration_that_names_another_place_proves_nothing() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = everything(&lease.path);
    fs::write(admin(&repo, "fern").join("gitdir"), format!("{}/.git\n", repo.root().join("else").display()))
        .unwrap();
    left_in_place(&repo, &["release", "fern"]);
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h41_a_worktree_that_git_does_not_list_is_not_handed_out_again() {
    let repo = repository();
    let lease = acquire(&repo, &["--key", "T-1", "--name", "fern"]);
    fs::remove_file(admin(&repo, "fern").join("gitdir")).unwrap();
    let before = everything(&lease.path);
    let again = repo.windrow(["acquire", "--key", "T-1"]).run();
    assert_ne!(again.code, 0, "{again}");
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h06_what_cannot_be_moved_away_stays_and_git_lists_it_again() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = everything(&lease.path);
    let call = repo.windrow(["release", "fern"]);
    let failing = inject(call, "renameat2", Fault::Error("EIO"), Rename::Files as u32);
    let Some(call) = failing else { return };
    call.run().assert_code(1);
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert_eq!(registered(&repo)[1..], [lease.path.to_str().unwrap().to_owned()]);
    assert_same(&before, &everything(&lease.path));
    let before = lease.files();
    assert_eq!(release(&repo, &["fern"])["fate"]["kind"], "removed");
    assert_same(&before, &restore(&repo, "fern").files());
}

/// Something that an agent does in its worktree.
type Act = fn(&TestRepo, &Lease);

#[test]
fn h37_what_cannot_be_synced_is_not_said_to_be_saved() {
    let work: [Act; 2] = [
        |_, lease| lease.write("untracked.txt", "untracked"),
        |repo, lease| {
            lease.write("committed.txt", "committed");
            repo.commit_in(&lease.path, "Work");
        },
    ];
    let repo = repository();
    let unsynced = |name| inject(repo.windrow(["release", name]), "syncfs", Fault::Error("EIO"), 1);
    for (work, name) in work.into_iter().zip(["fern", "moss"]) {
        let lease = acquire(&repo, &["--name", name]);
        work(&repo, &lease);
        let before = everything(&lease.path);
        let Some(call) = unsynced(name) else { return };
        call.run().assert_code(1);
        assert_eq!(state(&repo, name), "quarantined");
        assert_same(&before, &everything(&lease.path));
    }
    // Where nobody did anything there is nothing to wait for the disk for.
    acquire(&repo, &["--name", "reed"]);
    unsynced("reed").unwrap().run().assert_success();
    assert_eq!(state(&repo, "reed"), "gone");
}

#[test]
fn h37_what_cannot_be_synced_is_not_said_to_be_kept() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = everything(&lease.path);
    let keep = repo.windrow(["release", "fern", "--keep", "1h"]);
    let Some(call) = inject(keep, "syncfs", Fault::Error("EIO"), 1) else { return };
    call.run().assert_code(1);
    assert_eq!(state(&repo, "fern"), "leased");
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h37_what_cannot_be_read_back_stays() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "only here and in one object");
    repo.commit_in(&lease.path, "Work");
    let blob = repo.git_in(&lease.path, ["rev-parse", "HEAD:work.txt"]);
    let object = repo.git_dir().join("objects").join(&blob[..2]).join(&blob[2..]);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "damaged").unwrap();
    let before = everything(&lease.path);
    left_in_place(&repo, &["release", "fern"]);
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert_same(&before, &everything(&lease.path));
    fs::remove_file(&object).unwrap();
    repo.git_in(&lease.path, ["hash-object", "-w", "work.txt"]);
    assert_eq!(release(&repo, &["fern"])["fate"]["kind"], "removed");
}

/// Makes each of two worktrees bear the other's name, as if one had ended and the other begun.
fn swap_names(repo: &TestRepo) {
    let database = Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    for (from, to) in [("fern", "reed"), ("moss", "fern"), ("reed", "moss")] {
        let sql = "UPDATE worktrees SET name = ?2 WHERE name = ?1";
        assert_eq!(database.execute(sql, [from, to]).unwrap(), 1);
    }
}

fn is_open(pid: u32, path: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
}

#[test]
#[cfg(target_os = "linux")]
fn h01_a_name_that_passed_to_another_while_a_release_waited_ends_neither() {
    let repo = repository();
    let leases = ["fern", "moss"].map(|name| with_work(&repo, name));
    let before = leases.each_ref().map(|lease| everything(&lease.path));
    let id = text(&record(&repo, "fern")["id"]);
    let lock = repo.git_dir().join("windrow/locks").join(format!("{id}.owner"));
    let held = File::create(&lock).unwrap();
    held.lock().unwrap();
    let mut waiting = repo.windrow(["release", "fern", "--json"]).spawn();
    poll_until(SOON, "the release at its lock", || is_open(waiting.pid(), &lock));
    assert!(waiting.is_running());
    swap_names(&repo);
    held.unlock().unwrap();
    let outcome = waiting.wait();
    assert_ne!(outcome.code, 0, "{outcome}");
    for (lease, before) in leases.iter().zip(before) {
        assert_eq!(state(&repo, &lease.name), "leased");
        assert_same(&before, &everything(&lease.path));
    }
}

#[test]
fn a_quarantined_worktree_is_given_back_and_not_kept() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    let before = lease.files();
    left_in_place(&repo, &["--config", "rescue.max_size=\"4B\"", "release", "fern"]);
    assert_eq!(release(&repo, &["fern", "--keep", "1h"])["fate"]["kind"], "removed");
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn what_was_committed_is_counted_and_its_branch_told_whether_it_is_kept_or_goes() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("one.txt", "1\n2\n3\n");
    repo.commit_in(&lease.path, "First");
    lease.write("one.txt", "1\n3\n");
    lease.write("two.txt", "1\n");
    let tip = repo.commit_in(&lease.path, "Second");
    for (words, fate) in [(&["fern", "--keep", "1h"][..], "kept"), (&["fern"], "removed")] {
        let released = release(&repo, words);
        assert_eq!(released["fate"]["kind"], fate);
        let work = serde_json::json!({"commits": 2, "files": 2, "added": 3, "deleted": 0});
        assert_eq!(released["work"], work);
        let branch = serde_json::json!({"kind": "stays", "name": "windrow/fern", "oid": tip});
        assert_eq!(released["branch"], branch);
    }
    let released = release(&repo, &[&acquire(&repo, &["--detach"]).name, "--keep", "1h"]);
    assert_eq!(released["branch"]["kind"], "none");
    assert_eq!(released["work"]["commits"], 0);
}

#[test]
fn h18_the_commit_that_is_told_is_that_of_its_own_branch_and_not_of_the_one_it_drifted_to() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("work.txt", "work");
    let tip = repo.commit_in(&lease.path, "Work");
    repo.git_in(&lease.path, ["checkout", "--quiet", "-b", "elsewhere", "main"]);
    let branch = serde_json::json!({"kind": "stays", "name": "windrow/fern", "oid": tip});
    assert_eq!(release(&repo, &["fern"])["branch"], branch);
    assert_eq!(repo.oid("windrow/fern"), tip);
}

#[test]
fn h42_what_is_left_of_a_worktree_whose_files_are_gone_is_saved_even_when_it_is_to_be_discarded() {
    let repo = repository();
    let lease = with_work(&repo, "fern");
    fs::remove_dir_all(&lease.path).unwrap();
    let released = release(&repo, &["fern", "--discard"]);
    assert_eq!(released["fate"]["kind"], "vanished");
    let saved = windrow(&repo, &["rescue", "list", "--json"]).json()["rescues"][0].take();
    assert_eq!(saved["branch"], lease.branch.as_str(), "{saved:#}");
    let back = restore(&repo, "fern");
    assert_eq!(repo.git_in(&back.path, ["show", ":staged.txt"]), "staged");
}

#[test]
fn files_that_were_gone_are_not_said_to_be_removed() {
    let repo = repository();
    for prune in [false, true] {
        let lease = acquire(&repo, &["--name", "fern"]);
        fs::remove_dir_all(&lease.path).unwrap();
        if prune {
            fs::remove_dir_all(admin(&repo, "fern")).unwrap();
        }
        assert_eq!(release(&repo, &["fern"])["fate"]["kind"], "vanished");
    }
}
