//! The repository's configuration, as git itself reads it.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use super::command::{Git, GitError};

/// Where a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// System, user or repository.
    Shared,
    /// The main worktree's `config.worktree`.
    MainWorktree,
}

/// All values of a repository's configuration in the order in which later ones win.
///
/// Values that concern one worktree only are left out, but for those of the main one where a function says so.
#[derive(Debug, Clone, Default)]
pub struct Config {
    values: Vec<(Scope, BString, Option<BString>)>,
}

impl Config {
    /// Reads the configuration of the repository whose common directory is given.
    ///
    /// # Errors
    /// Git cannot read it.
    pub(super) fn read(git: &Git, common: &Path) -> Result<Self, GitError> {
        let call = git.call("config").args(["--list", "-z", "--show-scope"]).repository(common, common);
        Ok(Self { values: parse(&call.run()?) })
    }

    /// The last value of `key` (lower-case section and name); `None` also for a key without a value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&BString> {
        self.find(key, |scope| scope == Scope::Shared).and_then(|value| value.as_ref())
    }

    /// The last value of `key` as a truth value; `None` when it is not set.
    ///
    /// A value that is no truth value counts as true, as does a key without a value: whoever asks is then careful.
    #[must_use]
    pub fn truth(&self, key: &str) -> Option<bool> {
        self.find(key, |scope| scope == Scope::Shared).map(|value| truth(value.as_ref()))
    }

    /// The last value of `key` in the main worktree, its own file included.
    pub(super) fn main(&self, key: &str) -> Option<&BString> {
        self.find(key, |_| true).and_then(|value| value.as_ref())
    }

    /// The same as a truth value.
    pub(super) fn main_truth(&self, key: &str) -> Option<bool> {
        self.find(key, |_| true).map(|value| truth(value.as_ref()))
    }

    /// All keys that begin with `prefix`, as often as they are set.
    pub fn keys<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a BString> {
        let shared = |(scope, ..): &&(Scope, BString, Option<BString>)| *scope == Scope::Shared;
        self.values
            .iter()
            .filter(shared)
            .map(|(_, key, _)| key)
            .filter(move |key| key.starts_with_str(prefix))
    }

    /// What stands for every value below `prefixes`: two of them are equal when git would check files out alike.
    #[must_use]
    pub fn digest(&self, prefixes: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new();
        let named = |key: &BString| prefixes.iter().any(|prefix| key.starts_with_str(prefix));
        for (_, key, value) in self.values.iter().filter(|(_, key, _)| named(key)) {
            let value = value.as_ref().map(|value| value.as_slice());
            for part in [key.as_slice(), &[0], value.unwrap_or(b"\x01"), &[0]] {
                hasher.update(part);
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// How the main worktree is made sparse; `None` when it is not.
    #[must_use]
    pub fn sparse(&self, common: &Path) -> Option<Sparse> {
        if self.main_truth("core.sparsecheckout") != Some(true) {
            return None;
        }
        Some(Sparse {
            patterns: common.join("info/sparse-checkout"),
            cone: self.main_truth("core.sparsecheckoutcone") == Some(true),
            shared: self.truth("core.sparsecheckout") == Some(true),
        })
    }

    fn find(&self, key: &str, wanted: impl Fn(Scope) -> bool) -> Option<&Option<BString>> {
        let found = self.values.iter().rev().find(|(scope, name, _)| wanted(*scope) && name == key);
        found.map(|(_, _, value)| value)
    }
}

/// The sparse checkout of the main worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    /// The file with its patterns.
    pub patterns: PathBuf,
    /// Whether the patterns are those of cone mode.
    pub cone: bool,
    /// Whether it is switched on for all worktrees, not only the main one.
    pub shared: bool,
}

fn truth(value: Option<&BString>) -> bool {
    let text = value.map(|value| value.to_ascii_lowercase());
    !matches!(text.as_deref(), Some(b"false" | b"no" | b"off" | b"0" | b""))
}

fn parse(list: &[u8]) -> Vec<(Scope, BString, Option<BString>)> {
    let fields: Vec<&[u8]> = list.split(|&byte| byte == 0).collect();
    fields.chunks_exact(2).filter_map(|pair| parse_one(pair[0], pair[1])).collect()
}

fn parse_one(scope: &[u8], setting: &[u8]) -> Option<(Scope, BString, Option<BString>)> {
    let scope = match scope {
        b"command" => return None,
        b"worktree" => Scope::MainWorktree,
        _ => Scope::Shared,
    };
    let (key, value) = match setting.split_once_str("\n") {
        Some((key, value)) => (key, Some(BString::from(value))),
        None => (setting, None),
    };
    Some((scope, BString::from(key), value))
}
