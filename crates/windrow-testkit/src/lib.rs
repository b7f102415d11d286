//! The test kit: real repositories in temporary directories, a cleared environment, real binaries.
//!
//! Only a dev-dependency. Everything here panics with a readable message instead of returning an error: a test
//! that cannot set up its situation must fail, loudly and at the line that asked for it.
#![expect(
    clippy::disallowed_methods,
    reason = "the kit starts programs and keeps PATH; tests are its only users"
)]

use std::io::Write;

mod builder;
mod clock;
#[cfg(target_os = "linux")]
mod contention;
#[cfg(target_os = "linux")]
mod cuts;
#[cfg(target_os = "linux")]
mod cuttable;
#[cfg(target_os = "linux")]
mod faults;
mod fingerprint;
mod invocation;
mod leftovers;
mod load;
mod outcome;
mod poll;
#[cfg(target_os = "linux")]
mod privileged;
mod repo;
mod running;
#[cfg(target_os = "linux")]
mod seeded;
mod snapshot;
mod strategy;
mod surroundings;
#[cfg(target_os = "linux")]
mod sweep;
mod tasks;
#[cfg(target_os = "linux")]
mod trace;
mod zoo;

pub use builder::TestRepoBuilder;
pub use clock::FakeClock;
#[cfg(target_os = "linux")]
pub use contention::{Arena, Contended, Contention, Unrelated};
#[cfg(target_os = "linux")]
pub use cuts::{Moment, PowerCut, PowerCuts, SceneKind};
#[cfg(target_os = "linux")]
pub use cuttable::Cuttable;
#[cfg(target_os = "linux")]
pub use faults::{Fault, inject};
pub use fingerprint::RepoFingerprint;
pub use invocation::Invocation;
pub use leftovers::processes_under;
pub use load::Beside;
pub use outcome::Outcome;
pub use poll::{poll_for, poll_until};
#[cfg(target_os = "linux")]
pub use privileged::{
    FileSystem, Mounted, Root, loop_fs, loop_fs_in, own_mounts, pid_namespace, root_only, small_tmpfs,
};
pub use repo::{Binary, TestRepo};
pub use running::Running;
pub use seeded::noise;
pub use snapshot::{Entry, EntryKind, Include, TreeSnapshot, assert_same};
pub use strategy::{STRATEGY, is_template_of_the_kit};
pub use surroundings::Surroundings;
#[cfg(target_os = "linux")]
pub use sweep::{Backend, Mode, Scenario, Sweep, Tally, Violation};
pub use tasks::{TaskRace, TaskRaced};
#[cfg(target_os = "linux")]
pub use trace::{Effect, Errno, Point, Side, Strike, Traced, Watch, can_inject_errors, trace, trace_until};
pub use zoo::{Creature, zoo};

/// Says on standard error that a test, or a part of one, did not run, and why.
pub fn skipped(why: &str) {
    // Not `eprintln!`: the test harness would swallow it, since the test passes.
    let written = writeln!(std::io::stderr(), "SKIPPED: {why}");
    written.expect("standard error can be written");
}
