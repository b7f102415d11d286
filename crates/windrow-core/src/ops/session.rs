//! Sessions: leases that end together, with a process however it ends, or at a time.
//!
//! A session is a record and nothing else: it has no lock, no process and no directory. What holds its leases together is that
//! each names it as its holder, so that whoever judges a lease ([`super::liveness`]) looks at the session's process.
//!
//! # Locking
//! A lease is given to a session in the transaction that finds it there; one that was ended gets none any more.
//!
//! # Crash safety
//! Ending a session is one transaction, which comes first. Whatever is left of its leases after a kill is ended by the next
//! command, or the keeper, like that of every dead holder.

use jiff::Timestamp;
use windrow_model::{
    Holder, HolderLiveness, LeaseRecord, SessionBond, SessionId, SessionRecord, WorktreeName,
};

use super::{
    error::{AcquireError, QueryError, ReleaseError, SelectError, SessionError, StateError},
    keeper, liveness,
    observer::Observer,
    outcome::{Entry, Released},
    pool::Pool,
    recover::{self, Spare},
    release,
    request::{ReleaseRequest, Selector, SessionRequest, WorkPolicy},
    terms,
};
use crate::{
    process,
    store::{LocalStore, Records, StoreError},
};

/// A session with what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDetails {
    /// The session.
    pub session: SessionRecord,
    /// Whether it lives, as far as that can be seen.
    pub liveness: HolderLiveness,
    /// What it holds, in the order of acquiring.
    pub entries: Vec<Entry>,
}

/// A session that was ended.
#[derive(Debug)]
pub struct EndedSession {
    /// The session.
    pub session: SessionRecord,
    /// What became of each of its leases, in the order of acquiring. One that could not be ended now is ended as soon as
    /// nothing stands in the way.
    pub leases: Vec<EndedLease>,
}

/// What became of a lease of an ended session.
#[derive(Debug)]
pub struct EndedLease {
    /// The worktree.
    pub name: WorktreeName,
    /// Its release, or what stood in the way.
    pub released: Result<Released, ReleaseError>,
}

/// Starts a session, without any lease.
///
/// # Errors
/// What it should end with is not there or cannot be seen; the state of the pool cannot be used.
pub fn start_session(pool: &Pool, request: SessionRequest) -> Result<SessionRecord, SessionError> {
    let bond = bond(request)?;
    let mut store = pool.store()?;
    let id = SessionId::new(uuid::Uuid::now_v7());
    let session = SessionRecord { id, bond, started_at: Pool::now(), ended_at: None };
    let started = store.transaction(|tx| tx.insert_session(&session));
    started.map_err(|error: StoreError| StateError::from(error))?;
    Ok(session)
}

/// Lists the sessions that were not ended, oldest first; empty when there are none.
///
/// # Errors
/// The records or the processes cannot be read.
pub fn sessions(pool: &Pool) -> Result<Vec<SessionDetails>, QueryError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    let read = store.snapshot(|records| {
        let sessions = records.sessions()?.into_iter();
        sessions.map(|session| Ok((entries(records, session.id)?, session))).collect::<Result<Vec<_>, _>>()
    });
    let read = read.map_err(StateError::from)?.into_iter();
    Ok(read.map(|(entries, session)| details(session, entries)).collect::<Result<_, _>>()?)
}

/// Tells about one session, also one that has ended.
///
/// # Errors
/// There is none, or the records or the processes cannot be read.
pub fn session_details(pool: &Pool, id: SessionId) -> Result<SessionDetails, SessionError> {
    let store = pool.records()?.ok_or(SessionError::Unknown(id))?;
    let read = store.snapshot(|records| Ok((records.session(id)?, entries(records, id)?)));
    let (session, entries) = read.map_err(StateError::from)?;
    Ok(details(session.ok_or(SessionError::Unknown(id))?, entries)?)
}

