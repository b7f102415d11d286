//! Bringing a rescue back in a new worktree.
//!
//! # Crash safety
//! Everything is brought back while the record still says `creating`, so a restore that is cut short is undone like any other
//! creation; the rescue stays as it is.

use std::num::NonZeroUsize;

use windrow_model::{CarriedFile, CarriedKind, RescueRecord, TreeEntry, WorktreeRecord};

use super::{
    acquire, carry,
    create::Source,
    error::{AcquireError, CreateError, RescueError, RestoreError, StateError},
    observer::Observer,
    outcome::{Provenance, Restored},
    pool::Pool,
    request::{AcquireRequest, BranchRequest, CarryRequest, RestoreRequest},
    rescue::{ADMIN, CARRIED, CHANGED, TREE},
    rescues,
};
use crate::{
    fs::{self as files, ArchiveEntry, Directories, EntryKind, Manner, Overwrite, Quiet, RestoreRoot},
    git::{self, Objects},
    store::LocalStore,
};

/// Makes a worktree at the commit the rescued one was at, and brings every file, index entry and operation in progress back.
///
/// It is on the rescued branch if that still is at the same commit and free, else on a new one. The rescue stays.
///
/// # Errors
/// There is no such rescue, no worktree could be made, or its parts cannot be read; the new worktree is removed then.
pub fn restore(
    pool: &Pool,
    request: &RestoreRequest,
    observer: &mut dyn Observer,
) -> Result<Restored, RestoreError> {
    let mut store = pool.store_if_any()?.ok_or_else(|| RestoreError::Unknown(request.rescue.clone()))?;
    let record = rescues::find_by_id_or_name(&store, &request.rescue)?
        .ok_or_else(|| RestoreError::Unknown(request.rescue.clone()))?;
    let archived = archived(&record)?;
    refuse_taken_name(&store, request)?;
    let wanted =
        AcquireRequest { carry: CarryRequest::Nothing, ..placed(pool, request, &record, &archived)? };
    // Before the worktree is anybody's: its key must never give one that is half restored.
    let mut brought = Ok(0);
    let lease = acquire::acquire_finished(pool, &wanted, observer, &mut |worktree| {
        brought = bring_back(pool, &record, worktree, &archived);
        if brought.is_ok() { Ok(Some(carried(&archived))) } else { Err(unfinished(worktree)) }
    });
    let paths = brought
        .map_err(|source| RestoreError::Files { rescue: record.id.clone(), source: Box::new(source) })?;
    let lease = lease?;
    // The same key again: what is there was brought back before, and may have been worked on since.
    if lease.leased().provenance == Provenance::Created {
        let noted = store.transaction(|tx| tx.append(&rescues::restored_event(&record), Pool::now()));
        noted.map_err(|error: crate::store::StoreError| StateError::from(error))?;
    }
    Ok(Restored { leased: lease.detach(), rescue: record, paths })
}

/// Undoes the worktree; why is told by what could not be brought back.
fn unfinished(worktree: &WorktreeRecord) -> CreateError {
    CreateError::Io { path: worktree.path.clone(), source: std::io::Error::other("not everything came back") }
}

/// A worktree that is there keeps its files, even if its name is asked for again.
fn refuse_taken_name(store: &LocalStore, request: &RestoreRequest) -> Result<(), RestoreError> {
    let Some(name) = &request.acquire.name else { return Ok(()) };
    if request.acquire.key.is_some() {
        return Ok(());
    }
    match store.worktree_named(name).map_err(StateError::from)? {
        Some(taken) => Err(AcquireError::NameTaken { name: name.clone(), state: taken.state }.into()),
        None => Ok(()),
    }
}

/// What the archive holds; read whole, so that a damaged one is known before a worktree is made.
fn archived(record: &RescueRecord) -> Result<Vec<ArchiveEntry>, RestoreError> {
    let Some(archive) = &record.archive else { return Ok(Vec::new()) };
    files::list_archive(archive)
        .map_err(|error| RestoreError::Files { rescue: record.id.clone(), source: Box::new(error.into()) })
}

/// The carried files among it, as the record of the new worktree wants them.
///
/// One that was changed stays so whatever becomes of it: no content has an empty hash, so the next rescue saves it again.
fn carried(archived: &[ArchiveEntry]) -> Vec<CarriedFile> {
    let one = |entry: &ArchiveEntry| {
        let kind = match entry.kind {
            EntryKind::File => CarriedKind::File,
            EntryKind::Symlink => CarriedKind::Symlink,
            EntryKind::Directory => CarriedKind::Directory,
            EntryKind::Fifo => return None,
        };
        let (path, hash) = match entry.path.strip_prefix(CARRIED) {
            Some(path) => (path, entry.hash.clone()),
            // A directory would count as unchanged with all that is in it.
            None if kind == CarriedKind::Directory => return None,
            None => (entry.path.strip_prefix(CHANGED)?, String::new()),
        };
        Some(CarriedFile { path: path.into(), kind, hash, mode: entry.mode, size: entry.size })
    };
    archived.iter().filter_map(one).collect()
}

