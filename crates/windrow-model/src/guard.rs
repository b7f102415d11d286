//! What of a repository is everybody's: looked at when a lease is given, and compared when it ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bstr::{BStr, BString, ByteSlice};
use jiff::Timestamp;

/// What kind of thing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// One of the [`Single`] values, by its word.
    Single,
    /// A key of the shared configuration, with a hash of its values.
    Key,
    /// A file of the shared configuration, with its hash.
    ConfigFile,
    /// A directory of hooks.
    HooksDirectory,
    /// A hook by its path, with mode and hash.
    Hook,
    /// The main checkout's index, with a hash of what it names.
    Index,
    /// A tracked file of the main checkout that is not as its index says, with its state.
    Differing,
    /// The root of the main checkout.
    Root,
    /// What was not looked at, with the reason.
    Unchecked,
}

impl Watched {
    /// Every kind with its word in the store.
    pub const WORDS: [(Self, &'static str); 9] = [
        (Self::Single, "single"),
        (Self::Key, "key"),
        (Self::ConfigFile, "config_file"),
        (Self::HooksDirectory, "hooks_directory"),
        (Self::Hook, "hook"),
        (Self::Index, "index"),
        (Self::Differing, "differing"),
        (Self::Root, "root"),
        (Self::Unchecked, "unchecked"),
    ];

    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(kind, _)| *kind == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

/// A thing that has one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Single {
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

impl Single {
    /// Every value with its name, in git's spelling where git has one.
    pub const WORDS: [(Self, &'static str); 5] = [
        (Self::CoreBare, "core.bare"),
        (Self::CoreWorktree, "core.worktree"),
        (Self::CoreHooksPath, "core.hooksPath"),
        (Self::MainBranch, "branch"),
        (Self::MainCommit, "commit"),
    ];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(single, _)| *single == self);
        found.map_or("unknown", |(_, word)| word)
    }
}

/// The state of what is everybody's at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// When it was taken; nothing that was written before counts as drift.
    pub taken_at: Timestamp,
    /// What was seen: kind and name, with what stands for its content. What does not exist is absent.
    pub facts: BTreeMap<(Watched, BString), BString>,
}

/// How a thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is another one.
    Changed,
    /// It is gone.
    Removed,
    /// A file that was not as the index says is so again.
    Reverted,
}

/// Something shared that is not as it was; a fact, whoever did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// A thing with one value has another one; `None` is unset.
    Value {
        /// What.
        what: Single,
        /// Then.
        from: Option<BString>,
        /// Now.
        to: Option<BString>,
    },
    /// Other keys of the shared configuration changed; values may be secrets, so they are not told.
    Config {
        /// The keys, sorted; none when the file was written with the same values.
        keys: Vec<BString>,
    },
    /// A hook changed.
    Hook {
        /// Its path.
        path: BString,
        /// How.
        change: Change,
    },
    /// What is staged in the main checkout changed.
    Index,
    /// A file in the main checkout changed; those that were added are untracked and not ignored.
    File {
        /// Its path in the main checkout.
        path: BString,
        /// How.
        change: Change,
        /// When its content was last written, by the file itself.
        written_at: Option<Timestamp>,
    },
    /// Something could not be compared.
    Unchecked {
        /// Why, in words.
        why: String,
    },
}

impl Fingerprint {
    /// What stands for the content of a thing.
    #[must_use]
    pub fn get(&self, kind: Watched, name: impl AsRef<[u8]>) -> Option<&BString> {
        self.facts.get(&(kind, BString::from(name.as_ref())))
    }

    /// Everything of one kind, by name.
    pub fn of(&self, kind: Watched) -> impl Iterator<Item = (&BStr, &BString)> {
        self.facts
            .iter()
            .filter(move |((found, _), _)| *found == kind)
            .map(|((_, name), value)| (name.as_bstr(), value))
    }

    /// What is different now: values, configuration, hooks, index, files, and last what could not be compared.
    #[must_use]
    pub fn drift(&self, now: &Self) -> Vec<Drift> {
        let mut drift = self.values(now);
        drift.extend(self.config(now));
        drift.extend(self.hooks(now));
        drift.extend(self.staged(now).then_some(Drift::Index));
        drift.extend(self.files(now));
        drift.extend(unchecked(self, now));
        drift
    }

    fn index(&self) -> Option<&BString> {
        self.of(Watched::Index).next().map(|(_, hash)| hash)
    }

