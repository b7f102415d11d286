//! Hands the progress of worker threads on to an observer, which need not be shareable.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use super::observer::Observer;
use crate::fs::Progress;

/// Counts what threads did.
#[derive(Debug, Default)]
pub(super) struct Forward {
    done: AtomicU64,
}

impl Progress for Forward {
    fn total(&self, _files: u64) {}

    fn advanced(&self, files: u64) {
        self.done.fetch_add(files, Ordering::Relaxed);
    }
}

impl Forward {
    /// Runs `work` on another thread and tells the observer ten times a second how far it is.
    pub(super) fn while_working<T: Send>(
        observer: &mut dyn Observer,
        work: impl FnOnce(&Self) -> T + Send,
    ) -> T {
        let forward = Self::default();
        let observing = thread::current();
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let result = work(&forward);
                observing.unpark();
                result
            });
            while !worker.is_finished() {
                thread::park_timeout(Duration::from_millis(100));
                observer.advanced(forward.done.load(Ordering::Relaxed));
            }
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
