//! The results of a batch of tasks.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_model::{self as model, BatchId, BatchTask};

use super::{V1, outcome::Work};

/// What became of a task of a batch (`map`, one document for each).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MapDocument {
    v: V1,
    /// The batch.
    batch: String,
    /// The number of the task in the list, from 1.
    index: u64,
    /// Its key, one of a kind in the batch.
    key: String,
    outcome: Outcome,
    /// The exit code of its command, 128 and more for a signal; null when there was none.
    exit_code: Option<i32>,
    /// More about the outcome, for people.
    detail: Option<String>,
    /// How often it was tried by the call that ended it.
    attempts: u32,
    /// How long its command ran.
    elapsed_seconds: f64,
    /// What its worktree left; null when it had none or that is not known.
    left: Option<Left>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Its command succeeded.
    Succeeded,
    /// Its command failed.
    Failed,
    /// Its command was ended because its time was over.
    TimedOut,
    /// It never began, because the task that it depends on did not succeed.
    Skipped,
    /// It got no worktree, or its command could not be started.
    Refused,
    /// The batch was stopped before it ended: it has no result, and `--resume` does it.
    Stopped,
}

impl From<model::TaskEnd> for Outcome {
    fn from(end: model::TaskEnd) -> Self {
        match end {
            model::TaskEnd::Succeeded => Self::Succeeded,
            model::TaskEnd::Failed => Self::Failed,
            model::TaskEnd::TimedOut => Self::TimedOut,
            model::TaskEnd::Skipped => Self::Skipped,
            model::TaskEnd::Refused => Self::Refused,
            model::TaskEnd::Stopped => Self::Stopped,
        }
    }
}

/// What a worktree left.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Left {
    /// The name of the worktree.
    worktree: String,
    /// What became of it.
    fate: String,
    /// The commit that it began at.
    base_oid: String,
    /// Its branch; null when it had none or nothing of its own was on it.
    branch: Option<String>,
    /// The commit that the branch is at.
    head_oid: Option<String>,
    work: Work,
    /// Where uncommitted, untracked and ignored work is.
    rescue: Option<String>,
}

impl From<&model::Harvest> for Left {
    fn from(left: &model::Harvest) -> Self {
        let branch = left.branch.as_ref();
        Self {
            worktree: left.name.to_string(),
            fate: left.fate.clone(),
            base_oid: left.base.to_string(),
            branch: branch.map(|(name, _)| name.to_string()),
            head_oid: branch.map(|(_, head)| head.to_string()),
            work: Work::of_harvest(left),
            rescue: left.rescue.as_ref().map(ToString::to_string),
        }
    }
}

impl MapDocument {
    /// Of the task at `place`; it was stopped when it has no result.
    pub(crate) fn new(batch: &BatchId, place: usize, key: &str, task: Option<&BatchTask>) -> Self {
        let verdict = task.map(|task| &task.verdict);
        Self {
            v: V1::HERE,
            batch: batch.to_string(),
            index: u64::try_from(place + 1).unwrap_or(u64::MAX),
            key: key.to_owned(),
            outcome: verdict.map_or(Outcome::Stopped, |verdict| verdict.end.into()),
            exit_code: verdict.and_then(|verdict| verdict.exit),
            detail: verdict.map(|verdict| verdict.detail.clone()).filter(|detail| !detail.is_empty()),
            attempts: task.map_or(0, |task| task.attempts),
            elapsed_seconds: verdict.map_or(0.0, |verdict| verdict.elapsed.as_secs_f64()),
            left: task.and_then(|task| task.harvest.as_ref()).map(Left::from),
        }
    }
}
