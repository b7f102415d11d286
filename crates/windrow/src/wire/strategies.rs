//! Templates and the ways in which worktrees can be made, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Strategies};

use super::{Bytes, Time, V1};

/// A checkout that worktrees are made from.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Template {
    /// The commit that it holds.
    commit: String,
    /// The best way in which it serves: `overlay`, `snapshot`, `clone` or `copy`.
    serves: &'static str,
    /// Where its files lie.
    path: Bytes,
    made_at: Time,
}

impl From<&ops::Template> for Template {
    fn from(template: &ops::Template) -> Self {
        Self {
            commit: template.commit.to_string(),
            serves: template.serves.as_str(),
            path: Bytes::path(&template.root),
            made_at: template.made_at.into(),
        }
    }
}

/// The template at the commit of the main checkout (`pool template`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolTemplateDocument {
    v: V1,
    template: Template,
}

impl From<&ops::Template> for PoolTemplateDocument {
    fn from(template: &ops::Template) -> Self {
        Self { v: V1::HERE, template: template.into() }
    }
}

/// How many templates were thrown away (`pool template --remove`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolTemplatesRemovedDocument {
    v: V1,
    removed: u32,
}

impl PoolTemplatesRemovedDocument {
    pub(crate) fn new(removed: u32) -> Self {
        Self { v: V1::HERE, removed }
    }
}

/// In which ways worktrees can be made here (`doctor --strategies`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StrategiesDocument {
    v: V1,
    /// Where they were tried.
    directory: Bytes,
    /// Each way, fastest first.
    strategies: Vec<Way>,
    /// The way that the next worktree is made in when none is held ready.
    next: &'static str,
    /// Why that is not the one that is configured, for people; null when it is.
    instead: Option<String>,
    /// The templates, newest first.
    templates: Vec<Template>,
}

/// One way.
#[derive(Debug, Serialize, JsonSchema)]
struct Way {
    /// `overlay`, `snapshot`, `clone`, `copy` or `checkout`.
    strategy: &'static str,
    possible: bool,
    /// Why it is not, for people; null when it is.
    reason: Option<String>,
}

impl From<&Strategies> for StrategiesDocument {
    fn from(found: &Strategies) -> Self {
        let way = |way: &ops::StrategyStatus| Way {
            strategy: way.strategy.as_str(),
            possible: way.objection.is_none(),
            reason: way.objection.clone(),
        };
        Self {
            v: V1::HERE,
            directory: Bytes::path(&found.directory),
            strategies: found.ways.iter().map(way).collect(),
            next: found.next.strategy.as_str(),
            instead: found.next.instead.clone(),
            templates: found.templates.iter().map(Template::from).collect(),
        }
    }
}
