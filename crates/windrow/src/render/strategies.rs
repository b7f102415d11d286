//! The ways in which worktrees can be made.

use comfy_table::Cell;
use windrow_core::ops::{Strategies, Template};

use super::{
    View,
    style::{CARE, FAINT, NAME, paint},
    table,
    text::{age, count, path, safe},
};

/// Each way, why it cannot be taken, and which one is next.
pub(crate) fn strategies(found: &Strategies, view: &View<'_>) -> String {
    let mut table = table::table(&["WAY", "POSSIBLE", "NOTE"]);
    for way in &found.ways {
        let next = way.strategy == found.next.strategy;
        let note = way.objection.as_deref().unwrap_or(if next { "the next worktree is made so" } else { "" });
        table.add_row([
            Cell::new(way.strategy.as_str()),
            Cell::new(if way.objection.is_none() { "yes" } else { "no" }),
            Cell::new(safe(note)),
        ]);
    }
    let mut text = table::render(table);
    if let Some(why) = &found.next.instead {
        text.push_str(&format!("{}\n", paint(CARE, safe(why))));
    }
    if found.templates.is_empty() {
        text.push_str(&paint(FAINT, "no template yet; `windrow pool template` makes one\n"));
    }
    text + &templates(&found.templates, view)
}

/// A template that is there.
pub(crate) fn template(template: &Template, view: &View<'_>) -> String {
    let serves = format!("serves by {}", template.serves.as_str());
    let commit = paint(NAME, format!("template of {}", template.commit.short()));
    format!("{commit}  {serves}  {}\n", paint(FAINT, path(&template.root, view)))
}

/// Templates that were thrown away.
pub(crate) fn templates_removed(removed: u32) -> String {
    let next =
        paint(FAINT, "`pool.templates = 0` keeps new ones from being made in the background after today");
    format!("{} thrown away  {next}\n", count(removed.into(), "template"))
}

/// All templates, a line each.
pub(super) fn templates(templates: &[Template], view: &View<'_>) -> String {
    let line = |one: &Template| {
        let made = paint(FAINT, format!("made {} ago", age(one.made_at, view)));
        format!("{}  {made}\n", template(one, view).trim_end())
    };
    templates.iter().map(line).collect()
}