    fn staged(&self, now: &Self) -> bool {
        matches!((self.index(), now.index()), (Some(before), Some(after)) if before != after)
    }

    /// Whether something was passed over at either end.
    fn unseen(&self, now: &Self, what: &str) -> bool {
        [self, now].iter().any(|one| one.get(Watched::Unchecked, what).is_some())
    }

    fn values(&self, now: &Self) -> Vec<Drift> {
        let value = |(what, word): (Single, &str)| {
            let group =
                if matches!(what, Single::MainBranch | Single::MainCommit) { "head" } else { "config" };
            let (from, to) = (self.get(Watched::Single, word), now.get(Watched::Single, word));
            let differs = from != to && !self.unseen(now, group);
            differs.then(|| Drift::Value { what, from: from.cloned(), to: to.cloned() })
        };
        Single::WORDS.into_iter().filter_map(value).collect()
    }

    fn config(&self, now: &Self) -> Option<Drift> {
        let told = Single::WORDS.map(|(_, word)| word.to_ascii_lowercase());
        let changed = self.differences(now, Watched::Key);
        let also_told = changed.iter().any(|(key, _)| told.iter().any(|word| *key == word.as_bytes()));
        let keys = changed.into_iter().map(|(key, _)| key);
        let keys: Vec<_> = keys.filter(|key| !told.iter().any(|word| *key == word.as_bytes())).collect();
        let rewritten = !self.differences(now, Watched::ConfigFile).is_empty() && !also_told;
        (!self.unseen(now, "config") && (!keys.is_empty() || rewritten)).then_some(Drift::Config { keys })
    }

    /// Hooks in directories that were looked at both times.
    fn hooks(&self, now: &Self) -> Vec<Drift> {
        let both = |path: &BString| {
            let parent = path.rfind_byte(b'/').map_or(&path[..0], |at| &path[..at]);
            [self, now].iter().all(|one| one.get(Watched::HooksDirectory, parent).is_some())
        };
        let changed = self.differences(now, Watched::Hook).into_iter().filter(|(path, _)| both(path));
        changed.map(|(path, change)| Drift::Hook { path, change }).collect()
    }

    /// When something was staged or committed, a file that is as the index says again was not reverted but taken in.
    fn files(&self, now: &Self) -> Vec<Drift> {
        if self.index().is_none() || now.index().is_none() || self.unseen(now, "files") {
            return Vec::new();
        }
        let staged = self.staged(now);
        let change = |(path, change): (BString, Change)| {
            let value = now.get(Watched::Differing, &path);
            let change = match (change, value) {
                (Change::Removed, _) if staged => return None,
                (Change::Removed, _) => Change::Reverted,
                (_, Some(gone)) if gone.is_empty() => Change::Removed,
                _ => Change::Changed,
            };
            Some(Drift::File { path, change, written_at: None })
        };
        self.differences(now, Watched::Differing).into_iter().filter_map(change).collect()
    }

    fn differences(&self, now: &Self, kind: Watched) -> Vec<(BString, Change)> {
        let names: BTreeSet<&BStr> = self.of(kind).chain(now.of(kind)).map(|(name, _)| name).collect();
        let change = |name: &BStr| match (self.get(kind, name), now.get(kind, name)) {
            (None, Some(_)) => Some(Change::Added),
            (Some(_), None) => Some(Change::Removed),
            (before, after) => (before != after).then_some(Change::Changed),
        };
        names.into_iter().filter_map(|name| Some((name.to_owned(), change(name)?))).collect()
    }
}

impl Change {
    /// The word in a sentence: "was added".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Reverted => "reverted",
        }
    }
}

/// A sentence without its period. Control characters of paths and values are as they are.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { what, from, to } => write_value(f, *what, from.as_ref(), to.as_ref()),
            Self::Config { keys } if keys.is_empty() => {
                f.write_str("the shared configuration was written, with the same values")
            }
            Self::Config { keys } => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                write!(f, "the shared configuration changed: {}", keys.join(", "))
            }
            Self::Hook { path, change } => write!(f, "hook `{path}` was {}", change.as_str()),
            Self::Index => f.write_str("what is staged in the main checkout changed"),
            Self::File { path, change, .. } => {
                write!(f, "`{path}` in the main checkout was {}", change.as_str())
            }
            Self::Unchecked { why } => write!(f, "not compared: {why}"),
        }
    }
}

