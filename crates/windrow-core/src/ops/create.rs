//! Making a worktree.
//!
//! # Crash safety
//! The record says `creating` before anything else is done. From then until the last transaction nobody has been given the
//! worktree, so any failure and any crash undoes it: [`undo::roll_back`] is called by both, and each of its steps may be repeated.
//! Nothing is synced on this path.
//!
//! # Locking
//! The caller holds the worktree's lock throughout. The repository lock is held only while the branch is made and the
//! administrative directory is published.

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use windrow_model::{
    BranchName, BranchOrigin, Checkout, Oid, SpaceNeed, SpaceShortage, TreeEntry, WorktreeRecord, check_space,
};

use super::{
    carry::{self, Taken},
    error::{CreateError, StateError},
    filling::{Place, Way},
    identity,
    observer::Observer,
    outcome::Seed,
    overlay,
    pool::{Pool, make_new_directory},
    seed, undo,
    warm::spare,
};
use crate::{
    fs::{self, BlobReader, BlobSource, DirectoryError, Protection, Seclusion},
    git::{self, AdminHead, AdminRequest, Expect, Objects, RefChange, RefError, TreeListing},
    store::LocalStore,
};

/// A worktree that is ready, before its record says so.
#[derive(Debug)]
pub(super) struct Built {
    /// The record, with the administrative directory and identity as they came to be.
    pub(super) record: WorktreeRecord,
    /// What was taken along.
    pub(super) taken: Taken,
    /// Build caches that were taken along, or not.
    pub(super) seeds: Vec<Seed>,
}

/// Makes the worktree of a record that is `creating`; undoes everything when that fails.
pub(super) fn build(
    pool: &Pool,
    store: &mut LocalStore,
    record: WorktreeRecord,
    beginning: &Beginning,
    wanted: Wanted,
    observer: &mut dyn Observer,
) -> Result<Built, CreateError> {
    let made = make(pool, record.clone(), beginning, wanted, observer);
    if made.is_err() {
        undo::roll_back(pool, store, &record)?;
    }
    made
}

/// What a worktree is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Nothing: its files are written.
    Nothing,
    /// A spare whose files are at this commit.
    Spare(Oid),
}

/// What to take along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The tree, what the configuration carries, and build caches.
    Everything,
    /// The tree alone.
    TreeOnly,
}

fn make(
    pool: &Pool,
    mut record: WorktreeRecord,
    beginning: &Beginning,
    wanted: Wanted,
    observer: &mut dyn Observer,
) -> Result<Built, CreateError> {
    match beginning {
        Beginning::Spare(held) if spare::bring_to_base(pool, &record, held, observer)? => {
            let index = spare::index(pool, &record.id);
            let root = spare::directory(&record);
            register(pool, &mut record, &Site::of(&root), Some(&index))?;
        }
        Beginning::Spare(_) | Beginning::Nothing => write_anew(pool, &mut record, observer)?,
    }
    let submodules = pool.settings().submodules;
    git::populate_submodules(&pool.git, pool.repository(), &record.admin, &record.path, submodules)?;
    let taken = if wanted == Wanted::Everything { carry::carry(pool, &record)? } else { Taken::default() };
    let seeds = if wanted == Wanted::Everything { seed::seed(pool, &record, observer)? } else { Vec::new() };
    let own = overlay::own_root(&record);
    record.identity = fs::directory_identity(&own).map_err(|source| io_error(&own, source))?;
    Ok(Built { record, taken, seeds })
}

fn write_anew(
    pool: &Pool,
    record: &mut WorktreeRecord,
    observer: &mut dyn Observer,
) -> Result<(), CreateError> {
    let root = unnamed(record);
    let way = Way::choose(pool, record, observer);
    refuse_occupied(record)?;
    if let Some(template) = way.shown()
        && overlay::make(pool, record, template, observer)?
    {
        return Ok(());
    }
    if snapshot(pool, record, &way, &root, observer)? {
        return Ok(());
    }
    let objects = Objects::open(pool.repository());
    let tree = objects.listing(&record.base)?;
    check_room(pool, &record.path, &objects, &tree.entries)?;
    make_root(record)?;
    register(pool, record, &Site::of(&root), None)?;
    fill(pool, record, &way, &objects, &tree, observer)
}

