//! One worktree that is held ready: files and an index, of which git knows nothing yet.
//!
//! Its files lie beside the worktrees in `.idle-<id>`, its index in `windrow/warm/<id>.index` with the conditions under which it
//! was made. Registration, branch, name and carried files come when it is handed out, by the very steps of every creation.
//!
//! # Crash safety
//! A spare that is being made, brought to another commit or handed out is `creating`, so that whatever a kill leaves is undone.

use std::{
    io,
    path::{Path, PathBuf},
};

use windrow_model::{IndexEntry, Oid, StrategyChoice, WorktreeId, WorktreeRecord, WorktreeState};

use crate::{
    fs::{self, Protection},
    git::{self, Objects, TreeListing},
    ops::{
        create::{self, own_parent},
        error::{CreateError, PoolError, StateError, chain},
        filling::{self, Place, Way},
        observer::Observer,
        pool::{Pool, WorktreeLock, make_new_directory},
    },
    process,
    store::Tx,
};

/// A spare that can be handed out, and the right to do so.
#[derive(Debug)]
pub(in crate::ops) struct Spare {
    /// Its record, still ready.
    pub(in crate::ops) record: WorktreeRecord,
    /// Its lock.
    pub(in crate::ops) lock: WorktreeLock,
}

/// Where the files of a spare lie that is, or becomes, the worktree of `record`.
pub(in crate::ops) fn directory(record: &WorktreeRecord) -> PathBuf {
    record.path.with_file_name(format!(".idle-{}", record.id))
}

/// The index of a spare.
pub(in crate::ops) fn index(pool: &Pool, id: &WorktreeId) -> PathBuf {
    pool.warm_dir().join(format!("{id}.index"))
}

pub(super) fn conditions_file(pool: &Pool, id: &WorktreeId) -> PathBuf {
    pool.warm_dir().join(format!("{id}.conditions"))
}

/// Notes under which conditions a spare's files are written.
pub(super) fn note_conditions(pool: &Pool, id: &WorktreeId, conditions: &str) -> Result<(), CreateError> {
    let file = conditions_file(pool, id);
    std::fs::write(&file, conditions).map_err(|source| CreateError::Io { path: file, source })
}

/// What else decides how a commit's files look on disk; `None` when it cannot be told, or when git has to write them.
///
/// The commit's own attributes are looked at when a spare is made, against the same configuration.
pub(in crate::ops) fn conditions(pool: &Pool) -> Option<String> {
    let plain = git::needs_git_always(&pool.git, pool.repository()).ok()?.is_none();
    let umask = process::umask().ok()?;
    let settings = pool.repository().config.digest(&["core.", "filter.", "extensions."]);
    plain.then(|| format!("1 {umask} {settings}\n"))
}

/// Finds a spare for a worktree at `path` and takes its lock: one that already is at `base` if there is one.
///
/// What is not as it was made is passed over; the next filling looks at it.
pub(in crate::ops) fn find(
    pool: &Pool,
    tx: &Tx<'_>,
    path: &Path,
    base: &Oid,
) -> Result<Option<Spare>, StateError> {
    // One that is held ready was made in whatever way was best then.
    if pool.settings().pool.strategy != StrategyChoice::Auto {
        return Ok(None);
    }
    let beside = |record: &WorktreeRecord| record.path.parent() == path.parent();
    let mut spares = tx.worktrees()?;
    spares.retain(|record| record.state == WorktreeState::Idle && beside(record));
    if spares.is_empty() || path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let Some(now) = conditions(pool) else { return Ok(None) };
    spares.sort_by_key(|record| (record.base != *base, record.created_at));
    for record in spares {
        if is_usable(pool, &record, &now)
            && let Some(lock) = pool.lock_worktree(&record.id)?
        {
            return Ok(Some(Spare { record, lock }));
        }
    }
    Ok(None)
}

/// Tells whether a spare is where it was made, under this boot and these conditions.
pub(super) fn is_usable(pool: &Pool, record: &WorktreeRecord, conditions: &str) -> bool {
    let same_boot = process::boot_id().is_ok_and(|boot| boot == record.boot_id);
    let there = fs::directory_identity(&directory(record)).ok().flatten();
    let made = std::fs::read_to_string(conditions_file(pool, &record.id));
    same_boot
        && there.is_some()
        && there == record.identity
        && made.is_ok_and(|made| made == conditions)
        && index(pool, &record.id).is_file()
}

/// What was written into a spare, by which it can be told later what its holder changed: a copy of its index that no git touches.
pub(super) fn pristine(pool: &Pool, id: &WorktreeId) -> PathBuf {
    pool.warm_dir().join(format!("{id}.pristine"))
}

/// Remembers what a spare's files are now.
fn remember(pool: &Pool, id: &WorktreeId) -> Result<(), CreateError> {
    let (from, to) = (index(pool, id), pristine(pool, id));
    std::fs::copy(&from, &to).map_err(|source| CreateError::Io { path: to, source })?;
    Ok(())
}

