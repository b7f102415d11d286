//! Undoing the making of a worktree, wherever it stopped.
//!
//! Only what is proven to be this worktree's goes: what bears its id in its name, an administrative directory with its token or its
//! lock, the directory whose `.git` file names that one, what has lost exactly such a proof by a power cut, and a branch whose
//! newest reflog entry is ours and that still is at the base. What a cut may have left of it and nothing proves any more is set
//! aside, in place, so that it is neither removed nor forgotten.
//!
//! # Locking
//! The caller holds the worktree's lock; the repository lock is held while what is there is looked at and taken away.
//!
//! # Crash safety
//! Every step may be repeated. The record says `gone` when nothing of ours is left and a power cut cannot bring it back.

use std::{
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use windrow_model::{
    BranchOrigin, Checkout, LossSeen, ProofSeen, RegistrationProofs, Remains, WorktreeEvent, WorktreeRecord,
    files_remains, registration_remains,
};

use super::{
    create::{creation_mark, unnamed},
    ending,
    error::StateError,
    identity, overlay,
    pool::Pool,
    warm::spare,
};
use crate::{
    fs,
    git::{self, Expect, RefChange},
    process,
    store::LocalStore,
};

/// What became of an unfinished worktree.
#[derive(Debug)]
pub(super) enum Undone {
    /// Nothing is left of it.
    Gone,
    /// It is quarantined, for this reason.
    SetAside(String),
}

/// Undoes a creation, wherever it stopped. Repeating it does no harm.
///
/// What cannot be removed is an error; the record then still says `creating`, and the next command tries again.
pub(super) fn roll_back(
    pool: &Pool,
    store: &mut LocalStore,
    record: &WorktreeRecord,
) -> Result<Undone, StateError> {
    let lock = pool.lock_repository()?;
    discard_named_by_id(pool, record)?;
    let found = Found::look(pool, record)?;
    if let Some(reason) = found.doubt(record) {
        drop(lock);
        let lease = store.live_lease_of(record.id)?;
        ending::set_doubt(store, record, lease.as_ref(), &reason)?;
        return Ok(Undone::SetAside(reason));
    }
    if found.files == Remains::Ours {
        discard_files(record)?;
    }
    for (admin, _) in found.registrations.iter().filter(|(_, whose)| *whose == Remains::Ours) {
        pool.retire_admin(admin).map_err(failed(admin))?;
    }
    discard_branch(pool, record);
    drop(lock);
    ending::sync_removal(pool, record)?;
    let _ = std::fs::remove_file(pool.excludes_path(&record.id));
    store.transaction(|tx| {
        if let Some(lease) = tx.live_lease_of(record.id)? {
            tx.end_lease(lease.id, lease.fence, Pool::now())?;
        }
        tx.advance(record.id, WorktreeEvent::RolledBack, Pool::now(), "creation was undone")
    })?;
    Ok(Undone::Gone)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    |source| StateError::Io { path, source }
}

/// What lies where an unfinished worktree would be, and whose it is.
struct Found {
    files: Remains,
    registrations: Vec<(PathBuf, Remains)>,
    /// The registration that bears the id: `windrow release` knows it again.
    bearing: Option<PathBuf>,
}

impl Found {
    fn look(pool: &Pool, record: &WorktreeRecord) -> Result<Self, StateError> {
        let registry = pool.repository().common_dir.join("worktrees");
        let bearing =
            git::find_admin(pool.repository(), &record.id.to_string()).map_err(failed(&registry))?;
        let mut registrations = vec![(record.admin.clone(), whose_registration(record, &record.admin)?)];
        // Its name may have been taken; this one bears the id.
        let second = registry.join(format!("{}-{}", record.name, record.id));
        let by_name = if is_there(&second)? { Remains::Ours } else { Remains::Nothing };
        registrations.push((second, by_name));
        let elsewhere = |one: &&PathBuf| registrations.iter().all(|(known, _)| known != *one);
        if let Some(other) = bearing.as_ref().filter(elsewhere) {
            registrations.push((other.clone(), Remains::Ours));
        }
        Ok(Self { files: whose_files(record, &registrations)?, registrations, bearing })
    }

    /// Why nothing of it is touched, for people; `None` when everything can be told apart.
    fn doubt(&self, record: &WorktreeRecord) -> Option<String> {
        let files = Some((&record.path, self.files)).into_iter();
        let all: Vec<_> =
            files.chain(self.registrations.iter().map(|(admin, whose)| (admin, *whose))).collect();
        if all.iter().all(|(_, whose)| *whose != Remains::Doubtful) {
            return None;
        }
        let unknown = all.iter().filter(|(path, whose)| {
            matches!(whose, Remains::Ours | Remains::Doubtful) && self.bearing.as_ref() != Some(path)
        });
        let unknown: Vec<_> = unknown.map(|(path, _)| format!("`{}`", path.display())).collect();
        Some(format!(
            "the power went while it was made, and nothing proves any more whose {} is; move that away or remove it, then \
             `windrow release {}` ends it",
            unknown.join(" and "),
            record.name
        ))
    }
}

fn is_there(path: &Path) -> Result<bool, StateError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn whose_registration(record: &WorktreeRecord, admin: &Path) -> Result<Remains, StateError> {
    if !is_there(admin)? {
        return Ok(Remains::Nothing);
    }
    let link = record.path.join(".git");
    let proof = |name: &str, written: &[u8]| {
        let file = admin.join(name);
        git::proof_in(&file, &[written, b"\n"].concat()).map_err(failed(&file))
    };
    Ok(registration_remains(&RegistrationProofs {
        token: proof(git::IDENTITY_FILE, record.id.to_string().as_bytes())?,
        lock: proof("locked", identity::lock_reason(record).as_bytes())?,
        link: proof("gitdir", link.as_os_str().as_bytes())?,
        loss: loss_in(record, admin),
    }))
}

fn whose_files(record: &WorktreeRecord, registrations: &[(PathBuf, Remains)]) -> Result<Remains, StateError> {
    if !is_there(&record.path)? {
        return Ok(Remains::Nothing);
    }
    let file = record.path.join(".git");
    let mut seen = (ProofSeen::Others, Remains::Nothing);
    for (admin, whose) in registrations {
        match git::proof_in(&file, &git::dot_git_text(admin)).map_err(failed(&file))? {
            ProofSeen::Others => {}
            ProofSeen::Ours => return Ok(files_remains(ProofSeen::Ours, *whose, LossSeen::Impossible)),
            proof => seen = (proof, *whose),
        }
    }
    Ok(files_remains(seen.0, seen.1, loss_in(record, &record.path)))
}

/// The kernel dates births by its tick, which is up to ten milliseconds late.
const TICK_NANOS: i128 = 10_000_000;

/// Tells whether a power cut can have taken bytes of a directory of an unfinished worktree.
///
/// Nothing lay there when its making was recorded. A snapshot is as old as what it was taken of.
fn loss_in(record: &WorktreeRecord, directory: &Path) -> LossSeen {
    if !process::boot_id().is_ok_and(|boot| boot != record.boot_id) {
        return LossSeen::Impossible;
    }
    let Ok(Some(found)) = fs::directory_identity(directory) else { return LossSeen::Unlikely };
    let recorded = record.created_at.as_nanosecond() - TICK_NANOS;
    let since = found.born_nanos.is_some_and(|born| i128::from(born) >= recorded);
    if since || record.identity.as_ref() == Some(&found) { LossSeen::Possible } else { LossSeen::Unlikely }
}

/// What bears the worktree's id in its name needs no other proof.
fn discard_named_by_id(pool: &Pool, record: &WorktreeRecord) -> Result<(), StateError> {
    discard_unnamed(record)?;
    spare::discard(pool, record)?;
    overlay::discard(record)?;
    // Git does not know it, so that it harms nobody until it is old enough to be swept.
    if let Some(built) = git::unpublished_admin(pool.repository(), &record.id.to_string())
        && let Err(error) = std::fs::remove_dir_all(&built)
    {
        tracing::warn!(%error, path = %built.display(), "cannot remove an administrative directory");
    }
    Ok(())
}

fn discard_unnamed(record: &WorktreeRecord) -> Result<(), StateError> {
    let unnamed = unnamed(record);
    match fs::remove_tree(&unnamed) {
        Err(error) if !is_absent(&error) => Err(failed(&unnamed)(error)),
        _ => Ok(()),
    }
}

fn discard_files(record: &WorktreeRecord) -> Result<(), StateError> {
    let Err(error) = fs::move_to_trash(&record.path, &Pool::trash_of(record), record.name.as_str()) else {
        return Ok(());
    };
    tracing::debug!(%error, path = %record.path.display(), "cannot move an unfinished worktree away");
    // A full disk has no room for a trash. Under this name it is known as ours even when it is half deleted.
    fs::rename_new(&record.path, &unnamed(record)).map_err(failed(&record.path))?;
    discard_unnamed(record)
}

fn discard_branch(pool: &Pool, record: &WorktreeRecord) {
    let Checkout::Branch { name, origin: BranchOrigin::Created } = &record.checkout else { return };
    let mark = creation_mark(record);
    // An older entry proves nothing: a killed git leaves the reflog of a branch that never came to be.
    let ours = git::last_reflog_message(&pool.git, pool.repository(), &name.full());
    if !ours.is_ok_and(|found| found.is_some_and(|found| found == mark)) {
        return;
    }
    if let Err(error) = git::pack_ref(&pool.git, pool.repository(), &name.full()) {
        tracing::debug!(%error, branch = %name, "a git that lists refs may see the branch go");
    }
    let change = RefChange { name: name.full(), new: None, old: Expect::Is(record.base) };
    if let Err(error) = git::update_refs(&pool.git, pool.repository(), &[change], "windrow: creation undone")
    {
        tracing::warn!(%error, branch = %name, "cannot delete the branch of an unfinished worktree");
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ops::testing;

    fn record(path: &Path, boot_id: &str, created_at: Timestamp) -> WorktreeRecord {
        let usual = testing::record(path, windrow_model::WorktreeState::Creating);
        WorktreeRecord { admin: path.join("admin"), created_at, boot_id: boot_id.to_owned(), ..usual }
    }

    #[test]
    fn h37_only_what_was_made_since_under_another_boot_can_have_lost_bytes() {
        let before = Pool::now();
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        let now = process::boot_id().unwrap();
        assert_eq!(loss_in(&record(path, "another", before), path), LossSeen::Possible);
        assert_eq!(loss_in(&record(path, &now, before), path), LossSeen::Impossible);
        let later = before + jiff::SignedDuration::from_secs(60);
        let mut older = record(path, "another", later);
        assert_eq!(loss_in(&older, path), LossSeen::Unlikely, "it was there before");
        older.identity = fs::directory_identity(path).unwrap();
        assert_eq!(loss_in(&older, path), LossSeen::Possible, "it is the one on record");
    }

    #[test]
    fn h37_a_proof_that_was_emptied_is_none_but_is_no_other_either() {
        let before = Pool::now();
        let place = tempfile::tempdir().unwrap();
        let admin = place.path().join("admin");
        let whose = |dot_git: Option<&[u8]>, boot: &str| {
            let file = place.path().join(".git");
            let _ = std::fs::remove_file(&file);
            dot_git.inspect(|bytes| std::fs::write(&file, bytes).unwrap());
            whose_files(&record(place.path(), boot, before), &[(admin.clone(), Remains::Nothing)]).unwrap()
        };
        assert_eq!(whose(Some(b""), "another"), Remains::Ours);
        assert_eq!(whose(Some(b""), &process::boot_id().unwrap()), Remains::Others, "under this boot");
        assert_eq!(whose(Some(b"gitdir: elsewhere\n"), "another"), Remains::Others, "it says whose it is");
        assert_eq!(whose(None, "another"), Remains::Doubtful, "it never said so");
    }
}
