//! Watching by inotify and pidfds.
//!
//! *Source*: inotify(7), pidfd_open(2) (Linux 5.3): a pidfd is readable once its process has ended, zombies included.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
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
    others: Option<Others>,
    /// One of the others changed, and something more urgent was told.
    moved: bool,
}

/// Files anywhere, by the watched directory that each is in.
#[derive(Debug)]
struct Others {
    events: OwnedFd,
    names: HashSet<(i32, OsString)>,
}

const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

impl Watch {
    pub(super) fn new(directory: &Path, names: &'static [&'static str]) -> io::Result<Self> {
        let files = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(&files, directory, CHANGES)?;
        let (signals, processes) = (Signals::farewell()?, HashMap::new());
        Ok(Self { files, names, signals, told: false, processes, others: None, moved: false })
    }

    pub(super) fn set_files(&mut self, files: &[PathBuf]) -> io::Result<()> {
        self.moved = false;
        self.others = if files.is_empty() { None } else { Some(Others::new(files)?) };
        Ok(())
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
        let timeout = if self.moved { Duration::ZERO } else { timeout };
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut fds =
            vec![PollFd::new(&self.files, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(self.others.iter().map(|others| PollFd::new(&others.events, PollFlags::IN)));
        let watched = fds.len();
        fds.extend(
            self.processes.values().map(|handle| PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)),
        );
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = fds.iter().skip(watched).any(|fd| !fd.revents().is_empty());
        drop(fds);
        self.told |= !self.signals.pending().is_empty();
        if self.told {
            return Ok(Woken::Told);
        }
        self.moved |= self.others.as_ref().is_some_and(Others::take_changes);
        let changed = self.take_changes();
        Ok(match (ended, changed) {
            (true, _) => Woken::Ended,
            (false, Woken::Time) if mem::take(&mut self.moved) => Woken::Moved,
            (false, changed) => changed,
        })
    }

    pub(super) fn forget_changes(&mut self) {
        self.take_changes();
    }

    fn take_changes(&mut self) -> Woken {
        let is_known = |_, name: &[u8]| self.names.iter().any(|known| known.as_bytes() == name);
        if has_changes(&self.files, is_known) { Woken::Changed } else { Woken::Time }
    }
}

impl Others {
    fn new(files: &[PathBuf]) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut names = HashSet::new();
        for file in files {
            names.extend(watch_around(&events, file)?);
        }
        Ok(Self { events, names })
    }

    fn take_changes(&self) -> bool {
        let is_known = |watch, name: &[u8]| self.names.contains(&(watch, OsStr::from_bytes(name).to_owned()));
        has_changes(&self.events, is_known)
    }
}

/// Watches the nearest directory around a file that there is; tells which, and the name to wait for in it.
fn watch_around(events: &OwnedFd, file: &Path) -> io::Result<Option<(i32, OsString)>> {
    let mut path = file;
    while let (Some(around), Some(name)) = (path.parent(), path.file_name()) {
        match inotify::add_watch(events, around, CHANGES) {
            Err(Errno::NOENT | Errno::NOTDIR) => path = around,
            added => return Ok(Some((added?, name.to_owned()))),
        }
    }
    Ok(None)
}

/// Reads every event; an overflow or the end of a directory itself counts as a change.
fn has_changes(events: &OwnedFd, is_known: impl Fn(i32, &[u8]) -> bool) -> bool {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    let own = ReadFlags::QUEUE_OVERFLOW
        | ReadFlags::DELETE_SELF
        | ReadFlags::MOVE_SELF
        | ReadFlags::UNMOUNT
        | ReadFlags::IGNORED;
    let mut changed = false;
    while let Ok(event) = reader.next() {
        let named = event.file_name().is_some_and(|name| is_known(event.wd(), name.to_bytes()));
        changed |= named || event.events().intersects(own);
    }
    changed
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
