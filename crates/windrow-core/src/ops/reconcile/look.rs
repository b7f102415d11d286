//! Looking at records, registrations and disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use windrow_model::{
    DiskSeen, LeaseFate, ReconcileSituation, ReconcileSnapshot, RecordsSeen, RegistrationSeen, RescueId,
    UseSeen, WorktreeId, WorktreeName, WorktreeRecord, WorktreeSeen, WorktreeState,
};

use crate::{
    fs as files,
    git::{self, AdminFacts},
    ops::{
        error::{ReconcileError, StateError, chain},
        identity::{self, Presence, same_path},
        liveness::{self, Standing},
        overlay, place,
        pool::Pool,
    },
    process::{self, LockState},
    store::{Access, LocalStore, StoreError},
};

/// Looks at everything.
pub(super) fn snapshot(pool: &Pool) -> Result<ReconcileSnapshot, ReconcileError> {
    let (records, store) = open(pool)?;
    let admins = marked(pool)?;
    let known = store.as_ref().map_or_else(|| Ok(Vec::new()), |store| store.worktrees())?;
    let mut worktrees = Vec::new();
    if let Some(store) = &store {
        for record in &known {
            worktrees.push(look_at(pool, store, record, &admins, Standing::Outside)?);
        }
    }
    for (admin, facts) in &admins {
        let Some(id) = facts.worktree_id().filter(|id| !known.iter().any(|record| record.id == *id)) else {
            continue;
        };
        worktrees.extend(look_at_lost(pool, store.as_ref(), id, admin, facts, Standing::Outside)?);
    }
    let (rescues, archives) = rescues(pool, store.as_ref(), &records)?;
    Ok(ReconcileSnapshot { records, worktrees, rescues, archives })
}

/// Looks at one worktree again; `None` when nothing is left of it.
pub(in crate::ops) fn again(
    pool: &Pool,
    store: &LocalStore,
    id: WorktreeId,
) -> Result<Option<WorktreeSeen>, ReconcileError> {
    match store.worktree(id)? {
        Some(record) if record.state != WorktreeState::Gone => {
            look_at(pool, store, &record, &marked(pool)?, Standing::HoldsLock).map(Some)
        }
        _ => match marked(pool)?.iter().find(|(_, facts)| facts.worktree_id() == Some(id)) {
            Some((admin, facts)) => look_at_lost(pool, Some(store), id, admin, facts, Standing::HoldsLock),
            None => Ok(None),
        },
    }
}

/// Opens the records to read, and tells their condition; they are only there when they are whole.
pub(in crate::ops) fn open(pool: &Pool) -> Result<(RecordsSeen, Option<LocalStore>), ReconcileError> {
    if !pool.has_records()? {
        return Ok((RecordsSeen::Missing, None));
    }
    let read = |store: &LocalStore| {
        store.leases()?;
        store.rescues()?;
        store.worktrees()?;
        store.problems()
    };
    let opened = LocalStore::open(pool.state_dir(), Access::ReadOnly)
        .and_then(|store| Ok((read(&store)?, pool.is_copied(&store), store)));
    match opened {
        Ok((problems, ..)) if !problems.is_empty() => Ok((RecordsSeen::Damaged(problems.join(", ")), None)),
        Ok((_, copied, store)) => match copied? {
            true => Ok((RecordsSeen::Copied, None)),
            false => Ok((RecordsSeen::Whole, Some(store))),
        },
        Err(error @ (StoreError::Corrupt { .. } | StoreError::Missing { .. })) => {
            Ok((RecordsSeen::Damaged(chain(&error)), None))
        }
        Err(error) => Err(error.into()),
    }
}

fn marked(pool: &Pool) -> Result<Vec<Marked>, ReconcileError> {
    let path = || pool.repository().common_dir.join("worktrees");
    git::marked_admins(pool.repository()).map_err(|source| ReconcileError::Io { path: path(), source })
}

