//! Where the target is checked out.

use std::path::PathBuf;

use windrow_model::{BranchName, Oid, WorktreeState};

use super::error::LandError;
use crate::{
    git::{self, ListedWorktree, WorktreeHead},
    ops::pool::Pool,
    store::LocalStore,
};

/// A checkout that changes with the target.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    /// Its administrative directory; of the main one the common directory.
    pub(super) admin: PathBuf,
}

/// Finds the checkout of a branch; `None` when there is none.
pub(super) fn of(pool: &Pool, store: &LocalStore, target: &BranchName) -> Result<Option<Place>, LandError> {
    let full = target.full();
    let listed = pool.repository().worktrees(&pool.git)?;
    if let Some(busy) = listed.iter().find(|one| one.busy_branches.iter().any(|name| *name == full.as_str()))
    {
        let why = format!("a rebase or bisect there will write `{target}`");
        return Err(LandError::Occupied { root: busy.path.clone(), why });
    }
    let has =
        |one: &&ListedWorktree| matches!(&one.head, WorktreeHead::Branch(name) if *name == full.as_str());
    let mut having = listed.iter().filter(has);
    let Some(one) = having.next() else { return Ok(None) };
    if having.next().is_some() {
        let why = format!("`{target}` is checked out elsewhere, too");
        return Err(LandError::Occupied { root: one.path.clone(), why });
    }
    let is_main = pool.repository().main_worktree.as_deref() == Some(one.path.as_path());
    let admin = match &one.admin {
        Some(admin) => admin.clone(),
        None if is_main => pool.repository().common_dir.clone(),
        None => return Err(LandError::Unseen { target: target.clone(), root: one.path.clone() }),
    };
    if !one.path.is_dir() {
        return Err(LandError::Unseen { target: target.clone(), root: one.path.clone() });
    }
    refuse_held(store, target, one)?;
    Ok(Some(Place { root: one.path.clone(), admin }))
}

fn refuse_held(store: &LocalStore, target: &BranchName, one: &ListedWorktree) -> Result<(), LandError> {
    match store.worktree_at(&one.path)? {
        Some(record) if record.state == WorktreeState::Leased => {
            Err(LandError::Held { target: target.clone(), name: record.name })
        }
        _ => Ok(()),
    }
}

impl Place {
    /// Tells where the target is; refuses when the checkout is not on it any more, or in the middle of something.
    pub(super) fn look_again(&self, pool: &Pool, target: &BranchName) -> Result<Oid, LandError> {
        let head = pool.repository().head(&pool.git, &self.admin)?;
        let tip = head.oid.filter(|_| head.branch.as_ref() == Some(target));
        let tip = tip.ok_or_else(|| LandError::Moved { target: target.clone() })?;
        let progress = git::in_progress(&self.admin)?;
        if progress.operations.is_empty() {
            return Ok(tip);
        }
        let why = format!("it is in the middle of {}", in_words(&progress.operations));
        Err(LandError::Occupied { root: self.root.clone(), why })
    }
}

/// What is in progress, in words.
pub(super) fn in_words(operations: &[git::Operation]) -> String {
    let word = |operation: &git::Operation| match operation {
        git::Operation::Rebase => "a rebase",
        git::Operation::Am => "`git am`",
        git::Operation::Merge => "a merge",
        git::Operation::CherryPick => "a cherry-pick",
        git::Operation::Revert => "a revert",
        git::Operation::Sequencer => "several cherry-picks or reverts",
        git::Operation::Bisect => "a bisect",
    };
    operations.iter().map(word).collect::<Vec<_>>().join(" and ")
}
