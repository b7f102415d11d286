//! Spares that no record knows: the records were lost, or made anew.
//!
//! Beside what is kept of each spare lies `windrow/warm/<id>.mark`: whose repository it is, and which directory. One that is
//! that directory, made for this repository and not for one that this is a copy of, with every file as it was written, is ours
//! and nobody's work; it is thrown away, because the next filling makes another one. The others stay for a person.

use std::{
    ffi::OsString,
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use windrow_model::{DirectoryIdentity, WorktreeId, WorktreeRecord, WorktreeState};

use super::spare;
use crate::{
    fs, git,
    ops::{
        error::StateError,
        pool::{Pool, WorktreeLock},
        sweep,
    },
    store::LocalStore,
};

/// The first line; another one is of another version, whose spares are left alone.
const FORMAT: &str = "windrow spare 1";

pub(super) fn mark_file(pool: &Pool, id: &WorktreeId) -> PathBuf {
    pool.warm_dir().join(format!("{id}.mark"))
}

/// Notes whose a spare is, so that it is known without its record.
pub(super) fn mark(pool: &Pool, made: &WorktreeRecord) -> Result<(), StateError> {
    let Some(directory) = &made.identity else { return Ok(()) };
    let mut text = head(pool, directory)?.into_bytes();
    text.extend_from_slice(spare::directory(made).as_os_str().as_bytes());
    let file = mark_file(pool, &made.id);
    std::fs::write(&file, text).map_err(|source| StateError::Io { path: file, source })
}

/// The path comes after it, because that may hold anything.
fn head(pool: &Pool, directory: &DirectoryIdentity) -> Result<String, StateError> {
    let DirectoryIdentity { filesystem, inode, born_nanos } = directory;
    Ok(format!("{FORMAT}\nrepository {}\ndirectory {filesystem} {inode} {born_nanos:?}\nroot ", pool.mark()?))
}

/// Throws away what is proven to be a spare of lost records. What cannot be looked at is left for the next time.
pub(in crate::ops) fn clear(pool: &Pool, store: &LocalStore) -> io::Result<()> {
    let entries = match std::fs::read_dir(pool.warm_dir()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let live = store.worktrees().map_err(io::Error::other)?;
    for entry in entries {
        let id = marked(&entry?.path());
        if let Some(id) = id.filter(|id| !live.iter().any(|record| record.id == *id)) {
            clear_one(pool, store, &id).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// Tells whether anything was ever held ready that may be there still.
pub(in crate::ops) fn has_marks(pool: &Pool) -> bool {
    let entries = std::fs::read_dir(pool.warm_dir()).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| marked(&entry.path()).is_some())
}

/// Whose mark a file is.
fn marked(path: &Path) -> Option<WorktreeId> {
    path.extension().filter(|extension| *extension == "mark")?;
    path.file_stem()?.to_str()?.parse().ok()
}

fn clear_one(pool: &Pool, store: &LocalStore, id: &WorktreeId) -> Result<(), StateError> {
    let Some(lock) = pool.lock_worktree(id)? else { return Ok(()) };
    let known = store.worktree(*id)?.is_some_and(|record| record.state != WorktreeState::Gone);
    if !known && clear_locked(pool, id, &lock)? == Standing::Over {
        lock.retire();
    }
    Ok(())
}

/// Whether anything of a spare is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its files stay.
    Stays,
    /// Nothing is left.
    Over,
}

fn clear_locked(pool: &Pool, id: &WorktreeId, _lock: &WorktreeLock) -> Result<Standing, StateError> {
    let file = mark_file(pool, id);
    let failed = |source| StateError::Io { path: file.clone(), source };
    let text = std::fs::read(&file).map_err(failed)?;
    let Some(root) = root_in(&text).filter(|root| is_named_for(root, id)) else { return Ok(Standing::Stays) };
    let found = fs::directory_identity(&root).map_err(failed)?;
    if let Some(directory) = found {
        if !text.starts_with(head(pool, &directory)?.as_bytes()) || !is_as_written(pool, id, &root) {
            return Ok(Standing::Stays);
        }
        let trash = Pool::trash_beside(&root);
        fs::move_to_trash(&root, &trash, &format!("idle-{id}"))
            .map_err(|error| failed(io::Error::other(error)))?;
        let _ = sweep::start(pool, &trash);
    }
    spare::forget(pool, id);
    Ok(Standing::Over)
}

fn root_in(text: &[u8]) -> Option<PathBuf> {
    const ROOT: &[u8] = b"\nroot ";
    let at = text.windows(ROOT.len()).position(|window| window == ROOT)?;
    text.starts_with(FORMAT.as_bytes())
        .then(|| PathBuf::from(OsString::from_vec(text[at + ROOT.len()..].to_vec())))
}

fn is_named_for(root: &Path, id: &WorktreeId) -> bool {
    root.is_absolute() && root.file_name() == Some(format!(".idle-{id}").as_ref())
}

/// Nobody wrote into it; what cannot be told counts as written.
fn is_as_written(pool: &Pool, id: &WorktreeId, root: &Path) -> bool {
    let format = pool.repository().object_format;
    let Ok(entries) = git::read_index(&spare::index(pool, id), format) else { return false };
    let known: Vec<_> = entries.into_iter().map(|entry| (entry.path, entry.stat)).collect();
    matches!(fs::first_difference(root, &known), Ok(None))
}
