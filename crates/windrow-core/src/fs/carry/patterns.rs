//! What the files of the repository and the configuration ask to be taken along.

use std::{fs::File, io, io::Read, path::Path};

use bstr::BStr;
use rustix::fs::Mode;
use windrow_model::CarrySettings;

use super::{CarryError, GitStanding, at};
use crate::fs::{PathKind, Patterns};

const INCLUDE_FILE: &str = ".worktreeinclude";
const LINK_FILE: &str = ".worktreelink";

/// All patterns that decide about carrying.
#[derive(Clone, Debug)]
pub struct CarryPatterns {
    include_file: Patterns,
    link_file: Patterns,
    include: Patterns,
    link: Patterns,
    exclude: Patterns,
    context: Patterns,
}

/// What patterns want of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Copy,
    Link,
    /// Nothing asks for it; something below it may be asked for.
    Unasked,
    /// It must not be taken, nor anything below it.
    Excluded,
}

impl CarryPatterns {
    /// Reads `.worktreeinclude` and `.worktreelink` of the main worktree, which count only for ignored paths, and takes
    /// the settings, which count for all untracked ones. Context directories are those at the root.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or a pattern that cannot be understood.
    pub fn load(main: &Path, settings: &CarrySettings) -> Result<Self, CarryError> {
        let context = settings.context.iter().map(|name| format!("/{}", name.trim_start_matches('/')));
        Ok(Self {
            include_file: patterns(INCLUDE_FILE, read_lines(main, INCLUDE_FILE)?)?,
            link_file: patterns(LINK_FILE, read_lines(main, LINK_FILE)?)?,
            include: patterns("carry.include", &settings.include)?,
            link: patterns("carry.link", &settings.link)?,
            exclude: patterns("carry.exclude", &settings.exclude)?,
            context: patterns("carry.context", context)?,
        })
    }

    pub(super) fn judge(&self, path: &BStr, kind: PathKind, standing: GitStanding) -> Wanted {
        let ignored = standing == GitStanding::Ignored;
        if self.exclude.matches(path, kind) {
            Wanted::Excluded
        } else if self.link.matches(path, kind) || ignored && self.link_file.matches(path, kind) {
            Wanted::Link
        } else if self.include.matches(path, kind)
            || ignored && self.include_file.matches(path, kind)
            || self.context.matches(path, kind)
        {
            Wanted::Copy
        } else {
            Wanted::Unasked
        }
    }

    /// Tells whether something below a directory may be asked for that does not match itself.
    #[must_use]
    pub fn reach_below(&self) -> bool {
        let all = [&self.include_file, &self.link_file, &self.include, &self.link];
        !all.iter().all(|patterns| patterns.is_empty())
    }
}

fn patterns<T: AsRef<str>>(
    origin: &'static str,
    lines: impl IntoIterator<Item = T>,
) -> Result<Patterns, CarryError> {
    Patterns::new(lines).map_err(|source| CarryError::Pattern { origin, source })
}

fn read_lines(main: &Path, file: &'static str) -> Result<Vec<String>, CarryError> {
    let read = || {
        let mut text = String::new();
        let fd = at::open(at::open_root(main)?, file.as_bytes(), at::READ, Mode::empty())?;
        File::from(fd).read_to_string(&mut text)?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    match read() {
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|source| CarryError::PatternFile { file, source }),
    }
}
