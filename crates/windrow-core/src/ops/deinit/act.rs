//! Ending worktrees and rescues, each by itself, after looking again.

use std::path::Path;

use windrow_model::{
    DeinitAction, DeinitObstacle, DeinitWorktree, Oid, RescueFate, RescueId, SavedWork, WorktreeEvent,
    WorktreeState,
};

use super::DeinitError;
use crate::{
    fs::{self, Overwrite, RestoreRoot},
    git::{self, Expect, RefChange},
    ops::{
        error::{ReleaseError, RescueError, SelectError, StateError},
        observer::Unobserved,
        outcome::Entry,
        pool::{Pool, WorktreeLock},
        release,
        request::{ReleaseRequest, Selector, WorkPolicy},
        rescue::{self, ADMIN, CARRIED, CHANGED, TREE},
        rescues, warm,
    },
    store::{LocalStore, StoreError},
};

/// Does what is decided about each worktree.
pub(super) fn end_worktrees(
    pool: &Pool,
    worktrees: &[DeinitWorktree<Result<DeinitAction, DeinitObstacle>>],
) -> Result<(), DeinitError> {
    if worktrees.is_empty() {
        return Ok(());
    }
    let mut store = pool.store()?;
    for worktree in worktrees {
        match &worktree.decision {
            Ok(DeinitAction::HandBack) => hand_back(pool, &mut store, worktree)?,
            Ok(DeinitAction::Release) => give_back(pool, &mut store, worktree)?,
            // The second look tells.
            Ok(DeinitAction::Finish) | Err(_) => {}
        }
    }
    Ok(())
}

type Decided = DeinitWorktree<Result<DeinitAction, DeinitObstacle>>;

/// Takes our marks off a worktree, which stays as it is.
fn hand_back(pool: &Pool, store: &mut LocalStore, worktree: &Decided) -> Result<(), DeinitError> {
    let Some(lock) = pool.lock_worktree(&worktree.id)? else { return Err(DeinitError::Meanwhile) };
    let _repository = pool.lock_repository()?;
    let record = store.worktree(worktree.id).map_err(StateError::from)?;
    match record.map(|record| record.state) {
        Some(WorktreeState::Kept | WorktreeState::Quarantined) => {
            let ended = store.transaction(|tx| {
                let detail = "handed back, it stays as a plain worktree";
                tx.advance(worktree.id, WorktreeEvent::HandedBack, Pool::now(), detail)
            });
            ended.map_err(|error: StoreError| StateError::from(error))?;
        }
        Some(WorktreeState::Gone) | None => {}
        Some(_) => return Err(DeinitError::Meanwhile),
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| DeinitError::Io { path, source }
    };
    let registry = pool.repository().common_dir.join("worktrees");
    let id = worktree.id.to_string();
    if let Some(admin) = git::find_admin(pool.repository(), &id).map_err(failed(&registry))? {
        // It may have been hidden on its way out, before something stood in the way.
        if worktree.path.is_dir() && worktree.path != admin {
            git::show_admin(&admin, &worktree.path).map_err(failed(&admin))?;
        }
        let mark = format!("({id})");
        let ours =
            |reason: &[u8]| reason.starts_with(b"windrow worktree ") && reason.ends_with(mark.as_bytes());
        git::unmark(&admin, ours).map_err(failed(&admin))?;
    }
    WorktreeLock::retire(lock);
    Ok(())
}

/// Gives a worktree back as its user would; one that is gone by now was quicker.
fn give_back(pool: &Pool, store: &mut LocalStore, worktree: &Decided) -> Result<(), DeinitError> {
    let Some(record) = store.worktree(worktree.id).map_err(StateError::from)? else { return Ok(()) };
    if record.state == WorktreeState::Gone {
        return Ok(());
    }
    if record.state == WorktreeState::Idle {
        let ended = warm::remove(pool, store, &record, &mut Unobserved);
        return ended.map(drop).map_err(|error| DeinitError::Spare(Box::new(error)));
    }
    let lease = store.live_lease_of(record.id).map_err(StateError::from)?;
    let request = ReleaseRequest {
        selector: Selector::Name(record.name.clone()),
        fence: None,
        keep: None,
        work: WorkPolicy::Rescue,
    };
    let found = Entry { worktree: record, lease };
    match release::end_one(pool, store, &request, &found, None) {
        // What it became is seen by the second look.
        Ok(_) | Err(ReleaseError::Select(SelectError::Unknown { .. })) => Ok(()),
        Err(source) => Err(DeinitError::Release { name: worktree.name.clone(), source: Box::new(source) }),
    }
}

