//! Many callers that compete for few worktrees and die at random moments, and the proof that no two ever held the same one.
//!
//! Holding is observed twice: by the history that Windrow writes, and by marks that the holders put beside the worktrees.

mod beside;
mod callers;
mod checks;
mod random;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub use self::beside::Unrelated;
pub use self::callers::Contended;
use crate::TestRepo;

/// How much contention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contention {
    /// Callers at the same time.
    pub callers: usize,
    /// Leases to be held in sum.
    pub leases: u64,
    /// The share of calls that are killed, from 0 to 1.
    pub kills: f64,
    /// What decides about the wishes, the work and the death of each caller.
    pub seed: u64,
    /// Worktrees that may exist at once; everybody else waits in line.
    pub places: usize,
    /// How long one call may take, its wait included.
    pub patience: Duration,
    /// After this time nobody calls any more, however many leases were held.
    pub limit: Duration,
}

/// A repository on which callers compete, with a worktree of the user's and a remote.
#[derive(Debug)]
pub struct Arena {
    repo: TestRepo,
}

impl Arena {
    /// Prepares an ordinary repository.
    ///
    /// # Panics
    ///
    /// Panics when git or the file system refuses.
    pub fn new(repo: TestRepo) -> Self {
        let arena = Self { repo };
        fs::create_dir_all(arena.notes().join("marks")).expect("a directory can be made");
        fs::write(arena.script(), include_str!("holder.sh")).expect("the script can be written");
        arena.repo.add_remote();
        arena.prepare_beside();
        arena
    }

    /// The repository.
    pub fn repo(&self) -> &TestRepo {
        &self.repo
    }

    /// Where marks and logs lie: beside repository and worktrees.
    fn notes(&self) -> PathBuf {
        self.repo.root().join("notes")
    }

    fn script(&self) -> PathBuf {
        self.notes().join("holder.sh")
    }

    /// The lines that the holders wrote.
    fn noted(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.notes().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
