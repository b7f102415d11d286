//! What goes by policy.

use comfy_table::{Cell, Color};
use windrow_core::ops::{PruneFate, Pruned};
use windrow_model::{
    BudgetPlan, GoReason, Landed, LandingSide, LandingWay, PruneItem, PrunePlan, PrunePolicy, PruneStep,
    PruneVerdict, StayReason, format_bytes,
};

use super::{
    View,
    style::{CARE, FAINT, TYPED, paint},
    table,
    text::{age, count, path, safe},
};

/// What would go.
pub(crate) fn prune_plan(plan: &PrunePlan, view: &View<'_>) -> String {
    let rows = plan.steps.iter().map(|step| (step, None));
    let goes: Vec<_> = plan.steps.iter().filter(|step| step.goes().is_some()).collect();
    let next = match goes.is_empty() {
        false => Some(command(&plan.policy)),
        true => None,
    };
    let sum = format!("{} would go, {}", sum(&goes), stay(plan.steps.len() - goes.len()));
    let budget = plan.budget.as_ref().map(|plan| budget(plan, plan.left, Tense::Conditional));
    told(rows, &(sum + &budget.unwrap_or_default()), plan, next, view)
}

/// What went.
pub(crate) fn pruned(done: &Pruned, view: &View<'_>) -> String {
    let rows = done.plan.steps.iter().zip(&done.fates).map(|(step, fate)| (step, Some(fate)));
    let gone: Vec<_> = done
        .plan
        .steps
        .iter()
        .zip(&done.fates)
        .filter(|(_, fate)| matches!(fate, PruneFate::Done { .. } | PruneFate::Gone))
        .map(|(step, _)| step)
        .collect();
    let saved = done.fates.iter().any(|fate| matches!(fate, PruneFate::Done { rescue: Some(_) }));
    let next = saved.then(|| "windrow rescue list".to_owned());
    let sum = format!("{} went, {}", sum(&gone), stay(done.plan.steps.len() - gone.len()));
    let budget = done.plan.budget.as_ref().map(|plan| budget(plan, done.held.unwrap_or(0), Tense::Past));
    let sum = sum + &budget.unwrap_or_default();
    told(rows, &sum, &done.plan, next, view)
}

/// What becomes of the budget, on a line of its own.
fn budget(budget: &BudgetPlan, left: u64, tense: Tense) -> String {
    let (held, after) = (format_bytes(budget.held), format_bytes(left));
    let mut text = match tense {
        Tense::Conditional => format!("{held} are held, {after} would be left"),
        Tense::Past => format!("{held} were held, {after} are left"),
    };
    text.push_str(&format!("; the budget is {}", format_bytes(budget.limit)));
    if budget.untold > 0 {
        text.push_str(&format!("; the size of {} cannot be told", count(budget.untold.into(), "thing")));
    }
    let unmet = left > budget.limit;
    if unmet {
        text.push_str("\nthe budget is not met: what is left is in use, saved or must not go");
    }
    format!("\n{}", paint(if unmet { CARE } else { FAINT }, text))
}

/// Whether something would be, or was.
enum Tense {
    Conditional,
    Past,
}

fn told<'a>(
    rows: impl Iterator<Item = (&'a PruneStep, Option<&'a PruneFate>)>,
    sum: &str,
    plan: &PrunePlan,
    next: Option<String>,
    view: &View<'_>,
) -> String {
    let mut table = table::table(&["WHAT", "NAME", "SIZE", "AGE", "OUTCOME"]);
    let mut shown = false;
    for (step, fate) in rows.filter(|(step, _)| step.verdict != PruneVerdict::Stays(StayReason::NotNamed)) {
        table.add_row(row(step, fate, view));
        shown = true;
    }
    let mut text = if shown { table::render(table) } else { String::new() };
    text.push_str(&format!("{sum}\n"));
    text.push_str(&by_itself(plan));
    if let Some(next) = next {
        text.push_str(&format!("{} {}\n", paint(FAINT, "next:"), paint(TYPED, next)));
    } else if plan.policy.is_empty() {
        let flags = "--older-than 7d, --to-bytes 2GiB, --landed, --merged";
        text.push_str(&format!("{} {}\n", paint(FAINT, "more goes with:"), paint(TYPED, flags)));
    }
    text
}

