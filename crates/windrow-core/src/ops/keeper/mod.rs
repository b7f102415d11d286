//! The keeper: one process per pool in the background that ends what is over, within seconds and with no command run by anyone.
//!
//! It runs the very code that every command runs first ([`recover::before`]), at the moment when something is due: a watched
//! process ended (the supervisor of a command, or a holder named by its number), an expiry or the time of a kept worktree
//! passed, or somebody left something half done. Without it the next command does the same work. While worktrees are held ready it
//! also has them follow their branch ([why it does not stay for that alone](../../../../docs/decisions/0030-ready-worktrees-follow-the-branch.md)).
//!
//! # Locking
//! One keeper per pool, by the lock `locks/keeper`; what its holder is stands in the file. A worktree is only touched under its
//! own lock, as by every other command.
//!
//! Whoever leaves something to keep commits it first and looks at the lock afterwards; a keeper that has nothing left gives the
//! lock up and looks at the records once more. So nothing is left without a keeper, and none is started in vain but by a race.
//!
//! Git's maintenance runs under git's own lock, one at a time because there is one keeper, and under no lock of ours: it takes
//! minutes, and no git has to wait for it.
//!
//! # Crash safety
//! It holds no state of its own: one that is killed leaves its lock file and nothing else, and the next operation that leaves
//! something to keep starts another one. It dies with the session of the machine and, started from inside `windrow run` for a
//! pool that had none, with that run, which ends all its processes.
//!
//! # Compatibility
//! A newer version asks an older one to go, which finishes what it is at. Records with a newer schema are never written: the
//! keeper ends. On systems other than Linux it looks every ten seconds, because nothing can be waited for.
//!
//! # Time
//! Ends are recorded as wall time. Waiting does not count the time that the machine sleeps, and [`super::suspension`] postpones
//! the ends by it.

mod agenda;
mod diary;
mod follow;
mod patience;
mod post;
mod start;
mod upkeep;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use windrow_model::{BranchName, TicketNumber, WorktreeId};

pub(super) use self::post::{Post, incumbent_of};
pub(super) use self::start::{environment, on_demand};
use self::{
    agenda::Agenda,
    diary::Diary,
    follow::Follow,
    patience::Patience,
    post::Vacancy,
    upkeep::{Pace, Upkeep},
};
use super::{
    error::{OpenError, StateError},
    land,
    pool::{Environment, KeeperMode, Pool},
    recover::{self, Spare},
    request::Locate,
    sweep,
};
use crate::{
    fs,
    process::{self, LockError, Watch, Watched, Woken},
    store::StoreError,
};

/// The name of the hidden subcommand of the helper that becomes the keeper.
pub const KEEPER_COMMAND: &str = "__keeper";

/// Which pool to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRequest {
    /// The git common directory, absolute.
    pub common_dir: PathBuf,
    /// The path that stands for the repository, from which it is found: its main worktree, or a bare repository itself.
    pub root: PathBuf,
}

/// Why a keeper ended before its work did.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The repository or its configuration cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state of the pool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The keeper's lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another repository is found at the path.
    #[error("the repository at `{path}` is another one now", path = root.display())]
    Moved {
        /// The path that was given.
        root: PathBuf,
    },
    /// The keeper's own files cannot be used, or nothing can be waited for.
    #[error("cannot keep watch in `{path}`", path = path.display())]
    Io {
        /// The state directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Between a change of the records and the look at them: whoever changes them once mostly does so again.
const SETTLE: Duration = Duration::from_millis(300);
/// How long a keeper with nothing to keep stays, because one command often follows another.
const LINGER: Duration = Duration::from_secs(1);
/// After this time everything is looked at again, because a wall clock may have been set.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How often in a row the records may be unusable.
const FAILURES: u32 = 10;
/// How often a sweeper is started for trash that stays.
const SWEEPS: u32 = 3;

/// Keeps a pool until nothing is left to keep: what the hidden subcommand does.
///
/// Returns at once when the pool has a keeper that is not older, and when it is asked to go by SIGTERM.
///
/// # Errors
/// The pool cannot be used; the keeper's log, where it can be written, says the same.
pub fn keep(environment: Environment, request: &KeepRequest) -> Result<(), KeeperError> {
    let state_dir = request.common_dir.join("windrow");
    let lock = state_dir.join("locks/keeper");
    let Some(post) = Post::take(&lock, &environment.program_version)? else { return Ok(()) };
    let failed = |source| KeeperError::Io { path: state_dir.clone(), source };
    let mut diary = Diary::open(&state_dir.join("logs")).map_err(failed)?;
    diary.note(&format!("keeper {} began as process {}", environment.program_version, std::process::id()));
    let watch = Watch::new(&state_dir, &["state.db", "state.db-wal"]).map_err(failed)?;
    let ended = Keeper::new(environment, request.clone(), watch, diary).and_then(|mut keeper| {
        let ended = keeper.run(post, &lock);
        keeper.diary.farewell(&ended);
        ended
    });
    ended.map(drop)
}

/// Why a keeper ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    NothingToKeep,
    Told,
    Replaced,
}

