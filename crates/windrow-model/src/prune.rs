//! Pruning by policy: what is known of each thing that may go, and the plan that follows from it.

mod budget;
mod found;

pub use self::{
    budget::BudgetPlan,
    found::{
        BudgetSeen, GoingBytes, Landed, LandingSeen, LandingSide, LandingWay, PrunableBranch, PrunableRescue,
        PrunableSpare, PrunableTemplate, PrunableTrash, PrunableWorktree, PruneSnapshot, StayReason,
    },
};

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use crate::{BranchName, Oid, RescueId, WorktreeId, WorktreeName};

/// What is to go. Whatever has had its configured time always goes; everything else only when a policy names it, and one is
/// enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePolicy {
    /// Worktrees that were kept, and rescues that were made, at least so long ago.
    pub older_than: Option<Duration>,
    /// The oldest kept worktrees and rescues, until those that are left hold at most so many bytes.
    pub to_bytes: Option<u64>,
    /// Of trash, templates that serve nobody, worktrees held ready, other templates, kept worktrees and rescues, in this order,
    /// the oldest, until everything that is held, worktrees in use included, has at most so many unique bytes.
    pub to_budget: Option<u64>,
    /// Kept worktrees and branches whose commits the local target reaches.
    pub landed: bool,
    /// The same, also when they came into the target, here or at a remote, as other commits.
    pub merged: bool,
}

impl PrunePolicy {
    /// Tells whether it matters what became of commits.
    #[must_use]
    pub fn asks_for_landing(&self) -> bool {
        self.landed || self.merged
    }

    /// Tells whether anything is named beyond what has had its time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why something goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoReason {
    /// Its configured time is over, or the configured budget is used up.
    Due,
    /// It is older than the policy allows.
    Old,
    /// Windrow holds more bytes than the policy allows.
    Budget,
    /// Its commits are elsewhere.
    Landed(Landed),
}

/// What becomes of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PruneVerdict {
    /// It goes.
    Goes(GoReason),
    /// It stays.
    Stays(StayReason),
}

/// What a step is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PruneItem {
    /// What was thrown away and is not deleted yet. Only looked at for a budget: it goes by itself.
    Trash {
        /// The directory.
        path: PathBuf,
    },
    /// A worktree that is held ready. Only looked at for a budget. What somebody wrote into it goes into a rescue.
    Spare {
        /// Its id.
        id: WorktreeId,
        /// Its name.
        name: WorktreeName,
        /// The root of its files.
        path: PathBuf,
    },
    /// A checkout that worktrees are made from. Only looked at for a budget.
    Template {
        /// The commit that it holds.
        commit: Oid,
        /// The root of its files.
        path: PathBuf,
    },
    /// A worktree that nobody holds. What is unsaved in it goes into a rescue.
    Worktree {
        /// Its id.
        id: WorktreeId,
        /// Its name.
        name: WorktreeName,
        /// The root of its files.
        path: PathBuf,
    },
    /// A rescue: ref and archive.
    Rescue {
        /// Its id.
        id: RescueId,
        /// The name of the worktree it came from.
        worktree: WorktreeName,
    },
    /// A branch that was made for a worktree.
    Branch {
        /// Its name.
        name: BranchName,
        /// Where it is.
        tip: Oid,
        /// The name of the last worktree that was on it.
        worktree: WorktreeName,
    },
}

/// What is to be done about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneStep {
    /// The thing.
    pub item: PruneItem,
    /// The length of the files that it holds, as far as it can be told; none for a branch, trash, templates and what is
    /// held ready.
    pub bytes: Option<u64>,
    /// The bytes that only it holds, as far as they can be told; none when no budget is asked for.
    pub unique: Option<u64>,
    /// Since when it is there; `None` for a branch or trash, or when it is not on record.
    pub since: Option<Timestamp>,
    /// What becomes of it.
    pub verdict: PruneVerdict,
}

