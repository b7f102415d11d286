//! `windrow list`.

use comfy_table::{Cell, Color};
use windrow_core::ops::{Entry, Measured};
use windrow_model::{Usage, WorktreeState, format_bytes};

use super::{
    View,
    style::{CARE, TYPED, paint},
    table,
    text::{age, branch, lease_holder, path, safe, until},
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

/// A table of what the worktrees take on the disk, with their sum.
pub(crate) fn list_usage(entries: &[Entry], usage: &[Measured], view: &View<'_>) -> String {
    if entries.is_empty() {
        return list(entries, view);
    }
    let mut table = table::table(&["NAME", "STATE", "UNIQUE", "SHARED", "APPARENT", "FILES", "PATH"]);
    for (entry, measured) in entries.iter().zip(usage) {
        let worktree = &entry.worktree;
        let mut row = vec![
            Cell::new(&worktree.name).add_attribute(comfy_table::Attribute::Bold),
            state(worktree.state),
        ];
        row.extend(usage_cells(measured.as_ref().ok()));
        row.push(Cell::new(path(&worktree.path, view)));
        table.add_row(row);
    }
    let mut sum = vec![Cell::new("total"), Cell::new("")];
    sum.extend(usage_cells(Some(&usage.iter().flatten().copied().sum())));
    table.add_row(sum);
    let mut text = table::render(table);
    for (entry, why) in
        entries.iter().zip(usage).filter_map(|(entry, told)| Some((entry, told.as_ref().err()?)))
    {
        let told = format!("{} is not in the total: {}", entry.worktree.name, safe(why));
        text.push_str(&format!("{}\n", paint(CARE, told)));
    }
    text
}

/// Unique, shared and apparent bytes, and how many files.
pub(super) fn usage_cells(usage: Option<&Usage>) -> [Cell; 4] {
    let bytes = |bytes: Option<u64>| Cell::new(bytes.map_or_else(|| "?".to_owned(), format_bytes));
    let files = usage.map_or_else(|| "?".to_owned(), |usage| usage.inodes.to_string());
    [
        bytes(usage.and_then(Usage::unique_bytes)),
        bytes(usage.and_then(|usage| usage.shared_bytes)),
        bytes(usage.map(|usage| usage.apparent_bytes)),
        Cell::new(files),
    ]
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
