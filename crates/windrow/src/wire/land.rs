//! Landings on the wire: what landed, what is in conflict, what is in the way.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::{
    git::{ConflictMessage, ConflictStage},
    ops,
    process::Exit,
};

use super::Bytes;

/// Work that was landed, or would be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Landing {
    /// The id of the landing; null when nothing was changed.
    id: Option<String>,
    /// What became of it.
    fate: LandedFate,
    /// `merge`, `squash`, `rebase` or `ff`.
    strategy: String,
    /// The branch landed on.
    target: String,
    /// Where the target was.
    before: String,
    /// Where it is now, or would be.
    after: String,
    /// The commit that was landed.
    source: String,
    /// The branch it was on.
    branch: Option<String>,
    /// The worktree it came from.
    worktree: Option<String>,
    /// New commits on the target.
    commits: u64,
    /// Files changed by them.
    files: u64,
    /// Lines added by them.
    added: u64,
    /// Lines deleted by them.
    deleted: u64,
    /// The checkout that changed with the target; null when there was none.
    place: Option<Bytes>,
    /// What was run before anything moved; null when nothing was.
    verification: Option<Verification>,
    /// Whether the branch was deleted, as `branch.delete` says.
    branch_deleted: bool,
    /// What the user should know.
    notices: Vec<String>,
}

/// What became of work that was to be landed.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LandedFate {
    /// The target holds it now.
    Landed,
    /// The target held it before.
    AlreadyThere,
    /// The target has nothing to gain from it.
    NothingToAdd,
    /// It would land.
    WouldLand,
    /// It lies staged in the target's checkout; the target is where it was.
    Staged,
}

impl From<&ops::Landed> for Landing {
    fn from(landed: &ops::Landed) -> Self {
        let fate = match landed.fate {
            ops::LandedFate::Landed => LandedFate::Landed,
            ops::LandedFate::AlreadyThere => LandedFate::AlreadyThere,
            ops::LandedFate::NothingToAdd => LandedFate::NothingToAdd,
            ops::LandedFate::WouldLand => LandedFate::WouldLand,
            ops::LandedFate::Staged => LandedFate::Staged,
        };
        Self {
            id: landed.id.map(|id| id.to_string()),
            fate,
            strategy: landed.strategy.to_string(),
            target: landed.target.to_string(),
            before: landed.before.to_string(),
            after: landed.after.to_string(),
            source: landed.source.to_string(),
            branch: landed.branch.as_ref().map(ToString::to_string),
            worktree: landed.worktree.as_ref().map(ToString::to_string),
            commits: landed.work.commits,
            files: landed.work.files,
            added: landed.work.added,
            deleted: landed.work.deleted,
            place: landed.place.as_deref().map(Bytes::path),
            verification: landed.verified.as_ref().map(Verification::from),
            branch_deleted: landed.branch_deleted,
            notices: landed.notices.clone(),
        }
    }
}

/// A verification that was stood.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Verification {
    /// What was run.
    command: String,
    /// How it was stood.
    stood: Stood,
    /// What it printed.
    log: Option<Bytes>,
}

/// How a verification was stood.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stood {
    /// At the first try.
    AtOnce,
    /// The first try failed.
    AtTheSecondTry,
    /// The very same files stood the same command before, so it was not run.
    Before,
}

impl From<&ops::Verified> for Verification {
    fn from(verified: &ops::Verified) -> Self {
        Self {
            command: verified.command.clone(),
            stood: match verified.how {
                ops::StoodHow::AtOnce => Stood::AtOnce,
                ops::StoodHow::AtTheSecondTry => Stood::AtTheSecondTry,
                ops::StoodHow::Before => Stood::Before,
            },
            log: verified.log.as_deref().map(Bytes::path),
        }
    }
}

/// A verification that was not stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FailedVerification {
    /// What was run.
    command: String,
    /// Its exit code, the last time; null when a signal ended it.
    code: Option<i32>,
    /// The signal that ended it.
    signal: Option<i32>,
    /// Whether it was ended because it took too long.
    timed_out: bool,
    /// How often it was run.
    tries: u32,
    /// The commit that the target would have got.
    candidate: String,
    /// What it printed.
    log: Option<Bytes>,
}

impl From<&ops::VerifyFailure> for FailedVerification {
    fn from(failure: &ops::VerifyFailure) -> Self {
        let (code, signal) = match failure.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        Self {
            command: failure.command.clone(),
            code,
            signal,
            timed_out: failure.timeout.is_some(),
            tries: failure.tries,
            candidate: failure.candidate.to_string(),
            log: failure.log.as_deref().map(Bytes::path),
        }
    }
}

/// A worktree that has its target's commits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WorktreeSync {
    /// The worktree.
    worktree: String,
    /// Its branch.
    branch: String,
    /// The branch whose commits it has.
    from: String,
    /// The last of them.
    source: String,
    /// `merge` or `rebase`.
    manner: SyncManner,
    /// Where the worktree's branch was.
    before: String,
    /// Where it is; the same when there was nothing new.
    after: String,
    /// How many commits came.
    commits: u64,
}

