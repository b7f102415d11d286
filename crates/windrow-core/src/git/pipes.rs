//! Files by which a worktree tells git what to do, and on which git would wait for ever when they are pipes.
//!
//! *Source*: tried with git 2.47; links are not followed there since 2.32, and `.gitmodules` and `.mailmap` are not read by what
//! is run in an agent's files.

use std::{fs, path::Path};

use super::command::GitError;

const READ: [&str; 2] = [".gitignore", ".gitattributes"];

/// Refuses a worktree in which git would open a pipe, a socket or a device; nested repositories are not entered, as by git.
///
/// What cannot be listed git cannot list either.
///
/// # Errors
/// [`GitError::Waits`] with the first one found.
pub(super) fn refuse_pipes(root: &Path) -> Result<(), GitError> {
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        let entries: Vec<_> = fs::read_dir(&directory).into_iter().flatten().flatten().collect();
        if directory != root && entries.iter().any(|entry| entry.file_name() == ".git") {
            continue;
        }
        for entry in entries {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && entry.file_name() != ".git" {
                waiting.push(entry.path());
            } else if READ.iter().any(|name| entry.file_name() == *name)
                && !kind.is_file()
                && !kind.is_symlink()
            {
                return Err(GitError::Waits { path: entry.path() });
            }
        }
    }
    Ok(())
}
