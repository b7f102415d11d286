//! "Did you mean": the key that a mistyped one was probably meant to be.

use super::key::{keys, sections};

/// The nearest key or table, if one is near enough to be meant.
pub(super) fn nearest(typed: &str) -> Option<String> {
    let typed = typed.to_lowercase();
    let known = keys().iter().map(|key| key.key).chain(sections());
    known
        .map(|candidate| (strsim::damerau_levenshtein(&typed, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(4))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
        .or_else(|| of_another_table(&typed))
}

/// A right word in the wrong table, if only one table has it.
fn of_another_table(typed: &str) -> Option<String> {
    let word = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let wanted = word(typed);
    let mut found = keys().iter().filter(|key| word(key.key) == wanted);
    let first = found.next()?;
    found.next().is_none().then(|| first.key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        for (typed, meant) in [
            ("pool.max_worktree", "pool.max_worktrees"),
            ("pool.tll", "pool.ttl"),
            ("Pool.TTL", "pool.ttl"),
            ("pol", "pool"),
            ("carry.exlude", "carry.exclude"),
            ("max_worktrees", "pool.max_worktrees"),
            ("run.ttl", "pool.ttl"),
            ("min-version", "min_version"),
        ] {
            assert_eq!(nearest(typed).as_deref(), Some(meant), "{typed}");
        }
    }

    #[test]
    fn says_nothing_about_the_unlike() {
        for typed in ["", "telemetry.endpoint", "x", "widgets"] {
            assert_eq!(nearest(typed), None, "{typed}");
        }
    }
}
