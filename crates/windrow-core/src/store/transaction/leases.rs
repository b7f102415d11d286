//! Changes to leases; each one by a holder carries its fence.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{EventKind, Fence, Holder, LeaseId, LeaseRecord, NewEvent, ProcessIdentity, WorktreeId};

use super::Tx;
use crate::store::{
    StoreError,
    rows::{self, HolderColumns, ProcessColumns},
};

impl Tx<'_> {
    /// Records a new lease.
    ///
    /// # Errors
    /// [`StoreError::AlreadyLeased`] when the worktree has a live lease, [`StoreError::KeyTaken`] when a live lease has the key,
    /// [`StoreError::Fenced`] when the worktree has seen this fence or a higher one, [`StoreError::NoSuchWorktree`],
    /// [`StoreError::LeaseExists`], [`StoreError::NoSuchSession`], [`StoreError::SessionEnded`]; the database failed.
    pub fn insert_lease(&mut self, lease: &LeaseRecord) -> Result<(), StoreError> {
        self.require_free(lease)?;
        self.require_session(&lease.holder)?;
        self.write_lease(lease)?;
        self.tell(EventKind::LeaseAcquired, lease.worktree, lease.id, lease.acquired_at)
    }

    /// Ends a lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::LeaseEnded`], [`StoreError::NoSuchLease`]; the database failed.
    pub fn end_lease(&mut self, id: LeaseId, fence: Fence, now: Timestamp) -> Result<(), StoreError> {
        let lease = self.held(id, fence)?;
        let sql = "UPDATE leases SET ended_at = ?2 WHERE id = ?1";
        self.database().write("end a lease", sql, params![id.to_string(), now.as_microsecond()])?;
        self.forget_fingerprint(id)?;
        self.tell(EventKind::LeaseReleased, lease.worktree, id, now)
    }

    /// Moves a lease's expiry; `None` means never by time.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::LeaseEnded`], [`StoreError::NoSuchLease`]; the database failed.
    pub fn renew_lease(
        &mut self,
        id: LeaseId,
        fence: Fence,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let lease = self.held(id, fence)?;
        let sql = "UPDATE leases SET expires_at = ?2 WHERE id = ?1";
        self.database().write(
            "renew a lease",
            sql,
            params![id.to_string(), expires_at.map(Timestamp::as_microsecond)],
        )?;
        self.tell(EventKind::LeaseRenewed, lease.worktree, id, now)
    }

    /// Moves every end by time, of live leases, sessions and kept worktrees, `by` later.
    ///
    /// # Errors
    /// The database failed.
    pub fn postpone(&mut self, by: Duration) -> Result<(), StoreError> {
        let by = rows::duration_column(by);
        let latest = Timestamp::MAX.as_microsecond();
        let leases = "UPDATE leases SET expires_at = MIN(expires_at + ?1, ?2) WHERE ended_at IS NULL";
        self.database().write("postpone expiries", leases, params![by, latest])?;
        let sessions = "UPDATE sessions SET expires_at = MIN(expires_at + ?1, ?2) WHERE ended_at IS NULL";
        self.database().write("postpone ends of sessions", sessions, params![by, latest])?;
        let kept = "UPDATE worktrees SET keep_until = MIN(keep_until + ?1, ?2) WHERE state = 'kept'";
        self.database().write("postpone ends of keeping", kept, params![by, latest]).map(drop)
    }

    /// Gives a live lease whose holder is proven dead to a new holder under a higher fence; the reaper is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when `fence` is not higher than the lease's, [`StoreError::LeaseEnded`],
    /// [`StoreError::NoSuchLease`], [`StoreError::NoSuchSession`], [`StoreError::SessionEnded`]; the database failed.
    pub fn take_over(
        &mut self,
        id: LeaseId,
        holder: &Holder,
        fence: Fence,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let lease = self.live(id)?;
        if fence <= lease.fence {
            return Err(StoreError::Fenced { given: fence, current: lease.fence });
        }
        self.require_session(holder)?;
        let columns = HolderColumns::of(holder);
        let sql = "UPDATE leases SET holder = ?2, holder_pid = ?3, holder_start = ?4, holder_boot = ?5, holder_name = ?6,
                fence = ?7, expires_at = ?8, reaper_pid = NULL, reaper_start = NULL, reaper_boot = NULL
            WHERE id = ?1";
        let values = params![
            id.to_string(),
            columns.kind,
            columns.process.pid,
            columns.process.start,
            columns.process.boot,
            columns.name,
            rows::signed("fence", fence.0)?,
            expires_at.map(Timestamp::as_microsecond),
        ];
        self.database().write("take over a lease", sql, values)?;
        self.tell(EventKind::LeaseTakenOver, lease.worktree, id, now)
    }

    /// Records the reaper of the command that runs under a lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::LeaseEnded`], [`StoreError::NoSuchLease`]; the database failed.
    pub fn set_reaper(
        &mut self,
        id: LeaseId,
        fence: Fence,
        reaper: Option<&ProcessIdentity>,
    ) -> Result<(), StoreError> {
        self.held(id, fence)?;
        let columns = ProcessColumns::of(reaper);
        let sql = "UPDATE leases SET reaper_pid = ?2, reaper_start = ?3, reaper_boot = ?4 WHERE id = ?1";
        let values = params![id.to_string(), columns.pid, columns.start, columns.boot];
        self.database().write("record a reaper", sql, values).map(drop)
    }

    /// Finds the live lease `id` on behalf of a holder with `fence`.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::LeaseEnded`], [`StoreError::NoSuchLease`]; the database failed.
    pub fn held(&self, id: LeaseId, fence: Fence) -> Result<LeaseRecord, StoreError> {
        let lease = self.lease(id)?.ok_or(StoreError::NoSuchLease(id))?;
        if lease.fence != fence {
            return Err(StoreError::Fenced { given: fence, current: lease.fence });
        }
        self.live(id)
    }

    fn live(&self, id: LeaseId) -> Result<LeaseRecord, StoreError> {
        let lease = self.lease(id)?.ok_or(StoreError::NoSuchLease(id))?;
        if lease.ended_at.is_some() {
            return Err(StoreError::LeaseEnded(id));
        }
        Ok(lease)
    }

    fn tell(
        &mut self,
        kind: EventKind,
        worktree: WorktreeId,
        lease: LeaseId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = self.worktree(worktree)?.map(|worktree| worktree.name);
        let event = NewEvent { kind, worktree: name, lease: Some(lease), detail: String::new() };
        self.append(&event, now).map(drop)
    }

    fn require_free(&self, lease: &LeaseRecord) -> Result<(), StoreError> {
        self.worktree(lease.worktree)?.ok_or(StoreError::NoSuchWorktree(lease.worktree))?;
        if self.lease(lease.id)?.is_some() {
            return Err(StoreError::LeaseExists(lease.id));
        }
        if let Some(other) = self.live_lease_of(lease.worktree)? {
            return Err(StoreError::AlreadyLeased { worktree: lease.worktree, lease: other.id });
        }
        if let Some(last) = self.last_lease_of(lease.worktree)?.filter(|last| last.fence >= lease.fence) {
            return Err(StoreError::Fenced { given: lease.fence, current: last.fence });
        }
        let Some(key) = &lease.key else { return Ok(()) };
        match self.live_lease_with_key(key)? {
            Some(other) => Err(StoreError::KeyTaken { key: key.clone(), lease: other.id }),
            None => Ok(()),
        }
    }

    fn write_lease(&self, lease: &LeaseRecord) -> Result<(), StoreError> {
        let holder = HolderColumns::of(&lease.holder);
        let reaper = ProcessColumns::of(lease.reaper.as_ref());
        let sql = "INSERT INTO leases (id, worktree, holder, holder_pid, holder_start, holder_boot, holder_name, key, fence,
                expires_at, acquired_at, ended_at, keep, reaper_pid, reaper_start, reaper_boot)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        let values = params![
            lease.id.to_string(),
            lease.worktree.to_string(),
            holder.kind,
            holder.process.pid,
            holder.process.start,
            holder.process.boot,
            holder.name,
            lease.key.as_ref().map(|key| key.as_str()),
            rows::signed("fence", lease.fence.0)?,
            lease.expires_at.map(Timestamp::as_microsecond),
            lease.acquired_at.as_microsecond(),
            lease.ended_at.map(Timestamp::as_microsecond),
            lease.keep.map(rows::duration_column),
            reaper.pid,
            reaper.start,
            reaper.boot,
        ];
        self.database().write("record a lease", sql, values).map(drop)
    }
}
