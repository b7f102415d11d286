//! The change of a small file, for people.

use crate::render::safe;

/// How many lines around a change are shown.
const AROUND: usize = 2;

/// The lines that go and come, with a few around them; empty when nothing changes.
pub(crate) fn diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    let (gone, come) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let line = |mark: &str, line: &str| format!("{mark} {}\n", safe(line));
    if gone.is_empty() && come.is_empty() {
        return String::new();
    }
    let before = old[head.saturating_sub(AROUND)..head].iter().map(|text| line(" ", text));
    let gone = gone.iter().map(|text| line("-", text));
    let come = come.iter().map(|text| line("+", text));
    let after = old[old.len() - tail..].iter().take(AROUND).map(|text| line(" ", text));
    before.chain(gone).chain(come).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_comes_stands_between_what_stays() {
        assert_eq!(diff("a\nb\nc\nd\ne\nf", "a\nb\nc\nX\nY\ne\nf"), "  b\n  c\n- d\n+ X\n+ Y\n  e\n  f\n");
        assert_eq!(diff("a\n", "a\n"), "");
        assert_eq!(diff("", "a\nb\n"), "+ a\n+ b\n");
        assert_eq!(diff("a\na\n", "a\na\na\n"), "  a\n  a\n+ a\n");
    }
}
