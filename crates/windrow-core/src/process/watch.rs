//! Waits for several things at once, without polling: processes that end, files of a directory that change, a signal that
//! asks us to go.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windrow_model::ProcessIdentity;

#[cfg(target_os = "linux")]
#[path = "watch_linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "watch_other.rs"]
mod system;

/// Why a wait ended; of several reasons the first in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Woken {
    /// SIGTERM, SIGINT or SIGHUP came, once or again, at any time since the watch began.
    Told,
    /// A watched process is no more.
    Ended,
    /// A watched file was written, made, replaced or deleted.
    Changed,
    /// One of the files of [`Watch::set_files`] was written, made, replaced or deleted.
    Moved,
    /// The time is over.
    Time,
}

/// What is watched, from its creation on. There should be one in a process, because it takes the signals.
#[derive(Debug)]
pub struct Watch(system::Watch);

impl Watch {
    /// Begins to watch the files of these `names` in `directory`, and the signals.
    ///
    /// # Errors
    /// The directory is missing, or the system has no watch left.
    pub fn new(directory: &Path, names: &'static [&'static str]) -> io::Result<Self> {
        system::Watch::new(directory, names).map(Self)
    }

    /// Watches these processes from now on, and no others. Returns whether all of them are: one that has ended, or for which no
    /// descriptor is left, is not.
    ///
    /// # Errors
    /// The process table cannot be read.
    pub fn set_processes(&mut self, wanted: &[ProcessIdentity]) -> io::Result<Watched> {
        self.0.set_processes(wanted)
    }

    /// Watches these files from now on, besides those of the beginning, and no others; changes of the former ones that were not
    /// waited for are forgotten. Where the directory around a file is missing, its being made is what is told.
    ///
    /// # Errors
    /// The system has no watch left.
    pub fn set_files(&mut self, files: &[PathBuf]) -> io::Result<()> {
        self.0.set_files(files)
    }

    /// Waits until one of the things happens, at most `timeout`. Time during which the machine sleeps does not count.
    ///
    /// # Errors
    /// The system cannot wait.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Woken> {
        self.0.wait(timeout)
    }

    /// Forgets changes of files that were not waited for yet.
    pub fn forget_changes(&mut self) {
        self.0.forget_changes();
    }
}

/// Whether every process that was asked for is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Their ends will be told.
    All,
    /// At least one has ended already, or cannot be watched.
    NotAll,
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::identify;

    const LONG: Duration = Duration::from_secs(20);

    fn watch(directory: &Path) -> Watch {
        Watch::new(directory, &["records"]).expect("a directory that is there can be watched")
    }

    #[test]
    fn a_written_file_wakes_and_its_neighbour_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = watch(dir.path());
        std::fs::write(dir.path().join("other"), "x").unwrap();
        assert_eq!(watch.wait(Duration::from_millis(50)).unwrap(), Woken::Time);
        std::fs::write(dir.path().join("records"), "x").unwrap();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Changed);
        std::fs::write(dir.path().join("records"), "y").unwrap();
        watch.forget_changes();
        assert_eq!(watch.wait(Duration::ZERO).unwrap(), Woken::Time);
    }

    #[test]
    fn files_that_are_added_wake_until_others_take_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = watch(dir.path());
        let refs = dir.path().join("refs");
        std::fs::create_dir(&refs).unwrap();
        watch.set_files(&[refs.join("main"), refs.join("feature/deep/one")]).unwrap();
        std::fs::write(refs.join("other"), "x").unwrap();
        assert_eq!(watch.wait(Duration::from_millis(50)).unwrap(), Woken::Time);
        std::fs::write(refs.join("main.lock"), "x").unwrap();
        std::fs::rename(refs.join("main.lock"), refs.join("main")).unwrap();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Moved);
        assert_eq!(watch.wait(Duration::ZERO).unwrap(), Woken::Time);
        // What is told after something else is not lost.
        std::fs::write(refs.join("main"), "x").unwrap();
        std::fs::write(dir.path().join("records"), "x").unwrap();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Changed);
        watch.forget_changes();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Moved);
        // The directory around it is not there yet.
        std::fs::create_dir_all(refs.join("feature/deep")).unwrap();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Moved);
        std::fs::write(refs.join("main"), "y").unwrap();
        watch.set_files(&[]).unwrap();
        std::fs::write(refs.join("main"), "z").unwrap();
        assert_eq!(watch.wait(Duration::from_millis(50)).unwrap(), Woken::Time);
    }

    #[test]
    fn the_end_of_a_process_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = watch(dir.path());
        #[expect(clippy::disallowed_methods, reason = "a process to watch")]
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = identify(child.id()).unwrap().unwrap();
        assert_eq!(watch.set_processes(std::slice::from_ref(&process)).unwrap(), Watched::All);
        child.kill().unwrap();
        assert_eq!(watch.wait(LONG).unwrap(), Woken::Ended);
        child.wait().unwrap();
        assert_eq!(watch.set_processes(&[]).unwrap(), Watched::All);
        assert_eq!(watch.set_processes(&[process]).unwrap(), Watched::NotAll);
        assert_eq!(watch.wait(Duration::ZERO).unwrap(), Woken::Time);
    }
}
