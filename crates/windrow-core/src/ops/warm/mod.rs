//! The warm pool: worktrees that are held ready, so that handing one out takes no longer than giving it a name.
//!
//! # Locking
//! One process fills at a time, by the lock `locks/warm`. A spare is only touched under its own lock, as every worktree.
//!
//! # Crash safety
//! See [`spare`]. A filling that is killed leaves at most one spare half made, which the next command undoes.

mod budget;
mod fill;
mod lost;
mod recycle;
pub(super) mod spare;

use std::path::PathBuf;

use windrow_model::{Holder, WorktreeEvent, WorktreeRecord, WorktreeState};

pub use self::fill::{
    BackgroundFilling, FillOccasion, Filled, WARM_COMMAND, WarmRequest, fill, fill_in_background,
    start_filling,
};
use super::{
    create::{self, Beginning, Wanted},
    error::{PoolError, StateError},
    observer::Observer,
    outcome::WorktreeFate,
    overlay, place,
    pool::{Pool, WorktreeLock},
    recover, sweep,
    template::{self, Template},
    terms, undo,
};
use crate::store::LocalStore;

pub(super) use self::{
    budget::{Budget, Source},
    fill::{Started, hold_off, in_background, start_following, tip},
    lost::{clear as clear_lost, has_marks},
    recycle::give_back,
};

/// What the pool holds ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The spares, oldest first.
    pub spares: Vec<SpareStatus>,
    /// How many the configuration wants.
    pub wanted: u32,
    /// Worktrees that count against the cap.
    pub in_use: u32,
    /// The cap.
    pub max: Option<u32>,
    /// The budget of unique bytes.
    pub max_bytes: Option<u64>,
    /// Whether somebody is making spares at this moment.
    pub filling: bool,
    /// The templates, newest first.
    pub templates: Vec<Template>,
}

/// One spare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpareStatus {
    /// Its record.
    pub record: WorktreeRecord,
    /// Where its files lie.
    pub path: PathBuf,
    /// Whether it can be handed out as it is; else the next filling replaces it.
    pub usable: bool,
}

/// Tells what the pool holds ready. Changes nothing.
///
/// # Errors
/// The records cannot be read.
pub fn pool_status(pool: &Pool) -> Result<PoolStatus, PoolError> {
    let settings = &pool.settings().pool;
    let records = match pool.records()? {
        Some(store) => store.worktrees().map_err(StateError::from)?,
        None => Vec::new(),
    };
    let in_use = records.iter().filter(|record| record.state.counts_in_cap()).count();
    let conditions = spare::conditions(pool);
    let is_usable = |record: &WorktreeRecord| is_usable(pool, record, conditions.as_deref());
    let mut spares: Vec<_> =
        records.into_iter().filter(|record| record.state == WorktreeState::Idle).collect();
    spares.sort_by_key(|record| record.created_at);
    let status = |record: WorktreeRecord| SpareStatus {
        path: spare::directory(&record),
        usable: is_usable(&record),
        record,
    };
    Ok(PoolStatus {
        spares: spares.into_iter().map(status).collect(),
        wanted: settings.warm,
        in_use: u32::try_from(in_use).unwrap_or(u32::MAX),
        max: settings.max_worktrees,
        max_bytes: settings.max_bytes,
        filling: fill::is_at_work(pool)?,
        templates: template::templates(pool),
    })
}

/// Tells whether a spare can be handed out as it is.
pub(super) fn can_be_handed_out(pool: &Pool, record: &WorktreeRecord) -> bool {
    is_usable(pool, record, spare::conditions(pool).as_deref())
}

/// Tells whether a spare can be handed out under these conditions.
fn is_usable(pool: &Pool, record: &WorktreeRecord, conditions: Option<&str>) -> bool {
    conditions.is_some_and(|conditions| spare::is_usable(pool, record, conditions))
}

/// Where everything lies that goes with a worktree, one that is held ready included; it need not be there.
pub(super) fn parts(pool: &Pool, record: &WorktreeRecord) -> Vec<PathBuf> {
    let own = match record.state {
        WorktreeState::Idle => [spare::directory(record), spare::index(pool, &record.id)],
        _ => [overlay::own_root(record), record.admin.clone()],
    };
    let kept = [spare::pristine(pool, &record.id), spare::conditions_file(pool, &record.id)];
    own.into_iter().chain(kept).collect()
}

/// What became of the spares of a pool that was to have fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shrunk {
    /// How many were thrown away.
    pub removed: u32,
    /// What became of those that somebody wrote into, in words.
    pub notices: Vec<String>,
    /// How many are left.
    pub left: u32,
}

