//! Signals as readable events, for the manager (which forwards them) and the reaper (which must outlive them).
//!
//! Locking: a process-wide count of watching managers. While it is zero, signals do what they would have done had
//! nobody ever watched.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::platform;

/// Signals whose default is to end or stop this process.
const FORWARDED: [i32; 7] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP];
/// Signals that do nothing by default.
const FOLLOWED: [i32; 2] = [SIGCONT, SIGWINCH];
/// What a terminal, a shell or a user may send to the reaper.
const OUTLIVED: [i32; 12] = [
    SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGALRM,
];

/// Arrived signals, one entry per kind.
#[derive(Debug)]
pub(super) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// For the reaper: takes everything that can be taken.
    pub(super) fn outlive() -> io::Result<Self> {
        Self::watch(&OUTLIVED)
    }

    /// For a process in the background: takes what asks it to go.
    pub(super) fn farewell() -> io::Result<Self> {
        Self::watch(&[SIGTERM, SIGINT, SIGHUP])
    }

    fn watch(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        SignalDelivery::with_pipe(read, write, SignalOnly, signals).map(Self)
    }

    /// The signals that arrived since the last call; never blocks.
    pub(super) fn pending(&mut self) -> Vec<i32> {
        self.0.pending().collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

/// The signals a manager passes on, for as long as this lives.
pub(super) struct Forwarding {
    signals: Signals,
    _watching: Watching,
}

impl Forwarding {
    /// Begins to watch. Signals that the process ignores (`nohup`) stay ignored.
    pub(super) fn start() -> io::Result<Self> {
        let ignored = platform::signal_masks()?.ignored;
        let wanted: Vec<i32> =
            FORWARDED.iter().chain(&FOLLOWED).copied().filter(|signal| !contains(ignored, *signal)).collect();
        let watching = Watching::start()?;
        Ok(Self { signals: Signals::watch(&wanted)?, _watching: watching })
    }

    pub(super) fn pending(&mut self) -> Vec<i32> {
        self.signals.pending()
    }
}

impl AsFd for Forwarding {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// One watching manager in the count.
struct Watching;

struct Idle {
    watchers: usize,
    /// True while nobody watches; exists once the defaults have been arranged.
    flag: Option<Arc<AtomicBool>>,
}

static IDLE: Mutex<Idle> = Mutex::new(Idle { watchers: 0, flag: None });

impl Watching {
    fn start() -> io::Result<Self> {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let flag = match &idle.flag {
            Some(flag) => Arc::clone(flag),
            None => keep_defaults()?,
        };
        flag.store(false, Ordering::SeqCst);
        idle.flag = Some(flag);
        idle.watchers += 1;
        Ok(Self)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.watchers -= 1;
        if idle.watchers == 0
            && let Some(flag) = &idle.flag
        {
            flag.store(true, Ordering::SeqCst);
        }
    }
}

/// Once a handler is installed it cannot be taken away safely; so it does the default action while nobody watches.
/// Signals that the program handles itself are left to its handler, which is called as well.
fn keep_defaults() -> io::Result<Arc<AtomicBool>> {
    let masks = platform::signal_masks()?;
    let flag = Arc::new(AtomicBool::new(true));
    for signal in FORWARDED {
        if !contains(masks.ignored | masks.caught, signal) {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))?;
        }
    }
    Ok(flag)
}

fn contains(mask: u64, signal: i32) -> bool {
    mask & (1 << (signal - 1)) != 0
}
