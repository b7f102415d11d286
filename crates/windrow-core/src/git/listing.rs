//! Questions about the files of a worktree that git answers best: what is untracked, what is uncommitted, how it differs.
//!
//! Git runs with the shared git directory and the worktree's index, never with the administrative directory, whose files
//! whoever works in the worktree can have written.

use std::path::Path;

use bstr::BString;
use windrow_model::Oid;

use super::{
    command::{Call, Git, GitError},
    pipes::refuse_pipes,
    repository::Repository,
    rev::DiffColour,
};

/// Counts the paths that `git status` would list: changed, staged, and untracked ones.
///
/// # Errors
/// Git cannot be asked.
pub fn count_uncommitted(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    root: &Path,
    head: Option<&Oid>,
) -> Result<u64, GitError> {
    Ok(uncommitted(git, repo, admin, root, head)?.len() as u64)
}

/// Lists the paths that `git status` would list: changed, staged, and untracked ones, each once and sorted.
///
/// # Errors
/// Git cannot be asked.
pub fn uncommitted(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    root: &Path,
    head: Option<&Oid>,
) -> Result<Vec<BString>, GitError> {
    let call = on_files(git, repo, admin, root, "ls-files")?;
    let call =
        call.args(["-z", "--modified", "--deleted", "--others", "--exclude-standard", "--deduplicate"]);
    let mut paths = fields(&call.run()?);
    if let Some(head) = head {
        let call = on_files(git, repo, admin, root, "diff-index")?;
        let call =
            call.args(["-z", "--cached", "--name-only", "--ignore-submodules=dirty"]).arg(head.to_string());
        paths.extend(fields(&call.run()?));
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// What a worktree changed since `base` as git prints it, untracked files included.
///
/// # Errors
/// Git cannot be asked.
pub fn diff_worktree(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    root: &Path,
    base: &Oid,
    colour: DiffColour,
) -> Result<Vec<u8>, GitError> {
    let colour = match colour {
        DiffColour::Always => "--color=always",
        DiffColour::Never => "--color=never",
    };
    let plain = ["--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", colour];
    let mut text =
        on_files(git, repo, admin, root, "diff")?.args(plain).arg(base.to_string()).arg("--").run()?;
    let others =
        on_files(git, repo, admin, root, "ls-files")?.args(["-z", "--others", "--exclude-standard"]).run()?;
    for path in fields(&others).iter().filter(|path| !path.ends_with(b"/")) {
        let call = on_files(git, repo, admin, root, "diff")?.args(["--no-index"]).args(plain);
        text.extend(call.args(["--", "/dev/null"]).arg(super::os(path)).output()?.stdout);
    }
    Ok(text)
}

/// Sets a worktree's index to a tree, leaving its files alone, and brings the stat data up to date.
///
/// # Errors
/// The tree cannot be read or the index cannot be written.
pub fn reset_index(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    root: &Path,
    tree: &Oid,
) -> Result<(), GitError> {
    on_files(git, repo, admin, root, "read-tree")?.arg(tree.to_string()).run()?;
    // Exit status 1 says that files differ, which they may.
    on_files(git, repo, admin, root, "update-index")?.args(["-q", "--refresh"]).ask().map(drop)
}

/// A call on the files and the index of a worktree, in which there is nothing that git would wait on for ever.
fn on_files<'g>(
    git: &'g Git,
    repo: &Repository,
    admin: &Path,
    root: &Path,
    verb: &str,
) -> Result<Call<'g>, GitError> {
    let index = admin.join("index");
    let call = repo.call(git, verb).work_tree(root).cwd(root).index_file(&index);
    match index.metadata() {
        Ok(found) if !found.is_file() => Err(GitError::Waits { path: index }),
        _ => refuse_pipes(root).map(|()| call),
    }
}

fn fields(stdout: &[u8]) -> Vec<BString> {
    stdout.split(|&byte| byte == 0).filter(|field| !field.is_empty()).map(BString::from).collect()
}
