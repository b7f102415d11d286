//! Sessions: leases that end together.

use jiff::Timestamp;

use crate::{HolderLiveness, ProcessIdentity, SessionId};

/// What a session ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionBond {
    /// This process, however it ends.
    Process(ProcessIdentity),
    /// This moment.
    Until(Timestamp),
}

/// A session: what holds leases that end together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id, for ever.
    pub id: SessionId,
    /// What it ends with, unless it is ended before.
    pub bond: SessionBond,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was ended, or was found to be over.
    pub ended_at: Option<Timestamp>,
}

/// Decides whether a session lives at `now`; `process` tells of the process that it is bound to, if it is bound to one.
///
/// What ended stays so, also when its process goes on.
#[must_use]
pub fn session_liveness(
    session: &SessionRecord,
    process: Option<HolderLiveness>,
    now: Timestamp,
) -> HolderLiveness {
    match (&session.bond, process) {
        _ if session.ended_at.is_some() => HolderLiveness::Dead,
        (SessionBond::Until(end), _) if *end <= now => HolderLiveness::Dead,
        (SessionBond::Until(_), _) => HolderLiveness::Alive,
        (SessionBond::Process(_), known) => known.unwrap_or(HolderLiveness::Unobservable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn session(bond: SessionBond, ended_at: Option<Timestamp>) -> SessionRecord {
        SessionRecord { id: SessionId::new(uuid::Uuid::nil()), bond, started_at: Timestamp::MIN, ended_at }
    }

    #[test]
    fn a_session_lives_as_long_as_what_it_is_bound_to() {
        use HolderLiveness as L;
        let process = ProcessIdentity { pid: 7, start_ticks: 1, scope: "boot/1".to_owned() };
        let bound = SessionBond::Process(process);
        for (bond, ended_at, process, expected) in [
            (bound.clone(), None, Some(L::Alive), L::Alive),
            (bound.clone(), None, Some(L::Dead), L::Dead),
            (bound.clone(), None, None, L::Unobservable),
            (bound, Some(NOW), Some(L::Alive), L::Dead),
            (SessionBond::Until(NOW), None, None, L::Dead),
            (SessionBond::Until(Timestamp::MAX), None, None, L::Alive),
            (SessionBond::Until(Timestamp::MAX), Some(NOW), None, L::Dead),
        ] {
            let session = session(bond, ended_at);
            assert_eq!(session_liveness(&session, process, NOW), expected, "{session:?}");
        }
    }
}
