//! What of everybody's is not as it was, on the wire.

use schemars::JsonSchema;
use serde::Serialize;
use windrow_core::ops;
use windrow_model as model;

use super::{Bytes, Time, worktree::Holder};

/// Something shared that is not as it was when the lease was given; a fact, whoever did it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Drift {
    /// A thing with one value has another one.
    Value {
        /// What.
        what: Single,
        /// Then; null when it was unset.
        from: Option<Bytes>,
        /// Now; null when it is unset.
        to: Option<Bytes>,
    },
    /// Other keys of the shared configuration changed. Values may be secrets, so they are not told.
    Config {
        /// The keys; none when the file was written with the same values.
        keys: Vec<Bytes>,
    },
    /// A hook changed.
    Hook {
        /// Its path.
        path: Bytes,
        /// How.
        change: Change,
    },
    /// What is staged in the main checkout changed.
    Index,
    /// A file in the main checkout changed; those that were added are untracked and not ignored.
    File {
        /// Its path in the main checkout; a directory ends with a slash.
        path: Bytes,
        /// How.
        change: Change,
        /// When its content was last written; null when it is gone.
        written_at: Option<Time>,
    },
    /// Something could not be compared.
    Unchecked {
        /// Why, in words.
        why: String,
    },
}

/// A thing that has one value.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Single {
    /// `core.bare` of the shared configuration.
    CoreBare,
    /// `core.worktree` of the shared configuration.
    CoreWorktree,
    /// `core.hooksPath` of the shared configuration.
    CoreHooksPath,
    /// The branch that the main checkout is on.
    MainBranch,
    /// The commit that the main checkout is at.
    MainCommit,
}

/// How a thing changed.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// It was not there before.
    Added,
    /// It is another one.
    Changed,
    /// It is gone.
    Removed,
    /// A file that was not as the index says is so again.
    Reverted,
}

/// A lease that lived at the same time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct HeldThen {
    /// Its worktree.
    worktree: String,
    /// Who had it.
    holder: Holder,
    /// Since when.
    from: Time,
    /// Until when; null when it still lives.
    until: Option<Time>,
}

impl From<&model::Drift> for Drift {
    fn from(drift: &model::Drift) -> Self {
        let bytes = |value: &Option<bstr::BString>| value.as_ref().map(|value| Bytes::new(value));
        match drift {
            model::Drift::Value { what, from, to } => {
                Self::Value { what: (*what).into(), from: bytes(from), to: bytes(to) }
            }
            model::Drift::Config { keys } => {
                Self::Config { keys: keys.iter().map(|key| Bytes::new(key)).collect() }
            }
            model::Drift::Hook { path, change } => {
                Self::Hook { path: Bytes::new(path), change: (*change).into() }
            }
            model::Drift::Index => Self::Index,
            model::Drift::File { path, change, written_at } => Self::File {
                path: Bytes::new(path),
                change: (*change).into(),
                written_at: written_at.map(Time::from),
            },
            model::Drift::Unchecked { why } => Self::Unchecked { why: why.clone() },
        }
    }
}

impl From<model::Single> for Single {
    fn from(single: model::Single) -> Self {
        match single {
            model::Single::CoreBare => Self::CoreBare,
            model::Single::CoreWorktree => Self::CoreWorktree,
            model::Single::CoreHooksPath => Self::CoreHooksPath,
            model::Single::MainBranch => Self::MainBranch,
            model::Single::MainCommit => Self::MainCommit,
        }
    }
}

impl From<model::Change> for Change {
    fn from(change: model::Change) -> Self {
        match change {
            model::Change::Added => Self::Added,
            model::Change::Changed => Self::Changed,
            model::Change::Removed => Self::Removed,
            model::Change::Reverted => Self::Reverted,
        }
    }
}

impl From<&ops::HeldThen> for HeldThen {
    fn from(held: &ops::HeldThen) -> Self {
        Self {
            worktree: held.worktree.to_string(),
            holder: Holder::from(&held.holder),
            from: held.from.into(),
            until: held.until.map(Time::from),
        }
    }
}
