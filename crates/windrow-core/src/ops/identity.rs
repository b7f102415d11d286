//! The proof, before anything is removed, that a directory is still the worktree we made.

use std::path::Path;

use windrow_model::{DirectoryIdentity, WorktreeRecord, WorktreeState};

use super::{overlay, pool::Pool};
use crate::{fs, git};

/// What was found where a worktree should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Everything agrees: it is ours.
    Proven,
    /// Nothing is there any more, neither files nor registration.
    Gone,
    /// The files are gone, the registration is there and ours.
    FilesGone,
    /// The files are ours by identity, the registration is gone.
    Unregistered,
    /// Something does not agree; the reason, for people.
    Doubtful(String),
}

/// Compares the record with the directory, its `.git` file, and the administrative directory.
///
/// All of them must agree: id file, file system, inode and birth time of the root, `.git` naming this administrative directory,
/// and that one naming the root and this common directory.
pub(super) fn prove(pool: &Pool, record: &WorktreeRecord) -> Identity {
    prove_at(pool, record, &overlay::own_root(record))
}

fn prove_at(pool: &Pool, record: &WorktreeRecord, root: &Path) -> Identity {
    match (root_state(record, root), registration(pool, record)) {
        (Err(reason), _) | (_, Err(reason)) => Identity::Doubtful(reason),
        (Ok(Presence::Ours), Ok(Presence::Ours)) => Identity::Proven,
        (Ok(Presence::Ours), Ok(_)) => Identity::Unregistered,
        (Ok(Presence::Absent), Ok(Presence::Ours)) => Identity::FilesGone,
        (Ok(Presence::OutOfSight), Ok(Presence::Ours)) => Identity::Doubtful(format!(
            "`{}` cannot be seen from here, because the file system it is on is not there",
            record.path.display()
        )),
        (Ok(Presence::Absent | Presence::OutOfSight), Ok(_)) => Identity::Gone,
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Ours,
    Absent,
    /// Not there, but neither is the file system that it was on: an unmounted disk, or a container that sees only a part.
    OutOfSight,
}

fn root_state(record: &WorktreeRecord, path: &Path) -> Result<Presence, String> {
    let found = fs::directory_identity(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let Some(found) = found else { return absence(record) };
    let recorded = record.identity.as_ref().ok_or("its identity was never recorded")?;
    if found != *recorded {
        return Err(format!("`{}` is another directory than the one that was made", path.display()));
    }
    match git::dot_git_of(path).map_err(|error| format!("`{}/.git`: {error}", path.display()))? {
        Some(admin) if same_path(&admin, &record.admin) => Ok(Presence::Ours),
        Some(admin) => Err(format!("its `.git` names `{}`", admin.display())),
        None => Err("its `.git` file is gone".to_owned()),
    }
}

/// Tells a directory that was removed from one that cannot be seen.
pub(super) fn absence(record: &WorktreeRecord) -> Result<Presence, String> {
    let Some(recorded) = &record.identity else { return Ok(Presence::Absent) };
    let nearest = record.path.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    let nearest = nearest.ok_or_else(|| format!("nothing above `{}` can be read", record.path.display()))?;
    let seen =
        fs::directory_identity(&nearest).map_err(|error| format!("`{}`: {error}", nearest.display()))?;
    let in_sight = seen.is_some_and(|seen| seen.filesystem == recorded.filesystem);
    Ok(if in_sight || was_subvolume_here(record, recorded) { Presence::Absent } else { Presence::OutOfSight })
}

/// Tells whether a worktree was a snapshot in the very directory that is there now. The id of its file system was its own, so what
/// lies around it cannot have the same; but there is a trash that is older than the worktree, as there was one before the first
/// template. Another directory in its place, the one below a mount for instance, would have a younger one or none.
fn was_subvolume_here(record: &WorktreeRecord, recorded: &DirectoryIdentity) -> bool {
    let trash = Pool::trash_of(record);
    let found = fs::directory_identity(&trash).ok().flatten();
    let born = found.filter(|_| fs::may_hold_subvolume(&trash, recorded)).and_then(|found| found.born_nanos);
    born.is_some_and(|born| i128::from(born) < record.created_at.as_nanosecond())
}

fn registration(pool: &Pool, record: &WorktreeRecord) -> Result<Presence, String> {
    let admin = &record.admin;
    if admin.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Presence::Absent);
    }
    let facts = git::admin_facts(admin).map_err(|error| format!("`{}`: {error}", admin.display()))?;
    if facts.identity_token.as_ref().is_none_or(|token| *token != record.id.to_string()) {
        return Err(format!("`{}` does not carry this worktree's id", admin.display()));
    }
    let common = pool.repository().common_dir.as_path();
    if !facts.commondir.is_some_and(|found| same_path(&admin.join(found), common)) {
        return Err(format!("`{}` names another repository", admin.display()));
    }
    match facts.gitdir {
        Some(found) if found == record.path.join(".git") => Ok(Presence::Ours),
        // Hidden on its way out.
        None if matches!(record.state, WorktreeState::Releasing | WorktreeState::Removing) => {
            Ok(Presence::Ours)
        }
        _ => Err(format!("`{}` names another directory", admin.display())),
    }
}

/// Like [`prove`], for a worktree that is to go: one that the user locked may be used but not removed.
pub(super) fn prove_removable(pool: &Pool, record: &WorktreeRecord) -> Identity {
    prove_removable_at(pool, record, &overlay::own_root(record))
}

/// The same of files that stand at `root` for the moment.
pub(super) fn prove_removable_at(pool: &Pool, record: &WorktreeRecord, root: &Path) -> Identity {
    let identity = prove_at(pool, record, root);
    if !matches!(identity, Identity::Proven | Identity::FilesGone) {
        return identity;
    }
    match git::admin_facts(&record.admin).map(|facts| facts.locked) {
        Ok(Some(reason)) if reason != lock_reason(record) => {
            Identity::Doubtful(format!("somebody locked it with `git worktree lock`: `{reason}`"))
        }
        Ok(_) => identity,
        Err(error) => Identity::Doubtful(format!("`{}`: {error}", record.admin.display())),
    }
}

/// What git is told of why the worktree is locked: against `git worktree prune`, and to know a lock of the user's from ours.
pub(super) fn lock_reason(record: &WorktreeRecord) -> String {
    format!("windrow worktree {} ({})", record.name, record.id)
}

/// Compares paths as written and, where both exist, as resolved.
pub(super) fn same_path(left: &Path, right: &Path) -> bool {
    let resolved = || Some(left.canonicalize().ok()? == right.canonicalize().ok()?);
    left == right || resolved() == Some(true)
}
