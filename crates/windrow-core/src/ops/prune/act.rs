//! Doing one step, after looking again.

use std::{error::Error, path::Path};

use windrow_model::{
    BranchName, EventKind, GoReason, LandingWay, NewEvent, Oid, PrunePolicy, PruneStep, PruneVerdict,
    RescueId, WorktreeEvent, WorktreeId, WorktreeRecord, WorktreeState, prune_branch, prune_worktree,
};

use super::{PruneFate, landing::Landings, look};
use crate::{
    git::{self, Expect, RefChange},
    ops::{
        ending,
        liveness::Standing,
        observer::Observer,
        outcome::WorktreeFate,
        overlay,
        pool::Pool,
        request::WorkPolicy,
        rescues, template,
        warm::{self, Removal},
    },
    store::LocalStore,
};

const CHANGED: &str = "it changed meanwhile";

/// Ends a kept worktree as a release does: what is unsaved goes into a rescue first.
pub(super) fn worktree(
    pool: &Pool,
    store: &mut LocalStore,
    policy: &PrunePolicy,
    id: WorktreeId,
    step: &PruneStep,
    why: &GoReason,
) -> Result<PruneFate, Box<dyn Error>> {
    let Some(lock) = pool.lock_worktree(&id)? else {
        return Ok(skipped("somebody works on it"));
    };
    let record = match store.worktree(id)? {
        Some(record) if record.state != WorktreeState::Gone => record,
        _ => {
            // Taking it made it again.
            lock.retire();
            return Ok(PruneFate::Gone);
        }
    };
    if !is_still_due(pool, store, policy, &record, step, why)? {
        return Ok(skipped(CHANGED));
    }
    // What an overlay holds is seen by whoever ends it.
    if overlay::is_shown(&record)
        && let Err(why) = look::savable(pool, store, &record)
    {
        return Ok(PruneFate::Skipped(why));
    }
    let detail = format!("pruned: {}", in_words(why));
    let state = store.transaction(|tx| tx.advance(id, WorktreeEvent::ReleaseBegan, Pool::now(), &detail))?;
    let record = WorktreeRecord { state, ..record };
    let released = ending::finish(pool, store, record, None, WorkPolicy::Rescue, ending::Manner::Awaited)?;
    match released.fate {
        WorktreeFate::Removed | WorktreeFate::Vanished => {
            lock.retire();
            Ok(PruneFate::Done { rescue: released.rescue.map(|rescue| rescue.id) })
        }
        WorktreeFate::Kept(_) => Ok(skipped(CHANGED)),
        WorktreeFate::Quarantined(why) => Ok(PruneFate::Skipped(format!("it is quarantined now: {why}"))),
    }
}

/// Throws a worktree away that is held ready; what somebody wrote into it is saved.
pub(super) fn spare(
    pool: &Pool,
    store: &mut LocalStore,
    id: WorktreeId,
    observer: &mut dyn Observer,
) -> Result<PruneFate, Box<dyn Error>> {
    let Some(record) = store.worktree(id)?.filter(|record| record.state != WorktreeState::Gone) else {
        return Ok(PruneFate::Gone);
    };
    Ok(match warm::remove(pool, store, &record, observer)? {
        Removal::Gone => PruneFate::Done { rescue: None },
        Removal::Taken => skipped(CHANGED),
        Removal::Ended(told, WorktreeFate::Removed) => {
            observer.notice(&told);
            let rescue = store.rescues()?.into_iter().rfind(|rescue| rescue.worktree == id);
            PruneFate::Done { rescue: rescue.map(|rescue| rescue.id) }
        }
        Removal::Ended(told, _) => PruneFate::Skipped(told),
    })
}

/// Throws a template away, unless it is another one or of another commit by now.
pub(super) fn template(pool: &Pool, root: &Path, step: &PruneStep) -> Result<PruneFate, Box<dyn Error>> {
    Ok(match template::remove_one(pool, root, step.since)? {
        template::Removal::Gone => PruneFate::Done { rescue: None },
        template::Removal::Missing => PruneFate::Gone,
        template::Removal::Changed => skipped(CHANGED),
        template::Removal::AtWork => skipped("somebody is at work on templates"),
        template::Removal::Stays => skipped("it cannot be moved into the trash"),
    })
}

fn skipped(why: &str) -> PruneFate {
    PruneFate::Skipped(why.to_owned())
}

