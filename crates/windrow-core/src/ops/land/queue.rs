//! The queue of a target: what is to be landed when its turn comes, in the order in which it came.
//!
//! # Locking
//! Whoever holds the landing lock of a target may take a ticket of it; the state of the ticket changes in one transaction.
//! A `land` without a ticket lands what was queued before it came, then its own: so it neither waits for a keeper nor passes anybody.
//!
//! # Crash safety
//! A ticket that is being landed while nobody holds the lock was let go by somebody who died: its turn comes again. That it lands once
//! all the same is the landing's own rule: the target holds the commit or not. One with which several died is refused, so that it
//! does not hold up the others for ever.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use windrow_model::{BranchName, NewTicket, TicketEnd, TicketEvent, TicketNumber, TicketRecord, TicketState};

use super::{
    LandRequest,
    error::{LandError, QueueError},
    go::{self, Order},
    outcome::{Landed, LandedFate, OnConflict},
    recover, refs,
    verify::Trial,
};
use crate::{
    git,
    ops::{
        error::{StateError, chain},
        keeper,
        observer::Observer,
        pool::Pool,
    },
    process::Wait,
    store::{LocalStore, StoreError},
};

/// With how many deaths of those who land it a ticket is refused.
const ATTEMPTS: u32 = 5;

/// How often somebody who waits looks again.
const LOOK: Duration = Duration::from_millis(100);

/// Queues work for its target and returns at once.
///
/// The commit is the one that is there now; what is committed later is not landed. The same key waits once.
///
/// # Errors
/// Nothing was queued; see [`LandError`].
pub fn enqueue(
    pool: &Pool,
    request: &LandRequest,
    observer: &mut dyn Observer,
) -> Result<TicketRecord, LandError> {
    let mut store = pool.store()?;
    let order = go::order(pool, &mut store, request, observer)?;
    if git::read_ref(&pool.git, pool.repository(), &order.target.full())?.is_none() {
        return Err(LandError::UnknownBranch(order.target));
    }
    let new = NewTicket {
        target: order.target.clone(),
        source: order.source.tip,
        branch: order.source.branch.clone(),
        worktree: order.source.worktree.clone(),
        strategy: order.strategy,
        message: order.message.clone(),
        key: order.key.clone(),
        verify: order.trial.as_ref().map(|trial| trial.command.clone()),
        verify_timeout: order.trial.as_ref().map(|trial| trial.timeout).unwrap_or_default(),
    };
    let ticket = store.transaction(|tx| tx.insert_ticket(&new, Pool::now()))?;
    // Before this returns, so that what was promised can be kept also when its branch goes.
    refs::keep_ticket(pool, ticket.number, &ticket.wanted.source)?;
    keeper::on_demand(pool);
    Ok(ticket)
}

/// Which tickets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TicketScope {
    /// Those that are not over.
    #[default]
    Open,
    /// Also those of the last days that are.
    All,
}

/// Lists the tickets in the order in which they came. Changes nothing.
///
/// # Errors
/// The records cannot be read.
pub fn tickets(pool: &Pool, scope: TicketScope) -> Result<Vec<TicketRecord>, QueueError> {
    let Some(store) = pool.records()? else { return Ok(Vec::new()) };
    Ok(match scope {
        TicketScope::Open => store.open_tickets(),
        TicketScope::All => store.tickets(),
    }
    .map_err(StateError::from)?)
}

/// Takes a ticket out of the queue before its turn comes.
///
/// # Errors
/// There is no such ticket, or it is over or being landed; see [`QueueError`].
pub fn cancel(pool: &Pool, number: TicketNumber) -> Result<TicketRecord, QueueError> {
    let mut store = pool.store_if_any()?.ok_or(QueueError::Unknown(number))?;
    let end = TicketEnd::default();
    let cancelled =
        store.transaction(|tx| tx.advance_ticket(number, TicketEvent::Cancelled, &end, Pool::now()));
    match cancelled {
        Ok(ticket) => {
            refs::forget_ticket(pool, number).map_err(LandError::from)?;
            Ok(ticket)
        }
        Err(StoreError::NoSuchTicket(_)) => Err(QueueError::Unknown(number)),
        Err(StoreError::IllegalTicket(illegal)) => {
            Err(QueueError::NotWaiting { number, state: illegal.from })
        }
        Err(error) => Err(StateError::from(error).into()),
    }
}

