//! Whether a lease still has somebody behind it.

use windrow_model::{
    Holder, HolderLiveness, LeaseFate, LeaseRecord, LeaseSituation, ProcessIdentity, SessionBond,
    SessionRecord, WorktreeRecord, lease_fate, session_liveness,
};

use super::{error::StateError, overlay, pool::Pool};
use crate::{
    process::{self, Liveness, LockState, Occupant, OccupiedBy},
    store::Records,
};

/// Who asks for the lock of a supervised worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody who does not have it: if it is held, the supervisor lives.
    Outside,
    /// Somebody who has it: the supervisor is gone.
    HoldsLock,
}

/// Observes what [`windrow_model::lease_fate`] needs to know.
///
/// The processes that use the worktree are only looked for when nothing else keeps the lease alive, because that reads all of
/// `/proc`.
pub(super) fn observe(
    pool: &Pool,
    records: &Records,
    worktree: &WorktreeRecord,
    lease: &LeaseRecord,
    standing: Standing,
) -> Result<LeaseSituation, StateError> {
    let holder = holder_liveness(records, &lease.holder)?;
    let supervised = match (&lease.reaper, standing) {
        (None, _) => None,
        (Some(_), Standing::HoldsLock) => Some(false),
        (Some(_), Standing::Outside) => {
            Some(process::is_free(&pool.worktree_lock_path(&worktree.id))? == LockState::Held)
        }
    };
    let expired = lease.expires_at.is_some_and(|end| end <= Pool::now());
    let may_be_over = supervised.is_none() && (holder == HolderLiveness::Dead || expired);
    let occupied = may_be_over && !occupants(worktree)?.is_empty();
    Ok(LeaseSituation { supervised, holder, expires_at: lease.expires_at, occupied })
}

/// Looks at a lease that stands in a caller's way.
pub(super) fn fate_of(
    pool: &Pool,
    records: &Records,
    worktree: &WorktreeRecord,
    lease: &LeaseRecord,
    standing: Standing,
) -> Result<LeaseFate, StateError> {
    Ok(lease_fate(&observe(pool, records, worktree, lease, standing)?, Pool::now()))
}

/// Tells whether a holder lives. A session of which nothing is recorded proves nothing.
pub(super) fn holder_liveness(records: &Records, holder: &Holder) -> Result<HolderLiveness, StateError> {
    match holder {
        Holder::Process(process) => Ok(observed(process_liveness(process)?)),
        Holder::Session(id) => match records.session(*id)? {
            Some(session) => of_session(&session),
            None => Ok(HolderLiveness::Unobservable),
        },
        Holder::Remote(_) | Holder::Unbound => Ok(HolderLiveness::Unobservable),
    }
}

/// Tells whether a session lives.
pub(super) fn of_session(session: &SessionRecord) -> Result<HolderLiveness, StateError> {
    let process = match &session.bond {
        SessionBond::Process(process) if session.ended_at.is_none() => Some(process_liveness(process)?),
        SessionBond::Process(_) | SessionBond::Until(_) => None,
    };
    Ok(session_liveness(session, process.map(observed), Pool::now()))
}

fn observed(liveness: Liveness) -> HolderLiveness {
    match liveness {
        Liveness::Alive => HolderLiveness::Alive,
        Liveness::Dead => HolderLiveness::Dead,
    }
}

pub(super) fn process_liveness(process: &ProcessIdentity) -> Result<Liveness, StateError> {
    process::liveness(process).map_err(|source| StateError::Liveness { pid: process.pid, source })
}

/// The processes that use a worktree, apart from us and those who called us; nobody uses one whose files are gone.
pub(super) fn occupants(worktree: &WorktreeRecord) -> Result<Vec<Occupant>, StateError> {
    if matches!(worktree.path.try_exists(), Ok(false)) {
        return Ok(Vec::new());
    }
    let unreadable = |source| StateError::Liveness { pid: std::process::id(), source };
    let mut ignored = vec![std::process::id()];
    let callers = process::ancestors(std::process::id()).map_err(unreadable)?;
    ignored.extend(callers.iter().map(|caller| caller.process.pid));
    let mut found = process::occupants(&worktree.path, &ignored).map_err(unreadable)?;
    if process::is_apart() && overlay::is_overlaid(worktree) {
        // What they see at its path from elsewhere is an empty directory.
        found.retain(|one| process::shares_mounts(one.pid));
    }
    // The pool's root, or else the worktree's own, lets no other user in.
    found.retain(|one| one.how != OccupiedBy::OtherUser);
    found.retain(|one| one.how != OccupiedBy::Unreadable || !predates(one, worktree));
    Ok(found)
}

/// A process that does not let us look but ran before the worktree was made is not there for its sake.
fn predates(occupant: &Occupant, worktree: &WorktreeRecord) -> bool {
    let started = process::started_at(occupant.pid).ok().flatten();
    started.is_some_and(|started| started < worktree.created_at)
}

/// Names processes for people: `vim (4711), cargo (4712)`.
pub(super) fn name_occupants(occupants: &[Occupant]) -> String {
    let named: Vec<_> =
        occupants.iter().take(4).map(|one| format!("{} ({})", one.command, one.pid)).collect();
    let more = occupants.len().saturating_sub(4);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

/// Names a holder for people.
pub(super) fn name_holder(holder: &Holder) -> String {
    match holder {
        Holder::Process(process) => format!("process {}", process.pid),
        Holder::Session(session) => format!("session {session}"),
        Holder::Remote(name) => format!("`{name}`"),
        Holder::Unbound => "a caller without a process".to_owned(),
    }
}