fn row(step: &PruneStep, fate: Option<&PruneFate>, view: &View<'_>) -> Vec<Cell> {
    let (kind, name) = match &step.item {
        PruneItem::Trash { path: at } => ("trash", path(at, view)),
        PruneItem::Template { commit, .. } => ("template", commit.short().to_string()),
        PruneItem::Spare { name, .. } => ("ready", name.to_string()),
        PruneItem::Worktree { name, .. } => ("worktree", name.to_string()),
        PruneItem::Rescue { id, .. } => ("rescue", id.to_string()),
        PruneItem::Branch { name, .. } => ("branch", safe(name.as_str())),
    };
    let size = match (&step.item, step.unique.or(step.bytes)) {
        (PruneItem::Branch { .. }, _) => "-".to_owned(),
        (_, bytes) => bytes.map_or_else(|| "?".to_owned(), format_bytes),
    };
    vec![
        Cell::new(kind),
        Cell::new(name).add_attribute(comfy_table::Attribute::Bold),
        Cell::new(size),
        Cell::new(step.since.map_or_else(|| "-".to_owned(), |since| age(since, view))),
        outcome(step, fate, view),
    ]
}

fn outcome(step: &PruneStep, fate: Option<&PruneFate>, view: &View<'_>) -> Cell {
    let why = match &step.verdict {
        PruneVerdict::Stays(reason) => {
            return Cell::new(format!("kept: {}", stays(reason, view))).fg(Color::DarkYellow);
        }
        PruneVerdict::Goes(reason) => goes(&step.item, reason),
    };
    let at = match &step.item {
        PruneItem::Branch { tip, .. } => format!("; it was at {}", tip.short()),
        PruneItem::Trash { .. }
        | PruneItem::Template { .. }
        | PruneItem::Spare { .. }
        | PruneItem::Worktree { .. }
        | PruneItem::Rescue { .. } => String::new(),
    };
    match fate {
        None => Cell::new(format!("would go: {why}")),
        Some(PruneFate::Done { rescue: None }) => Cell::new(format!("gone: {why}{at}")).fg(Color::DarkGreen),
        Some(PruneFate::Done { rescue: Some(id) }) => {
            Cell::new(format!("gone: {why}; saved as {id}")).fg(Color::DarkGreen)
        }
        Some(PruneFate::Gone | PruneFate::Rested) => Cell::new("gone already".to_owned()),
        Some(PruneFate::Skipped(why)) => {
            Cell::new(format!("left as it is: {}", safe(why))).fg(Color::DarkRed)
        }
    }
}

fn goes(item: &PruneItem, reason: &GoReason) -> String {
    match (reason, item) {
        (GoReason::Due, _) => "its time is over".to_owned(),
        (GoReason::Old, _) => "old enough".to_owned(),
        (GoReason::Budget, PruneItem::Trash { .. }) => "thrown away already".to_owned(),
        (GoReason::Budget, PruneItem::Template { .. }) => "it can be made again".to_owned(),
        (GoReason::Budget, _) => "the oldest of too much".to_owned(),
        (GoReason::Landed(landed), _) => in_target(landed),
    }
}

fn in_target(landed: &Landed) -> String {
    let prefix = match landed.side {
        LandingSide::Here => "refs/heads/",
        LandingSide::Remote => "refs/remotes/",
    };
    let into = safe(landed.into.strip_prefix(prefix).unwrap_or(&landed.into));
    match landed.way {
        LandingWay::Reached => format!("its commits are in {into}"),
        LandingWay::NothingToAdd | LandingWay::SameChanges => format!("its changes are in {into}"),
    }
}

