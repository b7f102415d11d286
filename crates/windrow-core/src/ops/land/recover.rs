//! Ending what a dead landing left: back before the target moved, forward after it.

use std::io;

use windrow_model::{BranchName, LandingEvent, LandingRecord, LandingRecovery, LandingState};

use super::{
    apply::{Room, io_error, lock_text},
    error::LandError,
    go, lay,
    place::Place,
    plan::Plan,
    refs, swap,
};
use crate::{
    fs::Swap,
    git::IndexLock,
    ops::{
        error::{StateError, chain},
        observer::Observer,
        pool::Pool,
    },
    process::Wait,
    store::LocalStore,
};

/// Ends every landing whose process is dead. One that cannot be ended now is told and left for the next time.
pub(in crate::ops) fn recover(
    pool: &Pool,
    store: &mut LocalStore,
    observer: &mut dyn Observer,
) -> Result<(), StateError> {
    for landing in store.open_landings()? {
        // Whoever lands holds this lock, from before the first record to after the last.
        let Some(_lock) = go::lock(pool, &landing.target, Wait::No)? else { continue };
        if let Some(landing) = store.landing(landing.id)?.filter(|landing| !landing.state.is_over()) {
            end(pool, store, &landing, observer);
        }
    }
    Ok(())
}

/// The same for one target, whose lock the caller holds.
pub(super) fn recover_under(
    pool: &Pool,
    store: &mut LocalStore,
    target: &BranchName,
    observer: &mut dyn Observer,
) -> Result<(), StateError> {
    for landing in store.open_landings()?.into_iter().filter(|landing| landing.target == *target) {
        end(pool, store, &landing, observer);
    }
    Ok(())
}

fn end(pool: &Pool, store: &mut LocalStore, landing: &LandingRecord, observer: &mut dyn Observer) {
    let what = format!("the landing of {} on `{}`", landing.source.short(), landing.target);
    match settle(pool, store, landing) {
        Ok(Settled::Landed) => observer.notice(&format!("finished {what}, which was interrupted")),
        Ok(Settled::LaidOut) => {
            observer.notice(&format!("finished laying out {what}, which was interrupted"))
        }
        Ok(Settled::Undone(stay)) if stay.is_empty() => {
            observer.notice(&format!("took back {what}, which was interrupted"));
        }
        Ok(Settled::Undone(stay)) => observer.notice(&format!(
            "took back {what}, which was interrupted, but for {} paths that were changed since, such as `{}`",
            stay.len(),
            stay[0]
        )),
        Err(error) => observer.notice(&format!("{what} was interrupted and is left: {}", chain(&error))),
    }
}

/// How a landing was ended.
#[derive(Debug)]
pub(super) enum Settled {
    /// The target holds it.
    Landed,
    /// It lies in its checkout, without a commit.
    LaidOut,
    /// It is taken back, but for these paths, where somebody wrote meanwhile.
    Undone(Vec<bstr::BString>),
}

/// Ends a landing as its state and the refs say. The caller holds the landing lock.
pub(super) fn settle(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
) -> Result<Settled, LandError> {
    let state = store.landing(landing.id)?.map_or(LandingState::Undone, |landing| landing.state);
    let room = Room::of(pool, landing.id);
    if let (LandingState::Applying, Some(laid_out)) = (state, lay::is_laid_out(&room)?) {
        let Some(place) = place_of(landing).filter(|_| laid_out) else { return undo(pool, store, landing) };
        lay::finish(pool, store, landing, lock_index(&place, landing, &room)?)?;
        return Ok(Settled::LaidOut);
    }
    match state.recovery() {
        LandingRecovery::Leave => Ok(Settled::Undone(Vec::new())),
        LandingRecovery::Forget | LandingRecovery::Discard => undo(pool, store, landing),
        LandingRecovery::AskTheRef if !refs::has_moved(pool, landing)? => undo(pool, store, landing),
        LandingRecovery::AskTheRef | LandingRecovery::Forward | LandingRecovery::AskTheRemote => {
            go_on(pool, store, landing)?;
            Ok(Settled::Landed)
        }
    }
}

