//! Leaving a repository to plain git: no trace of ours stays but branches, and what is not ours to remove.
//!
//! Nothing that somebody wrote goes with it. Whatever is in use, unsaved or saved by us alone stands in the way, and nothing is
//! done then; the user settles it, or says what becomes of saved work.
//!
//! # Locking
//! The keeper is asked to go and its post held, so that no other takes it. Each worktree is ended under its own lock. The
//! repository lock is held while our state directory leaves by one rename.
//!
//! # Crash safety
//! What binds comes last, so a kill leaves a pool that works, or one that `deinit` finishes:
//!
//! 1. Recovery, then a look: with anything in the way nothing else happens.
//! 2. The keeper goes. Killed after this, the next command that leaves something to keep starts one.
//! 3. Each worktree leaves by itself: one that we made as by `release`; of an adopted one first the record in one transaction,
//!    then our marks, by which the next `deinit` finds it.
//! 4. A second look: work that turned up meanwhile was rescued, and stands in the way again.
//! 5. Each rescue leaves by itself: unpacked and on its branch and synced, before ref, archive and record go, in this order.
//! 6. Templates, trash and the directories around it, if they are empty then.
//! 7. The state directory is renamed to `windrow.leaving`. From now on nobody finds records, and nobody is handed anything from
//!    them. They are looked at once more: whoever was quicker gets them back by the same rename, and the pool is as it was.
//! 8. What is in it is removed, in no order. Killed in 7 or 8, the next `deinit` looks at the records in `windrow.leaving`
//!    again, if they still can be read, puts them back when they hold anything, and otherwise removes the rest.

mod act;
mod clear;
mod error;
mod look;

use windrow_model::{DeinitAction, DeinitObstacle, DeinitPlan, RecordsSeen, RescuePolicy, plan_deinit};

pub use self::error::DeinitError;
use super::{
    error::ReconcileError,
    keeper::{self, Post},
    observer::Observer,
    pool::Pool,
    reconcile,
    recover::{self, Spare},
    template,
};

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeinitFate {
    /// It was carried out.
    Done,
    /// Something stands in the way; what the plan names besides was left alone or has been done before.
    Obstructed,
}

/// A plan and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deinited {
    /// What was to be done, or what stands in the way; with what stays.
    pub plan: DeinitPlan,
    /// What became of it.
    pub fate: DeinitFate,
}

/// Looks at everything and decides what is to be done. Changes nothing.
///
/// # Errors
/// The records were written by a newer version or are busy, or a directory cannot be read.
pub fn plan(pool: &Pool, policy: RescuePolicy) -> Result<DeinitPlan, DeinitError> {
    Ok(plan_deinit(look::snapshot(pool)?, policy))
}

/// Ends what is over, and leaves the repository to plain git if nothing stands in the way.
///
/// # Errors
/// See [`DeinitError`]. What was done until then stays done; repeating it goes on.
pub fn execute(
    pool: &Pool,
    policy: RescuePolicy,
    observer: &mut dyn Observer,
) -> Result<Deinited, DeinitError> {
    let was_there = pool.state_dir().exists();
    carry_out(pool, policy, observer).map_err(|error| match was_there && !pool.state_dir().exists() {
        // Another `deinit` took it away under our feet.
        true => DeinitError::Meanwhile,
        false => error,
    })
}

fn carry_out(
    pool: &Pool,
    policy: RescuePolicy,
    observer: &mut dyn Observer,
) -> Result<Deinited, DeinitError> {
    clear::finish_former(pool)?;
    recover_first(pool, observer)?;
    let first = settled(plan(pool, policy)?);
    if first.is_obstructed() {
        return Ok(Deinited { plan: first, fate: DeinitFate::Obstructed });
    }
    let post = relieve_keeper(pool)?;
    let left = leave(pool, policy, first);
    if !matches!(&left, Ok(Deinited { fate: DeinitFate::Done, .. })) {
        post.into_iter().for_each(Post::give_up);
        keeper::on_demand(pool);
    }
    left
}

/// Whatever can be used is brought to order as by every command; the rest stands in the way.
fn recover_first(pool: &Pool, observer: &mut dyn Observer) -> Result<(), DeinitError> {
    let usable = match reconcile::open(pool) {
        Ok((seen, _)) => seen == RecordsSeen::Whole,
        // Of an older version: opening them for a change brings them up to date.
        Err(ReconcileError::State(super::StateError::Store(crate::store::StoreError::Older { .. }))) => true,
        Err(error) => return Err(error.into()),
    };
    if usable {
        recover::before(pool, &mut pool.store()?, &Spare::Nothing, observer)?;
    }
    Ok(())
}

/// After recovery nothing half done is left but what could not be finished.
fn settled(mut plan: DeinitPlan) -> DeinitPlan {
    for worktree in &mut plan.worktrees {
        if worktree.decision == Ok(DeinitAction::Finish) {
            let why = "what was begun with it could not be finished".to_owned();
            worktree.decision = Err(DeinitObstacle::Unchecked(why));
        }
    }
    plan
}

fn relieve_keeper(pool: &Pool) -> Result<Option<Post>, DeinitError> {
    let lock = pool.keeper_lock();
    if !pool.locks().is_dir() {
        return Ok(None);
    }
    let pid = keeper::incumbent_of(&lock);
    match (Post::relieve(&lock), pid) {
        (Ok(Some(post)), _) => Ok(Some(post)),
        (Ok(None), Some(pid)) => Err(DeinitError::Keeper { pid }),
        // Another `deinit` has it, or was quicker.
        (Ok(None), None) => Err(DeinitError::Meanwhile),
        (Err(_), _) if !pool.locks().is_dir() => Err(DeinitError::Meanwhile),
        (Err(error), _) => Err(error.into()),
    }
}

fn leave(pool: &Pool, policy: RescuePolicy, first: DeinitPlan) -> Result<Deinited, DeinitError> {
    act::end_worktrees(pool, &first.worktrees)?;
    let second = settled(plan(pool, policy)?);
    if second.is_obstructed() || !second.worktrees.is_empty() {
        return Ok(Deinited { plan: second, fate: DeinitFate::Obstructed });
    }
    act::end_rescues(pool, &second.rescues)?;
    template::remove_templates(pool)?;
    let stays = clear::directories(pool)?;
    Ok(Deinited { plan: DeinitPlan { stays, rescues: second.rescues, ..first }, fate: DeinitFate::Done })
}
