//! Tables without borders.

use comfy_table::{Cell, ContentArrangement, Table, presets::NOTHING};

const RESET: &str = "\u{1b}[0m";

/// Begins a table with these headings.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .enforce_styling()
        .set_header(
            headings.iter().map(|heading| Cell::new(heading).add_attribute(comfy_table::Attribute::Dim)),
        );
    table
}

/// The table's lines, without blanks at their ends.
pub(super) fn render(mut table: Table) -> String {
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table.lines().map(|line| format!("{}\n", trimmed(&line))).collect()
}

/// Without blanks at the end, also before a closing escape sequence.
fn trimmed(line: &str) -> String {
    let line = line.trim_end();
    match line.strip_suffix(RESET) {
        Some(text) => format!("{}{RESET}", text.trim_end()),
        None => line.to_owned(),
    }
}
