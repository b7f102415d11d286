//! Build caches that came along, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops::{self, SeedFate, SeedFigures};

use super::Bytes;

/// What became of taking one build cache along.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Seed {
    /// Whose cache it is, such as `cargo`.
    tool: String,
    /// Where it lies, relative to the top of the main worktree and of this one.
    path: Bytes,
    /// What became of it.
    fate: Fate,
}

/// What became of a build cache.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It is in the worktree.
    Taken(Figures),
    /// It is not.
    Left {
        /// Why, for people.
        reason: String,
    },
}

/// The figures of a build cache that came along.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Figures {
    /// How many files and links.
    files: u64,
    /// Bytes on the same blocks as in the main worktree.
    shared_bytes: u64,
    /// Bytes that were copied.
    copied_bytes: u64,
    /// Compiled units that stayed behind, because the path of the main worktree is in them.
    left_behind: u64,
    /// Build scripts that run again because they do not say what they read, and something differs.
    run_again: u64,
    /// Sources that are as in the main worktree.
    same: u64,
    /// Sources that count as changed.
    changed: u64,
    /// The symbolic link for whose sake all of them do.
    astray: Option<Bytes>,
}

impl From<&ops::Seed> for Seed {
    fn from(seed: &ops::Seed) -> Self {
        let fate = match &seed.fate {
            SeedFate::Taken(figures) => Fate::Taken(Figures::from(figures)),
            SeedFate::Left(reason) => Fate::Left { reason: reason.clone() },
        };
        Self { tool: seed.tool.as_str().to_owned(), path: Bytes::new(&seed.path), fate }
    }
}

impl From<&SeedFigures> for Figures {
    fn from(figures: &SeedFigures) -> Self {
        Self {
            files: figures.files,
            shared_bytes: figures.shared_bytes,
            copied_bytes: figures.copied_bytes,
            left_behind: figures.left_behind,
            run_again: figures.run_again,
            same: figures.same,
            changed: figures.changed,
            astray: figures.astray.as_ref().map(|path| Bytes::new(path)),
        }
    }
}
