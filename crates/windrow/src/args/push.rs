//! The options of `push`.

use std::{ffi::OsString, path::Path};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser},
};
use clap_complete::engine::ArgValueCandidates;
use windrow_core::ops::{PullRequestWish, PushRequest, PushSource};
use windrow_model::BranchName;

use super::value::{self, Target};
use crate::completion;

/// What is to be pushed, as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Worktree(Target),
    Branch(BranchName),
}

/// Why a word names no work.
#[derive(Debug, thiserror::Error)]
#[error("neither a worktree nor a branch; a path begins with `/` or `.`")]
pub(crate) struct WorkError;

impl Work {
    /// A worktree by name, lease or path that begins like one, else a branch.
    fn read(word: OsString) -> Result<Self, WorkError> {
        let bytes = word.as_encoded_bytes();
        let is_path = bytes.starts_with(b"/") || bytes.starts_with(b".");
        if (is_path || !bytes.contains(&b'/'))
            && let Ok(target) = Target::read(word.clone())
        {
            return Ok(Self::Worktree(target));
        }
        let branch = word.to_str().and_then(|text| text.parse().ok());
        branch.map(Self::Branch).ok_or(WorkError)
    }
}

/// Arguments of `push`.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// A worktree (name, lease id or path) or a branch; without it the worktree you stand in
    #[arg(
        value_name = "WORKTREE|BRANCH",
        value_parser = OsStringValueParser::new().try_map(Work::read),
        add = ArgValueCandidates::new(completion::worktrees)
    )]
    work: Option<Work>,
    /// To this remote, instead of the one that git pushes the branch to
    #[arg(long, value_name = "REMOTE", value_parser = value::remote)]
    remote: Option<String>,
    /// To this branch there
    #[arg(long, value_name = "BRANCH")]
    to: Option<BranchName>,
    /// Open a pull request by `push.pr_command`, or print the address that the remote offers
    #[arg(long)]
    pr: bool,
    /// Print what became of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl PushArgs {
    /// What was named, if anything was.
    pub(crate) fn source(&self, current_dir: &Path) -> Option<PushSource> {
        Some(match self.work.as_ref()? {
            Work::Worktree(target) => PushSource::Worktree(target.selector(current_dir)),
            Work::Branch(branch) => PushSource::Branch(branch.clone()),
        })
    }

    pub(crate) fn request(&self, source: PushSource) -> PushRequest {
        PushRequest {
            source,
            remote: self.remote.clone(),
            to: self.to.clone(),
            pull_request: if self.pr { PullRequestWish::Open } else { PullRequestWish::None },
        }
    }
}
