//! What tells a directory from every other one, so that a path that was reused is never taken for ours.

use std::{io, os::fd::OwnedFd, path::Path};

use windrow_model::DirectoryIdentity;

use super::at;

/// Reads the identity of a directory: file system id, inode and, where recorded, birth time.
///
/// `None` when nothing is there. The last component is not followed.
///
/// # Errors
/// A symbolic link or anything else that is no directory is [`io::ErrorKind::NotADirectory`]; whatever keeps the
/// directory from being looked at is its own error.
pub fn directory_identity(path: &Path) -> io::Result<Option<DirectoryIdentity>> {
    match at::open_root(path) {
        Ok(fd) => identity_of(&fd).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // O_NOFOLLOW with O_DIRECTORY says ENOTDIR or ELOOP for a link, depending on the system.
        Err(error) if is_loop(&error) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
    }
}

/// Tells whether what was known by an identity may have been a subvolume of the btrfs that a directory is on; what cannot be told
/// was not.
///
/// Each subvolume says a file system id of its own, whose other half is that of the whole. *Source*: `btrfs_statfs`, and
/// `BTRFS_FIRST_FREE_OBJECTID`, the inode of the top of each.
#[must_use]
pub fn may_hold_subvolume(directory: &Path, subvolume: &DirectoryIdentity) -> bool {
    const TOP: u64 = 256;
    const WHOLE: u64 = 0xffff_ffff;
    let on = at::open_root(directory).and_then(|fd| Ok(is_btrfs(&fd)?.then_some(filesystem_of(&fd)?)));
    subvolume.inode == TOP && matches!(on, Ok(Some(on)) if (on ^ subvolume.filesystem) & WHOLE == 0)
}

#[cfg(target_os = "linux")]
fn is_btrfs(fd: &OwnedFd) -> io::Result<bool> {
    /// *Source*: `BTRFS_SUPER_MAGIC` of statfs(2).
    const BTRFS: u64 = 0x9123_683E;
    Ok(u64::try_from(rustix::fs::fstatfs(fd)?.f_type).is_ok_and(|kind| kind == BTRFS))
}

#[cfg(not(target_os = "linux"))]
fn is_btrfs(_fd: &OwnedFd) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(target_os = "linux"))]
fn filesystem_of(fd: &OwnedFd) -> io::Result<u64> {
    Ok(rustix::fs::fstatvfs(fd)?.f_fsid)
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(target_os = "linux")]
fn identity_of(fd: &OwnedFd) -> io::Result<DirectoryIdentity> {
    use rustix::fs::{AtFlags, StatxFlags};

    let found = rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
    let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let born = found
        .stx_btime
        .tv_sec
        .checked_mul(1_000_000_000)
        .and_then(|nanos| nanos.checked_add(found.stx_btime.tv_nsec.into()));
    Ok(DirectoryIdentity {
        filesystem: filesystem_of(fd)?,
        inode: found.stx_ino,
        born_nanos: born.filter(|_| has_birth),
    })
}

/// The id of a file system, the same after every reboot.
///
/// XFS says the number of its device, which a reboot may change, so there its UUID takes that place.
#[cfg(target_os = "linux")]
fn filesystem_of(fd: &OwnedFd) -> io::Result<u64> {
    /// *Source*: `XFS_SB_MAGIC` of statfs(2).
    const XFS: u64 = 0x5846_5342;
    let found = rustix::fs::fstatfs(fd)?;
    if u64::try_from(found.f_type).is_ok_and(|kind| kind == XFS) {
        return xfs_uuid(fd);
    }
    Ok(rustix::fs::fstatvfs(fd)?.f_fsid)
}

/// *Source*: `struct xfs_fsop_geom_v1` of the kernel's `xfs_fs.h`, read by `XFS_IOC_FSGEOMETRY_V1` since before Linux 2.6.
#[cfg(target_os = "linux")]
fn xfs_uuid(fd: &OwnedFd) -> io::Result<u64> {
    use rustix::ioctl::{Getter, Opcode, ioctl, opcode};

    // Aligned like the structure, whose UUID is the ninth and tenth of these.
    type Geometry = [u64; 14];
    const FSGEOMETRY_V1: Opcode = opcode::read::<Geometry>(b'X', 100);
    #[expect(unsafe_code, reason = "the call fills a structure of numbers, as large as it is given")]
    // SAFETY: the kernel writes the 112 bytes that the number of the call tells, any of which are valid.
    let geometry = unsafe { ioctl(fd, Getter::<FSGEOMETRY_V1, Geometry>::new())? };
    Ok(geometry[8] ^ geometry[9])
}

/// Without statx there is no birth time: the identity is weaker.
#[cfg(not(target_os = "linux"))]
fn identity_of(fd: &OwnedFd) -> io::Result<DirectoryIdentity> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(DirectoryIdentity { filesystem: filesystem_of(fd)?, inode: stat.st_ino, born_nanos: None })
}

#[cfg(test)]
mod tests {
    use std::{fs, io::ErrorKind, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_directory_keeps_its_identity_through_a_rename_and_no_other_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        fs::create_dir(&first).unwrap();
        let before = directory_identity(&first).unwrap().unwrap();
        fs::rename(&first, &second).unwrap();
        fs::create_dir(&first).unwrap();
        assert_eq!(directory_identity(&second).unwrap().unwrap(), before);
        assert_ne!(directory_identity(&first).unwrap().unwrap(), before);
    }

    #[test]
    fn nothing_is_none_and_what_is_no_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(directory_identity(&dir.path().join("absent")).unwrap(), None);
        fs::write(dir.path().join("file"), "").unwrap();
        symlink(dir.path(), dir.path().join("link")).unwrap();
        for name in ["file", "link"] {
            let error = directory_identity(&dir.path().join(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory, "{name}");
        }
    }
}
