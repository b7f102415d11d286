//! Taking a worktree that somebody else made into care, where it is and as it is.
//!
//! Nothing of it changes but two small files of ours in its administrative directory: not its files, its index, its HEAD, nor
//! whether it is locked. From then on it is a kept worktree like any other, on a branch that is not ours to delete.
//!
//! # Locking
//! The lock of the new record is held throughout, the repository lock while the worktree is looked at again, marked and recorded.
//!
//! # Crash safety
//! The marks come first, the record is one transaction: a worktree of somebody else's is never on record as one being made,
//! which a crash would undo. A kill in between leaves marks without a record, which nothing acts on; the next try goes on there.

mod error;

use std::{
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use windrow_model::{
    BranchName, BranchOrigin, Checkout, DirectoryIdentity, Holder, Oid, WorktreeEvent, WorktreeId,
    WorktreeName, WorktreeRecord, WorktreeState,
};

pub use self::error::AdoptError;
use super::{
    error::{StateError, chain},
    keeper,
    observer::Observer,
    outcome::Adopted,
    place,
    pool::{Pool, WorktreeLock},
    recover::{self, Spare},
    request::AdoptRequest,
    survey, terms, version,
};
use crate::{
    fs,
    git::{self, AdminFacts, Head},
    process,
    store::{LocalStore, StoreError},
};

/// How long an adopted worktree stays when neither the caller nor the configuration says so.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Takes a linked worktree of this repository that somebody else made into care, and keeps it for a time.
///
/// # Errors
/// See [`AdoptError`]; nothing is changed then.
pub fn adopt(
    pool: &Pool,
    request: &AdoptRequest,
    observer: &mut dyn Observer,
) -> Result<Adopted, AdoptError> {
    let path = pool.environment.current_dir.join(&request.path);
    // A repository without any state of ours gets none from a request that cannot be met.
    let seen = look(pool, &path)?;
    refuse_known(pool, pool.records()?.as_ref(), request, &seen)?;
    version::check(pool)?;
    let mut store = pool.store()?;
    recover::before(pool, &mut store, &Spare::Nothing, observer)?;
    let id = id_for(&store, &seen)?;
    let busy = || process::LockError::Held { path: pool.worktree_lock_path(&id) };
    let lock = pool.lock_worktree(&id)?.ok_or_else(|| StateError::from(busy()))?;
    match take(pool, &mut store, request, id, &path) {
        Ok(worktree) => {
            let notices = warning(pool, &worktree).into_iter().collect();
            let keep_until = worktree.keep_until.unwrap_or(Timestamp::MAX);
            keeper::on_demand(pool);
            Ok(Adopted { worktree, keep_until, notices })
        }
        Err(error) => {
            WorktreeLock::retire(lock);
            Err(error)
        }
    }
}

/// Looks once more, marks, and records.
fn take(
    pool: &Pool,
    store: &mut LocalStore,
    request: &AdoptRequest,
    id: WorktreeId,
    path: &Path,
) -> Result<WorktreeRecord, AdoptError> {
    let _lock = pool.lock_repository()?;
    let seen = look(pool, path)?;
    refuse_known(pool, Some(store), request, &seen)?;
    let mut record = record_of(pool, store, request, id, seen)?;
    let failed = |source| AdoptError::Io { path: record.admin.clone(), source };
    git::mark_adopted(&record.admin, &id.to_string()).map_err(failed)?;
    let until = keep_until(pool, request);
    if let Err(error) = enter(store, &record, until) {
        // What stays is found by the next try.
        let _ = git::unmark(&record.admin, |_| false);
        return Err(refused_by_records(&record, error));
    }
    record.state = WorktreeState::Kept;
    record.keep_until = Some(until);
    Ok(record)
}

fn keep_until(pool: &Pool, request: &AdoptRequest) -> Timestamp {
    let chosen = [request.keep, Some(pool.settings().run.keep)];
    let keep = chosen.into_iter().flatten().find(|keep| !keep.is_zero()).unwrap_or(WEEK);
    terms::after(keep).unwrap_or(Timestamp::MAX)
}

/// One transaction, because until its end nobody must take the record for that of a worktree being made.
fn enter(store: &mut LocalStore, record: &WorktreeRecord, until: Timestamp) -> Result<(), StoreError> {
    store.transaction(|tx| {
        tx.insert_worktree(record)?;
        // Whatever ends a worktree names its rescue after a lease.
        let lease = terms::new_lease(tx, record.id, Holder::Unbound, None, None, None)?;
        tx.insert_lease(&lease)?;
        tx.advance(record.id, WorktreeEvent::HandedOut, Pool::now(), "")?;
        tx.end_lease(lease.id, lease.fence, Pool::now())?;
        tx.set_keep_until(record.id, Some(until))?;
        tx.advance(record.id, WorktreeEvent::WasKept, Pool::now(), &format!("adopted, until {until}"))
    })?;
    Ok(())
}

/// Somebody was quicker, or another worktree of ours has the branch on record.
fn refused_by_records(record: &WorktreeRecord, error: StoreError) -> AdoptError {
    match error {
        StoreError::BranchTaken { branch, worktree } => AdoptError::BranchInUse { branch, worktree },
        StoreError::NameTaken(name) => AdoptError::NameTaken { name },
        StoreError::PathTaken(path) => AdoptError::Ours { name: record.name.clone(), path },
        error => StateError::from(error).into(),
    }
}

/// A worktree of this repository as it was found.
struct Seen {
    path: PathBuf,
    admin: PathBuf,
    identity: Option<DirectoryIdentity>,
    facts: AdminFacts,
    head: Head,
    commit: Oid,
}

/// Looks at what lies at a path, and refuses what is not to be adopted.
fn look(pool: &Pool, path: &Path) -> Result<Seen, AdoptError> {
    let root = path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => AdoptError::Missing { path: path.to_owned() },
        _ => AdoptError::Io { path: path.to_owned(), source },
    })?;
    let repository = pool.repository();
    if repository.main_worktree.as_ref() == Some(&root) || repository.common_dir == root {
        return Err(AdoptError::Main { path: root });
    }
    let admin = registration_of(pool, &root)?;
    let facts = git::admin_facts(&admin).map_err(|source| AdoptError::Io { path: admin.clone(), source })?;
    let path = linked_path(&root, &admin, &facts)?;
    fs::own_dir(&root)?;
    // Who may write in either can put something else in our place.
    fs::check_parent(&root)?;
    fs::check_parent(&root.join(".git"))?;
    let head = repository.head(&pool.git, &admin)?;
    let commit = head.oid.ok_or_else(|| AdoptError::Unborn { path: path.clone() })?;
    let identity =
        fs::directory_identity(&root).map_err(|source| AdoptError::Io { path: root.clone(), source })?;
    Ok(Seen { path, admin, identity, facts, head, commit })
}

