//! Names of worktrees.

use std::{fmt, str::FromStr};

/// A worktree's name: 1 to 64 of `a-z`, `0-9` and `-`, neither first nor last a hyphen, not reserved.
///
/// It becomes a directory name, a ref component and an argument, so nothing else is let in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorktreeName(String);

/// Why a text cannot name a worktree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 64 bytes.
    #[error("a name of {0} bytes is longer than 64")]
    TooLong(usize),
    /// A character outside the alphabet, or a hyphen at an end.
    #[error("`{0}` holds something other than a-z, 0-9 and inner hyphens")]
    Character(String),
    /// A name that some system keeps for itself.
    #[error("`{0}` is a reserved name")]
    Reserved(String),
}

const RESERVED: &[&str] = &[
    "con",
    "prn",
    "aux",
    "nul",
    "com0",
    "com1",
    "com2",
    "com3",
    "com4",
    "com5",
    "com6",
    "com7",
    "com8",
    "com9",
    "lpt0",
    "lpt1",
    "lpt2",
    "lpt3",
    "lpt4",
    "lpt5",
    "lpt6",
    "lpt7",
    "lpt8",
    "lpt9",
    "null",
    "undefined",
    "head",
];

impl WorktreeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorktreeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match text {
            "" => Err(NameError::Empty),
            _ if text.len() > 64 => Err(NameError::TooLong(text.len())),
            _ if text.starts_with('-') || text.ends_with('-') || !text.bytes().all(inner) => {
                Err(NameError::Character(text.escape_debug().to_string()))
            }
            _ if RESERVED.contains(&text) => Err(NameError::Reserved(text.to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for WorktreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for WorktreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorktreeName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_plain_names() {
        for text in ["quiet-fern", "a", "9", "gh-1234", &"x".repeat(64)] {
            assert_eq!(text.parse::<WorktreeName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_could_steer_a_path_a_ref_or_an_option() {
        let long = "x".repeat(300);
        for text in [
            "", "../../x", "-x", "x-", "a/b", "A", "é", "a b", "a\n", ".", "..", "con", "null", "a.lock",
            &long,
        ] {
            assert!(text.parse::<WorktreeName>().is_err(), "{text:?}");
        }
    }
}
