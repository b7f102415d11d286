//! Removing by policy what nobody needs any more: kept worktrees, rescues, branches whose work is elsewhere.
//!
//! # Locking
//! Looking takes no lock. Nothing is made ready while a budget is kept to, by the lock of those who fill the pool. Each step is done under the lock of its worktree, after looking again, so whatever changed since the
//! plan was made is left for the next time. A branch is deleted under the repository lock, after another look at where it
//! is, where what holds its work is, and who uses it.
//!
//! # Crash safety
//! A worktree goes by [`super::ending`], which rolls forward; that a rescue goes is on record before anything of it does, so that
//! the next command finishes it; a branch goes by one transaction. What a killed prune had begun the next command finishes.

mod act;
mod budget;
mod landing;
mod look;

use windrow_model::{PruneItem, PrunePlan, PrunePolicy, PruneStep, RescueId, plan_prune};

use super::{
    error::{PruneError, StateError, chain},
    keeper,
    observer::Observer,
    pool::Pool,
    recover::{self, Spare},
    suspension, warm,
};
use crate::{process, store::LocalStore};

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PruneFate {
    /// It was done.
    Done {
        /// Where the unsaved work of a worktree is now.
        rescue: Option<RescueId>,
    },
    /// Nothing was to be done.
    Rested,
    /// Somebody else did it meanwhile.
    Gone,
    /// It was left, because something is not as it was when the plan was made, or did not work; the reason, for people.
    Skipped(String),
}

/// A plan carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// What was planned.
    pub plan: PrunePlan,
    /// What became of each step, in the plan's order.
    pub fates: Vec<PruneFate>,
    /// How many unique bytes are held now; `None` when no budget was asked for, or nothing was there.
    pub held: Option<u64>,
}

impl Pruned {
    /// Tells whether everything planned was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.fates.iter().any(|fate| matches!(fate, PruneFate::Skipped(_)))
    }

    /// Tells whether what is held now fits the budget that was asked for, if one was.
    #[must_use]
    pub fn is_within_budget(&self) -> bool {
        let over = self.plan.policy.to_budget.zip(self.held).is_some_and(|(limit, held)| held > limit);
        !over
    }
}

/// Looks at everything that may go and decides what does. Changes nothing.
///
/// What cannot be judged stays, and its step says why.
///
/// # Errors
/// The records cannot be read, or git cannot list refs.
pub fn plan(pool: &Pool, policy: PrunePolicy) -> Result<PrunePlan, PruneError> {
    let found = look::snapshot(pool, &policy)?;
    Ok(plan_prune(found, policy, Pool::now()))
}

/// Carries a plan out, then does what every changing command does: recovers what dead ones left. A step that cannot be done keeps no
/// other from being done. With a budget, what was thrown away is deleted before this returns.
///
/// # Errors
/// The records cannot be opened for a change.
pub fn execute(pool: &Pool, plan: PrunePlan, observer: &mut dyn Observer) -> Result<Pruned, PruneError> {
    let (mut fates, mut held) = (Vec::new(), None);
    if let Some(mut store) = pool.store_if_any()? {
        suspension::make_up_for(&mut store, process::suspended())?;
        let steps = plan.steps.iter().filter(|step| step.goes().is_some()).count();
        // What goes is not made anew meanwhile.
        let budget = plan.budget.filter(|_| steps > 0);
        let nobody_fills = budget.map(|_| warm::hold_off(pool)).transpose()?;
        if steps > 0 {
            observer.stage("pruning", Some(steps as u64));
        }
        let mut done = 0;
        for step in &plan.steps {
            fates.push(fate_of(pool, &mut store, &plan.policy, step, observer));
            done += u64::from(step.goes().is_some());
            observer.advanced(done);
        }
        recover::before(pool, &mut store, &Spare::Nothing, observer)?;
        held = match budget {
            Some(_) => Some(budget::settle(pool, &store.worktrees()?)?),
            None => plan.budget.map(|budget| budget.held),
        };
        drop(nobody_fills);
        keeper::on_demand(pool);
    }
    fates.resize(plan.steps.len(), PruneFate::Gone);
    Ok(Pruned { plan, fates, held })
}

fn fate_of(
    pool: &Pool,
    store: &mut LocalStore,
    policy: &PrunePolicy,
    step: &PruneStep,
    observer: &mut dyn Observer,
) -> PruneFate {
    let Some(why) = step.goes() else { return PruneFate::Rested };
    let fate = match &step.item {
        PruneItem::Trash { path } => Ok(budget::empty(path)),
        PruneItem::Template { path, .. } => act::template(pool, path, step),
        PruneItem::Spare { id, .. } => act::spare(pool, store, *id, observer),
        PruneItem::Worktree { id, .. } => act::worktree(pool, store, policy, *id, step, why),
        PruneItem::Rescue { id, .. } => act::rescue(pool, store, id, step),
        PruneItem::Branch { name, tip, .. } => act::branch(pool, store, policy, name, *tip),
    };
    fate.unwrap_or_else(|error| PruneFate::Skipped(chain(error.as_ref())))
}

impl From<crate::store::StoreError> for PruneError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::State(StateError::from(error))
    }
}
