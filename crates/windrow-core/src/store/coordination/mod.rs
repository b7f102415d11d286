//! What a fleet shares: tasks, claims on them, fences and the landing queue, behind one trait.
//!
//! # Locking
//! Each method is one whole transaction of the store; callers hold nothing between two calls but fences.
//!
//! # Crash safety
//! A method that returned has durable effects. One whose answer was lost may be asked again: compare-and-set and fences make
//! the second try fail with what it needs to know.
//!
//! # Compatibility
//! Instants are the store's, never the caller's: hosts need not agree on the time.

mod landing;
mod task;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use windrow_model::{BranchName, Fence};

pub(super) use self::task::TASK_ALPHABET;
pub use self::{
    landing::{Landing, LandingOutcome, QueueEntry, Ticket, landing_resource},
    task::{
        Claim, Fields, FieldsChange, NewTask, StateChange, Task, TaskChange, TaskId, TaskState,
        TaskTextError, merged,
    },
};
use super::StoreError;

/// The store that the workers of one repository share.
///
/// One conformance suite runs against every implementation.
pub trait Coordination: Send {
    /// Tells the store's time, by which claims expire.
    ///
    /// # Errors
    /// The store failed.
    fn now(&self) -> Result<Timestamp, CoordinationError>;

    /// Draws the next fence of `resource`; every one drawn before is stale from then on.
    ///
    /// # Errors
    /// The store failed.
    fn next_fence(&self, resource: &str) -> Result<Fence, CoordinationError>;

    /// Reads the fence of `resource` that was drawn last; zero when none was.
    ///
    /// # Errors
    /// The store failed.
    fn current_fence(&self, resource: &str) -> Result<Fence, CoordinationError>;

    /// Creates a task at revision 1 under a new readable id.
    ///
    /// # Errors
    /// The store failed.
    fn create_task(&self, task: &NewTask) -> Result<Task, CoordinationError>;

    /// Finds a task.
    ///
    /// # Errors
    /// The store failed.
    fn task(&self, id: &TaskId) -> Result<Option<Task>, CoordinationError>;

    /// Lists tasks, all or those in one state, oldest first.
    ///
    /// # Errors
    /// The store failed.
    fn tasks(&self, state: Option<&TaskState>) -> Result<Vec<Task>, CoordinationError>;

    /// Changes the state, if it is the expected one, and fields with it; returns the task after the change.
    ///
    /// # Errors
    /// [`CoordinationError::Lost`] with the task as it is, [`CoordinationError::Fenced`] or [`CoordinationError::NotClaimed`] for
    /// a former holder, [`CoordinationError::NoSuchTask`]; the store failed.
    fn set_state(&self, id: &TaskId, change: &StateChange) -> Result<Task, CoordinationError>;

    /// Replaces the fields, if the revision is the expected one; returns the task after the change.
    ///
    /// # Errors
    /// As for [`Coordination::set_state`].
    fn set_fields(&self, id: &TaskId, change: &FieldsChange) -> Result<Task, CoordinationError>;

    /// Lists every revision of a task, oldest first.
    ///
    /// # Errors
    /// [`CoordinationError::NoSuchTask`]; the store failed.
    fn history(&self, id: &TaskId) -> Result<Vec<TaskChange>, CoordinationError>;

    /// Claims a task for `ttl` under a new fence; an expired claim gives way.
    ///
    /// # Errors
    /// [`CoordinationError::Claimed`] while a claim lasts, also one of the same holder (two processes may have one name);
    /// [`CoordinationError::NoSuchTask`]; the store failed.
    fn claim(&self, id: &TaskId, holder: &str, ttl: Duration) -> Result<Claim, CoordinationError>;

    /// Lets a claim last for `ttl` from now; works after its expiry as long as nobody else has claimed the task.
    ///
    /// # Errors
    /// [`CoordinationError::Fenced`], [`CoordinationError::NotClaimed`]; the store failed.
    fn renew(&self, id: &TaskId, fence: Fence, ttl: Duration) -> Result<Claim, CoordinationError>;

