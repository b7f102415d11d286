//! What is known of a new worktree before anything is claimed: its base, its branch, its holder and its time.

use std::time::Duration;

use jiff::Timestamp;
use windrow_model::{BranchName, BranchOrigin, Checkout, Holder, LandingId, LeaseId};

use super::{
    create::Wanted,
    error::{AcquireError, StateError},
    pool::Pool,
    request::{AcquireRequest, BranchRequest, CarryRequest, HolderRequest},
    resume::Continued,
    terms, version,
};
use crate::{
    git::{self, ResolvedBase},
    process,
};

/// Everything that is known before the claim.
pub(super) struct Plan {
    pub(super) holder: Holder,
    pub(super) base: ResolvedBase,
    pub(super) branch: Branching,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) keep: Option<Duration>,
    pub(super) wanted: Wanted,
    /// The lease that the key was last used for when this was planned.
    pub(super) last_lease: Option<LeaseId>,
    pub(super) purpose: Purpose,
}

/// What a worktree is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody works in it.
    Work,
    /// This landing is verified in it: it takes nobody's place, and nothing in it is saved.
    Trial(LandingId),
}

/// What HEAD of the worktree will be.
pub(super) enum Branching {
    /// A new branch whose name depends on the worktree's.
    Template,
    /// This.
    Fixed(Checkout),
}

impl Plan {
    pub(super) fn resolve(
        pool: &Pool,
        request: &AcquireRequest,
        holder: Holder,
        continued: Option<Continued>,
        last_lease: Option<LeaseId>,
    ) -> Result<Self, AcquireError> {
        let (base, branch) = match (continued, &request.branch) {
            (Some(former), _) => {
                let (mut base, branch) = on_existing(pool, former.branch, former.origin)?;
                base.branch = former.target;
                (base, branch)
            }
            (None, BranchRequest::Named(branch)) => on_named(pool, request, branch)?,
            (None, BranchRequest::Template) => (base_of(pool, request)?, Branching::Template),
            (None, BranchRequest::Detached) => {
                (base_of(pool, request)?, Branching::Fixed(Checkout::Detached))
            }
        };
        let expires_at = terms::expiry(pool, request, &holder);
        let keep = request.keep.or(Some(pool.settings().run.keep)).filter(|keep| !keep.is_zero());
        let wanted = match request.carry {
            CarryRequest::Configured => Wanted::Everything,
            CarryRequest::Nothing => Wanted::TreeOnly,
        };
        let purpose = Purpose::Work;
        Ok(Self { holder, base, branch, expires_at, keep, wanted, last_lease, purpose })
    }
}

fn base_of(pool: &Pool, request: &AcquireRequest) -> Result<ResolvedBase, AcquireError> {
    let repository = pool.repository();
    match &request.base {
        Some(base) => Ok(repository.resolve_commit(&pool.git, base)?),
        None => {
            let head = repository.current_head(&pool.git)?;
            let unborn = || AcquireError::Unborn { repository: pool.root().to_owned() };
            Ok(ResolvedBase { oid: head.oid.ok_or_else(unborn)?, branch: head.branch })
        }
    }
}

fn on_named(
    pool: &Pool,
    request: &AcquireRequest,
    branch: &BranchName,
) -> Result<(ResolvedBase, Branching), AcquireError> {
    match (git::read_ref(&pool.git, pool.repository(), &branch.full())?, &request.base) {
        (Some(_), Some(_)) => Err(AcquireError::BranchExists { branch: branch.clone() }),
        (Some(_), None) => on_existing(pool, branch.clone(), BranchOrigin::Existing),
        (None, _) => {
            let checkout = Checkout::Branch { name: branch.clone(), origin: BranchOrigin::Created };
            Ok((base_of(pool, request)?, Branching::Fixed(checkout)))
        }
    }
}

/// A branch that is there is not ours to make or delete, even if a former worktree of ours made it: it may hold work.
fn on_existing(
    pool: &Pool,
    branch: BranchName,
    origin: BranchOrigin,
) -> Result<(ResolvedBase, Branching), AcquireError> {
    if let Some(path) = pool.repository().branch_in_use(&pool.git, &branch)? {
        return Err(AcquireError::BranchInUse { branch, path });
    }
    let mut base = pool.repository().resolve_commit(&pool.git, &branch.full())?;
    base.branch = None;
    Ok((base, Branching::Fixed(Checkout::Branch { name: branch, origin })))
}

pub(super) fn resolve_holder(request: &AcquireRequest) -> Result<Holder, AcquireError> {
    let unreadable = |pid| move |source| AcquireError::State(StateError::Liveness { pid, source });
    match &request.holder {
        HolderRequest::Unbound => Ok(Holder::Unbound),
        HolderRequest::Session(id) => Ok(Holder::Session(*id)),
        HolderRequest::Remote(name) => Ok(Holder::Remote(name.clone())),
        HolderRequest::Caller => {
            process::identify_self().map(Holder::Process).map_err(unreadable(std::process::id()))
        }
        HolderRequest::Process(pid) => process::identify(*pid)
            .map_err(unreadable(*pid))?
            .map(Holder::Process)
            .ok_or(AcquireError::NoSuchProcess { pid: *pid }),
    }
}

/// A repository without any state of ours gets none from a request that cannot be met.
pub(super) fn refuse_before_first_use(pool: &Pool, request: &AcquireRequest) -> Result<(), AcquireError> {
    if pool.has_records()? {
        return Ok(());
    }
    if let HolderRequest::Session(id) = request.holder {
        return Err(AcquireError::UnknownSession(id));
    }
    version::check(pool)?;
    match &request.branch {
        BranchRequest::Named(branch) => on_named(pool, request, branch).map(drop),
        BranchRequest::Template | BranchRequest::Detached => base_of(pool, request).map(drop),
    }
}
