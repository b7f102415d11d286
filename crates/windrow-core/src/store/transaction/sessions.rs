//! Changes to sessions.

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{EventKind, Holder, NewEvent, SessionBond, SessionId, SessionRecord};

use super::Tx;
use crate::store::{StoreError, rows::ProcessColumns};

impl Tx<'_> {
    /// Records a new session.
    ///
    /// # Errors
    /// [`StoreError::SessionExists`]; the database failed.
    pub fn insert_session(&mut self, session: &SessionRecord) -> Result<(), StoreError> {
        if self.session(session.id)?.is_some() {
            return Err(StoreError::SessionExists(session.id));
        }
        let (process, end) = match &session.bond {
            SessionBond::Process(process) => (Some(process), None),
            SessionBond::Until(end) => (None, Some(*end)),
        };
        let process = ProcessColumns::of(process);
        let sql = "INSERT INTO sessions (id, pid, start, boot, expires_at, started_at, ended_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = params![
            session.id.to_string(),
            process.pid,
            process.start,
            process.boot,
            end.map(Timestamp::as_microsecond),
            session.started_at.as_microsecond(),
            session.ended_at.map(Timestamp::as_microsecond),
        ];
        self.database().write("record a session", sql, values)?;
        self.tell_session(EventKind::SessionStarted, session.id, session.started_at)
    }

    /// Ends a session, for ever; one that has ended stays as it is. Its leases are left to whoever releases them.
    ///
    /// # Errors
    /// [`StoreError::NoSuchSession`]; the database failed.
    pub fn end_session(&mut self, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        let session = self.session(id)?.ok_or(StoreError::NoSuchSession(id))?;
        if session.ended_at.is_some() {
            return Ok(());
        }
        let sql = "UPDATE sessions SET ended_at = ?2 WHERE id = ?1";
        self.database().write("end a session", sql, params![id.to_string(), now.as_microsecond()])?;
        self.tell_session(EventKind::SessionEnded, id, now)
    }

    /// Refuses a holder whose session is not there any more: nothing would end the lease.
    pub(super) fn require_session(&self, holder: &Holder) -> Result<(), StoreError> {
        let Holder::Session(id) = holder else { return Ok(()) };
        match self.session(*id)? {
            None => Err(StoreError::NoSuchSession(*id)),
            Some(session) if session.ended_at.is_some() => Err(StoreError::SessionEnded(*id)),
            Some(_) => Ok(()),
        }
    }

    fn tell_session(&mut self, kind: EventKind, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
        let event = NewEvent { kind, worktree: None, lease: None, detail: format!("session {id}") };
        self.append(&event, now).map(drop)
    }
}
