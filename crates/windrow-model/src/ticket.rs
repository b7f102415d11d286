//! The queue of landings: the life of a ticket as one total transition function.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use jiff::Timestamp;

use crate::{BranchName, LandStrategy, LandingId, LeaseKey, Oid, WorktreeName};

/// A place in the queue of a target; a lower one comes first, and none is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketNumber(pub u64);

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TicketNumber {
    type Err = String;

    /// Reads a decimal number; the error says what is expected.
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| "a ticket is a number, as `windrow queue list` shows it".to_owned())
    }
}

/// Where a ticket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TicketState {
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

/// What happens to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TicketEvent {
    /// Its turn has come.
    Began,
    /// The target holds its commit.
    Landed,
    /// Merging found a conflict.
    Conflicted,
    /// The verification failed.
    VerifyFailed,
    /// Something else kept it from landing.
    Refused,
    /// Whoever landed it died or had to stop: its turn comes again, before all others.
    LetGo,
    /// It is not wanted any more.
    Cancelled,
}

impl TicketState {
    /// Every state with its word in the store and in JSON.
    pub const WORDS: [(Self, &'static str); 7] = [
        (Self::Queued, "queued"),
        (Self::Landing, "landing"),
        (Self::Landed, "landed"),
        (Self::Conflict, "conflict"),
        (Self::VerifyFailed, "verify-failed"),
        (Self::Refused, "refused"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The state after `event`.
    ///
    /// # Errors
    /// The event cannot happen in this state; nothing may be changed then.
    pub fn after(self, event: TicketEvent) -> Result<Self, IllegalTicket> {
        use TicketEvent as E;
        match (self, event) {
            (Self::Queued, E::Began) => Ok(Self::Landing),
            (Self::Queued, E::Cancelled) => Ok(Self::Cancelled),
            (Self::Landing, E::Landed) => Ok(Self::Landed),
            (Self::Landing, E::Conflicted) => Ok(Self::Conflict),
            (Self::Landing, E::VerifyFailed) => Ok(Self::VerifyFailed),
            (Self::Landing, E::Refused) => Ok(Self::Refused),
            (Self::Landing, E::LetGo) => Ok(Self::Queued),
            _ => Err(IllegalTicket { from: self, event }),
        }
    }

    /// Whether it is over, for good or ill.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Landing)
    }

    /// The word in the store and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(state, _)| *state == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for TicketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TicketState {
    type Err = String;

    /// Reads [`TicketState::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(state, _)| *state).ok_or_else(|| text.to_owned())
    }
}

/// An event that cannot happen to a ticket in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ticket that is {from} cannot take {event:?}")]
pub struct IllegalTicket {
    /// The state.
    pub from: TicketState,
    /// The event.
    pub event: TicketEvent,
}

/// Something to be landed when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// The branch to land on.
    pub target: BranchName,
    /// The commit; what is committed later is not landed.
    pub source: Oid,
    /// The branch it was on.
    pub branch: Option<BranchName>,
    /// The worktree it came from.
    pub worktree: Option<WorktreeName>,
    /// How.
    pub strategy: LandStrategy,
    /// The message of a merge or a squash.
    pub message: Option<String>,
    /// The caller's own id: one key lands once.
    pub key: Option<LeaseKey>,
    /// What is run before anything moves.
    pub verify: Option<String>,
    /// How long that may take.
    pub verify_timeout: Duration,
}

/// What came of a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketEnd {
    /// The landing; `None` when nothing moved.
    pub landing: Option<LandingId>,
    /// Where the target was then.
    pub after: Option<Oid>,
    /// What the verification printed.
    pub log: Option<PathBuf>,
    /// One line for people, which may be empty.
    pub detail: String,
}

/// A ticket on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRecord {
    /// Its place.
    pub number: TicketNumber,
    /// Where it is in its life.
    pub state: TicketState,
    /// What is to be landed.
    pub wanted: NewTicket,
    /// How often somebody began to land it.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    pub end: TicketEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [TicketEvent; 7] = [
        TicketEvent::Began,
        TicketEvent::Landed,
        TicketEvent::Conflicted,
        TicketEvent::VerifyFailed,
        TicketEvent::Refused,
        TicketEvent::LetGo,
        TicketEvent::Cancelled,
    ];

    fn states() -> impl Iterator<Item = TicketState> {
        TicketState::WORDS.into_iter().map(|(state, _)| state)
    }

    #[test]
    fn every_state_has_its_own_word() {
        for (state, word) in TicketState::WORDS {
            assert_eq!((state.as_str(), word.parse()), (word, Ok(state)));
        }
        assert_eq!("7".parse(), Ok(TicketNumber(7)));
        assert!("-7".parse::<TicketNumber>().is_err() && "".parse::<TicketNumber>().is_err());
    }

    #[test]
    fn what_is_over_stays_over_and_what_is_not_ends_one_way_only() {
        for state in states() {
            let ends: Vec<_> = EVENTS.into_iter().filter(|event| state.after(*event).is_ok()).collect();
            let expected = match state {
                TicketState::Queued => vec![TicketEvent::Began, TicketEvent::Cancelled],
                TicketState::Landing => EVENTS[1..6].to_vec(),
                _ => Vec::new(),
            };
            assert_eq!(ends, expected, "{state}");
            assert_eq!(ends.is_empty(), state.is_over(), "{state}");
        }
    }

    /// A ticket that is being landed cannot be cancelled, and one that was let go waits again.
    #[test]
    fn only_what_waits_is_cancelled_or_begun() {
        for state in states() {
            let waits = state == TicketState::Queued;
            assert_eq!(state.after(TicketEvent::Cancelled).is_ok(), waits, "{state}");
            assert_eq!(state.after(TicketEvent::Began).is_ok(), waits, "{state}");
        }
        assert_eq!(TicketState::Landing.after(TicketEvent::LetGo), Ok(TicketState::Queued));
    }
}
