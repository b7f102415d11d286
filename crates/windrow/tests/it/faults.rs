//! H33: death and errors at sampled system calls of every operation; `cargo xtask soak faults` strikes at all of them.

use std::{fs, path::Path};

use windrow_testkit::{
    Backend, Binary, Effect, Errno, FileSystem, Mode, Outcome, Point, Scenario, Sweep, Tally, TestRepo,
    Watch, loop_fs, root_only, trace_until,
};

use crate::pool::{acquire, nudge, repository, restore, state, windrow};

/// Another seed strikes elsewhere.
const SEED: u64 = 33;

#[track_caller]
fn sweep(scenario: Scenario, backend: Backend, mode: Mode, strikes: usize) -> Tally {
    sweep_in(None, scenario, backend, mode, strikes)
}

#[track_caller]
fn sweep_in(
    inside: Option<&Path>,
    scenario: Scenario,
    backend: Backend,
    mode: Mode,
    strikes: usize,
) -> Tally {
    let sweep = Sweep {
        inside: inside.map(Path::to_owned),
        binary: Binary(env!("CARGO_BIN_EXE_windrow").into()),
        scenario,
        backend,
        mode,
        seed: SEED,
        every: 1,
        limit: Some(strikes),
        only: None,
        jobs: 1,
    };
    let tally = sweep.run();
    let told: Vec<String> = tally.violations.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
    assert!(tally.struck > 0, "no strike fell: {tally:?}");
    tally
}

#[test]
fn h33_an_acquire_that_is_killed_anywhere_leaves_a_whole_lease_or_nothing() {
    sweep(Scenario::Acquire, Backend::Files, Mode::Kill, 3);
    sweep(Scenario::Acquire, Backend::Reftable, Mode::Kill, 2);
}

#[test]
fn h33_a_run_that_is_killed_anywhere_loses_nothing_its_agent_did() {
    sweep(Scenario::Run, Backend::Files, Mode::Kill, 3);
}

#[test]
fn h33_a_release_that_is_killed_anywhere_loses_nothing() {
    sweep(Scenario::Release, Backend::Files, Mode::Kill, 3);
    sweep(Scenario::Release, Backend::Reftable, Mode::Kill, 2);
}

#[test]
fn h33_a_restore_that_is_killed_anywhere_can_be_repeated() {
    sweep(Scenario::Restore, Backend::Files, Mode::Kill, 3);
}

#[test]
fn h33_a_reconcile_that_is_killed_anywhere_can_be_repeated() {
    sweep(Scenario::RecordsLost, Backend::Files, Mode::Kill, 2);
    sweep(Scenario::FilesGone, Backend::Files, Mode::Kill, 2);
}

#[test]
fn h33_the_end_of_a_session_that_is_killed_anywhere_loses_nothing() {
    sweep(Scenario::SessionEnd, Backend::Files, Mode::Kill, 2);
}

#[test]
fn h33_a_prune_that_is_killed_anywhere_loses_nothing() {
    sweep(Scenario::Prune, Backend::Files, Mode::Kill, 3);
}

#[test]
fn h33_a_landing_that_is_killed_anywhere_leaves_the_checkout_wholly_old_or_wholly_new() {
    sweep(Scenario::Land, Backend::Files, Mode::Kill, 12);
    sweep(Scenario::Land, Backend::Reftable, Mode::Kill, 2);
    sweep(Scenario::Land, Backend::Files, Mode::Process, 3);
    sweep(Scenario::Land, Backend::Files, Mode::Error, 3);
}

#[test]
fn h33_a_pool_that_is_killed_while_it_is_filled_or_emptied_leaves_nothing() {
    sweep(Scenario::Warm, Backend::Files, Mode::Kill, 2);
    sweep(Scenario::Claim, Backend::Files, Mode::Kill, 3);
    sweep(Scenario::Template, Backend::Files, Mode::Kill, 3);
    sweep(Scenario::FromTemplate, Backend::Files, Mode::Kill, 2);
}

