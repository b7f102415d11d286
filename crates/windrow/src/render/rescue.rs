//! Saved work.

use comfy_table::Cell;
use windrow_core::ops::{RescueDetails, RescuedPath, RescuedWhere};
use windrow_model::{RescueRecord, format_bytes};

use super::{
    View,
    style::{FAINT, NAME, TYPED, paint},
    table,
    text::{Lines, age, branch, count, path, safe_bytes},
};

/// A table of rescues, or one line when there are none.
pub(crate) fn rescues(records: &[RescueRecord], view: &View<'_>) -> String {
    if records.is_empty() {
        return "no saved work\n".to_owned();
    }
    let mut table = table::table(&["RESCUE", "WORKTREE", "BRANCH", "PATHS", "ARCHIVE", "AGE"]);
    for record in records {
        let size = if record.archive.is_some() { format_bytes(record.archive_bytes) } else { "-".to_owned() };
        table.add_row([
            Cell::new(&record.id).add_attribute(comfy_table::Attribute::Bold),
            Cell::new(&record.name),
            Cell::new(branch(record.branch.as_ref(), "(detached)")),
            Cell::new(record.paths),
            Cell::new(size),
            Cell::new(age(record.created_at, view)),
        ]);
    }
    table::render(table)
}

/// What a rescue holds.
pub(crate) fn rescue(details: &RescueDetails, view: &View<'_>) -> String {
    let record = &details.record;
    let mut lines = Lines::default();
    lines.add("worktree", record.name.as_str());
    let branch = branch(record.branch.as_ref(), "detached");
    lines.add("HEAD", format!("{}  {branch}", record.head.short()));
    if let Some(commit) = record.commit {
        lines.add("snapshot", commit.short());
    }
    if let Some(archive) = &record.archive {
        lines.add("archive", format!("{}  {}", path(archive, view), format_bytes(record.archive_bytes)));
    }
    lines.add("paths", count(record.paths, "path"));
    lines.add("next", paint(TYPED, format!("windrow restore {}", record.id)));
    let saved = paint(FAINT, format!("saved {} ago", age(record.created_at, view)));
    format!("{}  {saved}\n{}{}", paint(NAME, &record.id), lines.render("  "), contents(details))
}

fn contents(details: &RescueDetails) -> String {
    let line = |rescued: &RescuedPath| {
        let place = match rescued.place {
            RescuedWhere::Snapshot => "snapshot",
            RescuedWhere::Archive => "archive ",
        };
        let size = rescued.size.map(format_bytes).unwrap_or_default();
        format!("    {}  {size:>10}  {}\n", paint(FAINT, place), safe_bytes(&rescued.path))
    };
    details.paths.iter().map(line).collect()
}

/// A rescue that is gone.
pub(crate) fn rescue_dropped(record: &RescueRecord) -> String {
    format!("{}  dropped, {}\n", paint(NAME, &record.id), count(record.paths, "path"))
}
