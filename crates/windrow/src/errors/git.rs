//! The kinds of what git and the object database report.

use std::path::Path;

use windrow_core::git::{
    AdminError, AttributesError, CheckoutError, DiscoverError, GitError, GitFailure, HeadError, IndexError,
    ObjectError, OperationsError, RefError, ResolveError, SnapshotError, StageError, SubmodulesError,
    VerifyError,
};

use super::kind::{Classify, Kind};
use crate::wire::{Bytes, Code};

impl Classify for GitError {
    fn kind(&self) -> Kind {
        match self {
            Self::Failed(failure) => Kind { said: said(failure), ..Kind::new(Code::Git) },
            Self::NotFound { .. } => Kind::new(Code::Git).hint("install git, or put it on PATH"),
            Self::Start { source, .. } => Kind::io(source),
            Self::TooOld { .. } => Kind::new(Code::Git).hint("install a newer git"),
            Self::Waits { path } => Kind::new(Code::Git).path(path).hint("put it out of git's way"),
            Self::Overdue { .. } => {
                Kind::new(Code::Unreachable).hint("try again, or give it longer by `push.timeout`")
            }
            Self::Unreliable { .. } => Kind::new(Code::Git).hint("nothing was changed by that; try again"),
            Self::Output { .. } => {
                Kind::new(Code::Git).hint("`git --version` tells whether that is git, and which one")
            }
        }
    }
}

/// What git said, without its own prefix.
fn said(failure: &GitFailure) -> Option<String> {
    let text = failure.stderr.trim();
    let text = text.strip_prefix("fatal: ").or_else(|| text.strip_prefix("error: ")).unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}

impl Classify for StageError {
    fn kind(&self) -> Kind {
        match self {
            Self::Index(error) => error.kind(),
            Self::Git(error) => error.kind().hint("nothing was changed; a filter may have failed"),
        }
    }
}

impl Classify for DiscoverError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotARepository { start } => Kind::new(Code::NotARepository)
                .path(start)
                .hint("change into a git repository, or name one with `--repo PATH`"),
            Self::Several { start, found } => several(start, found),
            Self::Unsafe { start, .. } => Kind::new(Code::Untrusted).path(start).hint(format!(
                "if you trust it: git config --global --add safe.directory '{}'",
                start.display()
            )),
            Self::Broken { start, .. } => {
                Kind::new(Code::NotARepository).path(start).hint("`git status` there tells more")
            }
            Self::NotADirectory { start, .. } => {
                Kind::new(Code::NotARepository).path(start).hint("name a directory: `--repo PATH`")
            }
            Self::Git(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

fn several(start: &Path, found: &[std::path::PathBuf]) -> Kind {
    let example = found.first().map_or("PATH".to_owned(), |path| path.display().to_string());
    Kind::new(Code::AmbiguousRepository)
        .path(start)
        .detail(|details| details.repositories = found.iter().map(|path| Bytes::path(path)).collect())
        .hint(format!("name one: `--repo {example}`"))
}

impl Classify for HeadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Io { git_dir, source } => Kind::io(source).path(git_dir),
            Self::Strange { git_dir, .. } => Kind::new(Code::Git).path(git_dir),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for ResolveError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) => {
                Kind::new(Code::NotFound).hint("a branch of a remote may need `git fetch` first")
            }
            Self::NotACommit(_) => Kind::new(Code::NotFound).hint("name a branch, a tag or a commit"),
            Self::Ambiguous(name) => {
                Kind::new(Code::Conflict).hint(format!("write `refs/heads/{name}` or `refs/tags/{name}`"))
            }
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for RefError {
    fn kind(&self) -> Kind {
        match self {
            Self::Conflict { .. } => Kind::new(Code::Busy).hint("somebody else moved it; try again"),
            Self::Blocked { blocker, .. } => Kind::new(Code::Conflict)
                .hint(format!("rename `{blocker}`, or set `branch.template` to another prefix")),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for AdminError {
    fn kind(&self) -> Kind {
        match self {
            Self::Taken(path) => Kind::new(Code::Busy).path(path),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for ObjectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing(_) | Self::Damaged { .. } => {
                Kind::new(Code::Git).hint("`git fsck` tells what is wrong with the repository")
            }
            Self::Kind(..) => Kind::new(Code::Git),
            Self::Open { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for IndexError {
    fn kind(&self) -> Kind {
        match self {
            Self::Locked(path) => {
                Kind::new(Code::Busy).path(path).hint("another git command is at work there")
            }
            Self::Split(path) | Self::Sparse(path) => Kind::new(Code::Git).path(path),
            Self::Damaged { path, .. } => Kind::new(Code::Git).path(path),
            Self::Counts { .. } => Kind::new(Code::Internal),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for AttributesError {
    fn kind(&self) -> Kind {
        match self {
            Self::Object(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for CheckoutError {
    fn kind(&self) -> Kind {
        match self {
            Self::Tampered(path) => Kind::new(Code::Conflict).path(path),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Git(error) => {
                let kind = error.kind();
                let hint = "the programs that the filters in `.gitattributes` need must be installed, and the \
                            remote of a partial clone must be there";
                Kind { hint: kind.hint.or_else(|| Some(hint.to_owned())), ..kind }
            }
        }
    }
}

impl Classify for VerifyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Index { .. } | Self::Dirty(_) => Kind::new(Code::Conflict)
                .hint("a filter or a hook may have changed files; `git status` in a fresh clone tells more"),
            Self::Object(error) => error.kind(),
            Self::ReadIndex(error) => error.kind(),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for SnapshotError {
    fn kind(&self) -> Kind {
        match self {
            Self::Head(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Object(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for OperationsError {
    fn kind(&self) -> Kind {
        match self {
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for SubmodulesError {
    fn kind(&self) -> Kind {
        match self {
            Self::Index(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}
