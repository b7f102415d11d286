//! Giving a caller back what it already has: the rules of keys, and resuming a kept worktree by name.

use windrow_model::{
    BranchName, BranchOrigin, Checkout, Holder, KeyDecision, KeySituation, LeaseFate, LeaseRecord,
    WorktreeEvent, WorktreeRecord, WorktreeState, decide_key,
};

use super::{
    error::{AcquireError, StateError},
    guard,
    identity::{self, Identity},
    liveness::{self, Standing},
    outcome::Provenance,
    overlay,
    pool::{Pool, WorktreeLock},
    request::{AcquireRequest, BranchRequest},
    terms,
};
use crate::{git, process, store::LocalStore};

/// What a caller gets back.
pub(super) enum Resumed {
    /// A worktree that is in place.
    Lease(Box<Held>),
    /// A new worktree is due, on this branch.
    Branch(Continued),
}

/// A worktree that is in place.
pub(super) struct Held {
    /// The worktree.
    pub(super) worktree: WorktreeRecord,
    /// Its lease, old or new.
    pub(super) lease: LeaseRecord,
    /// How it came about.
    pub(super) provenance: Provenance,
    /// The right to work on it, unless its own command has it.
    pub(super) lock: Option<WorktreeLock>,
}

/// The branch of a worktree that is gone, on which its key goes on.
pub(super) struct Continued {
    /// Its name.
    pub(super) branch: BranchName,
    /// Who made it.
    pub(super) origin: BranchOrigin,
    /// Where its work lands.
    pub(super) target: Option<BranchName>,
}

/// Looks for what the caller already has, by key and then by name.
pub(super) fn try_resume(
    pool: &Pool,
    store: &mut LocalStore,
    request: &AcquireRequest,
    holder: &Holder,
) -> Result<Option<Resumed>, AcquireError> {
    let Some((worktree, lease)) = known(store, request)? else { return Ok(None) };
    let situation = situation_of(pool, store, &worktree, lease.as_ref(), holder)?;
    if worktree.state != WorktreeState::Gone {
        refuse_other_branch(request, &worktree)?;
    }
    match (decide_key(situation), lease) {
        (KeyDecision::New, _) => Ok(None),
        (KeyDecision::NewOnBranch, _) => Ok(on_branch(pool, request, &worktree)?),
        (KeyDecision::Reattach, _) => reattach(pool, store, request, holder, worktree).map(Some),
        (KeyDecision::Same, Some(lease)) => same(pool, request, worktree, lease).map(Some),
        (KeyDecision::TakeOver, Some(lease)) => {
            take_over(pool, store, request, holder, worktree, lease).map(Some)
        }
        (_, lease) => Err(refuse(request, &worktree, lease.as_ref())),
    }
}

/// A worktree that is in place is on its branch; asking for another one is a mistake, not something to pass over.
fn refuse_other_branch(request: &AcquireRequest, worktree: &WorktreeRecord) -> Result<(), AcquireError> {
    let agrees = match &request.branch {
        BranchRequest::Template => true,
        BranchRequest::Detached => worktree.checkout.branch().is_none(),
        BranchRequest::Named(branch) => worktree.checkout.branch() == Some(branch),
    };
    if agrees { Ok(()) } else { Err(AcquireError::OtherBranch { name: worktree.name.clone() }) }
}

/// The worktree that the key or the name stands for, with its live lease.
fn known(
    store: &LocalStore,
    request: &AcquireRequest,
) -> Result<Option<(WorktreeRecord, Option<LeaseRecord>)>, StateError> {
    let by_key = match &request.key {
        Some(key) => {
            store.last_lease_with_key(key)?.map(|lease| store.worktree(lease.worktree)).transpose()?.flatten()
        }
        None => None,
    };
    let found = match (by_key, &request.name, &request.key) {
        (Some(worktree), ..) => Some(worktree),
        (None, Some(name), None) => store.worktree_named(name)?,
        (None, ..) => None,
    };
    let Some(worktree) = found else { return Ok(None) };
    let lease = store.live_lease_of(worktree.id)?;
    Ok(Some((worktree, lease)))
}

fn situation_of(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
    holder: &Holder,
) -> Result<KeySituation, StateError> {
    Ok(match (worktree.state, lease) {
        (WorktreeState::Gone, _) => KeySituation::Released,
        (WorktreeState::Kept, _) => KeySituation::Kept,
        (WorktreeState::Leased, Some(lease)) => {
            match liveness::fate_of(pool, store, worktree, lease, Standing::Outside)? {
                LeaseFate::Lives if lease.holder == *holder => KeySituation::HeldByCaller,
                LeaseFate::Lives => KeySituation::HeldByOther,
                LeaseFate::Deferred | LeaseFate::Abandoned | LeaseFate::Ended => KeySituation::HolderDead,
            }
        }
        _ => KeySituation::HeldByOther,
    })
}

/// A key whose lease ended goes on on its branch, if that still is there; a name alone starts anew.
fn on_branch(
    pool: &Pool,
    request: &AcquireRequest,
    worktree: &WorktreeRecord,
) -> Result<Option<Resumed>, AcquireError> {
    let continues =
        request.key.is_some() && request.branch == BranchRequest::Template && request.base.is_none();
    let (true, Checkout::Branch { name, origin }) = (continues, &worktree.checkout) else { return Ok(None) };
    if git::read_ref(&pool.git, pool.repository(), &name.full())?.is_none() {
        return Ok(None);
    }
    let origin = match origin {
        BranchOrigin::Created | BranchOrigin::Continued => BranchOrigin::Continued,
        BranchOrigin::Existing => BranchOrigin::Existing,
    };
    Ok(Some(Resumed::Branch(Continued { branch: name.clone(), origin, target: worktree.target.clone() })))
}

