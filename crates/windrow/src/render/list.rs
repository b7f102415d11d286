//! `windrow list`.

use comfy_table::{Cell, Color};
use windrow_core::ops::Entry;
use windrow_model::WorktreeState;

use super::{
    View,
    style::{TYPED, paint},
    table,
    text::{age, branch, lease_holder, path, until},
};

/// A table of the worktrees, or one line when there are none.
pub(crate) fn list(entries: &[Entry], view: &View<'_>) -> String {
    if entries.is_empty() {
        let next = paint(TYPED, "windrow run -- CMD");
        return format!("no worktrees; make one with {next}\n");
    }
    let mut table = table::table(&["NAME", "STATE", "BRANCH", "HOLDER", "AGE", "EXPIRES", "PATH"]);
    for entry in entries {
        table.add_row(row(entry, view));
    }
    table::render(table)
}

fn row(entry: &Entry, view: &View<'_>) -> Vec<Cell> {
    let worktree = &entry.worktree;
    let expiry = entry.lease.as_ref().and_then(|lease| lease.expires_at).or(worktree.keep_until);
    let since = entry.lease.as_ref().map_or(worktree.created_at, |lease| lease.acquired_at);
    vec![
        Cell::new(&worktree.name).add_attribute(comfy_table::Attribute::Bold),
        state(worktree.state),
        Cell::new(branch(worktree.checkout.branch(), "(detached)")),
        Cell::new(entry.lease.as_ref().map_or_else(|| "-".to_owned(), lease_holder)),
        Cell::new(age(since, view)),
        Cell::new(expiry.map_or_else(|| "-".to_owned(), |then| until(then, view))),
        Cell::new(path(&worktree.path, view)),
    ]
}

fn state(state: WorktreeState) -> Cell {
    use WorktreeState as S;
    let cell = Cell::new(state);
    match state {
        S::Leased => cell.fg(Color::DarkGreen),
        S::Kept => cell.fg(Color::DarkYellow),
        S::Quarantined => cell.fg(Color::DarkRed),
        S::Idle => cell,
        S::Creating | S::Releasing | S::Removing | S::Gone => cell.add_attribute(comfy_table::Attribute::Dim),
    }
}