fn write_value(
    f: &mut fmt::Formatter<'_>,
    what: Single,
    from: Option<&BString>,
    to: Option<&BString>,
) -> fmt::Result {
    let whose = match what {
        Single::MainBranch => "the branch of the main checkout".to_owned(),
        Single::MainCommit => "the commit of the main checkout".to_owned(),
        _ => format!("`{}`", what.as_str()),
    };
    match (from, to) {
        (Some(from), Some(to)) => write!(f, "{whose} changed from `{from}` to `{to}`"),
        (None, Some(to)) => write!(f, "{whose} was set to `{to}`"),
        (Some(from), None) => write!(f, "{whose} was unset, it was `{from}`"),
        (None, None) => write!(f, "{whose} changed"),
    }
}

fn unchecked(before: &Fingerprint, now: &Fingerprint) -> Vec<Drift> {
    let why = before.of(Watched::Unchecked).chain(now.of(Watched::Unchecked));
    let why: BTreeSet<String> = why.map(|(_, why)| why.to_str_lossy().into_owned()).collect();
    why.into_iter().map(|why| Drift::Unchecked { why }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(facts: &[(Watched, &str, &str)]) -> Fingerprint {
        let facts = facts.iter().map(|(kind, name, value)| ((*kind, (*name).into()), (*value).into()));
        Fingerprint { taken_at: Timestamp::UNIX_EPOCH, facts: facts.collect() }
    }

    fn file(path: &str, change: Change) -> Drift {
        Drift::File { path: path.into(), change, written_at: None }
    }

    #[test]
    fn nothing_is_different_from_itself() {
        let all = Watched::WORDS.map(|(kind, word)| (kind, word, "1"));
        let seen = fingerprint(&all[..8]);
        assert_eq!(seen.drift(&seen), []);
    }

    #[test]
    fn values_tell_from_what_to_what_and_once() {
        let before = fingerprint(&[
            (Watched::Single, "core.bare", "false"),
            (Watched::Key, "core.bare", "h1"),
            (Watched::ConfigFile, "config", "f1"),
        ]);
        let now = fingerprint(&[
            (Watched::Single, "core.bare", "true"),
            (Watched::Key, "core.bare", "h2"),
            (Watched::ConfigFile, "config", "f2"),
        ]);
        let expected =
            Drift::Value { what: Single::CoreBare, from: Some("false".into()), to: Some("true".into()) };
        assert_eq!(before.drift(&now), [expected]);
    }

    #[test]
    fn other_keys_are_named_and_a_rewritten_file_is_told() {
        let before = fingerprint(&[(Watched::Key, "user.name", "1"), (Watched::ConfigFile, "config", "1")]);
        let named = fingerprint(&[(Watched::Key, "user.name", "2"), (Watched::ConfigFile, "config", "2")]);
        assert_eq!(before.drift(&named), [Drift::Config { keys: vec!["user.name".into()] }]);
        let rewritten =
            fingerprint(&[(Watched::Key, "user.name", "1"), (Watched::ConfigFile, "config", "2")]);
        assert_eq!(before.drift(&rewritten), [Drift::Config { keys: Vec::new() }]);
    }

    #[test]
    fn what_was_not_seen_at_either_end_is_not_called_changed() {
        let before =
            fingerprint(&[(Watched::Key, "user.name", "1"), (Watched::Single, "core.bare", "false")]);
        let now = fingerprint(&[(Watched::Unchecked, "config", "it cannot be read")]);
        assert_eq!(before.drift(&now), [Drift::Unchecked { why: "it cannot be read".into() }]);
        let hooks =
            fingerprint(&[(Watched::HooksDirectory, "/new", ""), (Watched::Hook, "/new/pre-commit", "1")]);
        assert_eq!(fingerprint(&[]).drift(&hooks), []);
    }

    #[test]
    fn files_are_compared_with_what_was_different_before() {
        let index = (Watched::Index, "", "i");
        let before = fingerprint(&[index, (Watched::Differing, "a", "1"), (Watched::Differing, "b", "1")]);
        let now = fingerprint(&[index, (Watched::Differing, "b", "2"), (Watched::Differing, "c", "")]);
        let expected = [file("a", Change::Reverted), file("b", Change::Changed), file("c", Change::Removed)];
        assert_eq!(before.drift(&now), expected);
        let staged = fingerprint(&[(Watched::Index, "", "j"), (Watched::Differing, "b", "1")]);
        assert_eq!(before.drift(&staged), [Drift::Index]);
    }
}
