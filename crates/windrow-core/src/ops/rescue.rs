//! Saving everything that a worktree holds, and proving it.
//!
//! A rescue is a snapshot commit under `refs/windrow/rescue/<id>` for what git can hold and an archive for what it cannot or
//! must not: ignored files, nested repositories, empty directories, files that filters would alter, and the state of operations
//! in progress.
//!
//! # Crash safety
//! Repeating a rescue replaces the former one of the same id. Nothing is said to be rescued before ref, objects and archive are
//! synced.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::BString;
use windrow_model::{
    CarriedFile, EntryMode, LeaseId, Oid, RescueId, RescueRecord, TreeEntry, WorktreeRecord,
};

use super::{
    error::RescueError,
    pool::Pool,
    survey::{self, Survey},
};
use crate::{
    fs::{self, ArchiveItem, Extent, Found, FoundKind},
    git::{self, Expect, Objects, RefChange, SnapshotFiles, SnapshotRequest},
    store::LocalStore,
};

/// What was found and where it is saved now.
#[derive(Debug)]
pub(super) struct Rescued {
    /// What was found.
    pub(super) survey: Survey,
    /// The rescue; `None` when everything is on a branch already.
    pub(super) record: Option<RescueRecord>,
}

/// Names in the archive begin with what they are: a file of the worktree,
pub(super) const TREE: &[u8] = b"tree/";
/// a carried file as it was brought,
pub(super) const CARRIED: &[u8] = b"carried/";
/// a carried file that was changed since,
pub(super) const CHANGED: &[u8] = b"changed/";
/// or a file of the administrative directory.
pub(super) const ADMIN: &[u8] = b"admin/";

/// How the name of an archive ends,
const ARCHIVE: &str = ".tar.zst";
/// after so many digits that no other archive has.
const UNIQUE: usize = 8;

/// The ref of a rescue.
pub(super) fn rescue_ref(id: &RescueId) -> String {
    format!("refs/windrow/rescue/{id}")
}

/// Saves everything in a worktree whose identity is proven, or what git still knows of one whose files are gone: commits that
/// only it remembers, what was staged, and an operation in progress.
pub(super) fn rescue(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    lease: &LeaseId,
    files: SnapshotFiles,
) -> Result<Rescued, RescueError> {
    let carried = store.carried(worktree.id).map_err(|error| RescueError::Records(error.into()))?;
    let survey = look(pool, worktree, &carried, files)?;
    survey::refuse_unsavable(pool, worktree, &survey)?;
    if survey.is_clean() {
        return Ok(Rescued { survey, record: None });
    }
    let id = RescueId::of(&worktree.name, lease);
    let snapshot = take_snapshot(pool, worktree, &survey, &carried, &id, files)
        .inspect_err(|_| take_back_earlier(pool, store, &id))?;
    let archived = archive(pool, worktree, &survey, &carried, &snapshot, &id, files);
    let archive = archived.inspect_err(|_| take_back(pool, store, &id, &snapshot.commit))?;
    let record = RescueRecord {
        id,
        worktree: worktree.id,
        name: worktree.name.clone(),
        head: survey.head.unwrap_or(worktree.base),
        branch: survey.branch.clone(),
        commit: Some(snapshot.commit),
        index_tree: Some(snapshot.index_tree),
        archive_bytes: archive.as_ref().map_or(0, |archive| archive.1),
        archive: archive.map(|archive| archive.0),
        paths: survey.unsaved(),
        created_at: Pool::now(),
    };
    Ok(Rescued { survey, record: Some(record) })
}

/// Archives what the snapshot does not hold, and looks again: path and length in bytes, `None` when there is nothing.
fn archive(
    pool: &Pool,
    worktree: &WorktreeRecord,
    survey: &Survey,
    carried: &[CarriedFile],
    snapshot: &git::Snapshot,
    id: &RescueId,
    files: SnapshotFiles,
) -> Result<Option<(PathBuf, u64)>, RescueError> {
    let items = beyond_snapshot(pool, worktree, survey, carried, snapshot)?;
    let archive = write_archive(pool, id, &items)?;
    let again = look(pool, worktree, carried, files).and_then(|again| prove_unchanged(survey, &again));
    if let Err(error) = again {
        // The worktree stays, with all that the archive holds; no record will ever name it.
        let _ = archive.map(|archive| std::fs::remove_file(archive.0));
        return Err(error);
    }
    Ok(archive)
}

