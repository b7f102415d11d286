//! The life of a landing as one total transition function, and what a crash in each state asks for.

use std::{fmt, path::PathBuf, str::FromStr};

use jiff::Timestamp;

use crate::{BranchName, LandingId, LeaseKey, Oid, WorktreeName};

/// How commits become part of their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LandStrategy {
    /// A merge commit.
    #[default]
    Merge,
    /// One commit on the target.
    Squash,
    /// The same commits again, on the target.
    Rebase,
    /// The very same commits: only where the target has no others.
    FastForward,
}

impl LandStrategy {
    /// Every strategy with its word.
    pub const WORDS: [(Self, &'static str); 4] = [
        (Self::Merge, "merge"),
        (Self::Squash, "squash"),
        (Self::Rebase, "rebase"),
        (Self::FastForward, "ff"),
    ];

    /// The word in the store, in the configuration and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(strategy, _)| *strategy == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for LandStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LandStrategy {
    type Err = String;

    /// Reads [`LandStrategy::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(strategy, _)| *strategy).ok_or_else(|| text.to_owned())
    }
}

/// Where a landing is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LandingState {
    /// The commit to be landed is there, kept by a ref of its own.
    Candidate,
    /// It is being tried in a worktree of its own.
    Verifying,
    /// It is about to take the index of the checkout, or has it; nothing of anybody's changed.
    Locked,
    /// The new files lie beside the checkout, complete.
    Staged,
    /// Files are being swapped, or the target is being moved.
    Applying,
    /// The target holds the commit.
    Moved,
    /// The checkout's index says so too.
    Published,
    /// It is on its way to the remote.
    Pushing,
    /// Only what helped is left.
    Cleaning,
    /// It is over.
    Done,
    /// Both sides changed the same; may be tried again as another landing.
    Conflicted,
    /// It did not stand its trial.
    Failed,
    /// Something of the user's was in the way, or the target moved too often.
    Blocked,
    /// It ended before anything changed, or everything was taken back.
    Undone,
}

/// What happens to a landing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LandingEvent {
    /// Its trial begins.
    VerifyBegan,
    /// Another commit takes the candidate's place, because the target moved.
    Remade,
    /// It begins to take the index of the checkout.
    Locked,
    /// Everything that will be swapped is in place.
    Staged,
    /// Swapping, or the change of the target, begins.
    ApplyBegan,
    /// The target holds it.
    RefMoved,
    /// The index is in place.
    IndexPublished,
    /// The push begins.
    PushBegan,
    /// Only cleaning up is left.
    CleanBegan,
    /// It is over.
    Finished,
    /// Merging found a conflict.
    Conflicted,
    /// The trial failed.
    VerifyFailed,
    /// Something was in the way, and nothing of anybody's is changed.
    Blocked,
    /// Everything was taken back.
    TakenBack,
}

/// What is to be done about a landing whose process is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandingRecovery {
    /// Nothing: it is over.
    Leave,
    /// Forget it, with the ref that kept its commit: it can be done again.
    Forget,
    /// Remove our own lock and what was staged, then forget it.
    Discard,
    /// If the target holds its commit, go on; else swap everything back and forget it.
    AskTheRef,
    /// Go on to the end.
    Forward,
    /// Ask the remote what it has, then go on.
    AskTheRemote,
}

