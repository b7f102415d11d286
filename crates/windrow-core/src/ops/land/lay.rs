//! Laying a merge out in a checkout without a commit: files and index change, no ref does.
//!
//! # Crash safety
//! The room of such a landing has a directory `git` with the files that tell git what is in progress. Until the index is published
//! everything goes back as for any landing; after it, and that is the moment at which the new index has left the room, those files
//! follow it. The index stays locked until they have.

use std::{
    collections::BTreeMap,
    fs, io,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

use bstr::{BStr, BString, ByteSlice};
use windrow_model::{
    EntryMode, FileStat, IndexEntry, IndexFlags, LandStrategy, LandingEvent, LandingId, LandingRecord,
    LandingState, Oid, WorktreeRecord, WorktreeState,
};

use super::{
    apply::{self, Room, Work, io_error},
    error::LandError,
    outcome::{ConflictReport, Overlap, OverlapKind},
    place::{self, Place},
    plan::Plan,
    recover, refs,
    source::Source,
    swap,
};
use crate::{
    fs::Swap,
    git::{self, Author, ConflictStage, IndexLock, MergeRequest, Merged, NewCommit, Objects},
    ops::{overlay, pool::Pool},
    store::LocalStore,
};

/// What is laid out.
struct Layout<'a> {
    pool: &'a Pool,
    place: &'a Place,
    /// What does not merge.
    stages: &'a [ConflictStage],
    /// Names and contents of the files that tell git what is in progress.
    progress: Vec<(&'static str, Vec<u8>)>,
}

/// Leaves what would land staged in the target's checkout, in which nothing else may be staged. `landing` says what is made of what.
pub(super) fn stage(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
    place: &Place,
) -> Result<(), LandError> {
    let (git, repo) = (&pool.git, pool.repository());
    let commits = git::commits_between(git, repo, &landing.before, &landing.candidate)?;
    let made = commits.into_iter().find(|commit| commit.oid == landing.candidate);
    let message = made.map(|commit| [commit.message.as_slice(), b"\n"].concat()).unwrap_or_default();
    let progress = match landing.strategy {
        LandStrategy::Merge => merging(&landing.source, message),
        _ => vec![("SQUASH_MSG", message)],
    };
    refuse_staged(pool, place, &landing.before)?;
    Layout { pool, place, stages: &[], progress }.lay_out(store, landing)
}

fn merging(with: &Oid, message: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("MERGE_MSG", message),
        ("MERGE_MODE", b"no-ff".to_vec()),
        ("MERGE_HEAD", format!("{with}\n").into_bytes()),
    ]
}

/// What is staged already would go into the commit.
fn refuse_staged(pool: &Pool, place: &Place, head: &Oid) -> Result<(), LandError> {
    let entries = git::read_index(&place.admin.join("index"), pool.repository().object_format)?;
    let mut differing: BTreeMap<BString, (EntryMode, Oid)> = BTreeMap::new();
    let mut toggle = |path: BString, content| {
        if differing.get(&path) == Some(&content) {
            differing.remove(&path);
        } else {
            differing.insert(path, content);
        }
    };
    for entry in Objects::open(pool.repository()).tree_entries(head)? {
        toggle(entry.path, (entry.mode, entry.oid));
    }
    for entry in entries.into_iter().filter(|entry| !entry.flags.intent_to_add) {
        toggle(entry.path, (entry.mode, entry.oid));
    }
    if differing.is_empty() {
        return Ok(());
    }
    let staged = |path| Overlap { path, kind: OverlapKind::Staged };
    Err(LandError::Overlaps { root: place.root.clone(), paths: differing.into_keys().map(staged).collect() })
}

/// The worktree in which a conflict can be resolved: one that somebody has or that is kept.
pub(super) fn resolvable(source: &Source) -> Result<&WorktreeRecord, LandError> {
    let usable = |record: &&WorktreeRecord| {
        matches!(record.state, WorktreeState::Leased | WorktreeState::Kept)
            && source.branch.is_some()
            && record.path.is_dir()
            && overlay::is_shown(record)
    };
    source.record.as_ref().filter(usable).ok_or(LandError::NotInAWorktree)
}

