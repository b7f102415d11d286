//! What every changing command does first: finish or undo what a dead one left, and end what is over.
//!
//! # Locking
//! A worktree is only touched under its own lock, which a live operation or supervisor holds; so nothing that is under way is
//! ever mistaken for a leftover. The record is read again once the lock is ours.
//!
//! # Crash safety
//! Creation rolls back, removal rolls forward; both may be repeated.

use windrow_model::{
    Holder, LeaseFate, LeaseKey, LeaveReason, ReconcileAction, RecoveryAction, SessionId, WorktreeEvent,
    WorktreeId, WorktreeName, WorktreeRecord, WorktreeState, reconcile_action, recovery_action,
};

use super::{
    ending,
    error::StateError,
    guard,
    identity::{self, Identity},
    land, leftovers,
    liveness::{self, Standing},
    observer::{Observer, Unobserved},
    outcome::WorktreeFate,
    pool::{Pool, WorktreeLock},
    reconcile, ref_locks,
    request::{AcquireRequest, WorkPolicy},
    rescues, session, suspension, sweep,
    undo::{self, Undone},
    warm::{self, Removal},
};
use crate::{
    process,
    store::{LocalStore, StoreError},
};

/// What a command is about to take up itself, so that recovery leaves it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spare {
    /// Nothing.
    Nothing,
    /// What this key or name stands for.
    Wanted(Option<LeaseKey>, Option<WorktreeName>),
    /// This worktree.
    Worktree(WorktreeId),
    /// What this session holds and is in place.
    Session(SessionId),
}

impl Spare {
    pub(super) fn of(request: &AcquireRequest) -> Self {
        Self::Wanted(request.key.clone(), request.name.clone())
    }

    fn covers(&self, store: &LocalStore, record: &WorktreeRecord) -> Result<bool, StateError> {
        match self {
            Self::Nothing => Ok(false),
            Self::Worktree(id) => Ok(record.id == *id),
            Self::Session(id) => {
                let lease = store.live_lease_of(record.id)?;
                Ok(takeable(record) && lease.is_some_and(|lease| lease.holder == Holder::Session(*id)))
            }
            Self::Wanted(_, Some(name)) if record.name == *name => Ok(takeable(record)),
            Self::Wanted(Some(key), _) => {
                let last = store.last_lease_with_key(key)?;
                Ok(takeable(record) && last.is_some_and(|lease| lease.worktree == record.id))
            }
            Self::Wanted(None, _) => Ok(false),
        }
    }
}

/// A worktree in place can be taken over or reattached; anything half done must be finished first.
fn takeable(record: &WorktreeRecord) -> bool {
    matches!(record.state, WorktreeState::Leased | WorktreeState::Kept)
}

/// Brings the pool back to order. What cannot be recovered is told to the observer and left for the next time.
pub(super) fn before(
    pool: &Pool,
    store: &mut LocalStore,
    spare: &Spare,
    observer: &mut dyn Observer,
) -> Result<(), StateError> {
    if process::is_apart() {
        // It was done before: from here other processes cannot be looked into.
        return Ok(());
    }
    suspension::make_up_for(store, process::suspended())?;
    // First: nothing below can change a ref that a dead git has locked.
    ref_locks::settle(pool);
    land::recover(pool, store, observer)?;
    for record in store.worktrees()? {
        match look_after(pool, store, spare, &record) {
            Ok(Some(notice)) => observer.notice(&notice),
            Ok(None) => {}
            Err(error) => observer.notice(&format!("worktree `{}` was left as it is: {error}", record.name)),
        }
    }
    session::settle(store)?;
    rescues::expire(pool, store)?;
    sweep::leftovers(pool, store)?;
    leftovers::clear(pool, store)
}

/// Does what is due for one worktree; one that cannot be judged does not keep the others from being looked after.
fn look_after(
    pool: &Pool,
    store: &mut LocalStore,
    spare: &Spare,
    record: &WorktreeRecord,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let action = action_for(pool, store, record, Standing::Outside)?;
    if !spare.covers(store, record)? {
        let due = action != RecoveryAction::Leave;
        return if due { recover_one(pool, store, record, RecoveryAction::Leave) } else { Ok(None) };
    }
    let free = action != RecoveryAction::Leave || record.state == WorktreeState::Kept;
    if matches!(spare, Spare::Worktree(_) | Spare::Session(_))
        || !free
        || identity::prove(pool, record) == Identity::Proven
    {
        return Ok(None);
    }
    // What lies at its path may be anybody's by now, so it is nothing to hand out.
    recover_one(pool, store, record, RecoveryAction::Release)
}

/// What is due for a worktree; a lease that lives is left.
fn action_for(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    standing: Standing,
) -> Result<RecoveryAction, StateError> {
    let action = recovery_action(record.state, record.keep_until, Pool::now());
    if action != RecoveryAction::Examine {
        return Ok(action);
    }
    let Some(lease) = store.live_lease_of(record.id)? else { return Ok(RecoveryAction::Release) };
    Ok(match liveness::fate_of(pool, store, record, &lease, standing)? {
        LeaseFate::Lives | LeaseFate::Deferred => RecoveryAction::Leave,
        LeaseFate::Abandoned | LeaseFate::Ended => RecoveryAction::Release,
    })
}

