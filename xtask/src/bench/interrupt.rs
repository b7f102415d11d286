//! Nothing is left behind when a measurement on images is interrupted: a mount namespace of our own, and a thread that ends
//! everything in it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use windrow_testkit::{own_mounts, poll_until, root_only};

use crate::Result;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mount namespace that holds only us and what we started since.
#[derive(Clone, Debug)]
pub(super) struct Alone {
    namespace: PathBuf,
    /// What to remove when we are interrupted, mount points with everything below.
    doomed: Arc<Mutex<Vec<PathBuf>>>,
}

impl Alone {
    /// Begins one, and listens for signals from now on; none where that is not allowed, which is said loudly. To be called by
    /// the main thread before others are started.
    ///
    /// # Errors
    ///
    /// Fails when the signals cannot be listened for.
    pub(super) fn begin(what: &str) -> Result<Option<Self>> {
        let before = namespace_of(Path::new("/proc/thread-self"))?;
        let Some(()) = root_only(what).and_then(own_mounts) else { return Ok(None) };
        let namespace = namespace_of(Path::new("/proc/thread-self"))?;
        if namespace == before {
            return Err("the mount namespace is still everyone's".into());
        }
        let alone = Self { namespace, doomed: Arc::default() };
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let watcher = alone.clone();
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                eprintln!("interrupted: ending and removing everything");
                // The main thread will miss what is killed and removed, which is nothing to tell.
                std::panic::set_hook(Box::new(|_| {}));
                watcher.end();
                std::process::exit(128 + signal);
            }
        });
        Ok(Some(alone))
    }

    /// Has a directory removed when we are interrupted.
    pub(super) fn doom(&self, path: &Path) {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    }

    /// Kills everything else in the namespace, until there is nothing.
    pub(super) fn kill_others(&self) {
        poll_until(PATIENCE, "what was measured ends", || {
            let others = self.others();
            others.iter().for_each(|pid| self.kill(*pid));
            others.is_empty()
        });
    }

    fn end(&self) {
        // Held until the exit: nothing is to be added any more.
        let doomed = self.doomed.lock().unwrap_or_else(PoisonError::into_inner);
        self.kill_others();
        for path in doomed.iter() {
            let _ = Command::new("umount").arg("--lazy").arg(path.join("mnt")).output();
            let _ = fs::remove_dir_all(path);
        }
    }

    fn others(&self) -> Vec<Pid> {
        let own = std::process::id().to_string();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
        let numbers = entries.filter(|name| name.as_bytes().iter().all(u8::is_ascii_digit) && *name != *own);
        let pids = numbers.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
        pids.filter(|pid| self.holds(*pid)).collect()
    }

    /// A zombie has no namespace any more and is nothing to kill.
    fn holds(&self, pid: Pid) -> bool {
        let home = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        namespace_of(&home).is_ok_and(|namespace| namespace == self.namespace)
    }

    /// The descriptor is opened before the process is looked at, so that what is killed is what was seen.
    fn kill(&self, pid: Pid) {
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
            && self.holds(pid)
        {
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }
}

fn namespace_of(process: &Path) -> std::io::Result<PathBuf> {
    fs::read_link(process.join("ns/mnt"))
}

#[cfg(test)]
mod tests {
    use windrow_testkit::{Invocation, Surroundings};

    use super::*;

    /// Our own namespace, as it is in a thread that made none.
    fn everyones() -> PathBuf {
        namespace_of(Path::new("/proc/thread-self")).expect("/proc is mounted")
    }

    #[test]
    fn only_processes_of_the_namespace_are_others() {
        let Some(root) = root_only("a mount namespace") else { return };
        thread::spawn(move || {
            let surroundings = Surroundings::new();
            let outer = everyones();
            let mut outside = Invocation::new("sleep", surroundings.root(), &surroundings).arg("600").spawn();
            let Some(()) = own_mounts(root) else { return };
            assert_ne!(everyones(), outer);
            let alone = Alone { namespace: everyones(), doomed: Arc::default() };
            let mut inside = Invocation::new("sleep", surroundings.root(), &surroundings).arg("600").spawn();
            poll_until(PATIENCE, "the process is seen", || alone.others().len() == 1);
            alone.kill_others();
            poll_until(PATIENCE, "the process is gone", || !inside.is_running());
            assert!(outside.is_running());
            outside.kill_alone();
        })
        .join()
        .expect("no assertion failed");
    }
}
