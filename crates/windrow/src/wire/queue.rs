//! The queue of landings on the wire, and the documents about it.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_model::{TicketRecord, TicketState as State};

use super::{Bytes, Time, V1};

/// Something that was queued to be landed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Ticket {
    /// Its number; a lower one of the same target comes first.
    ticket: u64,
    /// Where it is in its life.
    state: TicketState,
    /// The branch to land on.
    target: String,
    /// The commit to be landed.
    source: String,
    /// The branch it was on.
    branch: Option<String>,
    /// The worktree it came from.
    worktree: Option<String>,
    /// `merge`, `squash`, `rebase` or `ff`.
    strategy: String,
    /// The caller's own id of it.
    key: Option<String>,
    /// What is run before anything moves.
    verify: Option<String>,
    /// How often somebody began to land it.
    attempts: u32,
    /// When it was queued.
    queued_at: Time,
    /// When it was over; null before.
    ended_at: Option<Time>,
    /// The id of the landing; null when nothing moved, and before.
    landing: Option<String>,
    /// Where the target was then; null when it is not landed.
    after: Option<String>,
    /// What the verification printed.
    log: Option<Bytes>,
    /// One line for people about what became of it; may be empty.
    detail: String,
}

/// Where a ticket is in its life.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TicketState {
    /// It waits for its turn.
    Queued,
    /// Somebody lands it.
    Landing,
    /// The target holds its commit.
    Landed,
    /// Both sides changed the same.
    Conflict,
    /// What the target would be did not stand its verification.
    VerifyFailed,
    /// Something else kept it from landing.
    Refused,
    /// It was taken out before its turn came.
    Cancelled,
}

impl From<State> for TicketState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Landing => Self::Landing,
            State::Landed => Self::Landed,
            State::Conflict => Self::Conflict,
            State::VerifyFailed => Self::VerifyFailed,
            State::Refused => Self::Refused,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl From<&TicketRecord> for Ticket {
    fn from(ticket: &TicketRecord) -> Self {
        let wanted = &ticket.wanted;
        Self {
            ticket: ticket.number.0,
            state: ticket.state.into(),
            target: wanted.target.to_string(),
            source: wanted.source.to_string(),
            branch: wanted.branch.as_ref().map(ToString::to_string),
            worktree: wanted.worktree.as_ref().map(ToString::to_string),
            strategy: wanted.strategy.to_string(),
            key: wanted.key.as_ref().map(ToString::to_string),
            verify: wanted.verify.clone(),
            attempts: ticket.attempts,
            queued_at: ticket.queued_at.into(),
            ended_at: ticket.ended_at.map(Time::from),
            landing: ticket.end.landing.map(|id| id.to_string()),
            after: ticket.end.after.map(|oid| oid.to_string()),
            log: ticket.end.log.as_deref().map(Bytes::path),
            detail: ticket.end.detail.clone(),
        }
    }
}

/// A ticket (`land --queue`, `queue wait`, `queue cancel`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TicketDocument {
    v: V1,
    ticket: Ticket,
}

impl From<&TicketRecord> for TicketDocument {
    fn from(ticket: &TicketRecord) -> Self {
        Self { v: V1::HERE, ticket: Ticket::from(ticket) }
    }
}

/// What waits to be landed (`queue list`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct QueueListDocument {
    v: V1,
    /// In the order in which they came.
    tickets: Vec<Ticket>,
}

impl From<&[TicketRecord]> for QueueListDocument {
    fn from(tickets: &[TicketRecord]) -> Self {
        Self { v: V1::HERE, tickets: tickets.iter().map(Ticket::from).collect() }
    }
}
