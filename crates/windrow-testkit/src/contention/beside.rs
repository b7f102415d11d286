//! A user who works with plain git beside it all, in the main checkout and in a worktree that is none of Windrow's.
//!
//! The loops do not disturb each other: one of them writes in the main checkout, one in the foreign worktree, and one reads. What
//! lists all refs is done by the loop that deletes some, because a git that lists fails when another deletes at that moment.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Arena;
use crate::Outcome;

/// What became of the user's git commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unrelated {
    /// How many there were.
    pub commands: u64,
    /// Each that failed or complained, in words.
    pub failures: Vec<String>,
}

impl Unrelated {
    /// How many of 10,000 failed.
    pub fn rate(&self) -> f64 {
        self.failures.len() as f64 * 10_000.0 / self.commands.max(1) as f64
    }

    fn note(&mut self, outcome: &Outcome) -> bool {
        self.commands += 1;
        let well = outcome.code == 0 && outcome.stderr.is_empty();
        if !well {
            self.failures.push(outcome.to_string());
        }
        well
    }

    fn and(mut self, other: Self) -> Self {
        self.commands += other.commands;
        self.failures.extend(other.failures);
        self
    }
}

impl Arena {
    pub(super) fn prepare_beside(&self) {
        // Without reflogs a loop that commits does not change what is compared of the git directory.
        self.repo.git(["config", "core.logAllRefUpdates", "false"]);
        self.repo.git(["worktree", "add", "--quiet", "-b", "foreign", "../foreign"]);
    }

    /// Where the user's own worktree lies.
    pub(super) fn foreign(&self) -> PathBuf {
        self.repo.root().join("foreign")
    }

    /// Does `work` while the user works beside it.
    pub fn beside<T>(&self, work: impl FnOnce() -> T) -> (T, Unrelated) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let loops = [
                scope.spawn(|| repeat(&over, |number, seen| self.write(number, seen))),
                scope.spawn(|| repeat(&over, |number, seen| self.write_in_foreign(number, seen))),
                scope.spawn(|| repeat(&over, |_, seen| self.read(seen))),
            ];
            let stop = Stop(&over);
            let done = work();
            drop(stop);
            let seen = loops.map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            (done, seen.into_iter().fold(Unrelated::default(), Unrelated::and))
        })
    }

    fn call(&self, directory: &Path, arguments: &[&str], seen: &mut Unrelated) -> bool {
        seen.note(&self.repo.git_invocation(directory).args(arguments).env("GIT_OPTIONAL_LOCKS", "1").run())
    }

    /// Branches, what lists them, configuration, and a fetch that brings something.
    fn write(&self, number: u64, seen: &mut Unrelated) {
        let (main, branch) = (self.repo.path(), format!("topic-{number}"));
        if self.call(main, &["branch", &branch], seen) {
            self.call(main, &["branch", "--list"], seen);
            self.call(main, &["log", "--oneline", "--all", "-5"], seen);
            self.call(main, &["branch", "--quiet", "-D", &branch], seen);
        }
        if self.call(main, &["config", "soak.number", &number.to_string()], seen) {
            self.call(main, &["config", "--get", "soak.number"], seen);
            self.call(main, &["config", "--unset", "soak.number"], seen);
        }
        self.publish(number);
        self.call(main, &["fetch", "--quiet", "--no-write-fetch-head", "origin"], seen);
    }

    fn publish(&self, number: u64) {
        let remote = self.repo.root().join("remote.git");
        let message = format!("Upstream {number}");
        let made = self.repo.git_in(&remote, ["commit-tree", "main^{tree}", "-p", "main", "-m", &message]);
        self.repo.git_in(&remote, ["update-ref", "refs/heads/main", &made]);
    }

    fn write_in_foreign(&self, number: u64, seen: &mut Unrelated) {
        let (place, message) = (self.foreign(), format!("Work {number}"));
        std::fs::write(place.join("README.md"), &message).expect("the user's own file");
        self.call(&place, &["status", "--porcelain"], seen);
        self.call(&place, &["commit", "--quiet", "--all", "--message", &message], seen);
        self.call(&place, &["log", "--oneline", "-3"], seen);
    }

    fn read(&self, seen: &mut Unrelated) {
        let main = self.repo.path();
        // A status that refreshes the index would change what is compared at the end.
        let status = self.repo.git_invocation(main).args(["status", "--porcelain"]).run();
        seen.note(&status);
        self.call(main, &["log", "--oneline", "-5"], seen);
        self.call(main, &["worktree", "list", "--porcelain"], seen);
    }
}

/// Ends the loops, also when the work panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn repeat(over: &AtomicBool, mut act: impl FnMut(u64, &mut Unrelated)) -> Unrelated {
    let mut seen = Unrelated::default();
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        act(number, &mut seen);
        number += 1;
    }
    seen
}
