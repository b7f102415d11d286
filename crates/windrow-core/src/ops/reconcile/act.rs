//! Doing one step, under the worktree's lock, after looking again.

use std::{error::Error, path::Path};

use windrow_model::{
    Discrepancy, DiskSeen, Holder, ReconcileAction, ReconcileStep, WorktreeEvent, WorktreeRecord,
    WorktreeSeen, WorktreeState, reconcile_action,
};

use super::{StepFate, look};
use crate::{
    fs, git,
    ops::{
        adopt::{self, Found},
        ending,
        error::ReconcileError,
        outcome::WorktreeFate,
        pool::{Pool, WorktreeLock},
        recover, sweep, terms,
        undo::{self, Undone},
    },
    store::LocalStore,
};

/// How long an adopted worktree stays when nobody takes it up: time for a person to notice.
const ADOPTED_FOR: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

/// Does a step, unless something is not as it was when it was planned.
pub(super) fn carry_out(
    pool: &Pool,
    store: &mut LocalStore,
    step: &ReconcileStep,
) -> Result<StepFate, Box<dyn Error>> {
    let id = step.worktree.id;
    let Some(lock) = pool.lock_worktree(&id)? else {
        return Ok(StepFate::Left("somebody works on it".to_owned()));
    };
    let seen = look::again(pool, store, id)?;
    let Some(seen) = seen.filter(|seen| reconcile_action(&seen.situation) == step.action) else {
        return Ok(StepFate::Left("it changed meanwhile".to_owned()));
    };
    let record = store.worktree(id)?;
    match (step.action, record) {
        (ReconcileAction::Adopt, None) => adopt(pool, store, &seen).map(StepFate::Done),
        (ReconcileAction::Repair(_), Some(record)) => repair(pool, store, &record, &seen).map(StepFate::Done),
        (ReconcileAction::Finish, Some(record)) => {
            let (told, fate) = recover::end(pool, store, record)?;
            done(told, &fate, lock)
        }
        (ReconcileAction::RollBack, Some(record)) => {
            if record.state == WorktreeState::Idle {
                store.transaction(|tx| {
                    tx.advance(id, WorktreeEvent::Taken, Pool::now(), "its files are gone")
                })?;
            }
            if let Undone::SetAside(reason) = undo::roll_back(pool, store, &record)? {
                return Ok(StepFate::Done(format!("quarantined: {reason}")));
            }
            sweep::in_background(pool, &record);
            lock.0.remove()?;
            Ok(StepFate::Done("undid its creation".to_owned()))
        }
        (ReconcileAction::Quarantine(why), Some(record)) => {
            let lease = store.live_lease_of(id)?;
            ending::quarantine(store, record, lease, reason(why).to_owned())?;
            Ok(StepFate::Done(format!("quarantined: {}", reason(why))))
        }
        _ => Ok(StepFate::Left("it changed meanwhile".to_owned())),
    }
}

fn done(told: String, fate: &WorktreeFate, lock: WorktreeLock) -> Result<StepFate, Box<dyn Error>> {
    if matches!(fate, WorktreeFate::Removed | WorktreeFate::Vanished) {
        lock.0.remove()?;
    }
    Ok(StepFate::Done(told))
}

fn reason(why: Discrepancy) -> &'static str {
    match why {
        Discrepancy::ForeignRegistration => "what git has under its name belongs to something else",
        Discrepancy::OtherDirectory => "another directory than the one that was made lies at its path",
        Discrepancy::RegistrationGone => "git's registration of it is gone, its files are there",
        Discrepancy::NamesNothing => "git's registration names another place, where nothing is",
    }
}

/// Writes the links between files, registration and record anew, as far as they differ.
fn repair(
    pool: &Pool,
    store: &mut LocalStore,
    record: &WorktreeRecord,
    seen: &WorktreeSeen,
) -> Result<String, Box<dyn Error>> {
    let (Some(found), Some(admin)) = (&seen.found, &seen.admin) else {
        return Err("there is nothing to link".into());
    };
    let mended = link(pool, found, admin)?;
    store.transaction(|tx| tx.set_place(record.id, found, admin))?;
    let moved =
        if *found == record.path { String::new() } else { format!("found at `{}`; ", found.display()) };
    Ok(format!(
        "{moved}{}",
        if mended.is_empty() { "wrote its place down".to_owned() } else { mended.join(", ") }
    ))
}

/// Returns what was written, for people.
fn link(pool: &Pool, root: &Path, admin: &Path) -> Result<Vec<&'static str>, ReconcileError> {
    let _lock = pool.lock_repository()?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ReconcileError::Io { path, source }
    };
    let mut mended = Vec::new();
    let target = git::dot_git_of(root).map_err(failed(root))?;
    if target.is_none_or(|target| target != admin) {
        git::relink(root, admin).map_err(failed(root))?;
        mended.push("wrote its `.git` file anew");
    }
    let named = git::admin_facts(admin).map_err(failed(admin))?.gitdir;
    if named.is_none_or(|named| named != root.join(".git")) {
        git::repoint(admin, root).map_err(failed(admin))?;
        mended.push("wrote git's registration anew");
    }
    Ok(mended)
}

/// Records a worktree whose record is lost: kept for a while, so that a person can take it up; everything in it is rescued when
/// the time is over. One whose files cannot be seen is set aside instead.
fn adopt(pool: &Pool, store: &mut LocalStore, seen: &WorktreeSeen) -> Result<String, Box<dyn Error>> {
    let admin = seen.admin.as_deref().ok_or("it has no registration")?;
    if let Some(found) = &seen.found {
        link(pool, found, admin)?;
    }
    let record = record_of(pool, seen, admin)?;
    // Without it, secrets that were carried would go into the object database when the worktree ends.
    let carried = git::read_carried(admin)?;
    let absent = seen.situation.disk == DiskSeen::Absent;
    let until = terms::after(ADOPTED_FOR).unwrap_or(jiff::Timestamp::MAX);
    let why = "its record was lost and its files are not there";
    store.transaction(|tx| {
        tx.insert_worktree(&record)?;
        tx.set_carried(record.id, &carried)?;
        let lease = terms::new_lease(tx, record.id, Holder::Unbound, None, None, None)?;
        tx.insert_lease(&lease)?;
        tx.advance(record.id, WorktreeEvent::HandedOut, Pool::now(), "")?;
        tx.end_lease(lease.id, lease.fence, Pool::now())?;
        if absent {
            return tx.advance(record.id, WorktreeEvent::Doubted, Pool::now(), why);
        }
        tx.set_keep_until(record.id, Some(until))?;
        tx.advance(record.id, WorktreeEvent::WasKept, Pool::now(), "its record was lost and made anew")
    })?;
    Ok(match absent {
        true => format!("recorded it again, quarantined: {why}"),
        false => "recorded it again; it is kept for 7 days".to_owned(),
    })
}

/// What can be told of a worktree without its record. Nothing says any more who made its branch, so it counts as the user's.
fn record_of(pool: &Pool, seen: &WorktreeSeen, admin: &Path) -> Result<WorktreeRecord, Box<dyn Error>> {
    let path = seen.found.clone().unwrap_or_else(|| seen.path.clone());
    let head = pool.repository().head(&pool.git, admin)?;
    let first = git::first_commit(admin)?;
    let base = first.or(head.oid).ok_or("it has no commit")?;
    let identity = fs::directory_identity(&path)?;
    Ok(adopt::record_of_found(Found {
        id: seen.id,
        name: seen.name.clone(),
        path,
        admin: admin.to_owned(),
        identity,
        base,
        branch: head.branch,
    }))
}
