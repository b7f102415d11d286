//! The keeper's log: a line for each thing it did, with the time.
//!
//! It is `logs/_keeper.log`: no worktree can have that name, whose commands' log would otherwise be the same file.

use std::{collections::BTreeSet, io, path::Path};

use super::{Departure, KeeperError};
use crate::{
    ops::{error, observer::Observer, pool::Pool},
    process::{RotatedLog, TeeTarget},
};

const NAME: &str = "_keeper.log";
const MAX_BYTES: u64 = 1 << 20;

/// The open log.
#[derive(Debug)]
pub(super) struct Diary {
    log: RotatedLog,
    /// What was told since something happened; trying again in vain is not worth another line.
    told: BTreeSet<String>,
}

impl Diary {
    /// Opens the log in `directory`; it is put aside at 1 MiB, and two older ones are kept.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let target = TeeTarget { path: directory.join(NAME), max_bytes: MAX_BYTES, keep: 2 };
        Ok(Self { log: RotatedLog::open(&target)?, told: BTreeSet::new() })
    }

    /// Writes a line; a disk that is full keeps nobody from the work.
    pub(super) fn note(&mut self, text: &str) {
        let now = Pool::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let line = format!("{now} {}\n", text.replace(['\n', '\r'], " "));
        let _ = self.log.write(line.as_bytes());
    }

    /// Something happened: the same words are news again.
    pub(super) fn tell_again(&mut self) {
        self.told.clear();
    }

    /// Writes an error with its sources.
    pub(super) fn failure(&mut self, error: &KeeperError) {
        self.note(&error::chain(error));
    }

    /// Writes why the keeper ends.
    pub(super) fn farewell(&mut self, ended: &Result<Departure, KeeperError>) {
        match ended {
            Ok(Departure::NothingToKeep) => self.note("keeper ended: nothing to keep"),
            Ok(Departure::Told) => self.note("keeper ended: it was asked to"),
            Ok(Departure::Replaced) => self.note("keeper ended: there is another one"),
            Err(error) => {
                self.failure(error);
                self.note("keeper ended: it cannot go on");
            }
        }
    }
}

impl Observer for Diary {
    fn notice(&mut self, text: &str) {
        if self.told.insert(text.to_owned()) {
            self.note(text);
        }
    }
}
