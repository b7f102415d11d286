//! Deleting trash, after the fact and out of the way.
//!
//! # Locking
//! One sweeper works on a trash directory at a time, by a lock beside it. Whoever throws something away looks at the lock
//! afterwards, and the sweeper looks at the trash again after it gave the lock up: so nothing stays behind unnoticed, and
//! nobody starts a sweeper in vain.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use windrow_model::WorktreeRecord;

use super::{
    error::{StateError, SweepError},
    place,
    pool::Pool,
};
use crate::{
    fs,
    process::{self, FileLock, LockState, Wait},
    store::LocalStore,
};

/// The name of the hidden subcommand of the helper that empties a trash directory.
pub const SWEEP_COMMAND: &str = "__sweep";

/// How often a sweeper looks whether what somebody still looks at has become free, and how long it waits in between.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Starts a sweeper for the trash beside a worktree. Never waits.
pub(super) fn in_background(pool: &Pool, worktree: &WorktreeRecord) {
    let trash = Pool::trash_of(worktree);
    if let Err(error) = start(pool, &trash) {
        tracing::warn!(%error, trash = %trash.display(), "the trash waits for the next command");
    }
}

/// Starts a sweeper unless one is at work.
pub(super) fn start(pool: &Pool, trash: &Path) -> std::io::Result<()> {
    if is_at_work(trash) {
        return Ok(());
    }
    let arguments = [SWEEP_COMMAND.into(), trash.as_os_str().to_owned()];
    process::spawn_detached(&pool.environment.helper, &arguments, &[])
}

/// Tells whether a sweeper is at work.
pub(super) fn is_at_work(trash: &Path) -> bool {
    process::is_free(&lock_of(trash)).is_ok_and(|state| state == LockState::Held)
}

/// Empties a trash directory at low priority; what the hidden subcommand does.
///
/// Looks again after each pass, because something may have been thrown away meanwhile.
///
/// # Errors
/// The directory cannot be read; what could not be deleted is left for the next time.
pub fn sweep(trash: &Path) -> Result<fs::TrashReport, SweepError> {
    fs::give_way();
    let mut total = fs::TrashReport::default();
    let mut looks = LOOKS;
    while fs::has_trash(trash) {
        let Some(turn) = FileLock::acquire(&lock_of(trash), Wait::No)? else { break };
        let report = fs::empty_trash(trash)?;
        drop(turn);
        total.removed += report.removed;
        total.files += report.files;
        total.failures = report.failures;
        if report.removed > 0 {
            continue;
        }
        // What somebody looks at for the last time is free in a moment, and nobody starts another sweeper while there is one.
        if report.busy.is_empty() || looks == 0 {
            break;
        }
        looks -= 1;
        thread::sleep(PAUSE);
    }
    Ok(total)
}

/// For how long a sweeper at work is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Empties a trash directory now; `None` when a sweeper was at work all the time.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn empty_now(trash: &Path) -> Result<Option<fs::TrashReport>, SweepError> {
    if !fs::has_trash(trash) {
        return Ok(Some(fs::TrashReport::default()));
    }
    let Some(_turn) = FileLock::acquire(&lock_of(trash), Wait::For(PATIENCE))? else { return Ok(None) };
    Ok(Some(fs::empty_trash(trash)?))
}

/// Empties a trash directory now and removes it, if nothing of others is in it; tells whether it is gone.
///
/// # Errors
/// The directory cannot be read; a sweeper at work is waited for.
pub(super) fn clear_away(trash: &Path) -> Result<bool, SweepError> {
    if trash.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(true);
    }
    let Some(turn) = FileLock::acquire(&lock_of(trash), Wait::For(PATIENCE))? else { return Ok(false) };
    fs::empty_trash(trash)?;
    // Whoever waits for the lock finds that it is gone, or makes it again in a directory that then stays.
    let _ = turn.remove();
    Ok(std::fs::remove_dir(trash).is_ok())
}

pub(super) fn lock_of(trash: &Path) -> PathBuf {
    trash.join("sweep.lock")
}

/// Where trash may lie: beside the worktrees, and where the next one would be made, because the last one may be gone.
pub(super) fn directories(pool: &Pool, worktrees: &[WorktreeRecord]) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<_> = worktrees.iter().map(Pool::trash_of).collect();
    found.extend(place::trash(pool));
    found
}

/// What waits in a trash directory to be deleted; nothing when there is no trash.
pub(super) fn entries(trash: &Path) -> io::Result<Vec<PathBuf>> {
    let all = match std::fs::read_dir(trash) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        all => all?,
    };
    let mut found = Vec::new();
    for entry in all {
        found.push(entry?.path());
    }
    found.retain(|path| fs::is_in_trash(path));
    Ok(found)
}

/// Starts sweepers for trash that a former command left behind.
pub(super) fn leftovers(pool: &Pool, store: &LocalStore) -> Result<(), StateError> {
    for trash in directories(pool, &store.worktrees()?) {
        if fs::has_trash(&trash) {
            let _ = start(pool, &trash);
        }
    }
    Ok(())
}
