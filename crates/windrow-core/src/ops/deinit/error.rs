//! Why a repository was not left to plain git.

use std::{io, path::PathBuf};

use windrow_model::WorktreeName;

use crate::{
    fs, git,
    ops::error::{DropError, PoolError, ReconcileError, ReleaseError, StateError},
    process::LockError,
};

/// Why a repository was not left to plain git.
#[derive(Debug, thiserror::Error)]
pub enum DeinitError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The records, registrations or directories cannot be looked at.
    #[error(transparent)]
    Look(#[from] ReconcileError),
    /// A worktree that was held ready cannot be thrown away.
    #[error(transparent)]
    Spare(Box<PoolError>),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// A ref cannot be changed.
    #[error("cannot move the work in rescue `{rescue}`")]
    Ref {
        /// The rescue.
        rescue: String,
        /// What stood in the way.
        #[source]
        source: git::RefError,
    },
    /// A branch of the user's has the name that a rescue would get.
    #[error("cannot make rescue `{rescue}` a branch: `{branch}` is there already")]
    BranchTaken {
        /// The rescue.
        rescue: String,
        /// The branch.
        branch: String,
    },
    /// A rescue cannot be dropped.
    #[error(transparent)]
    Drop(#[from] DropError),
    /// An archive cannot be unpacked.
    #[error("cannot unpack the files of rescue `{rescue}`")]
    Archive {
        /// The rescue.
        rescue: String,
        /// What went wrong.
        #[source]
        source: fs::ArchiveError,
    },
    /// A worktree cannot be given back.
    #[error("cannot give worktree `{name}` back")]
    Release {
        /// The worktree.
        name: WorktreeName,
        /// What went wrong.
        #[source]
        source: Box<ReleaseError>,
    },
    /// The keeper does not go.
    #[error("the keeper, process {pid}, does not end")]
    Keeper {
        /// Its number.
        pid: u32,
    },
    /// Somebody else used the pool meanwhile; it stays.
    #[error("somebody used the pool meanwhile")]
    Meanwhile,
    /// A lock of ours cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or directory cannot be used.
    #[error("cannot use `{path}`", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
