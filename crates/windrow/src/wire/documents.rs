//! The documents themselves: what each command prints under `--json`.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{
    Adopted, Details, Entry, Finished, Landed, Leased, Measured, Ran, RanLanding, RanPush, Released,
    RescueDetails, Restored, Synced,
};
use windrow_model::{self as model, LeaseRecord, RescueRecord, WorktreeRecord};

use super::{
    Bytes, ConfigValue, Event, Exit, Occupant, RescuedPath, Usage, V1, WireError,
    land::{Landing, WorktreeSync},
    outcome::{Carried, Release, Straggler, Work, env_set, env_unset},
    push::Push,
    seed::Seed,
    worktree::{Lease, ListedWorktree, MeasuredWorktree, Provenance, Rescue, Worktree},
};

/// A lease that was given (`acquire`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AcquireDocument {
    v: V1,
    lease: Lease,
    /// How it came about.
    provenance: Provenance,
    /// Variables to set for a command in the worktree.
    env_set: BTreeMap<String, Bytes>,
    /// Variables to unset for a command in the worktree.
    env_unset: Vec<Bytes>,
    carried: Carried,
    /// Build caches that were taken along, or not.
    seeds: Vec<Seed>,
    /// What the user should know.
    notices: Vec<String>,
}

impl From<&Leased> for AcquireDocument {
    fn from(leased: &Leased) -> Self {
        Self {
            v: V1::HERE,
            lease: Lease::from(leased),
            provenance: leased.provenance.into(),
            env_set: env_set(&leased.environment),
            env_unset: env_unset(&leased.environment),
            carried: Carried::from(&leased.carried),
            seeds: leased.seeds.iter().map(Seed::from).collect(),
            notices: leased.notices.clone(),
        }
    }
}

/// A worktree that was taken into care (`adopt`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AdoptDocument {
    v: V1,
    /// The worktree, which is kept until `keep_until`; what it holds then is saved, and it is removed.
    worktree: Worktree,
    /// What the user should know.
    notices: Vec<String>,
}

impl From<&Adopted> for AdoptDocument {
    fn from(adopted: &Adopted) -> Self {
        let notices = adopted.notices.clone();
        Self { v: V1::HERE, worktree: Worktree::from(&adopted.worktree), notices }
    }
}

/// A lease whose end was moved (`renew`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RenewDocument {
    v: V1,
    lease: Lease,
}

impl RenewDocument {
    pub(crate) fn new(worktree: &WorktreeRecord, lease: &LeaseRecord) -> Self {
        Self { v: V1::HERE, lease: Lease::new(worktree, lease) }
    }
}

/// A lease that ended (`release`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReleaseDocument {
    v: V1,
    released: Release,
    /// What was landed before; null without `--land`.
    landing: Option<Landing>,
}

impl ReleaseDocument {
    pub(crate) fn new(released: &Released, landed: Option<&Landed>) -> Self {
        Self { v: V1::HERE, released: Release::from(released), landing: landed.map(Landing::from) }
    }
}

/// Work that was landed (`land`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LandDocument {
    v: V1,
    landing: Landing,
}

impl From<&Landed> for LandDocument {
    fn from(landed: &Landed) -> Self {
        Self { v: V1::HERE, landing: Landing::from(landed) }
    }
}

/// A worktree that has its target's commits (`sync`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SyncDocument {
    v: V1,
    sync: WorktreeSync,
}

impl From<&Synced> for SyncDocument {
    fn from(synced: &Synced) -> Self {
        Self { v: V1::HERE, sync: WorktreeSync::from(synced) }
    }
}

/// A command that ran in a worktree of its own (`run`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunDocument {
    v: V1,
    /// The lease it ran under, which has ended.
    lease: Lease,
    provenance: Provenance,
    carried: Carried,
    /// Build caches that were taken along, or not.
    seeds: Vec<Seed>,
    notices: Vec<String>,
    exit: Exit,
    /// Processes that it left behind and that were ended.
    stragglers: Vec<Straggler>,
    /// The log of its output.
    log: Option<Bytes>,
    /// What was landed; null when nothing was.
    landing: Option<Landing>,
    /// Why nothing was landed although it was to be; null otherwise, also when the command failed.
    landing_error: Option<WireError>,
    /// What was pushed; null when nothing was.
    push: Option<Push>,
    /// Why nothing was pushed although it was to be; null otherwise, also when the command failed.
    push_error: Option<WireError>,
    released: Release,
}