fn stays(reason: &StayReason, view: &View<'_>) -> String {
    match reason {
        StayReason::NotNamed => "nothing asks for it".to_owned(),
        StayReason::Quarantined => "it is quarantined; windrow doctor tells why".to_owned(),
        StayReason::NotGone => "its worktree is not gone".to_owned(),
        StayReason::AtWork => "somebody works on it".to_owned(),
        StayReason::InUse(who) => format!("in use by {}", safe(who)),
        StayReason::Here => "you are in it".to_owned(),
        StayReason::Unproven(why) | StayReason::Unchecked(why) => safe(why),
        StayReason::Unsaved => "it holds work that is not committed".to_owned(),
        StayReason::NotLanded => "its work is not in its target".to_owned(),
        StayReason::NoTarget => "it has no target branch".to_owned(),
        StayReason::CheckedOut(at) => format!("checked out in {}", path(at, view)),
        StayReason::TargetOf(name) => format!("the work of {name} lands on it"),
        StayReason::NeverDeleted => "branch.delete is \"never\"".to_owned(),
        StayReason::Unmarked => "nothing proves that it is the one made here".to_owned(),
    }
}

fn sum(steps: &[&PruneStep]) -> String {
    if steps.is_empty() {
        return "nothing".to_owned();
    }
    let count_of = |is: fn(&PruneItem) -> bool, one: &str| {
        let number = steps.iter().filter(|step| is(&step.item)).count();
        (number > 0).then(|| match (number, one) {
            (number, "branch") if number > 1 => format!("{number} branches"),
            (number, "trash directory") if number > 1 => format!("{number} trash directories"),
            (number, one) => count(u64::try_from(number).unwrap_or(u64::MAX), one),
        })
    };
    let counted = [
        count_of(|item| matches!(item, PruneItem::Trash { .. }), "trash directory"),
        count_of(|item| matches!(item, PruneItem::Template { .. }), "template"),
        count_of(|item| matches!(item, PruneItem::Spare { .. }), "ready worktree"),
        count_of(|item| matches!(item, PruneItem::Worktree { .. }), "worktree"),
        count_of(|item| matches!(item, PruneItem::Rescue { .. }), "rescue"),
        count_of(|item| matches!(item, PruneItem::Branch { .. }), "branch"),
    ];
    let bytes = steps.iter().filter_map(|step| step.unique.or(step.bytes)).fold(0, u64::saturating_add);
    let counted: Vec<_> = counted.into_iter().flatten().collect();
    format!("{} ({})", counted.join(", "), format_bytes(bytes))
}

fn stay(number: usize) -> String {
    if number == 1 { "1 stays".to_owned() } else { format!("{number} stay") }
}

/// What needs no command.
fn by_itself(plan: &PrunePlan) -> String {
    // With a budget the trash is one of the steps.
    let trash = plan.going.trash.filter(|_| plan.budget.is_none());
    let parts = [("old logs", plan.going.logs), ("trash", trash)];
    let told: Vec<_> = parts
        .into_iter()
        .filter_map(|(what, bytes)| {
            Some(format!("{} of {what}", format_bytes(bytes.filter(|bytes| *bytes > 0)?)))
        })
        .collect();
    if told.is_empty() {
        String::new()
    } else {
        paint(FAINT, format!("by itself: {}", told.join(", "))) + "\n"
    }
}

/// The command that does what was planned.
fn command(policy: &PrunePolicy) -> String {
    let mut words = vec!["windrow prune".to_owned()];
    words.extend(policy.older_than.map(|age| format!("--older-than {}", exact(age.as_secs()))));
    words.extend(policy.to_bytes.map(|bytes| format!("--to-bytes {bytes}")));
    words.extend(policy.to_budget.map(|bytes| format!("--to-budget {bytes}")));
    words.extend(policy.landed.then(|| "--landed".to_owned()));
    words.extend(policy.merged.then(|| "--merged".to_owned()));
    words.join(" ")
}

/// A time in its largest unit that leaves no rest.
fn exact(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let fits = units.iter().find(|(_, length)| seconds > 0 && seconds.is_multiple_of(*length));
    fits.map_or_else(|| format!("{seconds}s"), |(unit, length)| format!("{}{unit}", seconds / length))
}

#[cfg(test)]
mod tests;
