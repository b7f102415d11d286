//! The warm pool, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Filled, Holdings, PoolStatus, Shrunk, SpareStatus};

use super::{Bytes, Time, Usage, V1, strategies::Template};

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
    /// The budget of unique bytes for everything that is held; null without one.
    max_bytes: Option<u64>,
    /// What all that is held takes; null without `--du`.
    usage: Option<PoolUsage>,
}

/// What everything that is held takes.
#[derive(Debug, Serialize, JsonSchema)]
struct PoolUsage {
    /// Worktrees that are held ready.
    ready: Holding,
    /// Templates.
    templates: Holding,
    /// All other worktrees, kept and quarantined ones included.
    in_use: Holding,
    /// Rescues: the archives of what git does not hold.
    rescues: Holding,
    /// What was thrown away and is not deleted yet.
    trash: Holding,
    /// All of these.
    total: Holding,
}

/// Things of one kind.
#[derive(Debug, Serialize, JsonSchema)]
struct Holding {
    /// How many there are.
    count: u64,
    /// What those take that can be looked at.
    usage: Usage,
    /// How many cannot.
    untold: u32,
}

impl From<ops::Holding> for Holding {
    fn from(held: ops::Holding) -> Self {
        Self { count: held.count, usage: Usage::from(&held.usage), untold: held.untold }
    }
}

impl From<&Holdings> for PoolUsage {
    fn from(held: &Holdings) -> Self {
        Self {
            ready: held.ready.into(),
            templates: held.templates.into(),
            in_use: held.in_use.into(),
            rescues: held.rescues.into(),
            trash: held.trash.into(),
            total: held.total().into(),
        }
    }
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

impl PoolStatusDocument {
    /// With what is held if `--du` asked for it.
    pub(crate) fn new(status: &PoolStatus, held: Option<&Holdings>) -> Self {
        Self {
            v: V1::HERE,
            spares: status.spares.iter().map(Spare::from).collect(),
            wanted: status.wanted,
            in_use: status.in_use,
            max_worktrees: status.max,
            filling: status.filling,
            templates: status.templates.iter().map(Template::from).collect(),
            max_bytes: status.max_bytes,
            usage: held.map(PoolUsage::from),
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
    /// How many were not made because `pool.max_bytes` would have been exceeded.
    withheld: u32,
}

impl From<&Filled> for PoolWarmDocument {
    fn from(filled: &Filled) -> Self {
        let Filled { made, recycled, switched, ready, withheld } = *filled;
        Self { v: V1::HERE, made, recycled, switched, ready, withheld }
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
