//! Values that are more than one word: targets, results, settings.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::builder::{OsStringValueParser, TypedValueParser};
use windrow_core::ops::Selector;
use windrow_model::{Fence, LeaseId, WorktreeName};

/// How a worktree was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Name(WorktreeName),
    Lease(LeaseId),
    /// As written: relative paths are those of the current directory.
    Path(PathBuf),
}

/// Why a word names no worktree.
#[derive(Debug, thiserror::Error)]
#[error("neither a worktree's name nor a lease id; a path has a `/` in it")]
pub(crate) struct TargetError;

impl Target {
    pub(super) fn read(word: OsString) -> Result<Self, TargetError> {
        let bytes = word.as_encoded_bytes();
        if bytes.contains(&b'/') || bytes == b"." || bytes == b".." {
            return Ok(Self::Path(word.into()));
        }
        let text = word.to_str().ok_or(TargetError)?;
        if let Ok(lease) = text.parse() {
            return Ok(Self::Lease(lease));
        }
        text.parse().map(Self::Name).map_err(|_| TargetError)
    }

    /// The selector, with paths made absolute.
    pub(crate) fn selector(&self, current_dir: &Path) -> Selector {
        match self {
            Self::Name(name) => Selector::Name(name.clone()),
            Self::Lease(lease) => Selector::Lease(*lease),
            Self::Path(path) => Selector::Path(current_dir.join(path)),
        }
    }
}

/// Reads a [`Target`].
pub(super) fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(Target::read)
}

/// Where a result goes besides standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResultTarget {
    File(PathBuf),
    Descriptor(i32),
}

/// Why a word is no place for a result.
#[derive(Debug, thiserror::Error)]
#[error("`fd:` is followed by the number of an open descriptor, from 1")]
pub(crate) struct ResultTargetError;

impl ResultTarget {
    fn read(word: OsString) -> Result<Self, ResultTargetError> {
        let Some(number) = word.to_str().and_then(|text| text.strip_prefix("fd:")) else {
            return Ok(Self::File(word.into()));
        };
        let descriptor = number.parse().map_err(|_| ResultTargetError)?;
        if descriptor < 1 { Err(ResultTargetError) } else { Ok(Self::Descriptor(descriptor)) }
    }
}

/// Reads a [`ResultTarget`].
pub(super) fn result_target() -> impl TypedValueParser<Value = ResultTarget> {
    OsStringValueParser::new().try_map(ResultTarget::read)
}

/// Splits `key=value`.
pub(super) fn key_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("expected `key=value`")?;
    if key.is_empty() { Err("expected a key before `=`") } else { Ok((key.to_owned(), value.to_owned())) }
}

/// Reads the name or address of a remote, which git must not take for an option.
pub(super) fn remote(text: &str) -> Result<String, &'static str> {
    let good = !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control);
    if good { Ok(text.to_owned()) } else { Err("expected a remote's name or address") }
}

/// Reads a fence.
pub(super) fn fence(text: &str) -> Result<Fence, std::num::ParseIntError> {
    text.parse().map(Fence)
}
