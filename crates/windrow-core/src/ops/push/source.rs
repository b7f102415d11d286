//! What is to be pushed: a commit, and what is known of it.

use windrow_model::{BranchName, Oid, WorktreeName, WorktreeRecord, WorktreeState};

use super::{PushError, PushSource};
use crate::{
    git,
    ops::{error::SelectError, pool::Pool, request::Selector, select},
    store::LocalStore,
};

/// A commit to be pushed.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) tip: Oid,
    pub(super) branch: Option<BranchName>,
    pub(super) worktree: Option<WorktreeName>,
    /// Paths of its worktree that are not committed.
    pub(super) uncommitted: u64,
}

/// Finds out what is to be pushed.
pub(super) fn find(pool: &Pool, source: &PushSource) -> Result<Source, PushError> {
    let store = pool.records()?;
    match (source, &store) {
        (PushSource::Branch(branch), None) => by_branch(pool, branch, None),
        (PushSource::Branch(branch), Some(store)) => {
            let record = store.last_on_branch(branch)?;
            match record.filter(|record| record.state != WorktreeState::Gone) {
                Some(record) => live(pool, &record),
                None => by_branch(pool, branch, None),
            }
        }
        (PushSource::Worktree(selector), Some(store)) => worktree(pool, store, selector),
        (PushSource::Worktree(selector), None) => named_alike(pool, selector, select::nothing(selector)),
    }
}

fn worktree(pool: &Pool, store: &LocalStore, selector: &Selector) -> Result<Source, PushError> {
    match (select::find(store, selector), selector) {
        (Ok(entry), _) => live(pool, &entry.worktree),
        (Err(unknown @ SelectError::Unknown { .. }), Selector::Name(name)) => {
            let gone = store.last_named(name)?;
            match gone.as_ref().and_then(|record| record.checkout.branch()) {
                Some(branch) => by_branch(pool, branch, Some(name)),
                None => named_alike(pool, selector, unknown),
            }
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// A branch that has the name which no worktree has.
fn named_alike(pool: &Pool, selector: &Selector, unknown: SelectError) -> Result<Source, PushError> {
    let branch = match selector {
        Selector::Name(name) => name.as_str().parse::<BranchName>().ok(),
        _ => None,
    };
    match branch.map(|branch| by_branch(pool, &branch, None)) {
        Some(Ok(source)) => Ok(source),
        None | Some(Err(PushError::UnknownBranch(_))) => Err(unknown.into()),
        Some(Err(error)) => Err(error),
    }
}

fn by_branch(pool: &Pool, branch: &BranchName, worktree: Option<&WorktreeName>) -> Result<Source, PushError> {
    let tip = git::read_ref(&pool.git, pool.repository(), &branch.full())?;
    let tip = tip.ok_or_else(|| PushError::UnknownBranch(branch.clone()))?;
    Ok(Source { tip, branch: Some(branch.clone()), worktree: worktree.cloned(), uncommitted: 0 })
}

fn live(pool: &Pool, record: &WorktreeRecord) -> Result<Source, PushError> {
    let (git, repo) = (&pool.git, pool.repository());
    let head = repo.head(git, &record.admin)?;
    let tip = head.oid.ok_or_else(|| PushError::Unborn(record.name.clone()))?;
    // Only told, so what cannot be looked at is left out.
    let uncommitted = git::count_uncommitted(git, repo, &record.admin, &record.path, Some(&tip)).unwrap_or(0);
    Ok(Source { tip, branch: head.branch, worktree: Some(record.name.clone()), uncommitted })
}
