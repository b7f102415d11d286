//! The forecast from its request to its end.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bstr::BString;
use windrow_model::{BranchName, Oid, WorktreeId, WorktreeRecord, WorktreeState};

use super::{
    error::ForecastError,
    outcome::{Against, Collision, Forecast, ForecastRequest, NotLookedAt},
    work::{self, Known, Seen, Work},
};
use crate::{
    git::{self, Aside, Conflicts, Merged},
    ops::{pool::Pool, select},
    store::LocalStore,
};

/// Tells which work of the worktrees in use will not merge, with its target or with each other. Nothing is changed, and no object
/// is left behind.
///
/// # Errors
/// There is no such worktree or branch, git fails, or there is no room for what is made on the way; a worktree that cannot be
/// looked at is no error but told.
pub fn forecast(pool: &Pool, request: &ForecastRequest) -> Result<Forecast, ForecastError> {
    let Some(store) = pool.records()? else {
        return match request.only.first() {
            Some(selector) => Err(select::nothing(selector).into()),
            None => Ok(Forecast::default()),
        };
    };
    let only = only(&store, request)?;
    let known = known(pool, &store, request, &only)?;
    drop(store);
    if known.is_empty() {
        return Ok(Forecast::default());
    }
    let aside = Aside::new(&pool.git, pool.repository())
        .map_err(|source| ForecastError::Aside { path: pool.state_dir().to_owned(), source })?;
    let seen = in_parallel(&known, |known| Ok(work::look(pool, &aside, known)))?;
    Predictor { pool, aside: &aside, only: &only }.predict(&known, seen)
}

/// The worktrees that were named.
fn only(store: &LocalStore, request: &ForecastRequest) -> Result<BTreeSet<WorktreeId>, ForecastError> {
    let id = |selector| Ok(select::find(store, selector)?.worktree.id);
    request.only.iter().map(id).collect()
}

/// What the records say of all worktrees in use, the oldest first.
fn known(
    pool: &Pool,
    store: &LocalStore,
    request: &ForecastRequest,
    only: &BTreeSet<WorktreeId>,
) -> Result<Vec<Known>, ForecastError> {
    let mut tips = Tips { pool, known: HashMap::new() };
    if let Some(onto) = &request.onto {
        tips.find(onto)?.ok_or_else(|| ForecastError::UnknownBranch(onto.clone()))?;
    }
    let in_use = |record: &WorktreeRecord| {
        matches!(record.state, WorktreeState::Leased | WorktreeState::Kept) || only.contains(&record.id)
    };
    let mut records: Vec<_> = store.worktrees()?.into_iter().filter(in_use).collect();
    records.sort_by_key(|record| record.created_at);
    records.into_iter().map(|record| one(store, request, &mut tips, record)).collect()
}

fn one(
    store: &LocalStore,
    request: &ForecastRequest,
    tips: &mut Tips<'_>,
    record: WorktreeRecord,
) -> Result<Known, ForecastError> {
    let target = match request.onto.as_ref().or(record.target.as_ref()) {
        Some(branch) => tips.find(branch)?.map(|tip| (branch.clone(), tip)),
        None => None,
    };
    let head = tips.pool.repository().head(&tips.pool.git, &record.admin).ok();
    let since = match (&head, &target) {
        (Some(head), Some((branch, tip))) => work::since(tips.pool, store, head, (branch, tip))?,
        _ => None,
    };
    let carried = store.carried(record.id)?.into_iter().map(|file| file.path).collect();
    Ok(Known { record, carried, target, since })
}

/// Where branches are, each asked for once, so that all works see them at the same place.
struct Tips<'a> {
    pool: &'a Pool,
    known: HashMap<BranchName, Option<Oid>>,
}

impl Tips<'_> {
    fn find(&mut self, branch: &BranchName) -> Result<Option<Oid>, ForecastError> {
        if let Some(known) = self.known.get(branch) {
            return Ok(*known);
        }
        let tip = git::read_ref(&self.pool.git, self.pool.repository(), &branch.full())?;
        self.known.insert(branch.clone(), tip);
        Ok(tip)
    }
}

struct Predictor<'a> {
    pool: &'a Pool,
    aside: &'a Aside,
    only: &'a BTreeSet<WorktreeId>,
}

impl Predictor<'_> {
    fn predict(&self, known: &[Known], seen: Vec<Seen>) -> Result<Forecast, ForecastError> {
        let mut forecast = Forecast::default();
        let mut works = Vec::new();
        for (known, seen) in known.iter().zip(seen) {
            let concerned = self.concerns(&known.record.id);
            let name = &known.record.name;
            forecast.unseen.extend(seen.unseen.map(|why| NotLookedAt { name: name.clone(), why }));
            works.extend(seen.work.map(|work| (work, concerned)));
        }
        forecast.collisions.extend(works.iter().filter(|(_, concerned)| *concerned).filter_map(misfit));
        let pairs = pairs(&works);
        let candidates: Vec<_> =
            pairs.iter().copied().filter(|(one, other)| one.may_collide(other)).collect();
        (forecast.pairs, forecast.merged) = (pairs.len() as u64, candidates.len() as u64);
        let merged = in_parallel(&candidates, |pair| self.merge(*pair))?;
        forecast.collisions.extend(merged.into_iter().flatten());
        forecast.works = works.into_iter().map(|(work, _)| work.told).collect();
        Ok(forecast)
    }

    fn concerns(&self, worktree: &WorktreeId) -> bool {
        self.only.is_empty() || self.only.contains(worktree)
    }

    fn merge(&self, (one, other): (&Work, &Work)) -> Result<Option<Collision>, ForecastError> {
        let merged = work::merge(self.pool, self.aside, (&one.commit, &other.commit), None)?;
        let Merged::Conflict(conflicts) = merged else { return Ok(None) };
        Ok(Some(collision(one, Against::Work(other.told.name.clone()), &conflicts)))
    }
}

fn misfit((work, _): &(Work, bool)) -> Option<Collision> {
    let conflicts = work.misfit.as_ref()?;
    Some(collision(work, Against::Target(work.told.target.clone()), conflicts))
}

/// Every two with the same target of which one is concerned.
fn pairs(works: &[(Work, bool)]) -> Vec<(&Work, &Work)> {
    let mut pairs = Vec::new();
    for (at, (one, concerned)) in works.iter().enumerate() {
        let rest = works[at + 1..]
            .iter()
            .filter(|(other, too)| (*concerned || *too) && one.told.target == other.told.target);
        pairs.extend(rest.map(|(other, _)| (one, other)));
    }
    pairs
}

fn collision(work: &Work, second: Against, conflicts: &Conflicts) -> Collision {
    let mut paths: BTreeSet<BString> = conflicts.stages.iter().map(|stage| stage.path.clone()).collect();
    if paths.is_empty() {
        paths.extend(conflicts.messages.iter().flat_map(|message| message.paths.iter().cloned()));
    }
    Collision {
        first: work.told.name.clone(),
        second,
        paths: paths.into_iter().collect(),
        conflicts: conflicts.messages.clone(),
    }
}

/// Does the same for each, by as many threads as there are processors; the answers are in the order of what was asked.
fn in_parallel<T: Sync, R: Send>(
    all: &[T],
    answer: impl Fn(&T) -> Result<R, ForecastError> + Sync,
) -> Result<Vec<R>, ForecastError> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, Result<R, ForecastError>)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(at) else { return };
            let answered = (at, answer(one));
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(answered);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(all.len());
        for _ in 1..threads {
            // A thread that cannot be started only makes it slower: this one does the work as well.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
