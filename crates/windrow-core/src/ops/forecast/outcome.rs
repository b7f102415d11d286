//! What is asked of a forecast, and what it tells.

use bstr::BString;
use windrow_model::{BranchName, Oid, WorktreeName};

use crate::{git::ConflictMessage, ops::request::Selector};

/// Asks which work will not merge.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ForecastRequest {
    /// Only what concerns these worktrees; everything when there are none.
    pub only: Vec<Selector>,
    /// The branch that all of it is to land on; `None` is for each the branch that it began from.
    pub onto: Option<BranchName>,
}

/// Which work will not merge, as of this moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Forecast {
    /// What was looked at, the oldest worktree first.
    pub works: Vec<ForecastWork>,
    /// Every two that do not merge: those with their target first, then in the order of `works`.
    pub collisions: Vec<Collision>,
    /// What could not be looked at, in the order of the worktrees.
    pub unseen: Vec<NotLookedAt>,
    /// How many pairs of works there are.
    pub pairs: u64,
    /// How many of them had to be merged.
    pub merged: u64,
}

/// A worktree whose work was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastWork {
    /// Its name.
    pub name: WorktreeName,
    /// Its branch; `None` when its HEAD is detached.
    pub branch: Option<BranchName>,
    /// What it is committed to.
    pub head: Oid,
    /// Whether there is work that is not committed.
    pub uncommitted: bool,
    /// The branch that it is to land on.
    pub target: BranchName,
    /// Where that is.
    pub target_oid: Oid,
    /// How many files it touches, compared with the target.
    pub files: u64,
    /// Paths that could not be taken into account: unreadable files, nested repositories.
    pub left_out: Vec<BString>,
}

/// Two that do not merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// A worktree.
    pub first: WorktreeName,
    /// What it does not merge with.
    pub second: Against,
    /// The paths in conflict, sorted.
    pub paths: Vec<BString>,
    /// Each conflict as git names it.
    pub conflicts: Vec<ConflictMessage>,
}

/// What work does not merge with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// The branch it is to land on, as that is now.
    Target(BranchName),
    /// The work of another worktree.
    Work(WorktreeName),
}

/// A worktree about which nothing can be told, or not everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLookedAt {
    /// Its name.
    pub name: WorktreeName,
    /// Why, in words.
    pub why: String,
}
