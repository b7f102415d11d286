//! Which layer a value came from, and where in it.

use std::{fmt, path::PathBuf};

/// The layer that gave a value, the weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The user's file.
    User(PathBuf),
    /// The committed file.
    Repository(PathBuf),
    /// The private file of the repository.
    Private(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// `--config` with this key.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User(path) | Self::Repository(path) | Self::Private(path) => {
                write!(f, "`{}`", path.display())
            }
            Self::Environment(name) => write!(f, "environment variable `{}`", name.escape_debug()),
            Self::Flag(key) => write!(f, "flag `--config {}`", key.escape_debug()),
        }
    }
}

/// Where something was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The layer.
    pub origin: Origin,
    /// The line of a file, counted from 1.
    pub line: Option<usize>,
}

impl Place {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, line: None }
    }

    pub(super) fn at(origin: &Origin, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().iter().take(offset);
        Self { origin: origin.clone(), line: Some(1 + before.filter(|byte| **byte == b'\n').count()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}", self.origin),
            None => write!(f, "{}", self.origin),
        }
    }
}