/// Whether HEAD was detached by something that goes on, and that would move a branch it finds there.
fn was_under_way(record: &RescueRecord, archived: &[ArchiveEntry]) -> bool {
    const MARKS: [&[u8]; 3] = [b"admin/rebase-merge", b"admin/rebase-apply", b"admin/BISECT_START"];
    record.branch.is_none() && archived.iter().any(|entry| MARKS.contains(&entry.path.as_slice()))
}

/// Base and branch of the new worktree.
fn placed(
    pool: &Pool,
    request: &RestoreRequest,
    record: &RescueRecord,
    archived: &[ArchiveEntry],
) -> Result<AcquireRequest, RestoreError> {
    let mut wanted = request.acquire.clone();
    if wanted.branch != BranchRequest::Template {
        wanted.base = Some(record.head.to_string());
        return Ok(wanted);
    }
    let free = |branch: &windrow_model::BranchName| -> Result<bool, git::GitError> {
        let tip = git::read_ref(&pool.git, pool.repository(), &branch.full())?;
        Ok(tip == Some(record.head) && pool.repository().branch_in_use(&pool.git, branch)?.is_none())
    };
    match &record.branch {
        Some(branch) if free(branch).map_err(acquire_error)? => {
            wanted.branch = BranchRequest::Named(branch.clone());
            wanted.base = None;
        }
        _ => {
            wanted.base = Some(record.head.to_string());
            if was_under_way(record, archived) {
                wanted.branch = BranchRequest::Detached;
            }
        }
    }
    Ok(wanted)
}

fn acquire_error(error: git::GitError) -> RestoreError {
    RestoreError::Acquire(error.into())
}

fn bring_back(
    pool: &Pool,
    record: &RescueRecord,
    worktree: &WorktreeRecord,
    archived: &[ArchiveEntry],
) -> Result<u64, RescueError> {
    let mut paths = 0;
    if let Some(commit) = &record.commit {
        paths += bring_snapshot(pool, record, commit, worktree)?;
    }
    if let Some(tree) = &record.index_tree {
        git::reset_index(&pool.git, pool.repository(), &worktree.admin, &worktree.path, tree)?;
    }
    if let Some(archive) = &record.archive {
        let [tree, brought, changed] =
            [TREE, CARRIED, CHANGED].map(|prefix| RestoreRoot { prefix, root: &worktree.path });
        let admin = RestoreRoot { prefix: ADMIN, root: &worktree.admin };
        let roots = [tree, brought, changed, admin];
        paths += files::read_archive(archive, &roots, Overwrite::Replace)?.len() as u64;
        git::write_carried(&worktree.admin, &carried(archived))
            .map_err(|source| RescueError::Io { path: worktree.admin.clone(), source })?;
        hide_carried(pool, worktree, archived)?;
    }
    Ok(paths)
}

/// What was carried once must not be swept into a commit now, changed or not.
fn hide_carried(
    pool: &Pool,
    worktree: &WorktreeRecord,
    archived: &[ArchiveEntry],
) -> Result<(), RescueError> {
    let is_leaf = |entry: &&ArchiveEntry| entry.kind != EntryKind::Directory;
    let path = |entry: &ArchiveEntry| {
        let path = entry.path.strip_prefix(CARRIED).or_else(|| entry.path.strip_prefix(CHANGED))?;
        Some(bstr::BString::from(path))
    };
    let paths: Vec<_> = archived.iter().filter(is_leaf).filter_map(path).collect();
    carry::hide(pool, &worktree.id, &paths.iter().collect::<Vec<_>>())
        .map_err(|source| RescueError::Io { path: pool.excludes_path(&worktree.id), source })
}

/// Changes the files that differ between the commit and its snapshot, as bytes, past every filter.
fn bring_snapshot(
    pool: &Pool,
    record: &RescueRecord,
    commit: &windrow_model::Oid,
    worktree: &WorktreeRecord,
) -> Result<u64, RescueError> {
    let objects = Objects::open(pool.repository());
    let changes = git::tree_changes(&objects, &record.head, commit)?;
    for change in changes.iter().rev() {
        files::clear(&worktree.path, &change.path)
            .map_err(|source| RescueError::Io { path: worktree.path.clone(), source })?;
    }
    let entries: Vec<TreeEntry> = changes.iter().filter_map(|change| change.new.clone()).collect();
    let manner = Manner { directories: Directories::Any, ..Manner::default() };
    let source = Source(&objects);
    files::materialise(manner, &worktree.path, &entries, &source, NonZeroUsize::MIN, &Quiet)?;
    Ok(changes.len() as u64)
}
