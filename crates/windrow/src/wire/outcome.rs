//! What operations did, on the wire: carried files, ended commands, released worktrees.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::{
    ops::{self, BranchFate, CarrySummary, EnvironmentChange, Finished, Released, WorkSummary, WorktreeFate},
    process,
};
use windrow_model as model;

use super::{
    Bytes, Time,
    guard::{Drift, HeldThen},
    worktree::{Rescue, Worktree},
};

/// What was taken along from the main checkout.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Carried {
    /// How many files, links and directories.
    files: u64,
    /// Their content.
    size_bytes: u64,
    /// What was asked for but not taken.
    skipped: Vec<Skipped>,
}

/// A path that was not taken along.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Skipped {
    /// The path in the repository.
    path: Bytes,
    /// Why, in words.
    reason: String,
}

impl From<&CarrySummary> for Carried {
    fn from(summary: &CarrySummary) -> Self {
        let skipped = |(path, reason): &(bstr::BString, String)| Skipped {
            path: Bytes::new(path),
            reason: reason.clone(),
        };
        Self {
            files: summary.files,
            size_bytes: summary.bytes,
            skipped: summary.skipped.iter().map(skipped).collect(),
        }
    }
}

/// Variables to set for a command in the worktree, by name.
pub(crate) fn env_set(change: &EnvironmentChange) -> BTreeMap<String, Bytes> {
    // The names are ours, and ASCII.
    change.set.iter().map(|(name, value)| (name.to_string_lossy().into_owned(), Bytes::os(value))).collect()
}

/// Variables to unset for a command in the worktree.
pub(crate) fn env_unset(change: &EnvironmentChange) -> Vec<Bytes> {
    change.unset.iter().map(|name| Bytes::os(name)).collect()
}

/// Whose an exit code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExitOrigin {
    /// The command's.
    Child,
    /// Windrow's own.
    Windrow,
}

/// How a run ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Exit {
    /// Whose the code is.
    pub(crate) origin: ExitOrigin,
    /// The exit code of this program.
    pub(crate) code: u8,
    /// The signal that ended the command.
    pub(crate) signal: Option<i32>,
    /// Whether the command was ended because its time was over.
    pub(crate) timed_out: bool,
    /// The signal that we were sent and handed on.
    pub(crate) interrupted: Option<i32>,
    /// How long the command ran; null when it did not.
    pub(crate) elapsed_seconds: Option<f64>,
}

impl Exit {
    /// The end of a command; `code` is what this program exits with.
    pub(crate) fn child(finished: &Finished, code: u8) -> Self {
        let signal = match finished.exit {
            process::Exit::Code(_) => None,
            process::Exit::Signal(signal) => Some(signal),
        };
        Self {
            origin: ExitOrigin::Child,
            code,
            signal,
            timed_out: finished.timed_out,
            interrupted: finished.interrupted,
            elapsed_seconds: Some(finished.elapsed.as_secs_f64()),
        }
    }

    /// A failure of our own.
    pub(crate) fn windrow(code: u8) -> Self {
        Self {
            origin: ExitOrigin::Windrow,
            code,
            signal: None,
            timed_out: false,
            interrupted: None,
            elapsed_seconds: None,
        }
    }
}

/// A process that a command left behind and that was ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Straggler {
    /// Its number.
    pid: u32,
    /// What it ran.
    command: String,
    /// What it took.
    ended_by: EndedBy,
}

/// What it took to end a process.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedBy {
    /// It went after SIGTERM.
    Term,
    /// It had to be killed.
    Kill,
    /// It could not be ended from here.
    Nothing,
}

impl From<&process::Straggler> for Straggler {
    fn from(straggler: &process::Straggler) -> Self {
        let ended_by = match straggler.ended_by {
            process::EndedBy::Term => EndedBy::Term,
            process::EndedBy::Kill => EndedBy::Kill,
            process::EndedBy::Nothing => EndedBy::Nothing,
        };
        Self { pid: straggler.pid, command: straggler.command.clone(), ended_by }
    }
}

/// What the commits of a worktree amount to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Work {
    /// Commits since the base.
    commits: u64,
    /// Files changed by them.
    files: u64,
    /// Lines added by them.
    added: u64,
    /// Lines deleted by them.
    deleted: u64,
}

