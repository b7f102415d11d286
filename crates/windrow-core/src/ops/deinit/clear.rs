//! Removing what is left when nothing depends on it any more: trash, directories, records.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    DeinitError,
    look::{self, Territory},
};
use crate::{
    fs as files, git,
    ops::{
        error::{StateError, SweepError},
        pool::Pool,
        sweep,
    },
    store::{Access, LocalStore, StoreError},
};

/// Git keeps the directory of a whole namespace, and that of logs even where the user has none, as in a bare repository.
const EMPTIED: [&str; 9] = [
    "refs/windrow/rescue",
    "refs/windrow/cand",
    "refs/windrow",
    "logs/refs/windrow/rescue",
    "logs/refs/windrow/cand",
    "logs/refs/windrow",
    "logs/refs/heads",
    "logs/refs",
    "logs",
];

/// Removes directories, records and refs' directories; returns what stays, because it is not ours.
pub(super) fn directories(pool: &Pool) -> Result<Vec<PathBuf>, DeinitError> {
    let territory = {
        let store = pool.records()?;
        Territory::of(pool, store.as_ref())?
    };
    let mut stays = territory.stays(pool, &[])?;
    for trash in &territory.trashes {
        if sweep::lock_of(trash).exists() || files::has_trash(trash) {
            sweep::clear_away(trash).map_err(swept)?;
        }
    }
    for directory in &territory.pools {
        remove_if_empty(directory);
    }
    if let Some(data) = pool.data_directory() {
        // All repositories share it.
        data.parent().into_iter().for_each(remove_if_empty);
    }
    let registry = || pool.repository().common_dir.join("worktrees");
    git::sweep_marks(pool.repository()).map_err(|source| DeinitError::Io { path: registry(), source })?;
    remove_state(pool)?;
    for directory in EMPTIED {
        remove_if_empty(&pool.repository().common_dir.join(directory));
    }
    let left = look::names_in(pool.state_dir())?.into_iter().map(|name| pool.state_dir().join(name));
    stays.extend(left);
    stays.retain(|path| path.symlink_metadata().is_ok());
    stays.sort();
    stays.dedup();
    Ok(stays)
}

fn swept(error: SweepError) -> DeinitError {
    match error {
        SweepError::Trash(error) => StateError::from(error).into(),
        SweepError::Lock(error) => error.into(),
    }
}

/// Whatever is in it keeps it.
fn remove_if_empty(directory: &Path) {
    let _ = fs::remove_dir(directory);
}

/// Takes the records out of everybody's sight by one rename, looks once more, and removes them.
fn remove_state(pool: &Pool) -> Result<(), DeinitError> {
    let (state, leaving) = (pool.state_dir(), look::leaving(pool));
    if !look::holds_state(state)? {
        return Ok(());
    }
    if pool.locks().is_dir() {
        // Whoever changes the shared `.git` at this moment needs it.
        let _lock = pool.lock_repository()?;
        rename(state, &leaving)?;
    } else {
        rename(state, &leaving)?;
    }
    finish_former(pool)
}

fn rename(from: &Path, to: &Path) -> Result<(), DeinitError> {
    files::rename_new(from, to).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => DeinitError::Meanwhile,
        _ => DeinitError::Io { path: from.to_owned(), source },
    })
}

/// Removes records that were taken out of sight, unless they hold something: then they go back.
pub(super) fn finish_former(pool: &Pool) -> Result<(), DeinitError> {
    let leaving = look::leaving(pool);
    if !look::is_directory(&leaving) {
        return Ok(());
    }
    if is_used(&leaving)? {
        rename(&leaving, pool.state_dir())?;
        return Err(DeinitError::Meanwhile);
    }
    for name in look::names_in(&leaving)?.iter().filter(|name| look::is_state(name)) {
        let path = leaving.join(name);
        remove_all(&path).map_err(|source| DeinitError::Io { path, source })?;
    }
    remove_if_empty(&leaving);
    // What is not ours is where it was.
    if leaving.is_dir() { rename(&leaving, pool.state_dir()) } else { Ok(()) }
}

/// Waits for whoever writes at this moment. Records that are half removed hold nothing any more.
fn is_used(leaving: &Path) -> Result<bool, DeinitError> {
    let whole = ["state.db", "locks"].iter().all(|name| leaving.join(name).exists());
    if !whole {
        return Ok(false);
    }
    let look = |store: &mut LocalStore| {
        store.transaction(|tx| Ok(!tx.worktrees()?.is_empty() || !tx.rescues()?.is_empty()))
    };
    match LocalStore::open(leaving, Access::ReadWrite).and_then(|mut store| look(&mut store)) {
        Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => Ok(false),
        used => Ok(used.map_err(StateError::from)?),
    }
}

/// Never follows a link. A directory of rescues keeps what no rescue of ours is.
fn remove_all(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    if path.file_name() == Some("rescue".as_ref()) {
        files::remove_leftovers(path)?;
        remove_if_empty(path);
        return Ok(());
    }
    fs::remove_dir_all(path)
}
