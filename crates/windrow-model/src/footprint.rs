//! Which pieces of work can get in each other's way, told by what they touched.
//!
//! It errs towards yes: a pair that it lets go by merges without a conflict, of the others a merge tells.

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice};

/// What a piece of work touched, compared with the commit that it is merged with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Files that were added, changed or deleted; of a rename both names.
    pub touched: BTreeSet<BString>,
    /// Those of them that are new.
    pub added: BTreeSet<BString>,
    /// Directories that were there and are none any more.
    pub gone: BTreeSet<BString>,
}

impl Footprint {
    /// Tells whether a merge of both may be in conflict.
    ///
    /// Either both touched one file, or a file of one lies where a directory of the other is, or one added something to a
    /// directory that the other moved, and git moves it along. *Source*: `collect_rename_info` in git's merge-ort.c: a directory
    /// counts as renamed only when nothing is left of it.
    #[must_use]
    pub fn may_collide(&self, other: &Self) -> bool {
        let shared = || !self.touched.is_disjoint(&other.touched);
        shared() || self.reaches_into(other) || other.reaches_into(self)
    }

    /// Whether something here lies below a file that the other touched, or was added below a directory that the other moved.
    fn reaches_into(&self, other: &Self) -> bool {
        let lies_below = |path: &BString| above(path).any(|directory| other.touched.contains(directory));
        let follows = |path: &BString| above(path).any(|directory| other.gone.contains(directory));
        self.touched.iter().any(lies_below) || self.added.iter().any(follows)
    }
}

/// The directories above a path, the nearest first, without the root.
fn above(path: &BString) -> impl Iterator<Item = &BStr> {
    path.rfind_iter(b"/").map(|end| path[..end].as_bstr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> BTreeSet<BString> {
        paths.iter().map(|path| BString::from(*path)).collect()
    }

    fn work(changed: &[&str], added: &[&str], gone: &[&str]) -> Footprint {
        let touched = set(changed).into_iter().chain(set(added)).collect();
        Footprint { touched, added: set(added), gone: set(gone) }
    }

    #[test]
    fn pairs_that_have_to_be_merged() {
        let moved = work(&["d/a", "d/sub/b"], &["e/a", "e/sub/b"], &["d", "d/sub"]);
        for (one, other, expected) in [
            (work(&["a"], &[], &[]), work(&["a"], &[], &[]), true),
            (work(&["a"], &[], &[]), work(&["b"], &[], &[]), false),
            (work(&[], &["a"], &[]), work(&[], &["a/b/c"], &[]), true),
            (work(&[], &["a"], &[]), work(&[], &["ab/c"], &[]), false),
            (moved.clone(), work(&[], &["d/new"], &[]), true),
            (moved.clone(), work(&[], &["d/sub/new/x"], &[]), true),
            (moved.clone(), work(&["d2/new"], &["c/d/new"], &[]), false),
            (moved.clone(), work(&["e/other"], &[], &[]), false),
            (Footprint::default(), moved, false),
        ] {
            assert_eq!(one.may_collide(&other), expected, "{one:?} and {other:?}");
            assert_eq!(other.may_collide(&one), expected, "{other:?} and {one:?}");
        }
    }
}
