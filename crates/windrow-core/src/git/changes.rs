//! How two trees differ, path by path.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use windrow_model::{Footprint, Oid, TreeEntry};

use super::tree::{ObjectError, ObjectReader, Objects, TreeChild};

/// A path that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// What the second tree has there; `None` when it has nothing.
    pub new: Option<TreeEntry>,
}

/// Lists the paths that differ between two commits or trees, in index order; renames count as deletion and addition.
///
/// # Errors
/// An object is missing or damaged.
pub fn tree_changes(objects: &Objects, old: &Oid, new: &Oid) -> Result<Vec<TreeChange>, ObjectError> {
    let old = objects.tree_entries(old)?;
    let mut before = old.iter().peekable();
    let mut changes = Vec::new();
    for entry in objects.tree_entries(new)? {
        while let Some(gone) = before.next_if(|old| old.path < entry.path) {
            changes.push(TreeChange { path: gone.path.clone(), new: None });
        }
        match before.next_if(|old| old.path == entry.path) {
            Some(same) if *same == entry => {}
            _ => changes.push(TreeChange { path: entry.path.clone(), new: Some(entry) }),
        }
    }
    changes.extend(before.map(|gone| TreeChange { path: gone.path.clone(), new: None }));
    Ok(changes)
}

/// What a path is in each of two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeDifference {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// What the first tree has there.
    pub old: Option<TreeEntry>,
    /// What the second tree has there.
    pub new: Option<TreeEntry>,
}

/// Lists the paths that differ between two commits or trees, in order of path; trees that are the same are not opened.
///
/// # Errors
/// An object is missing or damaged.
pub fn tree_differences(objects: &Objects, old: &Oid, new: &Oid) -> Result<Vec<TreeDifference>, ObjectError> {
    let mut files = differences(objects, old, new)?.files;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// What was touched between two commits or trees; of a rename that is both names.
///
/// # Errors
/// An object is missing or damaged.
pub fn footprint(objects: &Objects, old: &Oid, new: &Oid) -> Result<Footprint, ObjectError> {
    let found = differences(objects, old, new)?;
    let added = found.files.iter().filter(|file| file.old.is_none()).map(|file| file.path.clone());
    let added = added.collect();
    let touched = found.files.into_iter().map(|file| file.path).collect();
    Ok(Footprint { touched, added, gone: found.gone })
}

#[derive(Default)]
struct Found {
    files: Vec<TreeDifference>,
    /// Directories that are none any more.
    gone: BTreeSet<BString>,
}

fn differences(objects: &Objects, old: &Oid, new: &Oid) -> Result<Found, ObjectError> {
    let mut reader = objects.open_reader()?;
    let (old, new) = (reader.tree_of(old)?, reader.tree_of(new)?);
    let mut found = Found::default();
    differ(&reader, b"", (Some(&old), Some(&new)), &mut found)?;
    Ok(found)
}

fn differ(
    reader: &ObjectReader,
    at: &[u8],
    (old, new): (Option<&Oid>, Option<&Oid>),
    found: &mut Found,
) -> Result<(), ObjectError> {
    if old == new {
        return Ok(());
    }
    let children =
        |tree: Option<&Oid>| tree.map_or_else(|| Ok(BTreeMap::new()), |tree| reader.children(tree));
    let (before, after) = (children(old)?, children(new)?);
    let names: BTreeSet<&BString> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let path = if at.is_empty() { name.clone() } else { [at, b"/", name].concat().into() };
        let file = |child: Option<&TreeChild>| child.and_then(|child| child.file(&path));
        let (old_file, new_file) = (file(old), file(new));
        if old_file.is_some() || new_file.is_some() {
            found.files.push(TreeDifference { path: path.clone(), old: old_file, new: new_file });
        }
        let tree =
            |child: Option<&TreeChild>| child.filter(|child| child.mode.is_none()).map(|child| child.oid);
        let (old, new) = (tree(old), tree(new));
        differ(reader, &path, (old.as_ref(), new.as_ref()), found)?;
        if old.is_some() && new.is_none() {
            found.gone.insert(path);
        }
    }
    Ok(())
}

impl TreeChild {
    fn file(&self, path: &BString) -> Option<TreeEntry> {
        self.mode.map(|mode| TreeEntry { path: path.clone(), mode, oid: self.oid })
    }
}