/// Ends a session: each of its leases is released, the work in it saved; its process is left alone.
///
/// Ending one that has ended does what is left to do.
///
/// # Errors
/// There is none, or the state of the pool cannot be used. A lease that cannot be ended now is no error: the outcome says why.
pub fn end_session(
    pool: &Pool,
    id: SessionId,
    observer: &mut dyn Observer,
) -> Result<EndedSession, SessionError> {
    let mut store = pool.store_if_any()?.ok_or(SessionError::Unknown(id))?;
    find(&store, id)?;
    recover::before(pool, &mut store, &Spare::Session(id), observer)?;
    let ended = store.transaction(|tx| tx.end_session(id, Pool::now()));
    ended.map_err(|error: StoreError| StateError::from(error))?;
    let mut leases = Vec::new();
    for lease in store.leases_of_session(id).map_err(StateError::from)? {
        leases.extend(end_lease(pool, &mut store, &lease)?);
    }
    keeper::on_demand(pool);
    Ok(EndedSession { session: find(&store, id)?, leases })
}

/// Ends a lease of a session; `None` when somebody else was quicker.
fn end_lease(
    pool: &Pool,
    store: &mut LocalStore,
    lease: &LeaseRecord,
) -> Result<Option<EndedLease>, StateError> {
    let Some(worktree) = store.worktree(lease.worktree)? else { return Ok(None) };
    let name = worktree.name.clone();
    let request = ReleaseRequest {
        selector: Selector::Lease(lease.id),
        fence: Some(lease.fence),
        keep: None,
        work: WorkPolicy::Rescue,
    };
    let found = Entry { worktree, lease: Some(lease.clone()) };
    match release::end_one(pool, store, &request, &found, None) {
        Err(ReleaseError::Select(SelectError::Unknown { .. }) | ReleaseError::Fenced { .. }) => Ok(None),
        released => Ok(Some(EndedLease { name, released })),
    }
}

/// Refuses a holder whose session is not there or over, before anything is made for it.
pub(super) fn require(store: &LocalStore, holder: &Holder) -> Result<(), AcquireError> {
    let Holder::Session(id) = holder else { return Ok(()) };
    let session = store.session(*id).map_err(StateError::from)?;
    match liveness::of_session(&session.ok_or(AcquireError::UnknownSession(*id))?)? {
        HolderLiveness::Dead => Err(AcquireError::EndedSession(*id)),
        HolderLiveness::Alive | HolderLiveness::Unobservable => Ok(()),
    }
}

/// Records the end of sessions that are over. One that cannot be judged is left to the next time.
pub(super) fn settle(store: &mut LocalStore) -> Result<(), StateError> {
    for session in store.sessions()? {
        if matches!(liveness::of_session(&session), Ok(HolderLiveness::Dead)) {
            store.transaction(|tx| tx.end_session(session.id, Pool::now()))?;
        }
    }
    Ok(())
}

fn bond(request: SessionRequest) -> Result<SessionBond, SessionError> {
    let own = std::process::id();
    let unreadable = |pid| move |source| StateError::Liveness { pid, source };
    Ok(match request {
        SessionRequest::Caller => {
            let caller = process::caller(own).map_err(unreadable(own))?;
            SessionBond::Process(caller.ok_or(SessionError::NoCaller)?)
        }
        SessionRequest::Process(pid) => {
            let process = process::identify(pid).map_err(unreadable(pid))?;
            SessionBond::Process(process.ok_or(SessionError::NoSuchProcess { pid })?)
        }
        SessionRequest::For(time) => SessionBond::Until(terms::after(time).unwrap_or(Timestamp::MAX)),
    })
}

fn find(store: &LocalStore, id: SessionId) -> Result<SessionRecord, SessionError> {
    store.session(id).map_err(StateError::from)?.ok_or(SessionError::Unknown(id))
}

fn entries(records: &Records, id: SessionId) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for lease in records.leases_of_session(id)? {
        let worktree = records.worktree(lease.worktree)?;
        entries.extend(worktree.map(|worktree| Entry { worktree, lease: Some(lease) }));
    }
    Ok(entries)
}

fn details(session: SessionRecord, entries: Vec<Entry>) -> Result<SessionDetails, StateError> {
    let liveness = liveness::of_session(&session)?;
    Ok(SessionDetails { session, liveness, entries })
}
