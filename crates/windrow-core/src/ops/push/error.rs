//! Why nothing was pushed.

use windrow_model::{BranchName, WorktreeName};

use crate::{
    git,
    ops::{
        ConflictReport,
        error::{SelectError, StateError},
    },
};

/// Why nothing was pushed. Branches and worktrees are as they were.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such worktree.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// There is no such branch.
    #[error("there is no branch `{0}`")]
    UnknownBranch(BranchName),
    /// There is no such remote.
    #[error("there is no remote `{0}`")]
    UnknownRemote(String),
    /// The work has no commit yet.
    #[error("worktree `{0}` has no commit")]
    Unborn(WorktreeName),
    /// The work has no branch, and none at the remote was named.
    #[error("the work is on no branch")]
    Detached,
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// A commit or tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// git failed here.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// Files that only a hook uploads.
    #[error("files of this commit are kept by Git LFS, whose hook does not run")]
    NeedsHooks,
    /// Both sides changed the same.
    #[error("`{}` and `{}` of the remote changed the same", .0.source.short(), .0.target)]
    Conflict(Box<ConflictReport>),
    /// The histories have nothing in common.
    #[error("`{branch}` of `{remote}` and this work have no history in common")]
    Unrelated {
        /// The remote.
        remote: String,
        /// Its branch.
        branch: BranchName,
    },
    /// The remote does not want it.
    #[error("`{remote}` refuses `{branch}`: {reason}")]
    Refused {
        /// The remote.
        remote: String,
        /// Its branch.
        branch: BranchName,
        /// What was said.
        reason: String,
        /// Everything that was said.
        said: String,
    },
    /// The remote cannot be reached, or did not answer in time.
    #[error("`{remote}` cannot be reached")]
    Unreachable {
        /// The remote.
        remote: String,
        /// What happened last.
        #[source]
        source: git::GitError,
    },
    /// The remote's branch moved each time.
    #[error("`{branch}` of `{remote}` moved while it was being pushed to")]
    Moved {
        /// The remote.
        remote: String,
        /// Its branch.
        branch: BranchName,
    },
}

impl From<crate::store::StoreError> for PushError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(error.into())
    }
}
