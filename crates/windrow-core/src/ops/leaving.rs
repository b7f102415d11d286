//! A worktree that leaves stands aside while it is looked at: under another name, where nobody comes to it by its path any more,
//! so that one look proves what else takes one before and one after it left.
//!
//! Only the answer that nothing is unsaved counts there. With any other the files go back to their place first, and all that
//! follows is done where they were.
//!
//! # Locking
//! The caller holds the worktree's lock. The repository lock is held while the files step aside.
//!
//! # Crash safety
//! They step aside while the worktree is `releasing`. A kill leaves them under the other name, in no trash; whoever carries the
//! release through puts them back first and looks at everything again.

use std::path::{Path, PathBuf};

use windrow_model::WorktreeRecord;

use super::{
    error::chain,
    identity::{self, Identity},
    last_look::put_back,
    pool::Pool,
    survey::{self, Meanwhile, Survey},
};
use crate::{fs, git, store::LocalStore};

/// Where files stand while they are looked at.
fn directory(worktree: &WorktreeRecord) -> PathBuf {
    worktree.path.with_file_name(format!(".leaving-{}", worktree.id))
}

/// Where the files of a worktree are: aside, or else in their place.
pub(super) fn place_of(worktree: &WorktreeRecord) -> PathBuf {
    let aside = directory(worktree);
    let there = fs::directory_identity(&aside).ok().flatten();
    if there.is_some() && there == worktree.identity { aside } else { worktree.path.clone() }
}

/// Puts files that stand aside where they belong; says where they are when that is not possible.
pub(super) fn bring_back(worktree: &WorktreeRecord) -> Result<(), String> {
    let place = place_of(worktree);
    if place == worktree.path { Ok(()) } else { put_back(worktree, &place) }
}

/// Looks whether nothing in a worktree is unsaved, with its files standing aside; they stay there only if so, and `None` means that
/// they are in their place. What may be done `meanwhile` is told where HEAD is once nothing is staged.
///
/// # Errors
/// They cannot be put back.
pub(super) fn look_aside(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    meanwhile: Meanwhile<'_>,
) -> Result<Option<Survey>, String> {
    let Some(aside) = step_aside(pool, worktree) else { return Ok(None) };
    let carried = store.carried(worktree.id).map_err(|error| chain(&error));
    let look = |carried: Vec<_>| {
        survey::if_clean(pool, worktree, &carried, &aside, meanwhile).map_err(|error| chain(&error))
    };
    match carried.and_then(look) {
        Ok(Some(clean)) => Ok(Some(clean)),
        // Whatever keeps us from looking keeps the survey from it too, and is told by it.
        Ok(None) | Err(_) => put_back(worktree, &aside).map(|()| None),
    }
}

/// Renames the files; `None` when that cannot be done, or another git may think that they are gone for good.
fn step_aside(pool: &Pool, worktree: &WorktreeRecord) -> Option<PathBuf> {
    let _lock = pool.lock_repository().ok()?;
    if !is_locked_by_us(worktree) || identity::prove_removable(pool, worktree) != Identity::Proven {
        return None;
    }
    let aside = directory(worktree);
    fs::rename_new(&worktree.path, &aside).ok()?;
    Some(aside)
}

fn is_locked_by_us(worktree: &WorktreeRecord) -> bool {
    let facts = git::admin_facts(&worktree.admin);
    facts.is_ok_and(|facts| facts.locked.is_some_and(|reason| reason == identity::lock_reason(worktree)))
}

/// Proves once more that files which are to leave are ours, and tells where they are.
pub(super) fn prove(pool: &Pool, worktree: &WorktreeRecord) -> Option<PathBuf> {
    let place = place_of(worktree);
    let proven = |root: &Path| identity::prove_removable_at(pool, worktree, root) == Identity::Proven;
    proven(&place).then_some(place)
}
