//! What is to be landed: a commit, and what is known of it.

use std::collections::BTreeSet;

use bstr::BString;
use windrow_model::{BranchName, Oid, RescueId, WorktreeName, WorktreeRecord, WorktreeState};

use super::{
    error::LandError,
    outcome::{IncludeUncommitted, LandRequest, LandSource},
    place,
};
use crate::{
    git::{self, Author, NewCommit, SnapshotFiles, SnapshotRequest},
    ops::{error::SelectError, pool::Pool, request::Selector, rescues, select},
    store::LocalStore,
};

/// A commit to be landed.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) tip: Oid,
    /// The branch it is the tip of.
    pub(super) branch: Option<BranchName>,
    /// The worktree that made it.
    pub(super) worktree: Option<WorktreeName>,
    /// The branch that the work began from.
    pub(super) target: Option<BranchName>,
    /// The record of the worktree that was on the branch last.
    pub(super) record: Option<WorktreeRecord>,
}

/// How many paths of uncommitted work are named.
const NAMED: usize = 20;

/// Finds out what is to be landed. `room` is a directory for what is made on the way.
pub(super) fn find(pool: &Pool, store: &LocalStore, request: &LandRequest) -> Result<Source, LandError> {
    match &request.source {
        LandSource::Worktree(selector) => worktree(pool, store, selector, request),
        LandSource::Branch(branch) => {
            let record = store.last_on_branch(branch)?;
            match record.filter(|record| record.state != WorktreeState::Gone) {
                Some(record) => live(pool, store, record, request),
                None => by_branch(pool, store, branch),
            }
        }
        LandSource::Rescue(id) => rescue(pool, store, id),
    }
}

fn worktree(
    pool: &Pool,
    store: &LocalStore,
    selector: &Selector,
    request: &LandRequest,
) -> Result<Source, LandError> {
    match (select::find(store, selector), selector) {
        (Ok(entry), _) => live(pool, store, entry.worktree, request),
        (Err(unknown @ SelectError::Unknown { .. }), Selector::Name(name)) => {
            let gone = store.last_named(name)?;
            let branch = gone.as_ref().and_then(|record| record.checkout.branch().cloned());
            let Some(branch) = branch else { return Err(unknown.into()) };
            by_branch(pool, store, &branch)
        }
        (Err(error), _) => Err(error.into()),
    }
}

fn by_branch(pool: &Pool, store: &LocalStore, branch: &BranchName) -> Result<Source, LandError> {
    let tip = git::read_ref(&pool.git, pool.repository(), &branch.full())?;
    let tip = tip.ok_or_else(|| LandError::UnknownBranch(branch.clone()))?;
    let record = store.last_on_branch(branch)?;
    Ok(Source {
        tip,
        branch: Some(branch.clone()),
        worktree: record.as_ref().map(|record| record.name.clone()),
        target: target_of(store, record.as_ref(), Some(branch))?,
        record,
    })
}

/// The branch that the work began from: of the worktree, or of the one for which its branch was made.
fn target_of(
    store: &LocalStore,
    record: Option<&WorktreeRecord>,
    branch: Option<&BranchName>,
) -> Result<Option<BranchName>, LandError> {
    if let Some(target) = record.and_then(|record| record.target.clone()) {
        return Ok(Some(target));
    }
    let Some(branch) = branch else { return Ok(None) };
    let makers = store.made_branch(branch)?;
    Ok(makers.into_iter().rev().find_map(|maker| maker.target))
}

fn live(
    pool: &Pool,
    store: &LocalStore,
    record: WorktreeRecord,
    request: &LandRequest,
) -> Result<Source, LandError> {
    let progress = git::in_progress(&record.admin)?;
    if !progress.operations.is_empty() {
        let what = place::in_words(&progress.operations);
        return Err(LandError::Unfinished { name: record.name, what });
    }
    let head = pool.repository().head(&pool.git, &record.admin)?;
    let tip = head.oid.ok_or_else(|| LandError::Unborn(record.name.clone()))?;
    let open = uncommitted(pool, store, &record, &tip)?;
    let tip = match request.uncommitted {
        _ if open.is_empty() => tip,
        IncludeUncommitted::Commit => commit_all(pool, store, &record, &tip)?,
        IncludeUncommitted::Refuse => {
            let (count, paths) = (open.len(), open.into_iter().take(NAMED).collect());
            return Err(LandError::Uncommitted { name: record.name, count, paths });
        }
    };
    Ok(Source {
        tip,
        target: target_of(store, Some(&record), head.branch.as_ref())?,
        branch: head.branch,
        worktree: Some(record.name.clone()),
        record: Some(record),
    })
}

/// The paths that a commit of everything would change, but for what was carried.
fn uncommitted(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    head: &Oid,
) -> Result<Vec<BString>, LandError> {
    let carried: BTreeSet<BString> = carried(store, record)?.into_iter().collect();
    let open = git::uncommitted(&pool.git, pool.repository(), &record.admin, &record.path, Some(head))?;
    Ok(open.into_iter().filter(|path| !carried.contains(path)).collect())
}

fn carried(store: &LocalStore, record: &WorktreeRecord) -> Result<Vec<BString>, LandError> {
    Ok(store.carried(record.id)?.into_iter().map(|file| file.path).collect())
}

/// Makes a commit of everything that git would add; index, files and branch of the worktree stay as they are.
fn commit_all(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    head: &Oid,
) -> Result<Oid, LandError> {
    let message = format!("Work in {}", record.name);
    let taken = git::snapshot(
        &pool.git,
        pool.repository(),
        &SnapshotRequest {
            admin: &record.admin,
            worktree: &record.path,
            exclude: &carried(store, record)?,
            message: &message,
            extra_parents: &[],
            files: SnapshotFiles::There,
        },
    )?;
    let left: Vec<BString> = taken.failed.into_iter().chain(taken.nested).collect();
    if !left.is_empty() || taken.unmerged.is_some() {
        let paths = if left.is_empty() { vec!["a conflict in the index".into()] } else { left };
        return Err(LandError::Uncommittable { name: record.name.clone(), paths });
    }
    let new = NewCommit { tree: &taken.tree, parents: &[*head], author: None, message: message.as_bytes() };
    Ok(git::write_commit(&pool.git, pool.repository(), &new)?)
}

/// The files of a rescue as one commit on top of where its worktree was.
fn rescue(pool: &Pool, store: &LocalStore, id: &RescueId) -> Result<Source, LandError> {
    let found = rescues::find_by_id_or_name(store, id)?;
    let found = found.ok_or_else(|| LandError::UnknownRescue(id.clone()))?;
    let tip = match &found.commit {
        Some(snapshot) => {
            let tree = git::tree_of(&pool.git, pool.repository(), snapshot)?;
            let message = format!("Work rescued from {}", found.name);
            // The same rescue gives the same commit each time, so that it lands once.
            let author = Author {
                name: "Windrow".into(),
                mail: "windrow@localhost".into(),
                date: format!("{} +0000", found.created_at.as_second()).into(),
            };
            let parents = [found.head];
            git::write_commit_at(
                &pool.git,
                pool.repository(),
                &NewCommit {
                    tree: &tree,
                    parents: &parents,
                    author: Some(&author),
                    message: message.as_bytes(),
                },
            )?
        }
        None => found.head,
    };
    let record = store.worktree(found.worktree)?;
    Ok(Source {
        tip,
        branch: None,
        worktree: Some(found.name),
        target: record.as_ref().and_then(|record| record.target.clone()),
        record: None,
    })
}
