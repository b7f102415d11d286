//! Making records anew where they are lost, damaged or another repository's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::ByteSlice;
use windrow_model::{
    BranchName, Oid, ReconcilePlan, RecordsAction, RecordsSeen, RescueId, RescueRecord, WorktreeId,
    WorktreeName,
};

use super::look;
use crate::{
    git::{self, CommitFacts, Objects},
    ops::{error::ReconcileError, pool::Pool, rescue::rescue_ref},
    store::LocalStore,
};

/// Moves what cannot be used aside, begins new records, and tells where the old ones are.
///
/// Fences go on above every one that was ever given: nobody draws a thousand of them each second.
pub(super) fn begin_anew(pool: &Pool) -> Result<String, ReconcileError> {
    pool.make_state_dirs()?;
    let told = {
        let _lock = pool.lock_repository()?;
        match look::open(pool)? {
            (RecordsSeen::Whole, _) => "the records are in order by now".to_owned(),
            (RecordsSeen::Missing, _) => "made new records; there were none".to_owned(),
            (RecordsSeen::Damaged(_) | RecordsSeen::Copied, _) => {
                format!("made new records; the old ones are `{}`", move_aside(pool)?.display())
            }
        }
    };
    let floor = u64::try_from(Pool::now().as_millisecond()).unwrap_or(0);
    pool.store()?.transaction(|tx| tx.raise_fence(floor))?;
    Ok(told)
}

/// The log goes first: left behind alone it would be replayed into the next database.
fn move_aside(pool: &Pool) -> Result<PathBuf, ReconcileError> {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let aside = pool.state_dir().join(format!("state.db.aside-{unique}"));
    for suffix in ["-shm", "-wal", ""] {
        let from = pool.state_dir().join(format!("state.db{suffix}"));
        let to = pool.state_dir().join(format!("state.db.aside-{unique}{suffix}"));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.map_err(|source| ReconcileError::Io { path: from, source })?,
        }
    }
    Ok(aside)
}

/// Records the rescues of a plan; each stands for itself.
pub(super) fn rescues(
    pool: &Pool,
    store: &mut LocalStore,
    plan: &ReconcilePlan,
) -> Vec<(RescueId, Result<(), ReconcileError>)> {
    let mut results = Vec::new();
    if matches!(plan.records, RecordsAction::Rebuild(_)) {
        for id in &plan.rescues {
            results.push((id.clone(), record_again(pool, store, id)));
        }
    }
    for id in &plan.archives {
        results.push((id.clone(), follow_archive(pool, store, id)));
    }
    results
}

fn follow_archive(pool: &Pool, store: &mut LocalStore, id: &RescueId) -> Result<(), ReconcileError> {
    let recorded = store.rescue(id)?.and_then(|rescue| rescue.archive);
    let Some(name) = recorded.as_deref().and_then(Path::file_name) else { return Ok(()) };
    let here = pool.rescues().join(name);
    Ok(store.transaction(|tx| tx.set_rescue_archive(id, &here))?)
}

/// Records a rescue by its ref and its archive.
fn record_again(pool: &Pool, store: &mut LocalStore, id: &RescueId) -> Result<(), ReconcileError> {
    if store.rescue(id)?.is_some() {
        return Ok(());
    }
    let Some(commit) = git::read_ref(&pool.git, pool.repository(), &rescue_ref(id))? else { return Ok(()) };
    let facts = git::commit_facts(&pool.git, pool.repository(), &commit)?;
    let Some(&head) = facts.parents.first() else {
        return Err(ReconcileError::NoSnapshot { rescue: id.clone(), commit });
    };
    let name = name_of(id, &facts)?;
    let archive = newest_archive(pool, id)?;
    let changes = git::tree_changes(&Objects::open(pool.repository()), &head, &facts.tree)?;
    let record = RescueRecord {
        id: id.clone(),
        worktree: WorktreeId::new(uuid::Uuid::now_v7()),
        name,
        head,
        branch: branch_at(pool, head)?,
        commit: Some(commit),
        index_tree: index_tree(pool, &facts)?,
        archive_bytes: archive.as_ref().map_or(0, |archive| archive.1),
        archive: archive.map(|archive| archive.0),
        paths: changes.len() as u64,
        created_at: jiff::Timestamp::from_second(facts.committed_at).unwrap_or_else(|_| Pool::now()),
    };
    Ok(store.transaction(|tx| tx.insert_rescue(&record))?)
}

/// The message names the worktree, and so does the id, before the last hyphen.
fn name_of(id: &RescueId, facts: &CommitFacts) -> Result<WorktreeName, ReconcileError> {
    let told = facts.message.find("Everything worktree ").and_then(|at| {
        let rest = &facts.message[at + "Everything worktree ".len()..];
        rest.split(|byte| *byte == b' ').next()?.to_str().ok()
    });
    let guessed = id.as_str().rsplit_once('-').map(|(name, _)| name);
    let name = told.into_iter().chain(guessed).find_map(|name| name.parse().ok());
    name.ok_or_else(|| ReconcileError::Nameless { rescue: id.clone() })
}

/// The branch whose tip the work was based on, when there is exactly one.
fn branch_at(pool: &Pool, head: Oid) -> Result<Option<BranchName>, ReconcileError> {
    let heads = git::list_refs(&pool.git, pool.repository(), "refs/heads/")?;
    let mut at = heads.iter().filter(|(_, oid)| *oid == head);
    let (Some((name, _)), None) = (at.next(), at.next()) else { return Ok(None) };
    Ok(name.strip_prefix(b"refs/heads/").and_then(|name| name.to_str().ok()?.parse().ok()))
}

fn index_tree(pool: &Pool, facts: &CommitFacts) -> Result<Option<Oid>, ReconcileError> {
    for parent in facts.parents.iter().skip(1) {
        let parent = git::commit_facts(&pool.git, pool.repository(), parent)?;
        if parent.message.starts_with(b"The index of a snapshot") {
            return Ok(Some(parent.tree));
        }
    }
    Ok(None)
}

/// A rescue that was repeated has several; the newest is whole, because it was recorded.
fn newest_archive(pool: &Pool, id: &RescueId) -> Result<Option<(PathBuf, u64)>, ReconcileError> {
    let failed = |source| ReconcileError::Io { path: pool.rescues(), source };
    let mut newest: Option<(SystemTime, PathBuf, u64)> = None;
    for entry in fs::read_dir(pool.rescues()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let unique = name
            .to_str()
            .and_then(|name| name.strip_prefix(id.as_str())?.strip_prefix('-')?.strip_suffix(".tar.zst"));
        let facts = entry.metadata().map_err(failed)?;
        let age = facts.modified().map_err(failed)?;
        let is_one = unique.is_some_and(|unique| !unique.contains('-')) && facts.is_file();
        if is_one && newest.as_ref().is_none_or(|(best, ..)| *best < age) {
            newest = Some((age, entry.path(), facts.len()));
        }
    }
    Ok(newest.map(|(_, path, bytes)| (path, bytes)))
}
