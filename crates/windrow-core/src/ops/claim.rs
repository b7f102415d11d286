//! Claiming a name, a branch and a key for a worktree that is to be made: one transaction of the store.
//!
//! # Locking
//! The worktree's lock is taken before its record becomes visible, and its file goes again if that never happens.

use windrow_model::{
    BranchOrigin, Checkout, LeaseRecord, TemplateValues, WorktreeId, WorktreeName, WorktreeRecord,
    WorktreeState,
};

use super::{
    create::Beginning,
    error::{AcquireError, StateError},
    liveness, place,
    plan::{Branching, Plan, Purpose},
    pool::{Pool, WorktreeLock},
    ports,
    request::AcquireRequest,
    terms,
    warm::spare,
};
use crate::{process, store::Tx};

/// A new record and lease, and the lock that was taken before they became visible.
pub(super) struct Claimed {
    pub(super) worktree: WorktreeRecord,
    pub(super) lease: LeaseRecord,
    pub(super) lock: TentativeLock,
    pub(super) beginning: Beginning,
    pub(super) notice: Option<String>,
}

/// The lock of a worktree whose record may never become visible; its file goes with it then.
pub(super) struct TentativeLock {
    lock: Option<WorktreeLock>,
    file: LockFile,
}

/// What becomes of a lock's file when the record does not become what it was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LockFile {
    /// It goes: nobody knows of it.
    Goes,
    /// It stays: it is that of a spare.
    Stays,
}

impl TentativeLock {
    fn take(pool: &Pool, id: &WorktreeId) -> Result<Self, StateError> {
        let held = || process::LockError::Held { path: pool.worktree_lock_path(id) };
        Ok(Self { lock: Some(pool.lock_worktree(id)?.ok_or_else(held)?), file: LockFile::Goes })
    }

    fn of_spare(lock: WorktreeLock) -> Self {
        Self { lock: Some(lock), file: LockFile::Stays }
    }

    /// The record is there: the lock is its own.
    pub(super) fn keep(mut self) -> Option<WorktreeLock> {
        self.lock.take()
    }
}

impl Drop for TentativeLock {
    fn drop(&mut self) {
        if self.file == LockFile::Goes {
            self.lock.take().into_iter().for_each(WorktreeLock::retire);
        }
    }
}

/// What a claim found.
pub(super) enum Claim {
    /// A record and a lease were made.
    Made(Box<Claimed>),
    /// Another worktree stands in the way.
    Taken(AcquireError),
}

/// Claims for `plan`, or tells what stands in the way.
pub(super) fn claim(
    pool: &Pool,
    tx: &mut Tx<'_>,
    request: &AcquireRequest,
    plan: &Plan,
) -> Result<Claim, StateError> {
    let name = match name_for(tx, request)? {
        Ok(name) => name,
        Err(taken) => return Ok(Claim::Taken(taken)),
    };
    let checkout = match checkout_for(pool, request, plan, &name) {
        Ok(checkout) => checkout,
        Err(error) => return Ok(Claim::Taken(error)),
    };
    if let Some(taken) = obstacle(tx, request, plan, &checkout)? {
        return Ok(Claim::Taken(taken));
    }
    let ports = match ports::choose(pool, tx)? {
        Ok(ports) => ports,
        Err(error) => return Ok(Claim::Taken(error)),
    };
    let place = place::place_of(pool, &name);
    let (worktree, lock, beginning) = match spare::find(pool, tx, &place.path, &plan.base.oid)? {
        Some(spare) => {
            let identity = spare.record.identity.clone();
            let record = new_record(pool, spare.record.id, name, checkout, plan, place.path);
            let worktree = WorktreeRecord { identity, ..record };
            tx.take_spare(&worktree)?;
            (worktree, TentativeLock::of_spare(spare.lock), Beginning::Spare(spare.record.base))
        }
        None => {
            let id = WorktreeId::new(uuid::Uuid::now_v7());
            let lock = TentativeLock::take(pool, &id)?;
            let worktree = new_record(pool, id, name, checkout, plan, place.path);
            tx.insert_worktree(&worktree)?;
            (worktree, lock, Beginning::Nothing)
        }
    };
    let terms = (plan.holder.clone(), request.key.clone());
    let lease = terms::new_lease(tx, worktree.id, terms.0, terms.1, plan.expires_at, plan.keep)?;
    tx.insert_lease(&lease)?;
    if let Purpose::Trial(landing) = plan.purpose {
        tx.mark_trial(lease.id, landing)?;
    }
    if let Some(block) = ports {
        tx.set_ports(worktree.id, block)?;
    }
    Ok(Claim::Made(Box::new(Claimed { worktree, lease, lock, beginning, notice: place.notice })))
}

/// Looks whether somebody else has the branch or used the key since `plan` was made, before anything is written.
fn obstacle(
    tx: &Tx<'_>,
    request: &AcquireRequest,
    plan: &Plan,
    checkout: &Checkout,
) -> Result<Option<AcquireError>, StateError> {
    if let Some(key) = &request.key
        && let Some(last) = tx.last_lease_with_key(key)?
        && Some(last.id) != plan.last_lease
    {
        let holder = liveness::name_holder(&last.holder);
        return Ok(Some(AcquireError::KeyHeld { key: key.clone(), holder }));
    }
    let Some(branch) = checkout.branch() else { return Ok(None) };
    let taken = tx.live_worktree_on_branch(branch)?;
    Ok(taken.map(|other| AcquireError::BranchInUse { branch: branch.clone(), path: other.path }))
}

fn name_for(tx: &Tx<'_>, request: &AcquireRequest) -> Result<Result<WorktreeName, AcquireError>, StateError> {
    match &request.name {
        None => {
            let worktrees = tx.worktrees()?;
            let taken = |name: &WorktreeName| {
                worktrees.iter().any(|record| record.state != WorktreeState::Gone && record.name == *name)
            };
            Ok(Ok(place::invent_name(&taken)))
        }
        Some(name) => Ok(match tx.worktree_named(name)? {
            Some(record) => Err(AcquireError::NameTaken { name: name.clone(), state: record.state }),
            None => Ok(name.clone()),
        }),
    }
}

fn checkout_for(
    pool: &Pool,
    request: &AcquireRequest,
    plan: &Plan,
    name: &WorktreeName,
) -> Result<Checkout, AcquireError> {
    let user = pool.environment.variable("USER").and_then(std::ffi::OsStr::to_str);
    match &plan.branch {
        Branching::Fixed(checkout) => Ok(checkout.clone()),
        Branching::Template => {
            let values = TemplateValues { name, key: request.key.as_ref(), user };
            let name = pool.settings().branch.template.render(&values)?;
            Ok(Checkout::Branch { name, origin: BranchOrigin::Created })
        }
    }
}

fn new_record(
    pool: &Pool,
    id: WorktreeId,
    name: WorktreeName,
    checkout: Checkout,
    plan: &Plan,
    path: std::path::PathBuf,
) -> WorktreeRecord {
    WorktreeRecord {
        id,
        admin: pool.repository().common_dir.join("worktrees").join(name.as_str()),
        name,
        path,
        identity: None,
        state: WorktreeState::Creating,
        base: plan.base.oid,
        target: plan.base.branch.clone(),
        checkout,
        created_at: Pool::now(),
        keep_until: None,
        doubt: None,
        boot_id: process::boot_id().unwrap_or_default(),
    }
}
