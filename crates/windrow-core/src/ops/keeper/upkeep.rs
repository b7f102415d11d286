//! When git's maintenance runs: once nobody has worked for a while, in a thread that gives way to everybody.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::diary::Diary;
use crate::{
    fs,
    git::{self, GitError},
    ops::{error::chain, observer::Observer, pool::Pool},
};

/// How long nobody must have worked.
const QUIET: Duration = Duration::from_secs(10);
/// Between two runs: what one leaves loose is young.
const AGAIN: Duration = Duration::from_secs(3_600);
/// How soon the end of a run is noticed.
const POLL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Upkeep {
    quiet_since: Option<Instant>,
    running: Option<JoinHandle<Result<(), GitError>>>,
    ended: Option<Instant>,
}

/// Whether somebody works in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Quiet,
    Busy,
}

impl Upkeep {
    /// Does what is due and tells when to ask again; `None` when there is nothing to do.
    pub(super) fn look(&mut self, pool: &Pool, pace: Pace, diary: &mut Diary) -> Option<Duration> {
        if self.is_running(diary) {
            return Some(POLL);
        }
        if pace == Pace::Busy || self.ended.is_some_and(|ended| ended.elapsed() < AGAIN) {
            self.quiet_since = None;
            return None;
        }
        let loose = due(pool, diary)?;
        let since = *self.quiet_since.get_or_insert_with(Instant::now);
        let left = QUIET.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        self.start(pool, loose, diary)
    }

    fn start(&mut self, pool: &Pool, loose: u64, diary: &mut Diary) -> Option<Duration> {
        let (git, repository) = (pool.git.clone(), pool.repository().clone());
        let work = move || {
            fs::give_way();
            git::maintain(&git, &repository)
        };
        match thread::Builder::new().spawn(work) {
            Ok(running) => {
                diary.note(&format!("git's maintenance began, with {loose} loose objects or more"));
                self.running = Some(running);
                Some(POLL)
            }
            Err(error) => {
                diary.note(&format!("git's maintenance could not be started: {error}"));
                self.ended = Some(Instant::now());
                None
            }
        }
    }

    fn is_running(&mut self, diary: &mut Diary) -> bool {
        let Some(running) = self.running.take_if(|running| running.is_finished()) else {
            return self.running.is_some();
        };
        diary.note(&match running.join() {
            Ok(Ok(())) => "git's maintenance ended".to_owned(),
            Ok(Err(error)) => format!("git's maintenance failed: {}", chain(&error)),
            Err(_) => "git's maintenance failed".to_owned(),
        });
        self.ended = Some(Instant::now());
        false
    }
}

/// How many loose objects there are, if they are too many and the user wants them packed.
fn due(pool: &Pool, diary: &mut Diary) -> Option<u64> {
    let threshold =
        git::maintenance_threshold(pool.repository()).filter(|_| pool.settings().pool.maintenance)?;
    let loose = match git::count_loose(pool.repository(), threshold) {
        Ok(loose) => loose,
        Err(error) => {
            diary.notice(&format!("loose objects cannot be counted: {error}"));
            return None;
        }
    };
    if loose <= threshold {
        return None;
    }
    let lock = git::maintenance_lock(pool.repository());
    if lock.symlink_metadata().is_ok() {
        diary.notice(&format!("git's maintenance waits: `{}` is there", lock.display()));
        return None;
    }
    Some(loose)
}
