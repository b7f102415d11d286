//! Going where an overlay is seen, and showing it there.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use windrow_model::{Holder, LeaseRecord, Strategy, StrategyChoice, WorktreeRecord, WorktreeState};

use super::{Parts, ability, is_overlaid, layers};
use crate::{
    fs,
    ops::{
        error::{SelectError, StateError},
        keeper,
        observer::Observer,
        pool::{OverlayMode, Pool, WorktreeLock},
        recover::{self, Spare},
        request::AcquireRequest,
    },
    process,
    store::LocalStore,
};

/// Goes into a mount namespace of our own if what a request will give is an overlay, after doing what cannot be done from there.
///
/// From inside other processes cannot be looked into, so the pool is brought to order and gets its keeper before.
pub(in crate::ops) fn enter(
    pool: &Pool,
    request: &AcquireRequest,
    observer: &mut dyn Observer,
) -> Result<(), StateError> {
    if pool.environment.overlays == OverlayMode::Never || process::is_apart() || !is_due(pool, request)? {
        return Ok(());
    }
    let mut store = pool.store()?;
    recover::before(pool, &mut store, &Spare::of(request), observer)?;
    drop(store);
    keeper::on_demand(pool);
    if let Err(error) = process::go_apart() {
        ability::forget(pool);
        tracing::warn!(%error, "no mount namespace can be had any more");
    }
    Ok(())
}

fn is_due(pool: &Pool, request: &AcquireRequest) -> Result<bool, StateError> {
    let wanted = pool.settings().pool.strategy == StrategyChoice::Only(Strategy::Overlay);
    if !wanted && request.name.is_none() && request.key.is_none() {
        return Ok(false);
    }
    // What is wrong with the records is told by whoever changes them.
    let Ok(Some(store)) = pool.records() else { return Ok(false) };
    match known(&store, request)? {
        Some(known) => Ok(is_overlaid(&known)),
        None => Ok(wanted && ability::objection(pool).is_none()),
    }
}

/// The worktree in place that a request stands for.
fn known(store: &LocalStore, request: &AcquireRequest) -> Result<Option<WorktreeRecord>, StateError> {
    let by_key = match &request.key {
        Some(key) => {
            store.last_lease_with_key(key)?.map(|lease| store.worktree(lease.worktree)).transpose()?
        }
        None => None,
    };
    let found = match (by_key.flatten(), &request.name) {
        (None, Some(name)) => store.worktree_named(name)?,
        (found, _) => found,
    };
    Ok(found.filter(|record| record.state != WorktreeState::Gone))
}

/// Goes to where the holder of a worktree works, if it is an overlay.
pub(in crate::ops) fn join(
    pool: &Pool,
    record: &WorktreeRecord,
    lease: &LeaseRecord,
) -> Result<(), SelectError> {
    if !is_overlaid(record) || fs::shows_overlay(&record.path) {
        return Ok(());
    }
    let unseen = || SelectError::Unseen { name: record.name.clone() };
    let Holder::Process(holder) = &lease.holder else { return Err(unseen()) };
    if pool.environment.overlays == OverlayMode::Never {
        return Err(unseen());
    }
    process::join(holder).map_err(|error| {
        tracing::warn!(%error, pid = holder.pid, "cannot go where the overlay is");
        unseen()
    })
}

/// Makes the files of a worktree be seen by us, for a look: beside its holder, or by ourselves as long as the lock is held.
pub(in crate::ops) fn look_into(
    pool: &Pool,
    record: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
) -> Result<Option<WorktreeLock>, SelectError> {
    if !is_overlaid(record) || fs::shows_overlay(&record.path) {
        return Ok(None);
    }
    if let (WorktreeState::Leased, Some(lease)) = (record.state, lease) {
        return join(pool, record, lease).map(|()| None);
    }
    let unseen = || SelectError::Unseen { name: record.name.clone() };
    if pool.environment.overlays == OverlayMode::Never {
        return Err(unseen());
    }
    let lock = pool.lock_worktree(&record.id)?.ok_or_else(unseen)?;
    process::go_apart().map_err(|_| unseen())?;
    show(record)?;
    Ok(Some(lock))
}

/// How long a mount may take to go after its last process did.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows the files of a worktree at its path, to us alone; nothing to do where they are seen by everybody.
pub(in crate::ops) fn show(record: &WorktreeRecord) -> Result<(), StateError> {
    if !is_overlaid(record) || fs::shows_overlay(&record.path) {
        return Ok(());
    }
    let failed = |source| StateError::Io { path: record.path.clone(), source };
    let parts = Parts::of(record);
    let tree = parts.tree().map_err(failed)?;
    if record.path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        parts.make_place(&record.path).map_err(failed)?;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let shown = process::with_mount_rights(|| fs::mount_overlay(&layers(&parts, &tree), &record.path));
        match shown {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < until => {
                thread::sleep(Duration::from_millis(10));
            }
            shown => return shown.map_err(failed),
        }
    }
}

/// Takes the files of a worktree away from its path; after that nobody has any of them open.
pub(in crate::ops) fn hide(record: &WorktreeRecord) -> Result<(), StateError> {
    if !process::is_apart() || !fs::shows_overlay(&record.path) {
        return Ok(());
    }
    process::with_mount_rights(|| fs::unmount(&record.path))
        .map_err(|source| StateError::Io { path: record.path.clone(), source })
}
