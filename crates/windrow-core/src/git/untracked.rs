//! What lies in a worktree beside the tracked files.

use std::path::Path;

use bstr::BString;

use super::{
    checkout::fields,
    command::{Git, GitError},
    repository::Repository,
    snapshot::worktree_call,
};

/// Something that is not tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrackedPath {
    /// Slash-separated path, without a slash at the end.
    pub path: BString,
    /// Whether it is a directory in which nothing is tracked, standing for all that is below it.
    pub directory: bool,
    /// Whether it is ignored.
    pub ignored: bool,
}

/// Lists what is not tracked in a worktree, sorted by path, directories without tracked files as one.
///
/// Only what lies at or below one of `paths` is listed, or everything when there are none.
///
/// A directory that is listed as untracked may hold ignored files, which are listed besides.
///
/// # Errors
/// Git fails.
pub fn untracked(
    git: &Git,
    repo: &Repository,
    worktree: &Path,
    index: &Path,
    paths: &[BString],
) -> Result<Vec<UntrackedPath>, GitError> {
    let list = |options: &[&str]| {
        let call = worktree_call(git, repo, worktree, "ls-files").index_file(index);
        let call = call.global("--literal-pathspecs").args(["-z", "-o", "--directory", "--exclude-standard"]);
        let call = call.args(options).arg("--");
        paths.iter().fold(call, |call, path| call.arg(super::os(path))).run()
    };
    let mut found: Vec<UntrackedPath> = fields(&list(&["--no-empty-directory"])?).map(one).collect();
    found.extend(fields(&list(&["-i"])?).map(|path| UntrackedPath { ignored: true, ..one(path) }));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Tells whether git ignores a directory of a worktree, which need not be there and must not be tracked.
///
/// # Errors
/// Git fails.
pub fn is_ignored(
    git: &Git,
    repo: &Repository,
    worktree: &Path,
    index: &Path,
    directory: &BString,
) -> Result<bool, GitError> {
    let call = worktree_call(git, repo, worktree, "check-ignore").index_file(index).args(["-q", "--"]);
    let mut path = directory.clone();
    path.push(b'/');
    Ok(call.arg(super::os(&path)).ask()?.is_some())
}

fn one(mut path: BString) -> UntrackedPath {
    let directory = path.ends_with(b"/");
    if directory {
        path.pop();
    }
    UntrackedPath { path, directory, ignored: false }
}