/// The administrative directory that the `.git` of a root names, if it is one of this repository's.
fn registration_of(pool: &Pool, root: &Path) -> Result<PathBuf, AdoptError> {
    let other = |git_dir: PathBuf| AdoptError::OtherRepository { path: root.to_owned(), git_dir };
    let broken = |said: String| AdoptError::Broken { path: root.to_owned(), said };
    let dot_git = root.join(".git");
    match dot_git.symlink_metadata() {
        Ok(found) if found.is_dir() => return Err(other(dot_git)),
        Ok(found) if !found.is_file() => return Err(broken("its `.git` is no plain file".to_owned())),
        _ => {}
    }
    let named = git::dot_git_of(root).map_err(|source| AdoptError::Io { path: dot_git, source })?;
    let named = named.ok_or_else(|| AdoptError::NoRoot { path: root.to_owned() })?;
    let said = |_| broken(format!("its `.git` names `{}`, which is not there", named.display()));
    let admin = named.canonicalize().map_err(said)?;
    let common = &pool.repository().common_dir;
    let registry = common.join("worktrees");
    match admin.parent() {
        Some(parent) if parent == registry => Ok(admin),
        _ => Err(other(admin)),
    }
}

/// The root as git has it, if the links of a worktree and its registration agree in both directions.
fn linked_path(root: &Path, admin: &Path, facts: &AdminFacts) -> Result<PathBuf, AdoptError> {
    let broken = |said: String| AdoptError::Broken { path: root.to_owned(), said };
    let common = admin.parent().and_then(Path::parent);
    let named = facts.commondir.as_ref().and_then(|found| admin.join(found).canonicalize().ok());
    if named.as_deref() != common {
        return Err(broken(format!("`{}/commondir` names another repository", admin.display())));
    }
    let gitdir = facts.gitdir.as_ref();
    let gitdir = gitdir.ok_or_else(|| broken(format!("`{}` names no worktree", admin.display())))?;
    if gitdir.is_relative() {
        return Err(AdoptError::Relative { path: root.to_owned() });
    }
    let path = gitdir.parent().filter(|_| gitdir.file_name() == Some(".git".as_ref()));
    match path {
        Some(path) if path.canonicalize().is_ok_and(|real| real == root) => Ok(path.to_owned()),
        _ => Err(broken(format!("git has it at `{}`", gitdir.parent().unwrap_or(gitdir).display()))),
    }
}

