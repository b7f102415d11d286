//! Watching by inotify and pidfds.
//!
//! *Source*: inotify(7), pidfd_open(2) (Linux 5.3): a pidfd is readable once its process has ended, zombies included.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags};
use windrow_model::ProcessIdentity;

use super::{Watched, Woken};
use crate::process::identity::{Liveness, liveness, scope};
use crate::process::signals::Signals;

#[derive(Debug)]
pub(super) struct Watch {
    files: OwnedFd,
    names: &'static [&'static str],
    signals: Signals,
    told: bool,
    processes: HashMap<ProcessIdentity, OwnedFd>,
}

impl Watch {
    pub(super) fn new(directory: &Path, names: &'static [&'static str]) -> io::Result<Self> {
        let files = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&files, directory, flags)?;
        Ok(Self { files, names, signals: Signals::farewell()?, told: false, processes: HashMap::new() })
    }

    pub(super) fn set_processes(&mut self, wanted: &[ProcessIdentity]) -> io::Result<Watched> {
        self.processes.retain(|known, _| wanted.contains(known));
        let mut watched = Watched::All;
        for process in wanted {
            if self.processes.contains_key(process) {
                continue;
            }
            match open(process)? {
                Some(handle) => drop(self.processes.insert(process.clone(), handle)),
                None => watched = Watched::NotAll,
            }
        }
        Ok(watched)
    }

    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<Woken> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let woken = self.poll(left)?;
            // A neighbour of the watched files may have woken us in between.
            if woken != Woken::Time || Instant::now() >= deadline {
                return Ok(woken);
            }
        }
    }

    fn poll(&mut self, timeout: Duration) -> io::Result<Woken> {
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut fds =
            vec![PollFd::new(&self.files, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(
            self.processes.values().map(|handle| PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)),
        );
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = fds.iter().skip(2).any(|fd| !fd.revents().is_empty());
        drop(fds);
        self.told |= !self.signals.pending().is_empty();
        if self.told {
            return Ok(Woken::Told);
        }
        let changed = self.take_changes();
        Ok(if ended { Woken::Ended } else { changed })
    }

    pub(super) fn forget_changes(&mut self) {
        self.take_changes();
    }

    /// Reads every event; an overflow or the end of the directory itself counts as a change.
    fn take_changes(&mut self) -> Woken {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.files, &mut buffer);
        let mut woken = Woken::Time;
        while let Ok(event) = reader.next() {
            let own = ReadFlags::QUEUE_OVERFLOW
                | ReadFlags::DELETE_SELF
                | ReadFlags::MOVE_SELF
                | ReadFlags::UNMOUNT
                | ReadFlags::IGNORED;
            let named = event
                .file_name()
                .is_some_and(|name| self.names.iter().any(|known| known.as_bytes() == name.to_bytes()));
            if named || event.events().intersects(own) {
                woken = Woken::Changed;
            }
        }
        woken
    }
}

/// A handle of a process that lives: it is opened before the start time is compared, so that it cannot be a later one's. The
/// number of a process of another PID namespace says nothing here.
fn open(process: &ProcessIdentity) -> io::Result<Option<OwnedFd>> {
    if scope()? != process.scope {
        return Ok(None);
    }
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(handle) = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return Ok(None);
    };
    Ok((liveness(process)? == Liveness::Alive).then_some(handle))
}