impl PruneStep {
    /// Why it goes; `None` when it stays.
    #[must_use]
    pub fn goes(&self) -> Option<&GoReason> {
        match &self.verdict {
            PruneVerdict::Goes(reason) => Some(reason),
            PruneVerdict::Stays(_) => None,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// What was asked for.
    pub policy: PrunePolicy,
    /// About each thing that was looked at: trash, templates that serve nobody, worktrees held ready, other templates, worktrees,
    /// rescues, branches, each oldest first; what stays included.
    pub steps: Vec<PruneStep>,
    /// What goes by itself.
    pub going: GoingBytes,
    /// What becomes of the budget, when one is asked for.
    pub budget: Option<BudgetPlan>,
}

impl PrunePlan {
    /// Tells whether nothing goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.goes().is_none())
    }
}

/// Decides what becomes of everything that was found, at `now`.
#[must_use]
pub fn plan_prune(mut found: PruneSnapshot, policy: PrunePolicy, now: Timestamp) -> PrunePlan {
    found.worktrees.sort_by_key(|one| one.since);
    found.rescues.sort_by_key(|one| one.since);
    let goes = |one: &PrunableWorktree| match prune_worktree(one, &policy, now) {
        PruneVerdict::Goes(_) => Some(one.id),
        PruneVerdict::Stays(_) => None,
    };
    let mut gone: Vec<WorktreeId> = found.worktrees.iter().filter_map(goes).collect();
    let worktrees = found.worktrees.iter().map(|one| Held::worktree(one, &policy, now));
    let mut held: Vec<Held> =
        worktrees.chain(found.rescues.iter().map(|one| Held::rescue(one, &policy, now))).collect();
    if let Some(limit) = policy.to_bytes {
        fit(&mut held, limit);
    }
    let budget =
        policy.to_budget.map(|limit| budget::keep_to(&mut held, found.budget.unwrap_or_default(), limit));
    let leaves = |held: &Held| match (&held.step.item, &held.step.verdict) {
        (PruneItem::Worktree { id, .. }, PruneVerdict::Goes(GoReason::Budget)) => Some(*id),
        _ => None,
    };
    gone.extend(held.iter().filter_map(leaves));
    let mut steps: Vec<_> = held.into_iter().map(|held| held.step).collect();
    let free = found.branches.iter().filter(|one| one.there.is_none_or(|id| gone.contains(&id)));
    steps.extend(free.map(|one| branch_step(one, &policy)));
    PrunePlan { policy, steps, going: found.going, budget }
}

/// Decides about one worktree, but for the bytes that all hold together.
#[must_use]
pub fn prune_worktree(one: &PrunableWorktree, policy: &PrunePolicy, now: Timestamp) -> PruneVerdict {
    let due = one.until.is_some_and(|end| end <= now);
    if let Some(obstacle) = one.obstacle.as_ref().filter(|obstacle| !(due && obstacle.is_use())) {
        return PruneVerdict::Stays(obstacle.clone());
    }
    let old = policy.older_than.map(|age| one.since.map(|since| is_older(since, age, now)));
    match (due, old, landing_verdict(&one.landing, policy)) {
        (true, ..) => PruneVerdict::Goes(GoReason::Due),
        (false, Some(Some(true)), _) => PruneVerdict::Goes(GoReason::Old),
        (false, _, goes @ PruneVerdict::Goes(_)) => goes,
        (false, Some(None), PruneVerdict::Stays(_)) => {
            PruneVerdict::Stays(StayReason::Unchecked("nothing tells since when it is kept".to_owned()))
        }
        (false, _, stays) => stays,
    }
}

/// Decides about one rescue, but for the bytes that all hold together.
#[must_use]
pub fn prune_rescue(one: &PrunableRescue, policy: &PrunePolicy, now: Timestamp) -> PruneVerdict {
    match &one.obstacle {
        Some(obstacle) => PruneVerdict::Stays(obstacle.clone()),
        None if one.due => PruneVerdict::Goes(GoReason::Due),
        None if policy.older_than.is_some_and(|age| is_older(one.since, age, now)) => {
            PruneVerdict::Goes(GoReason::Old)
        }
        None => PruneVerdict::Stays(StayReason::NotNamed),
    }
}

/// Decides about one branch whose worktree is gone, or goes.
#[must_use]
pub fn prune_branch(one: &PrunableBranch, policy: &PrunePolicy) -> PruneVerdict {
    match &one.obstacle {
        Some(obstacle) => PruneVerdict::Stays(obstacle.clone()),
        None => landing_verdict(&one.landing, policy),
    }
}

fn landing_verdict(seen: &LandingSeen, policy: &PrunePolicy) -> PruneVerdict {
    if !policy.asks_for_landing() {
        return PruneVerdict::Stays(StayReason::NotNamed);
    }
    PruneVerdict::Stays(match seen {
        LandingSeen::In(landed) if policy.merged || is_plain(landed) => {
            return PruneVerdict::Goes(GoReason::Landed(landed.clone()));
        }
        LandingSeen::In(_) | LandingSeen::Out => StayReason::NotLanded,
        LandingSeen::NotAsked => StayReason::NotNamed,
        LandingSeen::Unsaved => StayReason::Unsaved,
        LandingSeen::NoTarget => StayReason::NoTarget,
        LandingSeen::Unchecked(why) => StayReason::Unchecked(why.clone()),
    })
}

fn is_plain(landed: &Landed) -> bool {
    landed.way == LandingWay::Reached && landed.side == LandingSide::Here
}

/// A clock that was set back makes nothing old.
fn is_older(since: Timestamp, age: Duration, now: Timestamp) -> bool {
    let elapsed = now.duration_since(since);
    !elapsed.is_negative() && elapsed.unsigned_abs() >= age
}

/// A step that counts in the bytes that are held.
struct Held {
    step: PruneStep,
    /// Nothing but the policies decides about it.
    free: bool,
}

impl Held {
    fn worktree(one: &PrunableWorktree, policy: &PrunePolicy, now: Timestamp) -> Self {
        let item = PruneItem::Worktree { id: one.id, name: one.name.clone(), path: one.path.clone() };
        let verdict = prune_worktree(one, policy, now);
        Self {
            step: PruneStep { item, bytes: one.bytes, unique: one.unique, since: one.since, verdict },
            free: one.obstacle.is_none(),
        }
    }

