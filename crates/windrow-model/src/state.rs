//! The life of a worktree as one total transition function.

use std::{fmt, str::FromStr};

/// Where a worktree is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorktreeState {
    /// Being made; was never handed out, so a crash rolls it back.
    Creating,
    /// Ready in the pool, nobody's.
    Idle,
    /// Handed out under a live lease.
    Leased,
    /// Being given back; its work is being rescued. A crash rolls forward.
    Releasing,
    /// Given back but left in place for a time, with its branch; can be reattached.
    Kept,
    /// Its rescue is proven and it is on its way to the trash. A crash rolls forward.
    Removing,
    /// Identity or rescue could not be proven; left in place for a person.
    Quarantined,
    /// No longer there; only the record remains.
    Gone,
}

/// What happens to a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorktreeEvent {
    /// Creation ended and was verified.
    Created,
    /// It leaves the pool's ready ones: to be made somebody's, or to be brought to another commit.
    Taken,
    /// A lease was given.
    HandedOut,
    /// The holder gave it back, ended, or was proven dead.
    ReleaseBegan,
    /// It stays in place for a time.
    WasKept,
    /// It was cleaned and belongs to the pool again.
    Scrubbed,
    /// Everything in it is proven to be saved or reproducible.
    RescueProven,
    /// It was renamed into the trash and its registration is gone.
    Removed,
    /// Creation was undone.
    RolledBack,
    /// It stays where it is, as a plain git worktree that is nobody's here.
    HandedBack,
    /// Something could not be proven.
    Doubted,
}

