//! Answers to questions, on the wire: occupants, contents of rescues, events, configuration.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::{config, ops, process};
use windrow_model as model;

use super::{Bytes, Time};

/// What became of a step of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It was done.
    Done {
        /// What was done, for people.
        detail: String,
    },
    /// It was not done.
    Left {
        /// Why not, for people.
        detail: String,
    },
}

/// A process that uses a worktree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Occupant {
    /// Its number.
    pid: u32,
    /// What it runs.
    command: String,
    /// How it uses the worktree.
    how: OccupiedBy,
}

/// How a process uses a worktree.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OccupiedBy {
    /// By its current directory.
    Cwd,
    /// By its root directory.
    Root,
    /// By the program it runs.
    Executable,
    /// By an open file.
    Descriptor,
    /// By a mapped file.
    Map,
    /// It does not let us look.
    Unreadable,
    /// It belongs to another user and does not let us look.
    OtherUser,
}

impl From<&process::Occupant> for Occupant {
    fn from(occupant: &process::Occupant) -> Self {
        let how = match occupant.how {
            process::OccupiedBy::Cwd => OccupiedBy::Cwd,
            process::OccupiedBy::Root => OccupiedBy::Root,
            process::OccupiedBy::Executable => OccupiedBy::Executable,
            process::OccupiedBy::Descriptor => OccupiedBy::Descriptor,
            process::OccupiedBy::Map => OccupiedBy::Map,
            process::OccupiedBy::Unreadable => OccupiedBy::Unreadable,
            process::OccupiedBy::OtherUser => OccupiedBy::OtherUser,
        };
        Self { pid: occupant.pid, command: occupant.command.clone(), how }
    }
}

/// A path in a rescue.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct RescuedPath {
    /// The path in the worktree.
    path: Bytes,
    /// Which part of the rescue holds it.
    place: RescuePlace,
    /// Its length, where it is known.
    size_bytes: Option<u64>,
}

/// A part of a rescue.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RescuePlace {
    /// The commit.
    Snapshot,
    /// The archive.
    Archive,
}

impl From<&ops::RescuedPath> for RescuedPath {
    fn from(rescued: &ops::RescuedPath) -> Self {
        let place = match rescued.place {
            ops::RescuedWhere::Snapshot => RescuePlace::Snapshot,
            ops::RescuedWhere::Archive => RescuePlace::Archive,
        };
        Self { path: Bytes::new(&rescued.path), place, size_bytes: rescued.size }
    }
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Event {
    /// Its number; later events have higher ones.
    seq: u64,
    /// When it was recorded.
    at: Time,
    /// What happened, such as `lease.acquired`.
    kind: String,
    /// The worktree's name.
    worktree: Option<String>,
    /// The lease's id.
    lease: Option<String>,
    /// One line for people, which may be empty.
    detail: String,
}

impl From<&model::Event> for Event {
    fn from(event: &model::Event) -> Self {
        Self {
            seq: event.seq,
            at: event.at.into(),
            kind: event.event.kind.to_string(),
            worktree: event.event.worktree.as_ref().map(ToString::to_string),
            lease: event.event.lease.map(|lease| lease.to_string()),
            detail: event.event.detail.clone(),
        }
    }
}

/// A configuration key with its value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ConfigValue {
    /// The dotted key.
    key: String,
    /// The value as TOML text.
    value: String,
    /// The layer that gave it.
    origin: ConfigOrigin,
}

/// Where a value comes from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ConfigOrigin {
    /// Nobody set it.
    Default,
    /// The user's own file.
    User {
        /// The file.
        path: Bytes,
    },
    /// The file committed to the repository.
    Repository {
        /// The file.
        path: Bytes,
    },
    /// The file in the git directory.
    Private {
        /// The file.
        path: Bytes,
    },
    /// A variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// `--config`.
    Flag {
        /// The key as it was written.
        key: String,
    },
}

impl From<&config::Origin> for ConfigOrigin {
    fn from(origin: &config::Origin) -> Self {
        match origin {
            config::Origin::Default => Self::Default,
            config::Origin::User(path) => Self::User { path: Bytes::path(path) },
            config::Origin::Repository(path) => Self::Repository { path: Bytes::path(path) },
            config::Origin::Private(path) => Self::Private { path: Bytes::path(path) },
            config::Origin::Environment(variable) => Self::Environment { variable: variable.clone() },
            config::Origin::Flag(key) => Self::Flag { key: key.clone() },
        }
    }
}

impl From<&config::Value> for ConfigValue {
    fn from(value: &config::Value) -> Self {
        Self { key: value.key.clone(), value: value.value.clone(), origin: ConfigOrigin::from(&value.origin) }
    }
}
