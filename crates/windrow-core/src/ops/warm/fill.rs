//! Making spares, and keeping them at the commit that the next worktree will want.

use std::{ffi::OsString, path::PathBuf};

use jiff::Timestamp;
use windrow_model::{Checkout, WorktreeEvent, WorktreeId, WorktreeName, WorktreeRecord, WorktreeState};

use super::{
    Removal,
    budget::{Budget, Source},
    lost,
    recycle::{self, Offer},
    remove, spare,
};
use crate::{
    fs,
    git::ResolvedBase,
    ops::{
        error::{CreateError, PoolError, StateError},
        keeper::{self, KeepRequest},
        observer::{Observer, Unobserved},
        place,
        pool::{Environment, KeeperMode, Pool},
        recover,
        request::Locate,
        sweep, template, terms, undo,
    },
    process::{self, FileLock, LockState, Wait},
    store::{LocalStore, Tx},
};

/// The name of the hidden subcommand of the helper that fills a pool.
pub const WARM_COMMAND: &str = "__warm";

/// How many spares there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmRequest {
    /// In all; those that are there count.
    pub count: u32,
}

/// Why the pool is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillOccasion {
    /// Somebody uses it, or asked.
    Use,
    /// The branch moved; what is ready goes as early as it would have gone.
    Moved,
}

/// A filling in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackgroundFilling {
    /// How many there are to be.
    pub request: WarmRequest,
    /// Why.
    pub occasion: FillOccasion,
    /// Whether a keeper is to be started afterwards.
    pub keeper: KeeperMode,
}

/// What a filling did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// How many spares were made.
    pub made: u32,
    /// How many worktrees that were given back were cleaned and are spares again.
    pub recycled: u32,
    /// How many were brought to another commit.
    pub switched: u32,
    /// How many are ready now.
    pub ready: u32,
    /// How many were not made because `pool.max_bytes` would have been exceeded.
    pub withheld: u32,
}

/// Makes spares at the commit of the main worktree until there are as many as asked for, and brings the others there.
///
/// Waits for another filling that is under way.
///
/// # Errors
/// There is no commit, only git itself can write the files, or a spare cannot be made; those made before stay.
pub fn fill(pool: &Pool, request: WarmRequest, observer: &mut dyn Observer) -> Result<Filled, PoolError> {
    fill_on(pool, request, FillOccasion::Use, observer)
}

fn fill_on(
    pool: &Pool,
    request: WarmRequest,
    occasion: FillOccasion,
    observer: &mut dyn Observer,
) -> Result<Filled, PoolError> {
    let base = tip(pool)?;
    let mut store = pool.store()?;
    recover::before(pool, &mut store, &recover::Spare::Nothing, observer)?;
    let _turn = FileLock::acquire(&lock_path(pool), Wait::Forever).map_err(StateError::from)?;
    let conditions = spare::conditions(pool).ok_or(PoolError::NeedsGit)?;
    fs::private_dir(&pool.warm_dir()).map_err(StateError::from)?;
    template::refresh_in_background(pool, &base.oid, &conditions, observer);
    let filled = Filled::default();
    let mut filling = Filling { pool, store, base, conditions, occasion, observer, filled };
    filling.refresh()?;
    filling.add_up_to(usize::try_from(request.count).unwrap_or(usize::MAX))?;
    if occasion == FillOccasion::Use {
        filling.extend()?;
    }
    let Filling { store, mut filled, .. } = filling;
    sweep::leftovers(pool, &store)?;
    keeper::on_demand(pool);
    filled.ready = u32::try_from(spares(&store)?.len()).unwrap_or(u32::MAX);
    Ok(filled)
}

/// A filling under way.
struct Filling<'a> {
    pool: &'a Pool,
    store: LocalStore,
    base: ResolvedBase,
    conditions: String,
    occasion: FillOccasion,
    observer: &'a mut dyn Observer,
    filled: Filled,
}

