//! Carrying the end of a worktree through: prove whose it is, save what it holds, remove it, record it.
//!
//! # Locking
//! The caller holds the worktree's lock. The repository lock is held while the path leaves, and again while branch and
//! administrative directory do; not in between, while the files are looked at once more.
//!
//! # Crash safety
//! `releasing` and `removing` roll forward: [`finish`] starts from either and repeats what may have been done. A worktree whose
//! identity or rescue cannot be proven is quarantined, in place, with the reason.

use std::path::PathBuf;

use windrow_model::{
    BranchDisposal, BranchName, Checkout, LeaseRecord, Oid, WorktreeEvent, WorktreeRecord, WorktreeState,
    branch_disposal,
};

use super::{
    error::{ReleaseError, StateError, chain},
    identity::{self, Identity},
    land, last_look, leaving,
    outcome::{BranchFate, Released, WorkSummary, WorktreeFate},
    overlay,
    pool::Pool,
    push, ref_locks,
    request::WorkPolicy,
    rescue,
    saved::{Look, Progress, Saved},
    scratch, warm,
};
use crate::{
    fs,
    git::{self, Expect, RefChange},
    store::{LocalStore, StoreError},
};

mod save;

pub(super) use save::save_shown;

/// Whether somebody waits for the end of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Whoever asked for it: the files may leave their place while they are looked at.
    Awaited,
    /// Nobody: whoever watches the path sees it go only once everything is saved.
    Unawaited,
}

/// A worktree that ends, and how.
struct Ending<'a> {
    pool: &'a Pool,
    worktree: &'a WorktreeRecord,
    lease: Option<&'a LeaseRecord>,
    work: WorkPolicy,
    manner: Manner,
}

/// Carries a release through from wherever it stands: saves, removes, records.
pub(super) fn finish(
    pool: &Pool,
    store: &mut LocalStore,
    worktree: WorktreeRecord,
    lease: Option<LeaseRecord>,
    work: WorkPolicy,
    manner: Manner,
) -> Result<Released, ReleaseError> {
    if let Some(lease) = &lease {
        ref_locks::settle_after(pool, &worktree, lease);
    }
    if let Err(reason) = leaving::bring_back(&worktree) {
        return quarantine(store, worktree, lease, reason);
    }
    let ending = Ending { pool, worktree: &worktree, lease: lease.as_ref(), work, manner };
    let stopped = match carry_through(&ending, store) {
        Ok(released) => return Ok(released),
        Err(stopped) => stopped,
    };
    // Whatever stopped it, a worktree that stays is where it was.
    match (stopped, leaving::bring_back(&worktree)) {
        (Stopped::Refused(reason), Ok(())) => quarantine(store, worktree, lease, reason),
        (Stopped::Refused(reason), Err(also)) => {
            quarantine(store, worktree, lease, format!("{reason}, and {also}"))
        }
        (Stopped::Failed(error), _) => Err(*error),
    }
}

/// Why a release is not carried through.
enum Stopped {
    /// Something cannot be proven or saved; the reason, for people.
    Refused(String),
    Failed(Box<ReleaseError>),
}

impl<E: Into<ReleaseError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

