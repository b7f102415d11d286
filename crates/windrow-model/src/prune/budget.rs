//! Keeping everything that is held to a budget of unique bytes.

use super::{
    BudgetSeen, GoReason, Held, PrunableSpare, PrunableTemplate, PrunableTrash, PruneItem, PruneStep,
    PruneVerdict, StayReason,
};

/// What becomes of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPlan {
    /// How many unique bytes may be held.
    pub limit: u64,
    /// How many are.
    pub held: u64,
    /// How many are left when everything that goes is gone. Work that is saved on the way takes some again, and what
    /// two things share becomes the other's when one goes.
    pub left: u64,
    /// How many things there are whose bytes cannot be told; they are not in the sums.
    pub untold: u32,
}

impl BudgetPlan {
    /// Tells whether what is left fits.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.left <= self.limit
    }
}

/// Lets go what is cheapest to lose until the rest fits: trash, templates that serve nobody, worktrees held ready, other
/// templates, kept worktrees, rescues; of each kind the oldest first. What may not go counts, and stays; so does what holds no
/// byte of its own.
///
/// What can be made again is put in front of `held`, whose order is kept.
pub(super) fn keep_to(held: &mut Vec<Held>, seen: BudgetSeen, limit: u64) -> BudgetPlan {
    let BudgetSeen { trash, mut spares, mut templates, fixed, untold } = seen;
    templates.sort_by_key(|one| one.since);
    let (serving, useless): (Vec<_>, Vec<_>) = templates.into_iter().partition(|one| one.serves);
    // The next filling replaces those that cannot be handed out.
    spares.sort_by_key(|one| (one.usable, one.since));
    let remade = trash.into_iter().map(Held::trash).chain(useless.into_iter().map(Held::template));
    let remade = remade.chain(spares.into_iter().map(Held::spare));
    held.splice(0..0, remade.chain(serving.into_iter().map(Held::template)));
    let unique = |held: &Held| held.step.unique.unwrap_or(0);
    let total = held.iter().map(unique).fold(fixed, u64::saturating_add);
    let goes = held.iter().filter(|held| held.step.goes().is_some());
    let mut left = total.saturating_sub(goes.map(unique).fold(0, u64::saturating_add));
    for held in held.iter_mut().filter(|held| held.free && held.step.goes().is_none()) {
        match held.step.unique {
            _ if left <= limit => break,
            Some(0) => {}
            Some(_) if !may_be_ordered(&held.step) => {
                held.step.verdict = untellable("nothing tells since when it is kept");
            }
            Some(unique) => {
                held.step.verdict = PruneVerdict::Goes(GoReason::Budget);
                left = left.saturating_sub(unique);
            }
            None => held.step.verdict = untellable("its size cannot be told"),
        }
    }
    let untellable = held.iter().filter(|held| held.step.unique.is_none()).count();
    let untold = untold.saturating_add(u32::try_from(untellable).unwrap_or(u32::MAX));
    BudgetPlan { limit, held: total, left, untold }
}

fn untellable(why: &str) -> PruneVerdict {
    PruneVerdict::Stays(StayReason::Unchecked(why.to_owned()))
}

/// Nothing tells how old a kept worktree is whose end is not on record.
fn may_be_ordered(step: &PruneStep) -> bool {
    step.since.is_some() || matches!(step.item, PruneItem::Trash { .. })
}

impl Held {
    fn trash(one: PrunableTrash) -> Self {
        let item = PruneItem::Trash { path: one.path };
        let verdict = PruneVerdict::Stays(StayReason::NotNamed);
        Self { step: PruneStep { item, bytes: None, unique: one.unique, since: None, verdict }, free: true }
    }

    fn template(one: PrunableTemplate) -> Self {
        let item = PruneItem::Template { commit: one.commit, path: one.path };
        let verdict = PruneVerdict::Stays(StayReason::NotNamed);
        let since = Some(one.since);
        Self { step: PruneStep { item, bytes: None, unique: one.unique, since, verdict }, free: true }
    }

    fn spare(one: PrunableSpare) -> Self {
        let item = PruneItem::Spare { id: one.id, name: one.name, path: one.path };
        let free = one.obstacle.is_none();
        let verdict = PruneVerdict::Stays(one.obstacle.unwrap_or(StayReason::NotNamed));
        let since = Some(one.since);
        Self { step: PruneStep { item, bytes: None, unique: one.unique, since, verdict }, free }
    }
}

#[cfg(test)]
mod tests;
