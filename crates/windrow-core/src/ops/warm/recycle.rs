//! Making spares of worktrees that were given back: what their holder did is taken out, and what is missing written again.
//!
//! A worktree that once was a spare leaves what was written into it behind, in `windrow/warm/<entry>.pristine`, named like its entry
//! in the trash. The files stay in the trash, where anybody may delete them; so nothing depends on them.
//!
//! # Crash safety
//! What is taken out of the trash is `creating` first, so that a kill throws it away. It is `idle` when it was proven.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::BString;
use windrow_model::{FileStat, Stamp, WorktreeRecord};

use super::{fill::Made, spare};
use crate::{
    fs::{self, ScrubRequest, Scrubbed, SetAside},
    git::{self, Objects},
    ops::{
        create::own_parent,
        error::{CreateError, PoolError, StateError},
        observer::Observer,
        pool::Pool,
        sweep,
    },
    process,
    store::LocalStore,
};

/// How much older than the look at it a file's last change must be: the coarsest time stamps are of two seconds.
const SETTLED: i64 = 2;

/// What was left of a worktree that was given back.
#[derive(Debug)]
pub(super) struct Offer {
    /// Its files, which nobody deletes while this is held.
    files: SetAside,
    pristine: PathBuf,
    conditions: PathBuf,
}

/// Has the files of a worktree that is gone, which lie in the trash as `entry`, used again if it was a spare once and more are
/// wanted, and else deleted. Never waits.
pub(in crate::ops) fn give_back(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    entry: Option<&Path>,
) {
    let known = [spare::pristine(pool, &worktree.id), spare::conditions_file(pool, &worktree.id)];
    let offer = |entry: &Path| {
        // A snapshot is made and deleted in one step, and nothing can be moved out of it one by one.
        if fs::is_subvolume(entry) {
            return false;
        }
        let offered = [".pristine", ".conditions"].map(|suffix| beside(pool, entry, suffix));
        known.iter().zip(offered).all(|(file, offered)| std::fs::rename(file, offered).is_ok())
    };
    if pool.settings().pool.warm > 0
        && entry.is_some_and(offer)
        && super::in_background(pool, store, worktree)
    {
        return;
    }
    for file in known {
        let _ = std::fs::remove_file(file);
    }
    sweep::in_background(pool, worktree);
}

fn beside(pool: &Pool, entry: &Path, suffix: &str) -> PathBuf {
    let mut name = entry.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    pool.warm_dir().join(name)
}

/// Takes all offers in hand whose files still are in the trash, and forgets the others.
pub(super) fn offers(pool: &Pool, trash: &Path) -> Result<Vec<Offer>, StateError> {
    let failed = |source| StateError::Io { path: pool.warm_dir(), source };
    let mut found = Vec::new();
    for file in std::fs::read_dir(pool.warm_dir()).map_err(failed)? {
        let pristine = file.map_err(failed)?.path();
        let entry = trash.join(pristine.file_stem().unwrap_or_default());
        if pristine.extension().is_none_or(|extension| extension != "pristine") || !fs::is_in_trash(&entry) {
            continue;
        }
        let conditions = pristine.with_extension("conditions");
        match fs::take_in_hand(&entry).map_err(failed)? {
            Some(files) => found.push(Offer { files, pristine, conditions }),
            None => drop([pristine, conditions].map(std::fs::remove_file)),
        }
    }
    Ok(found)
}

/// Makes the files of a record, which is `creating`, of what was given back.
pub(super) fn make_files(
    pool: &Pool,
    record: &WorktreeRecord,
    offer: &Offer,
    conditions: &str,
    observer: &mut dyn Observer,
) -> Result<Made, PoolError> {
    let made_under = std::fs::read_to_string(&offer.conditions);
    let failed = |source| CreateError::Io { path: offer.pristine.clone(), source };
    let settled = settled(&offer.pristine).map_err(failed)?;
    let taken = made_under.is_ok_and(|made| made == conditions) && take(pool, record, offer)?;
    let _ = std::fs::remove_file(&offer.pristine);
    let _ = std::fs::remove_file(&offer.conditions);
    if !taken {
        return Ok(Made::Unusable);
    }
    let (index, format) = (spare::index(pool, &record.id), pool.repository().object_format);
    let mut there = git::read_index(&index, format).map_err(CreateError::from)?;
    let known: Vec<_> = there.iter().map(|entry| (entry.path.clone(), entry.stat)).collect();
    let Some(missing) = prove(record, &known, settled)? else { return Ok(Made::Unusable) };
    there.retain(|entry| !missing.contains(&entry.path));
    let objects = Objects::open(pool.repository());
    let tree = objects.listing(&record.base).map_err(CreateError::from)?;
    let (git, repository) = (&pool.git, pool.repository());
    if git::needs_git(git, repository, &objects, &tree.entries).map_err(CreateError::from)?.is_some() {
        return Ok(Made::Unusable);
    }
    spare::switch(pool, record, &there, &objects, &tree, observer)?;
    spare::note_conditions(pool, &record.id, conditions)?;
    Ok(Made::Ready)
}

/// Moves the files out of the trash to where the record's are; `false` when somebody was faster.
fn take(pool: &Pool, record: &WorktreeRecord, offer: &Offer) -> Result<bool, PoolError> {
    let failed = |source| CreateError::Io { path: record.path.clone(), source };
    std::fs::copy(&offer.pristine, spare::index(pool, &record.id)).map_err(failed)?;
    match fs::rename_new(offer.files.path(), &record.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        moved => Ok(moved.map(|()| true).map_err(failed)?),
    }
}

/// Takes out what is not as it was written; tells what has to be written again, or `None` when the rest cannot be proven.
fn prove(
    record: &WorktreeRecord,
    known: &[(BString, FileStat)],
    settled: Stamp,
) -> Result<Option<HashSet<BString>>, PoolError> {
    let failed = |source| CreateError::Io { path: record.path.clone(), source };
    let umask = process::umask().map_err(failed)?;
    let umask = u32::from_str_radix(&umask, 8).map_err(|error| failed(io::Error::other(error)))?;
    let request = ScrubRequest {
        root: &record.path,
        known,
        settled,
        root_mode: own_parent(&record.path)? & !umask,
        directory_mode: 0o777 & !umask,
        trash: &Pool::trash_of(record),
    };
    match fs::scrub(&request).map_err(failed)? {
        Scrubbed::Proven { missing } => Ok(Some(missing)),
        Scrubbed::Unproven { path, why } => {
            tracing::info!(path = %path.display(), why, "a worktree that was given back is not used again");
            Ok(None)
        }
    }
}

/// Only what was last changed before this is known to be what was looked at when `pristine` was written.
fn settled(pristine: &Path) -> io::Result<Stamp> {
    let looked = pristine.metadata()?.modified()?.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = looked.map(|since| since.as_secs()).unwrap_or_default();
    Ok(Stamp { seconds: i64::try_from(seconds).unwrap_or_default() - SETTLED, nanos: 0 })
}