fn carry_through(ending: &Ending<'_>, store: &mut LocalStore) -> Result<Released, Stopped> {
    let &Ending { pool, worktree, lease, work, .. } = ending;
    let (rescued, present) = match identity::prove_removable(pool, worktree) {
        Identity::Proven => (Some(ending.save(store)?), Presence::Whole),
        Identity::Gone => (None, Presence::Nothing),
        // What was on its way out was saved before.
        Identity::FilesGone if worktree.state == WorktreeState::Removing => (None, Presence::Registration),
        Identity::FilesGone => (Some(ending.save_without_files(store)?), Presence::Registration),
        Identity::Unregistered if worktree.state == WorktreeState::Removing => (None, Presence::Files),
        Identity::Unregistered => {
            let reason = "git's registration of it is gone, so its commits and index cannot be checked";
            return Err(Stopped::Refused(reason.to_owned()));
        }
        Identity::Doubtful(reason) => return Err(Stopped::Refused(reason)),
    };
    let tip = branch_tip(pool, worktree, rescued.as_ref())?;
    let head = rescued.as_ref().and_then(|rescued| rescued.head);
    let summary =
        head.or(tip).map_or_else(|| Ok(WorkSummary::default()), |tip| summarise(pool, worktree, &tip))?;
    // What is in progress goes back to its branch at the end, even to an empty one.
    let under_way = rescued.as_ref().is_some_and(|saved| saved.progress == Progress::UnderWay);
    let disposable = tip.filter(|_| !(under_way && work == WorkPolicy::Rescue));
    let disposable = disposable.map(|oid| Tip::of(pool, store, worktree, oid));
    hide(pool, worktree, disposable, present).map_err(Stopped::Refused)?;
    prove_rescue(store, worktree, rescued.as_ref())?;
    if let Some(record) = rescued.as_ref().and_then(|rescued| rescued.rescue.as_ref()) {
        rescue::remove_superseded(pool, record);
    }
    let (branch, aside) = match remove(pool, worktree, disposable, present, rescued.as_ref()) {
        Ok(removed) => removed,
        Err(Removal::Refused(reason)) => {
            show_again(worktree);
            return Err(Stopped::Refused(reason));
        }
        Err(Removal::State(error)) => return Err(error.into()),
    };
    let branch = match (branch, &worktree.checkout, tip) {
        (BranchFate::None, Checkout::Branch { name, .. }, Some(tip)) => BranchFate::Stays(name.clone(), tip),
        (branch, ..) => branch,
    };
    let vanished = matches!(present, Presence::Registration | Presence::Nothing)
        && worktree.state != WorktreeState::Removing;
    let fate = if vanished { WorktreeFate::Vanished } else { WorktreeFate::Removed };
    record_gone(pool, store, worktree, lease, &branch)?;
    warm::give_back(pool, store, worktree, aside.as_deref());
    Ok(outcome(worktree.clone(), fate, rescued, summary, branch))
}

/// Where a branch is, and what is known of its commit.
#[derive(Clone, Copy, Debug)]
struct Tip {
    oid: Oid,
    /// It landed, and its target still holds it.
    landed: bool,
}

impl Tip {
    fn of(pool: &Pool, store: &LocalStore, worktree: &WorktreeRecord, oid: Oid) -> Self {
        let landed = land::is_landed(pool, store, worktree, &oid).unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "a branch counts as not landed");
            false
        });
        Self { oid, landed }
    }
}

/// What of a worktree is still to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Whole,
    Files,
    Registration,
    Nothing,
}