/// Takes back whatever was done, and forgets it.
fn undo(pool: &Pool, store: &mut LocalStore, landing: &LandingRecord) -> Result<Settled, LandError> {
    let room = Room::of(pool, landing.id);
    let mut stay = Vec::new();
    if let Some(place) = place_of(landing) {
        let plan = Plan::read(&room.plan()).map_err(|source| io_error(&room.plan(), source))?;
        let began = store.landing(landing.id)?.is_some_and(|found| found.state == LandingState::Applying);
        if let Some(plan) = plan.filter(|_| began) {
            let _lock = lock_index(&place, landing, &room)?;
            let files = open(&place, &room)?;
            let format = pool.repository().object_format;
            stay = swap::take_back(&plan, &files, format).map_err(|source| io_error(&place.root, source))?;
        } else {
            release_index(&place, landing, &room)?;
        }
    }
    room.clear().map_err(|source| io_error(&room.0, source))?;
    refs::forget(pool, landing.id)?;
    store.transaction(|tx| tx.advance_landing(landing.id, &[LandingEvent::TakenBack], Pool::now(), ""))?;
    Ok(Settled::Undone(stay))
}

/// Brings the index up to what the target holds already, and cleans up.
fn go_on(pool: &Pool, store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
    let room = Room::of(pool, landing.id);
    let state = store.landing(landing.id)?.map(|landing| landing.state);
    let unpublished = matches!(state, Some(LandingState::Applying | LandingState::Moved));
    let place = place_of(landing).filter(|_| unpublished);
    let plan = Plan::read(&room.plan()).map_err(|source| io_error(&room.plan(), source))?;
    if let (Some(place), Some(plan)) = (&place, plan) {
        let lock = lock_index(place, landing, &room)?;
        let files = open(place, &room)?;
        let (index, format) = (place.admin.join("index"), pool.repository().object_format);
        swap::follow_index(&plan, &files, &lock, (&index, &room.index()), format)?;
        record_moved(store, landing)?;
    }
    record_moved(store, landing)?;
    if let Some(place) = place_of(landing) {
        release_index(&place, landing, &room)?;
    }
    clean(pool, store, landing)
}

/// Records that target and index hold it.
pub(super) fn record_moved(store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
    let state = store.landing(landing.id)?.map_or(LandingState::Done, |landing| landing.state);
    let events: &[LandingEvent] = match state {
        LandingState::Applying => {
            &[LandingEvent::RefMoved, LandingEvent::IndexPublished, LandingEvent::CleanBegan]
        }
        LandingState::Moved => &[LandingEvent::IndexPublished, LandingEvent::CleanBegan],
        LandingState::Published | LandingState::Pushing => &[LandingEvent::CleanBegan],
        _ => return Ok(()),
    };
    store.transaction(|tx| tx.advance_landing(landing.id, events, Pool::now(), "").map(drop))?;
    Ok(())
}

/// Removes what helped, and records that it is over.
pub(super) fn clean(pool: &Pool, store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
    let room = Room::of(pool, landing.id);
    room.clear().map_err(|source| io_error(&room.0, source))?;
    refs::forget(pool, landing.id)?;
    store.transaction(|tx| tx.advance_landing(landing.id, &[LandingEvent::Finished], Pool::now(), ""))?;
    Ok(())
}

/// Ends a landing that came to nothing by itself.
pub(super) fn abandon(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
    (event, why): (LandingEvent, &str),
) -> Result<(), LandError> {
    let state = store.landing(landing.id)?.map(|landing| landing.state);
    if state.is_none_or(LandingState::is_over) {
        return Ok(());
    }
    let room = Room::of(pool, landing.id);
    room.clear().map_err(|source| io_error(&room.0, source))?;
    refs::forget(pool, landing.id)?;
    store.transaction(|tx| tx.advance_landing(landing.id, &[event], Pool::now(), why))?;
    Ok(())
}

fn place_of(landing: &LandingRecord) -> Option<Place> {
    let (root, admin) = landing.place.clone()?;
    Some(Place { root, admin })
}

fn open(place: &Place, room: &Room) -> Result<Swap, LandError> {
    Swap::open(&place.root, &room.0).map_err(|source| io_error(&place.root, source))
}

/// The lock is ours still; a user who removed it by hand has it now, or nobody.
fn lock_index(place: &Place, landing: &LandingRecord, room: &Room) -> Result<IndexLock, LandError> {
    let path = place.admin.join("index.lock");
    let taken = IndexLock::take(&place.admin, &room.lock(), &lock_text(landing.id));
    let taken = taken.map_err(|source: io::Error| io_error(&path, source))?;
    taken.ok_or(LandError::IndexLocked(path))
}

/// Gives up a lock that is ours; anybody else's stays.
fn release_index(place: &Place, landing: &LandingRecord, room: &Room) -> Result<(), LandError> {
    let path = place.admin.join("index.lock");
    let held = IndexLock::holds(&place.admin, &lock_text(landing.id));
    if held.map_err(|source| io_error(&path, source))? {
        let taken = IndexLock::take(&place.admin, &room.lock(), &lock_text(landing.id));
        drop(taken.map_err(|source| io_error(&path, source))?);
    }
    Ok(())
}
