//! A comparison of records and disk, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{Reconciled, StepFate};
use windrow_model::{
    self as model, Discrepancy, DiskSeen, LeaveReason, Mending, ReconcilePlan, RecordsAction, RecordsSeen,
    RegistrationSeen, UseSeen,
};

use super::{Bytes, V1, answer::Fate};

/// What differs between records and disk, and what is done about it (`reconcile`).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReconcileDocument {
    v: V1,
    /// Whether this is only what would be done.
    dry_run: bool,
    records: Records,
    /// Every worktree that was looked at.
    worktrees: Vec<ReconciledWorktree>,
    /// Saved work that is recorded again.
    rescues: Vec<String>,
    /// Saved work whose archive lies elsewhere than recorded.
    archives: Vec<String>,
    /// What could not be done about saved work.
    failures: Vec<String>,
}

/// What is done about the records as a whole.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Records {
    /// Nothing.
    Keep,
    /// They are moved aside and made anew.
    Rebuild {
        /// Why.
        reason: RebuildReason,
        /// What was found, for people.
        detail: Option<String>,
    },
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RebuildReason {
    /// There were none.
    Missing,
    /// They cannot be read.
    Damaged,
    /// They came with a copy of another repository.
    Copied,
}

/// A worktree that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct ReconciledWorktree {
    id: String,
    name: String,
    /// The recorded path, or the one that git has.
    path: Bytes,
    /// Where its files were found; null when nowhere.
    found: Option<Bytes>,
    /// The recorded state; null when no record is left.
    record: Option<String>,
    /// What git knows: `absent`, `ours`, `other_path`, `foreign` or `user_locked`.
    registration: &'static str,
    /// What is on disk: `absent`, `ours`, `displaced`, `other` or `out_of_sight`.
    disk: &'static str,
    /// Whether somebody uses it: `free`, `leased` or `working`.
    used: &'static str,
    /// What is done: `leave`, `repair`, `finish`, `roll_back`, `adopt` or `quarantine`.
    action: &'static str,
    /// Why that, where there is more than one reason.
    reason: Option<&'static str>,
    /// What became of it; null when nothing was to be done.
    fate: Option<Fate>,
}

impl Fate {
    /// What became of a step at which something was to be done.
    fn of(fate: &StepFate) -> Option<Self> {
        match fate {
            StepFate::Done(detail) => Some(Self::Done { detail: detail.clone() }),
            StepFate::Left(detail) => Some(Self::Left { detail: detail.clone() }),
            StepFate::Rested => None,
        }
    }
}

impl From<&ReconcilePlan> for ReconcileDocument {
    /// What would be done.
    fn from(plan: &ReconcilePlan) -> Self {
        Self {
            v: V1::HERE,
            dry_run: true,
            records: Records::from(&plan.records),
            worktrees: plan.steps.iter().map(|step| ReconciledWorktree::new(step, None)).collect(),
            rescues: plan.rescues.iter().map(ToString::to_string).collect(),
            archives: plan.archives.iter().map(ToString::to_string).collect(),
            failures: Vec::new(),
        }
    }
}

impl From<&Reconciled> for ReconcileDocument {
    fn from(done: &Reconciled) -> Self {
        let fates = done.plan.steps.iter().zip(&done.fates);
        let worktrees = fates.map(|(step, fate)| ReconciledWorktree::new(step, Fate::of(fate)));
        Self {
            dry_run: false,
            worktrees: worktrees.collect(),
            failures: done.failures.clone(),
            ..Self::from(&done.plan)
        }
    }
}

impl From<&RecordsAction> for Records {
    fn from(action: &RecordsAction) -> Self {
        let RecordsAction::Rebuild(seen) = action else { return Self::Keep };
        let (reason, detail) = match seen {
            RecordsSeen::Whole => return Self::Keep,
            RecordsSeen::Missing => (RebuildReason::Missing, None),
            RecordsSeen::Damaged(detail) => (RebuildReason::Damaged, Some(detail.clone())),
            RecordsSeen::Copied => (RebuildReason::Copied, None),
        };
        Self::Rebuild { reason, detail }
    }
}

impl ReconciledWorktree {
    fn new(step: &model::ReconcileStep, fate: Option<Fate>) -> Self {
        let seen = &step.worktree;
        let (action, reason) = action(step.action);
        Self {
            id: seen.id.to_string(),
            name: seen.name.to_string(),
            path: Bytes::path(&seen.path),
            found: seen.found.as_deref().map(Bytes::path),
            record: seen.situation.record.map(|state| state.to_string()),
            registration: match seen.situation.registration {
                RegistrationSeen::Absent => "absent",
                RegistrationSeen::Ours => "ours",
                RegistrationSeen::OtherPath => "other_path",
                RegistrationSeen::Foreign => "foreign",
                RegistrationSeen::UserLocked => "user_locked",
            },
            disk: match seen.situation.disk {
                DiskSeen::Absent => "absent",
                DiskSeen::Ours => "ours",
                DiskSeen::Displaced => "displaced",
                DiskSeen::Other => "other",
                DiskSeen::OutOfSight => "out_of_sight",
            },
            used: match seen.situation.used {
                UseSeen::Free => "free",
                UseSeen::Leased => "leased",
                UseSeen::Working => "working",
            },
            action,
            reason,
            fate,
        }
    }
}

fn action(action: model::ReconcileAction) -> (&'static str, Option<&'static str>) {
    use model::ReconcileAction as Action;
    match action {
        Action::Leave(reason) => ("leave", Some(leave(reason))),
        Action::Repair(mending) => (
            "repair",
            Some(match mending {
                Mending::Registration => "registration",
                Mending::Files => "files",
                Mending::Both => "both",
            }),
        ),
        Action::Finish => ("finish", None),
        Action::RollBack => ("roll_back", None),
        Action::Adopt => ("adopt", None),
        Action::Quarantine(why) => (
            "quarantine",
            Some(match why {
                Discrepancy::ForeignRegistration => "foreign_registration",
                Discrepancy::OtherDirectory => "other_directory",
                Discrepancy::RegistrationGone => "registration_gone",
                Discrepancy::NamesNothing => "names_nothing",
            }),
        ),
    }
}

fn leave(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::InOrder => "in_order",
        LeaveReason::InUse => "in_use",
        LeaveReason::LockedByUser => "locked_by_user",
        LeaveReason::OutOfSight => "out_of_sight",
        LeaveReason::NotOurs => "not_ours",
        LeaveReason::SetAside => "set_aside",
    }
}
