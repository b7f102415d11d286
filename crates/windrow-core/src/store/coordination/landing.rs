//! Landings and their queue.

use std::fmt;

use jiff::Timestamp;
use windrow_model::{BranchName, Oid};

use super::TaskId;

/// The resource whose fence a lander of `target` holds.
#[must_use]
pub fn landing_resource(target: &BranchName) -> String {
    format!("landing/{target}")
}

/// A place in a landing queue; lower comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something to be landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The commit.
    pub head: Oid,
    /// The branch it was at.
    pub branch: Option<BranchName>,
    /// Who wants it landed.
    pub submitter: String,
    /// The task it belongs to.
    pub task: Option<TaskId>,
}

/// A landing in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its place.
    pub ticket: Ticket,
    /// The branch to land on.
    pub target: BranchName,
    /// What is to be landed.
    pub landing: Landing,
    /// When it was queued.
    pub enqueued_at: Timestamp,
    /// What became of it; `None` while it waits.
    pub outcome: Option<LandingOutcome>,
}

/// What became of a landing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandingOutcome {
    /// The target holds it in this commit.
    Landed(Oid),
    /// It could not be landed, for this reason.
    Refused(String),
    /// It was taken out of the queue.
    Cancelled,
}
