//! What is asked of a landing, and what comes of it.

use std::{fmt, path::PathBuf, time::Duration};

use bstr::BString;
use windrow_model::{
    BranchName, LandStrategy, LandingId, LeaseKey, Oid, RescueId, WorktreeName, WorktreeRecord,
    format_duration,
};

use super::LandError;
use crate::{
    git::{self, Conflicts},
    ops::{outcome::WorkSummary, pool::Pool, request::Selector},
    process::Exit,
    store::LocalStore,
};

/// What is to be landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandSource {
    /// What a worktree has committed; by its name also of one that is gone, whose branch is there.
    Worktree(Selector),
    /// A branch.
    Branch(BranchName),
    /// What a rescue holds, but for its ignored files; a worktree's name stands for its newest.
    Rescue(RescueId),
}

/// How far a landing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LandMode {
    /// To its end.
    #[default]
    Land,
    /// Only as far as nothing changes, to see what would come of it.
    DryRun,
    /// Only into the target's checkout, where it stays staged for the user to commit.
    NoCommit,
}

/// What happens to a merge that does not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// It is told, and nothing is changed.
    #[default]
    Tell,
    /// It is told, and the target is merged into the work in its worktree, where it stays in progress to be resolved.
    Prepare,
}

/// What happens to work that is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IncludeUncommitted {
    /// It stands in the way.
    #[default]
    Refuse,
    /// It is landed as one more commit, and stays uncommitted where it is.
    Commit,
}

/// What is run on the merged files before anything moves.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum VerifyRequest {
    /// What is configured, if anything is.
    #[default]
    Configured,
    /// Nothing.
    Nothing,
    /// This, by `sh -c`.
    Command(String),
}

/// Asks to land work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandRequest {
    /// What.
    pub source: LandSource,
    /// How; `None` is as configured.
    pub strategy: Option<LandStrategy>,
    /// Where; `None` is the branch that the work began from.
    pub onto: Option<BranchName>,
    /// The message of the commit that a merge or a squash makes; `None` is made from those of the work.
    pub message: Option<String>,
    /// The caller's own id: one key lands once, whatever it is asked to land later.
    pub key: Option<LeaseKey>,
    /// How far.
    pub mode: LandMode,
    /// What happens to work that is not committed.
    pub uncommitted: IncludeUncommitted,
    /// What happens when it does not merge.
    pub on_conflict: OnConflict,
    /// What is run before anything moves.
    pub verify: VerifyRequest,
    /// How long that may take; `None` is as configured.
    pub verify_timeout: Option<Duration>,
}

impl LandRequest {
    /// A landing of `source`, everything as configured.
    #[must_use]
    pub fn new(source: LandSource) -> Self {
        Self {
            source,
            strategy: None,
            onto: None,
            message: None,
            key: None,
            mode: LandMode::Land,
            uncommitted: IncludeUncommitted::Refuse,
            on_conflict: OnConflict::Tell,
            verify: VerifyRequest::Configured,
            verify_timeout: None,
        }
    }
}

/// What became of work that was to be landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandedFate {
    /// The target holds it now.
    Landed,
    /// The target held it before.
    AlreadyThere,
    /// The target has nothing to gain from it.
    NothingToAdd,
    /// It would land; nothing was changed.
    WouldLand,
    /// It lies staged in the target's checkout; the target is where it was.
    Staged,
}

/// A landing that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Its id; `None` when nothing was changed.
    pub id: Option<LandingId>,
    /// What became of it.
    pub fate: LandedFate,
    /// How.
    pub strategy: LandStrategy,
    /// The branch landed on.
    pub target: BranchName,
    /// Where the target was.
    pub before: Oid,
    /// Where it is now, or would be.
    pub after: Oid,
    /// The commit that was landed.
    pub source: Oid,
    /// The branch it was on.
    pub branch: Option<BranchName>,
    /// The worktree it came from.
    pub worktree: Option<WorktreeName>,
    /// What it amounts to.
    pub work: WorkSummary,
    /// The checkout that changed with the target.
    pub place: Option<PathBuf>,
    /// What it stood before; `None` when nothing was run.
    pub verified: Option<Verified>,
    /// Whether the branch was deleted, by policy.
    pub branch_deleted: bool,
    /// What the user should know, one line each.
    pub notices: Vec<String>,
}