    fn rescue(one: &PrunableRescue, policy: &PrunePolicy, now: Timestamp) -> Self {
        let item = PruneItem::Rescue { id: one.id.clone(), worktree: one.worktree.clone() };
        let verdict = prune_rescue(one, policy, now);
        Self {
            step: PruneStep {
                item,
                bytes: Some(one.bytes),
                unique: one.unique,
                since: Some(one.since),
                verdict,
            },
            free: one.obstacle.is_none(),
        }
    }
}

/// Lets the oldest go until the rest fits. What may not go does not count, so that nothing goes in vain for its sake; nor does
/// what holds nothing.
fn fit(held: &mut [Held], limit: u64) {
    let stays = |held: &Held| held.free && held.step.goes().is_none();
    let of_age = |held: &Held| held.step.bytes.filter(|bytes| *bytes > 0).zip(held.step.since);
    let mut candidates: Vec<_> = held
        .iter_mut()
        .filter(|held| stays(held))
        .filter_map(|held| of_age(held).map(|(bytes, since)| (since, bytes, held)))
        .collect();
    candidates.sort_by_key(|(since, ..)| *since);
    let mut total = candidates.iter().fold(0_u64, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
    for (_, bytes, held) in candidates {
        if total <= limit {
            break;
        }
        held.step.verdict = PruneVerdict::Goes(GoReason::Budget);
        total = total.saturating_sub(bytes);
    }
    for held in held.iter_mut().filter(|held| stays(held)) {
        let untold = match (held.step.bytes, held.step.since) {
            (None, _) => "its size cannot be told",
            (Some(_), None) => "nothing tells since when it is kept",
            (Some(_), Some(_)) => continue,
        };
        held.step.verdict = PruneVerdict::Stays(StayReason::Unchecked(untold.to_owned()));
    }
}

fn branch_step(one: &PrunableBranch, policy: &PrunePolicy) -> PruneStep {
    let item = PruneItem::Branch { name: one.name.clone(), tip: one.tip, worktree: one.worktree.clone() };
    PruneStep { item, bytes: None, unique: None, since: None, verdict: prune_branch(one, policy) }
}

#[cfg(test)]
mod tests;
