//! What can go wrong with the records.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{ErrorCode, ffi};
use windrow_model::{
    BranchName, Fence, IllegalTransition, LandingId, LeaseId, LeaseKey, RescueId, SessionId, TicketNumber,
    WorktreeId, WorktreeName, WorktreeState,
};

/// Why the records could not be read or changed; nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database, and the access does not allow making one.
    #[error("no state database at `{}`", path.display())]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// The file is no database, is damaged, or is somebody else's database.
    #[error("state database `{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// A later version of Windrow wrote it, so this one may only read it.
    #[error("state database `{}` has schema {found}, newer than {known}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
    /// It was written by an older version and cannot be migrated by a reader.
    #[error("state database `{}` has schema {found}, older than {known}, and was opened only to read", path.display())]
    Older {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
    /// Somebody else kept it locked beyond the limit.
    #[error("state database `{}` stayed locked by another process", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// The file system is full, even without the reserve.
    #[error("no space left to write state database `{}`", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// The file, its directory or this access allows no writing.
    #[error("state database `{}` cannot be written", path.display())]
    NotWritable {
        /// The database file.
        path: PathBuf,
    },
    /// The file could not be opened.
    #[error("cannot open state database `{}`", path.display())]
    CannotOpen {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The SQLite inside this program has a bug that can lose data.
    #[error("SQLite {found} is older than {needed}, which is needed for a safe write-ahead log")]
    SqliteTooOld {
        /// The version found.
        found: String,
        /// The lowest version that is safe.
        needed: &'static str,
    },
    /// SQLite failed in another way.
    #[error("cannot {doing} in state database `{}`", path.display())]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot migrate state database `{}`", path.display())]
    Migration {
        /// The database file.
        path: PathBuf,
        /// What failed.
        #[source]
        source: Box<refinery::Error>,
    },
    /// A file beside the database could not be handled.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No landing has this id.
    #[error("no landing has id `{0}`")]
    NoSuchLanding(LandingId),
    /// A landing cannot take this event in its state.
    #[error(transparent)]
    IllegalLanding(windrow_model::IllegalLanding),
    /// No ticket has this number.
    #[error("there is no ticket `{0}`")]
    NoSuchTicket(TicketNumber),
    /// A ticket cannot take this event in its state.
    #[error(transparent)]
    IllegalTicket(windrow_model::IllegalTicket),
    /// A number does not fit the database.
    #[error("{what} {value} does not fit a record")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u128,
    },
    /// No worktree has this id.
    #[error("no worktree has id `{0}`")]
    NoSuchWorktree(WorktreeId),
    /// A worktree or its id is already recorded.
    #[error("worktree id `{0}` is already recorded")]
    WorktreeExists(WorktreeId),
    /// A new worktree begins in another state than creating.
    #[error("a new worktree is recorded as creating, not as {0}")]
    NotCreating(WorktreeState),
    /// A worktree that is not gone has the name.
    #[error("name `{0}` is taken by another worktree")]
    NameTaken(WorktreeName),
    /// A worktree that is not gone has the path.
    #[error("path `{}` is taken by another worktree", .0.display())]
    PathTaken(PathBuf),
    /// A worktree that is not gone is on the branch.
    #[error("branch `{branch}` is checked out by worktree `{worktree}`")]
    BranchTaken {
        /// The branch.
        branch: BranchName,
        /// The worktree that is on it.
        worktree: WorktreeName,
    },
    /// The event cannot happen in the worktree's state.
    #[error("worktree `{worktree}`: {illegal}")]
    Illegal {
        /// The worktree.
        worktree: WorktreeName,
        /// The refused transition.
        illegal: IllegalTransition,
    },
    /// No lease has this id.
    #[error("no lease has id `{0}`")]
    NoSuchLease(LeaseId),
    /// The lease's id is already recorded.
    #[error("lease id `{0}` is already recorded")]
    LeaseExists(LeaseId),
    /// The lease has ended.
    #[error("lease `{0}` has ended")]
    LeaseEnded(LeaseId),
    /// The worktree has a live lease.
    #[error("worktree `{worktree}` is already leased by `{lease}`")]
    AlreadyLeased {
        /// The worktree.
        worktree: WorktreeId,
        /// Its live lease.
        lease: LeaseId,
    },
    /// A live lease has the key.
    #[error("key `{key}` is already held by lease `{lease}`")]
    KeyTaken {
        /// The key.
        key: LeaseKey,
        /// The live lease that has it.
        lease: LeaseId,
    },
    /// The holder was overtaken by a later one.
    #[error("fence {given} is not the current fence {current}")]
    Fenced {
        /// The fence that came with the request.
        given: Fence,
        /// The fence on record.
        current: Fence,
    },
    /// The rescue's id is already recorded.
    #[error("rescue `{0}` is already recorded")]
    RescueExists(RescueId),
    /// No rescue has this id.
    #[error("no rescue has id `{0}`")]
    NoSuchRescue(RescueId),
    /// The session's id is already recorded.
    #[error("session `{0}` is already recorded")]
    SessionExists(SessionId),
    /// No session has this id.
    #[error("no session of this repository has id `{0}`")]
    NoSuchSession(SessionId),
    /// The session has ended.
    #[error("session `{0}` has ended")]
    SessionEnded(SessionId),
}

impl StoreError {
    /// Sorts what SQLite said by its code, never by its text.
    pub(super) fn of(source: rusqlite::Error, doing: &'static str, path: &Path) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly) => Self::NotWritable { path },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { path, source },
            Some(ErrorCode::NotADatabase) => Self::Corrupt { path, reason: "it is not a database" },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, reason: "its pages are malformed" },
            Some(ErrorCode::SystemIoFailure) if is_short_read(&source) => {
                Self::Corrupt { path, reason: "it ends too early" }
            }
            _ => Self::Sqlite { doing, path, source },
        }
    }

    /// Wraps a failure of the operating system.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

fn is_short_read(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|inner| inner.extended_code == ffi::SQLITE_IOERR_SHORT_READ)
}
