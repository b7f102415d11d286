//! Saving what an overlay holds.
//!
//! # Locking
//! Whoever ends the worktree holds its lock; the helper works for him.
//!
//! # Crash safety
//! The helper changes nothing but what every saving does, and may be killed at any time: the next one does the same again.

use std::{ffi::OsString, path::PathBuf};

use windrow_model::{LeaseId, WorktreeId, WorktreeRecord};

use super::{OVERLAY_COMMAND, Parts, hide, show, wire};
use crate::{
    fs,
    ops::{
        ending,
        error::{OpenError, StateError},
        pool::{Environment, KeeperMode, Pool},
        request::{Locate, WorkPolicy},
        saved::{Look, Saved},
    },
    process,
    store::LocalStore,
};

/// Saves what an overlay holds, here if it is shown to us and else in the helper; afterwards it is not shown any more.
///
/// The inner error is the reason, in words, why something cannot be saved.
pub(in crate::ops) fn save(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    lease: LeaseId,
    work: WorkPolicy,
) -> Result<Result<Saved, String>, StateError> {
    if process::is_apart() {
        return save_here(pool, store, record, lease, work);
    }
    ask(pool, record, lease, work)
}

/// Somebody may have written once; whoever does it all the time is no straggler.
const TRIES: u32 = 2;

/// Saves until nothing changed in the layer meanwhile. A look at merged directories may leave a mark there the first time.
fn save_here(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    lease: LeaseId,
    work: WorkPolicy,
) -> Result<Result<Saved, String>, StateError> {
    let upper = Parts::of(record).upper;
    let stamp = || fs::stamp_of(&upper).map_err(|source| StateError::Io { path: upper.clone(), source });
    for _ in 0..TRIES {
        show(record)?;
        let before = stamp()?;
        let saved = ending::save_shown(pool, store, record, lease, work);
        hide(record)?;
        let saved = match saved {
            Ok(saved) => saved,
            Err(reason) => return Ok(Err(reason)),
        };
        if work == WorkPolicy::Discard || stamp()? == before {
            let look = if work == WorkPolicy::Discard { Look::None } else { Look::Layer(before) };
            return Ok(Ok(Saved { look, ..saved }));
        }
    }
    Ok(Err("somebody wrote into it while it was being saved".to_owned()))
}

/// What the helper is to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlaySaveRequest {
    /// The git common directory.
    pub common_dir: PathBuf,
    /// The path that stands for the repository.
    pub root: PathBuf,
    /// The worktree.
    pub worktree: WorktreeId,
    /// The lease that the rescue is named by.
    pub lease: LeaseId,
    /// What happens to unsaved work.
    pub work: WorkPolicy,
}

/// Why the helper saved nothing.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The repository or its configuration cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state of the pool cannot be used, or the files not be shown.
    #[error(transparent)]
    State(#[from] StateError),
    /// No mount namespace can be had.
    #[error("no mount namespace can be had")]
    Namespace(#[source] std::io::Error),
    /// Another repository is found at the path, or the worktree is on no record.
    #[error("the worktree is on no record")]
    Unknown,
}

/// Shows an overlay to this process alone and saves what it holds; what the hidden subcommand does. Returns what it is to print.
///
/// # Errors
/// It could not be looked at; nothing is changed then.
pub fn save_apart(environment: Environment, request: &OverlaySaveRequest) -> Result<String, OverlayError> {
    let environment = Environment { keeper: KeeperMode::Never, ..environment };
    let pool = Pool::open(environment, &Locate::At(request.root.clone()))?;
    if pool.repository().common_dir != request.common_dir {
        return Err(OverlayError::Unknown);
    }
    let store = pool.store()?;
    let record = store.worktree(request.worktree).map_err(StateError::from)?.ok_or(OverlayError::Unknown)?;
    process::go_apart().map_err(OverlayError::Namespace)?;
    let saved = save_here(&pool, &store, &record, request.lease, request.work)?;
    Ok(wire::encode(saved.as_ref().map_err(String::as_str)))
}

fn ask(
    pool: &Pool,
    record: &WorktreeRecord,
    lease: LeaseId,
    work: WorkPolicy,
) -> Result<Result<Saved, String>, StateError> {
    let mut args: Vec<OsString> = Vec::new();
    for (key, value) in &pool.environment.config_flags {
        args.extend(["--config".into(), format!("{key}={value}").into()]);
    }
    args.extend([OVERLAY_COMMAND.into(), "save".into()]);
    args.extend([pool.repository().common_dir.clone().into(), pool.root().to_owned().into()]);
    args.extend([record.id.to_string().into(), lease.to_string().into()]);
    args.extend((work == WorkPolicy::Discard).then(|| "--discard".into()));
    let failed = |source| StateError::Io { path: record.path.clone(), source };
    let asked = process::ask_helper(&pool.environment.helper, &args, &pool.environment.variables);
    let asked = asked.map_err(failed)?;
    let printed = String::from_utf8_lossy(&asked.stdout);
    match wire::decode(&printed, record).filter(|_| asked.status.success()) {
        Some(saved) => Ok(saved),
        None => {
            let said = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
            tracing::warn!(said, status = ?asked.status, "the helper saved nothing");
            Err(failed(std::io::Error::other(format!("its files cannot be shown to save them: {said}"))))
        }
    }
}
