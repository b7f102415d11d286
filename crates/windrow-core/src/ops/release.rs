//! Giving a worktree back, at its holder's word.
//!
//! # Locking
//! The caller's or a fresh worktree lock is held throughout. What is to be released is read under its lock.
//!
//! # Crash safety
//! See [`super::ending`].

use std::time::Duration;

use windrow_model::{Checkout, LeaseRecord, WorktreeEvent, WorktreeRecord, WorktreeState};

use super::{
    both::both,
    ending,
    error::{ReleaseError, SelectError, StateError},
    guard, keeper, liveness,
    observer::Unobserved,
    outcome::{BranchFate, Entry, Released, WorkSummary, WorktreeFate},
    overlay,
    pool::{Pool, WorktreeLock},
    recover::{self, Spare},
    request::{ReleaseRequest, Selector, WorkPolicy},
    select, terms,
};
use crate::{
    fs,
    process::{self, FileLock, Wait},
    store::{LocalStore, StoreError},
};

/// Gives a worktree back: its commits stay on its branch, everything else goes into a rescue, and it is removed or kept.
///
/// # Errors
/// No such lease, a stale fence, or somebody still works in it. What cannot be proven or saved is no error: the worktree is
/// quarantined and the outcome says why.
pub fn release(pool: &Pool, request: &ReleaseRequest) -> Result<Released, ReleaseError> {
    release_locked(pool, request, None)
}

pub(super) fn release_locked(
    pool: &Pool,
    request: &ReleaseRequest,
    lock: Option<WorktreeLock>,
) -> Result<Released, ReleaseError> {
    let released = end(pool, request, lock)?;
    keeper::on_demand(pool);
    Ok(released)
}

fn end(pool: &Pool, request: &ReleaseRequest, lock: Option<WorktreeLock>) -> Result<Released, ReleaseError> {
    let mut store = pool.store_if_any()?.ok_or_else(|| select::nothing(&request.selector))?;
    let found = select::find(&store, &request.selector)?;
    recover::before(pool, &mut store, &Spare::Worktree(found.worktree.id), &mut Unobserved)?;
    end_one(pool, &mut store, request, &found, lock)
}

/// Ends one lease, after recovery has left it alone; `found` is what the selector meant then.
pub(super) fn end_one(
    pool: &Pool,
    store: &mut LocalStore,
    request: &ReleaseRequest,
    found: &Entry,
    lock: Option<WorktreeLock>,
) -> Result<Released, ReleaseError> {
    let lock = match lock {
        Some(lock) => lock,
        None => take_lock(pool, found)?,
    };
    let (entry, lock) = read_again(store, &request.selector, found, lock)?;
    let (worktree, lease) = (entry.worktree, entry.lease);
    check_fence(&worktree, lease.as_ref(), request)?;
    refuse_occupied(&worktree)?;
    let keep = request.keep.or_else(|| lease.as_ref()?.keep).filter(|keep| !keep.is_zero());
    let comparison = guard::begin(store, lease.as_ref());
    let look = || comparison.as_ref().ok().map(|comparison| (comparison, comparison.look(pool)));
    let end = || match keep {
        Some(keep) if matches!(worktree.state, WorktreeState::Leased | WorktreeState::Kept) => {
            keep_for(pool, store, worktree, lease, keep)
        }
        _ => give_back(pool, store, worktree, lease, request.work),
    };
    // A git that starts beside has our descriptors until it is its own program, and an overlay that is open cannot be unmounted.
    let (now, ended) = if process::is_apart() { (look(), end()) } else { both(look, end) };
    let mut released = ended?;
    let seen = now.map(|(comparison, now)| comparison.tell(pool, store, &now));
    let seen = seen.or_else(|| comparison.err()).unwrap_or_default();
    (released.drift, released.meanwhile) = (seen.drift, seen.meanwhile);
    if matches!(released.fate, WorktreeFate::Removed | WorktreeFate::Vanished) {
        lock.retire();
    }
    Ok(released)
}

/// How long another command's look at a worktree may take; a supervised one is held by its supervisor for much longer.
const PATIENCE: Duration = Duration::from_secs(10);

fn take_lock(pool: &Pool, entry: &Entry) -> Result<WorktreeLock, ReleaseError> {
    let supervised = entry.lease.as_ref().is_some_and(|lease| lease.reaper.is_some());
    let wait = if supervised { Wait::No } else { Wait::For(PATIENCE) };
    let lock = FileLock::acquire(&pool.worktree_lock_path(&entry.worktree.id), wait);
    let lock = lock.map_err(StateError::from)?;
    lock.map(WorktreeLock).ok_or_else(|| busy(&entry.worktree, entry.lease.as_ref()))
}

