//! The options of `sync`.

use clap::Args;
use windrow_core::ops::{Selector, SyncManner, SyncRequest};
use windrow_model::BranchName;

use super::worktree::SelectorArgs;

/// Arguments of `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Write the worktree's own commits again on top, instead of a merge
    #[arg(long)]
    rebase: bool,
    /// The branch whose commits come, instead of the one that the work began from
    #[arg(long, value_name = "BRANCH")]
    from: Option<BranchName>,
    /// Print what came of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl SyncArgs {
    /// The worktree is named by the caller, who knows where we stand.
    pub(crate) fn request(&self, selector: Selector) -> SyncRequest {
        let manner = if self.rebase { SyncManner::Rebase } else { SyncManner::Merge };
        SyncRequest { selector, from: self.from.clone(), manner }
    }
}
