//! Moving the target, and the checkout with it.
//!
//! # Locking
//! The caller holds the landing lock of the target. For a checkout the index lock is held from the first look to the last write,
//! so that whoever works there can neither stage nor commit meanwhile.
//!
//! # Crash safety
//! Each state is recorded before what it stands for begins. Until the target has moved every file can be taken back; what fails is
//! taken back by the code that takes a dead one back.

use std::{
    io,
    mem::ManuallyDrop,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use windrow_model::{
    EntryMode, IndexEntry, LandingEvent, LandingId, LandingRecord, Oid, Single, TreeEntry, Watched,
};

use super::{
    candidate::Made,
    check::Check,
    error::LandError,
    place::Place,
    plan::{Plan, Way},
    recover,
    refs::{self, ChangeError},
    swap::{self, SwapError},
};
use crate::{
    fs::{self, Directories, Manner, Quiet, Swap},
    git::{self, IndexLock, Objects},
    ops::{create, error::StateError, pool::Pool},
    store::LocalStore,
};

/// How long another git may keep the index of the checkout.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a landing keeps what it needs on the way.
pub(super) struct Room(pub(super) PathBuf);

impl Room {
    pub(super) fn of(pool: &Pool, id: LandingId) -> Self {
        Self(pool.state_dir().join("land").join(id.to_string()))
    }

    /// Makes it.
    pub(super) fn make(&self, pool: &Pool) -> Result<(), StateError> {
        fs::private_dir(&pool.state_dir().join("land"))?;
        Ok(fs::private_dir(&self.0)?)
    }

    /// Removes it with everything in it.
    pub(super) fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.0.join("plan")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
}

/// What the index lock of a landing says.
pub(super) fn lock_text(id: LandingId) -> String {
    format!("windrow landing {id}\n")
}

/// Moves a target that is checked out nowhere.
pub(super) fn nowhere(pool: &Pool, store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
    advance(store, landing, &[LandingEvent::ApplyBegan])?;
    refs::move_target(pool, landing).map_err(|error| not_moved(landing, error))?;
    sync(&pool.repository().common_dir)?;
    recover::record_moved(store, landing)?;
    recover::clean(pool, store, landing)
}

/// Moves a target and its checkout.
///
/// After an error the files may be half swapped and the index locked still; whoever calls settles that.
pub(super) fn somewhere(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &mut LandingRecord,
    place: &Place,
    remake: &mut dyn FnMut(&LocalStore, &Oid) -> Result<Made, LandError>,
) -> Result<(), LandError> {
    let room = Room::of(pool, landing.id);
    let files = Swap::open(&place.root, &room.0).map_err(|source| io_error(&room.0, source))?;
    advance(store, landing, &[LandingEvent::Locked])?;
    let lock = take_lock(place, landing.id, &room)?;
    let tip = place.look_again(pool, &landing.target)?;
    if tip != landing.before {
        follow_target(pool, store, landing, (&tip, remake(store, &tip)?))?;
    }
    let work = Work { pool, landing, place, room: &room, files: &files };
    let (plan, index_before) = work.prepare()?;
    advance(store, landing, &[LandingEvent::Staged, LandingEvent::ApplyBegan])?;
    // From here on only an index that agrees with the files may be unlocked.
    let lock = ManuallyDrop::new(lock);
    let format = pool.repository().object_format;
    swap::carry_out(&plan, &files, format).map_err(|error| work.not_swapped(error))?;
    refs::move_target(pool, landing).map_err(|error| not_moved(landing, error))?;
    swap::follow_index(&plan, &files, &lock, (&place.admin.join("index"), &room.index()), format)?;
    follow_guard(pool, store, landing, place, &index_before);
    sync(&place.root)?;
    sync(&pool.repository().common_dir)?;
    recover::record_moved(store, landing)?;
    drop(ManuallyDrop::into_inner(lock));
    recover::clean(pool, store, landing)
}

/// Makes another commit the one to be landed, because the target moved before its index was ours.
fn follow_target(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &mut LandingRecord,
    (tip, made): (&Oid, Made),
) -> Result<(), LandError> {
    let Made::Commit(candidate) = made else {
        return Err(LandError::Moved { target: landing.target.clone() });
    };
    refs::keep(pool, landing.id, &candidate)?;
    store.transaction(|tx| tx.remake_landing(landing.id, tip, &candidate, Pool::now()))?;
    (landing.before, landing.candidate) = (*tip, candidate);
    Ok(())
}

/// What the applier works with.
pub(super) struct Work<'a> {
    pub(super) pool: &'a Pool,
    pub(super) landing: &'a LandingRecord,
    pub(super) place: &'a Place,
    pub(super) room: &'a Room,
    pub(super) files: &'a Swap,
}

