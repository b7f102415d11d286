//! Ends what a run left behind whose manager and reaper are gone: found by the occupancy lock.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::ending::{Hunt, Round, Straggler};
use super::lock::{LockError, LockState, is_free};
use super::table::{self, Row};
use super::{cgroup, occupancy, reaper};

/// How long a lock may seem held although nobody visible holds it, and how long processes that cannot be signalled may
/// take to leave by themselves.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest grace where the manager was killed: nobody waits for an orderly end, and the worktree shall be safe soon.
pub const ABANDONED_GRACE: Duration = Duration::from_secs(2);

/// Why a tree could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// The process table cannot be read.
    #[error("cannot read the process table")]
    Table(#[source] io::Error),
    /// The lock cannot be examined.
    #[error("cannot examine the occupancy lock")]
    Lock(#[source] LockError),
    /// Somebody who cannot be seen or signalled still holds the lock.
    #[error("occupancy lock `{path}` is still held by a process that cannot be ended from here")]
    StillHeld {
        /// The lock file.
        path: PathBuf,
        /// What was ended and what was not.
        stragglers: Vec<Straggler>,
    },
}

/// Ends every process that holds the occupancy lock `holders_of_lock`, and all their descendants: SIGTERM, at most `grace`,
/// then SIGKILL until none is left. Returns what was ended, by process number; empty when nobody held it or the file
/// is missing. The calling process is never signalled. Each signal goes through a pidfd to a process whose start time
/// was compared.
///
/// A reaper that still lives ends its own tree when it is told to, also those who closed the lock; it is not listed.
///
/// # Errors
/// [`KillError::StillHeld`] when a holder belongs to another user; else the table or the lock could not be read.
pub fn kill_tree(holders_of_lock: &Path, grace: Duration) -> Result<Vec<Straggler>, KillError> {
    let hunt = end_all(grace, &mut || holders(holders_of_lock)).map_err(KillError::Table)?;
    cgroup::sweep();
    let mut stragglers = hunt.stragglers();
    stragglers.retain(|straggler| straggler.command != reaper::NAME_TEXT);
    let until = Instant::now() + PATIENCE;
    while is_free(holders_of_lock).map_err(KillError::Lock)? == LockState::Held {
        if Instant::now() >= until {
            return Err(KillError::StillHeld { path: holders_of_lock.to_owned(), stragglers });
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(stragglers)
}

fn holders(lock: &Path) -> io::Result<Vec<u32>> {
    Ok(occupancy::holder_rows(lock)?.into_iter().map(|row| row.pid).collect())
}

/// Ends the processes that `roots` names (asked anew in each round) and everything below them.
pub(super) fn end_all(grace: Duration, roots: &mut dyn FnMut() -> io::Result<Vec<u32>>) -> io::Result<Hunt> {
    let mut hunt = Hunt::default();
    let kill_from = Instant::now() + grace;
    let mut stuck_since = None;
    let mut pause = Duration::from_millis(1);
    loop {
        let roots = roots()?;
        let table = table::rows()?;
        let victims = victims(&table, &roots, &hunt);
        if victims.is_empty() {
            return Ok(hunt);
        }
        if Instant::now() < kill_from {
            hunt.terminate(&victims);
        } else if hunt.kill(&victims) == Round::Stuck {
            if stuck_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Ok(hunt);
            }
        } else {
            stuck_since = None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Deepest first, so that a reaper that is killed has no child left that would escape from it.
fn victims<'t>(table: &'t BTreeMap<u32, Row>, roots: &[u32], hunt: &Hunt) -> Vec<&'t Row> {
    let own = std::process::id();
    let mut victims = table::descendants(table, roots);
    victims.reverse();
    let known = |row: &&Row| roots.contains(&row.pid) || hunt.knows(row);
    for row in table.values().filter(known) {
        if victims.iter().all(|victim| victim.pid != row.pid) {
            victims.push(row);
        }
    }
    victims.retain(|row| row.running && row.pid != own);
    victims
}
