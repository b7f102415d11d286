//! How an operation tells what it is doing while it does it.

use jiff::Timestamp;
use windrow_model::WorktreeName;

/// Somebody who has a worktree that others wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The worktree.
    pub worktree: WorktreeName,
    /// Who has it, in words.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
}

/// Follows an operation. Every method may be called often and must return soon.
pub trait Observer: Send {
    /// A stage began; `total` is how many steps it has, when known.
    fn stage(&mut self, name: &str, total: Option<u64>) {
        let _ = (name, total);
    }

    /// `done` steps of the stage are over.
    fn advanced(&mut self, done: u64) {
        let _ = done;
    }

    /// The pool is full; `position` callers are ahead of us.
    fn waiting(&mut self, holders: &[HeldBy], position: usize) {
        let _ = (holders, position);
    }

    /// Something the user should know now.
    fn notice(&mut self, text: &str) {
        let _ = text;
    }

    /// A command was started in this worktree.
    fn started(&mut self, worktree: &WorktreeName, pid: u32) {
        let _ = (worktree, pid);
    }
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
