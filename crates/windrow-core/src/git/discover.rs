//! Finding the repository that a path belongs to.
//!
//! Upwards git itself looks, so that `safe.directory` and ceilings hold; `git rev-parse` runs nothing that a repository
//! could name. Two processes in the common case.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    command::{Call, Git, GitError},
    config::Config,
    repository::{ObjectFormat, RefFormat, Repository},
};

/// Why no repository was found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// Neither the place, nor anything above it, nor a directory below it is a repository.
    #[error("`{}` is not in a git repository", start.display())]
    NotARepository {
        /// Where the search began.
        start: PathBuf,
    },
    /// Several directories below are repositories.
    #[error("`{}` holds several git repositories: {}", start.display(), listed(found))]
    Several {
        /// Where the search began.
        start: PathBuf,
        /// Their roots, sorted.
        found: Vec<PathBuf>,
    },
    /// There is a repository that git refuses because of who owns it.
    #[error("git does not trust the repository at `{}`: {said}", start.display())]
    Unsafe {
        /// Where the search began.
        start: PathBuf,
        /// What git said.
        said: String,
    },
    /// There is something like a repository that git cannot read.
    #[error("the repository at `{}` cannot be read: {said}", start.display())]
    Broken {
        /// Where it is.
        start: PathBuf,
        /// What is wrong.
        said: String,
    },
    /// The place is no directory.
    #[error("`{}` is not a directory", start.display())]
    NotADirectory {
        /// Where the search was to begin.
        start: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git could not be run.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn listed(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = paths.iter().take(SHOWN).map(|path| format!("`{}`", path.display())).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What git said, in one line: what follows the first is advice.
fn first_line(said: &str) -> String {
    let line = said.trim().lines().next().unwrap_or_default();
    line.strip_prefix("fatal: ").unwrap_or(line).to_owned()
}

/// Finds the repository of `start`: the place itself, what is above it, or else the only one at most `depth` levels below.
///
/// Paths in the answer are canonical. Inherited variables such as `GIT_DIR` play no part.
///
/// # Errors
/// None or several were found, or the one found cannot be used.
pub fn discover(git: &Git, start: &Path, depth: u32) -> Result<Repository, DiscoverError> {
    let start = real_directory(start)?;
    match upwards(git, &start)? {
        Some(git_dir) => describe(git, &start, git_dir),
        None => below(git, &start, depth),
    }
}

fn real_directory(start: &Path) -> Result<PathBuf, DiscoverError> {
    let refused = |source| DiscoverError::NotADirectory { start: start.to_owned(), source };
    let real = start.canonicalize().map_err(refused)?;
    fs::read_dir(&real).map_err(refused)?;
    Ok(real)
}

fn upwards(git: &Git, start: &Path) -> Result<Option<PathBuf>, DiscoverError> {
    let call = || git.call("rev-parse").arg("--absolute-git-dir").cwd(start);
    let asked = call();
    let answer = asked.output()?;
    if answer.status == Some(0) {
        return Ok(Some(one_path(&asked, &answer.stdout)?));
    }
    let said = first_line(&answer.stderr);
    if call().config("safe.directory=*").config("safe.bareRepository=all").output()?.status == Some(0) {
        return Err(DiscoverError::Unsafe { start: start.to_owned(), said });
    }
    if looks_like_repository(start) {
        return Err(DiscoverError::Broken { start: start.to_owned(), said });
    }
    Ok(None)
}

fn one_path(call: &Call<'_>, stdout: &[u8]) -> Result<PathBuf, GitError> {
    let path = stdout.strip_suffix(b"\n").filter(|path| !path.is_empty());
    let path = path.map(|path| PathBuf::from(OsStr::from_bytes(path))).filter(|path| path.is_absolute());
    path.ok_or_else(|| call.strange("no absolute path"))
}

fn looks_like_repository(directory: &Path) -> bool {
    directory.join(".git").symlink_metadata().is_ok()
        || ["HEAD", "objects", "refs"].iter().all(|name| directory.join(name).exists())
}

fn describe(git: &Git, start: &Path, git_dir: PathBuf) -> Result<Repository, DiscoverError> {
    let git_dir = canonical(&git_dir)?;
    let common_dir = common_of(&git_dir)?;
    refuse_borrowed(start, &git_dir)?;
    let config = Config::read(git, &common_dir)?;
    let main_worktree = main_worktree(&common_dir, &config, start, &git_dir);
    let current_worktree = current_worktree(start, &git_dir, main_worktree.as_deref());
    let named = |key: &str, value: &str| {
        config.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value.as_bytes()))
    };
    let object_format =
        if named("extensions.objectformat", "sha256") { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 };
    let ref_format =
        if named("extensions.refstorage", "reftable") { RefFormat::Reftable } else { RefFormat::Files };
    Ok(Repository { common_dir, git_dir, main_worktree, current_worktree, object_format, ref_format, config })
}

