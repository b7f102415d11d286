//! What keeps a batch from beginning.

use windrow_model::BatchId;

use crate::ops::error::{SelectError, StateError};

/// Why a batch did not begin, or could not be recorded. What goes wrong with one task is its result, no error.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// What former calls left cannot be looked up.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Two tasks have one key.
    #[error("two tasks have the key `{key}`")]
    SameKey {
        /// The key.
        key: String,
    },
    /// A task depends on one that is not there.
    #[error("task `{key}` depends on `{after}`, which is not among the tasks")]
    UnknownPredecessor {
        /// The task.
        key: String,
        /// What it names.
        after: String,
    },
    /// Tasks depend on each other in a circle.
    #[error("task `{key}` depends on itself, by way of others")]
    Circle {
        /// One of them.
        key: String,
    },
    /// Another process works on the batch.
    #[error("batch `{batch}` is being worked on by another process")]
    Running {
        /// The batch.
        batch: BatchId,
    },
    /// There is nothing to continue.
    #[error("there is no batch `{batch}` to resume")]
    NothingToResume {
        /// The batch.
        batch: BatchId,
    },
}

impl From<crate::store::StoreError> for MapError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(StateError::from(error))
    }
}