impl WorktreeState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Creating,
        Self::Idle,
        Self::Leased,
        Self::Releasing,
        Self::Kept,
        Self::Removing,
        Self::Quarantined,
        Self::Gone,
    ];

    /// The state after `event`.
    ///
    /// # Errors
    /// The event cannot happen in this state; nothing may be changed then.
    pub fn after(self, event: WorktreeEvent) -> Result<Self, IllegalTransition> {
        use WorktreeEvent as E;
        match (self, event) {
            (Self::Creating | Self::Releasing, E::Created | E::Scrubbed) if self.fits(event) => {
                Ok(Self::Idle)
            }
            (Self::Idle, E::Taken) => Ok(Self::Creating),
            (Self::Creating | Self::Idle | Self::Kept, E::HandedOut) => Ok(Self::Leased),
            (Self::Leased | Self::Kept | Self::Idle | Self::Quarantined, E::ReleaseBegan) => {
                Ok(Self::Releasing)
            }
            (Self::Leased | Self::Releasing, E::WasKept) => Ok(Self::Kept),
            (Self::Releasing, E::RescueProven) => Ok(Self::Removing),
            (Self::Removing, E::Removed) | (Self::Creating, E::RolledBack) => Ok(Self::Gone),
            (Self::Kept | Self::Quarantined, E::HandedBack) => Ok(Self::Gone),
            (Self::Gone, E::Doubted) => Err(IllegalTransition { from: self, event }),
            (_, E::Doubted) => Ok(Self::Quarantined),
            _ => Err(IllegalTransition { from: self, event }),
        }
    }

    fn fits(self, event: WorktreeEvent) -> bool {
        matches!(
            (self, event),
            (Self::Creating, WorktreeEvent::Created) | (Self::Releasing, WorktreeEvent::Scrubbed)
        )
    }

    /// Tells whether a worktree in this state is more than the pool's own: neither held ready nor gone.
    #[must_use]
    pub fn is_somebodys(self) -> bool {
        !matches!(self, Self::Idle | Self::Gone)
    }

    /// Tells whether a worktree in this state counts against `max_worktrees`.
    #[must_use]
    pub fn counts_in_cap(self) -> bool {
        matches!(self, Self::Creating | Self::Leased | Self::Releasing | Self::Kept)
    }

    /// The word used in the store, in JSON and for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Idle => "idle",
            Self::Leased => "leased",
            Self::Releasing => "releasing",
            Self::Kept => "kept",
            Self::Removing => "removing",
            Self::Quarantined => "quarantined",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for WorktreeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for WorktreeState {
    type Err = String;

    /// Reads [`WorktreeState::as_str`]; the error is the unknown word.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a worktree that is {from} cannot see `{event:?}`")]
pub struct IllegalTransition {
    /// The state it was in.
    pub from: WorktreeState,
    /// What was to happen.
    pub event: WorktreeEvent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorktreeEvent as E;

    const EVENTS: [E; 11] = [
        E::Created,
        E::Taken,
        E::HandedOut,
        E::ReleaseBegan,
        E::WasKept,
        E::Scrubbed,
        E::RescueProven,
        E::Removed,
        E::RolledBack,
        E::HandedBack,
        E::Doubted,
    ];

    fn legal() -> Vec<(WorktreeState, E, WorktreeState)> {
        let all = WorktreeState::ALL.into_iter();
        all.flat_map(|from| EVENTS.into_iter().map(move |event| (from, event)))
            .filter_map(|(from, event)| Some((from, event, from.after(event).ok()?)))
            .collect()
    }

    /// One letter for what follows, the states downwards and the events across, as declared.
    fn table() -> [String; 8] {
        let letter = |state: WorktreeState, event| match state.after(event) {
            Ok(WorktreeState::Creating) => 'c',
            Ok(WorktreeState::Idle) => 'i',
            Ok(WorktreeState::Leased) => 'l',
            Ok(WorktreeState::Releasing) => 'r',
            Ok(WorktreeState::Kept) => 'k',
            Ok(WorktreeState::Removing) => 'm',
            Ok(WorktreeState::Quarantined) => 'q',
            Ok(WorktreeState::Gone) => 'g',
            Err(IllegalTransition { from, event: refused }) => {
                assert_eq!((from, refused), (state, event));
                '.'
            }
        };
        WorktreeState::ALL.map(|state| EVENTS.into_iter().map(|event| letter(state, event)).collect())
    }

    #[test]
    fn the_table_is_this_one() {
        let rows = [
            "i.l.....g.q", // creating
            ".clr......q", // idle
            "...rk.....q", // leased
            "....kim...q", // releasing
            "..lr.....gq", // kept
            ".......g..q", // removing
            "...r.....gq", // quarantined
            "...........", // gone
        ];
        assert_eq!(table(), rows);
    }

    #[test]
    fn what_is_made_leased_or_given_back_counts_and_what_is_ready_or_set_aside_does_not() {
        let counted: Vec<_> = WorktreeState::ALL.into_iter().filter(|state| state.counts_in_cap()).collect();
        use WorktreeState as S;
        assert_eq!(counted, [S::Creating, S::Leased, S::Releasing, S::Kept]);
    }

    #[test]
    fn nothing_is_removed_before_its_rescue_is_proven() {
        let into_removing: Vec<_> =
            legal().into_iter().filter(|(_, _, to)| *to == WorktreeState::Removing).collect();
        assert_eq!(into_removing, [(WorktreeState::Releasing, E::RescueProven, WorktreeState::Removing)]);
        let gone: Vec<_> = legal().into_iter().filter(|(_, _, to)| *to == WorktreeState::Gone).collect();
        assert_eq!(
            gone,
            [
                (WorktreeState::Creating, E::RolledBack, WorktreeState::Gone),
                (WorktreeState::Kept, E::HandedBack, WorktreeState::Gone),
                (WorktreeState::Removing, E::Removed, WorktreeState::Gone),
                (WorktreeState::Quarantined, E::HandedBack, WorktreeState::Gone),
            ]
        );
    }

    #[test]
    fn a_leased_worktree_is_never_handed_out_and_gone_is_final() {
        assert!(WorktreeState::Leased.after(E::HandedOut).is_err());
        assert!(EVENTS.iter().all(|event| WorktreeState::Gone.after(*event).is_err()));
    }

    #[test]
    fn words_round_trip() {
        for state in WorktreeState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
    }
}