impl LandingState {
    /// Every state with its word in the store.
    pub const WORDS: [(Self, &'static str); 14] = [
        (Self::Candidate, "candidate"),
        (Self::Verifying, "verifying"),
        (Self::Locked, "locked"),
        (Self::Staged, "staged"),
        (Self::Applying, "applying"),
        (Self::Moved, "moved"),
        (Self::Published, "published"),
        (Self::Pushing, "pushing"),
        (Self::Cleaning, "cleaning"),
        (Self::Done, "done"),
        (Self::Conflicted, "conflicted"),
        (Self::Failed, "failed"),
        (Self::Blocked, "blocked"),
        (Self::Undone, "undone"),
    ];

    /// The state after `event`.
    ///
    /// # Errors
    /// The event cannot happen in this state; nothing may be changed then.
    pub fn after(self, event: LandingEvent) -> Result<Self, IllegalLanding> {
        use LandingEvent as E;
        let next = match (self, event) {
            (Self::Candidate | Self::Verifying, E::Remade) => Self::Candidate,
            // The index stays ours, so that the target cannot move again.
            (Self::Locked, E::Remade) => Self::Locked,
            (Self::Candidate, E::VerifyBegan) => Self::Verifying,
            (Self::Candidate | Self::Verifying, E::Locked) => Self::Locked,
            (Self::Candidate, E::Conflicted) => Self::Conflicted,
            (Self::Verifying, E::VerifyFailed) => Self::Failed,
            (Self::Locked, E::Staged) => Self::Staged,
            // A target that is checked out nowhere has no files to stage.
            (Self::Candidate | Self::Verifying | Self::Staged, E::ApplyBegan) => Self::Applying,
            (Self::Applying, E::RefMoved) => Self::Moved,
            (Self::Moved, E::IndexPublished) => Self::Published,
            (Self::Moved | Self::Published, E::PushBegan) => Self::Pushing,
            (Self::Moved | Self::Published | Self::Pushing, E::CleanBegan) => Self::Cleaning,
            (Self::Moved | Self::Published | Self::Pushing | Self::Cleaning, E::Finished) => Self::Done,
            (state, E::Blocked) if state.is_before_the_move() => Self::Blocked,
            (state, E::TakenBack) if state.is_before_the_move() => Self::Undone,
            _ => return Err(IllegalLanding { from: self, event }),
        };
        Ok(next)
    }

    /// What a crash in this state asks for.
    #[must_use]
    pub fn recovery(self) -> LandingRecovery {
        match self {
            Self::Candidate | Self::Verifying => LandingRecovery::Forget,
            Self::Locked | Self::Staged => LandingRecovery::Discard,
            Self::Applying => LandingRecovery::AskTheRef,
            Self::Moved | Self::Published | Self::Cleaning => LandingRecovery::Forward,
            Self::Pushing => LandingRecovery::AskTheRemote,
            Self::Done | Self::Conflicted | Self::Failed | Self::Blocked | Self::Undone => {
                LandingRecovery::Leave
            }
        }
    }

    /// Whether it is over, for good or ill.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.recovery() == LandingRecovery::Leave
    }

    fn is_before_the_move(self) -> bool {
        matches!(self, Self::Candidate | Self::Verifying | Self::Locked | Self::Staged | Self::Applying)
    }

    /// The word in the store and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(state, _)| *state == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for LandingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LandingState {
    type Err = String;

    /// Reads [`LandingState::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(state, _)| *state).ok_or_else(|| text.to_owned())
    }
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a landing that is {from} cannot take {event:?}")]
pub struct IllegalLanding {
    /// The state.
    pub from: LandingState,
    /// The event.
    pub event: LandingEvent,
}

/// A landing on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingRecord {
    /// Its id, for ever.
    pub id: LandingId,
    /// The caller's own name for it: one key lands once.
    pub key: Option<LeaseKey>,
    /// Where it is in its life.
    pub state: LandingState,
    /// How the commits become part of the target.
    pub strategy: LandStrategy,
    /// The branch landed on.
    pub target: BranchName,
    /// The commit that was to be landed.
    pub source: Oid,
    /// The branch it was on.
    pub branch: Option<BranchName>,
    /// The worktree it came from.
    pub worktree: Option<WorktreeName>,
    /// Where the target was.
    pub before: Oid,
    /// Where the target goes.
    pub candidate: Oid,
    /// The root and the administrative directory of the checkout that changes with the target.
    pub place: Option<(PathBuf, PathBuf)>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// One line for people, which may be empty.
    pub detail: String,
}

#[cfg(test)]
mod tests;
