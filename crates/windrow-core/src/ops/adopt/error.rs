//! Why a worktree was not adopted.

use std::{io, path::PathBuf};

use bstr::BString;
use windrow_model::{BranchName, WorktreeName};

use crate::{fs, git, ops::error::StateError};

/// Why a worktree was not taken into care.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// Its HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// It, or the directory around it, belongs to others or is open to them.
    #[error(transparent)]
    Directory(#[from] fs::DirectoryError),
    /// A file or directory cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing is there.
    #[error("`{path}` is not there", path = path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// It is the main worktree, or the repository itself.
    #[error("`{path}` is the repository's own, not a linked worktree", path = path.display())]
    Main {
        /// The path.
        path: PathBuf,
    },
    /// It is not the root of a worktree.
    #[error("`{path}` is not the root of a linked worktree", path = path.display())]
    NoRoot {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to another repository, or is one.
    #[error("`{path}` belongs to another repository: its git directory is `{git_dir}`", path = path.display(), git_dir = git_dir.display())]
    OtherRepository {
        /// The path.
        path: PathBuf,
        /// What its `.git` is or names.
        git_dir: PathBuf,
    },
    /// The worktree and git's registration do not name each other.
    #[error("`{path}` and git's registration do not agree: {said}", path = path.display())]
    Broken {
        /// The path.
        path: PathBuf,
        /// What does not agree.
        said: String,
    },
    /// It is linked by a relative path.
    #[error("`{path}` is linked by a relative path", path = path.display())]
    Relative {
        /// The path.
        path: PathBuf,
    },
    /// It is in our care already.
    #[error("`{path}` is worktree `{name}` already", path = path.display())]
    Ours {
        /// Its name.
        name: WorktreeName,
        /// The path.
        path: PathBuf,
    },
    /// We made it, but its record is lost.
    #[error("`{path}` bears windrow's mark and is on no record", path = path.display())]
    Unrecorded {
        /// The path.
        path: PathBuf,
    },
    /// Somebody locked it.
    #[error("`{path}` is locked{}", said_about(reason), path = path.display())]
    Locked {
        /// The path.
        path: PathBuf,
        /// The reason, which may be empty.
        reason: BString,
    },
    /// It has no commit.
    #[error("HEAD of `{path}` has no commit", path = path.display())]
    Unborn {
        /// The path.
        path: PathBuf,
    },
    /// Another worktree has the name.
    #[error("worktree `{name}` is there already")]
    NameTaken {
        /// The name.
        name: WorktreeName,
    },
    /// Another worktree of the pool has its branch on record.
    #[error("branch `{branch}` is on record for worktree `{worktree}`")]
    BranchInUse {
        /// The branch.
        branch: BranchName,
        /// The other worktree.
        worktree: WorktreeName,
    },
}

fn said_about(reason: &BString) -> String {
    if reason.is_empty() { String::new() } else { format!(": `{}`", reason.to_string().escape_debug()) }
}