/// How the target's commits come into a worktree.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncManner {
    /// By a merge commit, or by the very same commits where the worktree had none of its own.
    Merge,
    /// The worktree's own commits were written again on top of them.
    Rebase,
}

impl From<&ops::Synced> for WorktreeSync {
    fn from(synced: &ops::Synced) -> Self {
        Self {
            worktree: synced.name.to_string(),
            branch: synced.branch.to_string(),
            from: synced.from.to_string(),
            source: synced.source.to_string(),
            manner: match synced.manner {
                ops::SyncManner::Merge => SyncManner::Merge,
                ops::SyncManner::Rebase => SyncManner::Rebase,
            },
            before: synced.before.to_string(),
            after: synced.after.to_string(),
            commits: synced.commits,
        }
    }
}

/// A merge that did not go through; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Conflict {
    /// The id of the landing.
    id: String,
    /// Always `conflict`.
    status: String,
    /// `merge`, `squash`, `rebase` or `ff`.
    strategy: String,
    /// The branch landed on.
    target_branch: String,
    /// The commit it is at.
    target: String,
    /// The commit that was to be landed.
    source: String,
    /// The commit that both began from.
    base: Option<String>,
    /// The commit of the work that does not fit; null when all of it was merged at once.
    at_commit: Option<String>,
    /// The merged tree, with conflict markers in its files.
    tree_with_markers: String,
    /// The files in conflict, each with its stages.
    files: Vec<ConflictFile>,
    /// Each conflict as git names it.
    conflicts: Vec<NamedConflict>,
    /// The worktree in which the merge is in progress now, to be resolved; null when nothing was changed.
    prepared: Option<Bytes>,
}

/// A path in conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ConflictFile {
    path: Bytes,
    stages: Stages,
}

/// What each side has at a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Stages {
    /// Where both began.
    #[serde(rename = "1")]
    base: Option<Stage>,
    /// The target.
    #[serde(rename = "2")]
    target: Option<Stage>,
    /// The work.
    #[serde(rename = "3")]
    source: Option<Stage>,
}

/// What one side has at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Stage {
    /// Git's mode, such as `100644`.
    mode: String,
    oid: String,
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct NamedConflict {
    /// Git's name for it, such as `CONFLICT (contents)`.
    #[serde(rename = "type")]
    kind: String,
    paths: Vec<Bytes>,
    /// One line for people.
    message: String,
}

impl From<&ops::ConflictReport> for Conflict {
    fn from(report: &ops::ConflictReport) -> Self {
        Self {
            id: report.id.to_string(),
            status: "conflict".to_owned(),
            strategy: report.strategy.to_string(),
            target_branch: report.target.to_string(),
            target: report.target_oid.to_string(),
            source: report.source.to_string(),
            base: report.base.map(|oid| oid.to_string()),
            at_commit: report.at.map(|oid| oid.to_string()),
            tree_with_markers: report.conflicts.tree.to_string(),
            files: files(&report.conflicts.stages),
            conflicts: report.conflicts.messages.iter().map(NamedConflict::from).collect(),
            prepared: report.prepared.as_deref().map(Bytes::path),
        }
    }
}

fn files(stages: &[ConflictStage]) -> Vec<ConflictFile> {
    let mut files: Vec<ConflictFile> = Vec::new();
    for stage in stages {
        let path = Bytes::new(&stage.path);
        if files.last().is_none_or(|last| last.path != path) {
            files.push(ConflictFile { path, stages: Stages::default() });
        }
        let found = Some(Stage { mode: stage.mode.clone(), oid: stage.oid.to_string() });
        if let Some(file) = files.last_mut() {
            match stage.stage {
                1 => file.stages.base = found,
                2 => file.stages.target = found,
                _ => file.stages.source = found,
            }
        }
    }
    files
}

impl From<&ConflictMessage> for NamedConflict {
    fn from(message: &ConflictMessage) -> Self {
        Self {
            kind: message.kind.clone(),
            paths: message.paths.iter().map(|path| Bytes::new(path)).collect(),
            message: message.text.clone(),
        }
    }
}

/// A path that is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct InTheWay {
    pub(crate) path: Bytes,
    /// What is there; null for a path that is only not committed.
    pub(crate) kind: Option<Obstacle>,
}

/// What is in the way of a landing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Obstacle {
    /// Something else is staged.
    Staged,
    /// The file was changed.
    Changed,
    /// The file was deleted.
    Deleted,
    /// A file that git does not track, ignored or not.
    Untracked,
    /// Something of another kind is in its place or above it.
    Replaced,
    /// Git was told not to look at it.
    Hidden,
    /// A submodule.
    Submodule,
}

impl From<ops::OverlapKind> for Obstacle {
    fn from(kind: ops::OverlapKind) -> Self {
        match kind {
            ops::OverlapKind::Staged => Self::Staged,
            ops::OverlapKind::Changed => Self::Changed,
            ops::OverlapKind::Deleted => Self::Deleted,
            ops::OverlapKind::Untracked => Self::Untracked,
            ops::OverlapKind::Replaced => Self::Replaced,
            ops::OverlapKind::Hidden => Self::Hidden,
            ops::OverlapKind::Submodule => Self::Submodule,
        }
    }
}
