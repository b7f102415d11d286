//! Batches: many tasks that one call gives each a worktree of its own, and what became of each.

use std::{fmt, str::FromStr, time::Duration};

use crate::{BranchName, NameError, Oid, RescueId, WorktreeId, WorktreeName};

/// How long a batch's name may be, so that its worktrees' names have room for numbers.
const LONGEST: usize = 40;

/// Names a batch; the names of its worktrees begin with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(WorktreeName);

impl BatchId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name of the worktree of task `number` in try `attempt` of the `run`th call, all counted from 1.
    #[must_use]
    pub fn worktree(&self, number: usize, run: u32, attempt: u32) -> Option<WorktreeName> {
        let again = match (run, attempt) {
            (1, 1) => String::new(),
            (1, attempt) => format!("-try{attempt}"),
            (run, 1) => format!("-run{run}"),
            (run, attempt) => format!("-run{run}-try{attempt}"),
        };
        format!("{self}-{number}{again}").parse().ok()
    }
}

impl FromStr for BatchId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > LONGEST {
            return Err(NameError::TooLong(text.len()));
        }
        text.parse().map(Self)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a task of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It was ended because its time was over.
    TimedOut,
    /// It never began, because the task that it depends on did not succeed.
    Skipped,
    /// It never began, because it got no worktree or its command could not be started.
    Refused,
    /// It was stopped before it ended. That is no result: it is done when the batch is resumed.
    Stopped,
}

const ENDS: [(TaskEnd, &str); 6] = [
    (TaskEnd::Succeeded, "succeeded"),
    (TaskEnd::Failed, "failed"),
    (TaskEnd::TimedOut, "timed_out"),
    (TaskEnd::Skipped, "skipped"),
    (TaskEnd::Refused, "refused"),
    (TaskEnd::Stopped, "stopped"),
];

impl TaskEnd {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ENDS.iter().find(|(end, _)| *end == self).map_or("", |(_, word)| word)
    }
}

impl FromStr for TaskEnd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ENDS.iter().find(|(_, word)| *word == text).map(|(end, _)| *end).ok_or_else(|| text.to_owned())
    }
}

/// What is said about the work of a task when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub end: TaskEnd,
    /// The exit code of its command, 128 and more for a signal.
    pub exit: Option<i32>,
    /// More about it, for people; empty where there is nothing to say.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a task's worktree left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harvest {
    /// The name of the worktree.
    pub name: WorktreeName,
    /// The commit that it began at.
    pub base: Oid,
    /// Its branch and the commit that is at, where the branch stays.
    pub branch: Option<(BranchName, Oid)>,
    /// Commits since the base.
    pub commits: u64,
    /// Files changed by them.
    pub files: u64,
    /// Lines added by them.
    pub added: u64,
    /// Lines deleted by them.
    pub deleted: u64,
    /// Where uncommitted, untracked and ignored work is.
    pub rescue: Option<RescueId>,
    /// What became of the worktree: `removed`, `vanished`, `kept` or `quarantined`.
    pub fate: String,
}

/// One task of a batch on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchTask {
    /// Its key, one of a kind in the batch.
    pub key: String,
    /// How often it was tried by the call that ended it.
    pub attempts: u32,
    /// What is said about its work.
    pub verdict: Verdict,
    /// The worktree of the last try.
    pub worktree: Option<WorktreeId>,
    /// What that left.
    pub harvest: Option<Harvest>,
    /// Whether this is what it comes to; otherwise its command has ended, but its worktree was not given back yet.
    pub settled: Settled,
}

/// Whether a task's record is its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is.
    Yes,
    /// What the worktree left is not known yet.
    NotYet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tries_share_a_name() {
        let batch: BatchId = "nightly".parse().unwrap();
        let mut names = std::collections::BTreeSet::new();
        for (number, run, attempt) in (1..12)
            .flat_map(|number| (1..4).flat_map(move |run| (1..4).map(move |attempt| (number, run, attempt))))
        {
            assert!(names.insert(batch.worktree(number, run, attempt).unwrap()), "{number} {run} {attempt}");
        }
        assert_eq!(batch.worktree(3, 1, 1).unwrap().as_str(), "nightly-3");
        assert_eq!(batch.worktree(3, 2, 4).unwrap().as_str(), "nightly-3-run2-try4");
    }

    #[test]
    fn a_batch_leaves_room_in_its_worktrees_names() {
        let longest: BatchId = "x".repeat(LONGEST).parse().unwrap();
        assert!(longest.worktree(999_999, 999, 99).is_some());
        assert!("x".repeat(LONGEST + 1).parse::<BatchId>().is_err() && "A".parse::<BatchId>().is_err());
    }

    #[test]
    fn words_of_ends_read_back() {
        for (end, word) in ENDS {
            assert_eq!((end.as_str(), word.parse()), (word, Ok(end)));
        }
    }
}