/// Refuses what is in our care already, what somebody locked, and a name that is taken.
fn refuse_known(
    pool: &Pool,
    store: Option<&LocalStore>,
    request: &AdoptRequest,
    seen: &Seen,
) -> Result<(), AdoptError> {
    let ours = |record: WorktreeRecord| AdoptError::Ours { name: record.name, path: seen.path.clone() };
    let marked = seen.facts.identity_token.is_some() && !seen.facts.adopted;
    if let Some(store) = store {
        if pool.is_copied(store)? {
            return Err(StateError::Copied { path: pool.state_dir().to_owned() }.into());
        }
        let recorded = store.worktree_at(&seen.path).map_err(StateError::from)?;
        let recorded = recorded.or(marked_record(store, seen)?);
        if let Some(record) = recorded.filter(|record| record.state != WorktreeState::Gone) {
            return Err(ours(record));
        }
        if let Some(name) = &request.name
            && store.worktree_named(name).map_err(StateError::from)?.is_some()
        {
            return Err(AdoptError::NameTaken { name: name.clone() });
        }
    }
    if marked {
        return Err(AdoptError::Unrecorded { path: seen.path.clone() });
    }
    match &seen.facts.locked {
        Some(reason) => Err(AdoptError::Locked { path: seen.path.clone(), reason: reason.clone() }),
        None => Ok(()),
    }
}

fn marked_record(store: &LocalStore, seen: &Seen) -> Result<Option<WorktreeRecord>, StateError> {
    Ok(seen.facts.worktree_id().map(|id| store.worktree(id)).transpose()?.flatten())
}

/// The id that a killed try left, or a new one.
fn id_for(store: &LocalStore, seen: &Seen) -> Result<WorktreeId, StateError> {
    let left = seen.facts.worktree_id().filter(|_| seen.facts.adopted);
    Ok(match (left, marked_record(store, seen)?) {
        (Some(id), None) => id,
        _ => WorktreeId::new(uuid::Uuid::now_v7()),
    })
}

fn record_of(
    pool: &Pool,
    store: &LocalStore,
    request: &AdoptRequest,
    id: WorktreeId,
    seen: Seen,
) -> Result<WorktreeRecord, AdoptError> {
    let base = base_of(pool, &seen)?;
    Ok(record_of_found(Found {
        id,
        name: name_for(store, request, &seen.path)?,
        path: seen.path,
        admin: seen.admin,
        identity: seen.identity,
        base,
        branch: seen.head.branch,
    }))
}

/// A worktree that is there and on no record.
pub(super) struct Found {
    pub(super) id: WorktreeId,
    pub(super) name: WorktreeName,
    pub(super) path: PathBuf,
    pub(super) admin: PathBuf,
    pub(super) identity: Option<DirectoryIdentity>,
    pub(super) base: Oid,
    pub(super) branch: Option<BranchName>,
}

/// The record of a worktree that is there. Nothing says that we made its branch, so it is not ours to delete.
pub(super) fn record_of_found(found: Found) -> WorktreeRecord {
    let checkout = match found.branch {
        Some(name) => Checkout::Branch { name, origin: BranchOrigin::Existing },
        None => Checkout::Detached,
    };
    WorktreeRecord {
        id: found.id,
        name: found.name,
        path: found.path,
        admin: found.admin,
        identity: found.identity,
        state: WorktreeState::Creating,
        base: found.base,
        target: None,
        checkout,
        created_at: Pool::now(),
        keep_until: None,
        doubt: None,
        boot_id: process::boot_id().unwrap_or_default(),
    }
}

/// What it has in common with the main HEAD. The base counts as safe wherever commits are looked for that only a worktree
/// remembers, so it has to be one that is reachable without this worktree.
fn base_of(pool: &Pool, seen: &Seen) -> Result<Oid, AdoptError> {
    let repository = pool.repository();
    let main = repository.head(&pool.git, &repository.common_dir)?;
    match (main.oid, &seen.head.branch) {
        (Some(main), _) => Ok(git::merge_base(&pool.git, repository, &seen.commit, &main)?.unwrap_or(main)),
        (None, Some(_)) => Ok(seen.commit),
        (None, None) => Err(AdoptError::Unborn { path: pool.root().to_owned() }),
    }
}

/// The name that was asked for, that of the directory, or an invented one.
fn name_for(store: &LocalStore, request: &AdoptRequest, path: &Path) -> Result<WorktreeName, StateError> {
    if let Some(name) = &request.name {
        return Ok(name.clone());
    }
    let worktrees = store.worktrees()?;
    let taken = |name: &WorktreeName| worktrees.iter().any(|record| record.name == *name);
    let own = path.file_name().and_then(|name| std::str::from_utf8(name.as_bytes()).ok()?.parse().ok());
    Ok(own.filter(|name| !taken(name)).unwrap_or_else(|| place::invent_name(&taken)))
}

/// What its release will not be able to save, so that the user knows in time.
fn warning(pool: &Pool, record: &WorktreeRecord) -> Option<String> {
    let savable =
        survey::survey(pool, record, &[]).and_then(|seen| survey::refuse_unsavable(pool, record, &seen));
    let error = savable.err()?;
    Some(format!("as it is now it would be quarantined at its end, not removed: {}", chain(&error)))
}