/// Gives up what was saved because it cannot be read back: a ref to what is not there breaks other gits.
pub(super) fn withdraw(pool: &Pool, store: &LocalStore, rescued: &Rescued) {
    let Some(record) = &rescued.record else { return };
    if let Some(commit) = &record.commit {
        take_back(pool, store, &record.id, commit);
    }
    if let Some(archive) = record.archive.as_ref().filter(|_| matches!(store.rescue(&record.id), Ok(None))) {
        // The worktree stays, with all that is in it.
        let _ = std::fs::remove_file(archive);
    }
}

/// Takes away what an attempt left that was cut short, whose objects may be lost.
fn take_back_earlier(pool: &Pool, store: &LocalStore, id: &RescueId) {
    if let Ok(Some(commit)) = git::read_ref(&pool.git, pool.repository(), &rescue_ref(id)) {
        take_back(pool, store, id, &commit);
    }
}

/// Takes the ref of a rescue that came to nothing away, unless an earlier one of the same id is on record.
fn take_back(pool: &Pool, store: &LocalStore, id: &RescueId, commit: &Oid) {
    if !matches!(store.rescue(id), Ok(None)) {
        return;
    }
    let change = RefChange { name: rescue_ref(id), new: None, old: Expect::Is(*commit) };
    let _lock = pool.lock_repository();
    if let Err(error) = git::update_refs(&pool.git, pool.repository(), &[change], "windrow: no rescue") {
        tracing::warn!(%error, rescue = %id, "a ref that no rescue needs stays");
    }
}

fn look(
    pool: &Pool,
    worktree: &WorktreeRecord,
    carried: &[CarriedFile],
    files: SnapshotFiles,
) -> Result<Survey, RescueError> {
    match files {
        SnapshotFiles::There => survey::survey(pool, worktree, carried),
        SnapshotFiles::Gone => survey::survey_registration(pool, worktree),
    }
}

/// Reads back what the branch and the rescue hold beyond the base, while the files themselves are still there.
pub(super) fn prove_readable(
    pool: &Pool,
    worktree: &WorktreeRecord,
    rescued: &Rescued,
) -> Result<(), RescueError> {
    let saved = rescued.record.iter().flat_map(|record| [record.commit, record.index_tree]);
    let tips: HashSet<Oid> = saved.flatten().chain(rescued.survey.head).collect();
    let objects = Objects::open(pool.repository());
    for tip in tips.iter().filter(|tip| **tip != worktree.base) {
        let changes = git::tree_changes(&objects, &worktree.base, tip)?;
        objects.read_loose(changes.iter().filter_map(|change| change.new.as_ref()))?;
    }
    Ok(())
}

/// Makes everything that was said to be saved survive a power cut.
pub(super) fn sync(pool: &Pool) -> Result<(), RescueError> {
    let common = &pool.repository().common_dir;
    fs::sync_filesystem(common).map_err(|source| RescueError::Io { path: common.clone(), source })
}

/// The commit of the working files, with what its ref must keep reachable as parents.
fn take_snapshot(
    pool: &Pool,
    worktree: &WorktreeRecord,
    survey: &Survey,
    carried: &[CarriedFile],
    id: &RescueId,
    files: SnapshotFiles,
) -> Result<git::Snapshot, RescueError> {
    let mut kept = survey.orphans.clone();
    // Without a HEAD the base is what the saved files are compared with when they come back.
    kept.extend(survey.head.is_none().then_some(worktree.base));
    let request = SnapshotRequest {
        admin: &worktree.admin,
        worktree: &worktree.path,
        exclude: &excluded(survey, carried),
        message: &format!(
            "windrow rescue {id}\n\nEverything worktree {} held beyond its branch.\n",
            worktree.name
        ),
        extra_parents: &kept,
        files,
    };
    let snapshot = git::snapshot(&pool.git, pool.repository(), &request)?;
    let change = RefChange { name: rescue_ref(id), new: Some(snapshot.commit), old: Expect::Any };
    let _lock = pool.lock_repository().map_err(RescueError::Records)?;
    git::update_refs(&pool.git, pool.repository(), &[change], "windrow: rescue")?;
    Ok(snapshot)
}

