//! H33: death and errors at sampled system calls of every operation; `cargo xtask soak faults` strikes at all of them.

use windrow_testkit::{Backend, Binary, Mode, Scenario, Sweep, Tally};

/// Another seed strikes elsewhere.
const SEED: u64 = 33;

#[track_caller]
fn sweep(scenario: Scenario, backend: Backend, mode: Mode, strikes: usize) -> Tally {
    let sweep = Sweep {
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
