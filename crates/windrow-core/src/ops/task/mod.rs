//! Tasks: durable records of something to be done, shared by everybody who works in the repository.
//!
//! # Locking
//! None is held between two calls. A state changes only from the one that the caller expects; a claim is a lease of the task by
//! time, and whatever is changed under it carries its fence.
//!
//! # Crash safety
//! Each change is one durable transaction with its line of history. One whose answer was lost may be asked again.

mod error;

use std::time::Duration;

use windrow_model::Fence;

pub use self::error::TaskError;
use super::{error::StateError, pool::Pool};
use crate::store::{
    Claim, Coordination, CoordinationError, Fields, FieldsChange, NewTask, SqliteCoordination, StateChange,
    Task, TaskChange, TaskId, TaskState, merged,
};

/// Asks for a new task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRequest {
    /// One line for people.
    pub title: String,
    /// The state it begins in; `None` is the first one of the configuration.
    pub state: Option<TaskState>,
    /// Its fields.
    pub fields: Fields,
    /// Who creates it.
    pub actor: String,
}

/// What a change of a task says about its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateEdit {
    /// Nothing: it may be in any, and stays in it.
    Any,
    /// It must be in this one, and stays in it.
    In(TaskState),
    /// It must be in this one, and changes.
    Change {
        /// The state before.
        from: TaskState,
        /// The state after.
        to: TaskState,
    },
}

/// Asks for a change of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEdit {
    /// Its state.
    pub state: StateEdit,
    /// Fields to set, or to remove where they are null; the others stay.
    pub fields: Fields,
    /// Who changes it.
    pub actor: String,
    /// The fence of the claim under which it is changed; `None` for somebody who holds none.
    pub fence: Option<Fence>,
}

/// Asks for a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The task.
    pub task: TaskId,
    /// Who wants it.
    pub holder: String,
    /// How long the claim lasts from now.
    pub ttl: Duration,
    /// The fence of a claim that is to last longer; `None` makes a new one.
    pub fence: Option<Fence>,
}

/// A task with who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDetails {
    /// The task.
    pub task: Task,
    /// The claim on it that lasts.
    pub claim: Option<Claim>,
}

/// Creates a task under an id that no other has or will have.
///
/// # Errors
/// The configuration knows no such state, or the store failed.
pub fn create_task(pool: &Pool, request: &TaskRequest) -> Result<Task, TaskError> {
    let state = match &request.state {
        Some(state) => known(pool, state)?.clone(),
        None => first_state(pool),
    };
    let (title, fields, actor) = (request.title.clone(), request.fields.clone(), request.actor.clone());
    Ok(pool.coordination()?.create_task(&NewTask { title, state, fields, actor })?)
}

/// Lists tasks, all or those in one state, oldest first; empty when there are none.
///
/// # Errors
/// The store failed.
pub fn tasks(pool: &Pool, state: Option<&TaskState>) -> Result<Vec<TaskDetails>, TaskError> {
    let Some(store) = pool.coordination_if_any()? else { return Ok(Vec::new()) };
    let found = store.tasks(state)?.into_iter();
    found.map(|task| details(&store, task)).collect()
}

/// Finds one task.
///
/// # Errors
/// There is none, or the store failed.
pub fn task_details(pool: &Pool, id: &TaskId) -> Result<TaskDetails, TaskError> {
    let unknown = || CoordinationError::NoSuchTask(id.clone());
    let store = pool.coordination_if_any()?.ok_or_else(unknown)?;
    let task = store.task(id)?.ok_or_else(unknown)?;
    details(&store, task)
}

/// Changes a task, if it is in the state that the caller expects; returns it as it is then.
///
/// Without an expected state only fields change, those that are named; who changes others at the same time loses nothing.
///
/// # Errors
/// [`CoordinationError::Lost`] with the task as it is when somebody else was faster, [`CoordinationError::Fenced`] for a former
/// holder; the configuration knows no such state.
pub fn edit_task(pool: &Pool, id: &TaskId, edit: &TaskEdit) -> Result<Task, TaskError> {
    let (expected, next) = match &edit.state {
        StateEdit::Any => return edit_fields(&existing(pool, id)?, id, edit),
        StateEdit::In(state) => (state, state),
        StateEdit::Change { from, to } => (from, known(pool, to)?),
    };
    let store = existing(pool, id)?;
    let change = StateChange {
        expected: expected.clone(),
        next: next.clone(),
        fields: edit.fields.clone(),
        actor: edit.actor.clone(),
        fence: edit.fence,
    };
    Ok(store.set_state(id, &change)?)
}

/// Merges fields into whatever the task is; who was faster only makes us look again.
fn edit_fields(store: &SqliteCoordination, id: &TaskId, edit: &TaskEdit) -> Result<Task, TaskError> {
    let unknown = || CoordinationError::NoSuchTask(id.clone());
    let mut seen = store.task(id)?.ok_or_else(unknown)?;
    loop {
        let fields = merged(&seen.fields, &edit.fields);
        let change = FieldsChange { rev: seen.rev, fields, actor: edit.actor.clone(), fence: edit.fence };
        match store.set_fields(id, &change) {
            Err(CoordinationError::Lost { current }) => seen = *current,
            changed => return Ok(changed?),
        }
    }
}

/// Claims a task, or lets a claim last longer.
///
/// # Errors
/// Somebody has a claim that lasts, or the fence is a former holder's; there is no such task.
pub fn claim_task(pool: &Pool, request: &ClaimRequest) -> Result<Claim, TaskError> {
    let ClaimRequest { task, holder, ttl, fence } = request;
    let store = existing(pool, task)?;
    Ok(match fence {
        Some(fence) => store.renew(task, *fence, *ttl)?,
        None => store.claim(task, holder, *ttl)?,
    })
}

/// Ends a claim.
///
/// # Errors
/// Nobody has one, or somebody else has it by now.
pub fn release_task(pool: &Pool, id: &TaskId, fence: Fence) -> Result<(), TaskError> {
    Ok(existing(pool, id)?.release(id, fence)?)
}

/// Lists every revision of a task, oldest first.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn task_history(pool: &Pool, id: &TaskId) -> Result<Vec<TaskChange>, TaskError> {
    let unknown = || CoordinationError::NoSuchTask(id.clone());
    Ok(pool.coordination_if_any()?.ok_or_else(unknown)?.history(id)?)
}

/// The store for a change of a task that is there; nothing is made for one that is not.
fn existing(pool: &Pool, id: &TaskId) -> Result<SqliteCoordination, TaskError> {
    let present = pool.coordination_if_any()?.map(|store| store.task(id)).transpose()?.flatten();
    match present {
        Some(_) => Ok(pool.coordination()?),
        None => Err(CoordinationError::NoSuchTask(id.clone()).into()),
    }
}

fn details(store: &SqliteCoordination, task: Task) -> Result<TaskDetails, TaskError> {
    let claim = store.claim_of(&task.id)?;
    Ok(TaskDetails { task, claim })
}

fn known<'s>(pool: &Pool, state: &'s TaskState) -> Result<&'s TaskState, TaskError> {
    let states = &pool.settings().task.states;
    match states.iter().any(|known| known == state.as_str()) {
        true => Ok(state),
        false => Err(TaskError::UnknownState { state: state.clone(), known: states.clone() }),
    }
}

fn first_state(pool: &Pool) -> TaskState {
    let first = pool.settings().task.states.first().and_then(|state| state.parse().ok());
    first.expect("the configuration takes no list of states but one of good words")
}

impl From<crate::store::StoreError> for TaskError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(StateError::from(error))
    }
}
