//! Taking untracked files along from the main worktree.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bstr::BString;
use windrow_model::{CarriedFile, CarriedKind, CarrySettings, WorktreeId, WorktreeRecord};

use super::{error::CreateError, outcome::CarrySummary, pool::Pool};
use crate::{
    fs::{self, Candidate, CarryPatterns, CarryRequest, GitStanding},
    git,
};

/// What was taken along, for the record and for people.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Every file, link and directory.
    pub(super) files: Vec<CarriedFile>,
    /// The figures.
    pub(super) summary: CarrySummary,
}

/// Takes along what the configuration, `.worktreeinclude` and `.worktreelink` name.
pub(super) fn carry(pool: &Pool, record: &WorktreeRecord) -> Result<Taken, CreateError> {
    let Some(main) = pool.repository().main_worktree.as_deref() else { return Ok(Taken::default()) };
    let settings = &pool.settings().carry;
    let patterns = CarryPatterns::load(main, settings)?;
    let Some(narrowed) = narrow(main, settings, &patterns) else { return Ok(Taken::default()) };
    let candidates = candidates(pool, main, &narrowed)?;
    let pool_directory = record.path.parent().unwrap_or(&record.path);
    let never = [pool_directory.to_owned(), pool.repository().common_dir.clone()];
    let request = CarryRequest {
        from: main,
        to: &record.path,
        patterns: &patterns,
        never: &never,
        max_bytes: settings.max_bytes,
    };
    let carried = fs::carry(&request, &fs::plan_carry(&request, &candidates)?)?;
    write_excludes(pool, &record.id, &carried.files, &candidates)
        .map_err(|source| CreateError::Io { path: pool.excludes_path(&record.id), source })?;
    git::write_carried(&record.admin, &carried.files)
        .map_err(|source| CreateError::Io { path: record.admin.clone(), source })?;
    let summary = CarrySummary {
        files: carried.files.iter().filter(|file| file.kind != CarriedKind::Directory).count() as u64,
        bytes: carried.bytes,
        skipped: carried.skipped.into_iter().map(|(path, reason)| (path, in_words(reason))).collect(),
    };
    Ok(Taken { files: carried.files, summary })
}

/// The part of the main worktree that has to be looked at: `None` when nothing can be carried, an empty list for all of it.
fn narrow(main: &Path, settings: &CarrySettings, patterns: &CarryPatterns) -> Option<Vec<BString>> {
    if patterns.reach_below() {
        return Some(Vec::new());
    }
    let there = |name: &&String| main.join(name).symlink_metadata().is_ok();
    let context: Vec<BString> =
        settings.context.iter().filter(there).map(|name| name.as_str().into()).collect();
    (!context.is_empty()).then_some(context)
}

/// The untracked paths of the main worktree; whole untracked directories count as one.
fn candidates(pool: &Pool, main: &Path, narrowed: &[BString]) -> Result<Vec<Candidate>, CreateError> {
    let index = pool.repository().common_dir.join("index");
    let found = git::untracked(&pool.git, pool.repository(), main, &index, narrowed)?;
    Ok(found.into_iter().map(candidate).collect())
}

fn candidate(mut found: git::UntrackedPath) -> Candidate {
    if found.directory {
        found.path.push(b'/');
    }
    let standing = if found.ignored { GitStanding::Ignored } else { GitStanding::Untracked };
    Candidate { path: found.path, standing }
}

fn in_words(reason: fs::SkipReason) -> String {
    use fs::SkipReason as R;
    match reason {
        R::AlreadyThere => "the branch has something there",
        R::Blocked => "the branch has a link or a file in the way",
        R::LeadsOut => "a link that leads out of the repository",
        R::Repository => "a repository of its own",
        R::Mount => "a mount point",
        R::Special => "a socket, pipe or device",
        R::Never => "part of the pool or of git's own directory",
        R::Unreadable => "a directory that cannot be read",
    }
    .to_owned()
}

/// Hides carried files that git does not ignore from the agent's `git add -A`, together with what the user ignores everywhere.
fn write_excludes(
    pool: &Pool,
    id: &WorktreeId,
    files: &[CarriedFile],
    candidates: &[Candidate],
) -> io::Result<()> {
    let visible =
        |file: &&CarriedFile| !is_ignored(&file.path, candidates) && file.kind != CarriedKind::Directory;
    let hidden: Vec<_> = files.iter().filter(visible).map(|file| &file.path).collect();
    hide(pool, id, &hidden)
}

/// Hides paths from the git of a worktree's commands.
pub(super) fn hide(pool: &Pool, id: &WorktreeId, hidden: &[&BString]) -> io::Result<()> {
    if hidden.is_empty() {
        return Ok(());
    }
    let mut text = users_excludes(pool);
    for path in hidden {
        text.extend_from_slice(&literal_pattern(path));
    }
    let path = pool.excludes_path(id);
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&text)
}

fn is_ignored(path: &BString, candidates: &[Candidate]) -> bool {
    let covers = |candidate: &&Candidate| {
        let directory = candidate.path.ends_with(b"/");
        *path == candidate.path || (directory && path.starts_with(candidate.path.as_slice()))
    };
    let closest = candidates.iter().filter(covers).max_by_key(|candidate| candidate.path.len());
    closest.is_some_and(|candidate| candidate.standing == GitStanding::Ignored)
}

/// One path as a gitignore pattern that matches nothing else; but for the ends of lines, which no pattern can hold and any
/// one character stands for.
fn literal_pattern(path: &BString) -> Vec<u8> {
    let mut pattern = vec![b'/'];
    for &byte in path.iter() {
        match byte {
            b'\n' | b'\r' => pattern.push(b'?'),
            _ if b"\\*?[ !#".contains(&byte) => pattern.extend([b'\\', byte]),
            _ => pattern.push(byte),
        }
    }
    pattern.push(b'\n');
    pattern
}

/// What the user's own `core.excludesFile` says, because ours takes its place.
fn users_excludes(pool: &Pool) -> Vec<u8> {
    let configured = pool.repository().config.get("core.excludesfile").map(|path| pool.expand_home(path));
    let text = configured.or_else(|| pool.users_git_ignore()).and_then(|path| std::fs::read(path).ok());
    let mut text = text.unwrap_or_default();
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    text
}

impl Pool {
    /// The excludes file of a worktree's commands.
    pub(super) fn excludes_path(&self, id: &WorktreeId) -> PathBuf {
        self.excludes().join(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_pattern_escapes_what_git_would_expand() {
        assert_eq!(literal_pattern(&".agent/a*[b] c".into()), b"/.agent/a\\*\\[b]\\ c\n");
        assert_eq!(literal_pattern(&".agent/a\nsrc\r".into()), b"/.agent/a?src?\n");
    }

    #[test]
    fn a_file_below_an_ignored_directory_is_ignored() {
        let candidate = |path: &str, standing| Candidate { path: path.into(), standing };
        let candidates = [
            candidate("build/", GitStanding::Ignored),
            candidate("notes", GitStanding::Untracked),
            candidate("bu", GitStanding::Untracked),
        ];
        assert!(is_ignored(&"build/x".into(), &candidates));
        assert!(!is_ignored(&"notes".into(), &candidates));
        assert!(!is_ignored(&"builder".into(), &candidates));
    }
}
