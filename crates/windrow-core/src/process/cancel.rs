//! Ending commands from outside: because this process was told to end, or because another command failed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::signals::Forwarding;

/// Tells the commands that were started with it, or with a clone of it, to end: SIGTERM, the grace, SIGKILL.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Line>);

/// A pipe whose closing everybody hears, now and later.
#[derive(Debug)]
struct Line {
    hears: OwnedFd,
    open: Mutex<Option<OwnedFd>>,
}

impl Cancel {
    /// A new one, which nothing has been told yet.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (hears, open) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self(Arc::new(Line { hears, open: Mutex::new(Some(open)) })))
    }

    /// Tells them, and those that are started later; for ever.
    pub fn cancel(&self) {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether they were told.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Waits until they are told, but not longer than `limit`.
    pub fn wait(&self, limit: std::time::Duration) {
        let limit = Timespec::try_from(limit).ok();
        // Interrupted or failed, it only comes back early.
        let _ = rustix::event::poll(&mut [PollFd::new(&self.0.hears, PollFlags::IN)], limit.as_ref());
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.hears.as_fd()
    }
}

impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cancel {}

/// Cancels when this process gets SIGINT, SIGTERM, SIGHUP or SIGQUIT, for as long as it lives; those signals do nothing else
/// meanwhile.
#[derive(Debug)]
pub struct Interruption {
    first: Arc<AtomicI32>,
    stop: Cancel,
    watcher: Option<JoinHandle<()>>,
}

impl Interruption {
    /// Begins to watch.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn watch(cancel: Cancel) -> io::Result<Self> {
        let signals = Forwarding::start()?;
        let (first, stop) = (Arc::new(AtomicI32::new(0)), Cancel::new()?);
        let (seen, stopped) = (Arc::clone(&first), stop.clone());
        let watcher = std::thread::spawn(move || listen(signals, &seen, &stopped, &cancel));
        Ok(Self { first, stop, watcher: Some(watcher) })
    }

    /// Ends the watch; returns the first of those signals that came.
    #[must_use]
    pub fn end(mut self) -> Option<i32> {
        self.stop();
        Some(self.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// What came before is seen: the watcher looks once more before it goes.
    fn stop(&mut self) {
        self.stop.cancel();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(mut signals: Forwarding, first: &AtomicI32, stop: &Cancel, cancel: &Cancel) {
    let mut watching = true;
    while watching {
        watching = !stop.is_cancelled();
        let mut fds = [
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        let _ = rustix::event::poll(&mut fds, None);
        let told =
            signals.pending().into_iter().find(|signal| [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(signal));
        if let Some(signal) = told {
            let _ = first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            cancel.cancel();
        }
    }
}