/// Looks at a worktree that is on record.
fn look_at(
    pool: &Pool,
    store: &LocalStore,
    record: &WorktreeRecord,
    admins: &[Marked],
    standing: Standing,
) -> Result<WorktreeSeen, ReconcileError> {
    let (registration, admin, named) = registration_of(pool, record, admins);
    let (disk, found) = disk_of(pool, record, admin.as_deref(), named.as_deref());
    let used = use_of(pool, Some(store), record, standing)?;
    Ok(WorktreeSeen {
        id: record.id,
        name: record.name.clone(),
        path: record.path.clone(),
        found,
        admin,
        situation: ReconcileSituation { record: Some(record.state), registration, disk, used },
    })
}

type Marked = (PathBuf, AdminFacts);

type Registered = (RegistrationSeen, Option<PathBuf>, Option<PathBuf>);

/// What git knows of a record, its administrative directory, and the root that this one names.
fn registration_of(pool: &Pool, record: &WorktreeRecord, admins: &[Marked]) -> Registered {
    let Some((admin, facts)) = admins.iter().find(|(_, facts)| facts.worktree_id() == Some(record.id)) else {
        let taken = record.admin.symlink_metadata().is_ok();
        let seen = if taken { RegistrationSeen::Foreign } else { RegistrationSeen::Absent };
        return (seen, None, None);
    };
    let named = facts.gitdir.as_deref().and_then(Path::parent).map(Path::to_owned);
    let seen = if !is_of(pool, admin, facts) {
        RegistrationSeen::Foreign
    } else if facts.locked.as_ref().is_some_and(|reason| *reason != identity::lock_reason(record)) {
        RegistrationSeen::UserLocked
    } else if named.as_deref() == Some(record.path.as_path()) || (named.is_none() && is_leaving(record)) {
        RegistrationSeen::Ours
    } else {
        RegistrationSeen::OtherPath
    };
    (seen, Some(admin.clone()), named)
}

/// On its way out a registration is hidden from other gits.
fn is_leaving(record: &WorktreeRecord) -> bool {
    matches!(record.state, WorktreeState::Releasing | WorktreeState::Removing)
}

fn is_of(pool: &Pool, admin: &Path, facts: &AdminFacts) -> bool {
    let common = &pool.repository().common_dir;
    facts.commondir.as_ref().is_some_and(|found| same_path(&admin.join(found), common))
}

/// How a directory leads to a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Whole,
    /// There is none, or it leads to where nothing is.
    Broken,
    /// It leads somewhere else.
    Elsewhere,
}

/// `admin` is where the registration is, or was.
fn link_of(root: &Path, admin: &Path) -> Link {
    match git::dot_git_of(root) {
        Ok(Some(target)) if same_path(&target, admin) => Link::Whole,
        Ok(Some(target)) if is_dangling(&target, admin) => Link::Broken,
        Ok(None) => Link::Broken,
        Ok(Some(_)) | Err(_) => Link::Elsewhere,
    }
}

/// A registration of the same name in a repository that is no longer where it was.
fn is_dangling(target: &Path, admin: &Path) -> bool {
    let below_registry = target.parent().and_then(Path::file_name) == Some("worktrees".as_ref());
    let absent = target.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    below_registry && absent && target.file_name() == admin.file_name()
}

fn disk_of(
    pool: &Pool,
    record: &WorktreeRecord,
    admin: Option<&Path>,
    named: Option<&Path>,
) -> (DiskSeen, Option<PathBuf>) {
    let expected = admin.unwrap_or(&record.admin);
    if overlay::is_overlaid(record) {
        return overlay_of(record, expected);
    }
    let is_it = |path: &Path| {
        let found = files::directory_identity(path).ok().flatten();
        found.is_some() && found == record.identity
    };
    let found = [record.path.as_path()].into_iter().chain(named).find(|path| is_it(path));
    let found = found.map(Path::to_owned).or_else(|| {
        record.identity.as_ref()?;
        nearby(pool, &record.name, &record.path).into_iter().find(|path| is_it(path))
    });
    match found {
        Some(found) => match link_of(&found, expected) {
            Link::Elsewhere => (DiskSeen::Other, Some(found)),
            Link::Whole if found == record.path => (DiskSeen::Ours, Some(found)),
            Link::Whole | Link::Broken => (DiskSeen::Displaced, Some(found)),
        },
        None => (absence(record, admin), None),
    }
}

