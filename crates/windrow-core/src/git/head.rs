//! Where a HEAD points, and what commit a base names.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use windrow_model::{BranchName, Oid, OidError};

use super::{
    command::{Call, Git, GitError},
    facts::read_plain,
    refs::{read_ref, text_oid},
    repository::{RefFormat, Repository},
};

/// Where a HEAD points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit; `None` while the branch has none yet.
    pub oid: Option<Oid>,
    /// The branch; `None` when HEAD is detached.
    pub branch: Option<BranchName>,
}

/// Why a HEAD cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The file cannot be read.
    #[error("cannot read HEAD in `{}`", git_dir.display())]
    Io {
        /// The git directory.
        git_dir: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It names neither a commit nor a branch.
    #[error("HEAD in `{}` names neither a commit nor a branch: `{text}`", git_dir.display())]
    Strange {
        /// The git directory.
        git_dir: std::path::PathBuf,
        /// What it holds.
        text: String,
    },
    /// Git could not be asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The commit that a base names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedBase {
    /// The commit.
    pub oid: Oid,
    /// The local branch that the base named: itself, HEAD's, or the one of the same name as a remote branch.
    pub branch: Option<BranchName>,
}

/// Why a base names no commit.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Nothing has this name.
    #[error("`{0}` names nothing in this repository")]
    Unknown(String),
    /// It names something that is no commit.
    #[error("`{0}` names no commit")]
    NotACommit(String),
    /// Both a branch and a tag have this name.
    #[error("`{0}` names both a branch and a tag")]
    Ambiguous(String),
    /// Git could not be asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Repository {
    /// Reads the HEAD in `git_dir` (an administrative directory, or the common one) without trusting that directory.
    ///
    /// # Errors
    /// It cannot be read or names neither a commit nor a branch.
    pub fn head(&self, git: &Git, git_dir: &Path) -> Result<Head, HeadError> {
        match self.ref_format {
            RefFormat::Files => self.head_file(git, git_dir),
            RefFormat::Reftable => self.head_table(git, git_dir),
        }
    }

    /// Reads the HEAD of where one stands.
    ///
    /// # Errors
    /// As [`Repository::head`].
    pub fn current_head(&self, git: &Git) -> Result<Head, HeadError> {
        self.head(git, &self.git_dir)
    }

    /// The files that are written when HEAD of the main worktree comes to stand for another commit: a commit on its branch, another
    /// branch, refs that are packed. They need not be there.
    ///
    /// *Source*: gitrepository-layout(5), and the reftable documentation: `tables.list` is replaced by each change.
    #[must_use]
    pub fn files_of_head(&self, head: &Head) -> Vec<PathBuf> {
        let mut files = match self.ref_format {
            RefFormat::Reftable => vec!["reftable/tables.list".into()],
            RefFormat::Files => vec![PathBuf::from("HEAD"), "packed-refs".into()],
        };
        if let (RefFormat::Files, Some(branch)) = (self.ref_format, &head.branch) {
            files.push(OsStr::from_bytes(branch.full().as_bytes()).into());
        }
        files.iter().map(|file| self.common_dir.join(file)).collect()
    }

    fn head_file(&self, git: &Git, git_dir: &Path) -> Result<Head, HeadError> {
        let unreadable = |source| HeadError::Io { git_dir: git_dir.to_owned(), source };
        let bytes = read_plain(&git_dir.join("HEAD")).map_err(unreadable)?.unwrap_or_default();
        let text = bytes.trim_end().to_str_lossy().into_owned();
        let strange = || HeadError::Strange { git_dir: git_dir.to_owned(), text: text.clone() };
        match text.strip_prefix("ref:") {
            Some(full) => {
                let branch = BranchName::from_full(full.trim()).ok_or_else(strange)?;
                Ok(Head { oid: read_ref(git, self, &branch.full())?, branch: Some(branch) })
            }
            None => Ok(Head { oid: Some(text.parse().map_err(|_: OidError| strange())?), branch: None }),
        }
    }

    /// The table is binary, so git reads it; `symbolic-ref` and `rev-parse` run nothing that a configuration names.
    fn head_table(&self, git: &Git, git_dir: &Path) -> Result<Head, HeadError> {
        let call = |verb| git.call(verb).repository(git_dir, &self.common_dir).offline();
        let symbolic = call("symbolic-ref").args(["--no-recurse", "-q", "HEAD"]).ask()?;
        let Some(full) = symbolic else {
            let detached = call("rev-parse").args(["--verify", "-q", "HEAD"]);
            return Ok(Head {
                oid: detached.ask()?.map(|text| text_oid(&detached, &text)).transpose()?,
                branch: None,
            });
        };
        let text = full.trim_end().to_str_lossy().into_owned();
        let strange = || HeadError::Strange { git_dir: git_dir.to_owned(), text: text.clone() };
        let branch = BranchName::from_full(&text).ok_or_else(strange)?;
        Ok(Head { oid: read_ref(git, self, &branch.full())?, branch: Some(branch) })
    }

    /// Finds the commit that `base` names where one stands, in git's own notation of revisions.
    ///
    /// # Errors
    /// It names nothing, no commit, or two things at once.
    pub fn resolve_commit(&self, git: &Git, base: &str) -> Result<ResolvedBase, ResolveError> {
        if base.is_empty() || base.contains(['\0', '\n']) {
            return Err(ResolveError::Unknown(base.escape_debug().to_string()));
        }
        let verify = |what: &str| self.rev_parse(git).args(["--verify", "-q", "--end-of-options", what]);
        let commit = verify(&format!("{base}^{{commit}}"));
        let Some(found) = quiet(&commit)? else {
            let anything = quiet(&verify(base))?.is_some();
            let wrong = if anything { ResolveError::NotACommit } else { ResolveError::Unknown };
            return Err(wrong(base.to_owned()));
        };
        Ok(ResolvedBase { oid: text_oid(&commit, &found)?, branch: self.branch_named(git, base)? })
    }

    fn branch_named(&self, git: &Git, base: &str) -> Result<Option<BranchName>, ResolveError> {
        let call =
            self.rev_parse(git).args(["--symbolic-full-name", "--verify", "-q", "--end-of-options", base]);
        let full = quiet(&call)?.unwrap_or_default();
        let full = full.trim_end().to_str_lossy().into_owned();
        if full.is_empty() && self.is_branch_and_tag(git, base)? {
            return Err(ResolveError::Ambiguous(base.to_owned()));
        }
        if let Some(branch) = BranchName::from_full(&full) {
            return Ok(Some(branch));
        }
        let local = full.strip_prefix("refs/remotes/").and_then(|rest| rest.split_once('/'));
        let Some(branch) = local.and_then(|(_, name)| name.parse::<BranchName>().ok()) else {
            return Ok(None);
        };
        Ok(read_ref(git, self, &branch.full())?.map(|_| branch))
    }

    fn is_branch_and_tag(&self, git: &Git, base: &str) -> Result<bool, GitError> {
        let Ok(branch) = base.parse::<BranchName>() else { return Ok(false) };
        let tag = format!("refs/tags/{base}");
        Ok(read_ref(git, self, &branch.full())?.is_some() && read_ref(git, self, &tag)?.is_some())
    }

    fn rev_parse<'g>(&self, git: &'g Git) -> Call<'g> {
        git.call("rev-parse").repository(&self.git_dir, &self.common_dir).offline()
    }
}

/// Asks `rev-parse -q`, which says "no" with 1 and, where a name is ambiguous or a path is meant, with 128.
fn quiet(call: &Call<'_>) -> Result<Option<Vec<u8>>, GitError> {
    let output = call.output()?;
    match output.status {
        Some(0) => Ok(Some(output.stdout)),
        Some(1 | 128) => Ok(None),
        _ => Err(call.failure(output)),
    }
}
