//! What nobody needs any more and nobody comes back for: old logs, and what a crash left between two steps.
//!
//! # Crash safety
//! Age tells what is left over: nothing here is younger than a day, and no operation takes that long between its steps.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use windrow_model::{WorktreeId, WorktreeRecord};

use super::{
    error::StateError,
    pool::{Pool, WorktreeLock},
    scratch, warm,
};
use crate::{fs as files, git, store::LocalStore};

const DAY: Duration = Duration::from_secs(86_400);

/// How long the history of what is gone is kept.
const HISTORY: Duration = Duration::from_secs(90 * 86_400);

/// The day on which old history was last forgotten.
const META_FORGOT: &str = "forgot";

/// Removes what is left over. What cannot be removed is left for the next time.
pub(super) fn clear(pool: &Pool, store: &mut LocalStore) -> Result<(), StateError> {
    forget(store, Pool::now())?;
    let live = store.worktrees()?;
    let cleared = clear_logs(pool, &live)
        .and_then(|()| clear_locks(pool, &live))
        .and_then(|()| clear_excludes(pool, &live))
        .and_then(|()| clear_scratch(pool, &live))
        .and_then(|()| clear_unfinished(pool))
        .and_then(|()| clear_landings(pool, store))
        .and_then(|()| warm::clear_lost(pool, store));
    if let Err(error) = cleared {
        tracing::debug!(%error, "leftovers stay");
    }
    Ok(())
}

/// Forgets old history, once a day, so that it costs no command more than a look.
fn forget(store: &mut LocalStore, now: Timestamp) -> Result<(), StateError> {
    let today = (now.as_second() / 86_400).to_string();
    if store.meta(META_FORGOT)?.is_some_and(|last| last == today) {
        return Ok(());
    }
    let before =
        now.checked_sub(SignedDuration::try_from(HISTORY).unwrap_or_default()).unwrap_or(Timestamp::MIN);
    store.transaction(|tx| {
        tx.forget(before)?;
        tx.set_meta(META_FORGOT, &today)
    })?;
    Ok(())
}

fn clear_logs(pool: &Pool, live: &[WorktreeRecord]) -> io::Result<()> {
    old_logs(pool, live)?.into_iter().try_for_each(fs::remove_file)
}

/// Logs stay as long as rescues do, and as long as their worktree.
pub(super) fn old_logs(pool: &Pool, live: &[WorktreeRecord]) -> io::Result<Vec<PathBuf>> {
    let mut logs = older_than(&pool.logs(), pool.settings().rescue.keep.max(DAY))?;
    logs.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_live = |record: &WorktreeRecord| name.starts_with(&format!("{}.log", record.name));
        name.contains(".log") && !live.iter().any(of_live)
    });
    Ok(logs)
}

/// A lock file whose worktree was never recorded, or went while somebody looked at it.
fn clear_locks(pool: &Pool, live: &[WorktreeRecord]) -> io::Result<()> {
    for path in older_than(&pool.locks(), DAY)? {
        let id = path.file_stem().and_then(|stem| stem.to_str()?.parse::<WorktreeId>().ok());
        let Some(id) = id.filter(|id| !live.iter().any(|record| record.id == *id)) else { continue };
        let Some(lock) = pool.lock_worktree(&id).map_err(io::Error::other)? else { continue };
        // Its own file goes with the lock: who waits for it has a new one as soon as it is gone.
        if path.extension().is_none_or(|extension| extension != "owner") {
            remove_stale(&lock, &path)?;
        }
        lock.retire();
    }
    Ok(())
}

/// Removes a lock file that a dead one left; whoever holds the worktree's own lock knows that nobody works there.
pub(super) fn remove_stale(_held: &WorktreeLock, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is ignored in a worktree that was never recorded, or is gone.
fn clear_excludes(pool: &Pool, live: &[WorktreeRecord]) -> io::Result<()> {
    for path in older_than(&pool.excludes(), DAY)? {
        let id = path.file_name().and_then(|name| name.to_str()?.parse::<WorktreeId>().ok());
        if id.is_some_and(|id| !live.iter().any(|record| record.id == id)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Temporary directories of a worktree that is gone.
fn clear_scratch(pool: &Pool, live: &[WorktreeRecord]) -> io::Result<()> {
    if !pool.scratch().is_dir() {
        return Ok(());
    }
    for path in older_than(&pool.scratch(), DAY)? {
        if !live.iter().any(|record| scratch::is_of(&path, &record.id)) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// What a landing needed that was never recorded, or is over.
fn clear_landings(pool: &Pool, store: &LocalStore) -> io::Result<()> {
    let rooms = pool.state_dir().join("land");
    if !rooms.is_dir() {
        return Ok(());
    }
    let open = store.open_landings().map_err(io::Error::other)?;
    for room in older_than(&rooms, DAY)? {
        let name = room.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !open.iter().any(|landing| landing.id.to_string() == name) {
            fs::remove_dir_all(room)?;
        }
    }
    Ok(())
}

/// Administrative directories, copies of an index and archives that a crash cut short.
fn clear_unfinished(pool: &Pool) -> io::Result<()> {
    if let Some(before) = SystemTime::now().checked_sub(DAY) {
        git::sweep_leftovers(pool.repository(), before)?;
    }
    for path in older_than(pool.state_dir(), DAY)? {
        match path.file_name().map(|name| name.to_string_lossy()) {
            Some(name) if name.starts_with("old-") => fs::remove_dir_all(&path)?,
            // Records that were made anew are there at once, or never.
            Some(name) if name.contains(".db.new") => fs::remove_file(&path)?,
            _ => {}
        }
    }
    // Their writers hold them locked.
    files::remove_leftovers(&pool.rescues()).map(drop)
}

fn older_than(directory: &Path, age: Duration) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?;
        if modified.elapsed().is_ok_and(|elapsed| elapsed >= age) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