/// Leaves the merge of the target into the work in progress in its worktree; tells where.
pub(super) fn prepare(
    pool: &Pool,
    store: &mut LocalStore,
    source: &Source,
    report: &ConflictReport,
) -> Result<PathBuf, LandError> {
    let record = resolvable(source)?;
    let place = Place { root: record.path.clone(), admin: record.admin.clone() };
    let _lock = match pool.lock_worktree(&record.id)? {
        // Its supervisor has it, and is not about to end it as long as the command runs.
        None if record.state == WorktreeState::Leased => None,
        None => return Err(occupied(&place, "it is being given back".to_owned())),
        taken => taken,
    };
    let now = store.worktree(record.id)?.map(|now| now.state);
    if now != Some(record.state) {
        return Err(occupied(&place, "it is being given back".to_owned()));
    }
    let id = LandingId::new(uuid::Uuid::now_v7());
    let room = Room::of(pool, id);
    room.make(pool)?;
    let laid = merge_into(pool, store, (id, source, report), &place);
    if laid.is_err() {
        // What is over by now; a landing that is not needs its room.
        if store.landing(id)?.is_none_or(|landing| landing.state.is_over()) {
            room.clear().map_err(|source| io_error(&room.0, source))?;
        }
    }
    laid.map(|()| place.root)
}

fn merge_into(
    pool: &Pool,
    store: &mut LocalStore,
    (id, source, report): (LandingId, &Source, &ConflictReport),
    place: &Place,
) -> Result<(), LandError> {
    let (git, repo, room) = (&pool.git, pool.repository(), Room::of(pool, id));
    let (tip, target) = (&source.tip, &report.target_oid);
    let request = MergeRequest { target: tip, source: target, base: None, room: &room.0 };
    let (tree, stages) = match git::merge_trees(git, repo, &request)? {
        Merged::Clean(tree) => (tree, Vec::new()),
        Merged::Conflict(conflicts) => (conflicts.tree, conflicts.stages),
    };
    let author = Author { name: "Windrow".into(), mail: "windrow@localhost".into(), date: "0 +0000".into() };
    let parents = [*tip, *target];
    let new = NewCommit { tree: &tree, parents: &parents, author: Some(&author), message: b"Being merged" };
    let landing = LandingRecord {
        id,
        key: None,
        state: LandingState::Candidate,
        strategy: report.strategy,
        target: report.target.clone(),
        source: *tip,
        branch: source.branch.clone(),
        worktree: source.worktree.clone(),
        before: *tip,
        candidate: git::write_commit_at(git, repo, &new)?,
        place: Some((place.root.clone(), place.admin.clone())),
        created_at: Pool::now(),
        ended_at: None,
        detail: String::new(),
    };
    let into = source.branch.as_ref().map(|branch| format!(" into {branch}")).unwrap_or_default();
    let message = format!("Merge branch '{}'{into}\n", report.target);
    let progress = merging(target, message.into_bytes());
    Layout { pool, place, stages: &stages, progress }.lay_out(store, &landing)
}

fn occupied(place: &Place, why: String) -> LandError {
    LandError::Occupied { root: place.root.clone(), why }
}

impl Layout<'_> {
    /// Does it, or leaves everything as it was. The room is there, and empty but for what merging left.
    fn lay_out(&self, store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
        store.transaction(|tx| tx.insert_landing(landing))?;
        let kept = refs::keep(self.pool, landing.id, &landing.candidate).map_err(LandError::from);
        match kept.and_then(|()| self.carry_out(store, landing)) {
            Ok(()) => Ok(()),
            Err(error) => super::go::settle(self.pool, store, landing, error),
        }
    }

    fn carry_out(&self, store: &mut LocalStore, landing: &LandingRecord) -> Result<(), LandError> {
        let Self { pool, place, .. } = self;
        let room = Room::of(pool, landing.id);
        let files = Swap::open(&place.root, &room.0).map_err(|source| io_error(&room.0, source))?;
        apply::advance(store, landing, &[LandingEvent::Locked])?;
        let lock = apply::take_lock(place, landing.id, &room)?;
        self.look_again(landing)?;
        let work = Work { pool, landing, place, room: &room, files: &files };
        let (plan, entries) = work.prepare()?;
        write_progress(&room, &self.progress).map_err(|source| io_error(&room.0, source))?;
        apply::sync(&room.0)?;
        apply::advance(store, landing, &[LandingEvent::Staged, LandingEvent::ApplyBegan])?;
        // From here on only an index that agrees with the files may be unlocked.
        let lock = ManuallyDrop::new(lock);
        swap::carry_out(&plan, &files, pool.repository().object_format)
            .map_err(|error| work.not_swapped(error))?;
        self.publish((&plan, &files, &entries), &lock, &room)?;
        apply::follow_index_guard(pool, store, place, &entries);
        finish(pool, store, landing, ManuallyDrop::into_inner(lock))
    }

    /// HEAD is where it was, and nothing has begun meanwhile.
    fn look_again(&self, landing: &LandingRecord) -> Result<(), LandError> {
        let Self { pool, place, .. } = self;
        let head = pool.repository().head(&pool.git, &place.admin)?;
        if head.oid != Some(landing.before) {
            return Err(LandError::Moved { target: landing.target.clone() });
        }
        let progress = git::in_progress(&place.admin)?;
        if progress.operations.is_empty() {
            return Ok(());
        }
        Err(occupied(place, format!("it is in the middle of {}", place::in_words(&progress.operations))))
    }

    fn publish(
        &self,
        (plan, files, before): (&Plan, &Swap, &[IndexEntry]),
        lock: &IndexLock,
        room: &Room,
    ) -> Result<(), LandError> {
        let failed = |source| io_error(&room.0, source);
        let followed = swap::followed(plan, files, before).map_err(failed)?;
        let entries = followed.unwrap_or_else(|| before.to_vec());
        let entries = with_stages(entries, self.stages);
        let time = git::time_to_keep(&self.place.admin.join("index"), before)?;
        git::write_index_aside(&room.index(), self.pool.repository().object_format, &entries, time)?;
        fs::write(room.publishing(), b"").map_err(failed)?;
        lock.publish(&room.index()).map_err(failed)
    }
}

