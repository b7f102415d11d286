//! The check that git is there and new enough, asked once for each git program and remembered.

use std::{os::unix::fs::MetadataExt, path::Path};

use super::{error::AcquireError, error::StateError, pool::Pool};
use crate::{
    git::{self, GitError, MINIMUM_VERSION},
    store::LocalStore,
};

const META_GIT: &str = "git";

/// Refuses a git that is missing or too old.
pub(super) fn require(pool: &Pool, store: &mut LocalStore) -> Result<(), AcquireError> {
    let fingerprint = fingerprint(pool);
    let known = store.meta(META_GIT).map_err(StateError::from)?;
    if fingerprint.is_some() && fingerprint == known {
        return Ok(());
    }
    check(pool)?;
    if let Some(fingerprint) = fingerprint {
        store.transaction(|tx| tx.set_meta(META_GIT, &fingerprint)).map_err(StateError::from)?;
    }
    Ok(())
}

/// Asks git itself, and remembers nothing.
pub(super) fn check(pool: &Pool) -> Result<(), GitError> {
    let found = git::version(&pool.git)?;
    if found < MINIMUM_VERSION {
        return Err(GitError::TooOld { found, needed: MINIMUM_VERSION });
    }
    Ok(())
}

/// What changes when another git is installed; `None` when it cannot be told.
fn fingerprint(pool: &Pool) -> Option<String> {
    let path = pool.environment.variable("PATH")?;
    let candidates = std::env::split_paths(path).map(|directory| directory.join("git"));
    let found = candidates.into_iter().find(|candidate| candidate.is_file())?;
    let metadata = Path::new(&found).metadata().ok()?;
    Some(format!("{}:{}:{}:{}", found.display(), metadata.ino(), metadata.size(), metadata.mtime()))
}
