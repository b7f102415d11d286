//! What goes by policy, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, Pruned};
use windrow_model::{
    self as model, BudgetPlan, GoReason, LandingSide, LandingWay, PrunePlan, PrunePolicy, PruneStep,
    PruneVerdict, StayReason,
};

use super::{Bytes, Time, V1};

/// What goes by policy, and why the rest stays (`prune`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PruneDocument {
    v: V1,
    /// Whether this is only what would be done.
    dry_run: bool,
    policy: Policy,
    /// Everything that was looked at: trash, templates that serve nobody, ready worktrees, other templates, worktrees, rescues,
    /// branches, each oldest first.
    items: Vec<PruneItem>,
    /// Logs whose time is over, which go by themselves; null when it cannot be told.
    logs_bytes: Option<u64>,
    /// What waits in the trash, which goes by itself; null when it cannot be told.
    trash_bytes: Option<u64>,
    /// What becomes of the budget; null when `--to-budget` was not asked for.
    budget: Option<Budget>,
}

/// What becomes of a budget of unique bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct Budget {
    /// How many may be held.
    limit_bytes: u64,
    /// How many were held before.
    held_bytes: u64,
    /// How many are left by the plan. Work that is saved on the way takes some again.
    planned_bytes: u64,
    /// How many are left; null when nothing was done.
    left_bytes: Option<u64>,
    /// Whether what is left, or would be, fits.
    met: bool,
    /// How many things there are whose bytes cannot be told; the sums leave them out.
    untold: u32,
}

impl Budget {
    fn new(budget: &BudgetPlan, left: Option<u64>) -> Self {
        Self {
            limit_bytes: budget.limit,
            held_bytes: budget.held,
            planned_bytes: budget.left,
            left_bytes: left,
            met: left.map_or(budget.is_met(), |left| left <= budget.limit),
            untold: budget.untold,
        }
    }
}

/// What was asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct Policy {
    older_than_seconds: Option<u64>,
    to_bytes: Option<u64>,
    to_budget_bytes: Option<u64>,
    landed: bool,
    merged: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct PruneItem {
    /// What it is: `trash`, `template`, `ready` (a worktree that is held ready), `worktree`, `rescue` or `branch`.
    kind: &'static str,
    /// The worktree's name, the rescue's id, the branch, the commit of a template, shortened, or `trash`.
    name: String,
    /// The worktree itself, or the one that the rescue or the branch is of; empty for trash and templates.
    worktree: String,
    /// The id of a worktree.
    id: Option<String>,
    /// The root of the files of a worktree or template, or the trash directory.
    path: Option<Bytes>,
    /// Where a branch is, or what a template holds.
    oid: Option<String>,
    /// The length of a kept worktree's files or of a rescue's archive; null for others, and when it cannot be told.
    bytes: Option<u64>,
    /// The bytes that nothing else holds; null when no budget was asked for, and when they cannot be told.
    unique_bytes: Option<u64>,
    /// Since when a worktree is kept, when one that is ready or a template was made, or when a rescue was made.
    since: Option<Time>,
    /// What is done: `prune` or `keep`.
    action: &'static str,
    /// Why that: `due`, `old`, `budget` or `landed` for what goes; for what stays `not_named`, `quarantined`, `at_work`,
    /// `not_gone`, `in_use`, `here`, `unproven`, `unchecked`, `unsaved`, `not_landed`, `no_target`, `checked_out`, `target_of`,
    /// `never_deleted` or `unmarked`.
    reason: &'static str,
    /// More about the reason, for people.
    detail: Option<String>,
    /// Where the commits are, when that is the reason.
    landed: Option<Landed>,
    /// What became of it; null when nothing was to be done.
    fate: Option<Fate>,
}

/// Where commits are, besides their own branch.
#[derive(Debug, Serialize, JsonSchema)]
struct Landed {
    /// The full name of the ref.
    into: String,
    /// How: `reached`, `nothing_to_add` or `same_changes`.
    way: &'static str,
    /// Whether that ref is of this repository (`here`) or follows a remote (`remote`).
    side: &'static str,
}

/// What became of a step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Fate {
    /// It was done.
    Done {
        /// The rescue that holds what was unsaved in a worktree.
        rescue: Option<String>,
    },
    /// Somebody else did it meanwhile.
    Gone,
    /// It was not done.
    Skipped {
        /// Why not, for people.
        detail: String,
    },
}

impl Fate {
    fn of(fate: &ops::PruneFate) -> Option<Self> {
        Some(match fate {
            ops::PruneFate::Done { rescue } => {
                Self::Done { rescue: rescue.as_ref().map(ToString::to_string) }
            }
            ops::PruneFate::Gone => Self::Gone,
            ops::PruneFate::Skipped(why) => Self::Skipped { detail: why.clone() },
            ops::PruneFate::Rested => return None,
        })
    }
}

