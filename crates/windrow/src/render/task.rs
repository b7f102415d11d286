//! Tasks.

use comfy_table::Cell;
use windrow_core::{
    ops::TaskDetails,
    store::{Claim, Fields, Task, TaskChange},
};

use super::{
    View,
    style::{NAME, TYPED, paint},
    table,
    text::{Lines, age, safe, until},
};

/// A table of tasks, or one line when there are none.
pub(crate) fn tasks(tasks: &[TaskDetails], view: &View<'_>) -> String {
    if tasks.is_empty() {
        return format!("no tasks; make one with {}\n", paint(TYPED, "windrow task new TITLE"));
    }
    let mut table = table::table(&["TASK", "STATE", "CLAIMED BY", "CHANGED", "TITLE"]);
    for TaskDetails { task, claim } in tasks {
        table.add_row([
            Cell::new(&task.id).add_attribute(comfy_table::Attribute::Bold),
            Cell::new(&task.state),
            Cell::new(claim.as_ref().map_or_else(String::new, |claim| safe(&claim.holder))),
            Cell::new(age(task.updated_at, view)),
            Cell::new(safe(&task.title)),
        ]);
    }
    table::render(table)
}

/// One task with its fields.
pub(crate) fn task(details: &TaskDetails, view: &View<'_>) -> String {
    let TaskDetails { task, claim } = details;
    let mut lines = Lines::default();
    lines.add("state", task.state.to_string());
    lines.add("changed", format!("{} ago, revision {}", age(task.updated_at, view), task.rev));
    if let Some(claim) = claim {
        let (holder, end) = (safe(&claim.holder), until(claim.expires_at, view));
        lines.add("claimed", format!("by {holder} for {end}, fence {}", claim.fence));
    }
    if !task.fields.is_empty() {
        lines.add("fields", fields(&task.fields));
    }
    format!("{}  {}\n{}", paint(NAME, &task.id), safe(&task.title), lines.render("  "))
}

/// A task that was changed.
pub(crate) fn task_edited(task: &Task) -> String {
    format!("{}  {}, revision {}\n", paint(NAME, &task.id), task.state, task.rev)
}

/// A claim that was taken or lasts longer now.
pub(crate) fn task_claimed(claim: &Claim, view: &View<'_>) -> String {
    let (holder, end) = (safe(&claim.holder), until(claim.expires_at, view));
    format!("{}  claimed by {holder} for {end}\n", paint(NAME, &claim.task))
}

/// The history of a task.
pub(crate) fn task_changes(changes: &[TaskChange], view: &View<'_>) -> String {
    let mut table = table::table(&["REV", "AGE", "BY", "STATE", "FIELDS"]);
    for change in changes {
        table.add_row([
            Cell::new(change.rev),
            Cell::new(age(change.at, view)),
            Cell::new(safe(&change.actor)),
            Cell::new(&change.state),
            Cell::new(if change.fields.is_empty() { String::new() } else { fields(&change.fields) }),
        ]);
    }
    table::render(table)
}

/// `serde_json` writes control characters out, but not those beyond ASCII.
fn fields(fields: &Fields) -> String {
    safe(&serde_json::Value::Object(fields.clone()).to_string())
}