/// What the snapshot must not sweep in; of what was carried nothing belongs into the object database.
fn excluded(survey: &Survey, carried: &[CarriedFile]) -> Vec<BString> {
    let dropped = survey.dropped.iter().map(|dropped| dropped.path.clone());
    let repositories = survey.extra.iter().filter(|found| found.kind == FoundKind::Repository);
    dropped
        .chain(carried.iter().map(|file| file.path.clone()))
        .chain(repositories.map(|found| found.path.clone()))
        .collect()
}

/// Everything on disk that the snapshot does not hold byte for byte.
fn beyond_snapshot(
    pool: &Pool,
    worktree: &WorktreeRecord,
    survey: &Survey,
    carried: &[CarriedFile],
    snapshot: &git::Snapshot,
) -> Result<Vec<ArchiveItem>, RescueError> {
    // What the snapshot has in common with HEAD is checked out again, converted, and not written as it was.
    let head = survey.head.unwrap_or(worktree.base);
    let changes = git::tree_changes(&Objects::open(pool.repository()), &head, &snapshot.tree)?;
    let saved: HashMap<&BString, &TreeEntry> =
        changes.iter().filter_map(|change| Some((&change.path, change.new.as_ref()?))).collect();
    let brought: HashSet<&BString> = carried.iter().map(|file| &file.path).collect();
    // First, so that what is unpacked into them later finds them there.
    let alone =
        |found: &Found| ArchiveItem { extent: Extent::Alone, ..item(TREE, &found.path, &worktree.path) };
    let mut items: Vec<_> = survey.odd.iter().map(alone).collect();
    for found in survey.changed.iter().chain(&survey.extra) {
        if !is_saved(pool, worktree, found, saved.get(&found.path).copied())? {
            let prefix = if brought.contains(&found.path) { CHANGED } else { TREE };
            items.push(item(prefix, &found.path, &worktree.path));
        }
    }
    items.extend(as_brought(survey).map(|found| item(CARRIED, &found.path, &worktree.path)));
    let state = survey.operations.files.iter().map(|name| BString::from(*name));
    let index = if survey.unmerged { index_files(&worktree.admin)? } else { Vec::new() };
    items.extend(state.chain(index).map(|name| item(ADMIN, &name, &worktree.admin)));
    Ok(items)
}

/// Carried files that nobody changed come along, so that what comes back is whole; large ones can be carried again.
fn as_brought(survey: &Survey) -> impl Iterator<Item = &Found> {
    const AT_MOST: u64 = 64 << 20;
    let bytes = survey.carried.iter().fold(0_u64, |sum, found| sum.saturating_add(found.stat.size));
    survey.carried.iter().filter(move |_| bytes <= AT_MOST)
}

/// The index with the shared ones that it may be split from.
fn index_files(admin: &Path) -> Result<Vec<BString>, RescueError> {
    let failed = |source| RescueError::Io { path: admin.to_owned(), source };
    let mut names = vec![BString::from("index")];
    for entry in admin.read_dir().map_err(failed)? {
        let name = BString::from(entry.map_err(failed)?.file_name().into_encoded_bytes());
        if name.starts_with(b"sharedindex.") && !name.ends_with(b".lock") {
            names.push(name);
        }
    }
    Ok(names)
}

fn item(prefix: &[u8], path: &BString, root: &Path) -> ArchiveItem {
    let mut name = BString::from(prefix);
    name.extend_from_slice(path);
    ArchiveItem { path: name, root: root.to_owned(), source: path.clone(), extent: Extent::Whole }
}

