//! A handful of the other tests, with each strategy on a file system that has it; `cargo xtask strategy-tests` runs all that apply.

use std::time::Duration;

use windrow_testkit::{FileSystem, Invocation, Root, STRATEGY, Surroundings, loop_fs, root_only};

/// Leasing, a run with work of every kind, both ways back, and writes at the last moment.
const SCENARIOS: [&str; 9] = [
    "lease::a_shell_can_capture_the_path_and_work_there",
    "run::commits_are_counted_and_named",
    "leases::a_kept_worktree_stays_for_its_time_and_goes_with_the_next_command",
    "late_writes::h05_a_file_that_comes_at_the_last_moment_is_kept",
    "rescue::unsaved_work_comes_back",
    "restore::h10_everything_but_the_build_output_comes_back_byte_for_byte",
    "endings::h33_a_removal_cut_short_is_hidden_from_git_and_goes_on_with_all_that_was_saved",
    "h14_h18::h16_a_worktree_that_somebody_deleted_is_no_deletion_of_all_files",
    "keeper::h39_a_killed_run_leaves_no_process_and_its_work_in_a_rescue",
];

/// Runs them with a strategy; loudly not, where there is no such file system.
fn run_with(root: Root, kind: FileSystem, strategy: &str) {
    let Some(mounted) = loop_fs(root, kind, 4 << 30) else { return };
    let surroundings = Surroundings::inside(mounted.path());
    let tests = std::env::current_exe().expect("the tests have a file");
    let call = Invocation::new(tests, surroundings.root(), &surroundings).arg("--exact").args(SCENARIOS);
    let call = call.env("TMPDIR", mounted.path()).env(STRATEGY, strategy).bound(Duration::from_secs(600));
    let outcome = call.run().assert_success();
    let passed = format!("test result: ok. {} passed", SCENARIOS.len());
    assert!(outcome.text().contains(&passed), "{strategy} on {}: {outcome}", kind.name());
}

#[test]
fn worktrees_that_are_copies_are_as_any_other() {
    let Some(root) = root_only("an image of ext4") else { return };
    run_with(root, FileSystem::Ext4, "copy");
}

#[test]
fn worktrees_that_share_blocks_are_as_any_other() {
    let Some(root) = root_only("images of file systems that share blocks") else { return };
    run_with(root, FileSystem::Xfs, "clone");
    run_with(root, FileSystem::Btrfs, "clone");
}

#[test]
fn worktrees_that_are_snapshots_are_as_any_other() {
    let Some(root) = root_only("an image of btrfs") else { return };
    run_with(root, FileSystem::Btrfs, "snapshot");
}
