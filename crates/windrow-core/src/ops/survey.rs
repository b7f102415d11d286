//! What a worktree holds beyond its branch, found without trusting any setting that git's status obeys.
//!
//! Every file on disk is compared with the index by the stat data that git itself relies on, and by content where that does not
//! decide; so untracked, ignored, assume-unchanged and skip-worktree files all show, whatever the configuration says.

mod clean;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use bstr::{BStr, BString, ByteSlice};
use windrow_model::{
    BranchName, CarriedFile, EntryMode, IndexEntry, Oid, Stamp, TreeEntry, WorktreeRecord, format_bytes,
};

pub(super) use self::clean::{Meanwhile, if_clean};
use super::{
    converted,
    error::RescueError,
    last_look::{self, LastLook},
    outcome::Dropped,
    overlay,
    pool::Pool,
};
use crate::{
    fs::{self, CarriedState, Found, FoundKind, PathKind, Patterns, Tracked, TrackedDirectories},
    git::{self, InProgress, Objects, SubmoduleRisk},
};

/// What a worktree holds.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The commit HEAD is at; `None` on an unborn branch.
    pub(super) head: Option<Oid>,
    /// The branch HEAD is on.
    pub(super) branch: Option<BranchName>,
    /// Tracked paths whose file differs from the index.
    pub(super) changed: Vec<Found>,
    /// Tracked paths without a file.
    pub(super) deleted: Vec<BString>,
    /// Paths that the index does not know and that were not carried unchanged.
    pub(super) extra: Vec<Found>,
    /// Carried files, links and empty directories that are as they were brought.
    pub(super) carried: Vec<Found>,
    /// Directories with a mode that no checkout gives; it is kept if anything else is.
    pub(super) odd: Vec<Found>,
    /// Paths that the index holds otherwise than HEAD's tree.
    pub(super) staged: BTreeSet<BString>,
    /// The index holds unmerged entries.
    pub(super) unmerged: bool,
    /// Directories that can be made again.
    pub(super) dropped: Vec<Dropped>,
    /// Operations in progress, such as a rebase.
    pub(super) operations: InProgress,
    /// Commits that only this worktree remembers.
    pub(super) orphans: Vec<Oid>,
    /// The directories that hold tracked files.
    pub(super) tracked: TrackedDirectories,
    /// What all of it looked like; `None` when there are no files.
    pub(super) seen: Option<LastLook>,
}

impl Survey {
    /// Tells whether everything is on a branch already.
    pub(super) fn is_clean(&self) -> bool {
        self.changed.is_empty()
            && self.deleted.is_empty()
            && self.extra.is_empty()
            && self.staged.is_empty()
            && !self.unmerged
            && self.operations.operations.is_empty()
            && self.orphans.is_empty()
    }

    /// How many paths hold something unsaved.
    pub(super) fn unsaved(&self) -> u64 {
        let paths: BTreeSet<&BStr> = self
            .changed
            .iter()
            .chain(&self.extra)
            .map(|found| found.path.as_bstr())
            .chain(self.deleted.iter().chain(&self.staged).map(|path| path.as_bstr()))
            .collect();
        paths.len() as u64
    }
}

/// Looks at everything in a worktree whose identity is proven.
pub(super) fn survey(
    pool: &Pool,
    record: &WorktreeRecord,
    carried: &[CarriedFile],
) -> Result<Survey, RescueError> {
    if !overlay::is_shown(record) {
        return Err(RescueError::Unseen);
    }
    let repository = pool.repository();
    let head = repository.head(&pool.git, &record.admin)?;
    if carried.is_empty() && head.oid == Some(record.base) && overlay::untouched(pool, record) {
        return survey_untouched(pool, record, head);
    }
    let index = read_index(pool, record)?;
    let disposable = Patterns::new(&pool.settings().rescue.disposable)?;
    let objects = Objects::open(repository);
    let committed = head.oid.map_or_else(|| Ok(Vec::new()), |oid| objects.tree_entries(&oid))?;
    let tracked = tracked_directories(&index.entries, &committed);
    let scan = last_look::scan(pool, &record.path, Tracked::In(&tracked))?;
    let seen = Some(LastLook::at(&record.path, &scan, record)?);
    let mut survey = Survey { head: head.oid, branch: head.branch, tracked, seen, ..Survey::default() };
    survey.dropped =
        scan.dropped.into_iter().map(|dropped| Dropped { path: dropped.path, why: dropped.why }).collect();
    survey.odd = scan.odd;
    let raw = if converted::converts(pool, &index.entries) { Raw::SaysNothing } else { Raw::Decides };
    compare(pool, record, &index, raw, scan.found, &mut survey)?;
    // What waits there for git is refused where it matters; until then all that cannot be compared counts as changed.
    if raw == Raw::SaysNothing && !survey.extra.iter().chain(&survey.changed).any(steers_git) {
        converted::set_unchanged_apart(pool, record, &index.entries, &mut survey.changed);
    }
    set_carried_apart(&record.path, carried, &mut survey)?;
    drop_files(&disposable, &mut survey);
    look_at_registration(pool, record, &committed, &index, &mut survey)?;
    refuse_mounts(&survey)?;
    Ok(survey)
}

