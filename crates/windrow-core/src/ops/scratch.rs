//! A place beside each worktree for what is not the project's: its own temporary directory and its markers. git sees neither, and
//! both go with the worktree.
//!
//! # Crash safety
//! What a kill leaves is removed when it is a day old and belongs to no worktree.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use windrow_model::WorktreeId;

use super::{error::StateError, pool::Pool};
use crate::fs as files;

/// The directories of one worktree.
#[derive(Debug)]
pub(super) struct Scratch {
    /// For `TMPDIR`.
    pub(super) temporary: PathBuf,
    /// For `WINDROW_MARKERS`.
    pub(super) markers: PathBuf,
}

/// Makes them, if they are not there.
pub(super) fn prepare(pool: &Pool, id: &WorktreeId) -> Result<Scratch, StateError> {
    let own = directory(pool, id);
    let scratch = Scratch { temporary: own.join("tmp"), markers: own.join("markers") };
    files::private_dir(&pool.scratch())?;
    for directory in [&own, &scratch.temporary, &scratch.markers] {
        files::private_dir(directory)?;
    }
    Ok(scratch)
}

/// Removes them; what cannot be removed now is left over.
pub(super) fn clear(pool: &Pool, id: &WorktreeId) {
    let aside = pool.state_dir().join(format!("old-{}", uuid::Uuid::now_v7().simple()));
    let gone = match fs::rename(directory(pool, id), &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(&aside),
    };
    if let Err(error) = gone {
        tracing::debug!(%error, %id, "a temporary directory stays for now");
    }
}

/// Tells whether a directory here is that of this worktree.
pub(super) fn is_of(path: &Path, id: &WorktreeId) -> bool {
    path.file_name().is_some_and(|found| found == name(id).as_str())
}

fn directory(pool: &Pool, id: &WorktreeId) -> PathBuf {
    pool.scratch().join(name(id))
}

/// Twelve random digits: a path of a socket may have no more than 107 bytes. *Source*: unix(7).
fn name(id: &WorktreeId) -> String {
    let text = id.to_string();
    text[text.len().saturating_sub(12)..].to_owned()
}
