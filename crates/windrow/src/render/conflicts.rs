//! Which work will not merge.

use std::collections::BTreeSet;

use comfy_table::{Attribute, Cell, Color};
use windrow_core::ops::{Against, Collision, Forecast};

use super::{
    style::{CARE, GOOD, paint},
    table,
    text::{branch, count, safe, safe_bytes},
};

/// How many paths of a pair are named before the rest is only counted.
const NAMED: usize = 3;

/// A table of what does not merge, and what was looked at.
pub(crate) fn forecast(forecast: &Forecast) -> String {
    let mut text = String::new();
    if !forecast.collisions.is_empty() {
        let mut table = table::table(&["WORK", "AGAINST", "KIND", "PATHS"]);
        for collision in &forecast.collisions {
            table.add_row(row(collision));
        }
        text = table::render(table);
    }
    for unseen in &forecast.unseen {
        let told = format!("not looked at: {}: {}", unseen.name, safe(&unseen.why));
        text.push_str(&format!("{}\n", paint(CARE, told)));
    }
    for work in forecast.works.iter().filter(|work| !work.left_out.is_empty()) {
        let paths: Vec<String> = work.left_out.iter().map(|path| safe_bytes(path)).collect();
        let told = format!("not looked at: {} of {}", listed(&paths), work.name);
        text.push_str(&format!("{}\n", paint(CARE, told)));
    }
    text + &summary(forecast)
}

fn summary(forecast: &Forecast) -> String {
    let looked = format!(
        "{} and {} looked at",
        count(forecast.works.len() as u64, "worktree"),
        count(forecast.pairs, "pair")
    );
    match forecast.collisions.len() as u64 {
        0 => format!("{}  {looked}\n", paint(GOOD, "nothing in conflict")),
        some => format!("{} in conflict  {looked}\n", count(some, "pair")),
    }
}

fn row(collision: &Collision) -> Vec<Cell> {
    let paths: Vec<String> = collision.paths.iter().map(|path| safe_bytes(path)).collect();
    vec![
        Cell::new(&collision.first).add_attribute(Attribute::Bold),
        match &collision.second {
            Against::Work(name) => Cell::new(name).add_attribute(Attribute::Bold),
            Against::Target(target) => Cell::new(format!("{} (target)", branch(Some(target), "none"))),
        },
        Cell::new(kinds(collision)).fg(Color::DarkYellow),
        Cell::new(listed(&paths)),
    ]
}

/// What git calls the conflicts, each once.
fn kinds(collision: &Collision) -> String {
    let kinds: BTreeSet<&str> = collision.conflicts.iter().map(|one| short(&one.kind)).collect();
    safe(&kinds.into_iter().collect::<Vec<_>>().join(", "))
}

/// `contents` of `CONFLICT (contents)`.
fn short(kind: &str) -> &str {
    kind.strip_prefix("CONFLICT (").and_then(|rest| rest.strip_suffix(')')).unwrap_or(kind)
}

fn listed(paths: &[String]) -> String {
    let named = paths[..paths.len().min(NAMED)].join(", ");
    match paths.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
