//! Being the one keeper of a pool: the lock, and who has it.
//!
//! # Compatibility
//! The lock file's one line is `VERSION PID START_TICKS SCOPE`; further words are ignored, and a line that cannot be read
//! counts as that of a keeper which is not older.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use windrow_model::ProcessIdentity;

use super::Departure;
use crate::{
    config,
    process::{self, FileLock, LockError, Wait},
};

/// How long an older keeper may take to finish what it is at.
const HANDOVER: Duration = Duration::from_secs(120);

/// The right to be the keeper, until it is given up or dropped.
#[derive(Debug)]
pub(in crate::ops) struct Post(FileLock);

/// What came of giving the post up.
pub(super) enum Vacancy {
    /// We have it again: there is something to keep.
    Filled(Post),
    /// It is not ours any more.
    Left(Departure),
}

impl Post {
    /// Takes the post; from an older version after asking it to go. `None` when somebody has it who is not older.
    pub(super) fn take(lock: &Path, version: &str) -> Result<Option<Self>, LockError> {
        let deadline = Instant::now() + HANDOVER;
        let mut asked = None;
        loop {
            if let Some(held) = FileLock::acquire(lock, Wait::No)? {
                // Without it a newer version would wait for its turn; the lock holds all the same.
                let _ = held.write_note(&note(version));
                return Ok(Some(Self(held)));
            }
            let older = incumbent(lock).filter(|other| config::is_older(&other.version, version));
            let Some(older) = older.filter(|_| Instant::now() < deadline) else { return Ok(None) };
            if asked.as_ref() != Some(&older.process) {
                if process::ask_to_end(&older.process).is_err() {
                    return Ok(None);
                }
                asked = Some(older.process);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the post from whoever has it, after asking it to go: nobody is to keep the pool any more. `None` when it does not
    /// go in time.
    pub(in crate::ops) fn relieve(lock: &Path) -> Result<Option<Self>, LockError> {
        let deadline = Instant::now() + HANDOVER;
        let mut asked = None;
        loop {
            if let Some(held) = FileLock::acquire(lock, Wait::No)? {
                let _ = held.write_note("");
                return Ok(Some(Self(held)));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            let holder = incumbent(lock).map(|other| other.process);
            if let Some(process) = holder.filter(|process| asked.as_ref() != Some(process)) {
                // One that cannot be asked may end by itself.
                let _ = process::ask_to_end(&process);
                asked = Some(process);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Leaves nothing behind.
    pub(in crate::ops) fn give_up(self) {
        // A lock file that stays does no harm.
        let _ = self.0.remove();
    }
}

/// Who has the post, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incumbent {
    pub(super) version: String,
    pub(super) process: ProcessIdentity,
}

/// Reads who has the post; `None` when it cannot be told.
pub(super) fn incumbent(lock: &Path) -> Option<Incumbent> {
    read(&process::note_of(lock).ok()?)
}

/// The number of the process that has the post; `None` when nobody has, or it cannot be told who.
pub(in crate::ops) fn incumbent_of(lock: &Path) -> Option<u32> {
    let held = process::is_free(lock).is_ok_and(|state| state == process::LockState::Held);
    incumbent(lock).filter(|_| held).map(|one| one.process.pid)
}

fn note(version: &str) -> String {
    match process::identify_self() {
        Ok(own) => format!("{version} {} {} {}\n", own.pid, own.start_ticks, own.scope),
        Err(_) => String::new(),
    }
}

fn read(note: &str) -> Option<Incumbent> {
    let mut words = note.split_ascii_whitespace();
    let version = words.next()?.to_owned();
    let (pid, start_ticks) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let scope = words.next()?.to_owned();
    Some(Incumbent { version, process: ProcessIdentity { pid, start_ticks, scope } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_post_is_one_ones_and_says_whose() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("keeper");
        let post = Post::take(&lock, "1.2.3").unwrap().unwrap();
        assert_eq!(incumbent(&lock).unwrap().version, "1.2.3");
        assert_eq!(incumbent(&lock).unwrap().process, process::identify_self().unwrap());
        for version in ["1.2.3", "1.2.2", "rubbish"] {
            assert!(Post::take(&lock, version).unwrap().is_none(), "{version}");
        }
        post.give_up();
        assert!(!lock.exists());
        assert!(Post::take(&lock, "1.2.2").unwrap().is_some());
    }

    #[test]
    fn a_line_that_cannot_be_read_names_nobody() {
        for note in ["", "1.0", "1.0 x 3 b", "1.0 4 3"] {
            assert_eq!(read(note), None, "{note}");
        }
        assert!(read("1.0 4 3 boot and more").is_some());
    }
}
