//! Undoing the changes of the shared configuration that have one right answer.
//!
//! # Locking
//! The repository lock is held while it is looked once more and written.
//!
//! # Crash safety
//! Git replaces the file by one rename.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::BString;
use windrow_model::{Single, Watched};

use super::super::{error::StateError, pool::Pool};
use crate::git::{self, GitError};

/// A change of the shared configuration that has one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftRepair {
    /// `core.bare` is true although there is a main checkout; it becomes false.
    NotBare {
        /// The main checkout.
        root: PathBuf,
    },
    /// `core.worktree` leads away from the main checkout; it is unset.
    OwnWorktree {
        /// The main checkout.
        root: PathBuf,
        /// What it is set to.
        value: BString,
    },
}

/// Why the shared configuration was not looked at or not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The records or locks cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Git cannot read or write the configuration.
    #[error("cannot repair the shared configuration")]
    Git(#[from] GitError),
}

/// Finds what in the shared configuration is wrong for certain. Changes nothing.
///
/// A main checkout is proven by an index beside the configuration whose files lie around the `.git` directory. What was so
/// already when a live lease was given is the user's. `core.hooksPath` is never wrong for certain.
///
/// # Errors
/// The records or the configuration cannot be read.
pub fn plan_drift_repairs(pool: &Pool) -> Result<Vec<DriftRepair>, RepairError> {
    let common = &pool.repository().common_dir;
    let Some(root) = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git")) else {
        return Ok(Vec::new());
    };
    let tracked = tracked(pool);
    if tracked.is_empty() || present(root, &tracked) == 0 {
        return Ok(Vec::new());
    }
    let settings = git::settings_in(&pool.git, &shared_config(pool))?;
    let value =
        |key: &str| settings.iter().find(|(known, _)| *known == key).and_then(|(_, values)| values.last());
    let mut repairs = Vec::new();
    if value("core.bare").is_some_and(is_true) && !was_so(pool, Single::CoreBare, b"true")? {
        repairs.push(DriftRepair::NotBare { root: root.to_owned() });
    }
    if let Some(value) = value("core.worktree") {
        let named = common.join(OsStr::from_bytes(value));
        let elsewhere = present(&named, &tracked) < present(root, &tracked);
        if elsewhere && !was_so(pool, Single::CoreWorktree, value)? {
            repairs.push(DriftRepair::OwnWorktree { root: root.to_owned(), value: value.clone() });
        }
    }
    Ok(repairs)
}

/// Carries out those of `plan` that still are due; returns them.
///
/// # Errors
/// The repository cannot be locked, or git cannot write the configuration.
pub fn repair_drift(pool: &Pool, plan: &[DriftRepair]) -> Result<Vec<DriftRepair>, RepairError> {
    let _lock = pool.lock_repository()?;
    let mut due = plan_drift_repairs(pool)?;
    due.retain(|repair| plan.contains(repair));
    for repair in &due {
        match repair {
            DriftRepair::NotBare { .. } => git::set_not_bare(&pool.git, &shared_config(pool))?,
            DriftRepair::OwnWorktree { .. } => git::unset_worktree(&pool.git, &shared_config(pool))?,
        }
    }
    Ok(due)
}

fn shared_config(pool: &Pool) -> PathBuf {
    pool.repository().common_dir.join("config")
}

/// As many tracked paths as tell one place from another.
const SAMPLE: usize = 100;

fn tracked(pool: &Pool) -> Vec<BString> {
    let index = git::read_index(&pool.repository().common_dir.join("index"), pool.repository().object_format);
    // Without a readable index nothing is certain, so nothing is repaired.
    index.unwrap_or_default().into_iter().take(SAMPLE).map(|entry| entry.path).collect()
}

fn present(root: &Path, paths: &[BString]) -> usize {
    paths.iter().filter(|path| root.join(OsStr::from_bytes(path)).symlink_metadata().is_ok()).count()
}

fn is_true(value: &BString) -> bool {
    matches!(value.to_ascii_lowercase().as_slice(), b"true" | b"yes" | b"on" | b"1")
}

/// Tells whether the setting had this value when each of the live leases was given, as far as that is on record.
fn was_so(pool: &Pool, what: Single, value: &[u8]) -> Result<bool, StateError> {
    let Some(store) = pool.records()? else { return Ok(false) };
    let mut known = false;
    for lease in store.leases()? {
        let Some(before) = store.fingerprint(lease.id)? else { continue };
        if before.get(Watched::Single, what.as_str()).is_none_or(|then| then != value) {
            return Ok(false);
        }
        known = true;
    }
    Ok(known)
}
