//! A forecast on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Against, Collision, Forecast};

use super::{Bytes, V1, land::NamedConflict};

/// Which work will not merge (`conflicts`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConflictsDocument {
    v: V1,
    /// Every two that do not merge; those with their target first.
    conflicts: Vec<ForecastConflict>,
    /// The worktrees whose work was looked at, oldest first.
    worktrees: Vec<ForecastWorktree>,
    /// Those that could not be looked at, or not wholly.
    unseen: Vec<Unseen>,
    /// How many pairs of worktrees there are.
    pairs: u64,
    /// How many of them had to be merged to tell.
    pairs_merged: u64,
}

/// Two that do not merge.
#[derive(Debug, Serialize, JsonSchema)]
struct ForecastConflict {
    /// A worktree.
    first: String,
    /// The other worktree; null when the first does not merge with its target.
    second: Option<String>,
    /// The branch that `first` does not merge with; null when it is another worktree's work.
    target: Option<String>,
    /// The paths in conflict, sorted.
    paths: Vec<Bytes>,
    /// Each conflict as git names it.
    conflicts: Vec<NamedConflict>,
}

/// A worktree whose work was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct ForecastWorktree {
    worktree: String,
    /// Its branch; null when its HEAD is detached.
    branch: Option<String>,
    /// The commit it is at.
    head: String,
    /// Whether it has work that is not committed.
    uncommitted: bool,
    /// The branch that its work is to land on.
    target: String,
    /// The commit that is at.
    target_oid: String,
    /// How many files it touches, compared with the target.
    files: u64,
    /// Paths that could not be taken into account.
    left_out: Vec<Bytes>,
}

/// A worktree about which not everything can be told.
#[derive(Debug, Serialize, JsonSchema)]
struct Unseen {
    worktree: String,
    /// Why, in words.
    why: String,
}

impl From<&Forecast> for ConflictsDocument {
    fn from(forecast: &Forecast) -> Self {
        let unseen = |one: &ops::NotLookedAt| Unseen { worktree: one.name.to_string(), why: one.why.clone() };
        Self {
            v: V1::HERE,
            conflicts: forecast.collisions.iter().map(ForecastConflict::from).collect(),
            worktrees: forecast.works.iter().map(ForecastWorktree::from).collect(),
            unseen: forecast.unseen.iter().map(unseen).collect(),
            pairs: forecast.pairs,
            pairs_merged: forecast.merged,
        }
    }
}

impl From<&Collision> for ForecastConflict {
    fn from(collision: &Collision) -> Self {
        let (second, target) = match &collision.second {
            Against::Work(name) => (Some(name.to_string()), None),
            Against::Target(branch) => (None, Some(branch.to_string())),
        };
        Self {
            first: collision.first.to_string(),
            second,
            target,
            paths: collision.paths.iter().map(|path| Bytes::new(path)).collect(),
            conflicts: collision.conflicts.iter().map(NamedConflict::from).collect(),
        }
    }
}

impl From<&ops::ForecastWork> for ForecastWorktree {
    fn from(work: &ops::ForecastWork) -> Self {
        Self {
            worktree: work.name.to_string(),
            branch: work.branch.as_ref().map(ToString::to_string),
            head: work.head.to_string(),
            uncommitted: work.uncommitted,
            target: work.target.to_string(),
            target_oid: work.target_oid.to_string(),
            files: work.files,
            left_out: work.left_out.iter().map(|path| Bytes::new(path)).collect(),
        }
    }
}
