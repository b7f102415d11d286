//! What operations return: facts, not text. The command line, JSON and every other face render the same types.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use bstr::BString;
use jiff::Timestamp;
use windrow_model::{
    BranchName, Disposable, Drift, Holder, LeaseRecord, Oid, RescueRecord, SeedTool, WorktreeName,
    WorktreeRecord,
};

use super::{
    land::{LandError, Landed},
    push::{PushError, Pushed},
};
use crate::process::{Exit, Straggler};

/// How a lease came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A new worktree.
    Created,
    /// The same lease again, by its key.
    Same,
    /// From a dead holder, files untouched.
    TakenOver,
    /// A kept worktree, files untouched.
    Reattached,
}

/// What was taken along from the main worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrySummary {
    /// How many files, links and directories.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// What was asked for but not taken, with the reason.
    pub skipped: Vec<(BString, String)>,
}

/// What became of taking one build cache along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Whose cache it is.
    pub tool: SeedTool,
    /// Where it lies in the main worktree, and in this one.
    pub path: BString,
    /// What became of it.
    pub fate: SeedFate,
}

/// What became of taking one build cache along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedFate {
    /// It is there.
    Taken(SeedFigures),
    /// It is not, for this reason.
    Left(String),
}

/// The figures of a build cache that came along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedFigures {
    /// How many files and links.
    pub files: u64,
    /// Bytes on the same blocks as in the main worktree.
    pub shared_bytes: u64,
    /// Bytes that were copied.
    pub copied_bytes: u64,
    /// Compiled units that stayed behind, because the path of the main worktree is in them.
    pub left_behind: u64,
    /// Build scripts that run again because they do not say what they read, and something differs.
    pub run_again: u64,
    /// Sources that are as in the main worktree.
    pub same: u64,
    /// Sources that count as changed.
    pub changed: u64,
    /// The symbolic link for whose sake all of them do.
    pub astray: Option<BString>,
}

/// Variables for the caller's command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentChange {
    /// To set, in order of name.
    pub set: Vec<(OsString, OsString)>,
    /// To unset, in order of name.
    pub unset: Vec<OsString>,
}

/// A worktree and its live lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The worktree.
    pub worktree: WorktreeRecord,
    /// The lease.
    pub lease: LeaseRecord,
    /// How it came about.
    pub provenance: Provenance,
    /// What was taken along.
    pub carried: CarrySummary,
    /// Build caches that were taken along, or not.
    pub seeds: Vec<Seed>,
    /// What the caller should set and unset for a command in it.
    pub environment: EnvironmentChange,
    /// What the user should know, one line each.
    pub notices: Vec<String>,
}

/// A worktree that was taken into care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The worktree, which is kept.
    pub worktree: WorktreeRecord,
    /// When what it holds is saved and it is removed, unless somebody takes it up.
    pub keep_until: Timestamp,
    /// What the user should know, one line each.
    pub notices: Vec<String>,
}

/// What the commits of a worktree amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkSummary {
    /// Commits since the base.
    pub commits: u64,
    /// Files changed by them.
    pub files: u64,
    /// Lines added by them.
    pub added: u64,
    /// Lines deleted by them.
    pub deleted: u64,
}

/// A directory that was dropped because it can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its path in the worktree.
    pub path: BString,
    /// Why it may go.
    pub why: Disposable,
}

/// What became of a worktree's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchFate {
    /// There was none.
    None,
    /// It stays, at this commit.
    Stays(BranchName, Oid),
    /// It was deleted, because it held nothing of its own or by policy.
    Deleted(BranchName, Oid),
}

/// What became of a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorktreeFate {
    /// It is gone.
    Removed,
    /// It is gone, and its files were already, so nobody knows what of them was unsaved.
    Vanished,
    /// It stays until then.
    Kept(Timestamp),
    /// It stays, because this could not be proven or saved.
    Quarantined(String),
}

/// The end of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The worktree as it was.
    pub worktree: WorktreeRecord,
    /// What became of it.
    pub fate: WorktreeFate,
    /// What its commits amount to.
    pub work: WorkSummary,
    /// How many paths had uncommitted, untracked or ignored work.
    pub unsaved: u64,
    /// Where that work is now.
    pub rescue: Option<RescueRecord>,
    /// What was dropped because it can be made again.
    pub dropped: Vec<Dropped>,
    /// What became of the branch.
    pub branch: BranchFate,
    /// What of everybody's is not as it was when the lease was given.
    pub drift: Vec<Drift>,
    /// Who else had a worktree meanwhile; empty without drift.
    pub meanwhile: Vec<HeldThen>,
}

/// A lease that lived at the same time as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldThen {
    /// Its worktree.
    pub worktree: WorktreeName,
    /// Who had it.
    pub holder: Holder,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` when it still lives.
    pub until: Option<Timestamp>,
}

/// How a command ended, with everything around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Exit code or signal.
    pub exit: Exit,
    /// It was ended because its time was over.
    pub timed_out: bool,
    /// The signal that we got and handed on.
    pub interrupted: Option<i32>,
    /// Processes it left behind, which were ended.
    pub stragglers: Vec<Straggler>,
    /// How long it ran.
    pub elapsed: Duration,
    /// The log of its output.
    pub log: Option<PathBuf>,
}

/// What became of the commits of a run that was to land them.
#[derive(Debug)]
pub enum RanLanding {
    /// Nobody asked.
    NotAsked,
    /// The command failed, so nothing was landed.
    CommandFailed,
    /// It went well.
    Landed(Box<Landed>),
    /// It did not; the commits are on their branch.
    Refused(Box<LandError>),
}

/// What became of the commits of a run that was to push them.
#[derive(Debug)]
pub enum RanPush {
    /// Nobody asked.
    NotAsked,
    /// The command failed, so nothing was pushed.
    CommandFailed,
    /// It went well.
    Pushed(Box<Pushed>),
    /// It did not; the commits are on their branch.
    Refused(Box<PushError>),
}

/// The whole of a run.
#[derive(Debug)]
pub struct Ran {
    /// The lease it ran under.
    pub leased: Leased,
    /// How the command ended.
    pub finished: Finished,
    /// What became of its commits.
    pub landing: RanLanding,
    /// Whether the remote has them.
    pub push: RanPush,
    /// What became of the worktree.
    pub released: Released,
}

/// A worktree with its lease, as `list` and `show` see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The worktree.
    pub worktree: WorktreeRecord,
    /// Its live lease.
    pub lease: Option<LeaseRecord>,
}

/// Everything `show` tells of one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The worktree and its lease.
    pub entry: Entry,
    /// The commit its HEAD is at and the branch it is on now; `None` where that cannot be read.
    pub head: Option<(Oid, Option<BranchName>)>,
    /// Its commits.
    pub work: WorkSummary,
    /// Uncommitted and untracked paths, by git's status; ignored ones are not counted.
    pub uncommitted: u64,
    /// Processes that use it: number, command and how.
    pub occupants: Vec<crate::process::Occupant>,
    /// Log files of its commands, newest first.
    pub logs: Vec<PathBuf>,
}

/// A restored rescue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new worktree and its lease.
    pub leased: Leased,
    /// The rescue it came from.
    pub rescue: RescueRecord,
    /// How many paths were brought back.
    pub paths: u64,
}
