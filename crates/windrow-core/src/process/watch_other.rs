//! Watching where neither changes of files nor ends of processes can be waited for: everything seems to have changed every ten
//! seconds, so that whoever watches looks again.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use windrow_model::ProcessIdentity;

use super::{Watched, Woken};
use crate::process::signals::Signals;

const INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Watch {
    signals: Signals,
    told: bool,
}

impl Watch {
    pub(super) fn new(_directory: &Path, _names: &'static [&'static str]) -> io::Result<Self> {
        Ok(Self { signals: Signals::farewell()?, told: false })
    }

    pub(super) fn set_processes(&mut self, _wanted: &[ProcessIdentity]) -> io::Result<Watched> {
        Ok(Watched::All)
    }

    pub(super) fn set_files(&mut self, _files: &[PathBuf]) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<Woken> {
        let capped = timeout.min(INTERVAL);
        let limit = Timespec::try_from(capped).unwrap_or(Timespec { tv_sec: 10, tv_nsec: 0 });
        let mut fds = [PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.told |= !self.signals.pending().is_empty();
        Ok(match (self.told, capped < timeout) {
            (true, _) => Woken::Told,
            (false, true) => Woken::Changed,
            (false, false) => Woken::Time,
        })
    }

    pub(super) fn forget_changes(&mut self) {}
}
