//! Overlays: a directory that shows a tree that nobody changes, and above it what was changed.
//!
//! # Compatibility
//! Mounting needs the right to mount, which [`crate::process::go_apart`] gives anybody for what he alone sees (Linux 5.11). The upper
//! layer keeps its marks in extended attributes of users, so that who may not mount elsewhere reads the same there; therefore a
//! directory of the tree cannot be renamed, but only be copied. No two mounts have one upper layer at a time: the system refuses the
//! second where the file system gives out handles of files (ext4, xfs, btrfs).
//!
//! *Source*: `overlayfs.rst` of the kernel's documentation.

use std::{io, path::Path};

#[cfg(target_os = "linux")]
use self::linux as platform;
#[cfg(not(target_os = "linux"))]
use self::other as platform;
use super::trash;

/// What an overlay is made of.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// The tree that is shown.
    pub lower: &'a Path,
    /// What was changed.
    pub upper: &'a Path,
    /// An empty directory beside the upper layer, for the system alone.
    pub work: &'a Path,
}

/// Shows an overlay at a directory, in our mount namespace alone.
///
/// # Errors
/// A directory is not there, the upper layer is in use ([`io::ErrorKind::ResourceBusy`]) or cannot be one, or the system refuses.
pub fn mount_overlay(layers: &Layers<'_>, at: &Path) -> io::Result<()> {
    platform::mount(layers, at)
}

/// Takes an overlay away. When this succeeds nobody has anything in it open.
///
/// # Errors
/// Somebody has ([`io::ErrorKind::ResourceBusy`]), nothing is mounted there, or the system refuses.
pub fn unmount(at: &Path) -> io::Result<()> {
    platform::unmount(at)
}

/// Tells whether a path shows an overlay; what cannot be told does not.
#[must_use]
pub fn shows_overlay(at: &Path) -> bool {
    platform::shows_overlay(at)
}

/// Tries an overlay on the file system of a trash directory. What a kill leaves is in the trash.
///
/// # Errors
/// What the system said.
pub fn try_overlay(trash: &Path) -> io::Result<()> {
    let place = trash::scratch(trash)?;
    let [lower, upper, work, at] = ["lower", "upper", "work", "at"].map(|name| place.path().join(name));
    for directory in [&lower, &upper, &work, &at] {
        std::fs::create_dir(directory)?;
    }
    std::fs::write(lower.join("below"), "")?;
    mount_overlay(&Layers { lower: &lower, upper: &upper, work: &work }, &at)?;
    let tried = std::fs::write(at.join("above"), "").and_then(|()| std::fs::remove_file(at.join("below")));
    unmount(&at)?;
    tried?;
    let shown = upper.join("above").exists() && upper.join("below").symlink_metadata().is_ok();
    open_up(&work)?;
    std::fs::remove_dir_all(place.path())?;
    if shown { Ok(()) } else { Err(io::Error::other("what is written does not reach the upper layer")) }
}

/// Lets the owner of a work directory into what the system made there for itself.
fn open_up(work: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let all = std::fs::Permissions::from_mode(0o700);
    work.read_dir()?.try_for_each(|entry| std::fs::set_permissions(entry?.path(), all.clone()))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::CString,
        io,
        os::fd::{AsRawFd, OwnedFd},
        path::Path,
    };

    use rustix::mount::{MountFlags, UnmountFlags};

    use super::{super::at, Layers};

    /// Names a directory by its descriptor: no path has to be spelt in a list of options, and none is resolved a second time.
    fn named(directory: &OwnedFd) -> String {
        format!("/proc/self/fd/{}", directory.as_raw_fd())
    }

    pub(super) fn mount(layers: &Layers<'_>, at: &Path) -> io::Result<()> {
        let open = |path: &Path| at::open_root(path);
        let (lower, upper, work) = (open(layers.lower)?, open(layers.upper)?, open(layers.work)?);
        let at = open(at)?;
        let options = format!(
            "lowerdir={},upperdir={},workdir={},userxattr,index=on",
            named(&lower),
            named(&upper),
            named(&work)
        );
        let options = CString::new(options)?;
        Ok(rustix::mount::mount("windrow", named(&at), "overlay", MountFlags::empty(), &*options)?)
    }

    pub(super) fn unmount(at: &Path) -> io::Result<()> {
        Ok(rustix::mount::unmount(at, UnmountFlags::NOFOLLOW)?)
    }

    pub(super) fn shows_overlay(at: &Path) -> bool {
        /// *Source*: `OVERLAYFS_SUPER_MAGIC` of statfs(2).
        const OVERLAY: u64 = 0x794C_7630;
        let found = at::open_root(at).and_then(|fd| Ok(rustix::fs::fstatfs(fd)?.f_type));
        found.is_ok_and(|kind| u64::try_from(kind).is_ok_and(|kind| kind == OVERLAY))
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, path::Path};

    use super::Layers;

    pub(super) fn mount(_layers: &Layers<'_>, _at: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn unmount(_at: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn shows_overlay(_at: &Path) -> bool {
        false
    }
}