impl Work {
    /// The work of a task of a batch.
    pub(super) fn of_harvest(left: &model::Harvest) -> Self {
        Self { commits: left.commits, files: left.files, added: left.added, deleted: left.deleted }
    }
}

impl From<&WorkSummary> for Work {
    fn from(work: &WorkSummary) -> Self {
        Self { commits: work.commits, files: work.files, added: work.added, deleted: work.deleted }
    }
}

/// What became of a worktree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It is gone.
    Removed,
    /// It is gone, and its files were already, so nobody knows what of them was unsaved.
    Vanished,
    /// It stays for a time.
    Kept {
        /// Until then.
        until: Time,
    },
    /// It stays, because something could not be proven or saved.
    Quarantined {
        /// What, in words.
        doubt: String,
    },
}

impl From<&WorktreeFate> for Fate {
    fn from(fate: &WorktreeFate) -> Self {
        match fate {
            WorktreeFate::Removed => Self::Removed,
            WorktreeFate::Vanished => Self::Vanished,
            WorktreeFate::Kept(until) => Self::Kept { until: (*until).into() },
            WorktreeFate::Quarantined(doubt) => Self::Quarantined { doubt: doubt.clone() },
        }
    }
}

/// What became of a worktree's branch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Branch {
    /// There was none.
    None,
    /// It stays.
    Stays {
        /// Its name.
        name: String,
        /// The commit it is at.
        oid: String,
    },
    /// It was deleted, because it held nothing of its own or by policy.
    Deleted {
        /// Its name.
        name: String,
        /// The commit it was at.
        oid: String,
    },
}

impl From<&BranchFate> for Branch {
    fn from(fate: &BranchFate) -> Self {
        match fate {
            BranchFate::None => Self::None,
            BranchFate::Stays(name, oid) => Self::Stays { name: name.to_string(), oid: oid.to_string() },
            BranchFate::Deleted(name, oid) => Self::Deleted { name: name.to_string(), oid: oid.to_string() },
        }
    }
}

/// A directory that was dropped because it can be made again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Dropped {
    /// Its path in the worktree.
    path: Bytes,
    /// Why it may go.
    why: Disposable,
}

/// Why a directory may be dropped.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Disposable {
    /// It holds a cache tag.
    CacheTag,
    /// A build tool makes it.
    BuildOutput {
        /// The file beside it that it is made from.
        manifest: String,
    },
    /// The configuration says so.
    Configured,
}

impl From<&model::Disposable> for Disposable {
    fn from(why: &model::Disposable) -> Self {
        match why {
            model::Disposable::CacheTag => Self::CacheTag,
            model::Disposable::BuildOutput { manifest } => {
                Self::BuildOutput { manifest: (*manifest).to_owned() }
            }
            model::Disposable::Configured => Self::Configured,
        }
    }
}

impl From<&ops::Dropped> for Dropped {
    fn from(dropped: &ops::Dropped) -> Self {
        Self { path: Bytes::new(&dropped.path), why: Disposable::from(&dropped.why) }
    }
}

/// The end of a lease.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Release {
    /// The worktree as it was.
    worktree: Worktree,
    /// What became of it.
    fate: Fate,
    /// What its commits amount to.
    work: Work,
    /// How many paths had uncommitted, untracked or ignored work.
    unsaved: u64,
    /// Where that work is now.
    rescue: Option<Rescue>,
    /// What was dropped because it can be made again.
    dropped: Vec<Dropped>,
    /// What became of the branch.
    branch: Branch,
    /// What of everybody's is not as it was when the lease was given; facts, whoever did it.
    drift: Vec<Drift>,
    /// Who else had a worktree meanwhile; empty without drift.
    meanwhile: Vec<HeldThen>,
}

impl From<&Released> for Release {
    fn from(released: &Released) -> Self {
        Self {
            worktree: Worktree::from(&released.worktree),
            fate: Fate::from(&released.fate),
            work: Work::from(&released.work),
            unsaved: released.unsaved,
            rescue: released.rescue.as_ref().map(Rescue::from),
            dropped: released.dropped.iter().map(Dropped::from).collect(),
            branch: Branch::from(&released.branch),
            drift: released.drift.iter().map(Drift::from).collect(),
            meanwhile: released.meanwhile.iter().map(HeldThen::from).collect(),
        }
    }
}
