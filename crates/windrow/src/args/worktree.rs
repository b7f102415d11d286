//! Options that several commands share.

use std::{ffi::OsString, time::Duration};

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCandidates;
use windrow_model::{BranchName, LeaseKey, WorktreeName, parse_duration};

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
    /// Take no untracked files along
    #[arg(long)]
    pub(crate) no_carry: bool,
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
