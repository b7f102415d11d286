//! The landing queue; every function here runs inside a transaction of the caller.

use rusqlite::{Row, params};
use windrow_model::{BranchName, Fence, Oid};

use super::{Outcome, SqliteCoordination};
use crate::store::{
    coordination::{
        CoordinationError, Landing, LandingOutcome, QueueEntry, TaskId, Ticket, landing_resource,
    },
    rows,
};

impl SqliteCoordination {
    pub(super) fn insert_landing(&self, target: &BranchName, landing: &Landing) -> Outcome<Ticket> {
        let sql = "INSERT INTO landings (target, head, branch, submitter, task, enqueued_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING ticket";
        let values = params![
            target.as_str(),
            landing.head.as_bytes(),
            landing.branch.as_ref().map(BranchName::as_str),
            landing.submitter,
            landing.task.as_ref().map(TaskId::as_str),
            self.micros(),
        ];
        let ticket =
            self.database.one("queue a landing", sql, values, |row| rows::unsigned(row, "ticket"))?;
        Ok(Ticket(ticket.expect("an insert returns its row")))
    }

    pub(super) fn first_of(&self, target: &BranchName) -> Outcome<Option<QueueEntry>> {
        let sql = "SELECT * FROM landings WHERE target = ?1 AND outcome IS NULL ORDER BY ticket LIMIT 1";
        Ok(self.database.one("find the next landing", sql, [target.as_str()], entry)?)
    }

    pub(super) fn find_landing(&self, ticket: Ticket) -> Outcome<Option<QueueEntry>> {
        let number = rows::signed("ticket", ticket.0)?;
        Ok(self.database.one(
            "find a landing",
            "SELECT * FROM landings WHERE ticket = ?1",
            [number],
            entry,
        )?)
    }

    pub(super) fn waiting(&self, ticket: Ticket) -> Outcome<QueueEntry> {
        let entry = self.find_landing(ticket)?.ok_or(CoordinationError::NoSuchTicket(ticket))?;
        match entry.outcome {
            Some(outcome) => Err(CoordinationError::Finished { ticket, outcome }),
            None => Ok(entry),
        }
    }

    pub(super) fn finish_head(&self, ticket: Ticket, fence: Fence, outcome: &LandingOutcome) -> Outcome<()> {
        let entry = self.waiting(ticket)?;
        let current = self.drawn(&landing_resource(&entry.target))?;
        if current != fence {
            return Err(CoordinationError::Fenced { given: fence, current });
        }
        let head = self.first_of(&entry.target)?.map_or(ticket, |head| head.ticket);
        if head != ticket {
            return Err(CoordinationError::NotHead { ticket, head });
        }
        self.write_outcome(ticket, outcome)
    }

    pub(super) fn write_outcome(&self, ticket: Ticket, outcome: &LandingOutcome) -> Outcome<()> {
        let (word, landed, reason) = match outcome {
            LandingOutcome::Landed(oid) => ("landed", Some(oid), None),
            LandingOutcome::Refused(reason) => ("refused", None, Some(reason)),
            LandingOutcome::Cancelled => ("cancelled", None, None),
        };
        let sql =
            "UPDATE landings SET outcome = ?2, landed = ?3, reason = ?4, finished_at = ?5 WHERE ticket = ?1";
        let number = rows::signed("ticket", ticket.0)?;
        let values = params![number, word, landed.map(Oid::as_bytes), reason, self.micros()];
        self.database.write("finish a landing", sql, values)?;
        Ok(())
    }
}

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<QueueEntry> {
    let landing = Landing {
        head: rows::oid(row, "head")?,
        branch: rows::parsed_option(row, "branch")?,
        submitter: row.get("submitter")?,
        task: rows::parsed_option(row, "task")?,
    };
    Ok(QueueEntry {
        ticket: Ticket(rows::unsigned(row, "ticket")?),
        target: rows::parsed(row, "target")?,
        landing,
        enqueued_at: rows::instant(row, "enqueued_at")?,
        outcome: outcome(row)?,
    })
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<Option<LandingOutcome>> {
    let word: Option<String> = row.get("outcome")?;
    let outcome = match word.as_deref() {
        None => return Ok(None),
        Some("landed") => LandingOutcome::Landed(rows::oid(row, "landed")?),
        Some("refused") => LandingOutcome::Refused(row.get("reason")?),
        Some("cancelled") => LandingOutcome::Cancelled,
        Some(other) => return Err(rows::unreadable("outcome", other)),
    };
    Ok(Some(outcome))
}
