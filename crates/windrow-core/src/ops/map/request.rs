//! What is asked of a batch, and what it comes to.

use std::time::Duration;

use windrow_model::{BatchId, BatchTask, TaskEnd, Verdict};

use crate::{
    ops::{
        error::chain,
        lease::Lease,
        outcome::{Finished, Leased},
        request::AcquireRequest,
    },
    process::{Cancel, Exit, SuperviseError},
};

/// Asks to give each task a worktree of its own and to do something in it.
#[derive(Clone, Debug)]
pub struct MapRequest {
    /// The name under which results are recorded.
    pub batch: BatchId,
    /// The tasks, in the order in which they begin.
    pub tasks: Vec<MapTask>,
    /// How many at once.
    pub jobs: usize,
    /// How often a task that did not succeed is tried again.
    pub retries: u32,
    /// The pause before the first of these; each further one is twice as long, up to a minute.
    pub backoff: Duration,
    /// What a failure means to the others.
    pub failure: OnFailure,
    /// What is done about the results of former calls.
    pub former: Former,
    /// The worktrees; name, key, holder and, for read-only tasks, branch are set for each.
    pub acquire: AcquireRequest,
    /// What stops everything: no further task begins, and commands that were given it end.
    pub cancel: Cancel,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapTask {
    /// One of a kind in the batch; by it a task is known to be finished.
    pub key: String,
    /// The key of the task that it continues: it begins at what that left, once that has succeeded.
    pub after: Option<String>,
    /// What is done with its changes.
    pub mode: TaskMode,
}

/// What is done with the changes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TaskMode {
    /// Commits stay on a branch of its own.
    #[default]
    Branch,
    /// It has no branch; whatever it changes goes into a rescue.
    ReadOnly,
}

/// What a task that does not succeed means to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing, but to those that depend on it.
    #[default]
    GoOn,
    /// They are stopped; they have no result then.
    Stop,
}

/// What is done about the results that former calls recorded under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Former {
    /// They are forgotten.
    #[default]
    Forget,
    /// They count: what is finished is not done again.
    Resume,
}

/// A task's turn: what [`map`](super::map()) hands to the one who does the work.
#[derive(Debug)]
pub struct Turn<'t, 'p> {
    /// The place in the list, from 0.
    pub place: usize,
    /// The task.
    pub task: &'t MapTask,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// The lease of its worktree, which is given back afterwards.
    pub lease: &'t Lease<'p>,
    /// What stops it.
    pub cancel: &'t Cancel,
}

/// Follows a batch, from several threads at once. Every method must return soon.
pub trait MapObserver: Sync {
    /// A try began in this worktree.
    fn began(&self, place: usize, attempt: u32, leased: &Leased) {
        let _ = (place, attempt, leased);
    }

    /// A task has its result.
    fn ended(&self, place: usize, task: &BatchTask) {
        let _ = (place, task);
    }
}

impl MapObserver for crate::ops::observer::Unobserved {}

/// A batch that is over, or was stopped.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Its name.
    pub batch: BatchId,
    /// The result of each task in the order given; `None` for one that was stopped or never began.
    pub tasks: Vec<Option<BatchTask>>,
}

/// What a supervised command's end says about its task.
#[must_use]
pub fn judge(finished: &Result<Finished, SuperviseError>) -> Verdict {
    let none = |end, detail| Verdict { end, exit: None, detail, elapsed: Duration::ZERO };
    match finished {
        Err(error) => none(TaskEnd::Refused, chain(error)),
        Ok(finished) => {
            let exit = match finished.exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128_i32.saturating_add(signal),
            };
            let end = match exit {
                _ if finished.timed_out => TaskEnd::TimedOut,
                0 => TaskEnd::Succeeded,
                _ if finished.interrupted.is_some() => TaskEnd::Stopped,
                _ => TaskEnd::Failed,
            };
            Verdict { end, exit: Some(exit), detail: String::new(), elapsed: finished.elapsed }
        }
    }
}

/// A name for a batch that is the same whenever `parts` are.
#[must_use]
pub fn batch_named_by<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> BatchId {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.len().to_le_bytes()).update(part);
    }
    let name = format!("map-{}", &hasher.finalize().to_hex()[..8]);
    name.parse().expect("a word and hexadecimal digits are a name")
}
