//! Populated submodules of a worktree, and what in them would be lost with it.
//!
//! # Security
//! The configuration of a submodule belongs to whoever works in the worktree: its files are compared by a git that sees
//! a repository of our own making over the submodule's objects. Only `rev-parse` and `rev-list`, which run nothing, see
//! the submodule's own directory.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use windrow_model::{EntryMode, IndexEntry, TreeEntry};

use super::{
    command::{Call, Git, GitError},
    facts::dot_git_of,
    index::{IndexError, read_index},
    refs::text_oid,
    repository::{ObjectFormat, Repository},
    snapshot::worktree_call,
    tree::Objects,
};

/// What would be lost with a submodule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmoduleRisk {
    /// Its repository is not in the worktree's administrative directory, or has submodules of its own.
    OwnRepository,
    /// Files or index differ from its commit, or there are untracked files.
    Changes,
    /// There are ignored files.
    IgnoredFiles,
    /// Commits that none of its remote-tracking refs holds.
    Unpushed {
        /// How many.
        commits: u64,
    },
    /// It could not be examined, so everything in it is at risk.
    Unreadable,
}

/// A populated submodule with something to lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsafeSubmodule {
    /// Its path in the worktree.
    pub path: BString,
    /// What would be lost.
    pub risks: Vec<SubmoduleRisk>,
}

/// Why it is not known which submodules there are.
#[derive(Debug, thiserror::Error)]
pub enum SubmodulesError {
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A directory cannot be looked at.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Finds the populated submodules of a worktree from which something would be lost, in index order.
///
/// # Errors
/// The index or a directory cannot be read; what cannot be found out about a single submodule is a risk, no error.
pub fn unsafe_submodules(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    worktree: &Path,
) -> Result<Vec<UnsafeSubmodule>, SubmodulesError> {
    let mut found = Vec::new();
    for entry in repo.index_of(git, admin)? {
        if entry.mode != EntryMode::Gitlink || !is_populated(&worktree.join(OsStr::from_bytes(&entry.path)))?
        {
            continue;
        }
        let root = worktree.join(OsStr::from_bytes(&entry.path));
        let risks = risks(git, repo, admin, &root).unwrap_or_else(|_| vec![SubmoduleRisk::Unreadable]);
        if !risks.is_empty() {
            found.push(UnsafeSubmodule { path: entry.path, risks });
        }
    }
    Ok(found)
}

fn is_populated(root: &Path) -> Result<bool, SubmodulesError> {
    match root.join(".git").symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(source) => Err(SubmodulesError::Io { path: root.to_owned(), source }),
    }
}

/// Any failure means "unreadable" to the caller, whatever it is.
type Examined<T> = Result<T, Box<dyn std::error::Error>>;

fn risks(git: &Git, repo: &Repository, admin: &Path, root: &Path) -> Examined<Vec<SubmoduleRisk>> {
    let Ok(Some(git_dir)) = dot_git_of(root) else { return Ok(vec![SubmoduleRisk::OwnRepository]) };
    let git_dir = git_dir.canonicalize()?;
    if !git_dir.starts_with(admin.join("modules").canonicalize()?) || git_dir.join("modules").exists() {
        return Ok(vec![SubmoduleRisk::OwnRepository]);
    }
    let scratch = repo.scratch()?;
    let view = View::new(git, repo, scratch.path(), &git_dir, root)?;
    let mut risks = Vec::new();
    if view.has_changes()? {
        risks.push(SubmoduleRisk::Changes);
    }
    if view.lists(&["-o", "-i", "--exclude-standard"])? {
        risks.push(SubmoduleRisk::IgnoredFiles);
    }
    let commits = view.unpushed()?;
    if commits > 0 {
        risks.push(SubmoduleRisk::Unpushed { commits });
    }
    Ok(risks)
}

/// A submodule seen through a git directory of our own.
struct View<'a> {
    git: &'a Git,
    repo: Repository,
    git_dir: &'a Path,
    root: &'a Path,
}

impl<'a> View<'a> {
    fn new(
        git: &'a Git,
        parent: &Repository,
        own: &Path,
        git_dir: &'a Path,
        root: &'a Path,
    ) -> Examined<Self> {
        let format = match parent.object_format {
            ObjectFormat::Sha1 => "[core]\n\trepositoryformatversion = 0\n".to_owned(),
            ObjectFormat::Sha256 => {
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n".to_owned()
            }
        };
        for name in ["objects", "refs"] {
            fs::create_dir(own.join(name))?;
        }
        fs::write(own.join("config"), format)?;
        fs::write(own.join("HEAD"), "ref: refs/heads/none\n")?;
        let repo = Repository { common_dir: own.to_owned(), git_dir: own.to_owned(), ..parent.clone() };
        Ok(Self { git, repo, git_dir, root })
    }

    fn entries(&self) -> Examined<Vec<IndexEntry>> {
        Ok(read_index(&self.git_dir.join("index"), self.repo.object_format)?)
    }

    fn has_changes(&self) -> Examined<bool> {
        let entries = self.entries()?;
        let call = self.inside("rev-parse").args(["-q", "--verify", "HEAD"]);
        let head = text_oid(&call, &call.run()?)?;
        let wanted =
            Objects::at(self.git_dir.join("objects"), self.repo.object_format).tree_entries(&head)?;
        let equal = |(entry, index): (&TreeEntry, &IndexEntry)| {
            (&entry.path, entry.mode, entry.oid) == (&index.path, index.mode, index.oid)
                && index.flags == windrow_model::IndexFlags::default()
        };
        let staged = wanted.len() != entries.len() || !wanted.iter().zip(&entries).all(equal);
        Ok(staged || self.lists(&["-m", "-o", "--exclude-standard"])?)
    }

    fn lists(&self, what: &[&str]) -> Result<bool, GitError> {
        let call = worktree_call(self.git, &self.repo, self.root, "ls-files")
            .index_file(&self.git_dir.join("index"));
        let call = call.env("GIT_OBJECT_DIRECTORY", self.git_dir.join("objects"));
        Ok(!call.arg("-z").args(what).run()?.is_empty())
    }

    fn unpushed(&self) -> Examined<u64> {
        let list = ["--count", "--all", "--reflog", "HEAD", "--not", "--remotes"];
        let stdout = self.inside("rev-list").args(list).run()?;
        Ok(stdout.trim().to_str()?.parse()?)
    }

    fn inside(&self, verb: &str) -> Call<'_> {
        self.git.call(verb).repository(self.git_dir, self.git_dir).offline()
    }
}
