//! Bringing work home: commits of a worktree, a branch or a rescue become part of their target, wholly or not at all.
//!
//! # Locking
//! One landing at a time for each target, by a lock of its own that is taken before all others here; then the index of the
//! checkout, by git's own lock, so that the user's git waits; then the repository lock for the refs.
//!
//! # Crash safety
//! The journal ([`windrow_model::LandingState`]) says what was about to be done, the target whether it was: it holds the commit of
//! the landing or not. Before that everything goes back, after it forward: [`recover`](mod@recover).

mod apply;
mod candidate;
mod check;
mod driver;
mod error;
mod go;
mod lay;
mod outcome;
mod place;
mod plan;
mod queue;
mod recover;
mod refs;
mod source;
mod swap;
mod sync;
mod verify;

pub use self::queue::{TicketScope, cancel as cancel_ticket, enqueue, tickets, wait as wait_for_ticket};
pub use self::sync::{SyncManner, SyncRequest, Synced, sync};
pub(super) use self::{
    candidate::hunks, driver::start as start_serving, go::landed_last, outcome::is_landed, recover::recover,
};
pub use self::{
    driver::{QUEUE_COMMAND, ServeRequest, serve_queue},
    error::{LandError, QueueError, SyncError},
    go::land,
    outcome::{
        ConflictReport, IncludeUncommitted, LandMode, LandRequest, LandSource, Landed, LandedFate,
        OnConflict, Overlap, OverlapKind, StoodHow, Verified, VerifyFailure, VerifyRequest,
    },
};
