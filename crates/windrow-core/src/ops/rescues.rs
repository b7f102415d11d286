//! The rescues that are there: listing, dropping, expiring.

use bstr::BString;
use windrow_model::{EventKind, NewEvent, Oid, RescueId, RescueRecord};

use super::{
    error::{DropError, QueryError, StateError},
    pool::Pool,
    rescue::{ADMIN, CARRIED, CHANGED, TREE, rescue_ref},
};
use crate::{
    fs,
    git::{self, Expect, Objects, RefChange, RefError},
    store::{LocalStore, StoreError},
};

/// Which part of a rescue holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescuedWhere {
    /// The snapshot commit.
    Snapshot,
    /// The archive.
    Archive,
}

/// One path of a rescue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescuedPath {
    /// Path in the worktree; of the archive's state of git operations, below `.git/`.
    pub path: BString,
    /// Which part holds it.
    pub place: RescuedWhere,
    /// Length in bytes; `None` for a path that was deleted.
    pub size: Option<u64>,
}

/// Everything about one rescue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescueDetails {
    /// Its record.
    pub record: RescueRecord,
    /// What it holds beyond the commit that HEAD was at, in order of path.
    pub paths: Vec<RescuedPath>,
}

/// Lists the rescues, oldest first; empty when there are none.
///
/// # Errors
/// The records cannot be read.
pub fn rescues(pool: &Pool) -> Result<Vec<RescueRecord>, QueryError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    Ok(store.rescues().map_err(StateError::from)?)
}

/// Tells what a rescue holds; a worktree's name stands for its newest rescue.
///
/// # Errors
/// There is none of that id, or its parts cannot be read.
pub fn rescue_details(pool: &Pool, id: &RescueId) -> Result<RescueDetails, QueryError> {
    let record = find(pool, id)?;
    let mut paths = snapshot_paths(pool, &record)?;
    if let Some(archive) = &record.archive {
        for listed in fs::list_archive(archive)? {
            paths.push(RescuedPath {
                path: shown(listed.path),
                place: RescuedWhere::Archive,
                size: Some(listed.size),
            });
        }
    }
    paths.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(RescueDetails { record, paths })
}

fn find(pool: &Pool, id: &RescueId) -> Result<RescueRecord, QueryError> {
    let store = pool.records()?.ok_or_else(|| QueryError::UnknownRescue(id.clone()))?;
    find_by_id_or_name(&store, id)?.ok_or_else(|| QueryError::UnknownRescue(id.clone()))
}

/// The rescue of this id, or else the newest one of the worktree that had this name.
pub(super) fn find_by_id_or_name(
    store: &LocalStore,
    id: &RescueId,
) -> Result<Option<RescueRecord>, StateError> {
    if let Some(found) = store.rescue(id)? {
        return Ok(Some(found));
    }
    let named = store.rescues()?.into_iter().filter(|record| record.name.as_str() == id.as_str());
    Ok(named.max_by_key(|record| record.created_at))
}

/// An archived name as people know it.
fn shown(name: BString) -> BString {
    if let Some(path) = name.strip_prefix(ADMIN) {
        return [b".git/", path].concat().into();
    }
    let path = [TREE, CARRIED, CHANGED].iter().find_map(|prefix| name.strip_prefix(*prefix));
    path.map_or_else(|| name.clone(), BString::from)
}

fn snapshot_paths(pool: &Pool, record: &RescueRecord) -> Result<Vec<RescuedPath>, QueryError> {
    let Some(commit) = record.commit else { return Ok(Vec::new()) };
    let objects = Objects::open(pool.repository());
    let changes = git::tree_changes(&objects, &record.head, &commit)?;
    let mut sizes = objects.sizes(changes.iter().filter_map(|change| change.new.as_ref()))?.into_iter();
    let path = |change: git::TreeChange| {
        let size = change.new.and_then(|_| sizes.next());
        RescuedPath { path: change.path, place: RescuedWhere::Snapshot, size }
    };
    Ok(changes.into_iter().map(path).collect())
}

/// Deletes a rescue for good, because its owner says so.
///
/// # Errors
/// There is none of that id, or it could not be deleted.
pub fn drop_rescue(pool: &Pool, id: &RescueId) -> Result<RescueRecord, DropError> {
    let mut store = pool.store_if_any()?.ok_or_else(|| DropError::Unknown(id.clone()))?;
    let record = store.rescue(id).map_err(StateError::from)?.ok_or_else(|| DropError::Unknown(id.clone()))?;
    remove(pool, &mut store, &record)?;
    Ok(record)
}

/// What the fact that a rescue is on its way out begins with.
const DROPPING: &str = "dropping/";

fn dropping(id: &RescueId) -> String {
    format!("{DROPPING}{id}")
}

/// That it goes is on record first, so that what is interrupted is finished by the next command ([`expire`]); then ref, archive
/// and record go.
pub(super) fn remove(pool: &Pool, store: &mut LocalStore, record: &RescueRecord) -> Result<(), DropError> {
    let begun = store.transaction(|tx| tx.set_meta(&dropping(&record.id), "begun"));
    begun.map_err(|error: StoreError| DropError::State(error.into()))?;
    if let Some(commit) = record.commit {
        delete_ref(pool, &record.id, commit)?;
    }
    if let Some(archive) = &record.archive {
        match std::fs::remove_file(archive) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(DropError::Io { path: archive.clone(), source });
            }
            _ => {}
        }
    }
    let dropped = store.transaction(|tx| {
        tx.forget_meta(&dropping(&record.id))?;
        tx.delete_rescue(&record.id, Pool::now())
    });
    dropped.map_err(|error: StoreError| DropError::State(error.into()))
}

/// Git is not asked before whether the ref is there: a listing passes over a directory that cannot be opened.
fn delete_ref(pool: &Pool, id: &RescueId, commit: Oid) -> Result<(), DropError> {
    let change = RefChange { name: rescue_ref(id), new: None, old: Expect::Is(commit) };
    let _lock = pool.lock_repository()?;
    match git::update_refs(&pool.git, pool.repository(), &[change], "windrow: rescue dropped") {
        // It went before, or somebody put something else there.
        Err(RefError::Conflict { .. }) => Ok(()),
        deleted => Ok(deleted?),
    }
}

/// Drops rescues whose time is over, the oldest archives beyond the budget, and those that somebody began to drop.
pub(super) fn expire(pool: &Pool, store: &mut LocalStore) -> Result<(), StateError> {
    let settings = &pool.settings().rescue;
    let all = store.rescues()?;
    let mut over = windrow_model::expired_rescues(&all, settings, Pool::now());
    let begun = store.meta_keys(DROPPING)?;
    let is_left = |record: &RescueRecord| {
        begun.contains(&dropping(&record.id)) && !over.iter().any(|known| known.id == record.id)
    };
    let left: Vec<_> = all.into_iter().filter(is_left).collect();
    over.extend(left);
    for record in over {
        if let Err(error) = remove(pool, store, &record) {
            tracing::warn!(%error, rescue = %record.id, "cannot drop an expired rescue");
        }
    }
    Ok(())
}

/// The event of a rescue that was brought back.
pub(super) fn restored_event(record: &RescueRecord) -> NewEvent {
    NewEvent {
        kind: EventKind::RescueRestored,
        worktree: Some(record.name.clone()),
        lease: None,
        detail: record.id.to_string(),
    }
}
