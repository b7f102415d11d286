//! Reads one configuration file, without trusting what lies at its path.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::{ConfigError, Origin, Place};

/// The most that is read of one file, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// What is done about symlinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Followed: people keep their own files wherever they like.
    Followed,
    /// Followed as long as they end below the directory that the file lies in.
    WithinParent,
}

/// Reads the text; `None` when nothing is there. `origin` is for errors.
pub(super) fn read(path: &Path, links: Links, origin: &Origin) -> Result<Option<String>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(error) if is_absence(&error) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let resolved = path.canonicalize().map_err(failed)?;
    if links == Links::WithinParent {
        check_within_parent(path, &resolved)?;
    }
    let file = open(&resolved).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(ConfigError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: LARGEST });
    }
    String::from_utf8(bytes).map(Some).map_err(|_| ConfigError::NotText { place: Place::new(origin.clone()) })
}

/// Opens what was checked: no symlink put there since is followed, and a pipe does not block.
fn open(resolved: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(resolved, flags, Mode::empty())?))
}

fn check_within_parent(path: &Path, resolved: &Path) -> Result<(), ConfigError> {
    let parent = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let parent =
        parent.canonicalize().map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    if resolved.starts_with(&parent) {
        Ok(())
    } else {
        Err(ConfigError::LeavesRepository { path: path.to_owned(), target: resolved.to_owned() })
    }
}

/// Tells whether nothing is there; a parent that is a file leaves no room for one either.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