struct Keeper {
    environment: Environment,
    request: KeepRequest,
    pool: Pool,
    watch: Watch,
    diary: Diary,
    due: Patience<WorktreeId>,
    unsettled: Patience<WorktreeId>,
    unwatched: Patience<()>,
    trash: Patience<PathBuf>,
    queues: Patience<(BranchName, TicketNumber)>,
    /// Where trash may lie, also that of worktrees that are gone by now.
    trash_dirs: BTreeSet<PathBuf>,
    upkeep: Upkeep,
    /// When git's maintenance wants to be looked at again.
    upkeep_in: Option<Duration>,
    follow: Follow,
    /// When the branch wants to be looked at again.
    follow_in: Option<Duration>,
}

/// What a look at the records found.
enum Outlook {
    NothingToKeep,
    /// Look again after this time at the latest.
    Wait(Duration),
}

impl Keeper {
    fn new(
        environment: Environment,
        request: KeepRequest,
        watch: Watch,
        mut diary: Diary,
    ) -> Result<Self, KeeperError> {
        let environment = Environment { keeper: KeeperMode::Never, ..environment };
        // Whoever started us is still at work, and many commands end at once.
        thread::sleep(SETTLE);
        let pool = open(&environment, &request).inspect_err(|error| diary.failure(error))?;
        Ok(Self {
            environment,
            request,
            pool,
            watch,
            diary,
            due: Patience::new(),
            unsettled: Patience::new(),
            unwatched: Patience::new(),
            trash: Patience::new(),
            queues: Patience::new(),
            trash_dirs: BTreeSet::new(),
            upkeep: Upkeep::default(),
            upkeep_in: None,
            follow: Follow::default(),
            follow_in: None,
        })
    }

    fn run(&mut self, mut post: Post, lock: &Path) -> Result<Departure, KeeperError> {
        let mut failures = 0;
        loop {
            let outlook = match self.look() {
                Ok(outlook) => {
                    failures = 0;
                    outlook
                }
                Err(error) if failures >= FAILURES || is_final(&error) => return Err(error),
                Err(error) => {
                    failures += 1;
                    self.diary.failure(&error);
                    // One that has ended would wake us at once, again and again.
                    self.watch.set_processes(&[]).map_err(|source| self.io(source))?;
                    Outlook::Wait(Duration::from_secs(u64::from(failures)))
                }
            };
            match outlook {
                Outlook::Wait(time) => {
                    if self.wait(time)? == Woken::Told {
                        return Ok(Departure::Told);
                    }
                }
                Outlook::NothingToKeep => match self.leave(post, lock)? {
                    Vacancy::Filled(again) => post = again,
                    Vacancy::Left(departure) => return Ok(departure),
                },
            }
        }
    }

    fn wait(&mut self, time: Duration) -> Result<Woken, KeeperError> {
        let woken = self.watch.wait(time).map_err(|source| self.io(source))?;
        if woken != Woken::Time {
            self.diary.tell_again();
        }
        if woken == Woken::Moved {
            thread::sleep(SETTLE);
            self.follow.moved(&mut self.watch).map_err(|source| self.io(source))?;
        }
        if woken == Woken::Changed {
            thread::sleep(SETTLE);
            self.watch.forget_changes();
        }
        Ok(woken)
    }

    /// Gives the lock up if there still is nothing to keep, then looks once more: a starter may have seen it held.
    fn leave(&mut self, post: Post, lock: &Path) -> Result<Vacancy, KeeperError> {
        if self.wait(LINGER)? == Woken::Told {
            return Ok(Vacancy::Left(Departure::Told));
        }
        if matches!(self.look()?, Outlook::Wait(_)) {
            return Ok(Vacancy::Filled(post));
        }
        post.give_up();
        if matches!(self.look()?, Outlook::NothingToKeep) {
            return Ok(Vacancy::Left(Departure::NothingToKeep));
        }
        let again = Post::take(lock, &self.environment.program_version)?;
        Ok(again.map_or(Vacancy::Left(Departure::Replaced), Vacancy::Filled))
    }