/// Waits until a ticket is over; `None` waits for ever.
///
/// While the pool has no keeper, whoever waits lands what stands before the ticket, and the ticket itself.
///
/// # Errors
/// There is no such ticket, it is not over in time, or whoever waits was asked to end; see [`QueueError`].
pub fn wait(
    pool: &Pool,
    number: TicketNumber,
    limit: Option<Duration>,
    observer: &mut dyn Observer,
) -> Result<TicketRecord, QueueError> {
    let mut store = pool.store_if_any()?.ok_or(QueueError::Unknown(number))?;
    let began = Instant::now();
    loop {
        let ticket = store.ticket(number).map_err(StateError::from)?.ok_or(QueueError::Unknown(number))?;
        if ticket.state.is_over() {
            return Ok(ticket);
        }
        let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(QueueError::TimedOut { number, state: ticket.state });
        }
        let drives = keeper::incumbent_of(&pool.keeper_lock()).is_none();
        if !drives || !serve_one(pool, &mut store, &ticket.wanted.target, Some(number), observer)? {
            thread::sleep(left.unwrap_or(LOOK).min(LOOK));
        }
    }
}

/// Lands the ticket whose turn it is, if nobody lands on the target; tells whether there was one.
fn serve_one(
    pool: &Pool,
    store: &mut LocalStore,
    target: &BranchName,
    last: Option<TicketNumber>,
    observer: &mut dyn Observer,
) -> Result<bool, LandError> {
    let Some(_lock) = go::lock(pool, target, Wait::No)? else { return Ok(false) };
    recover::recover_under(pool, store, target, observer)?;
    serve(pool, store, target, last, observer)
}

/// Lands whatever is queued for a target, one after the other, and lets others land in between.
pub(super) fn serve_all(
    pool: &Pool,
    store: &mut LocalStore,
    target: &BranchName,
    observer: &mut dyn Observer,
) -> Result<(), LandError> {
    loop {
        let lock = go::lock(pool, target, Wait::Forever)?;
        recover::recover_under(pool, store, target, observer)?;
        clear_refs(pool, store)?;
        let served = serve(pool, store, target, None, observer)?;
        drop(lock);
        if !served {
            return Ok(());
        }
    }
}

/// Lands those tickets of a target that came before somebody who has none. The caller holds the landing lock.
pub(super) fn serve_before(
    pool: &Pool,
    store: &mut LocalStore,
    (target, last): (&BranchName, Option<TicketNumber>),
    observer: &mut dyn Observer,
) -> Result<(), LandError> {
    if last.is_none() {
        return Ok(());
    }
    observer.notice(&format!("what was queued for `{target}` before is landed first"));
    while serve(pool, store, target, last, observer)? {}
    Ok(())
}

/// The last ticket that waits for a target.
pub(super) fn last_of(store: &LocalStore, target: &BranchName) -> Result<Option<TicketNumber>, LandError> {
    Ok(store.open_tickets_of(target)?.last().map(|ticket| ticket.number))
}

/// Lands one ticket; the caller holds the landing lock. Tells whether there was one.
fn serve(
    pool: &Pool,
    store: &mut LocalStore,
    target: &BranchName,
    last: Option<TicketNumber>,
    observer: &mut dyn Observer,
) -> Result<bool, LandError> {
    settle(pool, store, target)?;
    let mut open = store.open_tickets_of(target)?.into_iter();
    let Some(first) = open.next().filter(|ticket| last.is_none_or(|last| ticket.number <= last)) else {
        return Ok(false);
    };
    let Some(ticket) = begin(store, first.number)? else { return Ok(true) };
    let landed = land(pool, store, &ticket, observer);
    end(pool, store, &ticket, landed)?;
    Ok(true)
}

/// Lets those go whose lander died, and refuses those with which several did.
fn settle(pool: &Pool, store: &mut LocalStore, target: &BranchName) -> Result<(), LandError> {
    let open = store.open_tickets_of(target)?;
    for ticket in open.into_iter().filter(|ticket| ticket.state == TicketState::Landing) {
        let_go(pool, store, &ticket, "whoever landed it died")?;
    }
    Ok(())
}

fn let_go(pool: &Pool, store: &mut LocalStore, ticket: &TicketRecord, why: &str) -> Result<(), LandError> {
    let tired = ticket.attempts >= ATTEMPTS;
    let event = if tired { TicketEvent::Refused } else { TicketEvent::LetGo };
    let detail = if tired { format!("{why}, {} times", ticket.attempts) } else { why.to_owned() };
    finish(pool, store, ticket, (event, TicketEnd { detail, ..TicketEnd::default() }))
}