/// What there is of a worktree that holds its base and nothing else: an index of just that says nothing, and neither does any file.
fn survey_untouched(pool: &Pool, record: &WorktreeRecord, head: git::Head) -> Result<Survey, RescueError> {
    let operations = git::in_progress(&record.admin)?;
    let orphans = git::orphan_commits(&pool.git, pool.repository(), &record.admin, &[record.base])?;
    Ok(Survey { head: head.oid, branch: head.branch, operations, orphans, ..Survey::default() })
}

/// Looks at what git knows of a worktree whose files are gone.
pub(super) fn survey_registration(pool: &Pool, record: &WorktreeRecord) -> Result<Survey, RescueError> {
    let repository = pool.repository();
    let head = repository.head(&pool.git, &record.admin)?;
    let committed =
        head.oid.map_or_else(|| Ok(Vec::new()), |oid| Objects::open(repository).tree_entries(&oid))?;
    let index = read_index(pool, record)?;
    let mut survey = Survey { head: head.oid, branch: head.branch, ..Survey::default() };
    look_at_registration(pool, record, &committed, &index, &mut survey)?;
    // An index that went with the files says nothing.
    if index.entries.is_empty() {
        survey.staged.clear();
    }
    Ok(survey)
}

fn look_at_registration(
    pool: &Pool,
    record: &WorktreeRecord,
    committed: &[TreeEntry],
    index: &Index,
    survey: &mut Survey,
) -> Result<(), RescueError> {
    survey.unmerged = index.entries.iter().any(|entry| entry.flags.stage != 0 || entry.flags.intent_to_add);
    survey.staged = differs_from_head(committed, &index.entries);
    survey.operations = git::in_progress(&record.admin)?;
    let on_branch = survey.head.filter(|_| survey.branch.is_some());
    let known: Vec<_> = on_branch.into_iter().chain([record.base]).collect();
    survey.orphans = git::orphan_commits(&pool.git, pool.repository(), &record.admin, &known)?;
    Ok(())
}

/// Looks at the files alone, for a worktree whose index or HEAD cannot be read and that nobody wants to keep.
pub(super) fn without_git(pool: &Pool, record: &WorktreeRecord) -> Result<Survey, RescueError> {
    let tracked = TrackedDirectories::default();
    let scan = last_look::scan(pool, &record.path, Tracked::In(&tracked))?;
    let survey = Survey { extra: scan.found, ..Survey::default() };
    refuse_mounts(&survey)?;
    Ok(survey)
}

fn io_error(path: &Path, source: std::io::Error) -> RescueError {
    RescueError::Io { path: path.to_owned(), source }
}

/// The index with the moment it was written, by which entries too young to be trusted are known.
struct Index {
    entries: Vec<IndexEntry>,
    written: Stamp,
}

fn read_index(pool: &Pool, record: &WorktreeRecord) -> Result<Index, RescueError> {
    let written = written_at(&record.admin.join("index"))?;
    Ok(Index { entries: pool.repository().index_of(&pool.git, &record.admin)?, written })
}

/// When an index was written, to be asked before it is read; the beginning of time when there is none.
fn written_at(index: &Path) -> Result<Stamp, RescueError> {
    match index.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Stamp::default()),
        Err(error) => Err(io_error(index, error)),
        Ok(metadata) => Ok(Stamp {
            seconds: metadata.mtime(),
            nanos: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        }),
    }
}

