//! Compares every path that a landing changes with what the user has there. Whatever is not exactly as the target has it stands in
//! the way: staged, changed, deleted, untracked, ignored, replaced by something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use bstr::{BStr, BString, ByteSlice};
use windrow_model::{EntryMode, IndexEntry, Oid, TreeEntry};

use super::{
    error::LandError,
    outcome::{Overlap, OverlapKind},
    plan::{Content, Plan, Step, Way},
};
use crate::{
    fs::{Lying, Swap, check_tree_path},
    git::{self, TreeDifference},
    ops::pool::Pool,
};

/// Compares; the inodes of the steps are not known yet, and what is new counts as having the bytes of its blob.
pub(super) struct Check<'a> {
    pub(super) pool: &'a Pool,
    pub(super) root: &'a Path,
    pub(super) swap: &'a Swap,
    /// The index of the checkout.
    pub(super) entries: &'a [IndexEntry],
    pub(super) differences: &'a [TreeDifference],
}

/// Whether a path is as the target has it.
type Judged = Result<Step, OverlapKind>;

impl Check<'_> {
    /// The plan of what is to be done, or everything in the way.
    pub(super) fn plan(&self) -> Result<Plan, LandError> {
        let mut overlaps = Vec::new();
        let mut steps = Vec::new();
        let going = self.going();
        let known = self.known();
        for difference in self.differences {
            if let Some(new) = &difference.new {
                check_tree_path(new.path.as_ref(), new.mode)?;
            }
            match self.judge(difference, &known, &going)? {
                Ok(step) => steps.push(step),
                Err(kind) => overlaps.push(Overlap { path: difference.path.clone(), kind }),
            }
        }
        if !overlaps.is_empty() {
            return Err(LandError::Overlaps { root: self.root.to_owned(), paths: overlaps });
        }
        // What goes makes room for what comes.
        steps.sort_by_key(|step| match step.way {
            Way::Take => 0,
            Way::Exchange => 1,
            Way::Put => 2,
            Way::Index => 3,
        });
        let directories = self.missing_directories(&steps)?;
        Ok(Plan { steps, directories })
    }

    /// The paths of files that the landing takes away.
    fn going(&self) -> BTreeSet<&BStr> {
        let gone = |one: &&TreeDifference| one.new.is_none();
        self.differences.iter().filter(gone).map(|one| one.path.as_bstr()).collect()
    }

    /// The entries of paths that change, and of those above or below them.
    fn known(&self) -> BTreeMap<&BStr, &IndexEntry> {
        self.entries.iter().map(|entry| (entry.path.as_bstr(), entry)).collect()
    }

    fn judge(
        &self,
        difference: &TreeDifference,
        known: &BTreeMap<&BStr, &IndexEntry>,
        going: &BTreeSet<&BStr>,
    ) -> Result<Judged, LandError> {
        let entry = known.get(difference.path.as_bstr()).copied();
        match (&difference.old, &difference.new) {
            (Some(old), new) => self.judge_old(old, new.as_ref(), entry),
            (None, Some(new)) => self.judge_new(new, entry, known, going),
            (None, None) => Ok(Err(OverlapKind::Staged)),
        }
    }

    fn judge_old(
        &self,
        old: &TreeEntry,
        new: Option<&TreeEntry>,
        entry: Option<&IndexEntry>,
    ) -> Result<Judged, LandError> {
        let Some(entry) =
            entry.filter(|entry| is_plain(entry) && (entry.mode, entry.oid) == (old.mode, old.oid))
        else {
            return Ok(Err(OverlapKind::Staged));
        };
        let is_submodule = |entry: &TreeEntry| entry.mode == EntryMode::Gitlink;
        match (is_submodule(old), new.map(is_submodule)) {
            (true, None | Some(true)) => return Ok(Ok(step(Way::Index, Some((old, old.oid)), new))),
            (false, None | Some(false)) => {}
            _ => return Ok(Err(OverlapKind::Submodule)),
        }
        let lying = self.lying(&old.path)?;
        if entry.flags.skip_worktree {
            let absent = lying == Lying::Nothing;
            let index_only = || step(Way::Index, Some((old, old.oid)), new);
            return Ok(if absent { Ok(index_only()) } else { Err(OverlapKind::Hidden) });
        }
        if let Some(kind) = self.kind_of_other(old.mode, &lying) {
            return Ok(Err(kind));
        }
        let raw = self.raw(&old.path, &lying)?;
        if raw != old.oid && !self.is_clean(old)? {
            return Ok(Err(OverlapKind::Changed));
        }
        let way = if new.is_some() { Way::Exchange } else { Way::Take };
        Ok(Ok(step(way, Some((old, raw)), new)))
    }

    /// What is wrong when something of another kind lies there.
    fn kind_of_other(&self, mode: EntryMode, lying: &Lying) -> Option<OverlapKind> {
        let modes_count = self.pool.repository().config.truth("core.filemode") != Some(false);
        match (mode, lying) {
            (_, Lying::Nothing) => Some(OverlapKind::Deleted),
            (EntryMode::Symlink, Lying::Symlink { .. }) => None,
            (EntryMode::File | EntryMode::Executable, Lying::File { executable, .. }) => {
                let same = *executable == (mode == EntryMode::Executable);
                (modes_count && !same).then_some(OverlapKind::Changed)
            }
            _ => Some(OverlapKind::Replaced),
        }
    }

    /// The bytes are others; git may have made them from the same blob.
    fn is_clean(&self, old: &TreeEntry) -> Result<bool, LandError> {
        if old.mode == EntryMode::Symlink {
            return Ok(false);
        }
        let paths = [old.path.clone()];
        let cleaned = git::cleaned(&self.pool.git, self.pool.repository(), self.root, &paths)?;
        Ok(cleaned.first() == Some(&old.oid))
    }

    fn judge_new(
        &self,
        new: &TreeEntry,
        entry: Option<&IndexEntry>,
        known: &BTreeMap<&BStr, &IndexEntry>,
        going: &BTreeSet<&BStr>,
    ) -> Result<Judged, LandError> {
        if entry.is_some() || collides(&new.path, known, going) {
            return Ok(Err(OverlapKind::Staged));
        }
        let put = Ok(Ok(step(Way::Put, None, Some(new))));
        match self.lying(&new.path)? {
            Lying::Nothing => put,
            Lying::Behind(above) if going.contains(above.as_bstr()) => put,
            Lying::Behind(_) => Ok(Err(OverlapKind::Replaced)),
            Lying::Directory if new.mode == EntryMode::Gitlink => Ok(Ok(step(Way::Index, None, Some(new)))),
            Lying::Directory => {
                let below = self.swap.below(&new.path).map_err(|source| self.io(&new.path, source))?;
                let goes = |path: &BString| going.contains(path.as_bstr());
                if !below.is_empty() && below.iter().all(goes) {
                    put
                } else {
                    Ok(Err(OverlapKind::Untracked))
                }
            }
            Lying::File { .. } | Lying::Symlink { .. } | Lying::Other => Ok(Err(OverlapKind::Untracked)),
        }
    }

    fn lying(&self, path: &BString) -> Result<Lying, LandError> {
        self.swap.lying(path).map_err(|source| self.io(path, source))
    }

    fn raw(&self, path: &BString, lying: &Lying) -> Result<Oid, LandError> {
        let format = self.pool.repository().object_format;
        let hashed = match lying {
            Lying::Symlink { .. } => self.swap.read_link(path).map(|to| git::blob_hash(format, &to)),
            _ => self.swap.open_file(path).and_then(|file| git::hash_open(file, format)),
        };
        hashed.map_err(|source| self.io(path, source))
    }

    /// The directories that what comes needs and that are not there, or that a file has to make room for.
    fn missing_directories(&self, steps: &[Step]) -> Result<Vec<BString>, LandError> {
        let mut missing = BTreeSet::new();
        for step in steps.iter().filter(|step| step.way == Way::Put) {
            for (end, _) in step.path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                let directory = BString::from(&step.path[..end]);
                if missing.contains(&directory) || self.lying(&directory)? == Lying::Directory {
                    continue;
                }
                missing.insert(directory);
            }
        }
        Ok(missing.into_iter().collect())
    }

    fn io(&self, path: &BString, source: io::Error) -> LandError {
        LandError::Io { path: self.root.join(path.to_path_lossy()), source }
    }
}

/// An entry that says what git tracks, and nothing else.
fn is_plain(entry: &IndexEntry) -> bool {
    entry.flags.stage == 0 && !entry.flags.intent_to_add
}

/// Whether the index has something above or below a path that does not go.
fn collides(path: &BString, known: &BTreeMap<&BStr, &IndexEntry>, going: &BTreeSet<&BStr>) -> bool {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    let above = ends.map(|end| path[..end].as_bstr());
    if above.into_iter().any(|above| known.contains_key(above) && !going.contains(above)) {
        return true;
    }
    let below = BString::from([path.as_slice(), b"/"].concat());
    let mut under = known.range(below.as_bstr()..).take_while(|(path, _)| path.starts_with(&below));
    under.any(|(path, _)| !going.contains(*path))
}

fn step(way: Way, old: Option<(&TreeEntry, Oid)>, new: Option<&TreeEntry>) -> Step {
    let path = old.map(|(old, _)| &old.path).or(new.map(|new| &new.path)).cloned().unwrap_or_default();
    let old = old.map(|(old, raw)| Content { mode: old.mode, oid: old.oid, raw });
    let new = new.map(|new| Content { mode: new.mode, oid: new.oid, raw: new.oid });
    Step { path, way, old, new, inode: 0 }
}
