//! The arguments of `task`.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use windrow_core::{
    ops::{ClaimRequest, StateEdit, TaskEdit, TaskRequest},
    store::{Fields, TaskId, TaskState},
};
use windrow_model::{Fence, parse_duration};

use super::value;
use crate::completion;

/// Arguments of `task`.
#[derive(Debug, Args)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    pub(crate) command: TaskCommand,
}

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Create a task and print its id
    New(TaskNewArgs),
    /// List the tasks, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Only those in this state
        #[arg(long, value_name = "STATE")]
        state: Option<TaskState>,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell everything about a task
    Show {
        /// Its id
        #[arg(value_name = "TASK", add = ArgValueCandidates::new(completion::tasks))]
        task: TaskId,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a task's state, if it is the expected one, or its fields
    Set(TaskSetArgs),
    /// Claim a task for a time and print the claim's fence
    Claim(TaskClaimArgs),
    /// End a claim
    Release {
        /// The task's id
        #[arg(value_name = "TASK", add = ArgValueCandidates::new(completion::tasks))]
        task: TaskId,
        /// The claim's fence
        #[arg(long, value_name = "N", value_parser = value::fence)]
        fence: Fence,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every change of a task, oldest first
    Log {
        /// Its id
        #[arg(value_name = "TASK", add = ArgValueCandidates::new(completion::tasks))]
        task: TaskId,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `task new`.
#[derive(Debug, Args)]
pub(crate) struct TaskNewArgs {
    /// One line that tells people what it is
    #[arg(value_name = "TITLE")]
    pub(crate) title: String,
    /// Its state instead of the first one in `task.states`
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<TaskState>,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
    /// Print the task as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `task set`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").args(["to", "field", "unset"]).required(true).multiple(true))]
pub(crate) struct TaskSetArgs {
    /// The task's id
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(completion::tasks))]
    pub(crate) task: TaskId,
    /// The state that it must be in; otherwise nothing changes and the exit code is 75
    #[arg(long, value_name = "STATE")]
    pub(crate) expect: Option<TaskState>,
    /// The state that it gets
    #[arg(long, value_name = "STATE", requires = "expect")]
    pub(crate) to: Option<TaskState>,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
    /// Remove a field
    #[arg(long, value_name = "NAME")]
    pub(crate) unset: Vec<String>,
    /// Refuse unless this is the fence of the claim on it
    #[arg(long, value_name = "N", value_parser = value::fence)]
    pub(crate) fence: Option<Fence>,
    /// Print the task as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Fields of a task, and who writes them.
#[derive(Debug, Args)]
pub(crate) struct FieldArgs {
    /// Set a field; a value that is JSON counts as such, any other as text
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::key_value)]
    pub(crate) field: Vec<(String, String)>,
    /// Who does it, for the history; without it the worktree one is in, else the user
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<String>,
}

/// Arguments of `task claim`.
#[derive(Debug, Args)]
pub(crate) struct TaskClaimArgs {
    /// The task's id
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(completion::tasks))]
    pub(crate) task: TaskId,
    /// How long the claim lasts from now
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1h")]
    pub(crate) ttl: Duration,
    /// Who claims it; without it the worktree one is in, else the user
    #[arg(long, value_name = "NAME")]
    pub(crate) holder: Option<String>,
    /// Let the claim with this fence last longer instead
    #[arg(long, value_name = "N", value_parser = value::fence)]
    pub(crate) fence: Option<Fence>,
    /// Print the claim as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl TaskNewArgs {
    pub(crate) fn request(&self, actor: String) -> TaskRequest {
        TaskRequest {
            title: self.title.clone(),
            state: self.state.clone(),
            fields: self.fields.fields(),
            actor: self.fields.actor.clone().unwrap_or(actor),
        }
    }
}

impl TaskSetArgs {
    pub(crate) fn request(&self, actor: String) -> TaskEdit {
        let mut fields = self.fields.fields();
        fields.extend(self.unset.iter().map(|name| (name.clone(), serde_json::Value::Null)));
        let state = match (self.expect.clone(), self.to.clone()) {
            (None, _) => StateEdit::Any,
            (Some(state), None) => StateEdit::In(state),
            (Some(from), Some(to)) => StateEdit::Change { from, to },
        };
        let actor = self.fields.actor.clone().unwrap_or(actor);
        TaskEdit { state, fields, actor, fence: self.fence }
    }
}

impl TaskClaimArgs {
    pub(crate) fn request(&self, actor: String) -> ClaimRequest {
        ClaimRequest {
            task: self.task.clone(),
            holder: self.holder.clone().unwrap_or(actor),
            ttl: self.ttl,
            fence: self.fence,
        }
    }
}

impl FieldArgs {
    fn fields(&self) -> Fields {
        self.field.iter().map(|(name, text)| (name.clone(), field(text))).collect()
    }
}

/// JSON where it is JSON: `3`, `true`, `["a"]`, `"3"`; anything else is text.
fn field(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