/// What is known of an overlay by its layer; one whose link is broken is not mended from here.
fn overlay_of(record: &WorktreeRecord, expected: &Path) -> (DiskSeen, Option<PathBuf>) {
    let own = overlay::own_root(record);
    let found = files::directory_identity(&own).ok().flatten();
    let ours = found.is_some() && (found == record.identity || record.identity.is_none());
    match link_of(&own, expected) {
        Link::Whole if ours => (DiskSeen::Ours, Some(record.path.clone())),
        // Nobody was given what has no link yet; its layer is known by the id in its name.
        _ if record.state == WorktreeState::Creating => (DiskSeen::Absent, None),
        _ => (DiskSeen::OutOfSight, None),
    }
}

/// Nothing of ours was found: something else lies there, nothing does, or one cannot look.
fn absence(record: &WorktreeRecord, admin: Option<&Path>) -> DiskSeen {
    // It was made before it was registered, and nothing of ours removes the directory around it.
    let around_is_gone = || record.path.parent().is_some_and(|parent| parent.symlink_metadata().is_err());
    match record.path.symlink_metadata() {
        Ok(_) => DiskSeen::Other,
        Err(error) if error.kind() != io::ErrorKind::NotFound => DiskSeen::OutOfSight,
        // Without an identity one cannot tell a directory that is gone from one that is not mounted.
        Err(_) if record.identity.is_none() && record.state != WorktreeState::Creating => {
            DiskSeen::OutOfSight
        }
        Err(_) if record.identity.is_none() && admin.is_some() && around_is_gone() => DiskSeen::OutOfSight,
        Err(_) => match identity::absence(record) {
            Ok(Presence::Absent) => DiskSeen::Absent,
            Ok(_) | Err(_) => DiskSeen::OutOfSight,
        },
    }
}

