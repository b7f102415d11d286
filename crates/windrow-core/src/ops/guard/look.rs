//! Looking at what is everybody's. What cannot be looked at becomes a note in the fingerprint.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::{BStr, BString, ByteSlice};
use jiff::Timestamp;
use windrow_model::{Change, Drift, Fingerprint, Single, Watched};

use super::super::{error::chain, pool::Pool};
use crate::git::{self, Differing};

/// A fingerprint with what is needed to look more closely.
pub(in crate::ops) struct Look {
    pub(super) fingerprint: Fingerprint,
    differing: BTreeMap<BString, Differing>,
    directories: BTreeSet<BString>,
}

/// Above so many files that differ from the index nobody could read the list, and it would fill the records.
const DIFFERING: usize = 1_000;

/// The configuration that all worktrees share, and the main one's own; names below the common directory.
pub(super) const CONFIG_FILES: [&str; 2] = ["config", "config.worktree"];

/// Takes the fingerprint; `root` is the main checkout, if there is one.
pub(super) fn take(pool: &Pool, root: Option<&Path>) -> Look {
    let fingerprint = Fingerprint { taken_at: Pool::now(), facts: BTreeMap::new() };
    let mut look = Look { fingerprint, differing: BTreeMap::new(), directories: BTreeSet::new() };
    let hooks = look.config(pool);
    look.hooks(pool, root, hooks);
    if let Some(root) = root {
        look.set(Watched::Root, "", root.as_os_str().as_bytes());
        look.head(pool);
        look.files(pool, root);
    }
    look
}

/// The main checkout that a fingerprint was taken of; `core.bare` may hide it by now.
pub(super) fn root_of(fingerprint: &Fingerprint) -> Option<PathBuf> {
    fingerprint.get(Watched::Root, "").map(|root| PathBuf::from(OsStr::from_bytes(root)))
}