/// Reads once more what is meant, now that nobody else can change it: whoever had the lock before may have ended it.
fn read_again(
    store: &LocalStore,
    selector: &Selector,
    before: &Entry,
    lock: WorktreeLock,
) -> Result<(Entry, WorktreeLock), ReleaseError> {
    match select::find(store, selector) {
        Ok(entry) if entry.worktree.id == before.worktree.id => Ok((entry, lock)),
        Ok(_) | Err(SelectError::Unknown { .. }) => {
            // Taking it made it again.
            lock.retire();
            Err(select::nothing(selector).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn check_fence(
    worktree: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
    request: &ReleaseRequest,
) -> Result<(), ReleaseError> {
    match (lease, request.fence) {
        (Some(lease), Some(given)) if lease.fence != given => {
            Err(ReleaseError::Fenced { name: worktree.name.clone(), given, current: lease.fence })
        }
        _ => Ok(()),
    }
}

fn busy(worktree: &WorktreeRecord, lease: Option<&LeaseRecord>) -> ReleaseError {
    let by = lease.map_or_else(|| "another command".to_owned(), |lease| liveness::name_holder(&lease.holder));
    ReleaseError::Busy { name: worktree.name.clone(), by }
}

fn refuse_occupied(worktree: &WorktreeRecord) -> Result<(), ReleaseError> {
    let occupants = liveness::occupants(worktree)?;
    if occupants.is_empty() {
        return Ok(());
    }
    Err(ReleaseError::Busy { name: worktree.name.clone(), by: liveness::name_occupants(&occupants) })
}

fn keep_for(
    pool: &Pool,
    store: &mut LocalStore,
    mut worktree: WorktreeRecord,
    lease: Option<LeaseRecord>,
    keep: Duration,
) -> Result<Released, ReleaseError> {
    let until = terms::after(keep).unwrap_or(jiff::Timestamp::MAX);
    sync_in_place(pool, &worktree)?;
    // Nobody else shows it as long as the lock is held.
    overlay::hide(&worktree)?;
    let kept = store.transaction(|tx| {
        tx.set_keep_until(worktree.id, Some(until))?;
        if worktree.state == WorktreeState::Leased {
            tx.advance(worktree.id, WorktreeEvent::WasKept, Pool::now(), &format!("until {until}"))?;
        }
        match &lease {
            Some(lease) => tx.end_lease(lease.id, lease.fence, Pool::now()),
            None => Ok(()),
        }
    });
    kept.map_err(|error: StoreError| StateError::from(error))?;
    worktree.state = WorktreeState::Kept;
    worktree.keep_until = Some(until);
    let head = pool.repository().head(&pool.git, &worktree.admin)?;
    let work = head
        .oid
        .map_or_else(|| Ok(WorkSummary::default()), |tip| ending::summarise(pool, &worktree, &tip))?;
    let branch = match (&worktree.checkout, head.oid) {
        (Checkout::Branch { name, .. }, Some(oid)) => BranchFate::Stays(name.clone(), oid),
        _ => BranchFate::None,
    };
    Ok(Released {
        worktree,
        fate: WorktreeFate::Kept(until),
        work,
        unsaved: 0,
        rescue: None,
        dropped: Vec::new(),
        branch,
        drift: Vec::new(),
        meanwhile: Vec::new(),
    })
}

/// Makes what stays in place survive a power cut before it is said to be kept: its files, and the commits on its branch.
fn sync_in_place(pool: &Pool, worktree: &WorktreeRecord) -> Result<(), StateError> {
    for path in [&worktree.path, &pool.repository().common_dir] {
        fs::sync_filesystem(path).map_err(|source| StateError::Io { path: path.clone(), source })?;
    }
    Ok(())
}

fn give_back(
    pool: &Pool,
    store: &mut LocalStore,
    mut worktree: WorktreeRecord,
    lease: Option<LeaseRecord>,
    work: WorkPolicy,
) -> Result<Released, ReleaseError> {
    if !matches!(worktree.state, WorktreeState::Releasing | WorktreeState::Removing) {
        let began =
            store.transaction(|tx| tx.advance(worktree.id, WorktreeEvent::ReleaseBegan, Pool::now(), ""));
        worktree.state = began.map_err(|error: StoreError| StateError::from(error))?;
    }
    ending::finish(pool, store, worktree, lease, work, ending::Manner::Awaited)
}
