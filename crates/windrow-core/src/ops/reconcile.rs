//! Comparing records, registrations and disk, and mending what differs.
//!
//! # Locking
//! Looking takes no lock. Each step is done under the worktree's lock, after looking again: whatever changed since the plan was
//! made is left for the next time. Links are written, and records replaced, under the repository lock.
//!
//! # Crash safety
//! Every step may be repeated. Records that cannot be used are moved aside, never deleted; the new ones begin empty, and what is
//! on disk is recorded again piece by piece, so a crash in between leaves the rest for the next `reconcile`.

mod act;
mod look;
mod rebuild;

pub(super) use self::look::{again, open, use_of};

use windrow_model::{ReconcileAction, ReconcilePlan, ReconcileStep, RecordsAction, RescueId, plan_reconcile};

use super::{
    error::{ReconcileError, StateError, chain},
    keeper,
    observer::Observer,
    pool::Pool,
    recover::{self, Spare},
    ref_locks, warm,
};
use crate::store::LocalStore;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFate {
    /// It was done; what was done, for people.
    Done(String),
    /// Nothing was to be done.
    Rested,
    /// It was left, because something is not as it was when the plan was made, or did not work; the reason, for people.
    Left(String),
}

/// A plan carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// What was planned.
    pub plan: ReconcilePlan,
    /// What became of each step, in the plan's order.
    pub fates: Vec<StepFate>,
    /// Rescues that are on record again, or with their archive's new place.
    pub rescues: Vec<RescueId>,
    /// What could not be done about the rescues, for people.
    pub failures: Vec<String>,
}

impl Reconciled {
    /// Tells whether everything planned was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && !self.fates.iter().any(|fate| matches!(fate, StepFate::Left(_)))
    }
}

/// Looks at everything and decides what is to be done. Changes nothing.
///
/// # Errors
/// The records were written by a newer version or are busy, or a directory cannot be read.
pub fn plan(pool: &Pool) -> Result<ReconcilePlan, ReconcileError> {
    Ok(plan_reconcile(look::snapshot(pool)?))
}

/// Carries a plan out. A step that cannot be done keeps no other from being done.
///
/// # Errors
/// The records cannot be opened, or not be replaced.
pub fn execute(
    pool: &Pool,
    plan: ReconcilePlan,
    observer: &mut dyn Observer,
) -> Result<Reconciled, ReconcileError> {
    ref_locks::settle(pool);
    let mut done = Reconciled { plan, fates: Vec::new(), rescues: Vec::new(), failures: Vec::new() };
    if done.plan.is_empty() {
        done.fates = vec![StepFate::Rested; done.plan.steps.len()];
        let store = match pool.store_if_any()? {
            // What was held ready is all that is left of a pool without records.
            None if warm::has_marks(pool) => Some(pool.store()?),
            found => found,
        };
        if let Some(mut store) = store {
            recover::before(pool, &mut store, &Spare::Nothing, observer)?;
        }
        return Ok(done);
    }
    if let RecordsAction::Rebuild(_) = &done.plan.records {
        observer.notice(&rebuild::begin_anew(pool)?);
    }
    let mut store = pool.store()?;
    done.fates = done.plan.steps.iter().map(|step| fate_of(pool, &mut store, step)).collect();
    for (rescue, result) in rebuild::rescues(pool, &mut store, &done.plan) {
        match result {
            Ok(()) => done.rescues.push(rescue),
            Err(error) => done.failures.push(format!("rescue `{rescue}`: {}", chain(&error))),
        }
    }
    // Afterwards: what is due is told by records that are right.
    recover::before(pool, &mut store, &Spare::Nothing, observer)?;
    keeper::on_demand(pool);
    Ok(done)
}

fn fate_of(pool: &Pool, store: &mut LocalStore, step: &ReconcileStep) -> StepFate {
    if matches!(step.action, ReconcileAction::Leave(_)) {
        return StepFate::Rested;
    }
    match act::carry_out(pool, store, step) {
        Ok(fate) => fate,
        Err(error) => StepFate::Left(chain(error.as_ref())),
    }
}

impl From<crate::store::StoreError> for ReconcileError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(StateError::from(error))
    }
}