/// Ignored or untracked single files that the user's own patterns call disposable.
fn drop_files(disposable: &Patterns, survey: &mut Survey) {
    let kept = |found: &Found| {
        let plain = matches!(found.kind, FoundKind::File { .. } | FoundKind::Symlink);
        !plain || !disposable.matches(found.path.as_bstr(), PathKind::File)
    };
    let (extra, gone) = std::mem::take(&mut survey.extra).into_iter().partition(kept);
    survey.extra = extra;
    let dropped = |found: Found| Dropped { path: found.path, why: windrow_model::Disposable::Configured };
    survey.dropped.extend(Vec::into_iter(gone).map(dropped));
}

/// Those of HEAD count as well: what was only taken out of the index is no build output.
fn tracked_directories(index: &[IndexEntry], committed: &[TreeEntry]) -> TrackedDirectories {
    let staged = index.iter().map(|entry| entry.path.as_bstr());
    TrackedDirectories::from_files(staged.chain(committed.iter().map(|entry| entry.path.as_bstr())))
}

/// Walks index and disk side by side, both in order of path.
fn compare(
    pool: &Pool,
    record: &WorktreeRecord,
    index: &Index,
    raw: Raw,
    found: Vec<Found>,
    survey: &mut Survey,
) -> Result<(), RescueError> {
    let mut entries = index.entries.iter().peekable();
    for file in found {
        while let Some(missing) = entries.next_if(|entry| entry.path < file.path) {
            note_missing(missing, survey);
        }
        let mut stages = Vec::new();
        while let Some(entry) = entries.next_if(|entry| entry.path == file.path) {
            stages.push(entry);
        }
        match stages.as_slice() {
            [] => survey.extra.push(file),
            [entry] if is_unchanged(pool, &record.path, index, raw, entry, &file)? => {}
            _ => survey.changed.push(file),
        }
    }
    entries.for_each(|missing| note_missing(missing, survey));
    survey.deleted.dedup();
    Ok(())
}

/// A file that is not there was deleted, unless a sparse checkout left it out or it is a submodule that was never populated.
fn note_missing(entry: &IndexEntry, survey: &mut Survey) {
    if !entry.flags.skip_worktree && entry.mode != EntryMode::Gitlink {
        survey.deleted.push(entry.path.clone());
    }
}

/// What it means that the raw content of a file is that of its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raw {
    /// That the file is unchanged.
    Decides,
    /// Nothing: a checkout may convert.
    SaysNothing,
}

fn is_unchanged(
    pool: &Pool,
    root: &Path,
    index: &Index,
    raw: Raw,
    entry: &IndexEntry,
    file: &Found,
) -> Result<bool, RescueError> {
    if !file.kind.is(entry.mode) {
        return Ok(false);
    }
    // What is in a submodule is looked at where it matters, and a conflict is no content.
    if entry.mode == EntryMode::Gitlink || entry.flags.stage != 0 {
        return Ok(entry.mode == EntryMode::Gitlink);
    }
    if entry.is_proven_by(&file.stat, index.written) {
        return Ok(true);
    }
    if raw == Raw::SaysNothing && matches!(file.kind, FoundKind::File { .. }) {
        return Ok(false);
    }
    let path = root.join(std::ffi::OsStr::from_bytes(&file.path));
    let hash =
        git::hash_path(&path, pool.repository().object_format).map_err(|source| io_error(&path, source))?;
    Ok(hash == entry.oid)
}

/// Takes out of the extra paths what was carried and is as it was; what was changed stays in.
fn set_carried_apart(root: &Path, carried: &[CarriedFile], survey: &mut Survey) -> Result<(), RescueError> {
    if carried.is_empty() {
        return Ok(());
    }
    let states = fs::verify_carried(root, carried)?.into_iter();
    let unchanged: BTreeSet<BString> =
        states.filter(|one| one.state == CarriedState::Unchanged).map(|one| one.path).collect();
    let is_extra = |file: &Found| !unchanged.contains(&file.path);
    (survey.extra, survey.carried) = std::mem::take(&mut survey.extra).into_iter().partition(is_extra);
    Ok(())
}

/// Both sides in order of path, the index with one entry for each stage of a conflict.
fn differs_from_head(committed: &[TreeEntry], index: &[IndexEntry]) -> BTreeSet<BString> {
    let mut there = committed.iter().peekable();
    let mut differing = BTreeSet::new();
    for staged in index {
        while let Some(gone) = there.next_if(|entry| entry.path < staged.path) {
            differing.insert(gone.path.clone());
        }
        let same = |entry: &&TreeEntry| (entry.mode, entry.oid) == (staged.mode, staged.oid);
        let entry = there.next_if(|entry| entry.path == staged.path);
        if staged.flags.stage != 0 || !entry.as_ref().is_some_and(same) {
            differing.insert(staged.path.clone());
        }
    }
    differing.extend(there.map(|gone| gone.path.clone()));
    differing
}