impl Filling<'_> {
    /// Throws away what cannot be handed out any more, and brings the others to the commit.
    fn refresh(&mut self) -> Result<(), PoolError> {
        for record in spares(&self.store)? {
            if !spare::is_usable(self.pool, &record, &self.conditions) {
                if let Removal::Ended(notice, _) = remove(self.pool, &mut self.store, &record, self.observer)?
                {
                    self.observer.notice(&notice);
                }
            } else if record.base != self.base.oid && self.follow(&record)? {
                self.filled.switched += 1;
            }
        }
        Ok(())
    }

    /// Adds spares: of what was given back as long as there is some, then new ones.
    fn add_up_to(&mut self, wanted: usize) -> Result<(), PoolError> {
        if spares(&self.store)?.len() >= wanted {
            return Ok(());
        }
        let trash = place::trash(self.pool);
        let mut offers = trash.map_or(Ok(Vec::new()), |trash| recycle::offers(self.pool, &trash))?;
        let mut budget = Budget::of(self.pool, &self.base.oid)?;
        loop {
            let missing = wanted.saturating_sub(spares(&self.store)?.len());
            let source = if offers.is_empty() { Source::Nothing } else { Source::Trash };
            if missing == 0 {
                return Ok(());
            }
            if let Some(why) = budget.objection(source)? {
                self.filled.withheld = u32::try_from(missing).unwrap_or(u32::MAX);
                self.observer.notice(&why);
                return Ok(());
            }
            let offer = offers.pop();
            match (self.make(offer.as_ref())?, offer) {
                (Made::Ready, Some(_)) => self.filled.recycled += 1,
                (Made::Ready, None) => {
                    self.filled.made += 1;
                    budget.spend();
                }
                (Made::Unusable, _) => {}
            }
        }
    }

    /// Holds those that are ready for the whole time again: the pool is in use.
    fn extend(&mut self) -> Result<(), StateError> {
        let until = until(self.pool);
        let extended = self.store.transaction(|tx| {
            let spares = tx.worktrees()?;
            let mut spares = spares.iter().filter(|record| record.state == WorktreeState::Idle);
            spares.try_for_each(|record| tx.set_keep_until(record.id, until))
        });
        Ok(extended?)
    }

    /// Makes one spare, of what was given back if that is offered.
    fn make(&mut self, offer: Option<&Offer>) -> Result<Made, PoolError> {
        let record = new_record(self.pool, &self.base)?;
        let held = || process::LockError::Held { path: self.pool.worktree_lock_path(&record.id) };
        let lock = self.pool.lock_worktree(&record.id)?.ok_or_else(held).map_err(StateError::from)?;
        if let Err(error) = self.store.transaction(|tx| tx.insert_worktree(&record)) {
            lock.retire();
            return Err(StateError::from(error).into());
        }
        let made = match offer {
            Some(offer) => recycle::make_files(self.pool, &record, offer, &self.conditions, self.observer),
            None => spare::fill(self.pool, &record, &self.conditions, self.observer).map(|()| Made::Ready),
        };
        let made = made.and_then(|made| if made == Made::Ready { self.publish(&record) } else { Ok(made) });
        if !matches!(made, Ok(Made::Ready)) {
            undo::roll_back(self.pool, &mut self.store, &record)?;
            lock.retire();
        }
        made
    }

    fn publish(&mut self, record: &WorktreeRecord) -> Result<Made, PoolError> {
        let identity = fs::directory_identity(&record.path)
            .map_err(|source| CreateError::Io { path: record.path.clone(), source })?;
        let made = WorktreeRecord { identity, ..record.clone() };
        lost::mark(self.pool, &made)?;
        let ready = self.store.transaction(|tx| {
            tx.set_made(&made)?;
            tx.advance(made.id, WorktreeEvent::Created, Pool::now(), "held ready")?;
            tx.set_keep_until(made.id, until(self.pool))
        });
        ready.map_err(StateError::from)?;
        Ok(Made::Ready)
    }

    /// Brings one spare to the commit; `false` when somebody took it meanwhile.
    fn follow(&mut self, seen: &WorktreeRecord) -> Result<bool, PoolError> {
        let Some(lock) = self.pool.lock_worktree(&seen.id)? else { return Ok(false) };
        let base = &self.base;
        let record = WorktreeRecord { base: base.oid, target: base.branch.clone(), ..seen.clone() };
        let taken = self.store.transaction(|tx| {
            if tx.worktree(seen.id)?.is_none_or(|now| now.state != WorktreeState::Idle) {
                return Ok(false);
            }
            tx.advance(seen.id, WorktreeEvent::Taken, Pool::now(), "brought up to date")?;
            tx.set_base(seen.id, &base.oid, base.branch.as_ref())?;
            Ok(true)
        });
        if !taken.map_err(StateError::from)? {
            return Ok(false);
        }
        let followed = match spare::bring_to_base(self.pool, &record, &seen.base, self.observer) {
            Ok(true) => {
                let until = match self.occasion {
                    FillOccasion::Use => until(self.pool),
                    FillOccasion::Moved => seen.keep_until,
                };
                let ready = |tx: &mut Tx<'_>| {
                    tx.advance(seen.id, WorktreeEvent::Created, Pool::now(), "up to date")?;
                    tx.set_keep_until(seen.id, until)
                };
                self.store.transaction(ready).map_err(StateError::from)?;
                return Ok(true);
            }
            Ok(false) => PoolError::NeedsGit,
            Err(error) => error.into(),
        };
        undo::roll_back(self.pool, &mut self.store, &record)?;
        lock.retire();
        Err(followed)
    }
}

