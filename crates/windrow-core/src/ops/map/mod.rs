//! Many tasks, each in a worktree of its own, several at once.
//!
//! The tasks run in threads of this process, not in processes of their own: every supervised command has its own reaper, signals
//! reach every manager, and a lease per thread costs neither the start of a program nor the search for the repository.
//!
//! # Locking
//! One process at a time works on a batch, under `locks/map-<batch>`. Threads take the locks of their worktrees as any command does.
//!
//! # Crash safety
//! A task has a result once it is recorded, and only then. What a killed call was doing is ended by its reapers and recovered like
//! any dead holder's work. A task whose command had ended by then is not done again: that it had is recorded before its worktree is
//! given back, and what it left is looked up when the batch is resumed.

mod board;
mod error;
mod harvest;
mod request;

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use windrow_model::{BatchTask, Settled, TaskEnd, Verdict, WorktreeId};

use self::board::{Board, Next};
pub use self::{
    error::MapError,
    request::{
        Former, MapObserver, MapRequest, MapTask, Mapped, OnFailure, TaskMode, Turn, batch_named_by, judge,
    },
};
use super::{
    acquire,
    error::{AcquireError, StateError, chain},
    lease::Lease,
    observer::Unobserved,
    pool::Pool,
    request::{AcquireRequest, BranchRequest, HolderRequest, Waiting},
};
use crate::{
    process::{Cancel, FileLock, Wait},
    store::{LocalStore, StoreError},
};

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a task waits for a place in a full pool before it looks whether everything was stopped.
const GLANCE: Duration = Duration::from_secs(5);

/// Does `work` for each task, in a worktree of its own; at most `request.jobs` at once. Results come in the order given.
///
/// A task that fails, that gets no worktree, or that cannot be given back is a result and stops no other, unless the request says so.
///
/// # Errors
/// The tasks can never all be done, another process works on the batch, or the records fail.
pub fn map(
    pool: &Pool,
    request: &MapRequest,
    work: &(dyn Fn(&Turn<'_, '_>) -> Verdict + Sync),
    observer: &dyn MapObserver,
) -> Result<Mapped, MapError> {
    let mut board = Board::new(&request.tasks)?;
    let mut store = pool.store()?;
    let lock = lock(pool, request)?;
    let run = begin(pool, &mut store, request, &mut board)?;
    let ground = Ground {
        pool,
        request,
        work,
        observer,
        run,
        state: Mutex::new(State { board, store, failed: None }),
        changed: Condvar::new(),
        line: Mutex::new(()),
    };
    thread::scope(|scope| {
        (0..ground.workers()).for_each(|_| drop(scope.spawn(|| ground.serve())));
    });
    if let Err(error) = lock.remove() {
        tracing::debug!(%error, "a lock file stays");
    }
    let State { board, failed, .. } = ground.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failed {
        Some(error) => Err(error),
        None => Ok(Mapped { batch: request.batch.clone(), tasks: board.results() }),
    }
}

fn lock(pool: &Pool, request: &MapRequest) -> Result<FileLock, MapError> {
    let path = pool.locks().join(format!("map-{}", request.batch));
    let lock = FileLock::acquire(&path, Wait::No).map_err(StateError::from)?;
    lock.ok_or_else(|| MapError::Running { batch: request.batch.clone() })
}

/// Counts this call and takes over what former ones finished, if they are to count.
fn begin(
    pool: &Pool,
    store: &mut LocalStore,
    request: &MapRequest,
    board: &mut Board,
) -> Result<u32, MapError> {
    if request.former == Former::Resume {
        resume(pool, store, request, board)?;
    }
    let begun = store.transaction(|tx| {
        let run = tx.begin_batch(&request.batch, Pool::now())?;
        if request.former == Former::Forget {
            tx.forget_batch_tasks(&request.batch)?;
        }
        Ok(run)
    });
    Ok(begun?)
}

