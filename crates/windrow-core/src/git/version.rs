//! The version of git, and the oldest one that will do.

use super::command::{Git, GitError};

/// The oldest git that will do: 2.40 is the first with `merge-tree --merge-base`, on which landing rests, and has all
/// else that we use (`symbolic-ref --no-recurse` came with 2.39, `worktree list -z` with 2.36). `--attr-source` needs 2.41.
pub const MINIMUM_VERSION: Version = Version { major: 2, minor: 40, patch: 0 };

/// A version of git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Asks git for its version; callers ask once, when they are about to make a worktree.
///
/// # Errors
/// Git cannot be run, does not say its version, or is older than [`MINIMUM_VERSION`].
pub fn version(git: &Git) -> Result<Version, GitError> {
    let call = git.call("version");
    let text = call.run()?;
    let found = parse_version(&text).ok_or_else(|| call.strange("no version number"))?;
    new_enough(found)
}

fn new_enough(found: Version) -> Result<Version, GitError> {
    if found < MINIMUM_VERSION {
        return Err(GitError::TooOld { found, needed: MINIMUM_VERSION });
    }
    Ok(found)
}

fn parse_version(text: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(text).ok()?;
    let word = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = word.split('.').map(|part| part.parse().ok());
    Some(Version {
        major: numbers.next()??,
        minor: numbers.next()??,
        patch: numbers.next().flatten().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Version> {
        parse_version(text.as_bytes())
    }

    #[test]
    fn reads_the_versions_of_all_builds_and_refuses_old_ones() {
        let new = parsed("git version 2.47.3\n").unwrap();
        assert_eq!(new, Version { major: 2, minor: 47, patch: 3 });
        assert!(new_enough(new).is_ok());
        assert!(new_enough(parsed("git version 2.40.0.rc1").unwrap()).is_ok());
        let old = new_enough(parsed("git version 2.39.5 (Apple Git-154)").unwrap()).unwrap_err();
        assert_eq!(old.to_string(), "git 2.39.5 is too old, 2.40.0 or newer is needed");
        assert_eq!(parsed("git version unknown"), None);
    }
}
