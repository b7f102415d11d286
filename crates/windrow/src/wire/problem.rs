//! Failures on the wire.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Bytes, Conflict, FailedVerification, InTheWay, Time};

/// What kind of failure it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Code {
    /// The arguments are wrong.
    Usage,
    /// There is no repository here.
    NotARepository,
    /// There are several repositories to choose from.
    AmbiguousRepository,
    /// git does not trust the repository, or a directory is open to other users.
    Untrusted,
    /// The configuration is wrong.
    Config,
    /// There is no such worktree, lease, session, task, rescue, key or commit.
    NotFound,
    /// What was asked for stands against something that is there.
    Conflict,
    /// The caller's lease is an older one.
    StaleFence,
    /// Somebody who lives has what was asked for; it may work later.
    Busy,
    /// Somebody else changed it first: it is not in the expected state any more.
    Lost,
    /// Something of the user's is in the way of a landing, or work is not committed.
    Blocked,
    /// What a target would be did not stand its verification.
    VerifyFailed,
    /// The target of a landing moved each time; it may work later.
    TargetMoved,
    /// A remote does not take what was pushed.
    PushRefused,
    /// A remote cannot be reached, or did not answer in time; it may work later.
    Unreachable,
    /// Every worktree is in use.
    PoolExhausted,
    /// The disk is full.
    NoSpace,
    /// The state was written by a newer version.
    StateTooNew,
    /// The state is damaged or belongs to another repository.
    StateUnusable,
    /// The command to run was not found.
    CommandNotFound,
    /// The command to run cannot be executed.
    CommandNotExecutable,
    /// git failed, or is too old.
    Git,
    /// Work could not be proven to be saved, so nothing was removed.
    Unsaved,
    /// The system refused to read or write something.
    Io,
    /// A mistake in this program.
    Internal,
}

/// A failure.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WireError {
    /// What kind it is.
    pub(crate) code: Code,
    /// What happened, to what.
    pub(crate) message: String,
    /// Whether the same call may work later without anything being changed.
    pub(crate) retryable: bool,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Facts for programs.
    pub(crate) details: Details,
}

/// Facts about a failure; absent where they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Details {
    /// The worktree's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worktree: Option<String>,
    /// A file or directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Bytes>,
    /// A branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// The fence that is valid now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fence: Option<u64>,
    /// A task's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<String>,
    /// The state that it is in now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    /// The revision that it is at now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rev: Option<u64>,
    /// How many worktrees there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_worktrees: Option<u32>,
    /// Who has the worktrees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) holders: Vec<HeldWorktree>,
    /// What is in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<InTheWay>,
    /// What does not merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conflict: Option<Box<Conflict>>,
    /// What was run before anything was to move, and how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verification: Option<Box<FailedVerification>>,
    /// The repositories to choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) repositories: Vec<Bytes>,
}

/// A worktree that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct HeldWorktree {
    /// Its name.
    pub(crate) worktree: String,
    /// Who has it, in words.
    pub(crate) holder: String,
    /// Since when.
    pub(crate) since: Time,
}
