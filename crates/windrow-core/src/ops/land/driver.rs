//! The process in the background that serves the queue of one target, started by the keeper.
//!
//! # Locking
//! One at a time for each target, by a lock of its own. Whoever queues commits first and has the keeper look afterwards, and this
//! process looks again after it gave the lock up: so no ticket stays unnoticed.
//!
//! # Crash safety
//! See [`super::queue`]. The keeper starts another one.

use std::{ffi::OsString, path::PathBuf};

use windrow_model::BranchName;

use super::{LandError, QueueError, queue};
use crate::{
    fs,
    ops::{
        error::StateError,
        keeper,
        observer::Unobserved,
        pool::{Environment, KeeperMode, Pool},
        recover::{self, Spare},
        request::Locate,
    },
    process::{self, FileLock, LockState, Wait},
};

/// The name of the hidden subcommand of the helper that serves a queue.
pub const QUEUE_COMMAND: &str = "__queue";

/// Which queue to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeRequest {
    /// The git common directory, absolute.
    pub common_dir: PathBuf,
    /// The path that stands for the repository.
    pub root: PathBuf,
    /// The branch that is landed on.
    pub target: BranchName,
}

/// Lands whatever is queued for a target: what the hidden subcommand does.
///
/// Returns at once when another one does.
///
/// # Errors
/// The pool cannot be used, or something keeps everything from landing; the tickets wait.
pub fn serve_queue(environment: Environment, request: &ServeRequest) -> Result<(), QueueError> {
    let environment = Environment { keeper: KeeperMode::Never, ..environment };
    let pool = Pool::open(environment, &Locate::At(request.root.clone()))?;
    if pool.repository().common_dir != request.common_dir {
        return Err(QueueError::Moved { root: request.root.clone() });
    }
    let Some(mut store) = pool.store_if_any()? else { return Ok(()) };
    while queue::last_of(&store, &request.target)?.is_some() {
        let Some(_turn) =
            FileLock::acquire(&lock_of(&pool, &request.target)?, Wait::No).map_err(StateError::from)?
        else {
            return Ok(());
        };
        recover::before(&pool, &mut store, &Spare::Nothing, &mut Unobserved)?;
        queue::serve_all(&pool, &mut store, &request.target, &mut Unobserved)?;
    }
    Ok(())
}

/// Starts one for a target, unless one is at work.
pub(in crate::ops) fn start(pool: &Pool, target: &BranchName) -> Result<(), LandError> {
    let lock = lock_of(pool, target)?;
    if process::is_free(&lock).is_ok_and(|state| state == LockState::Held) {
        return Ok(());
    }
    let places = [pool.repository().common_dir.as_path(), pool.root()];
    let mut arguments: Vec<OsString> = vec![QUEUE_COMMAND.into(), "--".into()];
    arguments.extend(places.map(OsString::from));
    arguments.push(target.as_str().into());
    process::spawn_detached(&pool.environment.helper, &arguments, &keeper::environment(pool))
        .map_err(|source| LandError::Io { path: pool.environment.helper.clone(), source })
}

fn lock_of(pool: &Pool, target: &BranchName) -> Result<PathBuf, StateError> {
    let directory = pool.locks().join("queue");
    fs::private_dir(&directory)?;
    let name = blake3::hash(target.as_str().as_bytes()).to_hex();
    Ok(directory.join(&name.as_str()[..16]))
}
