//! One error type per operation. Messages are lower-case fragments that name what they are about; hints and exit codes
//! belong to the faces.

use std::{io, path::PathBuf};

use windrow_model::{
    BranchName, BranchTemplateError, Fence, LeaseKey, Oid, RescueId, SessionId, SpaceShortage, WorktreeName,
    WorktreeState,
};

use super::observer::HeldBy;
use crate::{config::ConfigError, fs, git, process, store::StoreError};

/// Why a pool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no usable repository.
    #[error(transparent)]
    Discover(#[from] git::DiscoverError),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Why the state of a pool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A directory of ours cannot be made or is not ours.
    #[error(transparent)]
    Directory(#[from] fs::DirectoryError),
    /// A file or directory of ours cannot be used.
    #[error("cannot use `{path}`", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The state was copied along with the repository: it describes another one.
    #[error("the state in `{path}` belongs to another repository, of which this one is a copy", path = path.display())]
    Copied {
        /// The state directory.
        path: PathBuf,
    },
    /// A lock of ours cannot be taken.
    #[error(transparent)]
    Lock(#[from] process::LockError),
    /// The state of a process cannot be read.
    #[error("cannot tell whether process {pid} lives")]
    Liveness {
        /// The process.
        pid: u32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The trash cannot be emptied.
    #[error(transparent)]
    Trash(#[from] fs::TrashError),
    /// What a dead command left behind cannot be ended.
    #[error(transparent)]
    Kill(#[from] process::KillError),
}

/// Why no worktree was made in the place chosen for it.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The administrative directory could not be made.
    #[error(transparent)]
    Admin(#[from] git::AdminError),
    /// The branch could not be made.
    #[error("cannot create branch `{branch}`")]
    Branch {
        /// The branch.
        branch: BranchName,
        /// What stood in the way.
        #[source]
        source: git::RefError,
    },
    /// Something lies where the worktree should be.
    #[error("`{path}` is already there", path = path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The directory for worktrees cannot be used.
    #[error(transparent)]
    Directory(#[from] fs::DirectoryError),
    /// A file or directory cannot be made or read.
    #[error("cannot make or read `{path}`", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk is too full.
    #[error("no room for a worktree at `{path}`: {shortage}", path = path.display())]
    Space {
        /// Where it was to be.
        path: PathBuf,
        /// What is missing.
        shortage: SpaceShortage,
    },
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// The files could not be written.
    #[error(transparent)]
    Materialise(#[from] fs::MaterialiseError),
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] git::IndexError),
    /// Untracked files could not be taken along.
    #[error(transparent)]
    Carry(#[from] fs::CarryError),
    /// It cannot be told who has to write the files.
    #[error(transparent)]
    Attributes(#[from] git::AttributesError),
    /// git could not write the files.
    #[error(transparent)]
    Checkout(#[from] git::CheckoutError),
    /// What was made is not what was asked for.
    #[error("the new worktree is not what the commit holds")]
    Unverified(#[source] git::VerifyError),
}

/// Why worktrees are not held ready, or not fewer of them.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The repository or its configuration cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The base names no commit.
    #[error(transparent)]
    Base(#[from] git::ResolveError),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// A worktree could not be made.
    #[error(transparent)]
    Create(Box<CreateError>),
    /// There is nothing to start from.
    #[error("`{path}` has no commit yet", path = repository.display())]
    Unborn {
        /// The repository.
        repository: PathBuf,
    },
    /// Filters, line endings, a sparse checkout or a partial clone: git has to write the files each time.
    #[error("only git itself can check this repository out, so no worktree can be held ready")]
    NeedsGit,
    /// The configuration wants no template.
    #[error("no template can be made: `pool.templates` is 0, or `pool.strategy` is \"checkout\"")]
    NoTemplate,
    /// No name could be made.
    #[error("cannot make a name from `{name}`")]
    Name {
        /// What it was made from.
        name: String,
    },
    /// What somebody wrote into a worktree that was held ready cannot be saved.
    #[error("cannot save what somebody wrote into `{name}`: {said}")]
    Unsaved {
        /// The worktree.
        name: WorktreeName,
        /// Why.
        said: String,
    },
    /// Another repository is found at the path.
    #[error("the repository at `{path}` is another one now", path = root.display())]
    Moved {
        /// The path that was given.
        root: PathBuf,
    },
    /// The process in the background cannot be started.
    #[error("cannot start the process that makes worktrees")]
    Helper {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl From<CreateError> for PoolError {
    fn from(error: CreateError) -> Self {
        Self::Create(Box::new(error))
    }
}

/// Why no lease was given.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git is too old or not there.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The base names no commit.
    #[error(transparent)]
    Base(#[from] git::ResolveError),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// The repository has no commit yet.
    #[error("the repository at `{path}` has no commit yet", path = repository.display())]
    Unborn {
        /// The repository.
        repository: PathBuf,
    },
    /// The template gives no branch.
    #[error(transparent)]
    Template(#[from] BranchTemplateError),
    /// It is an overlay, and whoever asks could only be told its path.
    #[error("the files of `{name}` are an overlay, which `windrow run`, `exec` and `shell` alone show")]
    Unseen {
        /// The worktree.
        name: WorktreeName,
    },
    /// A worktree of that name is in use.
    #[error("worktree `{name}` is {state}")]
    NameTaken {
        /// The name.
        name: WorktreeName,
        /// Its state.
        state: WorktreeState,
    },
    /// The branch is checked out.
    #[error("branch `{branch}` is already checked out at `{path}`", path = path.display())]
    BranchInUse {
        /// The branch.
        branch: BranchName,
        /// Where.
        path: PathBuf,
    },
    /// The branch is there, so a base for it makes no sense.
    #[error("branch `{branch}` exists already, so no base can be given for it")]
    BranchExists {
        /// The branch.
        branch: BranchName,
    },
    /// The worktree is there, on another branch than the one asked for.
    #[error("worktree `{name}` is there already, on another branch than the one asked for")]
    OtherBranch {
        /// The worktree.
        name: WorktreeName,
    },
    /// Somebody who lives holds the key.
    #[error("key `{key}` is held by {holder}")]
    KeyHeld {
        /// The key.
        key: LeaseKey,
        /// Who holds it, in words.
        holder: String,
    },
    /// Something still uses the worktree of a dead holder.
    #[error("worktree `{name}` of a dead holder is still in use by {occupants}")]
    StillOccupied {
        /// The worktree.
        name: WorktreeName,
        /// Who uses it, in words.
        occupants: String,
    },
    /// No block of ports is left.
    #[error("no {count} free ports in a row are left in {range}")]
    NoPorts {
        /// How many each worktree has.
        count: u16,
        /// Where they are taken from.
        range: windrow_model::PortRange,
    },
    /// The pool is full.
    #[error("all {max} worktrees are in use")]
    Exhausted {
        /// The cap.
        max: u32,
        /// Who holds them.
        holders: Vec<HeldBy>,
    },
    /// The process that should hold the lease does not exist.
    #[error("process {pid} does not exist")]
    NoSuchProcess {
        /// Its number.
        pid: u32,
    },
    /// The session that should hold the lease is not there.
    #[error("no session of this repository has id `{0}`")]
    UnknownSession(SessionId),
    /// The session that should hold the lease was ended, or its process or its time is over.
    #[error("session `{0}` has ended")]
    EndedSession(SessionId),
    /// The worktree could not be made; everything begun was undone.
    #[error("cannot create worktree `{name}`")]
    Create {
        /// Its name.
        name: WorktreeName,
        /// What went wrong.
        #[source]
        source: Box<CreateError>,
    },
}

/// Why a selector selects nothing.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no such worktree.
    #[error("there is no worktree {what}")]
    Unknown {
        /// How it was named, in words.
        what: String,
    },
    /// The worktree is there but nobody holds it.
    #[error("worktree `{name}` is {state}, not leased")]
    NotLeased {
        /// The worktree.
        name: WorktreeName,
        /// Its state.
        state: WorktreeState,
    },
    /// The directory is gone, or it is not the one that was made.
    #[error("worktree `{name}` is no longer there as it was made")]
    Lost {
        /// The worktree.
        name: WorktreeName,
    },
    /// It is an overlay, which cannot be shown to us.
    #[error("the files of `{name}` are an overlay, which cannot be shown here")]
    Unseen {
        /// The worktree.
        name: WorktreeName,
    },
}

/// Why a worktree's work could not be proven to be saved.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// They are an overlay.
    #[error("its files are an overlay, which is not shown here")]
    Unseen,
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The snapshot failed.
    #[error(transparent)]
    Snapshot(#[from] git::SnapshotError),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] git::IndexError),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// Operations in progress cannot be read.
    #[error(transparent)]
    Operations(#[from] git::OperationsError),
    /// Submodules cannot be looked at.
    #[error(transparent)]
    Submodules(#[from] git::SubmodulesError),
    /// A pattern of the configuration is wrong.
    #[error(transparent)]
    Pattern(#[from] fs::PatternError),
    /// The files could not be written back.
    #[error(transparent)]
    Materialise(#[from] fs::MaterialiseError),
    /// A ref could not be moved.
    #[error(transparent)]
    Ref(#[from] git::RefError),
    /// The files cannot all be seen.
    #[error(transparent)]
    Scan(#[from] fs::ScanError),
    /// The archive could not be written.
    #[error(transparent)]
    Archive(#[from] fs::ArchiveError),
    /// What was carried cannot be compared.
    #[error(transparent)]
    Carry(#[from] fs::CarryError),
    /// A file or the file system cannot be read or synced.
    #[error("cannot read or sync `{path}`", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The records cannot be read or written.
    #[error(transparent)]
    Records(#[from] StateError),
    /// Something that no rescue can hold.
    #[error("{0}")]
    Unsavable(String),
    /// The directory is not the one that was handed out.
    #[error("{0}")]
    Identity(String),
}

/// Why a lease did not end.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No such lease.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The caller's lease is an older one.
    #[error("lease of `{name}` has fence {current}, not {given}")]
    Fenced {
        /// The worktree.
        name: WorktreeName,
        /// What was given.
        given: Fence,
        /// What is valid.
        current: Fence,
    },
    /// Another process works on it, or its command is running.
    #[error("worktree `{name}` is in use by {by}")]
    Busy {
        /// The worktree.
        name: WorktreeName,
        /// Who, in words.
        by: String,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
}

/// Why a session was not started, found or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is none of that id here.
    #[error("no session of this repository has id `{0}`")]
    Unknown(SessionId),
    /// The process that it should end with does not exist.
    #[error("process {pid} does not exist")]
    NoSuchProcess {
        /// Its number.
        pid: u32,
    },
    /// Nothing that it could end with can be seen.
    #[error("the process that called this one cannot be seen")]
    NoCaller,
}

/// Why a lease was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// No such lease.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The caller's lease is an older one.
    #[error("lease of `{name}` has fence {current}, not {given}")]
    Fenced {
        /// The worktree.
        name: WorktreeName,
        /// What was given.
        given: Fence,
        /// What is valid.
        current: Fence,
    },
}

/// Why a command could not be run in a worktree.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No such worktree.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// No lease was given.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The command could not be started or watched.
    #[error(transparent)]
    Supervise(#[from] process::SuperviseError),
    /// The worktree could not be given back.
    #[error(transparent)]
    Release(Box<ReleaseError>),
}

/// Why a run failed by itself, not through its command.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No lease was given.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The command could not be started or watched; the worktree was given back.
    #[error(transparent)]
    Supervise(#[from] process::SuperviseError),
    /// The worktree could not be given back; it stays.
    #[error(transparent)]
    Release(Box<ReleaseError>),
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No such worktree.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] git::HeadError),
    /// No such rescue.
    #[error("there is no rescue `{0}`")]
    UnknownRescue(RescueId),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] fs::ArchiveError),
    /// Something of the system cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a rescue was not dropped.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// No such rescue.
    #[error("there is no rescue `{0}`")]
    Unknown(RescueId),
    /// Its ref could not be deleted.
    #[error(transparent)]
    Ref(#[from] git::RefError),
    /// Its archive could not be deleted.
    #[error("cannot delete `{path}`", path = path.display())]
    Io {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why trash was not emptied.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The trash cannot be looked at.
    #[error(transparent)]
    Trash(#[from] fs::TrashError),
    /// The sweepers' lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] process::LockError),
}

/// Why a rescue was not brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// No such rescue.
    #[error("there is no rescue `{0}`")]
    Unknown(RescueId),
    /// No worktree was made for it.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// Its files could not be brought back; the new worktree was removed and the rescue stays.
    #[error("cannot bring back rescue `{rescue}`")]
    Files {
        /// The rescue.
        rescue: RescueId,
        /// What went wrong.
        #[source]
        source: Box<RescueError>,
    },
}

impl From<ReleaseError> for ExecError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

impl From<ReleaseError> for RunError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

/// An error with its sources, for the record of a quarantine.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Why records and disk were not reconciled.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// A commit or tree cannot be read.
    #[error(transparent)]
    Tree(#[from] git::ObjectError),
    /// A file or directory cannot be read or written.
    #[error("cannot read or write `{path}`", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The commit of a rescue is based on nothing.
    #[error("commit {commit} is no snapshot of rescue `{rescue}`")]
    NoSnapshot {
        /// The rescue.
        rescue: RescueId,
        /// The commit.
        commit: Oid,
    },
    /// Nothing tells which worktree a rescue is of.
    #[error("nothing names the worktree of rescue `{rescue}`")]
    Nameless {
        /// The rescue.
        rescue: RescueId,
    },
}

/// Why nothing was pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::GitError),
}
