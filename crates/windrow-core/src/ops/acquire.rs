//! Handing out worktrees.
//!
//! # Locking
//! Who gets what is decided in one transaction of the store ([`super::claim`]); the worktree's lock is taken before its record becomes
//! visible, so that nobody's recovery can mistake a creation under way for a crashed one.
//!
//! # Crash safety
//! See [`super::create`]. A lease exists from the claim on, so that a key or a branch is never promised twice.

use windrow_model::{
    CarriedFile, Fingerprint, LandingId, LeaseId, LeaseRecord, WorktreeEvent, WorktreeRecord, WorktreeState,
};

use super::{
    caches,
    claim::{self, Claimed},
    create::{self, Beginning, Built, Wanted},
    error::{AcquireError, CreateError, StateError},
    guard, keeper,
    lease::Lease,
    line,
    observer::Observer,
    outcome::{EnvironmentChange, Leased, Provenance},
    plan::{self, Branching, Plan, Purpose},
    pool::{Pool, WorktreeLock},
    recover::{self, Spare},
    request::AcquireRequest,
    resume::{self, Held, Resumed},
    session, sweep, undo, variables, version, warm,
};
use crate::{
    fs,
    store::{LocalStore, StoreError, Tx},
};

/// Gives the caller a worktree of its own.
///
/// With a key or a name that is known, the same worktree is given back where the rules of keys say so.
///
/// # Errors
/// See [`AcquireError`]; whatever was begun is undone.
pub fn acquire<'p>(
    pool: &'p Pool,
    request: &AcquireRequest,
    observer: &mut dyn Observer,
) -> Result<Lease<'p>, AcquireError> {
    acquire_finished(pool, request, observer, &mut |_| Ok(None))
}

/// What is still done to a new worktree before it is anybody's; the files it gives count as carried. What fails in here or is
/// cut short undoes the worktree.
pub(super) type Finish<'f> =
    &'f mut dyn FnMut(&WorktreeRecord) -> Result<Option<Vec<CarriedFile>>, CreateError>;

/// The same, with something to do to a new worktree.
pub(super) fn acquire_finished<'p>(
    pool: &'p Pool,
    request: &AcquireRequest,
    observer: &mut dyn Observer,
    finish: Finish<'_>,
) -> Result<Lease<'p>, AcquireError> {
    let lease = give(pool, request, Purpose::Work, observer, finish)?;
    keeper::on_demand(pool);
    Ok(lease)
}

/// The same to verify a landing: also in a full pool, because those who hold the worktrees may wait for it.
pub(super) fn acquire_for_trial<'p>(
    pool: &'p Pool,
    request: &AcquireRequest,
    landing: LandingId,
    observer: &mut dyn Observer,
) -> Result<Lease<'p>, AcquireError> {
    let lease = give(pool, request, Purpose::Trial(landing), observer, &mut |_| Ok(None))?;
    keeper::on_demand(pool);
    Ok(lease)
}

fn give<'p>(
    pool: &'p Pool,
    request: &AcquireRequest,
    purpose: Purpose,
    observer: &mut dyn Observer,
    finish: Finish<'_>,
) -> Result<Lease<'p>, AcquireError> {
    let holder = plan::resolve_holder(request)?;
    plan::refuse_before_first_use(pool, request)?;
    let mut store = pool.store()?;
    version::require(pool, &mut store)?;
    session::require(&store, &holder)?;
    let mut planned = 0;
    loop {
        recover::before(pool, &mut store, &Spare::of(request), observer)?;
        let seen = last_lease(&store, request)?;
        let continued = match resume::try_resume(pool, &mut store, request, &holder)? {
            Some(Resumed::Lease(resumed)) => return Ok(hand_back(pool, &store, *resumed)?),
            Some(Resumed::Branch(continued)) => Some(continued),
            None => None,
        };
        planned += 1;
        let made = Plan::resolve(pool, request, holder.clone(), continued, seen)
            .map(|plan| Plan { purpose, ..plan })
            .and_then(|plan| make_new(pool, &mut store, request, plan, observer, finish));
        match made {
            Err(error) if planned < PLANS && is_overtaken(&store, request, seen, &error)? => {}
            made => return made,
        }
    }
}

/// How often a plan is made anew when others were faster, before the caller is told so.
const PLANS: u32 = 8;

/// Tells whether somebody else used the same key or moved the branch while we planned and waited; what the key or the branch
/// stands for has to be looked up again then.
fn is_overtaken(
    store: &LocalStore,
    request: &AcquireRequest,
    seen: Option<LeaseId>,
    error: &AcquireError,
) -> Result<bool, StateError> {
    Ok(match error {
        AcquireError::KeyHeld { .. } => true,
        AcquireError::BranchInUse { .. } => last_lease(store, request)? != seen,
        AcquireError::Create { source, .. } => {
            matches!(&**source, CreateError::Branch { source, .. } if source.moved())
        }
        _ => false,
    })
}

/// The lease that the key was last used for.
fn last_lease(store: &LocalStore, request: &AcquireRequest) -> Result<Option<LeaseId>, StateError> {
    let last = request.key.as_ref().map(|key| store.last_lease_with_key(key)).transpose()?;
    Ok(last.flatten().map(|lease| lease.id))
}

