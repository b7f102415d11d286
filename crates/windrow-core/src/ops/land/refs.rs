//! The refs of a landing: one keeps its commit, one tells that the target moved.

use windrow_model::{LandingId, LandingRecord, Oid};

use crate::{
    git::{self, Expect, GitError, RefChange, RefError},
    ops::{error::StateError, pool::Pool},
};

/// Keeps the commit of a landing that is not over.
fn candidate_ref(id: LandingId) -> String {
    format!("refs/windrow/cand/{id}")
}

/// Made in the transaction that moves the target.
fn landed_ref(id: LandingId) -> String {
    format!("refs/windrow/landed/{id}")
}

/// Why refs were not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Ref(#[from] RefError),
}

/// Keeps a commit.
pub(super) fn keep(pool: &Pool, id: LandingId, commit: &Oid) -> Result<(), ChangeError> {
    let change = RefChange { name: candidate_ref(id), new: Some(*commit), old: Expect::Any };
    change_refs(pool, &[change], "windrow: to be landed")
}

/// Moves the target from where it was to the commit, and marks that it did, or neither.
pub(super) fn move_target(pool: &Pool, landing: &LandingRecord) -> Result<(), ChangeError> {
    let target = RefChange {
        name: landing.target.full(),
        new: Some(landing.candidate),
        old: Expect::Is(landing.before),
    };
    let mark = RefChange { name: landed_ref(landing.id), new: Some(landing.candidate), old: Expect::Absent };
    let from = landing.branch.as_ref().map_or_else(|| landing.source.short(), ToString::to_string);
    change_refs(pool, &[target, mark], &format!("windrow land {from}: {}", landing.strategy))
}

/// Whether the target moved.
pub(super) fn has_moved(pool: &Pool, id: LandingId) -> Result<bool, GitError> {
    Ok(git::read_ref(&pool.git, pool.repository(), &landed_ref(id))?.is_some())
}

/// Removes the refs of a landing that is over, as far as they are there.
pub(super) fn forget(pool: &Pool, id: LandingId) -> Result<(), ChangeError> {
    let mut changes = Vec::new();
    for name in [candidate_ref(id), landed_ref(id)] {
        if let Some(oid) = git::read_ref(&pool.git, pool.repository(), &name).map_err(RefError::from)? {
            changes.push(RefChange { name, new: None, old: Expect::Is(oid) });
        }
    }
    change_refs(pool, &changes, "windrow: landing over")
}

fn change_refs(pool: &Pool, changes: &[RefChange], message: &str) -> Result<(), ChangeError> {
    let _lock = pool.lock_repository()?;
    Ok(git::update_refs(&pool.git, pool.repository(), changes, message)?)
}

impl From<ChangeError> for super::LandError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::State(error) => error.into(),
            ChangeError::Ref(error) => error.into(),
        }
    }
}
