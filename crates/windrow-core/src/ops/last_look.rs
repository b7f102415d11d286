//! Whether anybody wrote into a worktree between the look that proved it saved and its leaving: once it is in the trash its path
//! leads nowhere, so nobody comes in any more, and a second look that agrees with the first proves that nothing was missed.
//!
//! # Crash safety
//! A kill between the rename and the look leaves this question unasked: what is in the trash then goes. Both have to
//! come together, a write from outside and a kill, within the milliseconds that a look takes.

use std::{
    io,
    num::NonZeroUsize,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
};

use windrow_model::WorktreeRecord;

use super::{error::RescueError, pool::Pool};
use crate::fs::{self, Patterns, Scan, ScanRules, SetAside, Tracked, TrackedDirectories, Witness};

/// What a worktree and its administrative directory looked like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LastLook {
    /// `None` when the files stood aside then already.
    files: Option<Witness>,
    admin: Vec<AdminFile>,
}

/// Name, length and time of the last change.
type AdminFile = (PathBuf, u64, i64, i64);

/// What lies deeper than the administrative directory itself and tells of commits.
const DEEPER: [&str; 2] = ["logs/HEAD", "reftable/tables.list"];

impl LastLook {
    /// Keeps what a scan of `root` saw.
    pub(super) fn at(root: &Path, scan: &Scan, worktree: &WorktreeRecord) -> Result<Self, RescueError> {
        Ok(Self { files: Some(fs::witness(root, scan)?), ..Self::at_registration(worktree)? })
    }

    /// Looks at what git keeps of a worktree whose files stand aside, so that nobody comes to them any more.
    pub(super) fn at_registration(worktree: &WorktreeRecord) -> Result<Self, RescueError> {
        let admin = &worktree.admin;
        let failed = |source| RescueError::Io { path: admin.clone(), source };
        Ok(Self { files: None, admin: admin_files(admin).map_err(failed)? })
    }

    /// Looks at the same again.
    fn again(
        &self,
        pool: &Pool,
        worktree: &WorktreeRecord,
        root: &Path,
        tracked: &TrackedDirectories,
    ) -> Result<Self, RescueError> {
        match self.files {
            Some(_) => Self::at(root, &scan(pool, root, Tracked::In(tracked))?, worktree),
            None => Self::at_registration(worktree),
        }
    }
}

/// Lists what a worktree holds, by the rules by which it is saved.
pub(super) fn scan(pool: &Pool, root: &Path, tracked: Tracked<'_>) -> Result<Scan, RescueError> {
    let disposable = Patterns::new(&pool.settings().rescue.disposable)?;
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(fs::scan(root, &ScanRules { tracked, disposable: &disposable, threads })?)
}

/// What may be another one and means nothing: the link to the files is taken away before they leave, and the lock made where
/// there is none; an editor that asks for the status has the index written anew, and what is staged came from the files.
fn says_nothing(name: &Path) -> bool {
    let name = name.as_os_str().as_encoded_bytes();
    [&b"gitdir"[..], b"locked"].contains(&name)
        || name.starts_with(b"index")
        || name.starts_with(b"sharedindex.")
}

fn admin_files(admin: &Path) -> io::Result<Vec<AdminFile>> {
    let mut names = Vec::new();
    for entry in admin.read_dir()? {
        names.push(PathBuf::from(entry?.file_name()));
    }
    names.extend(DEEPER.map(PathBuf::from));
    names.sort_unstable();
    let mut files = Vec::new();
    for name in names.into_iter().filter(|name| !says_nothing(name)) {
        match admin.join(&name).symlink_metadata() {
            Ok(facts) => files.push((name, facts.size(), facts.ctime(), facts.ctime_nsec())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// Looks at what was set aside; puts it back where it was, and says why, when it is not as it was at the last look.
pub(super) fn prove_untouched(
    pool: &Pool,
    worktree: &WorktreeRecord,
    aside: &SetAside,
    tracked: &TrackedDirectories,
    before: &LastLook,
) -> Result<(), String> {
    let reason = match before.again(pool, worktree, aside.path(), tracked) {
        Ok(now) if now == *before => return Ok(()),
        Ok(_) => "somebody wrote into it while it was being removed".to_owned(),
        Err(error) => super::error::chain(&error),
    };
    Err(match put_back(worktree, aside.path()) {
        Ok(()) => reason,
        Err(also) => format!("{reason}, and {also}"),
    })
}

/// Puts the files of a worktree where they were; says where they are when that is not possible.
pub(super) fn put_back(worktree: &WorktreeRecord, from: &Path) -> Result<(), String> {
    match move_back(worktree, from) {
        Ok(place) if place == worktree.path => Ok(()),
        Ok(place) => Err(format!("something else took its place: it is at `{}`", place.display())),
        Err(error) => Err(format!("it cannot leave `{}`: {error}", from.display())),
    }
}

/// To its own place, or beside it when somebody took that; `windrow reconcile` finds it there.
fn move_back(worktree: &WorktreeRecord, from: &Path) -> io::Result<PathBuf> {
    let beside = worktree.path.with_file_name(format!("{}-{}", worktree.name, worktree.id));
    let back = fs::rename_new(from, &worktree.path).map(|()| worktree.path.clone());
    back.or_else(|_| fs::rename_new(from, &beside).map(|()| beside))
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, read, write};

    use windrow_model::WorktreeState;

    use super::*;
    use crate::ops::testing::record;

    #[test]
    fn what_comes_back_finds_a_place_even_when_its_own_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (own, aside) = (dir.path().join("fern"), dir.path().join("aside"));
        let worktree = record(&own, WorktreeState::Removing);
        create_dir(&aside).unwrap();
        write(aside.join("work"), "x").unwrap();
        assert_eq!(move_back(&worktree, &aside).unwrap(), own);
        std::fs::rename(&own, &aside).unwrap();
        create_dir(&own).unwrap();
        let place = move_back(&worktree, &aside).unwrap();
        assert_eq!(place, dir.path().join(format!("fern-{}", worktree.id)));
        assert_eq!(read(place.join("work")).unwrap(), b"x");
        assert_eq!(own.read_dir().unwrap().count(), 0, "what took the place is left alone");
    }

    #[test]
    fn a_commit_shows_and_a_status_does_not() {
        let dir = tempfile::tempdir().unwrap();
        create_dir(dir.path().join("logs")).unwrap();
        for name in ["HEAD", "gitdir", "index", "logs/HEAD"] {
            write(dir.path().join(name), "x").unwrap();
        }
        let mut before = admin_files(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join("gitdir")).unwrap();
        write(dir.path().join("index"), "refreshed").unwrap();
        write(dir.path().join("index.lock"), "").unwrap();
        assert_eq!(admin_files(dir.path()).unwrap(), before);
        for name in ["HEAD", "logs/HEAD", "MERGE_HEAD"] {
            write(dir.path().join(name), "yy").unwrap();
            let after = admin_files(dir.path()).unwrap();
            assert_ne!(after, before, "{name}");
            before = after;
        }
    }
}
