//! The warm pool, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{Filled, PoolStatus, Shrunk, SpareStatus};

use super::{Bytes, Time, V1, strategies::Template};

/// What the pool holds ready (`pool status`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolStatusDocument {
    v: V1,
    /// What is held ready, oldest first.
    spares: Vec<Spare>,
    /// How many the configuration wants.
    wanted: u32,
    /// How many worktrees count against the cap.
    in_use: u32,
    /// The cap; null without one.
    max_worktrees: Option<u32>,
    /// Whether somebody makes some at this moment.
    filling: bool,
    /// The templates, newest first.
    templates: Vec<Template>,
}

/// A worktree that is held ready.
#[derive(Debug, Serialize, JsonSchema)]
struct Spare {
    id: String,
    /// Where its files lie.
    path: Bytes,
    /// The commit it is at.
    base: String,
    made_at: Time,
    /// Whether it can be handed out; else the next filling replaces it.
    usable: bool,
}

impl From<&SpareStatus> for Spare {
    fn from(spare: &SpareStatus) -> Self {
        Self {
            id: spare.record.id.to_string(),
            path: Bytes::path(&spare.path),
            base: spare.record.base.to_string(),
            made_at: spare.record.created_at.into(),
            usable: spare.usable,
        }
    }
}

impl From<&PoolStatus> for PoolStatusDocument {
    fn from(status: &PoolStatus) -> Self {
        Self {
            v: V1::HERE,
            spares: status.spares.iter().map(Spare::from).collect(),
            wanted: status.wanted,
            in_use: status.in_use,
            max_worktrees: status.max,
            filling: status.filling,
            templates: status.templates.iter().map(Template::from).collect(),
        }
    }
}

/// What a filling did (`pool warm --wait`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolWarmDocument {
    v: V1,
    /// How many were made.
    made: u32,
    /// How many worktrees that were given back were cleaned and are ready again.
    recycled: u32,
    /// How many were brought to another commit.
    switched: u32,
    /// How many are ready now.
    ready: u32,
}

impl From<&Filled> for PoolWarmDocument {
    fn from(filled: &Filled) -> Self {
        let Filled { made, recycled, switched, ready } = *filled;
        Self { v: V1::HERE, made, recycled, switched, ready }
    }
}

/// What became of those that were too many (`pool resize`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolResizeDocument {
    v: V1,
    /// How many were thrown away.
    removed: u32,
    /// What became of those that somebody wrote into, for people: their files are in rescues.
    notices: Vec<String>,
    /// How many are left.
    left: u32,
}

impl From<&Shrunk> for PoolResizeDocument {
    fn from(shrunk: &Shrunk) -> Self {
        let notices = shrunk.notices.clone();
        Self { v: V1::HERE, removed: shrunk.removed, notices, left: shrunk.left }
    }
}
