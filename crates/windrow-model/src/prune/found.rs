//! What is known of each thing that may go.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::{BranchName, Oid, RescueId, WorktreeId, WorktreeName};

/// A worktree that nobody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableWorktree {
    /// Its id.
    pub id: WorktreeId,
    /// Its name.
    pub name: WorktreeName,
    /// The root of its files.
    pub path: PathBuf,
    /// The length of its files; `None` when that cannot be told.
    pub bytes: Option<u64>,
    /// The bytes that nothing else holds; `None` when that cannot be told, or no budget is asked for.
    pub unique: Option<u64>,
    /// Since when it is kept; `None` when that is not on record.
    pub since: Option<Timestamp>,
    /// Until when it is kept.
    pub until: Option<Timestamp>,
    /// What stands in the way, whatever the policy.
    pub obstacle: Option<StayReason>,
    /// What became of its commits.
    pub landing: LandingSeen,
}

/// A rescue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableRescue {
    /// Its id.
    pub id: RescueId,
    /// The name of the worktree it came from.
    pub worktree: WorktreeName,
    /// The length of its archive.
    pub bytes: u64,
    /// The bytes that nothing else holds; `None` when that cannot be told, or no budget is asked for.
    pub unique: Option<u64>,
    /// When it was made.
    pub since: Timestamp,
    /// Whether its configured time is over, or it is beyond the configured budget.
    pub due: bool,
    /// What stands in the way, whatever the policy.
    pub obstacle: Option<StayReason>,
}

/// A directory of what was thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableTrash {
    /// The directory.
    pub path: PathBuf,
    /// The bytes that nothing else holds; `None` when that cannot be told.
    pub unique: Option<u64>,
}

/// A worktree that is held ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableSpare {
    /// Its id.
    pub id: WorktreeId,
    /// Its name.
    pub name: WorktreeName,
    /// The root of its files.
    pub path: PathBuf,
    /// The bytes that nothing else holds; `None` when that cannot be told.
    pub unique: Option<u64>,
    /// When it was made.
    pub since: Timestamp,
    /// Whether it can be handed out as it is.
    pub usable: bool,
    /// What stands in the way, whatever the policy.
    pub obstacle: Option<StayReason>,
}

/// A checkout that worktrees are made from, which is looked at for a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableTemplate {
    /// The commit that it holds.
    pub commit: Oid,
    /// The root of its files.
    pub path: PathBuf,
    /// The bytes that nothing else holds; `None` when that cannot be told.
    pub unique: Option<u64>,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// Whether the next worktree could be made from it.
    pub serves: bool,
}

/// What counts against a budget, besides kept worktrees and rescues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetSeen {
    /// Trash; only directories that hold some.
    pub trash: Vec<PrunableTrash>,
    /// Worktrees that are held ready.
    pub spares: Vec<PrunableSpare>,
    /// Templates.
    pub templates: Vec<PrunableTemplate>,
    /// The unique bytes of what no policy takes: worktrees in use.
    pub fixed: u64,
    /// How many of those there are whose bytes cannot be told.
    pub untold: u32,
}

/// A branch that was made for a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunableBranch {
    /// Its name.
    pub name: BranchName,
    /// Where it is.
    pub tip: Oid,
    /// The name of the last worktree that was on it.
    pub worktree: WorktreeName,
    /// That worktree, when it is there still.
    pub there: Option<WorktreeId>,
    /// What stands in the way, whatever the policy.
    pub obstacle: Option<StayReason>,
    /// What became of its commits.
    pub landing: LandingSeen,
}

/// Bytes that go by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoingBytes {
    /// Of logs whose time is over; `None` when it cannot be told.
    pub logs: Option<u64>,
    /// Of what waits in the trash; `None` when it cannot be told.
    pub trash: Option<u64>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneSnapshot {
    /// Worktrees that are kept or quarantined.
    pub worktrees: Vec<PrunableWorktree>,
    /// Rescues.
    pub rescues: Vec<PrunableRescue>,
    /// Branches made for worktrees that are gone or kept; empty when no policy asks for them.
    pub branches: Vec<PrunableBranch>,
    /// What goes by itself.
    pub going: GoingBytes,
    /// What else counts against a budget; `None` when no policy asks for it.
    pub budget: Option<BudgetSeen>,
}

/// How commits came into a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LandingWay {
    /// They are part of its history.
    Reached,
    /// Merging them once more would change nothing.
    NothingToAdd,
    /// The same changes are in its history as other commits, and none of them was undone.
    SameChanges,
}

/// Which side of a target holds commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LandingSide {
    /// The branch of this repository.
    Here,
    /// A remote-tracking branch.
    Remote,
}

/// Where commits are, besides their own branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// How they came there.
    pub way: LandingWay,
    /// Which side it is.
    pub side: LandingSide,
    /// The full name of the ref.
    pub into: String,
}

/// What is known about whether work came into its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandingSeen {
    /// Nobody asked.
    NotAsked,
    /// It did.
    In(Landed),
    /// It did not, or not wholly, or it was undone there.
    Out,
    /// There is work that is in no commit.
    Unsaved,
    /// No target is on record, or none of that name is left.
    NoTarget,
    /// It cannot be told; why, for people.
    Unchecked(String),
}

/// Why something stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StayReason {
    /// No policy names it.
    NotNamed,
    /// It is quarantined.
    Quarantined,
    /// Another command works on it.
    AtWork,
    /// The worktree that a rescue is of is not gone, so what was saved of it may be needed still.
    NotGone,
    /// Processes use it; which, for people.
    InUse(String),
    /// Whoever asks stands in it.
    Here,
    /// It cannot be proven to be what was made, or somebody locked it; why, for people.
    Unproven(String),
    /// Something cannot be told; why, for people.
    Unchecked(String),
    /// It holds work that is in no commit.
    Unsaved,
    /// Its commits did not come into the target.
    NotLanded,
    /// No target is on record, or none of that name is left.
    NoTarget,
    /// A worktree has the branch checked out, or will write it; where.
    CheckedOut(PathBuf),
    /// The work of another worktree lands on it.
    TargetOf(WorktreeName),
    /// The configuration says that branches are never deleted.
    NeverDeleted,
    /// Its history does not begin with the entry of the worktree that it was made for.
    Unmarked,
}

impl StayReason {
    /// Tells whether somebody uses it now, which does not postpone the end of its configured time.
    pub(super) fn is_use(&self) -> bool {
        matches!(self, Self::InUse(_) | Self::Here)
    }
}
