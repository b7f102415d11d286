//! Tasks on the wire, and the documents about them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use windrow_core::{ops::TaskDetails, store};

use super::{Time, V1};

/// A durable record of something to be done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Task {
    /// Its id, for ever.
    id: String,
    /// One line for people.
    title: String,
    /// Its state.
    state: String,
    /// Its free fields.
    fields: Map<String, Value>,
    /// Its revision, one higher after each change.
    rev: u64,
    /// When it was created.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

impl From<&store::Task> for Task {
    fn from(task: &store::Task) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            state: task.state.to_string(),
            fields: task.fields.clone(),
            rev: task.rev,
            created_at: task.created_at.into(),
            updated_at: task.updated_at.into(),
        }
    }
}

/// The right to work on a task for a time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Claim {
    /// Who has it.
    holder: String,
    /// The number that every change by the holder carries.
    fence: u64,
    /// When others may claim the task.
    expires_at: Time,
}

impl From<&store::Claim> for Claim {
    fn from(claim: &store::Claim) -> Self {
        Self { holder: claim.holder.clone(), fence: claim.fence.0, expires_at: claim.expires_at.into() }
    }
}

/// A task and who works on it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ListedTask {
    #[serde(flatten)]
    task: Task,
    /// The claim that lasts; null when nobody has one.
    claim: Option<Claim>,
}

impl From<&TaskDetails> for ListedTask {
    fn from(details: &TaskDetails) -> Self {
        Self { task: Task::from(&details.task), claim: details.claim.as_ref().map(Claim::from) }
    }
}

/// A task (`task new`, `task show`, `task set`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskDocument {
    v: V1,
    task: ListedTask,
}

impl From<&TaskDetails> for TaskDocument {
    fn from(details: &TaskDetails) -> Self {
        Self { v: V1::HERE, task: ListedTask::from(details) }
    }
}

/// Tasks, oldest first (`task list`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskListDocument {
    v: V1,
    tasks: Vec<ListedTask>,
}

impl From<&[TaskDetails]> for TaskListDocument {
    fn from(tasks: &[TaskDetails]) -> Self {
        Self { v: V1::HERE, tasks: tasks.iter().map(ListedTask::from).collect() }
    }
}

/// A claim that was taken or lasts longer now (`task claim`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ClaimDocument {
    v: V1,
    /// The task's id.
    task: String,
    claim: Claim,
}

impl From<&store::Claim> for ClaimDocument {
    fn from(claim: &store::Claim) -> Self {
        Self { v: V1::HERE, task: claim.task.to_string(), claim: Claim::from(claim) }
    }
}

/// A claim that was ended (`task release`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskReleaseDocument {
    v: V1,
    /// The task's id.
    task: String,
}

impl From<&store::TaskId> for TaskReleaseDocument {
    fn from(task: &store::TaskId) -> Self {
        Self { v: V1::HERE, task: task.to_string() }
    }
}

/// One revision of a task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TaskChange {
    /// The revision.
    rev: u64,
    /// When it came to be.
    at: Time,
    /// Who made it.
    actor: String,
    /// The state at this revision.
    state: String,
    /// The fields at this revision.
    fields: Map<String, Value>,
}

/// Every change of a task, oldest first (`task log`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskLogDocument {
    v: V1,
    /// The task's id.
    task: String,
    changes: Vec<TaskChange>,
}

impl TaskLogDocument {
    pub(crate) fn new(task: &store::TaskId, changes: &[store::TaskChange]) -> Self {
        let change = |change: &store::TaskChange| TaskChange {
            rev: change.rev,
            at: change.at.into(),
            actor: change.actor.clone(),
            state: change.state.to_string(),
            fields: change.fields.clone(),
        };
        Self { v: V1::HERE, task: task.to_string(), changes: changes.iter().map(change).collect() }
    }
}