#[test]
fn h33_an_overlay_that_is_killed_anywhere_loses_nothing_and_leaves_nothing() {
    if !crate::overlay::can_be_had() {
        return;
    }
    sweep(Scenario::Overlay, Backend::Files, Mode::Kill, 5);
    sweep(Scenario::Overlay, Backend::Files, Mode::Process, 2);
    sweep(Scenario::OverlayKept, Backend::Files, Mode::Kill, 3);
    sweep(Scenario::OverlayKept, Backend::Files, Mode::Double, 2);
}

#[test]
fn h33_snapshots_and_clones_that_are_killed_anywhere_leave_nothing() {
    let Some(root) = root_only("images of file systems") else { return };
    for kind in [FileSystem::Btrfs, FileSystem::Xfs] {
        let Some(mounted) = loop_fs(root, kind, 4 << 30) else { continue };
        let inside = Some(mounted.path());
        sweep_in(inside, Scenario::FromTemplate, Backend::Files, Mode::Kill, 3);
        sweep_in(inside, Scenario::Template, Backend::Files, Mode::Kill, 3);
        sweep_in(inside, Scenario::Release, Backend::Files, Mode::Kill, 1);
    }
}

#[test]
fn h33_one_process_that_dies_alone_loses_nothing() {
    sweep(Scenario::Release, Backend::Files, Mode::Process, 2);
    sweep(Scenario::Run, Backend::Files, Mode::Process, 2);
}

#[test]
fn h33_a_recovery_that_is_killed_can_be_repeated() {
    sweep(Scenario::Release, Backend::Files, Mode::Double, 2);
    sweep(Scenario::Acquire, Backend::Reftable, Mode::Double, 2);
}

#[test]
fn h33_a_call_that_fails_is_an_error_and_loses_nothing() {
    if !windrow_testkit::can_inject_errors() {
        return windrow_testkit::skipped("no errors can be injected on this architecture");
    }
    sweep(Scenario::Acquire, Backend::Files, Mode::Error, 4);
    sweep(Scenario::Release, Backend::Files, Mode::Error, 4);
}

/// Releases a worktree with work in it, whose first call that `is_it` fails with `error`.
#[track_caller]
fn release_failing(repo: &TestRepo, error: Errno, is_it: &(dyn Fn(&Point) -> bool + Sync)) -> Outcome {
    acquire(repo, &["--name", "fern"]).write("work", "unsaved");
    let release = repo.windrow(["release", "fern"]);
    let traced = trace_until(&release, Watch::Changes, Effect::Fail(error), is_it);
    assert!(traced.struck.is_some(), "the call was not made");
    traced.outcome
}

fn is_of_retired(point: &Point, call: &str) -> bool {
    point.call == call && point.paths.iter().any(|path| path.to_string_lossy().contains("/windrow/old-"))
}

#[test]
fn h33_a_registration_that_cannot_be_removed_is_removed_by_the_next_command() {
    if !windrow_testkit::can_inject_errors() {
        return windrow_testkit::skipped("no errors can be injected on this architecture");
    }
    let repo = repository();
    let released = release_failing(&repo, Errno::ENOSPC, &|point| is_of_retired(point, "renameat2"));
    released.assert_code(1);
    assert_eq!(state(&repo, "fern"), "removing");
    nudge(&repo);
    assert_eq!(state(&repo, "fern"), "gone");
    assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
    assert_eq!(fs::read_to_string(restore(&repo, "fern").path.join("work")).unwrap(), "unsaved");
}

#[test]
fn h33_the_rest_of_a_registration_that_cannot_be_deleted_is_no_reason_to_keep_the_worktree() {
    if !windrow_testkit::can_inject_errors() {
        return windrow_testkit::skipped("no errors can be injected on this architecture");
    }
    let repo = repository();
    let released = release_failing(&repo, Errno::EIO, &|point| is_of_retired(point, "unlinkat"));
    released.assert_success();
    assert_eq!(state(&repo, "fern"), "gone");
    windrow(&repo, &["doctor"]);
    assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
}