impl RunDocument {
    /// With the failures of a landing and of a push, as they are told.
    pub(crate) fn new(ran: &Ran, refused: [Option<WireError>; 2], exit: Exit) -> Self {
        let [landing_error, push_error] = refused;
        let push = match &ran.push {
            RanPush::Pushed(pushed) => Some(Push::from(&**pushed)),
            RanPush::NotAsked | RanPush::CommandFailed | RanPush::Refused(_) => None,
        };
        let landing = match &ran.landing {
            RanLanding::Landed(landed) => Some(Landing::from(&**landed)),
            RanLanding::NotAsked | RanLanding::CommandFailed | RanLanding::Refused(_) => None,
        };
        Self {
            landing,
            landing_error,
            push,
            push_error,
            v: V1::HERE,
            lease: Lease::from(&ran.leased),
            provenance: ran.leased.provenance.into(),
            carried: Carried::from(&ran.leased.carried),
            seeds: ran.leased.seeds.iter().map(Seed::from).collect(),
            notices: ran.leased.notices.clone(),
            exit,
            stragglers: ran.finished.stragglers.iter().map(Straggler::from).collect(),
            log: ran.finished.log.as_deref().map(Bytes::path),
            released: Release::from(&ran.released),
        }
    }
}

/// A command that ran in a worktree that was there (`exec`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExecDocument {
    v: V1,
    exit: Exit,
    /// Processes that it left behind and that were ended.
    stragglers: Vec<Straggler>,
    /// The log of its output.
    log: Option<Bytes>,
}

impl ExecDocument {
    pub(crate) fn new(finished: &Finished, exit: Exit) -> Self {
        Self {
            v: V1::HERE,
            exit,
            stragglers: finished.stragglers.iter().map(Straggler::from).collect(),
            log: finished.log.as_deref().map(Bytes::path),
        }
    }
}

/// The worktrees of the pool, oldest first (`list`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListDocument {
    v: V1,
    worktrees: Vec<MeasuredWorktree>,
    /// What all together take whose usage can be told; null without `--du`.
    usage: Option<Usage>,
}

impl ListDocument {
    /// With an answer about each entry if `--du` asked for it.
    pub(crate) fn new(entries: &[Entry], usage: Option<&[Measured]>) -> Self {
        let of = |place: usize| usage.and_then(|usage| usage.get(place));
        let listed = entries.iter().enumerate().map(|(place, entry)| MeasuredWorktree::new(entry, of(place)));
        let sum = |usage: &[Measured]| usage.iter().flatten().copied().sum::<windrow_model::Usage>();
        Self { v: V1::HERE, worktrees: listed.collect(), usage: usage.map(|usage| Usage::from(&sum(usage))) }
    }
}

/// Everything about a worktree (`show`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShowDocument {
    v: V1,
    worktree: ListedWorktree,
    /// Where its HEAD is now; null when that cannot be read.
    head: Option<Head>,
    work: Work,
    /// Uncommitted and untracked paths, by git's status.
    uncommitted: u64,
    /// Processes that use it.
    occupants: Vec<Occupant>,
    /// Log files of its commands, newest first.
    logs: Vec<Bytes>,
}

/// Where a worktree's HEAD is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Head {
    /// The commit.
    oid: String,
    /// The branch; null when detached.
    branch: Option<String>,
}

impl From<&Details> for ShowDocument {
    fn from(details: &Details) -> Self {
        let head = details.head.as_ref().map(|(oid, branch)| Head {
            oid: oid.to_string(),
            branch: branch.as_ref().map(ToString::to_string),
        });
        Self {
            v: V1::HERE,
            worktree: ListedWorktree::from(&details.entry),
            head,
            work: Work::from(&details.work),
            uncommitted: details.uncommitted,
            occupants: details.occupants.iter().map(Occupant::from).collect(),
            logs: details.logs.iter().map(|log| Bytes::path(log)).collect(),
        }
    }
}