/// What is mounted in a worktree belongs to somebody else, whatever the user wants to lose.
fn refuse_mounts(survey: &Survey) -> Result<(), RescueError> {
    let mut all = survey.extra.iter().chain(&survey.changed);
    match all.find(|found| found.kind == FoundKind::Mount) {
        Some(mount) => Err(RescueError::Unsavable(format!("`{}` is a mount point", mount.path))),
        None => Ok(()),
    }
}

/// Names what no snapshot and no archive can hold, or what is more than the limit, so that the worktree stays.
pub(super) fn refuse_unsavable(
    pool: &Pool,
    record: &WorktreeRecord,
    survey: &Survey,
) -> Result<(), RescueError> {
    let foreign = |found: &&Found| found.kind == FoundKind::Repository && !is_self_contained(record, found);
    if let Some(found) = survey.extra.iter().chain(&survey.changed).find(foreign) {
        let reason = "is a worktree or submodule of another repository";
        return Err(RescueError::Unsavable(format!("`{}` {reason}", found.path)));
    }
    if let Some(found) = survey.extra.iter().chain(&survey.changed).find(|found| steers_git(found)) {
        return Err(RescueError::Unsavable(format!("`{}` is not a plain file", found.path)));
    }
    refuse_too_large(survey, pool.settings().rescue.max_bytes)?;
    let submodules = git::unsafe_submodules(&pool.git, pool.repository(), &record.admin, &record.path)?;
    match submodules.first() {
        Some(submodule) => {
            let risks: Vec<_> = submodule.risks.iter().map(|risk| risk_in_words(*risk)).collect();
            Err(RescueError::Unsavable(format!("submodule `{}` has {}", submodule.path, risks.join(" and "))))
        }
        None => Ok(()),
    }
}

/// Git would wait for ever on a pipe where it looks for its own files.
fn steers_git(found: &Found) -> bool {
    let name = found.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    found.kind == FoundKind::Other && [&b".gitignore"[..], b".gitattributes", b".gitmodules"].contains(&name)
}

/// The limit holds for what goes into the object database as well; nested repositories are measured by the archive.
fn refuse_too_large(survey: &Survey, limit: u64) -> Result<(), RescueError> {
    let is_file = |found: &&Found| matches!(found.kind, FoundKind::File { .. });
    let sizes = survey.extra.iter().chain(&survey.changed).filter(is_file).map(|found| found.stat.size);
    let bytes = sizes.fold(0, u64::saturating_add);
    if bytes <= limit {
        return Ok(());
    }
    let (bytes, limit) = (format_bytes(bytes), format_bytes(limit));
    Err(RescueError::Unsavable(format!("it holds {bytes} to save, above the {limit} of `rescue.max_size`")))
}

fn risk_in_words(risk: SubmoduleRisk) -> String {
    match risk {
        SubmoduleRisk::OwnRepository => "a repository of its own".to_owned(),
        SubmoduleRisk::Changes => "uncommitted changes".to_owned(),
        SubmoduleRisk::IgnoredFiles => "ignored files".to_owned(),
        SubmoduleRisk::Unpushed { commits } => format!("{commits} unpushed commits"),
        SubmoduleRisk::Unreadable => "a state that cannot be read".to_owned(),
    }
}

/// A nested repository can be archived whole when its objects lie inside it, and so can what only looks like one.
fn is_self_contained(record: &WorktreeRecord, found: &Found) -> bool {
    let root = record.path.join(std::ffi::OsStr::from_bytes(&found.path));
    let dot_git = root.join(".git");
    if !dot_git.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return leads_nowhere(&root);
    }
    !dot_git.join("objects/info/alternates").exists() && !dot_git.join("worktrees").exists()
}

/// A `.git` that says nothing git understands, such as a test's, or that names a directory that is gone.
fn leads_nowhere(root: &Path) -> bool {
    match git::dot_git_of(root) {
        Ok(Some(target)) => matches!(target.try_exists(), Ok(false)),
        Ok(None) => false,
        Err(error) => error.kind() == std::io::ErrorKind::InvalidData,
    }
}