fn hand_back<'p>(pool: &'p Pool, store: &LocalStore, resumed: Held) -> Result<Lease<'p>, StateError> {
    let Held { worktree, lease, provenance, lock } = resumed;
    let environment = variables::change(pool, store, &worktree, &lease)?;
    let notices = caches::variables(pool, &worktree).notices;
    let (carried, seeds) = Default::default();
    let leased = Leased { worktree, lease, provenance, carried, seeds, environment, notices };
    Ok(Lease::new(pool, leased, lock))
}

/// How often a new name is invented when a branch of a former worktree already has the first.
const NAMES: u32 = 8;

fn make_new<'p>(
    pool: &'p Pool,
    store: &mut LocalStore,
    request: &AcquireRequest,
    plan: Plan,
    observer: &mut dyn Observer,
    finish: Finish<'_>,
) -> Result<Lease<'p>, AcquireError> {
    let mut invented = 0;
    let mut gave_way = false;
    loop {
        let mut claim = |tx: &mut Tx<'_>| claim::claim(pool, tx, request, &plan);
        let claimed = match plan.purpose {
            Purpose::Work => line::wait_for_place(pool, store, request.waiting, observer, claim)?,
            Purpose::Trial(_) => line::past_the_line(store, &mut claim)?,
        };
        let name = claimed.worktree.name.clone();
        invented += 1;
        match build(pool, store, claimed, plan.wanted, observer, finish) {
            Err(error) if request.name.is_none() && invented < NAMES && is_name_taken(&plan, &error) => {}
            Err(CreateError::Space { .. }) if !gave_way && gives_way(pool, observer) => gave_way = true,
            Err(source) => return Err(AcquireError::Create { name, source: Box::new(source) }),
            Ok(lease) => return Ok(lease),
        }
    }
}

/// Makes room by what can be made again; what goes wrong with that is no reason to fail otherwise than for want of room.
fn gives_way(pool: &Pool, observer: &mut dyn Observer) -> bool {
    warm::give_way(pool, observer)
        .inspect_err(|error| tracing::warn!(%error, "what is held ready stays although the disk is short"))
        .unwrap_or(false)
}

/// Another name may do: something of a former worktree or of somebody else's has this one.
fn is_name_taken(plan: &Plan, error: &CreateError) -> bool {
    match error {
        CreateError::Branch { source, .. } => {
            matches!(plan.branch, Branching::Template) && source.name_taken()
        }
        CreateError::Occupied { .. } => true,
        _ => false,
    }
}

fn build<'p>(
    pool: &'p Pool,
    store: &mut LocalStore,
    claimed: Claimed,
    wanted: Wanted,
    observer: &mut dyn Observer,
    finish: Finish<'_>,
) -> Result<Lease<'p>, CreateError> {
    let Claimed { worktree, lease, lock, beginning, notice } = claimed;
    let lock = lock.keep();
    let built =
        match build_and_publish(pool, store, (&worktree, &lease), &beginning, wanted, observer, finish) {
            Ok(built) => built,
            Err(error) => {
                clear_away(pool, &worktree, lock);
                return Err(error);
            }
        };
    let Built { record, taken, seeds } = built;
    warm::in_background(pool, store, &record);
    let mut notices: Vec<_> = notice.into_iter().collect();
    notices.extend(caches::variables(pool, &record).notices);
    let leased = Leased {
        worktree: record,
        lease,
        provenance: Provenance::Created,
        carried: taken.summary,
        seeds,
        environment: EnvironmentChange::default(),
        notices,
    };
    let mut lease = Lease::new(pool, leased, lock);
    // What fails from here on gives the worktree back.
    let Leased { worktree, lease: record, .. } = lease.leased();
    let environment = variables::change(pool, store, worktree, record)?;
    lease.set_environment(environment);
    Ok(lease)
}

fn build_and_publish(
    pool: &Pool,
    store: &mut LocalStore,
    (worktree, lease): (&WorktreeRecord, &LeaseRecord),
    beginning: &Beginning,
    wanted: Wanted,
    observer: &mut dyn Observer,
    finish: Finish<'_>,
) -> Result<Built, CreateError> {
    let mut built = create::build(pool, store, worktree.clone(), beginning, wanted, observer)?;
    match finish(&built.record) {
        Ok(carried) => built.taken.files = carried.unwrap_or(built.taken.files),
        Err(error) => {
            undo::roll_back(pool, store, worktree)?;
            return Err(error);
        }
    }
    let seen = guard::fingerprint(pool);
    match publish(store, &built, lease, &seen) {
        Ok(state) => built.record.state = state,
        Err(error) => {
            undo::roll_back(pool, store, worktree)?;
            return Err(StateError::from(error).into());
        }
    }
    Ok(built)
}

/// What an undone creation needs no more: its lock, and its files' room on a disk that may be full.
fn clear_away(pool: &Pool, worktree: &WorktreeRecord, lock: Option<WorktreeLock>) {
    if fs::has_trash(&Pool::trash_of(worktree)) {
        sweep::in_background(pool, worktree);
    }
    lock.into_iter().for_each(WorktreeLock::retire);
}

/// The one durable step that turns a creation into a lease.
fn publish(
    store: &mut LocalStore,
    built: &Built,
    lease: &LeaseRecord,
    seen: &Fingerprint,
) -> Result<WorktreeState, StoreError> {
    let record = &built.record;
    store.transaction(|tx| {
        tx.set_made(record)?;
        tx.set_carried(record.id, &built.taken.files)?;
        tx.set_fingerprint(lease.id, seen)?;
        tx.advance(record.id, WorktreeEvent::Created, Pool::now(), "")?;
        tx.advance(record.id, WorktreeEvent::HandedOut, Pool::now(), "")
    })
}
