//! Processes that still use a directory: found, waited for, killed.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::path::Path;
use std::time::Duration;

use crate::poll::poll_quietly;

/// Describes every other process that has its working directory, an open file or a mapping below `directory`;
/// one line each, empty when there is none.
///
/// On Linux only what /proc lets us read is seen; elsewhere nothing is.
pub fn processes_under(directory: &Path) -> Vec<String> {
    system::users_of(directory).into_iter().map(|user| user.description).collect()
}

/// Waits until nothing uses `directory`; returns what still does after `patience`.
pub(crate) fn wait_until_unused(directory: &Path, patience: Duration) -> Vec<String> {
    let mut left = Vec::new();
    poll_quietly(patience, || {
        left = processes_under(directory);
        left.is_empty().then_some(())
    });
    left
}

/// Kills everything that uses `directory`, until nothing does.
pub(crate) fn kill_under(directory: &Path) {
    poll_quietly(Duration::from_secs(5), || {
        let users = system::users_of(directory);
        users.iter().for_each(system::kill);
        users.is_empty().then_some(())
    });
}

/// A process found to use a directory.
pub(crate) struct User {
    pub(crate) description: String,
    #[cfg(target_os = "linux")]
    pub(crate) process: rustix::fd::OwnedFd,
}