fn remove(path: &Path) -> Result<(), LandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

fn write_progress(room: &Room, progress: &[(&'static str, Vec<u8>)]) -> io::Result<()> {
    fs::create_dir(room.progress())?;
    progress.iter().try_for_each(|(name, content)| fs::write(room.progress().join(name), content))
}

/// The entries with each path in conflict as its stages.
fn with_stages(entries: Vec<IndexEntry>, stages: &[ConflictStage]) -> Vec<IndexEntry> {
    let unmerged: Vec<&BStr> = stages.iter().map(|stage| stage.path.as_bstr()).collect();
    let merged = entries.into_iter().filter(|entry| !unmerged.contains(&entry.path.as_bstr()));
    merged.chain(stages.iter().filter_map(entry_of)).collect()
}

fn entry_of(stage: &ConflictStage) -> Option<IndexEntry> {
    let bits = u32::from_str_radix(&stage.mode, 8).ok()?;
    let modes = [EntryMode::File, EntryMode::Executable, EntryMode::Symlink, EntryMode::Gitlink];
    Some(IndexEntry {
        path: stage.path.clone(),
        mode: modes.into_iter().find(|mode| mode.bits() == bits)?,
        oid: stage.oid,
        stat: FileStat::default(),
        flags: IndexFlags { stage: stage.stage, ..IndexFlags::default() },
    })
}

impl Room {
    /// What tells git what is in progress, until it lies where git looks for it.
    fn progress(&self) -> PathBuf {
        self.0.join("git")
    }

    /// There once the next index is complete.
    fn publishing(&self) -> PathBuf {
        self.0.join("publishing")
    }
}

/// Whether a landing that was interrupted while it was applied had laid everything out; `None` of one that moves its target.
pub(super) fn is_laid_out(room: &Room) -> Result<Option<bool>, LandError> {
    let there = |path: &Path| path.try_exists().map_err(|source| io_error(path, source));
    if !there(&room.progress())? {
        return Ok(None);
    }
    Ok(Some(there(&room.publishing())? && !there(&room.index())?))
}

/// Tells git what is in progress, and lets go of the index; may be repeated.
pub(super) fn finish(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
    lock: IndexLock,
) -> Result<(), LandError> {
    let room = Room::of(pool, landing.id);
    let Some((root, admin)) = &landing.place else { return Ok(()) };
    let listed = fs::read_dir(room.progress()).map_err(|source| io_error(&room.progress(), source))?;
    let mut names: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    // `MERGE_HEAD` is what git goes by, so it comes when its message is there.
    names.sort_by_key(|name| name == "MERGE_HEAD");
    for name in names {
        let to = admin.join(&name);
        fs::rename(room.progress().join(&name), &to).map_err(|source| io_error(&to, source))?;
    }
    apply::sync(root)?;
    apply::sync(&pool.repository().common_dir)?;
    // Without a plan nothing can be taken back any more, however far the rest of this comes.
    remove(&room.plan())?;
    drop(lock);
    recover::abandon(pool, store, landing, (LandingEvent::TakenBack, "laid out without a commit"))
}
