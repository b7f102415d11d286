//! Looking at what may go. What cannot be judged has an obstacle that says so.

use std::path::{Path, PathBuf};

use windrow_model::{
    BranchDisposal, BranchName, BranchOrigin, Checkout, DeleteBranch, GoingBytes, LandingSeen, Oid,
    PrunableBranch, PrunableRescue, PrunableWorktree, PrunePolicy, PruneSnapshot, RescueRecord, StayReason,
    WorktreeRecord, WorktreeState, branch_disposal, expired_rescues,
};

use super::{
    budget,
    landing::{Landings, Witness, Work},
};
use crate::{
    fs, git,
    ops::{
        create,
        error::{PruneError, StateError, chain},
        identity::{self, Identity},
        leftovers,
        liveness::{self, Standing},
        overlay,
        pool::Pool,
        survey, sweep,
    },
    process::{self, LockState},
    store::LocalStore,
};

/// Looks at everything; nothing is there before the first use.
pub(super) fn snapshot(pool: &Pool, policy: &PrunePolicy) -> Result<PruneSnapshot, PruneError> {
    let Some(store) = pool.records()? else { return Ok(PruneSnapshot::default()) };
    let records = store.worktrees()?;
    let landings = Landings::new(pool, policy);
    let mut found = PruneSnapshot { going: going(pool, &records), ..PruneSnapshot::default() };
    for record in &records {
        if matches!(record.state, WorktreeState::Kept | WorktreeState::Quarantined) {
            found.worktrees.push(worktree(pool, &store, &landings, record, Standing::Outside)?);
        }
    }
    let all = store.rescues()?;
    let due = expired_rescues(&all, &pool.settings().rescue, Pool::now());
    for record in &all {
        found.rescues.push(rescue(&store, record, &due)?);
    }
    if policy.asks_for_landing() {
        found.branches = branches(pool, &store, &landings)?;
    }
    if policy.to_budget.is_some() {
        budget::measure(pool, &records, &all, &mut found)?;
    }
    Ok(found)
}

/// Looks at one worktree.
pub(super) fn worktree(
    pool: &Pool,
    store: &LocalStore,
    landings: &Landings<'_>,
    record: &WorktreeRecord,
    standing: Standing,
) -> Result<PrunableWorktree, PruneError> {
    let obstacle = obstacle(pool, record, standing)?;
    let landing = match &obstacle {
        None if landings.asked() => landing_of(pool, store, landings, record),
        _ => LandingSeen::NotAsked,
    };
    Ok(PrunableWorktree {
        id: record.id,
        name: record.name.clone(),
        path: record.path.clone(),
        bytes: fs::size_of(&overlay::own_root(record)).ok().map(|size| size.bytes),
        unique: None,
        since: store.last_lease_of(record.id)?.and_then(|lease| lease.ended_at),
        until: record.keep_until,
        obstacle,
        landing,
    })
}

/// What keeps a worktree in place, whatever the policy.
fn obstacle(
    pool: &Pool,
    record: &WorktreeRecord,
    standing: Standing,
) -> Result<Option<StayReason>, StateError> {
    if record.state == WorktreeState::Quarantined {
        return Ok(Some(StayReason::Quarantined));
    }
    if record.state != WorktreeState::Kept || (standing == Standing::Outside && is_locked(pool, record)?) {
        return Ok(Some(StayReason::AtWork));
    }
    let unproven = |why: &str| Some(StayReason::Unproven(why.to_owned()));
    match identity::prove_removable(pool, record) {
        Identity::Proven => {}
        Identity::Gone | Identity::FilesGone => return Ok(unproven("its files are gone")),
        Identity::Unregistered => return Ok(unproven("git's registration of it is gone")),
        Identity::Doubtful(why) => return Ok(unproven(&why)),
    }
    if pool.repository().current_worktree.as_deref().is_some_and(|here| same(here, &record.path)) {
        return Ok(Some(StayReason::Here));
    }
    Ok(match liveness::occupants(record) {
        Ok(occupants) if occupants.is_empty() => None,
        Ok(occupants) => Some(StayReason::InUse(liveness::name_occupants(&occupants))),
        Err(error) => Some(StayReason::Unchecked(chain(&error))),
    })
}

fn same(here: &Path, path: &Path) -> bool {
    identity::same_path(here, path)
}

pub(super) fn is_locked(pool: &Pool, record: &WorktreeRecord) -> Result<bool, StateError> {
    Ok(process::is_free(&pool.worktree_lock_path(&record.id))? == LockState::Held)
}

/// What became of the commits of a worktree whose identity is proven. With anything in it that is in no commit they do not count.
fn landing_of(
    pool: &Pool,
    store: &LocalStore,
    landings: &Landings<'_>,
    record: &WorktreeRecord,
) -> LandingSeen {
    let seen = savable(pool, store, record);
    match seen {
        Err(why) => LandingSeen::Unchecked(why),
        Ok(survey) if !survey.is_clean() => LandingSeen::Unsaved,
        Ok(survey) => match survey.head {
            None => LandingSeen::Unchecked("its branch has no commit".to_owned()),
            Some(tip) => {
                let own = survey.branch.as_ref().or(record.checkout.branch());
                landings.of(&Work { tip, own, target: record.target.as_ref() }).0
            }
        },
    }
}

/// Looks at everything in a worktree; an error when something in it could not be saved.
pub(super) fn savable(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
) -> Result<survey::Survey, String> {
    let carried = store.carried(record.id).map_err(|error| chain(&error))?;
    let survey = survey::survey(pool, record, &carried).map_err(|error| chain(&error))?;
    survey::refuse_unsavable(pool, record, &survey).map_err(|error| chain(&error))?;
    Ok(survey)
}

