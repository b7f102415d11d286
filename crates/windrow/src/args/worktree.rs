//! Options that several commands share.

use std::{ffi::OsString, time::Duration};

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;
use windrow_model::{BranchName, LeaseKey, Strategy, WorktreeName, parse_duration};

use super::value::{self, Target};
use crate::completion;

/// Which worktree is wanted.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Worktree")]
pub(crate) struct WorktreeArgs {
    /// Start from this branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// Use this branch; it is made when it does not exist
    #[arg(long, value_name = "BRANCH", conflicts_with = "detach")]
    pub(crate) branch: Option<BranchName>,
    /// Use no branch
    #[arg(long)]
    pub(crate) detach: bool,
    /// Name the worktree; a kept one of that name is used again as it is
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(completion::worktrees))]
    pub(crate) name: Option<WorktreeName>,
    /// Your own id for the task; the same key gives the same lease again
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<LeaseKey>,
    /// Wait for at most this long when the pool is full
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Leave the worktree in place for this long afterwards
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) keep: Option<Duration>,
    /// Make its files in this way instead of the fastest, and take none that is held ready
    #[arg(long, value_name = "WAY", value_enum)]
    pub(crate) strategy: Option<StrategyArg>,
    /// Take no untracked files along
    #[arg(long)]
    pub(crate) no_carry: bool,
}

/// A way to make the files of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// A template shown below what is changed, to the command alone
    Overlay,
    /// A snapshot of a template (btrfs)
    Snapshot,
    /// Files that share blocks with a template (btrfs, xfs)
    Clone,
    /// Copies of a template's files
    Copy,
    /// Files from git's objects
    Checkout,
}

impl StrategyArg {
    /// The key and value that say the same.
    pub(super) fn config(strategy: Option<Self>) -> Vec<(String, String)> {
        let name = strategy.map(|strategy| strategy.strategy().as_str());
        name.map(|name| ("pool.strategy".to_owned(), name.to_owned())).into_iter().collect()
    }

    fn strategy(self) -> Strategy {
        match self {
            Self::Overlay => Strategy::Overlay,
            Self::Snapshot => Strategy::Snapshot,
            Self::Clone => Strategy::Clone,
            Self::Copy => Strategy::Copy,
            Self::Checkout => Strategy::Checkout,
        }
    }
}

impl WorktreeArgs {
    /// What these say that the configuration says as well.
    pub(crate) fn config(&self) -> Vec<(String, String)> {
        StrategyArg::config(self.strategy)
    }
}

/// What happens to unsaved work.
#[derive(Debug, Default, Args)]
pub(crate) struct WorkArgs {
    /// Throw away at the end what is not committed, instead of rescuing it
    #[arg(long, help_heading = "Worktree")]
    pub(crate) discard: bool,
}

/// A command to run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Command")]
pub(crate) struct CommandArgs {
    /// End the command after this time (exit code 124)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Also write the command's output to a log; it then sees pipes, no terminal
    #[arg(long)]
    pub(crate) log: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// Which worktree is meant; by default the one we stand in, or run under.
#[derive(Debug, Default, Args)]
pub(crate) struct SelectorArgs {
    /// A name, a lease id or a path; without it the worktree you stand in
    #[arg(
        value_name = "WORKTREE",
        value_parser = value::target(),
        conflicts_with = "key",
        add = ArgValueCandidates::new(completion::worktrees)
    )]
    pub(crate) target: Option<Target>,
    /// Select by the key given at acquire
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<LeaseKey>,
}