/// Takes a ticket; `None` when it was cancelled meanwhile.
fn begin(store: &mut LocalStore, number: TicketNumber) -> Result<Option<TicketRecord>, LandError> {
    let end = TicketEnd::default();
    match store.transaction(|tx| tx.advance_ticket(number, TicketEvent::Began, &end, Pool::now())) {
        Err(StoreError::IllegalTicket(_)) => Ok(None),
        begun => Ok(Some(begun?)),
    }
}

fn land(
    pool: &Pool,
    store: &mut LocalStore,
    ticket: &TicketRecord,
    observer: &mut dyn Observer,
) -> Result<Landed, LandError> {
    refs::keep_ticket(pool, ticket.number, &ticket.wanted.source)?;
    let order = Order::of_ticket(store, &ticket.wanted)?;
    go::carry_out(pool, store, &order, observer)
}

/// Records what came of a ticket; an error is one that the ticket cannot help, and with which the next would fail as well.
fn end(
    pool: &Pool,
    store: &mut LocalStore,
    ticket: &TicketRecord,
    landed: Result<Landed, LandError>,
) -> Result<(), LandError> {
    let detail = landed.as_ref().err().map(|error| chain(error)).unwrap_or_default();
    let (event, end) = match landed {
        Ok(landed) => (TicketEvent::Landed, end_of(landed)),
        Err(LandError::Conflict(report)) => {
            let paths: BTreeSet<_> =
                report.conflicts.stages.iter().map(|stage| stage.path.to_string()).collect();
            let paths = paths.into_iter().collect::<Vec<_>>().join(", ");
            let detail = if paths.is_empty() { detail } else { format!("{detail}: {paths}") };
            (TicketEvent::Conflicted, TicketEnd { detail, ..TicketEnd::default() })
        }
        Err(LandError::VerifyFailed(failure)) => {
            (TicketEvent::VerifyFailed, TicketEnd { log: failure.log, detail, ..TicketEnd::default() })
        }
        Err(
            error @ (LandError::Interrupted { .. }
            | LandError::State(_)
            | LandError::Trial(_)
            | LandError::Supervise(_)),
        ) => {
            let_go(pool, store, ticket, &detail)?;
            return Err(error);
        }
        Err(_) => (TicketEvent::Refused, TicketEnd { detail, ..TicketEnd::default() }),
    };
    finish(pool, store, ticket, (event, end))
}

fn end_of(landed: Landed) -> TicketEnd {
    let said = match landed.fate {
        LandedFate::Landed | LandedFate::WouldLand | LandedFate::Staged => String::new(),
        LandedFate::AlreadyThere => "the target held it already".to_owned(),
        LandedFate::NothingToAdd => "the target has nothing to gain from it".to_owned(),
    };
    let detail = [vec![said], landed.notices].concat();
    let detail = detail.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let log = landed.verified.and_then(|verified| verified.log);
    TicketEnd { landing: landed.id, after: Some(landed.after), log, detail }
}

fn finish(
    pool: &Pool,
    store: &mut LocalStore,
    ticket: &TicketRecord,
    (event, end): (TicketEvent, TicketEnd),
) -> Result<(), LandError> {
    let ended = store.transaction(|tx| tx.advance_ticket(ticket.number, event, &end, Pool::now()))?;
    if ended.state.is_over() {
        refs::forget_ticket(pool, ticket.number)?;
    }
    Ok(())
}

/// Lets go of the commits of tickets that are over, which a kill between two steps leaves.
fn clear_refs(pool: &Pool, store: &LocalStore) -> Result<(), LandError> {
    for number in refs::kept_tickets(pool)? {
        if store.ticket(number)?.is_none_or(|ticket| ticket.state.is_over()) {
            refs::forget_ticket(pool, number)?;
        }
    }
    Ok(())
}

impl Order {
    fn of_ticket(store: &LocalStore, wanted: &NewTicket) -> Result<Self, LandError> {
        let record = wanted.branch.as_ref().map(|branch| store.last_on_branch(branch)).transpose()?.flatten();
        Ok(Self {
            source: super::source::Source {
                tip: wanted.source,
                branch: wanted.branch.clone(),
                worktree: wanted.worktree.clone(),
                target: Some(wanted.target.clone()),
                record,
            },
            target: wanted.target.clone(),
            strategy: wanted.strategy,
            message: wanted.message.clone(),
            key: wanted.key.clone(),
            on_conflict: OnConflict::Tell,
            mode: super::LandMode::Land,
            trial: wanted.verify.clone().map(|command| Trial { command, timeout: wanted.verify_timeout }),
        })
    }
}