fn prove_rescue(
    store: &mut LocalStore,
    worktree: &WorktreeRecord,
    rescued: Option<&Saved>,
) -> Result<(), StateError> {
    let record = rescued.and_then(|rescued| rescued.rescue.as_ref());
    store.transaction(|tx| {
        if let Some(record) = record {
            if tx.rescue(&record.id)?.is_some() {
                tx.delete_rescue(&record.id, Pool::now())?;
            }
            tx.insert_rescue(record)?;
        }
        if worktree.state != WorktreeState::Removing {
            tx.advance(worktree.id, WorktreeEvent::RescueProven, Pool::now(), "")?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Why a removal stopped.
enum Removal {
    Refused(String),
    State(StateError),
}

impl From<StateError> for Removal {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// Hides the registration from other gits, and the file of a branch that will be deleted, so that none is reading it any more
/// when it goes: saving the proof of the rescue takes longer than a git needs for what it has read.
fn hide(pool: &Pool, worktree: &WorktreeRecord, tip: Option<Tip>, present: Presence) -> Result<(), String> {
    let registered = matches!(present, Presence::Whole | Presence::Registration);
    if !registered && doomed_branch(pool, worktree, tip).is_none() {
        return Ok(());
    }
    let _lock = pool.lock_repository().map_err(|error| chain(&error))?;
    pack_doomed(pool, worktree, tip);
    if !registered {
        return Ok(());
    }
    // One that was adopted, or that the user unlocked, would be pruned while it is hidden.
    git::lock_admin(&worktree.admin, &identity::lock_reason(worktree))
        .and_then(|_| git::hide_admin(&worktree.admin))
        .map_err(|error| format!("`{}`: {error}", worktree.admin.display()))
}

/// Packs a branch that will be deleted; the caller holds the repository lock.
fn pack_doomed(pool: &Pool, worktree: &WorktreeRecord, tip: Option<Tip>) {
    if let Some((name, _)) = doomed_branch(pool, worktree, tip)
        && let Err(error) = git::pack_ref(&pool.git, pool.repository(), &name.full())
    {
        tracing::debug!(%error, branch = %name, "a git that lists refs may see the branch go");
    }
}

/// Does so while the files are looked at, because that takes as long as git needs; if they do not leave, no harm is done.
fn pack_early(pool: &Pool, worktree: &WorktreeRecord, branch: Option<&BranchName>, tip: Oid) {
    let is_own = matches!(&worktree.checkout, Checkout::Branch { name, .. } if Some(name) == branch);
    if is_own && let Ok(_lock) = pool.lock_repository() {
        // One that landed is packed when it goes: to find out takes a git.
        pack_doomed(pool, worktree, Some(Tip { oid: tip, landed: false }));
    }
}

fn show_again(worktree: &WorktreeRecord) {
    if worktree.admin.is_dir()
        && let Err(error) = git::show_admin(&worktree.admin, &worktree.path)
    {
        tracing::warn!(%error, admin = %worktree.admin.display(), "git does not list a worktree that stays");
    }
}

/// Moves the files into the trash and takes the branch, by policy, and last the registration away. Tells where the files are when
/// all of them were there.
fn remove(
    pool: &Pool,
    worktree: &WorktreeRecord,
    tip: Option<Tip>,
    present: Presence,
    rescued: Option<&Saved>,
) -> Result<(BranchFate, Option<PathBuf>), Removal> {
    let aside = match (present, rescued.map(|rescued| &rescued.look)) {
        (Presence::Whole | Presence::Files, look) if overlay::is_overlaid(worktree) => {
            set_overlay_aside(pool, worktree, present, look)?;
            None
        }
        (Presence::Whole, Some(Look::Files(seen, tracked))) => {
            let aside = set_aside(pool, worktree)?;
            last_look::prove_untouched(pool, worktree, &aside, tracked, seen).map_err(Removal::Refused)?;
            Some(aside.path().to_owned())
        }
        (Presence::Whole, _) => Some(set_aside(pool, worktree)?.path().to_owned()),
        (Presence::Files, _) => {
            fs::move_to_trash(&worktree.path, &Pool::trash_of(worktree), worktree.name.as_str())
                .map_err(|error| Removal::Refused(chain(&error)))?;
            None
        }
        (Presence::Registration | Presence::Nothing, _) => None,
    };
    let _lock = pool.lock_repository()?;
    let branch = dispose_of_branch(pool, worktree, tip);
    if matches!(present, Presence::Whole | Presence::Registration) {
        // The files have left: what is recorded as being removed is finished by the next command.
        pool.retire_admin(&worktree.admin)
            .map_err(|source| StateError::Io { path: worktree.admin.clone(), source })?;
    }
    sync_removal(pool, worktree)?;
    Ok((branch, aside))
}

/// Moves the layer of an overlay into the trash, if nothing was written into it since it was saved.
fn set_overlay_aside(
    pool: &Pool,
    worktree: &WorktreeRecord,
    present: Presence,
    look: Option<&Look>,
) -> Result<(), Removal> {
    let _lock = pool.lock_repository()?;
    if present == Presence::Whole && identity::prove_removable(pool, worktree) != Identity::Proven {
        return Err(Removal::Refused(CHANGED_IDENTITY.to_owned()));
    }
    let stamp = match look {
        Some(Look::Layer(stamp)) => Some(stamp.as_str()),
        Some(Look::None | Look::Files(..)) | None => None,
    };
    overlay::set_aside(worktree, stamp).map_err(Removal::Refused)
}

const CHANGED_IDENTITY: &str = "it changed its identity while it was being saved";

/// Moves the files into the trash, where they stay until they were looked at once more.
fn set_aside(pool: &Pool, worktree: &WorktreeRecord) -> Result<fs::SetAside, Removal> {
    let _lock = pool.lock_repository()?;
    let Some(place) = leaving::prove(pool, worktree) else {
        return Err(Removal::Refused(CHANGED_IDENTITY.to_owned()));
    };
    fs::set_aside(&place, &Pool::trash_of(worktree), worktree.name.as_str())
        .map_err(|error| Removal::Refused(chain(&error)))
}

/// Makes sure that what is recorded to be gone does not come back with a power cut: what comes before a synced record is on the
/// disk with it on file systems with one journal, but not on btrfs.
pub(super) fn sync_removal(pool: &Pool, worktree: &WorktreeRecord) -> Result<(), StateError> {
    let beside = worktree.path.parent().unwrap_or(&worktree.path);
    let common = pool.repository().common_dir.as_path();
    let registry = worktree.admin.parent().filter(|registry| registry.is_dir()).unwrap_or(common);
    for directory in [beside, registry].into_iter().filter(|directory| directory.is_dir()) {
        fs::sync_directory(directory)
            .map_err(|source| StateError::Io { path: directory.to_owned(), source })?;
    }
    Ok(())
}

/// Where the branch is that this worktree was given; already known when HEAD still is on it.
fn branch_tip(
    pool: &Pool,
    worktree: &WorktreeRecord,
    rescued: Option<&Saved>,
) -> Result<Option<Oid>, git::GitError> {
    match &worktree.checkout {
        Checkout::Branch { name, .. } if rescued.is_some_and(|seen| seen.branch.as_ref() == Some(name)) => {
            Ok(rescued.and_then(|seen| seen.head))
        }
        Checkout::Branch { name, .. } => git::read_ref(&pool.git, pool.repository(), &name.full()),
        Checkout::Detached => Ok(None),
    }
}

/// The branch that this worktree was given, never the one it drifted to, when the policy says that it goes.
fn doomed_branch<'w>(
    pool: &Pool,
    worktree: &'w WorktreeRecord,
    tip: Option<Tip>,
) -> Option<(&'w BranchName, Oid)> {
    let (Checkout::Branch { name, origin }, Some(tip)) = (&worktree.checkout, tip) else { return None };
    let (empty, landed) = (tip.oid == worktree.base, tip.landed);
    let pushed = push::acknowledged::is_pushed(pool, name, &tip.oid);
    let facts = BranchDisposal { origin: *origin, empty, landed, pushed };
    branch_disposal(&facts, pool.settings().branch.delete).then_some((name, tip.oid))
}

/// Deletes the branch that this worktree was given when the policy says so and nobody else has it.
fn dispose_of_branch(pool: &Pool, worktree: &WorktreeRecord, tip: Option<Tip>) -> BranchFate {
    let (Checkout::Branch { name, .. }, Some(known)) = (&worktree.checkout, tip) else {
        return BranchFate::None;
    };
    let tip = known.oid;
    let stays = BranchFate::Stays(name.clone(), tip);
    if doomed_branch(pool, worktree, Some(known)).is_none() {
        return stays;
    }
    if !matches!(pool.repository().branch_in_use(&pool.git, name), Ok(None)) {
        return stays;
    }
    let change = RefChange { name: name.full(), new: None, old: Expect::Is(tip) };
    match git::update_refs(&pool.git, pool.repository(), &[change], "windrow: branch deleted") {
        Ok(()) => BranchFate::Deleted(name.clone(), tip),
        Err(error) => {
            tracing::warn!(%error, branch = %name, "an empty branch stays");
            stays
        }
    }
}

fn record_gone(
    pool: &Pool,
    store: &mut LocalStore,
    worktree: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
    branch: &BranchFate,
) -> Result<(), StateError> {
    let _ = std::fs::remove_file(pool.excludes_path(&worktree.id));
    let _ = std::fs::remove_file(pool.occupancy_path(&worktree.id));
    scratch::clear(pool, &worktree.id);
    let detail = match branch {
        BranchFate::Deleted(name, _) => format!("with its empty branch {name}"),
        BranchFate::None | BranchFate::Stays(..) => String::new(),
    };
    store.transaction(|tx| {
        if let Some(lease) = lease {
            tx.end_lease(lease.id, lease.fence, Pool::now())?;
        }
        tx.advance(worktree.id, WorktreeEvent::Removed, Pool::now(), &detail)?;
        Ok(())
    })?;
    Ok(())
}

/// Leaves a worktree in place, with the reason, and ends its lease.
pub(super) fn quarantine(
    store: &mut LocalStore,
    mut worktree: WorktreeRecord,
    lease: Option<LeaseRecord>,
    reason: String,
) -> Result<Released, ReleaseError> {
    set_doubt(store, &worktree, lease.as_ref(), &reason)?;
    worktree.state = WorktreeState::Quarantined;
    worktree.doubt = Some(reason.clone());
    Ok(Released {
        worktree,
        fate: WorktreeFate::Quarantined(reason),
        work: WorkSummary::default(),
        unsaved: 0,
        rescue: None,
        dropped: Vec::new(),
        branch: BranchFate::None,
        drift: Vec::new(),
        meanwhile: Vec::new(),
    })
}

/// Records that a worktree is left in place, with the reason, and that its lease is over.
pub(super) fn set_doubt(
    store: &mut LocalStore,
    worktree: &WorktreeRecord,
    lease: Option<&LeaseRecord>,
    reason: &str,
) -> Result<(), StateError> {
    let set_aside = store.transaction(|tx| {
        tx.set_doubt(worktree.id, Some(reason))?;
        tx.advance(worktree.id, WorktreeEvent::Doubted, Pool::now(), reason)?;
        match lease {
            Some(lease) => tx.end_lease(lease.id, lease.fence, Pool::now()),
            None => Ok(()),
        }
    });
    Ok(set_aside.map_err(|error: StoreError| error)?)
}

fn outcome(
    mut worktree: WorktreeRecord,
    fate: WorktreeFate,
    rescued: Option<Saved>,
    work: WorkSummary,
    branch: BranchFate,
) -> Released {
    worktree.state = WorktreeState::Gone;
    let (unsaved, dropped, rescue) = match rescued {
        Some(saved) => (saved.unsaved, saved.dropped, saved.rescue),
        None => (0, Vec::new(), None),
    };
    let (drift, meanwhile) = (Vec::new(), Vec::new());
    Released { worktree, fate, work, unsaved, rescue, dropped, branch, drift, meanwhile }
}

/// The commits between the base and `tip`, counted.
pub(super) fn summarise(
    pool: &Pool,
    worktree: &WorktreeRecord,
    tip: &Oid,
) -> Result<WorkSummary, git::GitError> {
    if *tip == worktree.base {
        return Ok(WorkSummary::default());
    }
    let commits = git::count_commits(&pool.git, pool.repository(), &worktree.base, tip)?;
    let changes = git::changed_files(&pool.git, pool.repository(), &worktree.base, tip)?;
    let sum = |count: fn(&git::ChangedFile) -> Option<u64>| changes.files.iter().filter_map(count).sum();
    Ok(WorkSummary {
        commits,
        files: changes.files.len() as u64,
        added: sum(|file| file.added),
        deleted: sum(|file| file.removed),
    })
}
