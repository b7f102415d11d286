//! The options of `land`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use windrow_core::ops::VerifyRequest;
use windrow_model::{BranchName, LandStrategy, LeaseKey, RescueId, parse_duration};

use super::worktree::SelectorArgs;
use crate::completion;

/// How commits become part of their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LandArg {
    /// As `land.strategy` says
    #[value(hide = true)]
    Configured,
    /// By a merge commit
    Merge,
    /// As one commit
    Squash,
    /// The same commits again on top of it
    Rebase,
    /// The very same commits, where the target has no others
    Ff,
}

impl LandArg {
    pub(crate) fn strategy(self) -> Option<LandStrategy> {
        match self {
            Self::Configured => None,
            Self::Merge => Some(LandStrategy::Merge),
            Self::Squash => Some(LandStrategy::Squash),
            Self::Rebase => Some(LandStrategy::Rebase),
            Self::Ff => Some(LandStrategy::FastForward),
        }
    }
}

/// Arguments of `land`.
#[derive(Debug, Args)]
pub(crate) struct LandArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Land this branch instead of a worktree's
    #[arg(long, value_name = "BRANCH", conflicts_with_all = ["target", "key"])]
    pub(crate) branch: Option<BranchName>,
    /// Land what a rescue holds, but for its ignored files
    #[arg(
        long,
        value_name = "RESCUE",
        conflicts_with_all = ["target", "key", "branch"],
        add = ArgValueCandidates::new(completion::rescues)
    )]
    pub(crate) rescue: Option<RescueId>,
    /// How; as `land.strategy` says without it
    #[arg(long, value_name = "STRATEGY", value_enum, help_heading = "How")]
    strategy: Option<LandArg>,
    /// The same as --strategy squash
    #[arg(long, conflicts_with = "strategy", help_heading = "How")]
    squash: bool,
    /// Land on this branch instead of the one that the work began from
    #[arg(long, value_name = "BRANCH", help_heading = "How")]
    pub(crate) onto: Option<BranchName>,
    /// The message of the commit that a merge or a squash makes
    #[arg(long, short, value_name = "TEXT", help_heading = "How")]
    pub(crate) message: Option<String>,
    /// Your own id for this landing: one key lands once, whatever is asked for it later
    #[arg(long, value_name = "KEY", help_heading = "How")]
    pub(crate) land_key: Option<LeaseKey>,
    /// Also land what is not committed, as one more commit; it stays uncommitted in its worktree
    #[arg(long, help_heading = "How")]
    pub(crate) include_uncommitted: bool,
    /// Run this by `sh -c` on the merged files, in a worktree of its own, before anything moves; what fails does not land
    #[arg(long, value_name = "CMD", help_heading = "Verification")]
    verify: Option<String>,
    /// Run nothing, whatever `land.verify` says
    #[arg(long, conflicts_with = "verify", help_heading = "Verification")]
    no_verify: bool,
    /// End it after this time, and do not land
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Verification")]
    pub(crate) verify_timeout: Option<Duration>,
    /// Do not wait for the landings before it: print a ticket and return at once
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) queue: bool,
    /// Leave the result staged in the checkout that has the target, for you to commit; nothing is verified
    #[arg(long, conflicts_with_all = ["dry_run", "land_key", "queue", "verify"], help_heading = "How")]
    pub(crate) no_commit: bool,
    /// When it does not merge, leave the merge in progress in its worktree, with conflict markers, to be resolved there
    #[arg(long, conflicts_with_all = ["dry_run", "rescue", "include_uncommitted", "queue"], help_heading = "How")]
    pub(crate) prepare: bool,
    /// Only tell what would come of it; nothing is verified
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what became of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl LandArgs {
    pub(super) fn strategy(&self) -> Option<LandStrategy> {
        if self.squash { Some(LandStrategy::Squash) } else { self.strategy.and_then(LandArg::strategy) }
    }

    pub(super) fn verify(&self) -> VerifyRequest {
        match &self.verify {
            Some(command) => VerifyRequest::Command(command.clone()),
            None if self.no_verify => VerifyRequest::Nothing,
            None => VerifyRequest::Configured,
        }
    }
}