/// The common directory, by the `commondir` file; a worktree that points to a repository which does not know it is
/// refused, because whoever can write the worktree could have edited the file.
fn common_of(git_dir: &Path) -> Result<PathBuf, DiscoverError> {
    let path = git_dir.join("commondir");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(git_dir.to_owned()),
        Err(source) => return Err(DiscoverError::Io { path, source }),
    };
    let common = canonical(&git_dir.join(OsStr::from_bytes(text.strip_suffix(b"\n").unwrap_or(&text))))?;
    if git_dir.parent() == Some(common.join("worktrees").as_path()) {
        return Ok(common);
    }
    let said = format!("its `commondir` names `{}`, which does not hold it", common.display());
    Err(DiscoverError::Broken { start: git_dir.to_owned(), said })
}

/// A `.git` that is a file or a link and names the `.git` of another directory was put there by somebody who wants us in that
/// repository: git itself makes such files for linked worktrees, submodules and separate git directories only.
fn refuse_borrowed(start: &Path, git_dir: &Path) -> Result<(), DiscoverError> {
    let owned = !git_dir.join("commondir").exists() && git_dir.file_name() == Some(OsStr::new(".git"));
    let Some(root) = pointing_ancestor(start, git_dir).filter(|_| owned) else { return Ok(()) };
    if git_dir.parent() == Some(root.as_path()) {
        return Ok(());
    }
    let said = format!("its `.git` names `{}`, which belongs to another directory", git_dir.display());
    Err(DiscoverError::Broken { start: root, said })
}

fn canonical(path: &Path) -> Result<PathBuf, DiscoverError> {
    path.canonicalize().map_err(|source| DiscoverError::Io { path: path.to_owned(), source })
}

fn main_worktree(common: &Path, config: &Config, start: &Path, git_dir: &Path) -> Option<PathBuf> {
    if let Some(configured) = config.main("core.worktree") {
        return common.join(OsStr::from_bytes(configured)).canonicalize().ok();
    }
    if config.main_truth("core.bare") == Some(true) {
        return None;
    }
    if common.file_name() == Some(OsStr::new(".git")) {
        return common.parent().map(Path::to_owned);
    }
    // `git init --separate-git-dir` records the worktree nowhere: one has to stand in it.
    if git_dir == common { pointing_ancestor(start, common) } else { None }
}

fn current_worktree(start: &Path, git_dir: &Path, main: Option<&Path>) -> Option<PathBuf> {
    pointing_ancestor(start, git_dir).or_else(|| {
        main.filter(|main| start.starts_with(main) && !start.starts_with(git_dir)).map(Path::to_owned)
    })
}

/// The nearest directory at or above `start` whose `.git` is, or names, `git_dir`.
fn pointing_ancestor(start: &Path, git_dir: &Path) -> Option<PathBuf> {
    let points = |directory: &&Path| {
        let dot_git = directory.join(".git");
        let target = match super::facts::dot_git_of(directory) {
            Ok(Some(target)) => target,
            _ => dot_git,
        };
        target.canonicalize().is_ok_and(|real| real == git_dir)
    };
    start.ancestors().find(points).map(Path::to_owned)
}

fn below(git: &Git, start: &Path, depth: u32) -> Result<Repository, DiscoverError> {
    let mut roots = Vec::new();
    collect_below(start, depth, &mut roots)?;
    roots.sort();
    let mut found: Vec<(PathBuf, Repository)> = Vec::new();
    for root in roots {
        let Some(repository) = usable(git, &root)? else { continue };
        if !found.iter().any(|(_, known)| known.common_dir == repository.common_dir) {
            found.push((root, repository));
        }
    }
    if found.len() > 1 {
        let found = found.into_iter().map(|(root, _)| root).collect();
        return Err(DiscoverError::Several { start: start.to_owned(), found });
    }
    let none = || DiscoverError::NotARepository { start: start.to_owned() };
    found.pop().map(|(_, repository)| repository).ok_or_else(none)
}

/// A worktree whose repository is gone must not hide the repository beside it.
fn usable(git: &Git, root: &Path) -> Result<Option<Repository>, DiscoverError> {
    let found = upwards(git, root)
        .and_then(|git_dir| git_dir.map(|git_dir| describe(git, root, git_dir)).transpose());
    match found {
        Err(DiscoverError::Broken { .. }) => Ok(None),
        other => other,
    }
}

/// Symbolic links and directories that cannot be read are passed over: nobody named them.
fn collect_below(directory: &Path, depth: u32, roots: &mut Vec<PathBuf>) -> Result<(), DiscoverError> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    let unreadable = |source| DiscoverError::Io { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if !entry.file_type().map_err(unreadable)?.is_dir() {
            continue;
        }
        if looks_like_repository(&path) {
            roots.push(path);
        } else if fs::read_dir(&path).is_ok() {
            collect_below(&path, depth, roots)?;
        }
    }
    Ok(())
}