/// Does what is decided about saved work.
pub(super) fn end_rescues(pool: &Pool, works: &[(SavedWork, RescueFate)]) -> Result<(), DeinitError> {
    let mut store = pool.store_if_any()?;
    for (work, fate) in works {
        match fate {
            RescueFate::Kept { branch, directory } => {
                if let (Some(directory), Some(archive)) = (directory, &work.archive) {
                    unpack(work, archive, directory)?;
                }
                if let (Some(branch), Some((_, oid))) = (branch, &work.commit) {
                    make_branch(pool, work, branch, *oid)?;
                }
                sync(pool)?;
            }
            RescueFate::Discarded => {}
            RescueFate::Obstructs => return Err(DeinitError::Meanwhile),
        }
        forget(pool, store.as_mut(), work)?;
    }
    Ok(())
}

fn sync(pool: &Pool) -> Result<(), DeinitError> {
    let path = pool.repository().common_dir.clone();
    rescue::sync(pool).map_err(|error| match error {
        RescueError::Io { path, source } => DeinitError::Io { path, source },
        error => DeinitError::Io { path, source: std::io::Error::other(error) },
    })
}

/// Unpacks an archive for its owner alone, because it holds secrets; a former try that was cut short is completed.
fn unpack(work: &SavedWork, archive: &Path, directory: &Path) -> Result<(), DeinitError> {
    let around = directory.parent().unwrap_or(directory);
    let (files, state) = (directory.join("files"), directory.join("git"));
    fs::check_parent(around).map_err(StateError::from)?;
    fs::own_dir(around).map_err(StateError::from)?;
    for path in [directory, &files, &state] {
        fs::private_dir(path).map_err(StateError::from)?;
    }
    let [tree, carried, changed] =
        [TREE, CARRIED, CHANGED].map(|prefix| RestoreRoot { prefix, root: &files });
    let roots = [tree, carried, changed, RestoreRoot { prefix: ADMIN, root: &state }];
    fs::read_archive(archive, &roots, Overwrite::Replace)
        .map_err(|source| DeinitError::Archive { rescue: work.id.clone(), source })?;
    for empty in [&state, &files] {
        let _ = std::fs::remove_dir(empty);
    }
    fs::sync_filesystem(directory).map_err(|source| DeinitError::Io { path: directory.to_owned(), source })
}

/// A former try may have made it already.
fn make_branch(pool: &Pool, work: &SavedWork, branch: &str, oid: Oid) -> Result<(), DeinitError> {
    let name = format!("refs/heads/{branch}");
    match git::read_ref(&pool.git, pool.repository(), &name)? {
        Some(there) if there == oid => return Ok(()),
        Some(_) => {
            let (rescue, branch) = (work.id.clone(), branch.to_owned());
            return Err(DeinitError::BranchTaken { rescue, branch });
        }
        None => {}
    }
    let change = RefChange { name, new: Some(oid), old: Expect::Absent };
    change_ref(pool, work, change, "windrow: rescue made a branch")
}

fn change_ref(pool: &Pool, work: &SavedWork, change: RefChange, message: &str) -> Result<(), DeinitError> {
    git::update_refs(&pool.git, pool.repository(), &[change], message)
        .map_err(|source| DeinitError::Ref { rescue: work.id.clone(), source })
}

/// Ref first, archive second, record last: what is interrupted is repeated by the next try.
fn forget(pool: &Pool, store: Option<&mut LocalStore>, work: &SavedWork) -> Result<(), DeinitError> {
    if let Some((name, oid)) = &work.commit
        && git::read_ref(&pool.git, pool.repository(), name)?.is_some()
    {
        let change = RefChange { name: name.clone(), new: None, old: Expect::Is(*oid) };
        change_ref(pool, work, change, "windrow: deinit")?;
    }
    if let Some(archive) = &work.archive {
        remove_file(archive)?;
    }
    let Some(store) = store else { return Ok(()) };
    let Ok(id) = work.id.parse::<RescueId>() else { return Ok(()) };
    if let Some(record) = store.rescue(&id).map_err(StateError::from)? {
        rescues::remove(pool, store, &record)?;
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), DeinitError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(DeinitError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
