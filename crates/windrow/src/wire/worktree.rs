//! Worktrees, leases, holders and rescues on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Entry, Leased};
use windrow_model::{self as model, LeaseRecord, RescueRecord, WorktreeRecord};

use super::{Bytes, Time, Usage};

/// A lease together with the worktree it is of: what a caller needs to work there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Lease {
    /// The lease's id.
    id: String,
    /// The number that `renew --fence` and `release --fence` are checked against.
    fence: u64,
    /// The worktree's name.
    name: String,
    /// The root of its files, absolute.
    path: Bytes,
    /// The branch it was made on; null when detached.
    branch: Option<String>,
    /// The commit it was made from.
    base_oid: String,
    /// The branch that the base named.
    target: Option<String>,
    /// The caller's own id for it.
    key: Option<String>,
    /// Who has it.
    holder: Holder,
    /// When it was given.
    acquired_at: Time,
    /// When it ends by time alone; null while a watched process holds it.
    expires_at: Option<Time>,
}

impl Lease {
    pub(crate) fn new(worktree: &WorktreeRecord, lease: &LeaseRecord) -> Self {
        Self {
            id: lease.id.to_string(),
            fence: lease.fence.0,
            name: worktree.name.to_string(),
            path: Bytes::path(&worktree.path),
            branch: worktree.checkout.branch().map(ToString::to_string),
            base_oid: worktree.base.to_string(),
            target: worktree.target.as_ref().map(ToString::to_string),
            key: lease.key.as_ref().map(ToString::to_string),
            holder: Holder::from(&lease.holder),
            acquired_at: lease.acquired_at.into(),
            expires_at: lease.expires_at.map(Time::from),
        }
    }
}

impl From<&Leased> for Lease {
    fn from(leased: &Leased) -> Self {
        Self::new(&leased.worktree, &leased.lease)
    }
}

/// Who holds a lease.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Holder {
    /// A process of this host; the lease lives as long as it does.
    Process {
        /// Its number.
        pid: u32,
    },
    /// A session.
    Session {
        /// Its id.
        id: String,
    },
    /// Somebody on another machine.
    Remote {
        /// Their own name.
        name: String,
    },
    /// Nobody who can be watched; the lease ends by time.
    Unbound,
}

impl From<&model::Holder> for Holder {
    fn from(holder: &model::Holder) -> Self {
        match holder {
            model::Holder::Process(process) => Self::Process { pid: process.pid },
            model::Holder::Session(id) => Self::Session { id: id.to_string() },
            model::Holder::Remote(name) => Self::Remote { name: name.clone() },
            model::Holder::Unbound => Self::Unbound,
        }
    }
}

/// How a lease came about.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Provenance {
    /// In a new worktree.
    Created,
    /// The same lease again, by its key.
    Same,
    /// From a dead holder, files untouched.
    TakenOver,
    /// A kept worktree, files untouched.
    Reattached,
}

impl From<ops::Provenance> for Provenance {
    fn from(provenance: ops::Provenance) -> Self {
        match provenance {
            ops::Provenance::Created => Self::Created,
            ops::Provenance::Same => Self::Same,
            ops::Provenance::TakenOver => Self::TakenOver,
            ops::Provenance::Reattached => Self::Reattached,
        }
    }
}

/// Where a worktree is in its life.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Being made.
    Creating,
    /// Ready in the pool.
    Idle,
    /// Handed out under a live lease.
    Leased,
    /// Being given back.
    Releasing,
    /// Given back, left in place for a time.
    Kept,
    /// On its way to the trash.
    Removing,
    /// Left in place for a person, because something could not be proven.
    Quarantined,
    /// No longer there.
    Gone,
}

impl From<model::WorktreeState> for State {
    fn from(state: model::WorktreeState) -> Self {
        use model::WorktreeState as S;
        match state {
            S::Creating => Self::Creating,
            S::Idle => Self::Idle,
            S::Leased => Self::Leased,
            S::Releasing => Self::Releasing,
            S::Kept => Self::Kept,
            S::Removing => Self::Removing,
            S::Quarantined => Self::Quarantined,
            S::Gone => Self::Gone,
        }
    }
}

/// A worktree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Worktree {
    /// Its id, for ever.
    id: String,
    /// Its name, unique among those that are there.
    name: String,
    /// Where it is in its life.
    state: State,
    /// The root of its files, absolute.
    path: Bytes,
    /// The branch it was made on; null when detached.
    branch: Option<String>,
    /// The commit it was made from.
    base_oid: String,
    /// The branch that the base named.
    target: Option<String>,
    /// When its creation began.
    created_at: Time,
    /// Until when it stays, when it is kept.
    keep_until: Option<Time>,
    /// Why it is quarantined.
    doubt: Option<String>,
}

impl From<&WorktreeRecord> for Worktree {
    fn from(record: &WorktreeRecord) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.name.to_string(),
            state: record.state.into(),
            path: Bytes::path(&record.path),
            branch: record.checkout.branch().map(ToString::to_string),
            base_oid: record.base.to_string(),
            target: record.target.as_ref().map(ToString::to_string),
            created_at: record.created_at.into(),
            keep_until: record.keep_until.map(Time::from),
            doubt: record.doubt.clone(),
        }
    }
}

/// A worktree, the lease somebody has of it, and what it takes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct MeasuredWorktree {
    #[serde(flatten)]
    listed: ListedWorktree,
    /// What its files and git's registration of it take; null without `--du`, and when it cannot be told.
    usage: Option<Usage>,
}

impl MeasuredWorktree {
    pub(crate) fn new(entry: &Entry, usage: Option<&ops::Measured>) -> Self {
        let told = usage.and_then(|usage| usage.as_ref().ok());
        Self { listed: ListedWorktree::from(entry), usage: told.map(Usage::from) }
    }
}

/// A worktree and the lease somebody has of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ListedWorktree {
    #[serde(flatten)]
    worktree: Worktree,
    /// Its live lease.
    lease: Option<Lease>,
}

impl From<&Entry> for ListedWorktree {
    fn from(entry: &Entry) -> Self {
        let lease = entry.lease.as_ref().map(|lease| Lease::new(&entry.worktree, lease));
        Self { worktree: Worktree::from(&entry.worktree), lease }
    }
}

/// Saved work.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Rescue {
    /// Its id, for `windrow restore`.
    id: String,
    /// The name of the worktree it came from.
    worktree: String,
    /// The commit HEAD was at.
    head_oid: String,
    /// The branch HEAD was on.
    branch: Option<String>,
    /// The commit that holds the tracked and untracked files.
    commit_oid: Option<String>,
    /// The archive of what the commit cannot hold.
    archive: Option<Bytes>,
    /// The archive's length.
    archive_bytes: u64,
    /// How many paths it holds.
    paths: u64,
    /// When it was proven complete.
    created_at: Time,
}

impl From<&RescueRecord> for Rescue {
    fn from(record: &RescueRecord) -> Self {
        Self {
            id: record.id.to_string(),
            worktree: record.name.to_string(),
            head_oid: record.head.to_string(),
            branch: record.branch.as_ref().map(ToString::to_string),
            commit_oid: record.commit.map(|oid| oid.to_string()),
            archive: record.archive.as_deref().map(Bytes::path),
            archive_bytes: record.archive_bytes,
            paths: record.paths,
            created_at: record.created_at.into(),
        }
    }
}