/// Looks again; the caller holds the worktree's lock.
fn is_still_due(
    pool: &Pool,
    store: &LocalStore,
    policy: &PrunePolicy,
    record: &WorktreeRecord,
    step: &PruneStep,
    why: &GoReason,
) -> Result<bool, Box<dyn Error>> {
    let landings = Landings::new(pool, policy);
    let again = look::worktree(pool, store, &landings, record, Standing::HoldsLock)?;
    Ok(match (why, prune_worktree(&again, policy, Pool::now())) {
        // What all hold together is not looked at again: it only gets less.
        (GoReason::Budget, PruneVerdict::Stays(_)) => again.obstacle.is_none() && again.since == step.since,
        (_, PruneVerdict::Goes(_)) => again.since == step.since,
        (_, PruneVerdict::Stays(_)) => false,
    })
}

fn in_words(why: &GoReason) -> &'static str {
    match why {
        GoReason::Due => "its time is over",
        GoReason::Old => "it is older than asked for",
        GoReason::Budget => "all together hold more than asked for",
        GoReason::Landed(landed) => match landed.way {
            LandingWay::Reached => "its commits are in the target",
            LandingWay::NothingToAdd | LandingWay::SameChanges => "its changes are in the target",
        },
    }
}

/// Deletes a rescue, unless it is another one of the same id by now.
pub(super) fn rescue(
    pool: &Pool,
    store: &mut LocalStore,
    id: &RescueId,
    step: &PruneStep,
) -> Result<PruneFate, Box<dyn Error>> {
    let Some(seen) = store.rescue(id)? else { return Ok(PruneFate::Gone) };
    // Whoever ends that worktree saves under this very id.
    let Some(lock) = pool.lock_worktree(&seen.worktree)? else {
        return Ok(skipped("somebody works on its worktree"));
    };
    let there = store.worktree(seen.worktree)?.is_some_and(|worktree| worktree.state != WorktreeState::Gone);
    let record = store.rescue(id)?;
    let fate = match record {
        None => PruneFate::Gone,
        Some(_) if there => skipped("its worktree is not gone yet"),
        Some(record) if Some(record.created_at) != step.since => skipped(CHANGED),
        Some(record) => {
            rescues::remove(pool, store, &record)?;
            PruneFate::Done { rescue: None }
        }
    };
    if !there {
        lock.retire();
    }
    Ok(fate)
}

/// Deletes a branch that still is where it was, while what holds its work is where it was, too.
pub(super) fn branch(
    pool: &Pool,
    store: &mut LocalStore,
    policy: &PrunePolicy,
    name: &BranchName,
    tip: Oid,
) -> Result<PruneFate, Box<dyn Error>> {
    match git::read_ref(&pool.git, pool.repository(), &name.full())? {
        None => return Ok(PruneFate::Gone),
        Some(found) if found != tip => return Ok(skipped(CHANGED)),
        Some(_) => {}
    }
    let Some(record) = store.last_on_branch(name)?.filter(|record| record.state == WorktreeState::Gone)
    else {
        return Ok(skipped("a worktree has it"));
    };
    let landings = Landings::new(pool, policy);
    let Some((again, Some(witness))) = look::branch(pool, store, &landings, &record, tip)? else {
        return Ok(skipped(CHANGED));
    };
    if !matches!(prune_branch(&again, policy), PruneVerdict::Goes(_)) {
        return Ok(skipped(CHANGED));
    }
    let lock = pool.lock_repository()?;
    // From here on nobody makes a worktree for it: that takes this lock.
    if store.last_on_branch(name)?.is_none_or(|last| last.id != record.id)
        || look::used_at(pool, name)?.is_some()
    {
        return Ok(skipped("a worktree has it"));
    }
    // Letting git verify it in the same transaction would write into the reflog of HEAD.
    if git::read_ref(&pool.git, pool.repository(), &witness.name)? != Some(witness.oid) {
        return Ok(skipped(CHANGED));
    }
    let change = RefChange { name: name.full(), new: None, old: Expect::Is(tip) };
    git::update_refs(&pool.git, pool.repository(), &[change], "windrow: branch pruned")?;
    drop(lock);
    let told = NewEvent {
        kind: EventKind::BranchDeleted,
        worktree: Some(record.name),
        lease: None,
        detail: format!("{name} was at {tip}"),
    };
    store.transaction(|tx| tx.append(&told, Pool::now()))?;
    Ok(PruneFate::Done { rescue: None })
}
