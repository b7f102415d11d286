//! Waiting in line for a place in a full pool: first come, first served.

use std::{
    thread,
    time::{Duration, Instant},
};

use windrow_model::{ProcessIdentity, Waiter, WorktreeRecord};

use super::{
    claim::{Claim, Claimed},
    error::{AcquireError, StateError},
    liveness,
    observer::{HeldBy, Observer},
    pool::Pool,
    recover::{self, Spare},
    request::Waiting,
};
use crate::{
    process::{self, Liveness},
    store::{LocalStore, Tx},
};

/// How often the first in line looks again.
const LOOK: Duration = Duration::from_millis(100);
/// How often the first in line looks for leases whose holder died.
const REAP: Duration = Duration::from_secs(2);

enum Turn {
    Ours(Claim),
    Full { holders: Vec<HeldBy>, ahead: usize },
    Failed(StateError),
}

/// Claims when there is a place and nobody who came earlier still waits; else waits as long as the caller wants.
pub(super) fn wait_for_place(
    pool: &Pool,
    store: &mut LocalStore,
    waiting: Waiting,
    observer: &mut dyn Observer,
    mut claim: impl FnMut(&mut Tx<'_>) -> Result<Claim, StateError>,
) -> Result<Claimed, AcquireError> {
    let me = process::identify_self()
        .map_err(|source| StateError::Liveness { pid: std::process::id(), source })?;
    let started = Instant::now();
    let mut reaped = Instant::now();
    let mut place: Option<Waiter> = None;
    loop {
        match turn(pool, store, place.as_ref(), &mut claim)? {
            Turn::Ours(Claim::Made(claimed)) => return Ok(*claimed),
            Turn::Ours(Claim::Taken(error)) => return leave(store, place, error),
            Turn::Failed(error) => return leave(store, place, error.into()),
            Turn::Full { holders, ahead } => {
                let patience = patience(waiting, started);
                let Some(left) = patience else {
                    let max = pool.settings().pool.max_worktrees.unwrap_or_default();
                    return leave(store, place, AcquireError::Exhausted { max, holders });
                };
                place = Some(stand(store, place, &me)?);
                observer.waiting(&holders, ahead);
                thread::sleep(left.min(LOOK * leisure(ahead)));
                if reaped.elapsed() >= REAP * leisure(ahead) {
                    recover::before(pool, store, &Spare::Nothing, observer)?;
                    reaped = Instant::now();
                }
            }
        }
    }
}

/// Claims although the pool may be full and others wait.
pub(super) fn past_the_line(
    store: &mut LocalStore,
    claim: &mut impl FnMut(&mut Tx<'_>) -> Result<Claim, StateError>,
) -> Result<Claimed, AcquireError> {
    let turn = store.transaction(|tx| match claim(tx) {
        Err(StateError::Store(error)) => Err(error),
        claimed => Ok(claimed),
    });
    match turn.map_err(StateError::from)?? {
        Claim::Made(claimed) => Ok(*claimed),
        Claim::Taken(error) => Err(error),
    }
}

/// How much more rarely somebody looks who has others before them: it is not their turn soon, and every look takes the store's
/// lock from those who work.
fn leisure(ahead: usize) -> u32 {
    1 + u32::try_from(ahead / 4).unwrap_or(u32::MAX).min(9)
}

fn patience(waiting: Waiting, started: Instant) -> Option<Duration> {
    match waiting {
        Waiting::Refuse => None,
        Waiting::For(limit) => limit.checked_sub(started.elapsed()).filter(|left| !left.is_zero()),
    }
}

fn stand(store: &mut LocalStore, place: Option<Waiter>, me: &ProcessIdentity) -> Result<Waiter, StateError> {
    match place {
        Some(waiter) => Ok(waiter),
        None => Ok(store.transaction(|tx| tx.enqueue_waiter(me, Pool::now()))?),
    }
}

fn leave<T>(store: &mut LocalStore, place: Option<Waiter>, error: AcquireError) -> Result<T, AcquireError> {
    if let Some(waiter) = place {
        store.transaction(|tx| tx.remove_waiter(waiter.ticket, Pool::now())).map_err(StateError::from)?;
    }
    Err(error)
}

fn turn(
    pool: &Pool,
    store: &mut LocalStore,
    place: Option<&Waiter>,
    claim: &mut impl FnMut(&mut Tx<'_>) -> Result<Claim, StateError>,
) -> Result<Turn, StateError> {
    let turn = store.transaction(|tx| match try_turn(pool, tx, place, claim) {
        Err(StateError::Store(error)) => Err(error),
        Err(error) => Ok(Turn::Failed(error)),
        Ok(turn) => Ok(turn),
    })?;
    match turn {
        Turn::Failed(error) => Err(error),
        turn => Ok(turn),
    }
}

fn try_turn(
    pool: &Pool,
    tx: &mut Tx<'_>,
    place: Option<&Waiter>,
    claim: &mut impl FnMut(&mut Tx<'_>) -> Result<Claim, StateError>,
) -> Result<Turn, StateError> {
    let ahead = waiters_ahead(tx, place)?;
    let held = holders(tx)?;
    let max = pool.settings().pool.max_worktrees.map_or(usize::MAX, |max| max as usize);
    if held.len().saturating_add(ahead) >= max {
        return Ok(Turn::Full { holders: held, ahead });
    }
    if let Some(waiter) = place {
        tx.remove_waiter(waiter.ticket, Pool::now())?;
    }
    Ok(Turn::Ours(claim(tx)?))
}

/// Counts those who came earlier and still live; the dead lose their place.
fn waiters_ahead(tx: &mut Tx<'_>, place: Option<&Waiter>) -> Result<usize, StateError> {
    let mut ahead = 0;
    for waiter in tx.waiters()? {
        if place.is_some_and(|own| own.ticket <= waiter.ticket) {
            break;
        }
        match liveness::process_liveness(&waiter.process)? {
            Liveness::Alive => ahead += 1,
            Liveness::Dead => tx.remove_waiter(waiter.ticket, Pool::now())?,
        }
    }
    Ok(ahead)
}

/// Who holds the worktrees that count; those in which a landing is verified do not.
fn holders(tx: &Tx<'_>) -> Result<Vec<HeldBy>, StateError> {
    let (leases, trials) = (tx.leases()?, tx.live_trials()?);
    let is_trial = |record: &WorktreeRecord| {
        leases.iter().any(|lease| lease.worktree == record.id && trials.contains(&lease.id))
    };
    let counted = tx.worktrees()?.into_iter();
    let counted = counted.filter(|record| record.state.counts_in_cap() && !is_trial(record));
    let held = counted.map(|record| {
        let lease = leases.iter().find(|lease| lease.worktree == record.id);
        let holder =
            lease.map_or_else(|| record.state.to_string(), |lease| liveness::name_holder(&lease.holder));
        HeldBy {
            worktree: record.name,
            holder,
            since: lease.map_or(record.created_at, |lease| lease.acquired_at),
        }
    });
    Ok(held.collect())
}