/// Where a directory may have been moved to: where it would be made now, and beside both places.
fn nearby(pool: &Pool, name: &WorktreeName, path: &Path) -> Vec<PathBuf> {
    let place = place::place_of(pool, name).path;
    let mut around: Vec<&Path> =
        [place.as_path(), path, pool.root()].iter().filter_map(|path| path.parent()).collect();
    around.dedup();
    let mut all = vec![place.clone()];
    for directory in around {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        all.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    all
}

pub(in crate::ops) fn use_of(
    pool: &Pool,
    store: Option<&LocalStore>,
    record: &WorktreeRecord,
    standing: Standing,
) -> Result<UseSeen, ReconcileError> {
    if standing == Standing::Outside && is_locked(pool, record.id)? {
        return Ok(UseSeen::Working);
    }
    let Some(store) = store.filter(|_| record.state == WorktreeState::Leased) else {
        return Ok(UseSeen::Free);
    };
    let Some(lease) = store.live_lease_of(record.id)? else { return Ok(UseSeen::Free) };
    Ok(match liveness::fate_of(pool, store, record, &lease, standing)? {
        LeaseFate::Lives | LeaseFate::Deferred => UseSeen::Leased,
        LeaseFate::Abandoned | LeaseFate::Ended => UseSeen::Free,
    })
}

fn is_locked(pool: &Pool, id: WorktreeId) -> Result<bool, ReconcileError> {
    let state = process::is_free(&pool.worktree_lock_path(&id)).map_err(StateError::from)?;
    Ok(state == LockState::Held)
}

/// Looks at a registration with our mark that has no record, or whose record ended.
fn look_at_lost(
    pool: &Pool,
    store: Option<&LocalStore>,
    id: WorktreeId,
    admin: &Path,
    facts: &AdminFacts,
    standing: Standing,
) -> Result<Option<WorktreeSeen>, ReconcileError> {
    let record = store.map_or(Ok(None), |store| store.worktree(id))?.map(|record| record.state);
    let named = name_in(facts, id);
    let Some(name) = named.clone().or_else(|| admin.file_name()?.to_str()?.parse().ok()) else {
        return Ok(None);
    };
    // Without one it was hidden on its way out, or somebody deleted it.
    let named_path = facts.gitdir.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = named_path.unwrap_or_else(|| place::place_of(pool, &name).path);
    let registration = match (is_of(pool, admin, facts), &facts.locked) {
        (false, _) => RegistrationSeen::Foreign,
        (true, Some(_)) if named.is_none() => RegistrationSeen::UserLocked,
        (true, _) => RegistrationSeen::Ours,
    };
    let (disk, found) = lost_disk(pool, &name, &path, admin);
    let working = standing == Standing::Outside && is_locked(pool, id)?;
    let used = if working { UseSeen::Working } else { UseSeen::Free };
    Ok(Some(WorktreeSeen {
        id,
        name,
        path,
        found,
        admin: Some(admin.to_owned()),
        situation: ReconcileSituation { record, registration, disk, used },
    }))
}

/// The name in our lock reason; `None` when somebody else locked it, or nobody did.
fn name_in(facts: &AdminFacts, id: WorktreeId) -> Option<WorktreeName> {
    let reason = facts.locked.as_ref()?.to_str().ok()?;
    let name = reason.strip_prefix("windrow worktree ")?.strip_suffix(&format!(" ({id})"))?;
    name.parse().ok()
}

/// Without a record, only the links tell whose a directory is.
fn lost_disk(pool: &Pool, name: &WorktreeName, path: &Path, admin: &Path) -> (DiskSeen, Option<PathBuf>) {
    let there = path.symlink_metadata();
    if there.is_ok() {
        let leads = git::dot_git_of(path).ok().flatten().is_some();
        return match link_of(path, admin) {
            Link::Whole => (DiskSeen::Ours, Some(path.to_owned())),
            Link::Broken if leads => (DiskSeen::Displaced, Some(path.to_owned())),
            Link::Broken | Link::Elsewhere => (DiskSeen::Other, None),
        };
    }
    let leads = |root: &PathBuf| {
        git::dot_git_of(root).ok().flatten().is_some() && link_of(root, admin) != Link::Elsewhere
    };
    match nearby(pool, name, path).into_iter().find(leads) {
        Some(found) => (DiskSeen::Displaced, Some(found)),
        None if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => (DiskSeen::Absent, None),
        None => (DiskSeen::OutOfSight, None),
    }
}

/// Rescues without a record, when the records are to be made anew, and those whose archive is elsewhere than recorded.
fn rescues(
    pool: &Pool,
    store: Option<&LocalStore>,
    records: &RecordsSeen,
) -> Result<(Vec<RescueId>, Vec<RescueId>), ReconcileError> {
    if let (RecordsSeen::Whole, Some(store)) = (records, store) {
        let moved = store.rescues()?.into_iter().filter(|rescue| {
            let Some(archive) = &rescue.archive else { return false };
            let here = archive.file_name().map(|name| pool.rescues().join(name));
            !archive.exists() && here.is_some_and(|here| here.exists())
        });
        return Ok((Vec::new(), moved.map(|rescue| rescue.id).collect()));
    }
    let refs = git::list_refs(&pool.git, pool.repository(), "refs/windrow/rescue/")?;
    let id = |name: &bstr::BString| name.strip_prefix(b"refs/windrow/rescue/")?.to_str().ok()?.parse().ok();
    Ok((refs.iter().filter_map(|(name, _)| id(name)).collect(), Vec::new()))
}