/// Recovers one worktree under its lock; `while_kept` is for one whose time of keeping is not over.
fn recover_one(
    pool: &Pool,
    store: &mut LocalStore,
    seen: &WorktreeRecord,
    while_kept: RecoveryAction,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    // Looking costs nothing, taking a held lock waits: with many at work that would add up.
    if process::is_free(&pool.worktree_lock_path(&seen.id))? == process::LockState::Held {
        return Ok(None);
    }
    let Some(lock) = pool.lock_worktree(&seen.id)? else { return Ok(None) };
    let Some(record) = store.worktree(seen.id)? else { return Ok(None) };
    if record.state == WorktreeState::Gone {
        // Its owner removed the lock with it before we took, and so made, it again.
        lock.0.remove()?;
        return Ok(None);
    }
    let name = record.name.clone();
    let action = match action_for(pool, store, &record, Standing::HoldsLock)? {
        RecoveryAction::Leave if record.state == WorktreeState::Kept => while_kept,
        action => action,
    };
    let notice = match action {
        RecoveryAction::Leave | RecoveryAction::Examine => return Ok(None),
        RecoveryAction::RollBack => {
            refuse_roll_back(pool, store, &record)?;
            if let Undone::SetAside(reason) = undo::roll_back(pool, store, &record)? {
                return Ok(Some(format!("worktree `{name}` is quarantined: {reason}")));
            }
            sweep::in_background(pool, &record);
            lock.0.remove()?;
            return Ok(Some(format!("undid the unfinished worktree `{name}`")));
        }
        RecoveryAction::Discard => return discard(pool, store, record, lock),
        RecoveryAction::Release | RecoveryAction::RollForward => end(pool, store, record)?,
    };
    if matches!(notice.1, WorktreeFate::Removed | WorktreeFate::Vanished) {
        lock.0.remove()?;
    }
    Ok(Some(notice.0))
}

/// Throws away what was held ready and nobody wanted; what somebody wrote into it is saved.
fn discard(
    pool: &Pool,
    store: &mut LocalStore,
    record: WorktreeRecord,
    lock: WorktreeLock,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    match warm::remove_locked(pool, store, record, lock, &mut Unobserved)? {
        Removal::Ended(notice, _) => Ok(Some(notice)),
        Removal::Gone | Removal::Taken => Ok(None),
    }
}

/// What the user locked, or what cannot be seen from here, is not undone.
fn refuse_roll_back(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
) -> Result<(), Box<dyn std::error::Error>> {
    let seen = reconcile::again(pool, store, record.id)?;
    match seen.map(|seen| reconcile_action(&seen.situation)) {
        Some(ReconcileAction::Leave(LeaveReason::LockedByUser)) => {
            Err("it was never finished, and somebody locked it with `git worktree lock`".into())
        }
        Some(ReconcileAction::Leave(_)) => Err("it was never finished, and cannot be seen from here".into()),
        _ => Ok(()),
    }
}

/// Ends a worktree whose time is over or whose holder is dead: kills what a dead supervisor left, saves, removes.
///
/// The caller holds its lock.
pub(super) fn end(
    pool: &Pool,
    store: &mut LocalStore,
    mut record: WorktreeRecord,
) -> Result<(String, WorktreeFate), Box<dyn std::error::Error>> {
    let lease = store.live_lease_of(record.id)?;
    if lease.as_ref().is_some_and(|lease| lease.reaper.is_some()) {
        let grace = pool.settings().run.grace.min(process::ABANDONED_GRACE);
        process::kill_tree(&pool.occupancy_path(&record.id), grace)?;
    }
    if !matches!(record.state, WorktreeState::Releasing | WorktreeState::Removing) {
        let began = store.transaction(|tx| {
            tx.advance(
                record.id,
                WorktreeEvent::ReleaseBegan,
                Pool::now(),
                "its holder is gone or its time is over",
            )
        });
        record.state = began.map_err(|error: StoreError| error)?;
    }
    let seen = guard::compare(pool, store, lease.as_ref());
    let work = match &lease {
        Some(lease) if store.is_trial(lease.id)? => WorkPolicy::Discard,
        _ => WorkPolicy::Rescue,
    };
    let released = ending::finish(pool, store, record, lease, work, ending::Manner::Unawaited)?;
    let name = &released.worktree.name;
    let text = match (&released.fate, &released.rescue) {
        (WorktreeFate::Quarantined(reason), _) => format!("worktree `{name}` is quarantined: {reason}"),
        (WorktreeFate::Vanished, Some(rescue)) => format!(
            "gave back the abandoned worktree `{name}`; its files are gone, and what git still knew of them is in rescue `{}`",
            rescue.id
        ),
        (WorktreeFate::Vanished, None) => {
            format!("gave back the abandoned worktree `{name}`; its files are gone, its commits are not")
        }
        (_, Some(rescue)) => {
            format!("gave back the abandoned worktree `{name}`; its work is in rescue `{}`", rescue.id)
        }
        _ => format!("gave back the abandoned worktree `{name}`; nothing in it was unsaved"),
    };
    Ok((text + &seen.in_words(), released.fate))
}
