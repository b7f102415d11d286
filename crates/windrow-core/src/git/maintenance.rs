//! Git's own maintenance of the object database.
//!
//! # Crash safety
//! Objects are in a pack before their loose files go, and in a new pack before an old one does. A kill leaves temporary
//! files, which a later `git gc` of the user's clears away, and git's `objects/maintenance.lock`, which nobody can tell from
//! another program's: it stays until somebody removes it, and no maintenance runs until then.

use std::{fs, io, path::PathBuf};

use bstr::ByteSlice;

use super::{
    command::{Git, GitError},
    repository::Repository,
};

/// What git packs at by itself when nothing is configured. *Source*: git-config(1), `gc.auto`.
const USUAL: u64 = 6_700;

/// Above how many loose objects maintenance is due; `None` when the user wants none by itself: `maintenance.auto` is false, or
/// `gc.auto` is 0 or cannot be understood.
#[must_use]
pub fn maintenance_threshold(repo: &Repository) -> Option<u64> {
    if repo.config.get("maintenance.auto").is_some() && repo.config.truth("maintenance.auto") != Some(true) {
        return None;
    }
    match repo.config.get("gc.auto") {
        None => Some(USUAL),
        Some(value) => value.to_str().ok()?.trim().parse().ok().filter(|threshold| *threshold > 0),
    }
}

/// The lock under which git runs one maintenance at a time.
#[must_use]
pub fn maintenance_lock(repo: &Repository) -> PathBuf {
    repo.common_dir.join("objects/maintenance.lock")
}

/// Counts loose objects, at most a little more than `limit` of them.
///
/// # Errors
/// A directory cannot be listed.
pub fn count_loose(repo: &Repository, limit: u64) -> io::Result<u64> {
    let mut count = 0;
    for number in 0..=u8::MAX {
        let directory = repo.common_dir.join(format!("objects/{number:02x}"));
        match fs::read_dir(directory) {
            Ok(entries) => count += entries.count() as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if count > limit {
            break;
        }
    }
    Ok(count)
}

/// Packs loose objects and joins small packs; keeps every object, also those that nothing reaches.
///
/// The last call takes away the loose files of what the first one packed. A call for each, because git would run them in an order
/// of its own, and joining fails where there is no pack yet. *Source*: git-maintenance(1): `loose-objects` removes
/// loose files only of objects that are in a pack, and packs the others; `incremental-repack` removes packs only once all their
/// objects are in another one.
///
/// # Errors
/// Git failed.
pub fn maintain(git: &Git, repo: &Repository) -> Result<(), GitError> {
    for task in ["--task=loose-objects", "--task=incremental-repack", "--task=loose-objects"] {
        // Promised objects that are missing are nobody's business here.
        repo.call(git, "maintenance").args(["run", "--quiet", task]).offline().run()?;
    }
    Ok(())
}
