//! How much room a file system has, and pushing what was written to its device.

use std::{io, path::Path};

use windrow_model::SpaceGuard;

/// Reads what the file system of a path has free.
///
/// # Errors
/// The path is not there or cannot be looked at.
pub fn space(path: &Path, reserve_bytes: u64) -> io::Result<SpaceGuard> {
    let found = rustix::fs::statvfs(path)?;
    Ok(SpaceGuard {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        // btrfs and others make inodes as needed and say that there are none.
        free_inodes: (found.f_files != 0).then_some(found.f_favail),
        reserve_bytes,
    })
}

/// Returns when all that was written to the file system of a path before the call is on its device.
///
/// *Source*: syncfs(2); errors of earlier write-backs are reported since Linux 5.8.
///
/// # Errors
/// The path cannot be opened, or something could not be written back.
#[cfg(target_os = "linux")]
pub fn sync_filesystem(path: &Path) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};

    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    Ok(rustix::fs::syncfs(fd)?)
}

/// Asks for all to be written, then makes the drive flush (F_FULLFSYNC of one directory).
///
/// `sync` returns before it is done here, so files written by others just before may still be under way: a weaker
/// promise than on Linux.
///
/// # Errors
/// The path cannot be opened, or the flush failed.
#[cfg(not(target_os = "linux"))]
pub fn sync_filesystem(path: &Path) -> io::Result<()> {
    rustix::fs::sync();
    std::fs::File::open(path)?.sync_all()
}

/// Returns when the names in a directory, as they are now, are on its device.
///
/// *Source*: fsync(2); on btrfs a directory that something was moved out of takes all earlier changes of names with it.
///
/// # Errors
/// The path cannot be opened, or the names could not be written.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_has_room_and_can_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        let guard = space(dir.path(), 7).unwrap();
        assert!(guard.total_bytes > guard.free_bytes / 2 && guard.free_bytes > 0, "{guard:?}");
        assert_eq!(guard.reserve_bytes, 7);
        sync_filesystem(dir.path()).unwrap();
    }

    #[test]
    fn what_is_not_there_has_no_room() {
        let absent = Path::new("/nonexistent-windrow");
        assert!(space(absent, 0).is_err());
        assert!(sync_filesystem(absent).is_err());
    }
}