    /// Ends a claim.
    ///
    /// # Errors
    /// [`CoordinationError::Fenced`], [`CoordinationError::NotClaimed`]; the store failed.
    fn release(&self, id: &TaskId, fence: Fence) -> Result<(), CoordinationError>;

    /// Finds the claim on a task that has not expired.
    ///
    /// # Errors
    /// The store failed.
    fn claim_of(&self, id: &TaskId) -> Result<Option<Claim>, CoordinationError>;

    /// Puts a landing at the end of the queue of `target`.
    ///
    /// # Errors
    /// The store failed.
    fn enqueue(&self, target: &BranchName, landing: &Landing) -> Result<Ticket, CoordinationError>;

    /// Finds the landing whose turn it is.
    ///
    /// # Errors
    /// The store failed.
    fn head(&self, target: &BranchName) -> Result<Option<QueueEntry>, CoordinationError>;

    /// Lists the landings that wait for `target`, in the order of their turns.
    ///
    /// # Errors
    /// The store failed.
    fn queue(&self, target: &BranchName) -> Result<Vec<QueueEntry>, CoordinationError>;

    /// Finds a landing, waiting or finished.
    ///
    /// # Errors
    /// The store failed.
    fn landing(&self, ticket: Ticket) -> Result<Option<QueueEntry>, CoordinationError>;

    /// Finishes the landing whose turn it is; `fence` is the last one drawn for [`landing_resource`] of its target.
    ///
    /// # Errors
    /// [`CoordinationError::Fenced`] when another lander took over, [`CoordinationError::NotHead`],
    /// [`CoordinationError::Finished`], [`CoordinationError::NoSuchTicket`]; the store failed.
    fn finish(&self, ticket: Ticket, fence: Fence, outcome: &LandingOutcome)
    -> Result<(), CoordinationError>;

    /// Takes a waiting landing out of the queue, wherever it stands.
    ///
    /// # Errors
    /// [`CoordinationError::Finished`], [`CoordinationError::NoSuchTicket`]; the store failed.
    fn cancel(&self, ticket: Ticket) -> Result<(), CoordinationError>;
}

/// Tells a store the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The clock of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Why the store refused; nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum CoordinationError {
    /// No task has this id.
    #[error("no task has id `{0}`")]
    NoSuchTask(TaskId),
    /// Somebody else changed the task first.
    #[error("task `{}` is `{}` at revision {}, not as expected", current.id, current.state, current.rev)]
    Lost {
        /// The task as it is.
        current: Box<Task>,
    },
    /// Somebody has a claim that lasts.
    #[error("task `{task}` is claimed by `{holder}` until {expires_at}")]
    Claimed {
        /// The task.
        task: TaskId,
        /// Who has it.
        holder: String,
        /// When others may claim it.
        expires_at: Timestamp,
    },
    /// Nobody has a claim.
    #[error("task `{0}` is not claimed")]
    NotClaimed(TaskId),
    /// The holder was overtaken by a later one.
    #[error("fence {given} is not the current fence {current}")]
    Fenced {
        /// The fence that came with the request.
        given: Fence,
        /// The fence on record.
        current: Fence,
    },
    /// No landing has this ticket.
    #[error("no landing has ticket {0}")]
    NoSuchTicket(Ticket),
    /// It is another landing's turn.
    #[error("ticket {ticket} waits behind ticket {head}")]
    NotHead {
        /// The ticket given.
        ticket: Ticket,
        /// The one whose turn it is.
        head: Ticket,
    },
    /// The landing was finished or cancelled before.
    #[error("ticket {ticket} is finished")]
    Finished {
        /// The ticket given.
        ticket: Ticket,
        /// What became of it.
        outcome: LandingOutcome,
    },
    /// The store failed.
    #[error("the coordination store failed")]
    Store(#[from] StoreError),
}
