//! Questions. Nothing here changes anything.

use std::{fs, path::PathBuf};

use windrow_model::{Event, WorktreeName, WorktreeRecord};

use super::{
    ending,
    error::{QueryError, SelectError, StateError},
    liveness,
    outcome::{Details, Entry, WorkSummary},
    overlay,
    pool::Pool,
    request::Selector,
};
use crate::git;

/// Whether a text for people carries colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences.
    Always,
    /// Plain text.
    Never,
}

/// Lists the worktrees that are there, oldest first; empty when there are none.
///
/// # Errors
/// The records cannot be read.
pub fn list(pool: &Pool) -> Result<Vec<Entry>, QueryError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    let read = store.snapshot(|records| {
        let leases = records.leases()?;
        let present = records.worktrees()?.into_iter().filter(|record| record.state.is_somebodys());
        let entry = |worktree: WorktreeRecord| {
            let lease = leases.iter().find(|lease| lease.worktree == worktree.id).cloned();
            Entry { worktree, lease }
        };
        Ok(present.map(entry).collect::<Vec<_>>())
    });
    let mut entries = read.map_err(StateError::from)?;
    entries.sort_by_key(|entry| entry.worktree.created_at);
    Ok(entries)
}

/// Finds one worktree.
///
/// # Errors
/// There is none, or the records cannot be read.
pub fn find(pool: &Pool, selector: &Selector) -> Result<Entry, QueryError> {
    Ok(pool.select(selector)?)
}

/// Tells everything about one worktree.
///
/// # Errors
/// There is none, or git or the system cannot be asked.
pub fn show(pool: &Pool, selector: &Selector) -> Result<Details, QueryError> {
    let entry = pool.select(selector)?;
    let worktree = &entry.worktree;
    let occupants = if worktree.path.is_dir() { liveness::occupants(worktree)? } else { Vec::new() };
    let _lock = overlay::look_into(pool, worktree, entry.lease.as_ref())?;
    let present = worktree.path.is_dir() && worktree.admin.is_dir();
    let head = if present { Some(pool.repository().head(&pool.git, &worktree.admin)?) } else { None };
    let head = head.and_then(|head| Some((head.oid?, head.branch)));
    let work = match &head {
        Some((tip, _)) => ending::summarise(pool, worktree, tip)?,
        None => WorkSummary::default(),
    };
    let tip = head.as_ref().map(|(tip, _)| tip);
    let uncommitted = match present {
        true => git::count_uncommitted(&pool.git, pool.repository(), &worktree.admin, &worktree.path, tip)?,
        false => 0,
    };
    let logs = logs_of(pool, &worktree.name);
    Ok(Details { head, work, uncommitted, occupants, logs, entry })
}

/// Lists the log files of a worktree's commands, newest first. A name also finds those of a worktree that is gone.
///
/// # Errors
/// There is no such worktree, or the logs cannot be listed.
pub fn logs(pool: &Pool, selector: &Selector) -> Result<Vec<PathBuf>, QueryError> {
    match (pool.select(selector), selector) {
        (Ok(entry), _) => Ok(logs_of(pool, &entry.worktree.name)),
        (Err(unknown @ SelectError::Unknown { .. }), Selector::Name(name)) => {
            let left = logs_of(pool, name);
            if left.is_empty() { Err(unknown.into()) } else { Ok(left) }
        }
        (Err(error), _) => Err(error.into()),
    }
}

fn logs_of(pool: &Pool, name: &WorktreeName) -> Vec<PathBuf> {
    let newest = pool.log_of(name);
    let rotated = (1..).map(|number| {
        let mut name = newest.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let all = std::iter::once(newest.clone()).chain(rotated);
    all.take_while(|path| fs::symlink_metadata(path).is_ok()).collect()
}

/// Shows what a worktree changed since its base, uncommitted and untracked work included, as git prints it.
///
/// # Errors
/// There is no such worktree, or git failed.
pub fn diff(pool: &Pool, selector: &Selector, colour: Colour) -> Result<Vec<u8>, QueryError> {
    let Entry { worktree, lease } = pool.select(selector)?;
    let _lock = overlay::look_into(pool, &worktree, lease.as_ref())?;
    let colour = match colour {
        Colour::Always => git::DiffColour::Always,
        Colour::Never => git::DiffColour::Never,
    };
    let (admin, path) = (&worktree.admin, &worktree.path);
    Ok(git::diff_worktree(&pool.git, pool.repository(), admin, path, &worktree.base, colour)?)
}

/// How many events one question answers at most.
const EVENTS: u32 = 10_000;

/// Reads the history after event number `after`, oldest first, at most 10,000 events.
///
/// # Errors
/// The records cannot be read.
pub fn events(pool: &Pool, after: u64) -> Result<Vec<Event>, QueryError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    Ok(store.events(after, EVENTS).map_err(StateError::from)?)
}
