//! Build caches that came along, in one line each.

use windrow_core::ops::{Seed, SeedFate, SeedFigures};
use windrow_model::format_bytes;

use super::{
    style::{CARE, FAINT, paint},
    text::{Lines, count, safe, safe_bytes},
};

/// Adds a line for each build cache.
pub(super) fn add_seeds(lines: &mut Lines, seeds: &[Seed]) {
    for seed in seeds {
        let path = safe_bytes(&seed.path);
        match &seed.fate {
            SeedFate::Taken(figures) => lines.add("seeded", format!("{path}  {}", taken(figures))),
            SeedFate::Left(why) => lines.add("no seed", format!("{path}  {}", paint(FAINT, safe(why)))),
        }
    }
}

/// `1.2 GiB shared, 3 MiB copied; 5 files count as changed, 2 units to compile anew`.
fn taken(figures: &SeedFigures) -> String {
    let bytes = [(figures.shared_bytes, "shared"), (figures.copied_bytes, "copied")];
    let told: Vec<_> = bytes
        .iter()
        .filter(|(bytes, _)| *bytes > 0)
        .map(|(bytes, how)| format!("{} {how}", format_bytes(*bytes)))
        .collect();
    let mut text = if told.is_empty() { "nothing in it".to_owned() } else { told.join(", ") };
    if figures.changed > 0 {
        text.push_str(&format!("; {} newer than it", count(figures.changed, "file")));
    }
    if figures.left_behind > 0 {
        let units = count(figures.left_behind, "unit");
        text.push_str(&format!("; {units} left behind that hold its path"));
    }
    if let Some(link) = &figures.astray {
        let why = format!("; all is compiled anew because of the link {}", safe_bytes(link));
        text.push_str(&paint(CARE, why));
    }
    text
}
