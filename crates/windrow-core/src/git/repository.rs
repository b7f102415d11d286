//! A repository as Windrow sees it: one common directory, the place one stands in, formats and configuration.

use std::path::PathBuf;

use super::{
    command::{Call, Git},
    config::{Config, Sparse},
};

/// The hash by which a repository names objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFormat {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

/// How a repository stores refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefFormat {
    /// Loose files and `packed-refs`.
    Files,
    /// Binary tables.
    Reftable,
}

/// A repository, found once; what it says of itself was true at that moment.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The directory that all worktrees share, canonical.
    pub common_dir: PathBuf,
    /// The git directory of where one stands, canonical; equals `common_dir` in the main worktree.
    pub git_dir: PathBuf,
    /// The root of the main worktree; `None` when the repository is bare.
    pub main_worktree: Option<PathBuf>,
    /// The root of the worktree one stands in; `None` inside a git directory.
    pub current_worktree: Option<PathBuf>,
    /// The hash.
    pub object_format: ObjectFormat,
    /// The storage of refs.
    pub ref_format: RefFormat,
    /// The configuration.
    pub config: Config,
}

impl Repository {
    /// Begins a call of `git VERB` on the shared part of the repository, with no worktree.
    ///
    /// It reads no file that belongs to one worktree but the main one's.
    #[must_use]
    pub fn call<'g>(&self, git: &'g Git, verb: &str) -> Call<'g> {
        git.call(verb).repository(&self.common_dir, &self.common_dir)
    }

    /// Signs commits of a call as the user, or as Windrow where the user has no name or address.
    #[must_use]
    pub fn signed<'g>(&self, git: &Git, call: Call<'g>) -> Call<'g> {
        let known =
            |variable: &str, key: &str| git.variable(variable).is_some() || self.config.get(key).is_some();
        let author = known("GIT_AUTHOR_NAME", "user.name") && known("GIT_AUTHOR_EMAIL", "user.email");
        let committer =
            known("GIT_COMMITTER_NAME", "user.name") && known("GIT_COMMITTER_EMAIL", "user.email");
        if author && committer { call } else { call.own_identity() }
    }

    /// Windrow's own directory inside the common directory.
    #[must_use]
    pub fn windrow_dir(&self) -> PathBuf {
        self.common_dir.join("windrow")
    }

    /// Tells whether one stands in (or in the git directory of) a linked worktree.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.git_dir != self.common_dir
    }

    /// Tells whether history is cut off.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.common_dir.join("shallow").exists()
    }

    /// Tells whether objects may be missing and are fetched when needed.
    #[must_use]
    pub fn is_partial_clone(&self) -> bool {
        let promised = |key: &&bstr::BString| key.ends_with(b".promisor");
        self.config.get("extensions.partialclone").is_some()
            || self.config.keys("remote.").any(|key| promised(&key))
    }

    /// How the main worktree is made sparse; `None` when it is not.
    #[must_use]
    pub fn sparse(&self) -> Option<Sparse> {
        self.config.sparse(&self.common_dir)
    }
}

impl ObjectFormat {
    /// Length of an object name in bytes.
    #[must_use]
    pub fn digest_bytes(self) -> usize {
        self.hash().len_in_bytes()
    }

    pub(super) fn hash(self) -> gix_hash::Kind {
        match self {
            Self::Sha1 => gix_hash::Kind::Sha1,
            Self::Sha256 => gix_hash::Kind::Sha256,
        }
    }
}
