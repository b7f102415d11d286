//! What kind of failure an error is: the code for programs, a hint, and facts.

use std::{error::Error, io, path::Path};

use super::{Problem, chain};
use crate::wire::{Bytes, Code, Details};

/// The kind of a failure, apart from its words.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) code: Code,
    pub(super) hint: Option<String>,
    pub(super) details: Box<Details>,
    /// What another program said about it, for people.
    pub(super) said: Option<String>,
    /// More for people, rendered.
    pub(super) page: Option<String>,
}

impl Kind {
    pub(super) fn new(code: Code) -> Self {
        Self { code, hint: None, details: Box::default(), said: None, page: None }
    }

    /// What the system refused to read or write.
    pub(super) fn io(error: &io::Error) -> Self {
        Self { hint: io_hint(error).map(str::to_owned), ..Self::new(io_code(error)) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn path(self, path: &Path) -> Self {
        self.detail(|details| details.path = Some(Bytes::path(path)))
    }

    pub(super) fn worktree(self, name: &windrow_model::WorktreeName) -> Self {
        self.detail(|details| details.worktree = Some(name.to_string()))
    }

    pub(super) fn branch(self, name: &windrow_model::BranchName) -> Self {
        self.detail(|details| details.branch = Some(name.to_string()))
    }

    pub(super) fn detail(mut self, fill: impl FnOnce(&mut Details)) -> Self {
        fill(&mut self.details);
        self
    }
}

/// An error whose kind is known.
pub(super) trait Classify: Error + 'static {
    /// Its kind, by one exhaustive match.
    fn kind(&self) -> Kind;
}

impl<E: Classify> From<E> for Problem {
    fn from(error: E) -> Self {
        let Kind { code, hint, details, said, page } = error.kind();
        let mut message = chain(&error);
        if let Some(said) = said {
            message = format!("{message}: {said}");
        }
        Self { hint, details, page, ..Self::told(code, message) }
    }
}

pub(super) const FREE_SPACE: &str = "free some space, or put the worktrees elsewhere with `pool.directory`";
pub(super) const PERMISSIONS: &str = "look at its owner and its permissions";

/// What to do about a failure that the system reports.
pub(super) fn io_hint(error: &io::Error) -> Option<&'static str> {
    // ENFILE, EMFILE
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return Some("raise the limit with `ulimit -n 4096`");
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(FREE_SPACE),
        io::ErrorKind::PermissionDenied => Some(PERMISSIONS),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("that file system can only be read; make it writable first")
        }
        io::ErrorKind::NotADirectory => Some("move away what lies where a directory should be"),
        _ => None,
    }
}

/// The code for a failure that the system reports.
pub(super) fn io_code(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
        _ => Code::Io,
    }
}