fn resume(
    pool: &Pool,
    store: &mut LocalStore,
    request: &MapRequest,
    board: &mut Board,
) -> Result<(), MapError> {
    if !store.has_batch(&request.batch)? {
        return Err(MapError::NothingToResume { batch: request.batch.clone() });
    }
    harvest::recover(pool, store)?;
    for former in store.batch_tasks(&request.batch)? {
        let Some(place) = request.tasks.iter().position(|task| task.key == former.key) else { continue };
        let task = harvest::settle(pool, store, former)?;
        store.transaction(|tx| tx.set_batch_task(&request.batch, &task))?;
        board.finish(place, Some(task));
    }
    Ok(())
}

/// What the workers share.
struct Ground<'g, 'p> {
    pool: &'p Pool,
    request: &'g MapRequest,
    work: &'g (dyn Fn(&Turn<'_, '_>) -> Verdict + Sync),
    observer: &'g dyn MapObserver,
    /// Which call of the batch this is.
    run: u32,
    state: Mutex<State>,
    /// A task is over.
    changed: Condvar,
    /// Only one of us waits in the pool's line: a process has one place in it.
    line: Mutex<()>,
}

struct State {
    board: Board,
    store: LocalStore,
    /// The records failed: nothing further begins.
    failed: Option<MapError>,
}

/// How one try ended.
enum Tried {
    /// With this.
    Ended(Box<BatchTask>),
    /// It was stopped.
    Stopped,
}