/// When a file's content was last written; `None` when it is gone.
pub(super) fn written_at(root: &Path, path: &BString) -> Option<Timestamp> {
    let facts = root.join(OsStr::from_bytes(path)).symlink_metadata().ok()?;
    facts.modified().ok().and_then(timestamp)
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

impl Look {
    fn set(&mut self, kind: Watched, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.fingerprint.facts.insert((kind, name.as_ref().into()), value.as_ref().into());
    }

    fn note(&mut self, what: &str, why: &dyn Error) {
        self.set(Watched::Unchecked, what, chain(why));
    }

    /// Looks at the configuration; returns where the hooks are, if not at their usual place.
    fn config(&mut self, pool: &Pool) -> Option<BString> {
        let mut hooks = None;
        for name in CONFIG_FILES {
            let file = pool.repository().common_dir.join(name);
            match git::content_hash(&file) {
                Ok(hash) => hash.into_iter().for_each(|hash| self.set(Watched::ConfigFile, name, hash)),
                Err(error) => self.note("config", &error),
            }
            match git::settings_in(&pool.git, &file) {
                Ok(settings) => hooks = self.settings(&settings).or(hooks),
                Err(error) => self.note("config", &error),
            }
        }
        hooks
    }

    fn settings(&mut self, settings: &[git::Setting]) -> Option<BString> {
        let mut hooks = None;
        for (key, values) in settings {
            let mut hasher = blake3::Hasher::new();
            for value in values {
                hasher.update(value).update(b"\0");
            }
            self.set(Watched::Key, key, &hasher.finalize().to_hex()[..32]);
            let single = Single::WORDS.iter().find(|(_, word)| key.eq_ignore_ascii_case(word.as_bytes()));
            if let (Some((single, word)), Some(value)) = (single, values.last()) {
                self.set(Watched::Single, word, value);
                hooks = if *single == Single::CoreHooksPath { Some(value.clone()) } else { hooks };
            }
        }
        hooks
    }

    fn hooks(&mut self, pool: &Pool, root: Option<&Path>, configured: Option<BString>) {
        let common = &pool.repository().common_dir;
        let base = root.unwrap_or(common);
        let configured = configured.map(|path| base.join(pool.expand_home(&path)));
        for directory in [Some(common.join("hooks")), configured].into_iter().flatten() {
            match git::hooks_in(&directory) {
                Ok(found) => {
                    for (path, state) in found {
                        self.set(Watched::Hook, path.as_os_str().as_bytes(), state);
                    }
                    self.set(Watched::HooksDirectory, directory.as_os_str().as_bytes(), "");
                }
                Err(error) => self.note("hooks", &error),
            }
        }
    }

    fn head(&mut self, pool: &Pool) {
        match pool.repository().head(&pool.git, &pool.repository().common_dir) {
            Ok(head) => {
                for (what, value) in [
                    (Single::MainBranch, head.branch.map(|branch| branch.to_string())),
                    (Single::MainCommit, head.oid.map(|oid| oid.to_string())),
                ] {
                    value.into_iter().for_each(|value| self.set(Watched::Single, what.as_str(), value));
                }
            }
            Err(error) => self.note("head", &error),
        }
    }

    fn files(&mut self, pool: &Pool, root: &Path) {
        let limit = pool.settings().guard.max_files;
        if limit == 0 {
            return;
        }
        let seen = match git::main_files(pool.repository(), root, limit) {
            Ok(seen) => seen,
            Err(error) => return self.note("files", &error),
        };
        self.set(Watched::Index, "", seen.index);
        self.directories = seen.directories;
        if seen.differing.len() > DIFFERING {
            let why = format!("more than {DIFFERING} files of the main checkout differ from its index");
            return self.set(Watched::Unchecked, "files", why);
        }
        for one in seen.differing {
            self.set(Watched::Differing, &one.path, &one.state);
            self.differing.insert(one.path.clone(), one);
        }
    }

    /// Tells whether a file has the content of the index and only another time.
    pub(super) fn is_only_touched(&self, pool: &Pool, root: &Path, path: &BString) -> bool {
        let Some(one) = self.differing.get(path).filter(|one| one.same_kind) else { return false };
        let found = git::hash_path(&root.join(OsStr::from_bytes(path)), pool.repository().object_format);
        found.is_ok_and(|oid| oid == one.oid)
    }

    /// What git does not track and does not ignore and was written since, but for worktrees of ours.
    ///
    /// Looked for where a directory with tracked files got or lost an entry; so a file in a directory that was untracked
    /// before may be overlooked.
    pub(super) fn untracked(
        &self,
        pool: &Pool,
        root: &Path,
        since: Timestamp,
        own: &[PathBuf],
    ) -> Vec<Drift> {
        let touched = |directory: &&BString| {
            let facts = root.join(OsStr::from_bytes(directory)).symlink_metadata();
            facts.is_ok_and(|facts| changed_at(&facts) >= Some(since))
        };
        let places: Vec<BString> = self.directories.iter().filter(touched).cloned().collect();
        let Some(first) = places.first() else { return Vec::new() };
        let everywhere = first.is_empty() || places.len() > DIFFERING;
        let places = if everywhere { &[] } else { places.as_slice() };
        let index = pool.repository().common_dir.join("index");
        let found = match git::untracked(&pool.git, pool.repository(), root, &index, places) {
            Ok(found) => found,
            Err(error) => return vec![Drift::Unchecked { why: chain(&error) }],
        };
        let found = found.into_iter().filter(|one| !one.ignored);
        found.filter_map(|one| new_path(root, &one, since, own)).take(DIFFERING).collect()
    }
}

fn changed_at(facts: &std::fs::Metadata) -> Option<Timestamp> {
    Timestamp::new(facts.ctime(), i32::try_from(facts.ctime_nsec()).ok()?).ok()
}

fn new_path(root: &Path, one: &git::UntrackedPath, since: Timestamp, own: &[PathBuf]) -> Option<Drift> {
    let path = root.join(OsStr::from_bytes(&one.path));
    if own
        .iter()
        .filter_map(|worktree| worktree.parent())
        .any(|pool| pool.starts_with(&path) || path.starts_with(pool) && pool != root)
    {
        return None;
    }
    let facts = path.symlink_metadata().ok()?;
    if changed_at(&facts) < Some(since) {
        return None;
    }
    let born = facts.created().ok().and_then(timestamp);
    let change = if born.is_none_or(|born| born >= since) { Change::Added } else { Change::Changed };
    let shown: &BStr = one.path.as_bstr();
    let shown = if one.directory { BString::from(format!("{shown}/")) } else { shown.to_owned() };
    Some(Drift::File { path: shown, change, written_at: facts.modified().ok().and_then(timestamp) })
}
