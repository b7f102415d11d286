//! Finding administrative directories by the identity token in them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{facts::admin_facts, repository::Repository};

/// Finds the registered administrative directory that carries `token`.
///
/// Directories that cannot be read are not ours to judge and are passed over. A registry that is no directory holds none.
///
/// # Errors
/// The registry cannot be listed.
pub fn find_admin(repo: &Repository, token: &str) -> io::Result<Option<PathBuf>> {
    let registry = repo.common_dir.join("worktrees");
    let entries = match fs::read_dir(&registry) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if carries(&path, token) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn carries(admin: &Path, token: &str) -> bool {
    admin_facts(admin).is_ok_and(|facts| facts.identity_token.is_some_and(|found| found == token))
}

/// The directory in which the administrative directory of `unique` is built before git knows it; `None` when it is not there.
#[must_use]
pub fn unpublished_admin(repo: &Repository, unique: &str) -> Option<PathBuf> {
    let built = repo.windrow_dir().join(format!("new-{unique}"));
    built.is_dir().then_some(built)
}
