//! Changes to the queue of landings.

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{
    EventKind, NewEvent, NewTicket, Oid, TicketEnd, TicketEvent, TicketNumber, TicketRecord, TicketState,
};

use super::Tx;
use crate::store::{StoreError, rows};

impl Tx<'_> {
    /// Puts something at the end of the queue of its target, or finds the ticket that waits under the same key.
    ///
    /// # Errors
    /// The database failed.
    pub fn insert_ticket(&mut self, new: &NewTicket, now: Timestamp) -> Result<TicketRecord, StoreError> {
        if let Some(key) = &new.key
            && let Some(waiting) = self.open_ticket_with_key(key)?
        {
            return Ok(waiting);
        }
        let sql =
            "INSERT INTO tickets (state, target, source, branch, worktree, strategy, message, key, verify,
                verify_timeout, attempts, queued_at, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, '') RETURNING *";
        let values = params![
            TicketState::Queued.as_str(),
            new.target.as_str(),
            new.source.as_bytes(),
            new.branch.as_ref().map(|branch| branch.as_str()),
            new.worktree.as_ref().map(|name| name.as_str()),
            new.strategy.as_str(),
            new.message,
            new.key.as_ref().map(|key| key.as_str()),
            new.verify,
            rows::duration_column(new.verify_timeout),
            now.as_microsecond(),
        ];
        let ticket = self.database().one("queue a landing", sql, values, rows::ticket)?;
        let ticket = ticket.expect("an insert returns the row it made");
        self.tell_ticket(EventKind::LandingQueued, &ticket, "", now)?;
        Ok(ticket)
    }

    /// Takes a ticket through an event; the record afterwards.
    ///
    /// # Errors
    /// [`StoreError::NoSuchTicket`]; [`StoreError::IllegalTicket`] when somebody else was faster; the database failed.
    pub fn advance_ticket(
        &mut self,
        number: TicketNumber,
        event: TicketEvent,
        end: &TicketEnd,
        now: Timestamp,
    ) -> Result<TicketRecord, StoreError> {
        let ticket = self.ticket(number)?.ok_or(StoreError::NoSuchTicket(number))?;
        let state = ticket.state.after(event).map_err(StoreError::IllegalTicket)?;
        let sql = "UPDATE tickets SET state = ?2, attempts = ?3, landing = ?4, after = ?5, log = ?6, detail = ?7, ended_at = ?8
            WHERE number = ?1 RETURNING *";
        let values = params![
            rows::signed("ticket", number.0)?,
            state.as_str(),
            ticket.attempts.saturating_add(u32::from(event == TicketEvent::Began)),
            end.landing.map(|id| id.to_string()),
            end.after.as_ref().map(Oid::as_bytes),
            end.log.as_deref().map(rows::path_column),
            end.detail,
            state.is_over().then(|| now.as_microsecond()),
        ];
        let ticket = self.database().one("advance a ticket", sql, values, rows::ticket)?;
        let ticket = ticket.ok_or(StoreError::NoSuchTicket(number))?;
        if state.is_over() {
            self.tell_ticket(EventKind::LandingLeftQueue, &ticket, state.as_str(), now)?;
        }
        Ok(ticket)
    }

    fn tell_ticket(
        &mut self,
        kind: EventKind,
        ticket: &TicketRecord,
        what: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let TicketRecord { number, wanted, .. } = ticket;
        let mut detail = format!("ticket {number}: {} on {}", wanted.source.short(), wanted.target);
        if !what.is_empty() {
            detail = format!("{detail}: {what}");
        }
        self.append(&NewEvent { kind, worktree: wanted.worktree.clone(), lease: None, detail }, now).map(drop)
    }
}