    /// Does what is due and tells how long nothing else will be.
    fn look(&mut self) -> Result<Outlook, KeeperError> {
        let Some(mut agenda) = self.read()? else { return Ok(Outlook::NothingToKeep) };
        if agenda.due.iter().any(|id| self.due.is_ripe(id)) {
            self.recover()?;
            let Some(after) = self.read()? else { return Ok(Outlook::NothingToKeep) };
            agenda = after;
            self.due.try_again(&agenda.due);
        } else {
            self.due.retain(&agenda.due);
        }
        self.unsettled.poll(&agenda.unsettled);
        self.trash_dirs.extend(agenda.trash_dirs.iter().cloned());
        self.sweep();
        self.serve(&agenda.queues);
        let processes: Vec<_> = agenda.processes.iter().cloned().collect();
        let watched = self.watch.set_processes(&processes).map_err(|source| self.io(source))?;
        // One that ended since the look, that is in another PID namespace, or for which there is no descriptor left.
        self.unwatched.poll(&if watched == Watched::All { BTreeSet::new() } else { BTreeSet::from([()]) });
        let followed = self.follow.look(&self.pool, &agenda.ready, &mut self.watch, &mut self.diary);
        self.follow_in = followed.map_err(|source| self.io(source))?;
        let pace = if agenda.is_quiet() { Pace::Quiet } else { Pace::Busy };
        self.upkeep_in = self.upkeep.look(&self.pool, pace, &mut self.diary);
        Ok(self.outlook(&agenda))
    }

    fn read(&self) -> Result<Option<Agenda>, KeeperError> {
        let Some(store) = self.pool.records()? else { return Ok(None) };
        Ok(Some(agenda::read(&self.pool, &store)?))
    }

    /// The work itself. Configuration is read anew, because a keeper lives long.
    fn recover(&mut self) -> Result<(), KeeperError> {
        self.pool = open(&self.environment, &self.request)?;
        let mut store = self.pool.store()?;
        recover::before(&self.pool, &mut store, &Spare::Nothing, &mut self.diary)?;
        drop(store);
        // What we wrote ourselves is no news.
        self.watch.forget_changes();
        process::give_memory_back();
        Ok(())
    }

    /// Starts a sweeper wherever something waits for one; what resists is left for the next command.
    fn sweep(&mut self) {
        let full: BTreeSet<_> = self.trash_dirs.iter().filter(|dir| fs::has_trash(dir)).cloned().collect();
        for dir in full.iter().filter(|dir| self.trash.is_ripe(dir) && self.trash.tries(dir) < SWEEPS) {
            if let Err(error) = sweep::start(&self.pool, dir) {
                self.diary.note(&format!("cannot empty `{}`: {error}", dir.display()));
            }
        }
        self.trash.poll_some(&full, |dir| !sweep::is_at_work(dir));
        self.trash_dirs = full;
    }

    /// Starts somebody who lands what is queued, for each target whose turn is not being served; again when they died.
    fn serve(&mut self, queues: &BTreeSet<(BranchName, TicketNumber)>) {
        for first in queues.iter().filter(|first| self.queues.is_ripe(first)) {
            if let Err(error) = land::start_serving(&self.pool, &first.0) {
                self.diary.note(&format!("cannot serve the queue of `{}`: {error}", first.0));
            }
        }
        self.queues.poll(queues);
    }

    fn outlook(&self, agenda: &Agenda) -> Outlook {
        let sweeping = self.trash_dirs.iter().any(|dir| self.trash.tries(dir) < SWEEPS);
        if agenda.is_empty() && !sweeping && self.upkeep_in.is_none() {
            return Outlook::NothingToKeep;
        }
        let mut wait = self.upkeep_in.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT));
        wait = self.follow_in.map_or(wait, |follow| wait.min(follow));
        if let Some(next) = agenda.next {
            let left = next.duration_since(Pool::now());
            // A little late, so that it is over then.
            wait = wait.min(Duration::try_from(left).unwrap_or_default() + Duration::from_millis(20));
        }
        let now = Instant::now();
        let ripe = [
            self.due.next(),
            self.unsettled.next(),
            self.unwatched.next(),
            self.queues.next(),
            self.trash.next().filter(|_| sweeping),
        ];
        for at in ripe.into_iter().flatten() {
            wait = wait.min(at.saturating_duration_since(now));
        }
        Outlook::Wait(wait)
    }

    fn io(&self, source: io::Error) -> KeeperError {
        KeeperError::Io { path: self.pool.state_dir().to_owned(), source }
    }
}

fn open(environment: &Environment, request: &KeepRequest) -> Result<Pool, KeeperError> {
    let pool = Pool::open(environment.clone(), &Locate::At(request.root.clone()))?;
    if pool.repository().common_dir != request.common_dir {
        return Err(KeeperError::Moved { root: request.root.clone() });
    }
    Ok(pool)
}

/// What no waiting mends.
fn is_final(error: &KeeperError) -> bool {
    matches!(
        error,
        KeeperError::Moved { .. }
            | KeeperError::State(
                StateError::Copied { .. }
                    | StateError::Store(StoreError::Newer { .. } | StoreError::Corrupt { .. })
            )
    )
}