impl Ground<'_, '_> {
    fn workers(&self) -> usize {
        let places = self.pool.settings().pool.max_worktrees.map_or(usize::MAX, |max| max as usize);
        self.request.jobs.min(places).min(self.request.tasks.len()).max(1)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker: takes tasks until there are none.
    fn serve(&self) {
        while let Some(next) = self.next() {
            let (place, task) = match next {
                Next::Begin(place) => (place, self.perform(place)),
                Next::Skip(place, before) => (place, Some(self.skipped(place, before))),
                Next::Wait | Next::Leave => return,
            };
            self.conclude(place, task);
        }
    }

    fn next(&self) -> Option<Next> {
        let mut state = self.state();
        loop {
            if self.request.cancel.is_cancelled() || state.failed.is_some() {
                return None;
            }
            match state.board.next() {
                Next::Wait => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Next::Leave => return None,
                next => return Some(next),
            }
        }
    }

    /// Records a result, then tells it.
    fn conclude(&self, place: usize, task: Option<BatchTask>) {
        if let Some(task) = &task {
            self.record(task);
            self.observer.ended(place, task);
            if self.request.failure == OnFailure::Stop && task.verdict.end != TaskEnd::Succeeded {
                self.request.cancel.cancel();
            }
        }
        self.state().board.finish(place, task);
        self.changed.notify_all();
    }

    fn record(&self, task: &BatchTask) {
        let mut state = self.state();
        let recorded = state.store.transaction(|tx| tx.set_batch_task(&self.request.batch, task));
        if let Err(error) = recorded {
            state.failed.get_or_insert(StoreError::into(error));
        }
    }

    fn skipped(&self, place: usize, before: usize) -> BatchTask {
        let detail = format!("`{}` did not succeed", self.request.tasks[before].key);
        let verdict = Verdict { end: TaskEnd::Skipped, exit: None, detail, elapsed: Duration::ZERO };
        self.ended(place, 0, verdict, None)
    }

    fn ended(
        &self,
        place: usize,
        attempts: u32,
        verdict: Verdict,
        worktree: Option<WorktreeId>,
    ) -> BatchTask {
        let key = self.request.tasks[place].key.clone();
        // As the records keep it, so that it is told the same later.
        let micros = u64::try_from(verdict.elapsed.as_micros()).unwrap_or(u64::MAX);
        let verdict = Verdict { elapsed: Duration::from_micros(micros), ..verdict };
        BatchTask { key, attempts, verdict, worktree, harvest: None, settled: Settled::Yes }
    }

    /// Tries a task until it succeeds or may not be tried again.
    fn perform(&self, place: usize) -> Option<BatchTask> {
        let mut attempt = 1;
        loop {
            let Tried::Ended(task) = self.attempt(place, attempt) else { return None };
            let good = task.verdict.end == TaskEnd::Succeeded;
            if good || attempt > self.request.retries {
                return Some(*task);
            }
            let pause = self.request.backoff.saturating_mul(1 << (attempt - 1).min(16));
            self.request.cancel.wait(pause.min(LONGEST_PAUSE));
            if self.request.cancel.is_cancelled() {
                return None;
            }
            attempt += 1;
        }
    }

    fn attempt(&self, place: usize, attempt: u32) -> Tried {
        let lease = match self.acquire(place, attempt) {
            Ok(Some(lease)) => lease,
            Ok(None) => return Tried::Stopped,
            Err(error) => {
                let verdict = Verdict {
                    end: TaskEnd::Refused,
                    exit: None,
                    detail: chain(&error),
                    elapsed: Duration::ZERO,
                };
                return Tried::Ended(Box::new(self.ended(place, attempt, verdict, None)));
            }
        };
        self.observer.began(place, attempt, lease.leased());
        let (task, cancel) = (&self.request.tasks[place], &self.request.cancel);
        let verdict = (self.work)(&Turn { place, task, attempt, lease: &lease, cancel });
        let good = verdict.end == TaskEnd::Succeeded;
        let stopped = verdict_stops(&verdict, cancel);
        let mut task = self.ended(place, attempt, verdict, Some(lease.leased().worktree.id));
        if !stopped && (good || attempt > self.request.retries) {
            // From here on it is not done again, whatever happens to us.
            self.record(&BatchTask { settled: Settled::NotYet, ..task.clone() });
        }
        match lease.release() {
            Ok(released) => task.harvest = Some(harvest::of_release(&released)),
            Err(error) => task.verdict.detail = format!("not given back yet: {}", chain(&error)),
        }
        if stopped { Tried::Stopped } else { Tried::Ended(Box::new(task)) }
    }

    /// A worktree for a task; `None` when everything is stopped meanwhile.
    fn acquire(&self, place: usize, attempt: u32) -> Result<Option<Lease<'_>>, AcquireError> {
        let wanted = self.wanted(place, attempt);
        let at_once = AcquireRequest { waiting: Waiting::Refuse, ..wanted.clone() };
        let mut left = match wanted.waiting {
            Waiting::Refuse => Duration::ZERO,
            Waiting::For(limit) => limit,
        };
        let mut given = acquire::acquire(self.pool, &at_once, &mut Unobserved);
        while matches!(given, Err(AcquireError::Exhausted { .. })) && !left.is_zero() {
            let _turn = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            if self.request.cancel.is_cancelled() {
                return Ok(None);
            }
            let glance = left.min(GLANCE);
            left -= glance;
            let waiting = AcquireRequest { waiting: Waiting::For(glance), ..wanted.clone() };
            given = acquire::acquire(self.pool, &waiting, &mut Unobserved);
        }
        given.map(Some)
    }

    fn wanted(&self, place: usize, attempt: u32) -> AcquireRequest {
        let request = self.request;
        let before = self.state().board.before(place).and_then(|task| task.harvest.clone());
        let continued = before.map(|left| left.branch.map_or(left.base, |(_, head)| head).to_string());
        let branch = match request.tasks[place].mode {
            TaskMode::Branch => request.acquire.branch.clone(),
            TaskMode::ReadOnly => BranchRequest::Detached,
        };
        AcquireRequest {
            name: request.batch.worktree(place + 1, self.run, attempt),
            key: None,
            holder: HolderRequest::Caller,
            base: continued.or_else(|| request.acquire.base.clone()),
            branch,
            ..request.acquire.clone()
        }
    }
}

/// Whether a task has no result because everything was stopped. A signal may reach its command before it reaches us.
fn verdict_stops(verdict: &Verdict, cancel: &Cancel) -> bool {
    if verdict.end == TaskEnd::Stopped {
        cancel.cancel();
    }
    cancel.is_cancelled() && verdict.end != TaskEnd::Succeeded
}