/// Looks at one rescue, which may be among those that are due. What a worktree's end has saved so far is needed until that end is over.
pub(super) fn rescue(
    store: &LocalStore,
    record: &RescueRecord,
    due: &[RescueRecord],
) -> Result<PrunableRescue, PruneError> {
    let there =
        store.worktree(record.worktree)?.is_some_and(|worktree| worktree.state != WorktreeState::Gone);
    Ok(PrunableRescue {
        id: record.id.clone(),
        worktree: record.name.clone(),
        bytes: record.archive_bytes,
        unique: None,
        since: record.created_at,
        due: due.contains(record),
        obstacle: there.then_some(StayReason::NotGone),
    })
}

/// The branches that were made for worktrees which are gone, or kept and may go.
fn branches(
    pool: &Pool,
    store: &LocalStore,
    landings: &Landings<'_>,
) -> Result<Vec<PrunableBranch>, PruneError> {
    let heads = git::list_refs(&pool.git, pool.repository(), "refs/heads/")?;
    let mut found = Vec::new();
    for record in store.last_on_branches()? {
        let Checkout::Branch { name, .. } = &record.checkout else { continue };
        let Some((_, tip)) = heads.iter().find(|(full, _)| *full == name.full()) else { continue };
        found.extend(branch(pool, store, landings, &record, *tip)?.map(|(one, _)| one));
    }
    Ok(found)
}

/// Looks at the branch of the last worktree that was on it, and at which ref holds its work; `None` for one that is not ours to judge.
pub(super) fn branch(
    pool: &Pool,
    store: &LocalStore,
    landings: &Landings<'_>,
    record: &WorktreeRecord,
    tip: Oid,
) -> Result<Option<(PrunableBranch, Option<Witness>)>, PruneError> {
    let Checkout::Branch { name, origin } = &record.checkout else { return Ok(None) };
    let there = match record.state {
        WorktreeState::Gone => None,
        // An empty branch goes with its worktree.
        WorktreeState::Kept if !is_empty(pool, record, *origin, tip) => Some(record.id),
        _ => return Ok(None),
    };
    if *origin == BranchOrigin::Existing {
        return Ok(None);
    }
    let obstacle = branch_obstacle(pool, store, record, name)?;
    let (landing, witness) = match obstacle {
        None => landings.of(&Work { tip, own: Some(name), target: record.target.as_ref() }),
        Some(_) => (LandingSeen::NotAsked, None),
    };
    let (name, worktree) = (name.clone(), record.name.clone());
    Ok(Some((PrunableBranch { name, tip, worktree, there, obstacle, landing }, witness)))
}

fn is_empty(pool: &Pool, record: &WorktreeRecord, origin: BranchOrigin, tip: Oid) -> bool {
    let facts = BranchDisposal { origin, empty: tip == record.base, landed: false, pushed: false };
    branch_disposal(&facts, pool.settings().branch.delete)
}

/// What keeps a branch in place, whatever the policy. One that a kept worktree of ours is on goes after that one only.
fn branch_obstacle(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    name: &BranchName,
) -> Result<Option<StayReason>, PruneError> {
    if pool.settings().branch.delete == DeleteBranch::Never {
        return Ok(Some(StayReason::NeverDeleted));
    }
    let lands = |other: &&WorktreeRecord| other.target.as_ref() == Some(name);
    if let Some(other) = store.worktrees()?.iter().find(lands) {
        return Ok(Some(StayReason::TargetOf(other.name.clone())));
    }
    let marked = is_marked(pool, store, name)?;
    let used = used_at(pool, name);
    Ok(match (marked, used) {
        (Err(error), _) | (_, Err(error)) => Some(StayReason::Unchecked(error)),
        (Ok(false), _) => Some(StayReason::Unmarked),
        (_, Ok(Some(path))) if record.state != WorktreeState::Kept || !same(&path, &record.path) => {
            Some(StayReason::CheckedOut(path))
        }
        _ => None,
    })
}

/// Tells whether the branch is the one that was made for a worktree, and not another one of the same name.
fn is_marked(pool: &Pool, store: &LocalStore, name: &BranchName) -> Result<Result<bool, String>, PruneError> {
    let first = match git::first_reflog_message(&pool.git, pool.repository(), &name.full()) {
        Ok(first) => first,
        Err(error) => return Ok(Err(chain(&error))),
    };
    let makers = store.made_branch(name)?;
    Ok(Ok(makers
        .iter()
        .any(|maker| first.as_ref().is_some_and(|first| *first == create::creation_mark(maker)))))
}

/// Where a branch is checked out or will be written; the HEAD of a bare repository counts.
pub(super) fn used_at(pool: &Pool, name: &BranchName) -> Result<Option<PathBuf>, String> {
    let repository = pool.repository();
    let head = repository.head(&pool.git, &repository.common_dir).map_err(|error| chain(&error))?;
    if head.branch.as_ref() == Some(name) {
        return Ok(Some(pool.root().to_owned()));
    }
    repository.branch_in_use(&pool.git, name).map_err(|error| chain(&error))
}

fn going(pool: &Pool, records: &[WorktreeRecord]) -> GoingBytes {
    let logs = leftovers::old_logs(pool, records);
    GoingBytes { logs: logs.ok().and_then(sum), trash: sum(sweep::directories(pool, records)) }
}

/// The bytes at all paths; `None` when one of them cannot be looked at.
fn sum(paths: impl IntoIterator<Item = PathBuf>) -> Option<u64> {
    let size = |path: PathBuf| match fs::size_of(&path) {
        Ok(size) => Some(size.bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0),
        Err(_) => None,
    };
    paths.into_iter().try_fold(0_u64, |sum, path| Some(sum.saturating_add(size(path)?)))
}