/// Remembers the times that the files of a worktree were given which was a spare before; nothing of any other.
pub(in crate::ops) fn remember_times(pool: &Pool, record: &WorktreeRecord) -> Result<(), CreateError> {
    let (from, to) = (record.admin.join("index"), pristine(pool, &record.id));
    if to.symlink_metadata().is_err() {
        return Ok(());
    }
    std::fs::copy(&from, &to).map_err(|source| CreateError::Io { path: to, source })?;
    Ok(())
}

/// Makes the files and the index of a spare that is not there yet.
pub(super) fn fill(
    pool: &Pool,
    record: &WorktreeRecord,
    conditions: &str,
    observer: &mut dyn Observer,
) -> Result<(), PoolError> {
    note_conditions(pool, &record.id, conditions)?;
    let (root, index) = (directory(record), index(pool, &record.id));
    let way = Way::choose(pool, record, observer);
    if !way.snapshot(pool, record, (&root, &index), observer)? {
        write(pool, record, &way, observer)?;
    }
    Ok(remember(pool, &record.id)?)
}

fn write(
    pool: &Pool,
    record: &WorktreeRecord,
    way: &Way,
    observer: &mut dyn Observer,
) -> Result<(), PoolError> {
    let objects = Objects::open(pool.repository());
    let tree = objects.listing(&record.base).map_err(CreateError::from)?;
    let why = git::needs_git(&pool.git, pool.repository(), &objects, &tree.entries);
    if why.map_err(CreateError::from)?.is_some() {
        return Err(PoolError::NeedsGit);
    }
    let (root, index) = (directory(record), index(pool, &record.id));
    create::check_room(pool, &root, &objects, &tree.entries)?;
    let mode = own_parent(&root)?;
    make_new_directory(&root, mode).map_err(|source| CreateError::Io { path: root.clone(), source })?;
    let place = Place { root: &root, index: &index, protection: Protection::Usual };
    Ok(way.write_tree(pool, &place, &objects, &tree, observer)?)
}

/// Brings a spare to the commit of `record`; `false` when only git itself can write that, and the spare then is thrown away.
pub(in crate::ops) fn bring_to_base(
    pool: &Pool,
    record: &WorktreeRecord,
    held: &Oid,
    observer: &mut dyn Observer,
) -> Result<bool, CreateError> {
    if *held == record.base {
        return Ok(true);
    }
    let objects = Objects::open(pool.repository());
    let tree = objects.listing(&record.base)?;
    if git::needs_git(&pool.git, pool.repository(), &objects, &tree.entries)?.is_some() {
        discard(pool, record)?;
        return Ok(false);
    }
    let old = git::read_index(&index(pool, &record.id), pool.repository().object_format)?;
    switch(pool, record, &old, &objects, &tree, observer)?;
    Ok(true)
}

/// Changes the files of a spare that differ from what is there, and only those.
pub(super) fn switch(
    pool: &Pool,
    record: &WorktreeRecord,
    there: &[IndexEntry],
    objects: &Objects,
    tree: &TreeListing,
    observer: &mut dyn Observer,
) -> Result<(), CreateError> {
    let (root, index) = (directory(record), index(pool, &record.id));
    let place = Place { root: &root, index: &index, protection: Protection::Usual };
    filling::switch(pool, &place, there, objects, tree, observer)?;
    remember(pool, &record.id)
}

/// Why a spare may not be thrown away: something that is not ours may be in it. `None` when it is as it was made.
pub(in crate::ops) fn doubt(pool: &Pool, record: &WorktreeRecord) -> Option<String> {
    let strange = || {
        let entries = git::read_index(&index(pool, &record.id), pool.repository().object_format)?;
        let known: Vec<_> = entries.into_iter().map(|entry| (entry.path, entry.stat)).collect();
        fs::first_difference(&directory(record), &known)
            .map_err(|source| git::IndexError::Io { path: directory(record), source })
    };
    match strange() {
        Ok(None) => None,
        Ok(Some(path)) => Some(format!("somebody changed `{path}` in it while it was held ready")),
        Err(error) => Some(format!("it cannot be checked: {}", chain(&error))),
    }
}

/// Throws the files of a spare away, wherever it stood. Repeating it does no harm.
pub(in crate::ops) fn discard(pool: &Pool, record: &WorktreeRecord) -> Result<(), StateError> {
    let directory = directory(record);
    if directory.symlink_metadata().is_ok()
        && let Err(error) =
            fs::move_to_trash(&directory, &Pool::trash_of(record), &format!("idle-{}", record.id))
    {
        tracing::debug!(%error, path = %directory.display(), "cannot move a spare worktree away");
        // A full disk has no room for a trash.
        fs::remove_tree(&directory).map_err(|source| StateError::Io { path: directory, source })?;
    }
    let files = [
        index(pool, &record.id),
        // What writing it stopped at.
        index(pool, &record.id).with_extension("index.lock"),
        conditions_file(pool, &record.id),
        pristine(pool, &record.id),
    ];
    for file in files {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %file.display(), "cannot remove what belongs to a spare worktree");
            }
            _ => {}
        }
    }
    Ok(())
}

impl Pool {
    /// The indexes of the spares.
    pub(in crate::ops) fn warm_dir(&self) -> PathBuf {
        self.state_dir().join("warm")
    }
}
