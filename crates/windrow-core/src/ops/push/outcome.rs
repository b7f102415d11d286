//! What is asked of a push, and what comes of it.

use windrow_model::{BranchName, Oid, WorktreeName};

use crate::ops::request::Selector;

/// What is to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushSource {
    /// What a worktree has committed; a name also stands for the branch of one that is gone, or for a branch of that name.
    Worktree(Selector),
    /// A branch.
    Branch(BranchName),
}

/// Whether a pull request is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PullRequestWish {
    /// No.
    #[default]
    None,
    /// The configured command is run, or the address that the remote offers is told.
    Open,
}

/// Asks to push work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    /// What.
    pub source: PushSource,
    /// Where to: a remote's name or address; `None` is as git is configured, else `origin`.
    pub remote: Option<String>,
    /// The branch there; `None` is that of the work.
    pub to: Option<BranchName>,
    /// Whether a pull request is wished for.
    pub pull_request: PullRequestWish,
}

impl PushRequest {
    /// A push of `source`, everything as configured.
    #[must_use]
    pub fn new(source: PushSource) -> Self {
        Self { source, remote: None, to: None, pull_request: PullRequestWish::None }
    }
}

/// What became of work that was to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedFate {
    /// The remote holds it now.
    Pushed,
    /// The remote held it before.
    AlreadyThere,
}

/// A push that went well: the remote was heard to hold the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What became of it.
    pub fate: PushedFate,
    /// The remote.
    pub remote: String,
    /// The branch there.
    pub to: BranchName,
    /// Where that was; `None` when it was not there.
    pub before: Option<Oid>,
    /// Where it is now.
    pub after: Oid,
    /// The commit that was pushed; another than `after` where the remote had commits that the work had not.
    pub source: Oid,
    /// The branch it was on.
    pub branch: Option<BranchName>,
    /// The worktree it came from.
    pub worktree: Option<WorktreeName>,
    /// How many times it was tried.
    pub attempts: u32,
    /// The pull request, if one was wished for.
    pub pull_request: Option<PullRequest>,
    /// What the user should know, one line each.
    pub notices: Vec<String>,
}

/// What came of the wish for a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullRequest {
    /// The address at which the remote offers to make one.
    Offered(String),
    /// The configured command ended with this exit code.
    Command(i32),
    /// The remote offered nothing, and no command is configured.
    Nothing,
}