fn same(
    pool: &Pool,
    request: &AcquireRequest,
    worktree: WorktreeRecord,
    lease: LeaseRecord,
) -> Result<Resumed, AcquireError> {
    if identity::prove(pool, &worktree) != Identity::Proven {
        return Err(refuse(request, &worktree, None));
    }
    let lock = pool.lock_worktree(&worktree.id)?;
    show(&worktree)?;
    Ok(Resumed::Lease(Box::new(Held { worktree, lease, provenance: Provenance::Same, lock })))
}

fn reattach(
    pool: &Pool,
    store: &mut LocalStore,
    request: &AcquireRequest,
    holder: &Holder,
    mut worktree: WorktreeRecord,
) -> Result<Resumed, AcquireError> {
    let lock = pool.lock_worktree(&worktree.id)?.ok_or_else(|| refuse(request, &worktree, None))?;
    show(&worktree)?;
    let key = match (&request.key, store.last_lease_of(worktree.id).map_err(StateError::from)?) {
        (None, Some(former)) => former.key,
        (key, _) => key.clone(),
    };
    let expires_at = terms::expiry(pool, request, holder);
    let keep = request.keep.or(Some(pool.settings().run.keep)).filter(|keep| !keep.is_zero());
    let seen = guard::fingerprint(pool);
    let lease = store.transaction(|tx| {
        // Somebody may have come first while the lock was free.
        if tx.worktree(worktree.id)?.is_none_or(|now| now.state != WorktreeState::Kept) {
            return Ok(None);
        }
        let lease = terms::new_lease(tx, worktree.id, holder.clone(), key.clone(), expires_at, keep)?;
        tx.insert_lease(&lease)?;
        tx.set_fingerprint(lease.id, &seen)?;
        tx.advance(worktree.id, WorktreeEvent::HandedOut, Pool::now(), "reattached")?;
        Ok(Some(lease))
    });
    let lease = lease.map_err(StateError::from)?;
    let lease = lease.ok_or_else(|| refuse_late(request, &worktree))?;
    worktree.state = WorktreeState::Leased;
    worktree.keep_until = None;
    Ok(Resumed::Lease(Box::new(Held {
        worktree,
        lease,
        provenance: Provenance::Reattached,
        lock: Some(lock),
    })))
}

/// Gives a dead holder's worktree to the caller, files untouched, once nothing of the dead holder runs in it any more.
fn take_over(
    pool: &Pool,
    store: &mut LocalStore,
    request: &AcquireRequest,
    holder: &Holder,
    worktree: WorktreeRecord,
    lease: LeaseRecord,
) -> Result<Resumed, AcquireError> {
    let lock = pool.lock_worktree(&worktree.id)?.ok_or_else(|| refuse(request, &worktree, Some(&lease)))?;
    if lease.reaper.is_some() {
        let grace = pool.settings().run.grace.min(process::ABANDONED_GRACE);
        process::kill_tree(&pool.occupancy_path(&worktree.id), grace).map_err(StateError::from)?;
    }
    let occupants = liveness::occupants(&worktree)?;
    if !occupants.is_empty() {
        let occupants = liveness::name_occupants(&occupants);
        return Err(AcquireError::StillOccupied { name: worktree.name, occupants });
    }
    show(&worktree)?;
    let expires_at = terms::expiry(pool, request, holder);
    let fence = store.transaction(|tx| {
        // Somebody may have come first while the lock was free, or the holder may have renewed.
        if tx.live_lease_of(worktree.id)?.as_ref() != Some(&lease) {
            return Ok(None);
        }
        let fence = tx.next_fence()?;
        tx.take_over(lease.id, holder, fence, expires_at, Pool::now())?;
        Ok(Some(fence))
    });
    let fence = fence.map_err(StateError::from)?;
    let fence = fence.ok_or_else(|| refuse_late(request, &worktree))?;
    let lease = LeaseRecord { holder: holder.clone(), fence, expires_at, reaper: None, ..lease };
    let provenance = Provenance::TakenOver;
    Ok(Resumed::Lease(Box::new(Held { worktree, lease, provenance, lock: Some(lock) })))
}

/// Shows an overlay to us; whoever could only be told a path gets none.
fn show(worktree: &WorktreeRecord) -> Result<(), AcquireError> {
    if !overlay::is_shown(worktree) && !process::is_apart() {
        return Err(AcquireError::Unseen { name: worktree.name.clone() });
    }
    Ok(overlay::show(worktree)?)
}

/// The refusal of a caller who lost a race for a worktree that nobody held a moment ago.
fn refuse_late(request: &AcquireRequest, worktree: &WorktreeRecord) -> AcquireError {
    let leased = WorktreeRecord { state: WorktreeState::Leased, ..worktree.clone() };
    refuse(request, &leased, None)
}

fn refuse(request: &AcquireRequest, worktree: &WorktreeRecord, lease: Option<&LeaseRecord>) -> AcquireError {
    match &request.key {
        Some(key) => {
            let holder = lease.map_or_else(
                || format!("worktree `{}`, which is {}", worktree.name, worktree.state),
                |lease| liveness::name_holder(&lease.holder),
            );
            AcquireError::KeyHeld { key: key.clone(), holder }
        }
        None => AcquireError::NameTaken { name: worktree.name.clone(), state: worktree.state },
    }
}
