//! End-to-end tests: the real binary on real git.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its situation must fail")]

mod adopt;
mod bad_input;
mod carry;
mod carry_secrets;
mod concurrency;
mod conflicts;
#[cfg(target_os = "linux")]
mod contention;
mod counted;
#[cfg(target_os = "linux")]
mod cut_proofs;
mod deinit;
mod doctor;
mod documents;
#[cfg(target_os = "linux")]
mod dropped;
mod endings;
mod errors;
#[cfg(target_os = "linux")]
mod faults;
mod first_status;
mod following;
mod guard;
mod h01_h09;
mod h10_h13;
mod h14_h18;
#[cfg(target_os = "linux")]
mod h37;
mod hook_claude;
mod hostile;
mod isolation;
#[cfg(target_os = "linux")]
mod keeper;
mod land;
mod late_writes;
mod lease;
mod leases;
mod leasing;
mod leftovers;
mod limits;
mod lost_records;
#[cfg(target_os = "linux")]
mod maintenance;
#[cfg(target_os = "linux")]
mod map;
mod odd_repositories;
#[cfg(target_os = "linux")]
mod overlay;
mod pipes;
mod pool;
mod prune;
#[cfg(target_os = "linux")]
mod push;
mod reconcile;
mod records;
#[cfg(target_os = "linux")]
mod ref_locks;
mod refusal;
mod rescue;
mod rescues;
mod restore;
mod revenants;
mod run;
mod saving;
mod schema;
mod seeds;
#[cfg(target_os = "linux")]
mod sessions;
mod setup;
mod shell;
mod side_by_side;
mod space;
mod standing_aside;
#[cfg(target_os = "linux")]
mod strategies;
mod supervision;
mod tasks;
mod template;
mod terminal;
mod tour;
mod unfinished;
mod warm;
#[cfg(target_os = "linux")]
mod zoo;

use windrow_testkit::{Binary, TestRepo};

/// An ordinary repository for the program under test.
fn repo() -> TestRepo {
    TestRepo::with_binary(Binary(env!("CARGO_BIN_EXE_windrow").into()))
}