/// Until when what is ready now is held if nobody uses the pool; `None` is for ever.
fn until(pool: &Pool) -> Option<Timestamp> {
    let idle = pool.settings().pool.idle;
    if idle.is_zero() { None } else { terms::after(idle) }
}

/// What came of making one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Its files are all there.
    Ready,
    /// What was given back cannot be proven to be clean.
    Unusable,
}

fn spares(store: &LocalStore) -> Result<Vec<WorktreeRecord>, StateError> {
    let mut spares = store.worktrees()?;
    spares.retain(|record| record.state == WorktreeState::Idle);
    Ok(spares)
}

/// The commit that a worktree without `--base` starts from.
pub(in crate::ops) fn tip(pool: &Pool) -> Result<ResolvedBase, PoolError> {
    let head = pool.repository().current_head(&pool.git)?;
    let unborn = || PoolError::Unborn { repository: pool.root().to_owned() };
    Ok(ResolvedBase { oid: head.oid.ok_or_else(unborn)?, branch: head.branch })
}

fn new_record(pool: &Pool, base: &ResolvedBase) -> Result<WorktreeRecord, PoolError> {
    let id = WorktreeId::new(uuid::Uuid::now_v7());
    let text = format!("idle-{}", id.short());
    let name: WorktreeName = text.parse().map_err(|_| PoolError::Name { name: text.clone() })?;
    let mut record = WorktreeRecord {
        id,
        admin: pool.repository().common_dir.join("worktrees").join(name.as_str()),
        path: place::place_of(pool, &name).path,
        name,
        identity: None,
        state: WorktreeState::Creating,
        base: base.oid,
        target: base.branch.clone(),
        checkout: Checkout::Detached,
        created_at: Pool::now(),
        keep_until: None,
        doubt: None,
        boot_id: process::boot_id().unwrap_or_default(),
    };
    record.path = spare::directory(&record);
    Ok(record)
}