impl From<&PrunePlan> for PruneDocument {
    /// What would be done.
    fn from(plan: &PrunePlan) -> Self {
        Self {
            v: V1::HERE,
            dry_run: true,
            policy: Policy::from(&plan.policy),
            items: plan.steps.iter().map(|step| PruneItem::new(step, None)).collect(),
            logs_bytes: plan.going.logs,
            trash_bytes: plan.going.trash,
            budget: plan.budget.as_ref().map(|budget| Budget::new(budget, None)),
        }
    }
}

impl From<&Pruned> for PruneDocument {
    fn from(done: &Pruned) -> Self {
        let fates = done.plan.steps.iter().zip(&done.fates);
        let items = fates.map(|(step, fate)| PruneItem::new(step, Fate::of(fate))).collect();
        let budget = done.plan.budget.as_ref().map(|budget| Budget::new(budget, done.held));
        Self { dry_run: false, items, budget, ..Self::from(&done.plan) }
    }
}

impl From<&PrunePolicy> for Policy {
    fn from(policy: &PrunePolicy) -> Self {
        Self {
            older_than_seconds: policy.older_than.map(|age| age.as_secs()),
            to_bytes: policy.to_bytes,
            to_budget_bytes: policy.to_budget,
            landed: policy.landed,
            merged: policy.merged,
        }
    }
}

impl PruneItem {
    fn new(step: &PruneStep, fate: Option<Fate>) -> Self {
        let (action, (reason, detail)) = match &step.verdict {
            PruneVerdict::Goes(reason) => ("prune", (goes(reason), None)),
            PruneVerdict::Stays(reason) => ("keep", stays(reason)),
        };
        let landed = match step.goes() {
            Some(GoReason::Landed(landed)) => Some(Landed::from(landed)),
            _ => None,
        };
        let blank = Self {
            kind: "worktree",
            name: String::new(),
            worktree: String::new(),
            id: None,
            path: None,
            oid: None,
            bytes: step.bytes,
            unique_bytes: step.unique,
            since: step.since.map(Time::from),
            action,
            reason,
            detail,
            landed,
            fate,
        };
        match &step.item {
            model::PruneItem::Trash { path } => {
                Self { kind: "trash", name: "trash".to_owned(), path: Some(Bytes::path(path)), ..blank }
            }
            model::PruneItem::Template { commit, path } => Self {
                kind: "template",
                name: commit.short().to_string(),
                oid: Some(commit.to_string()),
                path: Some(Bytes::path(path)),
                ..blank
            },
            model::PruneItem::Spare { id, name, path } => Self {
                kind: "ready",
                name: name.to_string(),
                worktree: name.to_string(),
                id: Some(id.to_string()),
                path: Some(Bytes::path(path)),
                ..blank
            },
            model::PruneItem::Worktree { id, name, path } => Self {
                name: name.to_string(),
                worktree: name.to_string(),
                id: Some(id.to_string()),
                path: Some(Bytes::path(path)),
                ..blank
            },
            model::PruneItem::Rescue { id, worktree } => {
                Self { kind: "rescue", name: id.to_string(), worktree: worktree.to_string(), ..blank }
            }
            model::PruneItem::Branch { name, tip, worktree } => Self {
                kind: "branch",
                name: name.to_string(),
                worktree: worktree.to_string(),
                oid: Some(tip.to_string()),
                ..blank
            },
        }
    }
}

fn goes(reason: &GoReason) -> &'static str {
    match reason {
        GoReason::Due => "due",
        GoReason::Old => "old",
        GoReason::Budget => "budget",
        GoReason::Landed(_) => "landed",
    }
}

fn stays(reason: &StayReason) -> (&'static str, Option<String>) {
    match reason {
        StayReason::NotNamed => ("not_named", None),
        StayReason::Quarantined => ("quarantined", None),
        StayReason::AtWork => ("at_work", None),
        StayReason::NotGone => ("not_gone", None),
        StayReason::InUse(who) => ("in_use", Some(who.clone())),
        StayReason::Here => ("here", None),
        StayReason::Unproven(why) => ("unproven", Some(why.clone())),
        StayReason::Unchecked(why) => ("unchecked", Some(why.clone())),
        StayReason::Unsaved => ("unsaved", None),
        StayReason::NotLanded => ("not_landed", None),
        StayReason::NoTarget => ("no_target", None),
        StayReason::CheckedOut(path) => ("checked_out", Some(path.display().to_string())),
        StayReason::TargetOf(name) => ("target_of", Some(name.to_string())),
        StayReason::NeverDeleted => ("never_deleted", None),
        StayReason::Unmarked => ("unmarked", None),
    }
}

impl From<&model::Landed> for Landed {
    fn from(landed: &model::Landed) -> Self {
        Self {
            into: landed.into.clone(),
            way: match landed.way {
                LandingWay::Reached => "reached",
                LandingWay::NothingToAdd => "nothing_to_add",
                LandingWay::SameChanges => "same_changes",
            },
            side: match landed.side {
                LandingSide::Here => "here",
                LandingSide::Remote => "remote",
            },
        }
    }
}