/// A verification that was stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The command.
    pub command: String,
    /// When and how.
    pub how: StoodHow,
    /// What it printed.
    pub log: Option<PathBuf>,
}

/// How a verification was stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoodHow {
    /// At the first try.
    AtOnce,
    /// The first try failed.
    AtTheSecondTry,
    /// The very same files stood the same command before.
    Before,
}

/// A verification that was not stood; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyFailure {
    /// The command.
    pub command: String,
    /// The branch that was to be landed on.
    pub target: BranchName,
    /// The commit that it would have got.
    pub candidate: Oid,
    /// How the command ended, the last time.
    pub exit: Exit,
    /// How long it was allowed to take, when it was ended because it took longer.
    pub timeout: Option<Duration>,
    /// How often it was run.
    pub tries: u32,
    /// What it printed, each time.
    pub log: Option<PathBuf>,
    /// The last lines of that.
    pub tail: String,
}

impl fmt::Display for VerifyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, target, .. } = self;
        write!(f, "`{command}` failed on what `{target}` would be: ")?;
        match (self.timeout, self.exit) {
            (Some(timeout), _) => write!(f, "it took longer than {}", format_duration(timeout))?,
            (None, Exit::Code(code)) => write!(f, "exit code {code}")?,
            (None, Exit::Signal(signal)) => write!(f, "signal {signal}")?,
        }
        if self.tries > 1 { write!(f, ", tried {} times", self.tries) } else { Ok(()) }
    }
}

/// A merge that did not go through; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictReport {
    /// The id of the landing that came to nothing.
    pub id: LandingId,
    /// How it was to be landed.
    pub strategy: LandStrategy,
    /// The branch landed on.
    pub target: BranchName,
    /// Where the target is.
    pub target_oid: Oid,
    /// The commit that was to be landed.
    pub source: Oid,
    /// The branch it is on.
    pub branch: Option<BranchName>,
    /// The worktree it is in.
    pub worktree: Option<WorktreeName>,
    /// The commit that both began from, if there is one.
    pub base: Option<Oid>,
    /// The commit of the work that does not fit; `None` when all of it was merged at once.
    pub at: Option<Oid>,
    /// What git says.
    pub conflicts: Conflicts,
    /// The files with conflict markers, each from its first marker on and cut short.
    pub hunks: Vec<(BString, String)>,
    /// The worktree in which the merge is in progress now, to be resolved.
    pub prepared: Option<PathBuf>,
}

/// A path of the checkout that a landing would change, and that is not as the target has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The path.
    pub path: BString,
    /// What is there.
    pub kind: OverlapKind,
}

/// What stands in the way of a landing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverlapKind {
    /// Something else is staged.
    Staged,
    /// The file was changed.
    Changed,
    /// The file was deleted.
    Deleted,
    /// A file that git does not track, ignored or not, lies where one would come.
    Untracked,
    /// Something of another kind is in its place, or above it: a link, a directory, a file.
    Replaced,
    /// Git was told not to look at it.
    Hidden,
    /// A submodule becomes files, or files a submodule.
    Submodule,
}

/// Tells whether a commit of a worktree's branch has landed, and its target still holds what came of it.
pub(in crate::ops) fn is_landed(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    tip: &Oid,
) -> Result<bool, LandError> {
    let (git, repo) = (&pool.git, pool.repository());
    for done in store.landings_of_commit(tip)? {
        if worktree.target.as_ref().is_some_and(|target| *target != done.target) {
            continue;
        }
        let at = git::read_ref(git, repo, &done.target.full())?;
        if at.is_some_and(|at| git::is_ancestor(git, repo, &done.candidate, &at).unwrap_or(false)) {
            return Ok(true);
        }
    }
    Ok(false)
}
