//! How two trees differ, path by path.

use bstr::BString;
use windrow_model::{Oid, TreeEntry};

use super::tree::{ObjectError, Objects};

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
