//! Two pieces of work at once.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// Does both, the first by a thread of its own if there can be one.
pub(super) fn both<A: Send, B>(aside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let work = Mutex::new(Some(aside));
    let do_it = || work.lock().unwrap_or_else(PoisonError::into_inner).take().map(|work| work());
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, do_it);
        let result = here();
        let done = match other.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => do_it(),
        };
        (done.expect("the work is taken once: by the thread, or here when there is none"), result)
    })
}
