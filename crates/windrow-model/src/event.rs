//! The append-only history.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A worktree's creation began.
    WorktreeCreating,
    /// A worktree is ready in the pool.
    WorktreeIdle,
    /// A lease was given.
    LeaseAcquired,
    /// A lease's expiry moved.
    LeaseRenewed,
    /// A lease passed from a dead holder to a new one.
    LeaseTakenOver,
    /// A supervised command began.
    CommandStarted,
    /// A supervised command ended.
    CommandEnded,
    /// A lease is ending; its work is being saved.
    LeaseReleasing,
    /// A lease ended.
    LeaseReleased,
    /// A worktree was left in place for a time.
    WorktreeKept,
    /// Work was saved.
    RescueCreated,
    /// A saved work was brought back.
    RescueRestored,
    /// A saved work was dropped by its owner or by policy.
    RescueDropped,
    /// A worktree's removal began.
    WorktreeRemoving,
    /// A worktree is gone.
    WorktreeGone,
    /// A worktree was set aside because something could not be proven.
    WorktreeQuarantined,
    /// A branch was deleted by policy.
    BranchDeleted,
    /// Somebody began to wait for a worktree.
    WaitBegan,
    /// Somebody stopped waiting.
    WaitEnded,
    /// A session began.
    SessionStarted,
    /// A session was ended, or was found to be over.
    SessionEnded,
    /// Work became part of its target.
    LandingDone,
    /// A landing came to nothing: a conflict, a failed trial, something in the way, or a crash.
    LandingRefused,
    /// Something was queued to be landed.
    LandingQueued,
    /// A ticket is over: landed, in conflict, refused or cancelled.
    LandingLeftQueue,
}

impl EventKind {
    /// Every kind with its word in the store and in JSON.
    pub const WORDS: [(Self, &'static str); 25] = [
        (Self::WorktreeCreating, "worktree.creating"),
        (Self::WorktreeIdle, "worktree.idle"),
        (Self::LeaseAcquired, "lease.acquired"),
        (Self::LeaseRenewed, "lease.renewed"),
        (Self::LeaseTakenOver, "lease.taken_over"),
        (Self::CommandStarted, "command.started"),
        (Self::CommandEnded, "command.ended"),
        (Self::LeaseReleasing, "lease.releasing"),
        (Self::LeaseReleased, "lease.released"),
        (Self::WorktreeKept, "worktree.kept"),
        (Self::RescueCreated, "rescue.created"),
        (Self::RescueRestored, "rescue.restored"),
        (Self::RescueDropped, "rescue.dropped"),
        (Self::WorktreeRemoving, "worktree.removing"),
        (Self::WorktreeGone, "worktree.gone"),
        (Self::WorktreeQuarantined, "worktree.quarantined"),
        (Self::BranchDeleted, "branch.deleted"),
        (Self::WaitBegan, "wait.began"),
        (Self::WaitEnded, "wait.ended"),
        (Self::SessionStarted, "session.started"),
        (Self::SessionEnded, "session.ended"),
        (Self::LandingDone, "landing.done"),
        (Self::LandingRefused, "landing.refused"),
        (Self::LandingQueued, "landing.queued"),
        (Self::LandingLeftQueue, "landing.left_queue"),
    ];

    /// The word in the store and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(kind, _)| *kind == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = String;

    /// Reads [`EventKind::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| text.to_owned())
    }
}

/// An event about to be recorded, in the transaction of the change it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The worktree's name.
    pub worktree: Option<crate::WorktreeName>,
    /// The lease.
    pub lease: Option<crate::LeaseId>,
    /// One line for people, which may be empty.
    pub detail: String,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; later events have higher ones.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: NewEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_word() {
        for (kind, word) in EventKind::WORDS {
            assert_eq!(kind.as_str(), word);
            assert_eq!(word.parse(), Ok(kind));
        }
    }
}
