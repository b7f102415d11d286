//! Where a new worktree goes and what it is called.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use windrow_model::WorktreeName;

use super::{error::chain, pool::Pool};
use crate::fs::{self, DirectoryError};

/// The place of a new worktree.
#[derive(Debug)]
pub(super) struct Place {
    /// Its directory.
    pub(super) path: PathBuf,
    /// What the user should know about it.
    pub(super) notice: Option<String>,
}

/// Chooses where a worktree goes: by the template, else in the user's data directory.
pub(super) fn place_of(pool: &Pool, name: &WorktreeName) -> Place {
    let wanted = fill(&pool.settings().pool.directory, pool.root(), name);
    match (objection(pool, &wanted), pool.data_directory()) {
        (Some(why), Some(data)) => Place {
            path: data.join(name.as_str()),
            notice: Some(format!("worktrees go to `{}`, because {why}", data.display())),
        },
        _ => Place { path: wanted, notice: None },
    }
}

/// The directory around new worktrees.
pub(super) fn around(pool: &Pool) -> Option<PathBuf> {
    // With the usual templates every name leads to the same place; with others there is nothing at this one.
    let place = place_of(pool, &"any".parse().ok()?);
    Some(place.path.parent()?.to_owned())
}

/// The trash beside new worktrees.
pub(super) fn trash(pool: &Pool) -> Option<PathBuf> {
    around(pool).map(|around| Pool::trash_in(&around))
}

/// Why a worktree cannot go where the template says, in words; something that lies in the way is the user's to move.
fn objection(pool: &Pool, wanted: &Path) -> Option<String> {
    if seen_by_superproject(pool, wanted) {
        return Some("beside a submodule they would show up in the superproject".to_owned());
    }
    match fs::can_make(wanted.parent().unwrap_or(wanted)) {
        Ok(()) | Err(DirectoryError::NotADirectory { .. }) => None,
        Err(refusal) => Some(chain(&refusal)),
    }
}

/// A submodule's git directory lies below `modules` in that of its superproject. *Source*: gitrepository-layout(5).
fn seen_by_superproject(pool: &Pool, wanted: &Path) -> bool {
    let is_git_dir = |directory: &Path| directory.join("HEAD").symlink_metadata().is_ok();
    let above = |directory: &Path| {
        directory.file_name() == Some("modules".as_ref()) && directory.parent().is_some_and(is_git_dir)
    };
    pool.repository().common_dir.ancestors().any(above)
        && pool.root().parent().is_some_and(|around| wanted.starts_with(around))
}

/// Fills `{repo}` and `{name}` in, as bytes; a relative result is taken from the repository.
fn fill(template: &str, repository: &Path, name: &WorktreeName) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (value, after): (&[u8], _) = match &rest[at..] {
            field if field.starts_with("{repo}") => (repository.as_os_str().as_bytes(), at + 6),
            field if field.starts_with("{name}") => (name.as_str().as_bytes(), at + 6),
            _ => (b"{", at + 1),
        };
        bytes.extend_from_slice(value);
        rest = &rest[after..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    repository.join(PathBuf::from(OsString::from_vec(bytes)))
}

/// A name that nobody has to invent: two plain words.
pub(super) fn invent_name(taken: &dyn Fn(&WorktreeName) -> bool) -> WorktreeName {
    let fresh = |words| petname::petname(words, "-").and_then(|text| text.parse::<WorktreeName>().ok());
    for words in [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3] {
        if let Some(name) = fresh(words).filter(|name| !taken(name)) {
            return name;
        }
    }
    numbered(taken)
}

fn numbered(taken: &dyn Fn(&WorktreeName) -> bool) -> WorktreeName {
    let names = (1_u64..).map(|number| format!("worktree-{number}").parse::<WorktreeName>());
    names.flatten().find(|name| !taken(name)).expect("fewer worktrees than numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_as_bytes() {
        let name = "quiet-fern".parse().unwrap();
        let repository = PathBuf::from(OsString::from_vec(b"/x/caf\xe9".to_vec()));
        let path = fill("{repo}.windrow/{name}", &repository, &name);
        assert_eq!(path.as_os_str().as_bytes(), b"/x/caf\xe9.windrow/quiet-fern");
        assert_eq!(fill("../trees/{name}", Path::new("/x/r"), &name), Path::new("/x/r/../trees/quiet-fern"));
    }

    #[test]
    fn invented_names_are_not_taken() {
        let first = invent_name(&|_| false);
        let second = invent_name(&|name| *name == first || !name.as_str().starts_with("worktree-"));
        assert_eq!(second.as_str(), "worktree-1");
    }
}
