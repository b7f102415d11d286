//! Sessions on the wire, and the documents about them.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{Entry, Released, SessionDetails};
use windrow_model::{HolderLiveness, SessionBond, SessionRecord, WorktreeName};

use super::{Time, V1, WireError, outcome::Release, worktree::Lease};
use crate::errors::Problem;

/// A session: what holds leases that end together.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Session {
    /// Its id, for `WINDROW_SESSION`.
    id: String,
    /// What it ends with, unless it is ended before.
    bond: Bond,
    /// When it began.
    started_at: Time,
    /// When it was ended or was found to be over; null before.
    ended_at: Option<Time>,
}

/// What a session ends with.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Bond {
    /// A process of this host, however it ends.
    Process {
        /// Its number.
        pid: u32,
    },
    /// A moment.
    Time {
        /// When.
        expires_at: Time,
    },
}

impl From<&SessionRecord> for Session {
    fn from(session: &SessionRecord) -> Self {
        let bond = match &session.bond {
            SessionBond::Process(process) => Bond::Process { pid: process.pid },
            SessionBond::Until(end) => Bond::Time { expires_at: (*end).into() },
        };
        Self {
            id: session.id.to_string(),
            bond,
            started_at: session.started_at.into(),
            ended_at: session.ended_at.map(Time::from),
        }
    }
}

/// A session and what it holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ListedSession {
    #[serde(flatten)]
    session: Session,
    /// Whether it lives; null when that cannot be seen.
    alive: Option<bool>,
    /// Its live leases, in the order of acquiring.
    leases: Vec<Lease>,
}

impl From<&SessionDetails> for ListedSession {
    fn from(details: &SessionDetails) -> Self {
        let lease = |entry: &Entry| entry.lease.as_ref().map(|lease| Lease::new(&entry.worktree, lease));
        Self {
            session: Session::from(&details.session),
            alive: match details.liveness {
                HolderLiveness::Alive => Some(true),
                HolderLiveness::Dead => Some(false),
                HolderLiveness::Unobservable => None,
            },
            leases: details.entries.iter().filter_map(lease).collect(),
        }
    }
}

/// A session that began (`session start`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionStartDocument {
    v: V1,
    session: Session,
}

impl From<&SessionRecord> for SessionStartDocument {
    fn from(session: &SessionRecord) -> Self {
        Self { v: V1::HERE, session: Session::from(session) }
    }
}

/// The sessions that were not ended, oldest first (`session list`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionListDocument {
    v: V1,
    sessions: Vec<ListedSession>,
}

impl From<&[SessionDetails]> for SessionListDocument {
    fn from(sessions: &[SessionDetails]) -> Self {
        Self { v: V1::HERE, sessions: sessions.iter().map(ListedSession::from).collect() }
    }
}

/// A session (`session show`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionDocument {
    v: V1,
    session: ListedSession,
}

impl From<&SessionDetails> for SessionDocument {
    fn from(details: &SessionDetails) -> Self {
        Self { v: V1::HERE, session: ListedSession::from(details) }
    }
}

/// A session that was ended (`session end`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionEndDocument {
    v: V1,
    session: Session,
    /// What was given back, in the order of acquiring.
    released: Vec<Release>,
    /// What could not be given back now; it is as soon as nothing stands in the way.
    failed: Vec<FailedRelease>,
}

/// A worktree that could not be given back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailedRelease {
    /// Its name.
    worktree: String,
    /// What stood in the way.
    error: WireError,
}

impl SessionEndDocument {
    pub(crate) fn new(
        session: &SessionRecord,
        released: &[Released],
        failed: &[(WorktreeName, Problem)],
    ) -> Self {
        let failure = |(name, problem): &(WorktreeName, Problem)| FailedRelease {
            worktree: name.to_string(),
            error: problem.wire(),
        };
        Self {
            v: V1::HERE,
            session: Session::from(session),
            released: released.iter().map(Release::from).collect(),
            failed: failed.iter().map(failure).collect(),
        }
    }
}
