//! Notes of changes of refs under way, and the lock files that a git leaves which is killed in one.
//!
//! git locks refs by files (`packed-refs.lock`, `reftable/tables.list.lock`, `refs/….lock`) that it removes itself. When it is
//! killed they stay, and no git can change these refs any more, whoever runs it.
//!
//! # Locking
//! A note is locked while the change is under way, by us and by the git we started, which has the note as its standard output.
//! So a note that can be locked is one whose writers are dead.
//!
//! # Crash safety
//! The note is there before git makes its first lock file and goes when git has ended by itself and left none: a git that is
//! refused the removal of its lock leaves it too.

use std::{
    collections::BTreeSet,
    fs::{self, DirEntry, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::OFlags;

use super::repository::Repository;

const PREFIX: &str = "refs-";

/// A change that is under way.
#[derive(Debug)]
pub(super) struct Note {
    file: File,
    path: PathBuf,
}

impl Note {
    /// Notes a change. `None` where there is no place for notes: then what a kill leaves is for people to clear away.
    pub(super) fn begin(repo: &Repository, names: &[&str]) -> Option<Self> {
        let path = notes(repo).join(format!("{PREFIX}{}", uuid::Uuid::now_v7().simple()));
        let written = open(OpenOptions::new().write(true).create_new(true).mode(0o600), &path)
            .and_then(|file| file.lock().map(|()| file))
            .and_then(|mut file| {
                file.write_all(names.join("\n").as_bytes())?;
                Ok(Self { file, path })
            });
        written.inspect_err(|error| tracing::debug!(%error, "a change of refs goes without a note")).ok()
    }

    /// A descriptor that keeps the note locked.
    pub(super) fn held_by(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Tells whether there are locks on these refs that are not older than the note: those of a git that could not remove its
    /// own, or of another one that is at work.
    pub(super) fn finds_locks(&self, repo: &Repository, names: &[&str]) -> bool {
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let found = self.file.metadata().and_then(|facts| ref_locks(repo, &names, born(&facts)?));
        found
            .inspect_err(|error| tracing::debug!(%error, "locks on refs cannot be looked for"))
            .is_ok_and(|locks| !locks.is_empty())
    }

    /// Takes the note back: git has ended by itself and removed its locks.
    pub(super) fn done(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a note stays");
        }
    }
}

/// A change whose git was killed.
#[derive(Debug)]
pub struct AbandonedChange {
    /// Held, so that nobody else takes it for abandoned too.
    _file: File,
    path: PathBuf,
    /// When it began.
    pub since: SystemTime,
    /// The refs it was about.
    pub refs: Vec<String>,
}

impl AbandonedChange {
    /// Forgets it: nothing of it is left.
    ///
    /// # Errors
    /// The note cannot be removed.
    pub fn forget(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Lists the changes whose git was killed; those still under way are not among them.
///
/// # Errors
/// The notes cannot be read.
pub fn abandoned_changes(repo: &Repository) -> io::Result<Vec<AbandonedChange>> {
    let mut found = Vec::new();
    for entry in entries(&notes(repo))? {
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && let Some(change) = abandoned(entry.path())?
        {
            found.push(change);
        }
    }
    Ok(found)
}

fn abandoned(path: PathBuf) -> io::Result<Option<AbandonedChange>> {
    let mut file = match open(OpenOptions::new().read(true), &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    let mut names = String::new();
    file.read_to_string(&mut names)?;
    let since = born(&file.metadata()?)?;
    let refs = names.lines().map(str::to_owned).collect();
    Ok(Some(AbandonedChange { _file: file, path, since, refs }))
}

/// A lock file of git.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefLock {
    /// The file.
    pub path: PathBuf,
    /// When it was made.
    pub born: SystemTime,
    node: (u64, u64),
}

impl RefLock {
    fn at(path: &Path, since: SystemTime) -> io::Result<Option<Self>> {
        let facts = match path.symlink_metadata() {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            facts => facts?,
        };
        let born = born(&facts)?;
        let ours = facts.is_file() && born >= since;
        Ok(ours.then(|| Self { path: path.to_owned(), born, node: (facts.dev(), facts.ino()) }))
    }
}

/// Lists the lock files on these refs, and on the storage of all refs, that were made at or after `since`.
///
/// # Errors
/// A directory cannot be read.
pub fn ref_locks(repo: &Repository, refs: &[String], since: SystemTime) -> io::Result<BTreeSet<RefLock>> {
    let common = &repo.common_dir;
    // The second is no lock, but git makes it anew under the first and fails when it is there.
    let mut paths = vec![common.join("packed-refs.lock"), common.join("packed-refs.new")];
    paths.extend(refs.iter().filter(|name| is_plain(name)).map(|name| common.join(format!("{name}.lock"))));
    let tables = entries(&common.join("reftable"))?.into_iter().map(|entry| entry.path());
    paths.extend(tables.filter(|path| path.extension().is_some_and(|extension| extension == "lock")));
    let mut found = BTreeSet::new();
    for path in paths {
        found.extend(RefLock::at(&path, since)?);
    }
    Ok(found)
}

/// A name that leads nowhere else.
fn is_plain(name: &str) -> bool {
    name.starts_with("refs/") && !name.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn born(facts: &fs::Metadata) -> io::Result<SystemTime> {
    facts.created().or_else(|_| facts.modified())
}

fn notes(repo: &Repository) -> PathBuf {
    repo.windrow_dir().join("locks")
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// What is in a directory; nothing when there is none.
fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        entries => entries?.collect(),
    }
}
