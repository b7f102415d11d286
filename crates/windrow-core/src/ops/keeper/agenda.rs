//! What a keeper has to do and to wait for, read from the records. Changes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use std::path::PathBuf;
use windrow_model::{
    BranchName, Holder, LeaseFate, LeaseRecord, Oid, ProcessIdentity, RecoveryAction, SessionBond,
    TicketNumber, TicketRecord, WorktreeId, WorktreeRecord, WorktreeState, recovery_action,
};

use crate::{
    ops::{
        error::StateError,
        liveness::{self, Standing},
        pool::Pool,
        sweep,
    },
    process::{self, Liveness, LockState},
    store::LocalStore,
};

/// Everything that does not stay as it is by itself.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Worktrees to recover now.
    pub(super) due: BTreeSet<WorktreeId>,
    /// Worktrees that somebody else is at, that are in use after their holder's end, or that cannot be judged now: to look at
    /// again.
    pub(super) unsettled: BTreeSet<WorktreeId>,
    /// The processes whose end makes something due.
    pub(super) processes: HashSet<ProcessIdentity>,
    /// When the next thing is due by time.
    pub(super) next: Option<Timestamp>,
    /// The commits of what is held ready.
    pub(super) ready: Vec<Oid>,
    /// The first ticket in the queue of each target.
    pub(super) queues: BTreeSet<(BranchName, TicketNumber)>,
    /// The trash beside the worktrees.
    pub(super) trash_dirs: BTreeSet<PathBuf>,
}

/// What becomes of one worktree.
#[derive(Debug, PartialEq, Eq)]
enum Prospect {
    Stays,
    Due,
    Unsettled,
    EndsAt(Timestamp),
    EndsWith(ProcessIdentity),
}

impl Agenda {
    /// Tells whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.is_quiet() && self.next.is_none()
    }

    /// Tells whether nobody is known to work here. Leases by time and kept worktrees may wait for days.
    pub(super) fn is_quiet(&self) -> bool {
        self.due.is_empty()
            && self.unsettled.is_empty()
            && self.processes.is_empty()
            && self.queues.is_empty()
    }

    fn add(&mut self, id: WorktreeId, prospect: Prospect) {
        match prospect {
            Prospect::Stays => {}
            Prospect::Due => drop(self.due.insert(id)),
            Prospect::Unsettled => drop(self.unsettled.insert(id)),
            Prospect::EndsAt(end) => self.next = Some(self.next.map_or(end, |next| next.min(end))),
            Prospect::EndsWith(process) => drop(self.processes.insert(process)),
        }
    }
}

/// Reads the agenda as the records and the processes are now. A worktree that cannot be judged is unsettled.
pub(super) fn read(pool: &Pool, store: &LocalStore) -> Result<Agenda, StateError> {
    let (worktrees, leases) = store.snapshot(|records| Ok((records.worktrees()?, records.leases()?)))?;
    let leases: HashMap<_, _> = leases.into_iter().map(|lease| (lease.worktree, lease)).collect();
    let trash_dirs = sweep::directories(pool, &worktrees);
    let ready = worktrees.iter().filter(|record| record.state == WorktreeState::Idle);
    let ready = ready.map(|record| record.base).collect();
    let queues = queues(store.open_tickets()?);
    let mut agenda = Agenda { trash_dirs, ready, queues, ..Agenda::default() };
    for record in &worktrees {
        let prospect = prospect(pool, store, record, leases.get(&record.id)).unwrap_or(Prospect::Unsettled);
        agenda.add(record.id, prospect);
    }
    Ok(agenda)
}

/// The first ticket of each target, of all in the order in which they came.
fn queues(open: Vec<TicketRecord>) -> BTreeSet<(BranchName, TicketNumber)> {
    let mut first = HashMap::new();
    for ticket in open {
        first.entry(ticket.wanted.target).or_insert(ticket.number);
    }
    first.into_iter().collect()
}

fn prospect(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
) -> Result<Prospect, StateError> {
    match (recovery_action(record.state, record.keep_until, Pool::now()), lease) {
        (RecoveryAction::Leave, _) => Ok(match (record.state, record.keep_until) {
            (WorktreeState::Kept | WorktreeState::Idle, Some(end)) => Prospect::EndsAt(end),
            _ => Prospect::Stays,
        }),
        (RecoveryAction::Examine, Some(lease)) => of_lease(pool, store, record, lease),
        _ => unless_at_work(pool, record),
    }
}

fn of_lease(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    lease: &LeaseRecord,
) -> Result<Prospect, StateError> {
    match liveness::fate_of(pool, store, record, lease, Standing::Outside)? {
        LeaseFate::Abandoned | LeaseFate::Ended => unless_at_work(pool, record),
        LeaseFate::Deferred => Ok(Prospect::Unsettled),
        LeaseFate::Lives => match (&lease.holder, lease.expires_at) {
            (Holder::Process(process), _) => with_process(process),
            (Holder::Session(id), end) => match store.session(*id)?.map(|session| session.bond) {
                Some(SessionBond::Process(process)) => with_process(&process),
                // A command of ours still runs under the lease.
                Some(SessionBond::Until(end)) if end <= Pool::now() => Ok(Prospect::Unsettled),
                Some(SessionBond::Until(end)) => Ok(Prospect::EndsAt(end)),
                None => Ok(end.map_or(Prospect::Stays, Prospect::EndsAt)),
            },
            (_, Some(end)) => Ok(Prospect::EndsAt(end)),
            (_, None) => Ok(Prospect::Stays),
        },
    }
}

/// A dead supervisor's lock may live a moment longer, in a child that it was just starting.
fn with_process(process: &ProcessIdentity) -> Result<Prospect, StateError> {
    Ok(match liveness::process_liveness(process)? {
        Liveness::Alive => Prospect::EndsWith(process.clone()),
        Liveness::Dead => Prospect::Unsettled,
    })
}

/// What is over is ended, unless somebody is at it already.
fn unless_at_work(pool: &Pool, record: &WorktreeRecord) -> Result<Prospect, StateError> {
    Ok(match process::is_free(&pool.worktree_lock_path(&record.id))? {
        LockState::Held => Prospect::Unsettled,
        LockState::Free | LockState::Missing => Prospect::Due,
    })
}