/// Takes a snapshot of a template and tells git about it; `false` when the files have to be written.
fn snapshot(
    pool: &Pool,
    record: &mut WorktreeRecord,
    way: &Way,
    root: &Path,
    observer: &mut dyn Observer,
) -> Result<bool, CreateError> {
    let index = spare::index(pool, &record.id);
    if !way.snapshot(pool, record, (root, &index), observer)? {
        return Ok(false);
    }
    register(pool, record, &Site::of(root), Some(&index))?;
    Ok(true)
}

fn io_error(path: &Path, source: io::Error) -> CreateError {
    CreateError::Io { path: path.to_owned(), source }
}

/// Refuses when the tree would not fit. Sizes are looked up only when the disk is short enough for them to matter.
pub(super) fn check_room(
    pool: &Pool,
    path: &Path,
    objects: &Objects,
    entries: &[TreeEntry],
) -> Result<(), CreateError> {
    const USUAL: u64 = 64 << 10;
    let files = entries.len() as u64;
    let generous = SpaceNeed { bytes: files.saturating_mul(USUAL), files };
    let Err(_) = room_for(pool, path, &generous)? else { return Ok(()) };
    let need = SpaceNeed { bytes: objects.sizes(entries)?.iter().sum(), files };
    let Err(_) = room_for(pool, path, &need)? else { return Ok(()) };
    // What is in the trash is only waiting for an idle moment.
    let trash = Pool::trash_beside(path);
    fs::empty_trash(&trash).map_err(StateError::from)?;
    let shortage = room_for(pool, path, &need)?;
    shortage.map_err(|shortage| CreateError::Space { path: path.to_owned(), shortage })
}

fn room_for(pool: &Pool, path: &Path, need: &SpaceNeed) -> Result<Result<(), SpaceShortage>, CreateError> {
    let near = existing_ancestor(path);
    let guard =
        fs::space(near, pool.settings().pool.min_free_bytes).map_err(|source| io_error(near, source))?;
    Ok(check_space(need, &guard))
}

fn existing_ancestor(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path)
}

/// Where a worktree's directory is made before it gets its name.
pub(super) fn unnamed(record: &WorktreeRecord) -> PathBuf {
    record.path.with_file_name(format!(".new-{}", record.id))
}

fn refuse_occupied(record: &WorktreeRecord) -> Result<(), CreateError> {
    if record.path.symlink_metadata().is_ok() {
        return Err(CreateError::Occupied { path: record.path.clone() });
    }
    Ok(())
}

/// Makes the directory under a name that nobody else uses; it gets its own name once its `.git` file proves it ours.
fn make_root(record: &WorktreeRecord) -> Result<(), CreateError> {
    let mode = own_parent(&record.path)?;
    let unnamed = unnamed(record);
    make_new_directory(&unnamed, mode).map_err(|source| io_error(&unnamed, source))
}

/// Makes the directory that holds worktrees; returns the mode for what is made in it.
pub(super) fn own_parent(path: &Path) -> Result<u32, CreateError> {
    let parent = path.parent().unwrap_or(path);
    let above = parent.parent().unwrap_or(parent);
    std::fs::create_dir_all(above).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            DirectoryError::NotADirectory { path: above.to_owned() }.into()
        }
        _ => io_error(above, source),
    })?;
    Ok(match fs::own_dir(parent)? {
        Seclusion::Private => 0o755,
        Seclusion::Shared => 0o700,
    })
}

/// Where the files of a worktree are before they are its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    /// The directory that becomes the worktree's.
    pub(super) root: &'a Path,
    /// Where its `.git` file is written; the same, but for an overlay.
    pub(super) files: &'a Path,
}

impl<'a> Site<'a> {
    fn of(root: &'a Path) -> Self {
        Self { root, files: root }
    }
}

/// Gives the directory its name, unless something else took the place meanwhile.
fn name_root(record: &WorktreeRecord, site: &Site<'_>) -> Result<(), CreateError> {
    git::write_dot_git(site.files, &record.admin).map_err(|source| io_error(site.files, source))?;
    fs::rename_new(site.root, &record.path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => CreateError::Occupied { path: record.path.clone() },
        _ => io_error(&record.path, source),
    })
}

