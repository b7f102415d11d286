//! Removing the locks on refs that a git of ours left when it was killed; every git of the repository would fail on them.
//!
//! # Locking
//! Under the repository lock, so that no other change of ours is under way. What was seen before the lock was taken must still
//! be the same file then.
//!
//! # Crash safety
//! May be repeated: a note goes last.

use std::{
    io,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use windrow_model::{Checkout, LeaseRecord, WorktreeRecord};

use super::{error::StateError, pool::Pool};
use crate::{
    git::{self, RefLock},
    process,
};

/// How long a lock must have been there unchanged. A git that lives holds one for less, unless it is stopped.
const STANDSTILL: Duration = Duration::from_millis(500);

/// How often it is looked at meanwhile; most are gone at once, because their git lives.
const LOOKS: u32 = 10;

/// Whether the locks that were looked for are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cleared {
    Yes,
    /// Some git runs in the repository, so they may be its own.
    No,
}

/// Clears what our own changes of refs left that were killed. What cannot be cleared stays for the next time.
pub(super) fn settle(pool: &Pool) {
    let abandoned = git::abandoned_changes(pool.repository()).map_err(|source| failed(pool.locks(), source));
    let settled = abandoned.and_then(|changes| {
        for change in changes {
            if clear(pool, &change.refs, change.since)? == Cleared::Yes {
                change.forget().map_err(|source| failed(pool.locks(), source))?;
            }
        }
        Ok(())
    });
    if let Err(error) = settled {
        tracing::warn!(%error, "locks of a killed git may stay");
    }
}

/// Clears what the gits of a worktree left that were killed with everything else in it; the caller knows that all are dead.
pub(super) fn settle_after(pool: &Pool, worktree: &WorktreeRecord, lease: &LeaseRecord) {
    let refs = match &worktree.checkout {
        Checkout::Branch { name, .. } => vec![name.full()],
        Checkout::Detached => Vec::new(),
    };
    if let Err(error) = clear(pool, &refs, SystemTime::from(lease.acquired_at)) {
        tracing::warn!(%error, worktree = %worktree.name, "locks of a killed git may stay");
    }
}

fn clear(pool: &Pool, refs: &[String], since: SystemTime) -> Result<Cleared, StateError> {
    let common = || pool.repository().common_dir.clone();
    let look = || git::ref_locks(pool.repository(), refs, since).map_err(|source| failed(common(), source));
    let mut seen = look()?;
    for _ in 0..LOOKS {
        if seen.is_empty() {
            return Ok(Cleared::Yes);
        }
        thread::sleep(STANDSTILL / LOOKS);
        let now = look()?;
        seen.retain(|lock| now.contains(lock));
    }
    let _lock = pool.lock_repository()?;
    let youngest = seen.iter().map(|lock| lock.born).max();
    if youngest.is_some_and(|born| is_git_at_work(pool, born)) {
        return Ok(Cleared::No);
    }
    let now = look()?;
    for RefLock { path, .. } in now.intersection(&seen) {
        tracing::info!(path = %path.display(), "removing the lock of a git that was killed");
        std::fs::remove_file(path).map_err(|source| failed(path.clone(), source))?;
    }
    Ok(Cleared::Yes)
}

fn failed(path: PathBuf, source: io::Error) -> StateError {
    StateError::Io { path, source }
}

/// By how much a git must be younger than a lock to be none that made it: start times are in whole seconds, and clocks are set.
const YOUNGER: Duration = Duration::from_secs(2);

/// Tells whether a git may run in one of the worktrees or the repository that may have made a lock at `born`.
///
/// One that began later did not, however long it waits for that lock; where many work there always is one that waits.
fn is_git_at_work(pool: &Pool, born: SystemTime) -> bool {
    let may_own = |pid: &u32| match process::started_at(*pid) {
        Ok(Some(started)) => SystemTime::from(started) < born + YOUNGER,
        // It is gone, and what it made with it is abandoned.
        Ok(None) => false,
        Err(_) => true,
    };
    let looked = pool.repository().worktrees(&pool.git).map_err(io::Error::other).and_then(|listed| {
        let mut places: Vec<PathBuf> = vec![pool.repository().common_dir.clone(), pool.root().to_owned()];
        places.extend(listed.into_iter().map(|worktree| worktree.path).filter(|path| path.is_dir()));
        let mut users = process::users_named("git", &places)?;
        users.retain(may_own);
        Ok(users)
    });
    match looked {
        Ok(users) if users.is_empty() => false,
        Ok(users) => {
            tracing::warn!(?users, "git is at work, so locks on refs stay");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "git may be at work, so locks on refs stay");
            true
        }
    }
}
