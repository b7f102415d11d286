//! Tables without borders.

use comfy_table::{Cell, ContentArrangement, Table, presets::NOTHING};

/// What a cell may end with: of everything, of its colour.
const RESETS: [&str; 2] = ["\u{1b}[0m", "\u{1b}[39m"];

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

/// Without blanks at the end, also before closing escape sequences.
fn trimmed(line: &str) -> String {
    let line = line.trim_end();
    let closed = RESETS.iter().find_map(|reset| Some((line.strip_suffix(reset)?, reset)));
    closed.map_or_else(|| line.to_owned(), |(text, reset)| trimmed(text) + reset)
}
