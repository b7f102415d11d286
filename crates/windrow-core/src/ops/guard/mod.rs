//! The guard of what is everybody's: configuration, hooks and main checkout are looked at when a lease is given and compared
//! when it ends. What differs is told, whoever did it: the guard neither blocks nor changes anything.
//!
//! # Crash safety
//! What was seen is recorded in the transaction that gives the lease and forgotten in the one that ends it, so the lease of
//! a dead holder is compared by whoever ends it.

mod look;
mod repair;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use windrow_model::{Change, Drift, Fingerprint, LeaseRecord, Watched, WorktreeName};

use self::look::Look;
pub use self::repair::{DriftRepair, RepairError, plan_drift_repairs, repair_drift};
use super::{error::StateError, outcome::HeldThen, pool::Pool};
use crate::store::{LocalStore, StoreError};

/// What is everybody's, now, for a lease that is about to be given.
pub(super) fn fingerprint(pool: &Pool) -> Fingerprint {
    look::take(pool, pool.repository().main_worktree.as_deref()).fingerprint
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) drift: Vec<Drift>,
    pub(super) meanwhile: Vec<HeldThen>,
}

impl Seen {
    /// The end of a sentence about a lease that nobody is there to be told of; empty without drift.
    pub(super) fn in_words(&self) -> String {
        let told: Vec<_> = self.drift.iter().filter(|one| !is_note(one)).map(ToString::to_string).collect();
        if told.is_empty() { String::new() } else { format!("; since it was given, {}", told.join(", ")) }
    }
}

fn is_note(drift: &Drift) -> bool {
    matches!(drift, Drift::Unchecked { .. })
}

/// Compares what is everybody's with what it was when the lease was given. A comparison that fails is told as such: it is no
/// reason not to end a lease.
pub(super) fn compare(pool: &Pool, store: &LocalStore, lease: Option<&LeaseRecord>) -> Seen {
    match begin(store, lease) {
        Ok(comparison) => comparison.tell(pool, store, &comparison.look(pool)),
        Err(seen) => seen,
    }
}

/// A comparison at the end of a lease, with all that is forgotten when it ends.
pub(super) struct Comparison {
    lease: LeaseRecord,
    before: Fingerprint,
    root: Option<PathBuf>,
    /// Where the worktrees are.
    own: Vec<PathBuf>,
}

/// Reads what was seen when a lease was given.
///
/// # Errors
/// There is nothing to compare with; the error is what there is to tell.
pub(super) fn begin(store: &LocalStore, lease: Option<&LeaseRecord>) -> Result<Comparison, Seen> {
    let Some(lease) = lease else { return Err(Seen::default()) };
    match (store.fingerprint(lease.id), store.worktrees()) {
        (Ok(Some(before)), Ok(worktrees)) => {
            let own = worktrees.into_iter().map(|worktree| worktree.path).collect();
            Ok(Comparison { lease: lease.clone(), root: look::root_of(&before), before, own })
        }
        (Ok(None), _) => {
            Err(unchecked("what was there when the lease was given is not on record".to_owned()))
        }
        (Err(error), _) | (_, Err(error)) => Err(unchecked(super::error::chain(&error))),
    }
}

fn unchecked(why: String) -> Seen {
    Seen { drift: vec![Drift::Unchecked { why }], meanwhile: Vec::new() }
}

impl Comparison {
    /// Looks at what is everybody's now.
    pub(super) fn look(&self, pool: &Pool) -> Look {
        look::take(pool, self.root.as_deref())
    }

    /// Compares.
    pub(super) fn tell(&self, pool: &Pool, store: &LocalStore, now: &Look) -> Seen {
        let mut drift = self.before.drift(&now.fingerprint);
        if let Some(root) = &self.root {
            complete(pool, root, &self.before, now, &self.own, &mut drift);
        }
        let alone = drift.iter().all(is_note);
        match if alone { Ok(Vec::new()) } else { held_since(store, &self.before, &self.lease) } {
            Ok(meanwhile) => Seen { drift, meanwhile },
            Err(error) => unchecked(super::error::chain(&error)),
        }
    }
}

/// Leaves out files that were only touched, tells when the others were written, and adds those that git does not track.
fn complete(
    pool: &Pool,
    root: &Path,
    before: &Fingerprint,
    now: &Look,
    own: &[PathBuf],
    drift: &mut Vec<Drift>,
) {
    drift.retain_mut(|one| match one {
        Drift::File { path, change, written_at } => {
            *written_at = look::written_at(root, path);
            let new = before.get(Watched::Differing, &*path).is_none();
            !(new && *change == Change::Changed && now.is_only_touched(pool, root, path))
        }
        _ => true,
    });
    let notes = drift.iter().position(is_note).unwrap_or(drift.len());
    let rest = drift.split_off(notes);
    drift.extend(now.untracked(pool, root, before.taken_at, own));
    drift.extend(rest);
}

fn held_since(
    store: &LocalStore,
    before: &Fingerprint,
    lease: &LeaseRecord,
) -> Result<Vec<HeldThen>, StoreError> {
    let others = store.leases_since(before.taken_at)?.into_iter().filter(|(_, other)| other.id != lease.id);
    Ok(others.map(held).collect())
}

/// Who had a worktree at a moment.
pub(super) fn held_at(store: &LocalStore, at: Timestamp) -> Result<Vec<HeldThen>, StoreError> {
    let since = store.leases_since(at)?.into_iter();
    Ok(since.filter(|(_, lease)| lease.acquired_at <= at).map(held).collect())
}

fn held((worktree, lease): (WorktreeName, LeaseRecord)) -> HeldThen {
    HeldThen { worktree, holder: lease.holder, from: lease.acquired_at, until: lease.ended_at }
}

/// When the configuration that all worktrees share was last written; `None` when it is not there or cannot be looked at.
pub(super) fn config_written_at(pool: &Pool) -> Option<Timestamp> {
    look::written_at(&pool.repository().common_dir, &look::CONFIG_FILES[0].into())
}

/// What differs from when a live lease was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseDrift {
    /// The lease.
    pub lease: LeaseRecord,
    /// Its worktree's name.
    pub worktree: WorktreeName,
    /// What differs; not empty.
    pub drift: Vec<Drift>,
    /// Who else had a worktree since then.
    pub meanwhile: Vec<HeldThen>,
}

/// Compares what is everybody's with what it was when each live lease was given, oldest lease first. Leases without drift are
/// left out. Changes nothing.
///
/// # Errors
/// The records cannot be read.
pub fn drift(pool: &Pool) -> Result<Vec<LeaseDrift>, StateError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for worktree in store.worktrees()? {
        let Some(lease) = store.live_lease_of(worktree.id)? else { continue };
        let Seen { drift, meanwhile } = compare(pool, &store, Some(&lease));
        if !drift.is_empty() {
            found.push(LeaseDrift { lease, worktree: worktree.name, drift, meanwhile });
        }
    }
    Ok(found)
}
