//! What a task's worktree left: from its release, or looked up when the call that ran the task was killed before it.

use windrow_model::{BatchTask, Harvest, Settled, WorktreeRecord, WorktreeState};

use crate::{
    git,
    ops::{
        ending,
        error::StateError,
        observer::Unobserved,
        outcome::{BranchFate, Released, WorkSummary, WorktreeFate},
        pool::Pool,
        recover::{self, Spare},
    },
    store::LocalStore,
};

/// From a release.
pub(super) fn of_release(released: &Released) -> Harvest {
    let branch = match &released.branch {
        BranchFate::Stays(name, oid) => Some((name.clone(), *oid)),
        BranchFate::None | BranchFate::Deleted(..) => None,
    };
    let fate = match released.fate {
        WorktreeFate::Removed => "removed",
        WorktreeFate::Vanished => "vanished",
        WorktreeFate::Kept(_) => "kept",
        WorktreeFate::Quarantined(_) => "quarantined",
    };
    let rescue = released.rescue.as_ref().map(|rescue| rescue.id.clone());
    harvest(&released.worktree, branch, &released.work, rescue, fate)
}

/// Finds out what became of a task whose command had ended when its call was killed.
pub(super) fn settle(pool: &Pool, store: &mut LocalStore, task: BatchTask) -> Result<BatchTask, StateError> {
    let id = task.worktree.filter(|_| task.settled == Settled::NotYet);
    let worktree = id.map(|id| store.worktree(id)).transpose()?.flatten();
    let harvest = match worktree {
        Some(worktree) => Some(look_up(pool, store, &worktree)?),
        None => task.harvest.clone(),
    };
    Ok(BatchTask { harvest, settled: Settled::Yes, ..task })
}

/// Ends what killed calls left, so that it can be looked up.
pub(super) fn recover(pool: &Pool, store: &mut LocalStore) -> Result<(), StateError> {
    recover::before(pool, store, &Spare::Nothing, &mut Unobserved)
}

fn look_up(pool: &Pool, store: &LocalStore, worktree: &WorktreeRecord) -> Result<Harvest, StateError> {
    let tip = worktree.checkout.branch().and_then(|name| {
        let tip = git::read_ref(&pool.git, pool.repository(), &name.full()).ok().flatten()?;
        Some((name.clone(), tip))
    });
    let work = tip.as_ref().and_then(|(_, tip)| ending::summarise(pool, worktree, tip).ok());
    let rescue = store.rescues()?.into_iter().find(|rescue| rescue.worktree == worktree.id);
    let fate = match worktree.state {
        WorktreeState::Gone => "removed",
        WorktreeState::Kept => "kept",
        _ => "quarantined",
    };
    Ok(harvest(worktree, tip, &work.unwrap_or_default(), rescue.map(|rescue| rescue.id), fate))
}

fn harvest(
    worktree: &WorktreeRecord,
    branch: Option<(windrow_model::BranchName, windrow_model::Oid)>,
    work: &WorkSummary,
    rescue: Option<windrow_model::RescueId>,
    fate: &str,
) -> Harvest {
    Harvest {
        name: worktree.name.clone(),
        base: worktree.base,
        branch,
        commits: work.commits,
        files: work.files,
        added: work.added,
        deleted: work.deleted,
        rescue,
        fate: fate.to_owned(),
    }
}
