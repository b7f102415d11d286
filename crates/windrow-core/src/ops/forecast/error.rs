//! Why there is no forecast.

use std::{io, path::PathBuf};

use windrow_model::BranchName;

use crate::{
    git,
    ops::error::{SelectError, StateError},
};

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such worktree.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// There is no such branch.
    #[error("there is no branch `{0}`")]
    UnknownBranch(BranchName),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// A commit or tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// There is no place for what is made on the way.
    #[error("cannot write in `{}`", path.display())]
    Aside {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl From<crate::store::StoreError> for ForecastError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(error.into())
    }
}
