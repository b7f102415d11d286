//! The caller's own name for what it does in a worktree.

use std::{fmt, str::FromStr};

/// A caller's task or effect id: 1 to 200 bytes of printable text; acquiring twice with one key gives the same lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseKey(String);

/// Why a text cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to 200 bytes of text without control characters, not `{0}`")]
pub struct LeaseKeyError(String);

impl LeaseKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LeaseKey {
    type Err = LeaseKeyError;

    fn from_str(text: &str) -> Result<Self, LeaseKeyError> {
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            return Err(LeaseKeyError(text.escape_debug().take(60).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