impl Work<'_> {
    /// Looks at everything that will change and lays what comes ready. Nothing of the checkout is changed.
    pub(super) fn prepare(&self) -> Result<(Plan, Vec<IndexEntry>), LandError> {
        let Self { pool, place, .. } = self;
        if pool.repository().sparse().is_some() {
            let why = "it is a sparse checkout".to_owned();
            return Err(LandError::Occupied { root: place.root.clone(), why });
        }
        let entries = git::read_index(&place.admin.join("index"), pool.repository().object_format)?;
        if entries.iter().any(|entry| entry.flags.stage != 0) {
            let why = "its index has conflicts".to_owned();
            return Err(LandError::Occupied { root: place.root.clone(), why });
        }
        let mut plan = self.check(&entries)?;
        self.stage(&mut plan, &entries)?;
        let path = self.room.plan();
        plan.write(&path).map_err(|source| io_error(&path, source))?;
        sync(&self.room.0)?;
        Ok((plan, entries))
    }

    fn check(&self, entries: &[IndexEntry]) -> Result<Plan, LandError> {
        let objects = Objects::open(self.pool.repository());
        let differences = git::tree_differences(&objects, &self.landing.before, &self.landing.candidate)?;
        let root = &self.place.root;
        Check { pool: self.pool, root, swap: self.files, entries, differences: &differences }.plan()
    }

    /// Writes what comes beside the checkout, as git would in it, and notes by what it will be known.
    fn stage(&self, plan: &mut Plan, entries: &[IndexEntry]) -> Result<(), LandError> {
        let comes = |way: Way| matches!(way, Way::Exchange | Way::Put);
        let new: Vec<TreeEntry> = plan
            .steps
            .iter()
            .filter(|step| comes(step.way))
            .filter_map(|step| {
                step.new.map(|new| TreeEntry { path: step.path.clone(), mode: new.mode, oid: new.oid })
            })
            .collect();
        let converts = self.write(&new, entries)?;
        for step in plan.steps.iter_mut().filter(|step| comes(step.way)) {
            let Some(new) = &mut step.new else { continue };
            if new.mode == EntryMode::Gitlink {
                continue;
            }
            let failed = |source| io_error(&self.room.0, source);
            let ready = self.files.ready(&step.path).map_err(failed)?;
            step.inode = ready.stat().map(|stat| stat.ino).ok_or_else(|| {
                failed(io::Error::new(io::ErrorKind::NotFound, format!("`{}` was not written", step.path)))
            })?;
            if converts == Converts::Yes {
                let format = self.pool.repository().object_format;
                new.raw = swap::ready_name(self.files, &step.path, format).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn write(&self, new: &[TreeEntry], entries: &[IndexEntry]) -> Result<Converts, LandError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let objects = Objects::open(repo);
        let to = self.room.0.join("new");
        if git::needs_git(git, repo, &objects, &attributes(new, entries))?.is_none() {
            let one = NonZeroUsize::MIN;
            let manner = Manner { directories: Directories::Any, ..Manner::default() };
            fs::materialise(manner, &to, new, &create::Source(&objects), one, &Quiet)?;
            return Ok(Converts::No);
        }
        for entry in new {
            fs::check_tree_path(entry.path.as_ref(), entry.mode)?;
        }
        git::stage_by_git(git, repo, &self.landing.candidate, new, (&self.room.0.join("staged"), &to))?;
        Ok(Converts::Yes)
    }

    /// Why files were not swapped.
    pub(super) fn not_swapped(&self, error: SwapError) -> LandError {
        match error {
            SwapError::NoExchange => {
                LandError::NoExchange { root: self.place.root.clone(), room: self.room.0.clone() }
            }
            SwapError::Changed(path) => LandError::Overlaps {
                root: self.place.root.clone(),
                paths: vec![super::Overlap { path, kind: super::OverlapKind::Changed }],
            },
            SwapError::Io(path, source) => {
                io_error(&self.place.root.join(bstr::ByteSlice::to_path_lossy(path.as_slice())), source)
            }
        }
    }
}

/// Whether bytes in a checkout are others than in git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Converts {
    Yes,
    No,
}

