//! Leaving a repository to plain git, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{DeinitFate, Deinited};
use windrow_model::{
    DeinitAction, DeinitObstacle, DeinitPlan, DeinitWorktree, RecordsSeen, RescueFate, SavedWork,
};

use super::{Bytes, V1};
use crate::settle;

/// What leaving the repository to plain git takes, and whether it was done (`deinit`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeinitDocument {
    v: V1,
    /// Whether this is only what would be done.
    dry_run: bool,
    /// Whether something stands in the way; nothing is removed then.
    obstructed: bool,
    /// What is wrong with the records; null when that does not stand in the way.
    records: Option<Trouble>,
    /// The number of the keeper that is told to go.
    keeper_pid: Option<u32>,
    worktrees: Vec<LeftWorktree>,
    rescues: Vec<LeftRescue>,
    /// What is removed.
    goes: Vec<Bytes>,
    /// What lies among it and is not ours to remove.
    stays: Vec<Bytes>,
}

/// Something that stands in the way.
#[derive(Debug, Serialize, JsonSchema)]
struct Trouble {
    /// `damaged` or `copied` records; a worktree that is `working`, `leased`, `unsaved`, `unchecked`, `quarantined` or has
    /// `no_record`; a `rescue`.
    kind: &'static str,
    /// More about it, for people.
    detail: Option<String>,
    /// How many paths are unsaved.
    unsaved_paths: Option<u64>,
    /// The commands that settle it, each by itself.
    commands: Vec<String>,
}

/// A worktree, with what is done about it.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftWorktree {
    id: String,
    name: String,
    path: Bytes,
    /// What is done: `hand_back`, `release` or `finish`; null when something stands in the way.
    action: Option<&'static str>,
    /// What stands in the way.
    obstacle: Option<Trouble>,
}

/// Saved work, with what is done about it.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftRescue {
    id: String,
    /// The commit that holds it.
    commit_oid: Option<String>,
    /// The archive of what the commit does not hold.
    archive: Option<Bytes>,
    /// What is done: `keep` or `discard`; null when it stands in the way.
    action: Option<&'static str>,
    /// The branch it becomes.
    branch: Option<String>,
    /// The directory its archive is unpacked to.
    directory: Option<Bytes>,
    /// What stands in the way.
    obstacle: Option<Trouble>,
}

impl DeinitDocument {
    /// What would be done.
    pub(crate) fn planned(plan: &DeinitPlan) -> Self {
        Self {
            v: V1::HERE,
            dry_run: true,
            obstructed: plan.is_obstructed(),
            records: plan.records.as_ref().map(Trouble::of_records),
            keeper_pid: plan.keeper,
            worktrees: plan.worktrees.iter().map(LeftWorktree::from).collect(),
            rescues: plan.rescues.iter().map(|(work, fate)| LeftRescue::new(work, fate)).collect(),
            goes: plan.goes.iter().map(|path| Bytes::path(path)).collect(),
            stays: plan.stays.iter().map(|path| Bytes::path(path)).collect(),
        }
    }
}

impl From<&Deinited> for DeinitDocument {
    fn from(done: &Deinited) -> Self {
        let obstructed = done.fate == DeinitFate::Obstructed;
        Self { dry_run: false, obstructed, ..Self::planned(&done.plan) }
    }
}

impl Trouble {
    fn of_records(seen: &RecordsSeen) -> Self {
        let (kind, detail) = match seen {
            RecordsSeen::Damaged(why) => ("damaged", Some(why.clone())),
            RecordsSeen::Copied | RecordsSeen::Whole | RecordsSeen::Missing => ("copied", None),
        };
        Self { kind, detail, unsaved_paths: None, commands: settle::records(seen) }
    }

    fn of_worktree(obstacle: &DeinitObstacle, commands: Vec<String>) -> Self {
        let (kind, detail, unsaved_paths) = match obstacle {
            DeinitObstacle::Working => ("working", None, None),
            DeinitObstacle::Leased => ("leased", None, None),
            DeinitObstacle::Unsaved(paths) => ("unsaved", None, Some(*paths)),
            DeinitObstacle::Unchecked(why) => ("unchecked", Some(why.clone()), None),
            DeinitObstacle::Quarantined => ("quarantined", None, None),
            DeinitObstacle::NoRecord => ("no_record", None, None),
        };
        Self { kind, detail, unsaved_paths, commands }
    }
}

impl From<&DeinitWorktree<Result<DeinitAction, DeinitObstacle>>> for LeftWorktree {
    fn from(worktree: &DeinitWorktree<Result<DeinitAction, DeinitObstacle>>) -> Self {
        let action = worktree.decision.as_ref().ok().map(|action| match action {
            DeinitAction::HandBack => "hand_back",
            DeinitAction::Release => "release",
            DeinitAction::Finish => "finish",
        });
        let trouble = |obstacle| Trouble::of_worktree(obstacle, settle::worktree(&worktree.name, obstacle));
        Self {
            id: worktree.id.to_string(),
            name: worktree.name.to_string(),
            path: Bytes::path(&worktree.path),
            action,
            obstacle: worktree.decision.as_ref().err().map(trouble),
        }
    }
}

impl LeftRescue {
    fn new(work: &SavedWork, fate: &RescueFate) -> Self {
        let (action, branch, directory) = match fate {
            RescueFate::Obstructs => (None, None, None),
            RescueFate::Discarded => (Some("discard"), None, None),
            RescueFate::Kept { branch, directory } => (Some("keep"), branch.clone(), directory.as_deref()),
        };
        let obstacle = (*fate == RescueFate::Obstructs).then(|| Trouble {
            kind: "rescue",
            detail: None,
            unsaved_paths: None,
            commands: settle::rescue(work),
        });
        Self {
            id: work.id.clone(),
            commit_oid: work.commit.as_ref().map(|(_, oid)| oid.to_string()),
            archive: work.archive.as_deref().map(Bytes::path),
            action,
            branch,
            directory: directory.map(Bytes::path),
            obstacle,
        }
    }
}
