//! Work that leads to more work, done by several threads.

use std::{
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Does a piece of work, then all that it leads to, in no particular order; returns when none is left or in work.
///
/// # Errors
/// The first failure; what is in work then is finished and what waits is not begun.
pub(super) fn spread<T: Send, E: Send>(
    threads: NonZeroUsize,
    first: T,
    work: impl Fn(T) -> Result<Vec<T>, E> + Sync,
) -> Result<(), E> {
    let shared = Mutex::new(Shared { waiting: vec![first], in_work: 0, failure: None });
    let crew = Crew { shared, changed: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 1..threads.get() {
            // A thread that cannot be started only makes it slower: this one does the work as well.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || crew.work(&work));
        }
        crew.work(&work);
    });
    let shared = crew.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.failure.map_or(Ok(()), Err)
}

struct Shared<T, E> {
    waiting: Vec<T>,
    in_work: usize,
    failure: Option<E>,
}

struct Crew<T, E> {
    shared: Mutex<Shared<T, E>>,
    changed: Condvar,
}

impl<T, E> Crew<T, E> {
    fn work(&self, work: &impl Fn(T) -> Result<Vec<T>, E>) {
        while let Some(piece) = self.take() {
            let result = work(piece);
            let mut shared = self.lock();
            shared.in_work -= 1;
            match result {
                Ok(mut more) => shared.waiting.append(&mut more),
                Err(error) => {
                    shared.failure.get_or_insert(error);
                }
            }
            self.changed.notify_all();
        }
    }

    fn take(&self) -> Option<T> {
        let mut shared = self.lock();
        loop {
            if shared.failure.is_some() {
                return None;
            }
            if let Some(piece) = shared.waiting.pop() {
                shared.in_work += 1;
                return Some(piece);
            }
            if shared.in_work == 0 {
                return None;
            }
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<T, E>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const THREADS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

    #[test]
    fn all_that_follows_is_done_once() {
        let sum = AtomicU64::new(0);
        let done = spread(THREADS, 1_u64, |number| {
            sum.fetch_add(number, Ordering::Relaxed);
            Ok::<_, ()>([2 * number, 2 * number + 1].into_iter().filter(|next| *next < 1_000).collect())
        });
        assert_eq!((done, sum.into_inner()), (Ok(()), 999 * 500));
    }

    #[test]
    fn a_failure_ends_it() {
        let done = spread(THREADS, 0_u64, |number| match number {
            5 => Err(number),
            other => Ok(vec![other + 1]),
        });
        assert_eq!(done, Err(5));
    }
}
