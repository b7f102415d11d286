//! What can go wrong with tasks.

use crate::{
    ops::error::StateError,
    store::{CoordinationError, TaskState},
};

/// Why nothing was done about a task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store refused, or failed.
    #[error(transparent)]
    Coordination(#[from] CoordinationError),
    /// The configuration knows no such state.
    #[error("`{state}` is not a state of tasks here")]
    UnknownState {
        /// What was asked for.
        state: TaskState,
        /// The states there are.
        known: Vec<String>,
    },
}
