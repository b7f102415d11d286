//! Finding the worktree that a caller means.

use std::path::Path;

use windrow_model::{LeaseRecord, WorktreeRecord};

use super::{error::SelectError, outcome::Entry, pool::Pool, request::Selector};
use crate::store::LocalStore;

/// Finds the worktree that a selector means, with its live lease.
pub(super) fn find(store: &LocalStore, selector: &Selector) -> Result<Entry, SelectError> {
    let state = |error| SelectError::State(super::error::StateError::Store(error));
    let worktree = match selector {
        Selector::Name(name) => store.worktree_named(name).map_err(state)?,
        Selector::Lease(id) => match store.lease(*id).map_err(state)? {
            Some(lease) if lease.ended_at.is_none() => store.worktree(lease.worktree).map_err(state)?,
            _ => None,
        },
        Selector::Key(key) => match store.last_lease_with_key(key).map_err(state)? {
            Some(lease) => store.worktree(lease.worktree).map_err(state)?,
            None => None,
        },
        Selector::Path(path) => holding(&store.worktrees().map_err(state)?, path),
    };
    let worktree = worktree
        .filter(|found| found.state.is_somebodys())
        .ok_or_else(|| SelectError::Unknown { what: describe(selector) })?;
    let lease = store.live_lease_of(worktree.id).map_err(state)?;
    Ok(Entry { worktree, lease })
}

/// Finds a worktree that somebody holds.
pub(super) fn find_leased(
    store: &LocalStore,
    selector: &Selector,
) -> Result<(WorktreeRecord, LeaseRecord), SelectError> {
    let Entry { worktree, lease } = find(store, selector)?;
    match lease {
        Some(lease) => Ok((worktree, lease)),
        None => Err(SelectError::NotLeased { name: worktree.name, state: worktree.state }),
    }
}

/// The error when nothing is what the selector means.
pub(super) fn nothing(selector: &Selector) -> SelectError {
    SelectError::Unknown { what: describe(selector) }
}

fn holding(worktrees: &[WorktreeRecord], path: &Path) -> Option<WorktreeRecord> {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let within = |record: &&WorktreeRecord| {
        record.state.is_somebodys() && (resolved.starts_with(&record.path) || path.starts_with(&record.path))
    };
    worktrees.iter().find(within).cloned()
}

fn describe(selector: &Selector) -> String {
    match selector {
        Selector::Name(name) => format!("named `{name}`"),
        Selector::Lease(id) => format!("with lease `{id}`"),
        Selector::Key(key) => format!("with key `{key}`"),
        Selector::Path(path) => format!("at `{}`", path.display()),
    }
}

impl Pool {
    /// Finds the worktree that a selector means, without changing anything.
    pub(super) fn select(&self, selector: &Selector) -> Result<Entry, SelectError> {
        match self.records()? {
            Some(store) => find(&store, selector),
            None => Err(nothing(selector)),
        }
    }
}