/// Where a worktree is (`path`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PathDocument {
    v: V1,
    /// The root of its files, absolute.
    path: Bytes,
}

impl From<&WorktreeRecord> for PathDocument {
    fn from(worktree: &WorktreeRecord) -> Self {
        Self { v: V1::HERE, path: Bytes::path(&worktree.path) }
    }
}

/// What changed in a worktree (`diff`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiffDocument {
    v: V1,
    /// The difference in git's format.
    diff: Bytes,
}

impl DiffDocument {
    pub(crate) fn new(diff: &[u8]) -> Self {
        Self { v: V1::HERE, diff: Bytes::new(diff) }
    }
}

/// The log files of a worktree's commands (`logs`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogsDocument {
    v: V1,
    /// Absolute paths, newest first.
    logs: Vec<Bytes>,
}

impl From<&[PathBuf]> for LogsDocument {
    fn from(logs: &[PathBuf]) -> Self {
        Self { v: V1::HERE, logs: logs.iter().map(|log| Bytes::path(log)).collect() }
    }
}

/// Saved work, oldest first (`rescue list`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RescueListDocument {
    v: V1,
    rescues: Vec<Rescue>,
}

impl From<&[RescueRecord]> for RescueListDocument {
    fn from(records: &[RescueRecord]) -> Self {
        Self { v: V1::HERE, rescues: records.iter().map(Rescue::from).collect() }
    }
}

/// What a rescue holds (`rescue show`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RescueDocument {
    v: V1,
    rescue: Rescue,
    paths: Vec<RescuedPath>,
}

impl From<&RescueDetails> for RescueDocument {
    fn from(details: &RescueDetails) -> Self {
        Self {
            v: V1::HERE,
            rescue: Rescue::from(&details.record),
            paths: details.paths.iter().map(RescuedPath::from).collect(),
        }
    }
}

/// A rescue that was deleted (`rescue drop`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RescueDropDocument {
    v: V1,
    dropped: Rescue,
}

impl From<&RescueRecord> for RescueDropDocument {
    fn from(record: &RescueRecord) -> Self {
        Self { v: V1::HERE, dropped: Rescue::from(record) }
    }
}

/// Saved work that is back in a new worktree (`restore`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RestoreDocument {
    v: V1,
    lease: Lease,
    rescue: Rescue,
    /// How many paths were brought back.
    paths: u64,
    /// Variables to set for a command in the worktree.
    env_set: BTreeMap<String, Bytes>,
    /// Variables to unset for a command in the worktree.
    env_unset: Vec<Bytes>,
    notices: Vec<String>,
}

impl From<&Restored> for RestoreDocument {
    fn from(restored: &Restored) -> Self {
        Self {
            v: V1::HERE,
            lease: Lease::from(&restored.leased),
            rescue: Rescue::from(&restored.rescue),
            paths: restored.paths,
            env_set: env_set(&restored.leased.environment),
            env_unset: env_unset(&restored.leased.environment),
            notices: restored.leased.notices.clone(),
        }
    }
}

/// The history (`events`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventsDocument {
    v: V1,
    /// In the order of their numbers.
    events: Vec<Event>,
}

impl From<&[model::Event]> for EventsDocument {
    fn from(events: &[model::Event]) -> Self {
        Self { v: V1::HERE, events: events.iter().map(Event::from).collect() }
    }
}

/// One event (`events --follow`, a document for each).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventDocument {
    v: V1,
    event: Event,
}

impl From<&model::Event> for EventDocument {
    fn from(event: &model::Event) -> Self {
        Self { v: V1::HERE, event: Event::from(event) }
    }
}

/// The configuration that holds (`config`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConfigDocument {
    v: V1,
    /// By key.
    config: Vec<ConfigValue>,
}

impl ConfigDocument {
    pub(crate) fn new(config: Vec<ConfigValue>) -> Self {
        Self { v: V1::HERE, config }
    }
}

/// A failure (any command).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorDocument {
    v: V1,
    error: WireError,
    /// How the program ended.
    exit: Exit,
}

impl ErrorDocument {
    pub(crate) fn new(error: WireError, exit: Exit) -> Self {
        Self { v: V1::HERE, error, exit }
    }
}
