//! Finds out what became of the files that were carried.

use std::{fs::File, io, os::fd::OwnedFd, path::Path};

use bstr::BString;
use rustix::{
    fs::{FileType, Mode},
    io::Errno,
};
use windrow_model::{CarriedFile, CarriedKind};

use super::{CarryError, at, temporary};

/// What became of a carried path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CarriedState {
    /// It is as it was brought.
    Unchanged,
    /// Its content, mode or type is another.
    Changed,
    /// It is gone.
    Deleted,
}

/// A carried path and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedChange {
    /// Path relative to the root, raw bytes.
    pub path: BString,
    /// What became of it.
    pub state: CarriedState,
}

/// Compares carried paths with what lies in a worktree now, by type, mode and size first and then by content.
///
/// One answer for each file, in their order. Times do not count; a directory is unchanged while it is a directory.
///
/// # Errors
/// Something cannot be looked at or read.
pub fn verify_carried(root: &Path, files: &[CarriedFile]) -> Result<Vec<CarriedChange>, CarryError> {
    let root = at::open_root(root).map_err(|source| CarryError::read(b"", source))?;
    let judge = |file: &CarriedFile| {
        let state = state_of(&root, file).map_err(|source| CarryError::read(&file.path, source))?;
        Ok(CarriedChange { path: file.path.clone(), state })
    };
    files.iter().map(judge).collect()
}

fn state_of(root: &OwnedFd, file: &CarriedFile) -> io::Result<CarriedState> {
    match same(root, file) {
        Ok(Same::Yes) => Ok(CarriedState::Unchanged),
        Ok(Same::No) => Ok(CarriedState::Changed),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Ok(CarriedState::Deleted),
            // A directory above it is a link or a file now.
            Some(Errno::LOOP | Errno::NOTDIR) => Ok(CarriedState::Changed),
            _ => Err(error),
        },
    }
}

enum Same {
    Yes,
    No,
}

impl From<bool> for Same {
    fn from(same: bool) -> Self {
        if same { Self::Yes } else { Self::No }
    }
}

fn same(root: &OwnedFd, file: &CarriedFile) -> io::Result<Same> {
    let looked = at::look_beneath(root, &file.path)?;
    match (file.kind, looked.kind()) {
        (CarriedKind::Directory, FileType::Directory) => Ok(Same::Yes),
        (CarriedKind::Symlink | CarriedKind::Link, FileType::Symlink) => {
            let (parent, name) = at::split(&file.path);
            let target = at::read_link(at::open_dir(root, parent)?, name)?;
            Ok((temporary::hash(&target) == file.hash).into())
        }
        (CarriedKind::File, FileType::RegularFile) => {
            if looked.stat.size != file.size || looked.permissions() != file.mode {
                return Ok(Same::No);
            }
            let fd = at::open(root, &file.path, at::READ, Mode::empty())?;
            let (_, hash) = temporary::copy_hashed(&mut File::from(fd), &mut io::sink())?;
            Ok((hash == file.hash).into())
        }
        _ => Ok(Same::No),
    }
}
