//! Whatever was done to the main worktree, a program built in another is of the sources there.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use windrow_testkit::{TestRepo, poll_until};

use super::{
    kit::{build_main, cargo, expected, furnish, printed, workspace},
    seeded, taken,
};
use crate::pool::{put, windrow};

/// Dates a file back to long before anything was built.
fn date_back(path: &Path) {
    let past = SystemTime::now() - Duration::from_secs(90_000);
    File::options().append(true).open(path).unwrap().set_modified(past).unwrap();
}

/// A new worktree at a commit builds what is in it.
#[track_caller]
fn is_right(repo: &TestRepo, base: &str) {
    let path = taken(repo, &["--name", "probe", "--base", base]);
    assert_eq!(printed(repo, &path), expected(&path));
    windrow(repo, &["release", "probe", "--discard"]);
}

#[test]
fn h32_a_commit_that_the_main_worktree_has_left() {
    let repo = workspace();
    let root = repo.path();
    let first = repo.oid("HEAD");
    build_main(&repo);
    put(&root.join("lib/words.txt"), "words 1\n");
    put(&root.join("quiet/data/four"), "four 1\n");
    put(&root.join("watch/data/four"), "four 1\n");
    fs::remove_file(root.join("quiet/data/one")).unwrap();
    fs::remove_file(root.join("watch/data/one")).unwrap();
    let second = repo.commit("advanced");
    // Not built: what the seed holds is of the first.
    is_right(&repo, &second);
    is_right(&repo, &first);
    build_main(&repo);
    is_right(&repo, &first);
    // Fewer files, and none that is newer: the main worktree keeps those of the second.
    repo.git(["rm", "--quiet", "--cached", "quiet/data/two", "watch/data/two"]);
    repo.git(["commit", "--quiet", "--message", "fewer"]);
    let third = repo.oid("HEAD");
    repo.git(["reset", "--quiet", &second]);
    is_right(&repo, &third);
}

#[test]
fn h32_a_main_worktree_with_changes_of_its_own() {
    let repo = workspace();
    let root = repo.path();
    build_main(&repo);
    put(&root.join("lib/words.txt"), "words that nobody committed\n");
    put(&root.join("quiet/data/stray"), "an untracked file\n");
    build_main(&repo);
    is_right(&repo, "HEAD");
    // What was built is not what is there now, though the time says so.
    put(&root.join("lib/src/part.txt"), "part that was dated back\n");
    date_back(&root.join("lib/src/part.txt"));
    repo.commit("dated back and not built");
    is_right(&repo, "HEAD");
    put(&root.join("watch/data/one"), "one that git does not look at\n");
    repo.git(["update-index", "--assume-unchanged", "watch/data/one"]);
    build_main(&repo);
    is_right(&repo, "HEAD");
}

#[test]
fn h32_a_build_script_that_reads_elsewhere_and_does_not_say_so() {
    let repo = workspace();
    let root = repo.path();
    let script = fs::read_to_string(root.join("quiet/build.rs")).unwrap();
    put(&root.join("quiet/build.rs"), script.replace("\"data\"", "\"../elsewhere\""));
    put(&root.join("elsewhere/one"), "elsewhere 0\n");
    repo.commit("reads elsewhere");
    build_main(&repo);
    put(&root.join("elsewhere/one"), "elsewhere 1\n");
    let second = repo.commit("elsewhere");
    repo.git(["checkout", "--quiet", "HEAD~1"]);
    let path = taken(&repo, &["--name", "probe", "--base", &second]);
    let printed = printed(&repo, &path);
    assert!(printed.contains("one=elsewhere 1;"), "{printed}");
}

#[test]
fn h32_a_ready_worktree_that_is_older_than_the_build() {
    let repo = workspace();
    let first = repo.oid("HEAD");
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    put(&repo.path().join("lib/words.txt"), "words 1\n");
    fs::remove_file(repo.path().join("quiet/data/two")).unwrap();
    repo.commit("advanced");
    build_main(&repo);
    is_right(&repo, &first);
}

#[test]
fn h32_line_ends_that_git_converts() {
    let repo = workspace();
    build_main(&repo);
    repo.git(["config", "core.autocrlf", "true"]);
    is_right(&repo, "HEAD");
    for name in ["lib/words.txt", "lib/src/part.txt"] {
        fs::remove_file(repo.path().join(name)).unwrap();
    }
    repo.git(["checkout", "--quiet", "--", "lib"]);
    build_main(&repo);
    let path = taken(&repo, &["--name", "converted"]);
    assert!(fs::read_to_string(path.join("lib/words.txt")).unwrap().ends_with("\r\n"));
    assert_eq!(printed(&repo, &path), expected(&path));
}

#[test]
fn a_seed_is_whole_while_the_main_worktree_builds_in_a_loop() {
    let repo = workspace();
    build_main(&repo);
    let (done, stop) = (repo.root().join("done"), repo.root().join("stop"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.exists() {
                number += 1;
                put(&repo.path().join("lib/words.txt"), format!("words of build {number}\n"));
                cargo(&repo, repo.path(), &["build", "--quiet"]).run().assert_success();
                put(&done, number.to_string());
            }
        });
        for number in 0..3 {
            let before = fs::read_to_string(&done).unwrap_or_default();
            poll_until(Duration::from_secs(60), "another build", || {
                fs::read_to_string(&done).is_ok_and(|now| now != before)
            });
            let (path, fate) =
                seeded(&repo, &["--name", &format!("probe-{number}"), "--config", "seed.wait=\"60s\""]);
            let right = printed(&repo, &path) == expected(&path);
            if number == 2 || !right || fate["kind"] != "taken" {
                put(&stop, "");
            }
            assert!(right && fate["kind"] == "taken", "{fate}");
        }
    });
}

#[test]
fn what_links_lead_to_otherwise_counts_as_changed() {
    let repo = crate::pool::repository();
    furnish(&repo);
    let root = repo.path();
    fs::remove_file(root.join("lib/words.txt")).unwrap();
    put(&root.join("lib/one.txt"), "one\n");
    put(&root.join("lib/two.txt"), "two\n");
    std::os::unix::fs::symlink("one.txt", root.join("lib/words.txt")).unwrap();
    let first = repo.commit("leads to one");
    fs::remove_file(root.join("lib/words.txt")).unwrap();
    std::os::unix::fs::symlink("two.txt", root.join("lib/words.txt")).unwrap();
    repo.commit("leads to two");
    build_main(&repo);
    let (path, fate) = seeded(&repo, &["--name", "probe", "--base", &first]);
    assert_eq!(fate["astray"], "lib/words.txt", "{fate}");
    assert_eq!(printed(&repo, &path), expected(&path));
}
