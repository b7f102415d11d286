//! Records in SQLite: worktrees, leases, rescues and the history of this host ([`LocalStore`]); tasks, claims and the landing
//! queue that a fleet shares ([`Coordination`]).
//!
//! # Locking
//! Readers never wait. A writer takes the lock file below `locks/`, then `BEGIN IMMEDIATE`; the kernel releases the first and
//! SQLite the second when a process dies. The lock file gives fairness only: whoever deletes it loses nothing else.
//!
//! # Crash safety
//! Write-ahead log with `synchronous=FULL`: a transaction that returned survives a power cut, one that did not leaves no trace.
//!
//! # Compatibility
//! Migrations run forward and only add. A newer schema is read, never written.

#[cfg(test)]
mod conformance;
mod coordination;
mod database;
mod error;
mod fingerprints;
mod local;
mod open;
mod records;
mod reserve;
mod rows;
mod sqlite;
#[cfg(test)]
mod tests;
mod transaction;

pub use coordination::{
    Claim, Clock, Coordination, CoordinationError, Fields, FieldsChange, Landing, LandingOutcome, NewTask,
    QueueEntry, StateChange, SystemClock, Task, TaskChange, TaskId, TaskState, TaskTextError, Ticket,
    landing_resource, merged,
};
pub use error::StoreError;
pub use local::{Access, LocalStore};
pub use records::Records;
pub use sqlite::SqliteCoordination;
pub use transaction::{Forgotten, Tx};