/// Throws spares away until at most `count` are left, those first that cannot be handed out, then the oldest.
///
/// One that somebody wrote into ends as a worktree does: what is in it goes into a rescue.
///
/// # Errors
/// The state of the pool cannot be used, or what somebody wrote cannot be saved.
pub fn shrink(pool: &Pool, count: u32, observer: &mut dyn Observer) -> Result<Shrunk, PoolError> {
    let Some(mut store) = pool.store_if_any()? else { return Ok(Shrunk::default()) };
    recover::before(pool, &mut store, &recover::Spare::Nothing, observer)?;
    let mut spares = pool_status(pool)?.spares;
    spares.sort_by_key(|spare| (spare.usable, spare.record.created_at));
    let surplus = spares.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    let mut shrunk = Shrunk::default();
    for spare in spares.iter().take(surplus) {
        match remove(pool, &mut store, &spare.record, observer)? {
            Removal::Gone => shrunk.removed += 1,
            Removal::Ended(notice, _) => shrunk.notices.push(notice),
            Removal::Taken => {}
        }
    }
    shrunk.left = u32::try_from(pool_status(pool)?.spares.len()).unwrap_or(u32::MAX);
    Ok(shrunk)
}

/// Throws away all that can be made again, because somebody needs the room; tells whether there was anything.
///
/// # Errors
/// The state of the pool cannot be used, or what somebody wrote into a spare cannot be saved.
pub(super) fn give_way(pool: &Pool, observer: &mut dyn Observer) -> Result<bool, PoolError> {
    let shrunk = shrink(pool, 0, observer)?;
    shrunk.notices.iter().for_each(|notice| observer.notice(notice));
    let templates = template::remove_templates(pool)?;
    if shrunk.removed + templates > 0 {
        observer.notice("the disk is short: what was held ready and templates were thrown away");
    }
    Ok(shrunk.removed + templates > 0)
}

/// What became of one spare.
pub(super) enum Removal {
    /// It is in the trash.
    Gone,
    /// Somebody wrote into it, so it ended like a worktree: in words, and what became of it.
    Ended(String, WorktreeFate),
    /// It is somebody's by now.
    Taken,
}

/// Throws one spare away, if it still is one and nobody wrote into it.
pub(super) fn remove(
    pool: &Pool,
    store: &mut LocalStore,
    seen: &WorktreeRecord,
    observer: &mut dyn Observer,
) -> Result<Removal, PoolError> {
    let Some(lock) = pool.lock_worktree(&seen.id)? else { return Ok(Removal::Taken) };
    let read = store.worktree(seen.id).map_err(StateError::from)?;
    let Some(record) = read.filter(|now| now.state == WorktreeState::Idle) else {
        return Ok(Removal::Taken);
    };
    remove_locked(pool, store, record, lock, observer)
}

/// Throws one spare away whose lock is held, if nobody wrote into it.
pub(super) fn remove_locked(
    pool: &Pool,
    store: &mut LocalStore,
    record: WorktreeRecord,
    lock: WorktreeLock,
    observer: &mut dyn Observer,
) -> Result<Removal, PoolError> {
    let there = spare::directory(&record).symlink_metadata().is_ok();
    if there && let Some(why) = spare::doubt(pool, &record) {
        let (told, fate) = end(pool, store, record, &why, observer)?;
        if matches!(fate, WorktreeFate::Removed) {
            lock.retire();
        }
        return Ok(Removal::Ended(told, fate));
    }
    store
        .transaction(|tx| tx.advance(record.id, WorktreeEvent::Taken, Pool::now(), "not needed any more"))
        .map_err(StateError::from)?;
    undo::roll_back(pool, store, &record)?;
    sweep::in_background(pool, &record);
    lock.retire();
    Ok(Removal::Gone)
}

/// Makes a worktree of a spare that somebody wrote into, and ends it as every worktree: what is in it is saved.
fn end(
    pool: &Pool,
    store: &mut LocalStore,
    spare: WorktreeRecord,
    why: &str,
    observer: &mut dyn Observer,
) -> Result<(String, WorktreeFate), PoolError> {
    let path = place::place_of(pool, &spare.name).path;
    let becomes = WorktreeRecord { path, state: WorktreeState::Creating, ..spare };
    store.transaction(|tx| tx.take_spare(&becomes)).map_err(StateError::from)?;
    let beginning = Beginning::Spare(becomes.base);
    let built = create::build(pool, store, becomes, &beginning, Wanted::TreeOnly, observer)?;
    let mut record = built.record;
    let given = store.transaction(|tx| {
        tx.set_made(&record)?;
        let lease = terms::new_lease(tx, record.id, Holder::Unbound, None, None, None)?;
        tx.insert_lease(&lease)?;
        tx.advance(record.id, WorktreeEvent::HandedOut, Pool::now(), why)
    });
    record.state = given.map_err(StateError::from)?;
    let name = record.name.clone();
    recover::end(pool, store, record).map_err(|error| PoolError::Unsaved { name, said: error.to_string() })
}