/// What says how files are to be converted: the attributes that the index knows, and those that come.
fn attributes(new: &[TreeEntry], entries: &[IndexEntry]) -> Vec<TreeEntry> {
    let named = |path: &bstr::BString| path.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes");
    let there = entries.iter().filter(|entry| named(&entry.path) && entry.mode != EntryMode::Gitlink);
    let there = there.map(|entry| TreeEntry { path: entry.path.clone(), mode: entry.mode, oid: entry.oid });
    there.chain(new.iter().filter(|entry| named(&entry.path)).cloned()).collect()
}

/// Takes the index lock, waiting for the user's git, which holds it for moments.
pub(super) fn take_lock(place: &Place, id: LandingId, room: &Room) -> Result<IndexLock, LandError> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(2);
    loop {
        let taken = IndexLock::take(&place.admin, &room.lock(), &lock_text(id));
        if let Some(lock) = taken.map_err(|source| io_error(&place.admin.join("index.lock"), source))? {
            return Ok(lock);
        }
        if Instant::now() >= until {
            return Err(LandError::IndexLocked(place.admin.join("index.lock")));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Why the target did not move.
fn not_moved(landing: &LandingRecord, error: ChangeError) -> LandError {
    match error {
        ChangeError::Ref(error) if error.moved() => LandError::Moved { target: landing.target.clone() },
        error => error.into(),
    }
}

/// What a landing changed is no drift to those who hold a worktree meanwhile.
fn follow_guard(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
    place: &Place,
    before: &[IndexEntry],
) {
    if place.admin != pool.repository().common_dir {
        return;
    }
    let commits = (landing.before.to_string(), landing.candidate.to_string());
    let commit = (commits.0.as_bytes(), commits.1.as_bytes());
    let single = Single::MainCommit.as_str().as_bytes();
    if let Err(error) = store.transaction(|tx| tx.follow_fingerprints(Watched::Single, single, commit)) {
        tracing::debug!(%error, "what landed will be told as drift");
    }
    follow_index_guard(pool, store, place, before);
}

/// The same of the index alone.
pub(super) fn follow_index_guard(pool: &Pool, store: &mut LocalStore, place: &Place, before: &[IndexEntry]) {
    if place.admin != pool.repository().common_dir {
        return;
    }
    let after = git::read_index(&place.admin.join("index"), pool.repository().object_format);
    let Ok(after) = after else { return };
    let (from, to) = (git::index_hash(before), git::index_hash(&after));
    let hashes = (from.as_bytes(), to.as_bytes());
    if let Err(error) = store.transaction(|tx| tx.follow_fingerprints(Watched::Index, b"", hashes)) {
        tracing::debug!(%error, "what is staged now will be told as drift");
    }
}

pub(super) fn advance(
    store: &mut LocalStore,
    landing: &LandingRecord,
    events: &[LandingEvent],
) -> Result<(), LandError> {
    store.transaction(|tx| tx.advance_landing(landing.id, events, Pool::now(), ""))?;
    Ok(())
}

pub(super) fn sync(path: &Path) -> Result<(), LandError> {
    fs::sync_filesystem(path).map_err(|source| io_error(path, source))
}

pub(super) fn io_error(path: &Path, source: io::Error) -> LandError {
    LandError::Io { path: path.to_owned(), source }
}