/// Tells git about the worktree: branch and administrative directory appear together, under the repository lock. Its files are
/// at `site` as yet; those of a spare have an index already.
pub(super) fn register(
    pool: &Pool,
    record: &mut WorktreeRecord,
    site: &Site<'_>,
    index: Option<&Path>,
) -> Result<(), CreateError> {
    let unique = record.id.to_string();
    let reason = identity::lock_reason(record);
    let head = match &record.checkout {
        Checkout::Branch { name, .. } => AdminHead::Branch(name),
        Checkout::Detached => AdminHead::Detached,
    };
    let sparse = pool.repository().sparse();
    let request = AdminRequest {
        id: record.name.as_str(),
        unique: &unique,
        worktree: &record.path,
        commit: record.base,
        head,
        lock_reason: &reason,
        identity_token: &unique,
        sparse: sparse.as_ref(),
        now_seconds: record.created_at.as_second(),
    };
    let prepared = git::prepare(&pool.git, pool.repository(), &request)?;
    index.map_or(Ok(()), |index| prepared.take_index(index))?;
    let lock = pool.lock_repository()?;
    make_branch(pool, record)?;
    record.admin = prepared.publish()?;
    let named = name_root(record, site);
    drop(lock);
    named
}

fn make_branch(pool: &Pool, record: &WorktreeRecord) -> Result<(), CreateError> {
    let Checkout::Branch { name, origin } = &record.checkout else { return Ok(()) };
    let failed = |source| CreateError::Branch { branch: name.clone(), source };
    if *origin != BranchOrigin::Created {
        return refuse_moved(pool, record, name).map_err(failed);
    }
    let change = RefChange { name: name.full(), new: Some(record.base), old: Expect::Absent };
    git::update_refs(&pool.git, pool.repository(), &[change], &creation_mark(record)).map_err(failed)
}

/// A branch that was there when the worktree was planned may have been pruned, or moved, since.
fn refuse_moved(pool: &Pool, record: &WorktreeRecord, name: &BranchName) -> Result<(), RefError> {
    let found = git::read_ref(&pool.git, pool.repository(), &name.full())?;
    if found == Some(record.base) {
        return Ok(());
    }
    Err(RefError::Conflict { name: name.full(), expected: Expect::Is(record.base), found })
}

/// The reflog entry by which a branch is known to be ours.
pub(super) fn creation_mark(record: &WorktreeRecord) -> String {
    format!("windrow: created for {} ({})", record.name, record.id)
}

/// Writes the files, in this process where git's own machinery is not needed for filters, sparse patterns or missing objects.
fn fill(
    pool: &Pool,
    record: &WorktreeRecord,
    way: &Way,
    objects: &Objects,
    tree: &TreeListing,
    observer: &mut dyn Observer,
) -> Result<(), CreateError> {
    if let Some(why) = git::needs_git(&pool.git, pool.repository(), objects, &tree.entries)? {
        tracing::debug!(?why, "git checks the files out");
        observer.stage("checking out", None);
        return fill_by_git(pool, record);
    }
    let index = record.admin.join("index");
    let place = Place { root: &record.path, index: &index, protection: Protection::Usual };
    way.write_tree(pool, &place, objects, tree, observer)
}

fn fill_by_git(pool: &Pool, record: &WorktreeRecord) -> Result<(), CreateError> {
    let (git, repository) = (&pool.git, pool.repository());
    git::checkout_by_git(git, repository, &record.admin, &record.path, &record.base)?;
    git::verify_checkout(git, repository, &record.admin, &record.path, &record.base)
        .map_err(CreateError::Unverified)
}

pub(super) fn threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Git objects as the source of file contents.
#[derive(Debug)]
pub(super) struct Source<'o>(pub(super) &'o Objects);

/// One thread's reader.
pub(super) struct Reader(git::ObjectReader);

impl BlobSource for Source<'_> {
    type Reader<'a>
        = Reader
    where
        Self: 'a;

    fn reader(&self) -> io::Result<Reader> {
        Ok(Reader(self.0.reader()?))
    }
}

impl BlobReader for Reader {
    fn read(&mut self, oid: &windrow_model::Oid, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.0.read(oid, buffer)
    }
}
