//! Subvolumes of btrfs: directories that can be copied whole in one step.
//!
//! # Compatibility
//! Anybody may make one and take a snapshot of a directory that is his. Only root may delete one in one step, and its owner where
//! the file system is mounted with `user_subvol_rm_allowed`; an empty one goes by `rmdir` (Linux 4.18).
//! *Source*: btrfs-subvolume(8), ioctl numbers and structures of the kernel's `btrfs.h`.

#[cfg(not(target_os = "linux"))]
use self::other as platform;
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

#[cfg(target_os = "linux")]
use self::linux as platform;
use super::at;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(test)]
mod tests;

/// Who may write in a subvolume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Whoever the permissions let.
    Permitted,
    /// Nobody.
    Refused,
}

/// Makes an empty subvolume.
///
/// # Errors
/// Something is there, the file system has none, or the system refuses.
pub fn make_subvolume(path: &Path) -> io::Result<()> {
    let (parent, name) = place(path)?;
    platform::make(parent.as_fd(), &name)
}

/// Makes a snapshot of a subvolume that can be written, with all that is in it as it is at one moment.
///
/// # Errors
/// Something is there, `from` is no subvolume of that file system, or the system refuses.
pub fn snapshot(from: &Path, to: &Path) -> io::Result<()> {
    let from = at::open_root(from)?;
    let (parent, name) = place(to)?;
    platform::snapshot(from.as_fd(), parent.as_fd(), &name)
}

/// Says whether anything in a subvolume may be changed.
///
/// # Errors
/// It is no subvolume, or the system refuses.
pub fn set_writing(path: &Path, writing: Writing) -> io::Result<()> {
    platform::set_writing(at::open_root(path)?.as_fd(), writing)
}

/// Tells whether a directory is a subvolume; what cannot be told is none.
#[must_use]
pub fn is_subvolume(path: &Path) -> bool {
    place(path).is_ok_and(|(parent, name)| platform::is_top(parent.as_fd(), &name))
}

/// Deletes a subvolume with all that is in it; `false` when it is none, holds another, or only its files one by one may be
/// deleted.
pub(super) fn delete(parent: &OwnedFd, name: &[u8]) -> bool {
    platform::delete(parent.as_fd(), name)
}

/// Removes a directory with all that is in it, in one step where it is a subvolume.
///
/// # Errors
/// It is not there, or something in it cannot be removed.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let (parent, name) = place(path)?;
    if delete(&parent, &name) { Ok(()) } else { std::fs::remove_dir_all(path) }
}

fn place(path: &Path) -> io::Result<(OwnedFd, Vec<u8>)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((at::open_root(parent)?, name.as_encoded_bytes().to_vec()))
}
