//! Templates: checkouts of recent commits that new worktrees are made from, shared by all of a repository.
//!
//! A template's files lie beside the worktrees in `.template-<id>`; what is known of it in `windrow/templates/<id>.template`, with
//! the index that was written with it beside. On btrfs it is a read-only subvolume, else its files and directories are
//! read-only. Nothing depends on that: whatever is taken from one is compared with its index first.
//!
//! One that is shown by overlays is another thing: its files lie in `.template-<id>/tree` with their usual modes, behind a directory
//! that is closed to everybody, and what overlays show is not compared with anything.
//!
//! # Locking
//! One process makes templates at a time, by the lock `locks/template`. Who takes files from one holds no lock: what is no longer
//! there is read from git's objects. Who is about to make an overlay holds `<id>.pin` shared until its layer names the template; who
//! changes or throws away one for overlays takes the same lock for himself, and looks for such layers.
//!
//! # Crash safety
//! `<id>.making` is there while a template is made, changed or thrown away, and nobody looks at one that has it. What a kill leaves
//! is thrown away by the next that makes one.

mod make;
mod note;
mod throw;

use std::path::PathBuf;

use jiff::Timestamp;
use windrow_model::{Oid, Strategy, StrategyChoice, WorktreeRecord};

pub use self::{make::make_template, throw::remove_templates};
pub(super) use self::{
    make::{abilities, beside, is_wanted, refresh_in_background},
    throw::{Removal, remove_one},
};
use super::{error::StateError, overlay, pool::Pool, warm::spare};
use crate::process::{FileLock, LockError, OccupancyLock, Wait};

/// A checkout that worktrees are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The commit that it holds.
    pub commit: Oid,
    /// The best way in which it serves; slower ones as well.
    pub serves: Strategy,
    /// Where its files lie.
    pub root: PathBuf,
    /// Since when it is as it is.
    pub made_at: Timestamp,
    /// The index that was written with it.
    pub(super) index: PathBuf,
    id: String,
    conditions: String,
    /// What tells the directory from every other one.
    identity: String,
}

impl Template {
    /// Keeps it from being changed or thrown away; `None` when it is no longer as it was listed.
    pub(super) fn pin(&self, pool: &Pool) -> Result<Option<OccupancyLock>, StateError> {
        let pin = match OccupancyLock::acquire(&note::pin(pool, &self.id)) {
            // Somebody is about to change it.
            Err(LockError::Held { .. }) => return Ok(None),
            pin => pin?,
        };
        let now = note::all(pool).into_iter().find(|now| now.id == self.id);
        Ok(now.filter(|now| now == self).map(|_| pin))
    }

    /// The right to change it or to throw it away; `None` when overlays need it as it is.
    fn take(&self, pool: &Pool) -> Result<Option<Taken>, StateError> {
        if self.serves != Strategy::Overlay {
            return Ok(Some(Taken(None)));
        }
        let pin = FileLock::acquire(&note::pin(pool, &self.id), Wait::No)?;
        Ok(pin.filter(|_| !overlay::needs(&self.root)).map(|pin| Taken(Some(pin))))
    }

    /// Tells whether it may be used: it is the directory that was made, and git would write the same today.
    fn is_usable(&self, conditions: &str) -> bool {
        self.conditions == conditions && note::is_there(self)
    }
}

/// The right to change a template, until it is noted that it is being changed.
struct Taken(#[expect(dead_code, reason = "held for its drop")] Option<FileLock>);

/// Lists the templates of a repository, newest first. Changes nothing.
#[must_use]
pub fn templates(pool: &Pool) -> Vec<Template> {
    let mut found = note::all(pool);
    found.sort_by_key(|template| std::cmp::Reverse(template.made_at));
    found
}

/// What a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemplateKind {
    /// To be copied from, in one way or another.
    Plain,
    /// To be shown below the layers of overlays, and for nothing else.
    Overlay,
}

impl TemplateKind {
    /// The kind of one that serves by `strategy` at best.
    fn of(strategy: Strategy) -> Self {
        if strategy == Strategy::Overlay { Self::Overlay } else { Self::Plain }
    }
}

/// The template of a kind that a worktree is best made from: one of the same commit, else the newest.
pub(super) fn nearest(pool: &Pool, record: &WorktreeRecord, kind: TemplateKind) -> Option<Template> {
    if pool.settings().pool.templates == 0 {
        return None;
    }
    let mut found = templates(pool);
    found.retain(|template| template.root.parent() == record.path.parent());
    found.retain(|template| TemplateKind::of(template.serves) == kind);
    if found.is_empty() {
        return None;
    }
    let conditions = spare::conditions(pool)?;
    found.sort_by_key(|template| template.commit != record.base);
    found.into_iter().find(|template| template.is_usable(&conditions))
}

/// Those that the next worktree could be made from, newest first; the others serve nobody.
pub(super) fn serving(pool: &Pool) -> Vec<Template> {
    let settings = &pool.settings().pool;
    let most = usize::try_from(settings.templates).unwrap_or(usize::MAX);
    let conditions = spare::conditions(pool);
    let mut found = templates(pool);
    found.retain(|template| {
        conditions.as_ref().is_some_and(|conditions| template.is_usable(conditions))
            && settings.strategy != StrategyChoice::Only(Strategy::Checkout)
    });
    found.truncate(most);
    found
}

impl Pool {
    /// What is known of the templates.
    pub(super) fn templates_dir(&self) -> PathBuf {
        self.state_dir().join("templates")
    }
}
