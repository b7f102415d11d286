//! The terms of a lease: its number and its time.

use std::time::Duration;

use jiff::Timestamp;
use windrow_model::{Holder, LeaseId, LeaseKey, LeaseRecord, WorktreeId};

use super::{pool::Pool, request::AcquireRequest};
use crate::store::{StoreError, Tx};

/// When the lease ends by time alone: a watched holder needs no time, everybody else gets one.
pub(super) fn expiry(pool: &Pool, request: &AcquireRequest, holder: &Holder) -> Option<Timestamp> {
    let watched = matches!(holder, Holder::Process(_) | Holder::Session(_));
    let ttl = request.ttl.or((!watched).then_some(pool.settings().pool.ttl))?;
    after(ttl)
}

/// The moment `duration` from now; `None` when it lies beyond the calendar.
pub(super) fn after(duration: Duration) -> Option<Timestamp> {
    Pool::now().checked_add(jiff::SignedDuration::try_from(duration).ok()?).ok()
}

pub(super) fn new_lease(
    tx: &mut Tx<'_>,
    worktree: WorktreeId,
    holder: Holder,
    key: Option<LeaseKey>,
    expires_at: Option<Timestamp>,
    keep: Option<Duration>,
) -> Result<LeaseRecord, StoreError> {
    Ok(LeaseRecord {
        id: LeaseId::new(uuid::Uuid::now_v7()),
        worktree,
        holder,
        key,
        fence: tx.next_fence()?,
        expires_at,
        acquired_at: Pool::now(),
        ended_at: None,
        keep,
        reaper: None,
    })
}
