//! The bound of a trace: everything traced is killed when it is over.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::memory;

/// The tasks of a trace, and what was alive at its bound.
#[derive(Debug, Default)]
pub(super) struct Flock {
    pub(super) tasks: BTreeSet<Pid>,
    pub(super) overran: Vec<String>,
}

impl Flock {
    /// Kills every task. Each is traced and not waited for yet, so its number belongs to nobody else.
    pub(super) fn kill(&self) {
        for task in &self.tasks {
            // It may have died of the one before.
            let _ = kill(*task, Signal::SIGKILL);
        }
    }
}

/// Watches over the tasks until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    flock: Arc<Mutex<Flock>>,
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(super) fn new(bound: Duration) -> Self {
        let (over, wait) = mpsc::channel();
        let flock = Arc::new(Mutex::new(Flock::default()));
        let shared = Arc::clone(&flock);
        let thread = thread::spawn(move || {
            if wait.recv_timeout(bound) == Err(RecvTimeoutError::Timeout) {
                let mut flock = lock(&shared);
                flock.overran = flock.tasks.iter().map(|task| memory::line(*task)).collect();
                flock.kill();
            }
        });
        Self { flock, over: Some(over), thread: Some(thread) }
    }

    pub(super) fn flock(&self) -> MutexGuard<'_, Flock> {
        lock(&self.flock)
    }

    /// Says whether the bound has passed.
    pub(super) fn bit(&self) -> bool {
        !self.flock().overran.is_empty()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(flock: &Mutex<Flock>) -> MutexGuard<'_, Flock> {
    flock.lock().unwrap_or_else(PoisonError::into_inner)
}
