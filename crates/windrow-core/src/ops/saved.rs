//! What was saved of a worktree, as its end needs to know it.

use windrow_model::{BranchName, Oid, RescueRecord};

use super::{last_look::LastLook, outcome::Dropped, rescue::Rescued};
use crate::fs::TrackedDirectories;

/// What was found in a worktree, and where it is saved now.
#[derive(Debug)]
pub(super) struct Saved {
    /// The commit HEAD is at.
    pub(super) head: Option<Oid>,
    /// The branch HEAD is on.
    pub(super) branch: Option<BranchName>,
    /// Whether an operation such as a rebase is in progress.
    pub(super) progress: Progress,
    /// How many paths held something unsaved.
    pub(super) unsaved: u64,
    /// What can be made again.
    pub(super) dropped: Vec<Dropped>,
    /// The rescue; `None` when everything is on a branch already.
    pub(super) rescue: Option<RescueRecord>,
    /// What all of it looked like.
    pub(super) look: Look,
}

/// Whether something is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing.
    None,
    /// A rebase, a merge, a bisection.
    UnderWay,
}

/// By what can be told that nothing was changed since.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing: whatever comes to it is discarded, or there are no files.
    None,
    /// What every file looked like, and which directories are tracked.
    Files(LastLook, TrackedDirectories),
    /// The stamp of an overlay's layer.
    Layer(String),
}

impl From<Rescued> for Saved {
    fn from(rescued: Rescued) -> Self {
        let survey = rescued.survey;
        let none = survey.operations.operations.is_empty();
        Self {
            head: survey.head,
            unsaved: survey.unsaved(),
            branch: survey.branch,
            progress: if none { Progress::None } else { Progress::UnderWay },
            dropped: survey.dropped,
            rescue: rescued.record,
            look: survey.seen.map_or(Look::None, |seen| Look::Files(seen, survey.tracked)),
        }
    }
}
