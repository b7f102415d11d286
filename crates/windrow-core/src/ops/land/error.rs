//! Why nothing was landed. Unless it says otherwise, nothing of anybody's was changed.

use std::{io, path::PathBuf};

use bstr::BString;
use windrow_model::{BranchName, LandStrategy, Oid, RescueId, TicketNumber, TicketState, WorktreeName};

use super::outcome::{ConflictReport, Overlap, VerifyFailure};
use crate::{
    fs, git,
    ops::error::{AcquireError, OpenError, SelectError, StateError},
    process::SuperviseError,
};

/// Why nothing was landed.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// There is no such worktree.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// There is no such rescue.
    #[error("there is no rescue `{0}`")]
    UnknownRescue(RescueId),
    /// There is no such branch.
    #[error("there is no branch `{0}`")]
    UnknownBranch(BranchName),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// A commit or tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// It cannot be told what is in progress in a worktree.
    #[error(transparent)]
    Operations(#[from] git::OperationsError),
    /// What is not committed cannot be made a commit.
    #[error(transparent)]
    Snapshot(#[from] git::SnapshotError),
    /// The refs cannot be changed.
    #[error(transparent)]
    Ref(#[from] git::RefError),
    /// Nobody said where to land.
    #[error("it is not on record which branch this work began from")]
    NoTarget,
    /// Work is not landed on itself.
    #[error("branch `{0}` cannot be landed on itself")]
    OnItself(BranchName),
    /// The work has no commit yet.
    #[error("worktree `{0}` has no commit")]
    Unborn(WorktreeName),
    /// What is to be resolved has to lie in a worktree.
    #[error("what is to be landed is in no worktree in which a conflict can be resolved")]
    NotInAWorktree,
    /// Only a checkout can have something staged.
    #[error("`{0}` is checked out nowhere, so nothing can be left staged")]
    NotCheckedOut(BranchName),
    /// What lands as commits is nothing to be committed.
    #[error("`{0}` brings commits, so nothing can be left to be committed")]
    NeedsCommits(LandStrategy),
    /// Work is not committed.
    #[error("{} of worktree `{name}` not committed", self::paths(*count))]
    Uncommitted {
        /// The worktree.
        name: WorktreeName,
        /// How many.
        count: usize,
        /// The first of them.
        paths: Vec<BString>,
    },
    /// Some of what is not committed cannot be taken along.
    #[error("{} of worktree `{name}` unfit for a commit, the first is `{}`", self::paths(paths.len()), paths[0])]
    Uncommittable {
        /// The worktree.
        name: WorktreeName,
        /// They.
        paths: Vec<BString>,
    },
    /// The worktree is in the middle of something.
    #[error("worktree `{name}` is in the middle of {what}")]
    Unfinished {
        /// The worktree.
        name: WorktreeName,
        /// What, in words.
        what: String,
    },
    /// Both sides changed the same.
    #[error("`{}` and `{}` changed the same", .0.source.short(), .0.target)]
    Conflict(Box<ConflictReport>),
    /// The target has commits that the work has not.
    #[error("`{target}` cannot be fast-forwarded: it has commits that the work has not")]
    NotAhead {
        /// The target.
        target: BranchName,
    },
    /// The histories have nothing in common.
    #[error("`{target}` and commit {} have no history in common", source_oid.short())]
    Unrelated {
        /// The target.
        target: BranchName,
        /// The commit that was to be landed.
        source_oid: Oid,
    },
    /// Something of the user's is in the way.
    #[error("{} in the way in `{}`", self::paths(paths.len()), root.display())]
    Overlaps {
        /// The checkout.
        root: PathBuf,
        /// They, in order of path.
        paths: Vec<Overlap>,
    },
    /// The checkout is in the middle of something, or its index cannot be written by us.
    #[error("`{}` cannot be changed now: {why}", root.display())]
    Occupied {
        /// The checkout.
        root: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// The checkout is somebody's worktree.
    #[error("`{target}` is checked out in worktree `{name}`, in which somebody works")]
    Held {
        /// The target.
        target: BranchName,
        /// The worktree.
        name: WorktreeName,
    },
    /// The checkout cannot be seen from here.
    #[error("`{target}` is checked out at `{}`, which cannot be looked at", root.display())]
    Unseen {
        /// The target.
        target: BranchName,
        /// The checkout.
        root: PathBuf,
    },
    /// The file system cannot exchange files.
    #[error("the file system of `{}` cannot let files change places with those in `{}`", root.display(), room.display())]
    NoExchange {
        /// The checkout.
        root: PathBuf,
        /// Where the new files lie.
        room: PathBuf,
    },
    /// Somebody else holds the index.
    #[error("`{}` exists: another git is at work there, or one has died", .0.display())]
    IndexLocked(PathBuf),
    /// What the target would be did not stand its verification.
    #[error("{0}")]
    VerifyFailed(Box<VerifyFailure>),
    /// We were asked to end while it was verified.
    #[error("signal {signal} came while `{command}` ran")]
    Interrupted {
        /// What ran.
        command: String,
        /// What came.
        signal: i32,
    },
    /// There is no worktree to verify in.
    #[error("no worktree can be made to verify it in")]
    Trial(#[source] Box<AcquireError>),
    /// The verification could not be run.
    #[error("the verification cannot be run")]
    Supervise(#[source] SuperviseError),
    /// The target moved each time.
    #[error("`{target}` moved while it was being landed on")]
    Moved {
        /// The target.
        target: BranchName,
    },
    /// The new files could not be written.
    #[error("the new files cannot be written")]
    Files(#[from] fs::MaterialiseError),
    /// git could not write the new files.
    #[error("git cannot write the new files")]
    Stage(#[from] git::StageError),
    /// It cannot be told who has to write the new files.
    #[error(transparent)]
    Attributes(#[from] git::AttributesError),
    /// An index cannot be read or written.
    #[error(transparent)]
    Index(#[from] git::IndexError),
    /// A path that no checkout may hold.
    #[error(transparent)]
    Path(#[from] fs::TreePathError),
    /// A file or directory cannot be read or written.
    #[error("cannot read or write `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why the queue did not do what was asked. The tickets stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The repository or its configuration cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something keeps everything from landing.
    #[error(transparent)]
    Land(Box<LandError>),
    /// There is no such ticket.
    #[error("there is no ticket `{0}`")]
    Unknown(TicketNumber),
    /// It does not wait for its turn any more.
    #[error("ticket `{number}` cannot be cancelled: it is {state}")]
    NotWaiting {
        /// The ticket.
        number: TicketNumber,
        /// What it is.
        state: TicketState,
    },
    /// It was not over in time.
    #[error("ticket `{number}` is still {state}")]
    TimedOut {
        /// The ticket.
        number: TicketNumber,
        /// What it is.
        state: TicketState,
    },
    /// Another repository is found at the path.
    #[error("the repository at `{}` is another one now", root.display())]
    Moved {
        /// The path that was given.
        root: PathBuf,
    },
}

/// Why the target's commits did not come into a worktree. Its branch, index and files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// As a landing.
    #[error(transparent)]
    Land(Box<LandError>),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such worktree, or none in place.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// It is not on record which branch the work began from.
    #[error("it is not on record which branch this work began from")]
    NoTarget,
    /// HEAD is no branch.
    #[error("worktree `{0}` is on no branch")]
    Detached(WorktreeName),
    /// It is an overlay.
    #[error("the files of `{0}` are an overlay, which cannot be changed from outside")]
    Overlaid(WorktreeName),
    /// Another command is at it.
    #[error("another command is at worktree `{0}`")]
    Busy(WorktreeName),
    /// Both sides changed the same.
    #[error("`{}` and `{}` changed the same", .0.target, .0.source.short())]
    Conflict(Box<ConflictReport>),
    /// Something that is not committed is in the way.
    #[error("{} in the way in worktree `{name}`", self::paths(paths.len()))]
    Overlaps {
        /// The worktree.
        name: WorktreeName,
        /// They, in order of path.
        paths: Vec<Overlap>,
    },
}

impl From<LandError> for QueueError {
    fn from(error: LandError) -> Self {
        Self::Land(Box::new(error))
    }
}

impl From<LandError> for SyncError {
    fn from(error: LandError) -> Self {
        Self::Land(Box::new(error))
    }
}

impl From<crate::store::StoreError> for LandError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(error.into())
    }
}

fn paths(count: usize) -> String {
    if count == 1 { "1 path".to_owned() } else { format!("{count} paths") }
}
