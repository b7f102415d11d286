//! Patterns in gitignore syntax, matched against raw relative paths.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt, path::Path};

use bstr::BStr;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

/// A pattern that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("pattern `{pattern}` is not valid gitignore syntax")]
pub struct PatternError {
    /// The line.
    pub pattern: String,
    #[source]
    source: ignore::Error,
}

/// Whether a path is a directory, on which patterns with a trailing slash depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Anything but a directory.
    File,
    /// A directory.
    Directory,
}

/// What patterns say about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No pattern speaks of it.
    Silent,
    /// It, or a directory above it, matches.
    Matches,
    /// A `!` pattern takes it out.
    TakenOut,
}

/// A list of patterns; later ones win.
#[derive(Clone)]
pub struct Patterns {
    rules: Gitignore,
}

impl Patterns {
    /// Reads patterns, one in each item; empty ones and comments are allowed as in a file.
    ///
    /// # Errors
    /// A pattern that is no glob.
    pub fn new<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<Self, PatternError> {
        let mut builder = GitignoreBuilder::new("");
        // To git such a pattern matches nothing, which nobody means.
        builder.allow_unclosed_class(false);
        let mut last = String::new();
        for line in lines {
            last = line.as_ref().to_owned();
            builder.add_line(None, &last).map_err(|source| PatternError { pattern: last.clone(), source })?;
        }
        let rules = builder.build().map_err(|source| PatternError { pattern: last, source })?;
        Ok(Self { rules })
    }

    /// Tells whether there is no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Judges a path relative to the root; what matches a directory matches all below it that no `!` takes out.
    #[must_use]
    pub fn judge(&self, path: &BStr, kind: PathKind) -> Verdict {
        // The matcher panics on an absolute path; none is below the root, so nothing can be said of it.
        if self.is_empty() || path.starts_with(b"/") {
            return Verdict::Silent;
        }
        let path = Path::new(OsStr::from_bytes(path));
        match self.rules.matched_path_or_any_parents(path, kind == PathKind::Directory) {
            Match::None => Verdict::Silent,
            Match::Ignore(_) => Verdict::Matches,
            Match::Whitelist(_) => Verdict::TakenOut,
        }
    }

    /// Tells whether a path matches.
    #[must_use]
    pub fn matches(&self, path: &BStr, kind: PathKind) -> bool {
        self.judge(path, kind) == Verdict::Matches
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patterns({})", self.rules.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_take_their_content_along_except_what_is_taken_out() {
        let patterns = Patterns::new(["# secrets", ".env*", "/conf/", "!conf/public.toml"]).unwrap();
        let judge = |path: &[u8]| patterns.judge(BStr::new(path), PathKind::File);
        assert_eq!(judge(b"deep/.env.local"), Verdict::Matches);
        assert_eq!(judge(b"conf/a/b"), Verdict::Matches);
        assert_eq!(judge(b"conf/public.toml"), Verdict::TakenOut);
        assert_eq!(judge(b"x/conf/a"), Verdict::Silent);
        assert_eq!(judge(b"a\nb"), Verdict::Silent);
        assert_eq!(judge(b"conf/\xff"), Verdict::Matches);
        assert!(Patterns::new(["a[b"]).is_err());
    }
}
