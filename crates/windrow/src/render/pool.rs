//! The warm pool.

use comfy_table::Cell;
use windrow_core::ops::{Filled, Holdings, PoolStatus, Shrunk};
use windrow_model::format_bytes;

use super::{
    View,
    list::usage_cells,
    strategies::templates,
    style::{CARE, FAINT, GOOD, NAME, paint},
    table,
    text::{age, count, path, safe},
};

/// What is held ready, and what everything takes if that was measured.
pub(crate) fn pool_status(status: &PoolStatus, held: Option<&Holdings>, view: &View<'_>) -> String {
    let used = held.map_or_else(String::new, |held| holdings(held, status.max_bytes));
    ready(status, view) + &used
}

/// A table of what everything takes.
fn holdings(held: &Holdings, budget: Option<u64>) -> String {
    let total = held.total();
    let rows = [
        ("ready", held.ready),
        ("templates", held.templates),
        ("in use", held.in_use),
        ("rescues", held.rescues),
        ("trash", held.trash),
        ("total", total),
    ];
    let mut table = table::table(&["HELD", "COUNT", "UNIQUE", "SHARED", "APPARENT", "FILES"]);
    for (what, of) in rows {
        let mut row = vec![Cell::new(what), Cell::new(of.count)];
        row.extend(usage_cells(Some(&of.usage)));
        table.add_row(row);
    }
    let mut text = table::render(table);
    if total.untold > 0 {
        let told = format!("without {}, whose size cannot be told", count(total.untold.into(), "thing"));
        text.push_str(&format!("{}\n", paint(CARE, told)));
    }
    if let Some(budget) = budget {
        let over = total.usage.charged_bytes() > budget;
        let told = format!("pool.max_bytes allows {}", format_bytes(budget));
        let next = if over { "; `windrow prune --to-budget` keeps to it" } else { "" };
        text.push_str(&format!("{}\n", paint(if over { CARE } else { FAINT }, told + next)));
    }
    text
}

/// What is held ready, and what to do when nothing is.
fn ready(status: &PoolStatus, view: &View<'_>) -> String {
    let usable = status.spares.iter().filter(|spare| spare.usable).count();
    let ready = paint(if usable > 0 { GOOD } else { CARE }, format!("{usable} ready"));
    let of = status.max.map_or_else(String::new, |max| format!(" of {max}"));
    let filling = if status.filling { ", more are being made" } else { "" };
    let mut text = format!("{ready}{filling}  {} wanted, {}{of} in use\n", status.wanted, status.in_use);
    if status.spares.is_empty() {
        let next = if status.filling { "" } else { "`windrow pool warm 4` makes some\n" };
        return text + &paint(FAINT, next) + &templates(&status.templates, view);
    }
    let mut table = table::table(&["READY", "COMMIT", "AGE", "PATH"]);
    for spare in &status.spares {
        table.add_row([
            Cell::new(if spare.usable { "yes" } else { "no, to be replaced" }),
            Cell::new(spare.record.base.short()),
            Cell::new(age(spare.record.created_at, view)),
            Cell::new(path(&spare.path, view)),
        ]);
    }
    text.push_str(&table::render(table));
    text + &templates(&status.templates, view)
}

/// A filling that was begun.
pub(crate) fn filling(wanted: u32) -> String {
    format!("making {}; `windrow pool status` tells how far it is\n", worktrees(wanted))
}

/// A filling that is done.
pub(crate) fn filled(filled: &Filled) -> String {
    let mut did = Vec::new();
    if filled.made > 0 {
        did.push(format!("{} made", filled.made));
    }
    if filled.recycled > 0 {
        did.push(format!("{} cleaned after use", filled.recycled));
    }
    if filled.switched > 0 {
        did.push(format!("{} brought up to date", filled.switched));
    }
    if filled.withheld > 0 {
        did.push(format!("{} not made for want of room in the budget", filled.withheld));
    }
    let did = if did.is_empty() { "nothing to do".to_owned() } else { did.join(", ") };
    format!("{}  {}\n", paint(NAME, format!("{} ready", worktrees(filled.ready))), paint(FAINT, did))
}

/// A pool that holds fewer ready.
pub(crate) fn shrunk(shrunk: &Shrunk) -> String {
    let mut text = format!("{} thrown away, {} ready\n", worktrees(shrunk.removed), shrunk.left);
    for notice in &shrunk.notices {
        text.push_str(&format!("{}\n", paint(CARE, safe(notice))));
    }
    text
}

fn worktrees(number: u32) -> String {
    count(number.into(), "worktree")
}
