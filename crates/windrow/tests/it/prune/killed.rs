//! A prune that is killed: the next command finishes it, or nothing happened.

use std::fs;

use windrow_testkit::{Fault, inject};

use super::{archives, assert_kept, assert_whole, keep, plan, prune, refs, saved};
use crate::pool::{nudge, repository, rescues, restore, state, windrow};

/// Kills a prune before the nth call that changes something, then lets another command run; tells whether it was killed.
fn kill_at(nth: u32) -> Option<bool> {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write("untracked.txt", "untracked");
    fern.write(".env", "secret");
    let before = fern.files();
    let old = saved(&repo, "moss", "old secret");
    let command = repo.windrow(["prune", "--older-than", "0s"]);
    // Calls of ours that git does not make: a git that is killed leaves its lock, which is nobody's to remove.
    let calls = "renameat2,unlinkat,pwrite64,syncfs";
    let outcome = inject(command, calls, Fault::Kill, nth)?.run();
    nudge(&repo);
    match state(&repo, "fern").as_str() {
        "kept" => assert_whole(&fern.path, &before),
        "gone" => {
            assert!(!fern.path.exists());
            assert_eq!(rescues(&repo, "fern").len(), 1);
            assert_whole(&restore(&repo, "fern").path, &before);
        }
        other => panic!("{other} after call {nth}"),
    }
    windrow(&repo, &["prune", "--older-than", "0s"]);
    assert_eq!(state(&repo, "fern"), "gone");
    assert!(!refs(&repo).contains(&old) && !archives(&repo).iter().any(|name| name.starts_with(&old)));
    assert!(!fs::exists(repo.git_dir().join("refs/windrow/rescue").join(&old)).unwrap());
    Some(outcome.code != 0)
}

#[test]
fn h33_a_killed_prune_is_finished_or_did_nothing() {
    for nth in [3, 14, 26] {
        if let Some(killed) = kill_at(nth) {
            assert!(killed, "nothing was killed at {nth}");
        }
    }
}

#[test]
fn h33_what_a_killed_release_has_saved_is_not_pruned_before_its_worktree_is_gone() {
    let repo = repository();
    let fern = keep(&repo, "fern");
    fern.write("untracked.txt", "untracked");
    fern.write(".env", "secret");
    let before = fern.files();
    // The first two such calls take the files aside and back, the third gives the archive its name, the fourth moves the files into
    // the trash, after the rescue is proven.
    let Some(killed) = inject(repo.windrow(["release", "fern"]), "renameat2", Fault::Kill, 4) else { return };
    assert_ne!(killed.run().code, 0);
    let [rescue] = &rescues(&repo, "fern")[..] else { panic!("one rescue") };
    assert_kept(&plan(&repo, &["--older-than", "0s"]), "rescue", rescue, "not_gone");
    prune(&repo, &["--older-than", "0s", "--to-bytes", "0"]);
    assert_eq!(state(&repo, "fern"), "gone");
    assert_whole(&restore(&repo, "fern").path, &before);
}
