//! Templates: checkouts of recent commits that new worktrees are made from, shared by all of a repository.
//!
//! A template's files lie beside the worktrees in `.template-<id>`; what is known of it in `windrow/templates/<id>.template`, with
//! the index that was written with it beside. On btrfs it is a read-only subvolume, else its files and directories are
//! read-only. Nothing depends on that: whatever is taken from one is compared with its index first.
//!
//! # Locking
//! One process makes templates at a time, by the lock `locks/template`. Who takes files from one holds no lock: what is no longer
//! there is read from git's objects.
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
use super::{pool::Pool, warm::spare};

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
    /// Tells whether it may be used: it is the directory that was made, and git would write the same today.
    fn is_usable(&self, conditions: &str) -> bool {
        self.conditions == conditions && note::is_there(self)
    }
}

/// Lists the templates of a repository, newest first. Changes nothing.
#[must_use]
pub fn templates(pool: &Pool) -> Vec<Template> {
    let mut found = note::all(pool);
    found.sort_by_key(|template| std::cmp::Reverse(template.made_at));
    found
}

/// The template that a worktree is best made from: one of the same commit, else the newest.
pub(super) fn nearest(pool: &Pool, record: &WorktreeRecord) -> Option<Template> {
    if pool.settings().pool.templates == 0 {
        return None;
    }
    let mut found = templates(pool);
    found.retain(|template| template.root.parent() == record.path.parent());
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
