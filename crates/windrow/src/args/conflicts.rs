//! The options of `conflicts`.

use std::path::Path;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use windrow_core::ops::ForecastRequest;
use windrow_model::BranchName;

use super::value::{self, Target};
use crate::completion;

/// Arguments of `conflicts`.
#[derive(Debug, Args)]
pub(crate) struct ConflictsArgs {
    /// Only tell what concerns these worktrees: names, lease ids or paths
    #[arg(
        value_name = "WORKTREE",
        value_parser = value::target(),
        add = ArgValueCandidates::new(completion::worktrees)
    )]
    worktrees: Vec<Target>,
    /// Land everything on this branch, instead of the one that it began from
    #[arg(long, value_name = "BRANCH")]
    onto: Option<BranchName>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ConflictsArgs {
    pub(crate) fn request(&self, current_dir: &Path) -> ForecastRequest {
        let only = self.worktrees.iter().map(|target| target.selector(current_dir)).collect();
        ForecastRequest { only, onto: self.onto.clone() }
    }
}
