//! Arguments of `prune`.

use std::time::Duration;

use clap::Args;
use windrow_model::{PrunePolicy, parse_bytes, parse_duration};

/// Arguments of `prune`.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Worktrees kept, and rescues made, at least this long ago
    #[arg(long, value_name = "TIME", help_heading = "Policy", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// The oldest kept worktrees and rescues, until the rest holds at most this much
    #[arg(long, value_name = "SIZE", help_heading = "Policy", value_parser = parse_bytes)]
    to_bytes: Option<u64>,
    /// Trash, ready worktrees, kept ones, rescues, until everything held has at most this much to itself; without SIZE
    /// `pool.max_bytes`
    #[arg(long, value_name = "SIZE", num_args = 0..=1, help_heading = "Policy", value_parser = parse_bytes)]
    to_budget: Option<Option<u64>>,
    /// Kept worktrees and branches whose commits are in their target branch
    #[arg(long, help_heading = "Policy")]
    landed: bool,
    /// The same, also when they were squashed or rebased into it, or into the remote's branch of its name
    #[arg(long, help_heading = "Policy")]
    merged: bool,
    /// Only tell what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl PruneArgs {
    /// What is to go; the configured budget stands for one that is asked for without its size. `None` when none is configured.
    pub(crate) fn policy(&self, configured: Option<u64>) -> Option<PrunePolicy> {
        let to_budget = match self.to_budget {
            None => None,
            Some(given) => Some(given.or(configured)?),
        };
        Some(PrunePolicy {
            older_than: self.older_than,
            to_bytes: self.to_bytes,
            to_budget,
            landed: self.landed,
            merged: self.merged,
        })
    }
}
