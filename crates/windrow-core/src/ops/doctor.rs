//! Telling in words what is wrong with a pool, and doing what has one right answer.
//!
//! # Locking
//! Looking takes no lock. A stale lock of git is removed under its worktree's lock, after looking again; the shared
//! configuration is repaired under the repository lock.

mod look;
mod shared;

use std::path::{Path, PathBuf};

use windrow_model::WorktreeId;

use super::{
    error::{ReconcileError, StateError, chain},
    guard::{self, DriftRepair},
    leftovers,
    observer::Observer,
    pool::Pool,
    reconcile, sweep,
};

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingSubject {
    /// The git program.
    Git,
    /// The records.
    Records,
    /// A lock of ours that somebody holds.
    Held,
    /// A worktree.
    Worktree,
    /// Saved work.
    Rescue,
    /// What waits to be deleted.
    Trash,
    /// What a crash or a repair left.
    Leftover,
    /// A lock file of git.
    GitLock,
    /// What is everybody's: the shared configuration, hooks, the main checkout.
    Shared,
    /// Room on the disk.
    Space,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Something has to be done.
    Problem,
}

/// What `--fix` does about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Records and disk are reconciled.
    Reconcile,
    /// A lock file whose owner is dead is removed.
    RemoveLock {
        /// The file.
        path: PathBuf,
        /// The worktree that it locks.
        worktree: WorktreeId,
    },
    /// A trash directory is emptied.
    EmptyTrash(PathBuf),
    /// A setting of the shared configuration is made right.
    RepairConfig(DriftRepair),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: FindingSubject,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, for people.
    pub text: String,
    /// What to do next, for people.
    pub next: Option<String>,
    /// What `--fix` does about it.
    pub cure: Option<Cure>,
}

/// What became of a cure: what was done, or why it was not, for people.
pub type Cured = Result<String, String>;

/// Looks at everything about a pool, what is fine included. Changes nothing.
///
/// # Errors
/// The records are busy or of a newer version, or a directory cannot be read.
pub fn examine(pool: &Pool) -> Result<Vec<Finding>, ReconcileError> {
    look::all(pool)
}

/// Does what has one right answer; an entry for each finding, `None` where there is nothing to do.
pub fn cure(pool: &Pool, findings: &[Finding], observer: &mut dyn Observer) -> Vec<Option<Cured>> {
    let mut reconciled: Option<Cured> = None;
    let mut fates = Vec::new();
    for finding in findings {
        fates.push(match &finding.cure {
            None => None,
            Some(Cure::Reconcile) => {
                Some(reconciled.get_or_insert_with(|| reconcile_all(pool, observer)).clone())
            }
            Some(Cure::RemoveLock { path, worktree }) => Some(remove_lock(pool, path, *worktree)),
            Some(Cure::EmptyTrash(trash)) => Some(empty(trash)),
            Some(Cure::RepairConfig(repair)) => Some(repair_config(pool, repair)),
        });
    }
    fates
}

fn reconcile_all(pool: &Pool, observer: &mut dyn Observer) -> Cured {
    let done = reconcile::plan(pool).and_then(|plan| reconcile::execute(pool, plan, observer));
    match done {
        Ok(done) if done.is_complete() => Ok("reconciled".to_owned()),
        Ok(_) => Err("not everything could be reconciled; see `windrow reconcile`".to_owned()),
        Err(error) => Err(chain(&error)),
    }
}

fn remove_lock(pool: &Pool, path: &Path, worktree: WorktreeId) -> Cured {
    let removed = || -> Result<Cured, ReconcileError> {
        let Some(lock) = pool.lock_worktree(&worktree)? else {
            return Ok(Err("somebody works on the worktree".to_owned()));
        };
        if !look::owner_is_dead(pool, worktree)? {
            return Ok(Err("somebody uses the worktree by now".to_owned()));
        }
        leftovers::remove_stale(&lock, path)
            .map_err(|source| StateError::Io { path: path.to_owned(), source })?;
        Ok(Ok("removed".to_owned()))
    };
    removed().unwrap_or_else(|error| Err(chain(&error)))
}

fn repair_config(pool: &Pool, repair: &DriftRepair) -> Cured {
    match guard::repair_drift(pool, std::slice::from_ref(repair)) {
        Ok(done) if done.is_empty() => Ok("it is right by now".to_owned()),
        Ok(_) => Ok(match repair {
            DriftRepair::NotBare { .. } => "set it to false",
            DriftRepair::OwnWorktree { .. } => "unset it",
        }
        .to_owned()),
        Err(error) => Err(chain(&error)),
    }
}

fn empty(trash: &Path) -> Cured {
    match sweep::sweep(trash) {
        Ok(report) if report.failures.is_empty() => Ok("emptied".to_owned()),
        Ok(report) => Err(format!("{} could not be deleted", report.failures.len())),
        Err(error) => Err(chain(&error)),
    }
}
