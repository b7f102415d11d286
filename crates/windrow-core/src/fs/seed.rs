//! Takes build caches along: private copies of them, and times of change by which a build tool knows what is fresh.
//!
//! # Locking
//! What is copied is held by the build tool's own lock, [`BuildLock`], so that no build changes it meanwhile.
//!
//! # Crash safety
//! A copy is made in the trash and gets its place by one rename, so that a kill leaves nothing but trash.

mod cargo;
mod copy;
mod lock;
#[cfg(test)]
mod tests;
mod times;

use std::{io, path::PathBuf};

use bstr::BString;
use rustix::io::Errno;

pub use self::{
    cargo::{CargoCache, look_at_cargo},
    copy::{Blocks, CopiedTree, SourceTree, copy_tree, shares_blocks},
    lock::BuildLock,
    times::{Sources, Timed, Trust, give_times},
};
use super::{at, reflink, trash};

/// Why a build cache was not taken along.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It is not as it was a moment ago.
    #[error("`{path}` changed while it was copied")]
    Changed {
        /// The path in the cache.
        path: BString,
    },
    /// The disk is full.
    #[error("no space left for `{path}`")]
    NoSpace {
        /// The path in the cache.
        path: BString,
    },
    /// A link would lead from the copy into the checkout that it was taken from.
    #[error("the link `{path}` leads into the checkout")]
    LeadsBack {
        /// The path in the cache.
        path: BString,
    },
    /// Something is mounted in it.
    #[error("`{path}` is a mount point")]
    Mount {
        /// The path in the cache.
        path: BString,
    },
    /// The build tool lays its cache out in a way that is not known.
    #[error("`{path}` is not laid out in a way that is known")]
    Layout {
        /// The path in the cache.
        path: BString,
    },
    /// Anything else.
    #[error("cannot use `{path}`")]
    Io {
        /// The path, relative to what was worked on.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SeedError {
    fn at(path: &[u8], source: impl Into<io::Error>) -> Self {
        let (path, source) = (BString::from(path), source.into());
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace { path },
            Some(Errno::XDEV) => Self::Mount { path },
            _ => Self::Io { path, source },
        }
    }
}

/// Makes an empty directory in a trash directory, for what gets its place by a rename; what is left in it is deleted like all trash.
///
/// # Errors
/// The trash cannot be used.
pub fn seed_place(trash: &std::path::Path) -> io::Result<super::SetAside> {
    trash::scratch(trash)
}

/// The bytes of a path.
fn bytes_of(path: &std::path::Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes()
}

fn path_of(root: &std::path::Path, path: &[u8]) -> PathBuf {
    at::below(root, path)
}