/// Starts a filling of what the configuration wants, if spares or a template are missing and nobody is at it; `last` is the last
/// worktree that was made. Never waits; tells whether one was started.
pub(in crate::ops) fn in_background(pool: &Pool, store: &LocalStore, last: &WorktreeRecord) -> bool {
    let wanted = pool.settings().pool.warm;
    let spares_missing = || -> Result<bool, StateError> {
        Ok(wanted > 0 && spares(store)?.len() < usize::try_from(wanted).unwrap_or(usize::MAX))
    };
    let missing = || -> Result<bool, StateError> {
        Ok((spares_missing()? || template::is_wanted(pool, last)) && !is_at_work(pool)?)
    };
    let started = match missing() {
        Ok(true) if pool.environment.keeper == KeeperMode::OnDemand && !process::is_apart() => {
            start(pool, wanted, FillOccasion::Use)
        }
        Ok(_) => return false,
        Err(error) => Err(std::io::Error::other(error)),
    };
    started.inspect_err(|error| tracing::warn!(%error, "the pool is not filled up")).is_ok()
}

/// Fills a pool at low priority: what the hidden subcommand does.
///
/// # Errors
/// As [`fill`]; nothing is said to anybody.
pub fn fill_in_background(
    environment: Environment,
    request: &KeepRequest,
    filling: BackgroundFilling,
) -> Result<Filled, PoolError> {
    fs::give_way();
    let environment = Environment { keeper: KeeperMode::Never, ..environment };
    let mut pool = Pool::open(environment, &Locate::At(request.root.clone()))?;
    if pool.repository().common_dir != request.common_dir {
        return Err(PoolError::Moved { root: request.root.clone() });
    }
    let filled = fill_on(&pool, filling.request, filling.occasion, &mut Unobserved);
    pool.environment.keeper = filling.keeper;
    keeper::on_demand(&pool);
    filled
}

/// Keeps fillings from beginning while it is held; waits for the one that is under way.
pub(in crate::ops) fn hold_off(pool: &Pool) -> Result<Option<FileLock>, StateError> {
    pool.make_state_dirs()?;
    Ok(FileLock::acquire(&lock_path(pool), Wait::Forever)?)
}

/// Starts a filling in the background and does not wait for it.
///
/// # Errors
/// There is no commit, only git itself can write the files, or the helper cannot be started.
pub fn start_filling(pool: &Pool, request: WarmRequest) -> Result<(), PoolError> {
    tip(pool)?;
    spare::conditions(pool).ok_or(PoolError::NeedsGit)?;
    start(pool, request.count, FillOccasion::Use).map_err(|source| PoolError::Helper { source })
}

/// Whether a filling was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Started {
    /// It was.
    Yes,
    /// Another one is under way.
    Busy,
}

/// Starts, from the keeper, a filling that brings what is ready to where the branch is and makes none.
pub(in crate::ops) fn start_following(pool: &Pool) -> Result<Started, PoolError> {
    if is_at_work(pool)? {
        return Ok(Started::Busy);
    }
    start(pool, 0, FillOccasion::Moved).map_err(|source| PoolError::Helper { source })?;
    Ok(Started::Yes)
}

fn start(pool: &Pool, count: u32, occasion: FillOccasion) -> std::io::Result<()> {
    let places = [pool.repository().common_dir.as_path(), pool.root()];
    let mut arguments: Vec<OsString> = vec![WARM_COMMAND.into(), count.to_string().into()];
    if occasion == FillOccasion::Moved {
        arguments.push("--moved".into());
    }
    // The environment of the helper does not say whether one is wanted.
    if pool.environment.keeper == KeeperMode::OnDemand && pool.settings().pool.keeper {
        arguments.push("--keeper".into());
    }
    arguments.push("--".into());
    arguments.extend(places.map(OsString::from));
    process::spawn_detached(&pool.environment.helper, &arguments, &keeper::environment(pool))
}

pub(super) fn is_at_work(pool: &Pool) -> Result<bool, StateError> {
    Ok(process::is_free(&lock_path(pool))? == LockState::Held)
}

fn lock_path(pool: &Pool) -> PathBuf {
    pool.locks().join("warm")
}