/// Tells whether the snapshot holds this very content and mode; read from disk, past every filter.
fn is_saved(
    pool: &Pool,
    worktree: &WorktreeRecord,
    found: &Found,
    saved: Option<&TreeEntry>,
) -> Result<bool, RescueError> {
    let Some(entry) = saved else { return Ok(false) };
    let same_kind = match (&found.kind, entry.mode) {
        (FoundKind::File { executable }, EntryMode::File) => !executable && plain_mode(found),
        (FoundKind::File { executable }, EntryMode::Executable) => *executable && plain_mode(found),
        (FoundKind::Symlink, EntryMode::Symlink) => true,
        _ => false,
    };
    Ok(same_kind && hash(pool, worktree, found)? == entry.oid)
}

/// Git keeps only the execute bit; a file with a mode that no checkout gives goes into the archive, which keeps it.
fn plain_mode(found: &Found) -> bool {
    matches!(found.mode & 0o7777, 0o644 | 0o664 | 0o666 | 0o755 | 0o775 | 0o777)
}

fn hash(pool: &Pool, worktree: &WorktreeRecord, found: &Found) -> Result<Oid, RescueError> {
    let path = worktree.path.join(std::ffi::OsStr::from_bytes(&found.path));
    git::hash_path(&path, pool.repository().object_format).map_err(|source| RescueError::Io { path, source })
}

fn write_archive(
    pool: &Pool,
    id: &RescueId,
    items: &[ArchiveItem],
) -> Result<Option<(PathBuf, u64)>, RescueError> {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let path = pool.rescues().join(format!("{id}-{}{ARCHIVE}", &unique[unique.len() - UNIQUE..]));
    if items.is_empty() {
        return Ok(None);
    }
    let summary = fs::write_archive(&path, items, pool.settings().rescue.max_bytes)?;
    Ok(Some((path, summary.bytes)))
}

/// Removes the archives of earlier attempts at this very rescue, which were killed before they were on record or are replaced by it.
pub(super) fn remove_superseded(pool: &Pool, record: &RescueRecord) {
    let prefix = format!("{}-", record.id);
    // The id may be the beginning of another one; what follows it in an archive's name has a known length.
    let length = prefix.len() + UNIQUE + ARCHIVE.len();
    for entry in std::fs::read_dir(pool.rescues()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let of_it = name.starts_with(&prefix) && name.ends_with(ARCHIVE) && name.len() == length;
        if of_it && record.archive.as_ref() != Some(&entry.path()) {
            let removed = std::fs::remove_file(entry.path());
            tracing::debug!(?removed, path = %entry.path().display(), "an archive was replaced");
        }
    }
}

/// Looks again: what changed while it was being saved is not saved.
fn prove_unchanged(before: &Survey, after: &Survey) -> Result<(), RescueError> {
    let stats = |survey: &Survey| -> Vec<_> {
        survey.changed.iter().chain(&survey.extra).map(|found| (found.path.clone(), found.stat)).collect()
    };
    let same = |one: &Survey, other: &Survey| {
        one.deleted == other.deleted && one.head == other.head && one.seen == other.seen
    };
    if stats(after) == stats(before) && same(after, before) {
        return Ok(());
    }
    Err(RescueError::Unsavable("its files changed while they were being saved".to_owned()))
}

/// Looks at what is there and saves nothing but what git alone would lose of the history: the user discards it by name.
pub(super) fn discard(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
) -> Result<Rescued, RescueError> {
    let carried = store.carried(worktree.id).map_err(|error| RescueError::Records(error.into()))?;
    let survey = match survey::survey(pool, worktree, &carried) {
        Err(
            RescueError::Index(_) | RescueError::Head(_) | RescueError::Carry(_) | RescueError::Operations(_),
        ) => survey::without_git(pool, worktree)?,
        survey => survey?,
    };
    // Whatever comes to it meanwhile is discarded as well.
    Ok(Rescued { survey: Survey { seen: None, ..survey }, record: None })
}
