//! A push on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops;

use super::V1;

/// Work that was pushed (`push`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PushDocument {
    v: V1,
    push: Push,
}

impl From<&ops::Pushed> for PushDocument {
    fn from(pushed: &ops::Pushed) -> Self {
        Self { v: V1::HERE, push: Push::from(pushed) }
    }
}

/// Work that a remote holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Push {
    /// What became of it.
    fate: PushedFate,
    /// The remote.
    remote: String,
    /// The branch there.
    to: String,
    /// Where that was; null when it was not there.
    before: Option<String>,
    /// Where it is now.
    after: String,
    /// The commit that was pushed; another than `after` where the remote had commits that the work had not.
    source: String,
    /// The branch it was on.
    branch: Option<String>,
    /// The worktree it came from.
    worktree: Option<String>,
    /// How many times it was tried.
    attempts: u32,
    /// The pull request that was wished for; null when none was.
    pull_request: Option<PullRequest>,
    /// What the user should know.
    notices: Vec<String>,
}

/// What became of work that was to be pushed.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PushedFate {
    /// The remote holds it now.
    Pushed,
    /// The remote held it before.
    AlreadyThere,
}

/// What came of the wish for a pull request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct PullRequest {
    /// The address at which the remote offers to make one.
    url: Option<String>,
    /// The exit code of `push.pr_command`; null when it was not run.
    command_exit: Option<i32>,
}

impl From<&ops::PullRequest> for PullRequest {
    fn from(made: &ops::PullRequest) -> Self {
        let (url, command_exit) = match made {
            ops::PullRequest::Offered(url) => (Some(url.clone()), None),
            ops::PullRequest::Command(code) => (None, Some(*code)),
            ops::PullRequest::Nothing => (None, None),
        };
        Self { url, command_exit }
    }
}

impl From<&ops::Pushed> for Push {
    fn from(pushed: &ops::Pushed) -> Self {
        Self {
            fate: match pushed.fate {
                ops::PushedFate::Pushed => PushedFate::Pushed,
                ops::PushedFate::AlreadyThere => PushedFate::AlreadyThere,
            },
            remote: pushed.remote.clone(),
            to: pushed.to.to_string(),
            before: pushed.before.as_ref().map(ToString::to_string),
            after: pushed.after.to_string(),
            source: pushed.source.to_string(),
            branch: pushed.branch.as_ref().map(ToString::to_string),
            worktree: pushed.worktree.as_ref().map(ToString::to_string),
            attempts: pushed.attempts,
            pull_request: pushed.pull_request.as_ref().map(PullRequest::from),
            notices: pushed.notices.clone(),
        }
    }
}
