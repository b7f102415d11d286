//! Reading what the registry says of our worktrees, and writing the link between a worktree and its registration anew.
//!
//! # Locking
//! Writing belongs under the lock of the common directory.
//!
//! # Crash safety
//! Each link is written beside its place and renamed over it, so that it is always whole.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use windrow_model::Oid;

use super::{
    admin::{ADOPTED_FILE, IDENTITY_FILE, dot_git_text, write_new},
    command::{Git, GitError},
    facts::{AdminFacts, admin_facts, read_plain},
    refs::text_oid,
    repository::Repository,
};

/// Lists every registered administrative directory that carries an identity token, by path.
///
/// What cannot be read is not ours to judge and is passed over.
///
/// # Errors
/// The registry cannot be listed.
pub fn marked_admins(repo: &Repository) -> io::Result<Vec<(PathBuf, AdminFacts)>> {
    let entries = match fs::read_dir(repo.common_dir.join("worktrees")) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Ok(facts) = admin_facts(&path)
            && facts.identity_token.is_some()
        {
            found.push((path, facts));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

/// The commit at which a worktree was made, by the first line of its reflog; `None` where there is no such file.
///
/// # Errors
/// The reflog cannot be read.
pub fn first_commit(admin: &Path) -> io::Result<Option<Oid>> {
    let Some(text) = read_plain(&admin.join("logs/HEAD"))? else { return Ok(None) };
    let second = text.lines().next().and_then(|line| line.split(|byte| *byte == b' ').nth(1));
    let oid = second.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
    Ok(oid.filter(|oid: &Oid| !oid.is_null()))
}

/// Makes the `.git` file of a worktree name `admin`.
///
/// # Errors
/// `.git` is something else than a plain file, or the file system refuses.
pub fn relink(worktree: &Path, admin: &Path) -> io::Result<()> {
    let place = worktree.join(".git");
    read_plain(&place)?;
    replace(&place, &dot_git_text(admin))
}

/// Makes an administrative directory name `worktree`.
///
/// # Errors
/// `gitdir` is something else than a plain file, or the file system refuses.
pub fn repoint(admin: &Path, worktree: &Path) -> io::Result<()> {
    let place = admin.join("gitdir");
    read_plain(&place)?;
    replace(&place, &[worktree.join(".git").as_os_str().as_bytes(), b"\n"].concat())
}

/// Marks the administrative directory of a worktree that somebody else made as being in our care, and syncs it.
///
/// The token comes last: a directory that bears it is known to be adopted.
///
/// # Errors
/// A mark is something else than a plain file, or the file system refuses.
pub fn mark_adopted(admin: &Path, token: &str) -> io::Result<()> {
    for (name, text) in [(ADOPTED_FILE, ""), (IDENTITY_FILE, token)] {
        let place = admin.join(name);
        read_plain(&place)?;
        replace(&place, format!("{text}\n").as_bytes())?;
        fs::File::open(&place)?.sync_all()?;
    }
    fs::File::open(admin)?.sync_all()
}

/// Takes our marks, and a lock that `is_ours` by its reason, off an administrative directory. Repeating it does no harm.
///
/// The token goes last: until then the directory is found by it.
///
/// # Errors
/// The file system refuses.
pub fn unmark(admin: &Path, is_ours: impl FnOnce(&[u8]) -> bool) -> io::Result<()> {
    if admin_facts(admin)?.locked.is_some_and(|reason| is_ours(&reason)) {
        remove_if_any(&admin.join("locked"))?;
    }
    remove_marks(admin)?;
    remove_if_any(&admin.join(IDENTITY_FILE))
}

/// Removes what a killed [`mark_adopted`] left in administrative directories that never got its token.
///
/// # Errors
/// The registry cannot be listed, or the file system refuses.
pub fn sweep_marks(repo: &Repository) -> io::Result<()> {
    let registry = repo.common_dir.join("worktrees");
    let entries = match fs::read_dir(&registry) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries?,
    };
    for entry in entries {
        let admin = entry?.path();
        if admin.join(IDENTITY_FILE).symlink_metadata().is_err() {
            remove_marks(&admin)?;
        }
    }
    Ok(())
}

/// Everything of ours but the token.
fn remove_marks(admin: &Path) -> io::Result<()> {
    for name in [IDENTITY_FILE, ADOPTED_FILE] {
        remove_if_any(&beside(&admin.join(name)))?;
    }
    remove_if_any(&admin.join(ADOPTED_FILE))
}

fn remove_if_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn beside(place: &Path) -> PathBuf {
    let mut beside = place.as_os_str().to_owned();
    beside.push(".windrow-new");
    PathBuf::from(beside)
}

fn replace(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(place);
    remove_if_any(&beside)?;
    write_new(&beside, bytes)?;
    fs::rename(&beside, place)
}

/// What a snapshot commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its tree.
    pub tree: Oid,
    /// Its parents, in order.
    pub parents: Vec<Oid>,
    /// Seconds since 1970, by its committer's clock.
    pub committed_at: i64,
    /// Its message.
    pub message: Vec<u8>,
}

/// Reads a commit.
///
/// # Errors
/// It is not there, is no commit, or git failed.
pub fn commit_facts(git: &Git, repo: &Repository, commit: &Oid) -> Result<CommitFacts, GitError> {
    let call = repo.call(git, "cat-file").args(["commit", &commit.to_string()]).offline();
    let text = call.run()?;
    let (head, message) = text.split_once_str("\n\n").unwrap_or((&text, b""));
    let (mut tree, mut parents, mut committed_at) = (None, Vec::new(), 0);
    for line in head.lines() {
        match line.split_once_str(" ") {
            Some((b"tree", oid)) => tree = Some(text_oid(&call, oid)?),
            Some((b"parent", oid)) => parents.push(text_oid(&call, oid)?),
            Some((b"committer", who)) => committed_at = seconds_of(who).unwrap_or(0),
            _ => {}
        }
    }
    let tree = tree.ok_or_else(|| call.strange("a commit without a tree"))?;
    Ok(CommitFacts { tree, parents, committed_at, message: message.to_vec() })
}

/// *Source*: git-commit(1), `Name <address> seconds zone`.
fn seconds_of(who: &[u8]) -> Option<i64> {
    let seconds = who.rsplit(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(seconds).ok()?.parse().ok()
}
