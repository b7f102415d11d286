//! A comparison of records and disk.

use windrow_core::ops::{Reconciled, StepFate};
use windrow_model::{
    Discrepancy, LeaveReason, ReconcileAction, ReconcilePlan, ReconcileStep, RecordsAction, RecordsSeen,
};

use super::{
    View,
    style::{BAD, CARE, FAINT, GOOD, NAME, paint},
    text::{count, path, safe},
};

/// What would be done.
pub(crate) fn reconcile_plan(plan: &ReconcilePlan, view: &View<'_>) -> String {
    let mut text = records(&plan.records);
    for step in plan.steps.iter().filter(|step| !is_in_order(step)) {
        text.push_str(&line(step, &paint(CARE, intention(step.action)), view));
    }
    text.push_str(&saved(plan.rescues.len() + plan.archives.len(), "to record again"));
    if text.is_empty() { in_order(plan) } else { text }
}

/// What was done.
pub(crate) fn reconciled(done: &Reconciled, view: &View<'_>) -> String {
    let mut text = String::new();
    for (step, fate) in done.plan.steps.iter().zip(&done.fates).filter(|(step, _)| !is_in_order(step)) {
        let told = match fate {
            StepFate::Done(told) => paint(GOOD, safe(told)),
            StepFate::Left(why) => paint(BAD, format!("left as it is: {}", safe(why))),
            StepFate::Rested => paint(FAINT, intention(step.action)),
        };
        text.push_str(&line(step, &told, view));
    }
    text.push_str(&saved(done.rescues.len(), "on record again"));
    for failure in &done.failures {
        text.push_str(&format!("{}\n", paint(BAD, safe(failure))));
    }
    if text.is_empty() { in_order(&done.plan) } else { text }
}

fn in_order(plan: &ReconcilePlan) -> String {
    format!("everything agrees: {}\n", count(plan.steps.len() as u64, "worktree"))
}

fn is_in_order(step: &ReconcileStep) -> bool {
    step.action == ReconcileAction::Leave(LeaveReason::InOrder)
}

fn records(action: &RecordsAction) -> String {
    let told = match action {
        RecordsAction::Keep | RecordsAction::Rebuild(RecordsSeen::Whole) => return String::new(),
        RecordsAction::Rebuild(RecordsSeen::Missing) => {
            "there are none: make them from what is on disk".to_owned()
        }
        RecordsAction::Rebuild(RecordsSeen::Copied) => {
            "they came with a copy of another repository: move them aside, begin anew".to_owned()
        }
        RecordsAction::Rebuild(RecordsSeen::Damaged(why)) => {
            format!("{}: move them aside, make them from what is on disk", safe(why))
        }
    };
    format!("{}  {}\n", paint(NAME, "records"), paint(CARE, told))
}

fn saved(number: usize, what: &str) -> String {
    match number {
        0 => String::new(),
        number => format!("{} {what}\n", count(number as u64, "rescue")),
    }
}

fn line(step: &ReconcileStep, told: &str, view: &View<'_>) -> String {
    let place = step.worktree.found.as_deref().unwrap_or(&step.worktree.path);
    format!("{}  {told}  {}\n", paint(NAME, &step.worktree.name), paint(FAINT, path(place, view)))
}

fn intention(action: ReconcileAction) -> &'static str {
    match action {
        ReconcileAction::Leave(reason) => match reason {
            LeaveReason::InOrder => "in order",
            LeaveReason::InUse => "in use, left alone",
            LeaveReason::LockedByUser => "locked with `git worktree lock`, left alone",
            LeaveReason::OutOfSight => "cannot be seen from here, left alone",
            LeaveReason::NotOurs => "not ours, left alone",
            LeaveReason::SetAside => "quarantined, left in place",
        },
        ReconcileAction::Repair(_) => "write the link between files and git anew",
        ReconcileAction::Finish => "save what git still knows of it, end its record",
        ReconcileAction::RollBack => "undo its unfinished creation",
        ReconcileAction::Adopt => "record it again",
        ReconcileAction::Quarantine(why) => match why {
            Discrepancy::ForeignRegistration => "quarantine: git's registration belongs to something else",
            Discrepancy::OtherDirectory => "quarantine: another directory lies at its path",
            Discrepancy::RegistrationGone => "quarantine: git's registration is gone",
            Discrepancy::NamesNothing => "quarantine: git's registration names a place where nothing is",
        },
    }
}
