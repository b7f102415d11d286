//! Opening and looking relative to a directory's descriptor, never through a symbolic link.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps},
    io::Errno,
};
use windrow_model::{FileStat, Stamp};

/// What one look at a name tells, without following it.
pub(super) struct Looked {
    pub(super) stat: FileStat,
    /// `st_mode`, the type included.
    pub(super) mode: u32,
    /// Whether something is mounted there.
    pub(super) mount: bool,
    /// Bytes that the file system set aside for it.
    pub(super) allocated: u64,
    /// How many names it has.
    pub(super) links: u64,
}

/// The unit of `st_blocks`, whatever the file system's own. *Source*: inode(7).
const BLOCK: u64 = 512;

impl Looked {
    pub(super) fn kind(&self) -> rustix::fs::FileType {
        rustix::fs::FileType::from_raw_mode(self.mode)
    }

    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// For reading a regular file; a fifo put in its place must not block.
pub(super) const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// For making a file that must not be there.
pub(super) const CREATE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory by its path; its last component must not be a symbolic link.
pub(super) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

/// Opens a directory below `root`, through no symbolic link; an empty path is `root` itself.
pub(super) fn open_dir(root: impl AsFd, path: &[u8]) -> io::Result<OwnedFd> {
    open(root, path, DIRECTORY, Mode::empty())
}

/// Opens what lies at a relative path, with no symbolic link and no `..` that leaves `root` on the way.
pub(super) fn open(root: impl AsFd, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b".".as_slice() } else { path };
    platform::open_beneath(root.as_fd(), path, flags, mode)
}

/// Opens a directory beside which nothing is mounted: a mount point gives `EXDEV`.
pub(super) fn open_dir_same_mount(root: impl AsFd, path: &[u8]) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b".".as_slice() } else { path };
    platform::open_same_mount(root.as_fd(), path, DIRECTORY)
}

/// Tells whether a relative path, links in it followed, leaves `root`; what is not there does not, what cannot be told does.
pub(super) fn resolves_outside(root: impl AsFd, path: &[u8]) -> bool {
    match platform::resolve_beneath(root.as_fd(), path) {
        Ok(()) => false,
        Err(error) => !matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR)),
    }
}

/// Looks at a name in a directory without following it.
pub(super) fn look(dir: impl AsFd, name: &[u8]) -> io::Result<Looked> {
    platform::look(dir.as_fd(), name)
}

/// Like [`look`]; `None` when nothing is there.
pub(super) fn look_if_there(dir: impl AsFd, name: &[u8]) -> io::Result<Option<Looked>> {
    match look(dir, name) {
        Ok(looked) => Ok(Some(looked)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether a name that [`names`] gave is a directory; what is gone by now is none.
pub(super) fn is_directory(dir: impl AsFd, name: &[u8], kind: rustix::fs::FileType) -> io::Result<bool> {
    match kind {
        rustix::fs::FileType::Directory => Ok(true),
        rustix::fs::FileType::Unknown => {
            Ok(look_if_there(dir, name)?.is_some_and(|looked| looked.kind().is_dir()))
        }
        _ => Ok(false),
    }
}

/// Looks at a relative path below `root` through no symbolic link.
pub(super) fn look_beneath(root: impl AsFd, path: &[u8]) -> io::Result<Looked> {
    let (parent, name) = split(path);
    look(open_dir(root, parent)?, name)
}

/// The names in a directory, without `.` and `..`, in the order of the file system, with the type it gives.
pub(super) fn names(dir: impl AsFd) -> io::Result<Vec<(Vec<u8>, rustix::fs::FileType)>> {
    let mut found = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            found.push((name.to_owned(), entry.file_type()));
        }
    }
    Ok(found)
}

/// Like [`names`], of a directory that was just opened and whose names are read only this once: that saves opening it again.
pub(super) fn names_once(dir: &OwnedFd) -> io::Result<Vec<(Vec<u8>, rustix::fs::FileType)>> {
    platform::names_once(dir)
}

/// The target of a symbolic link.
pub(super) fn read_link(dir: impl AsFd, name: &[u8]) -> io::Result<Vec<u8>> {
    Ok(rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes())
}

/// The directory part and the last component; the directory part is empty at the top.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.rfind_byte(b'/').map_or((b"".as_slice(), path), |at| (&path[..at], &path[at + 1..]))
}

/// Joins slash-separated parts; an empty parent adds no slash.
pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_owned() } else { [parent, b"/", name].concat() }
}

/// The path of a relative name below a root, for messages and for interfaces that take paths.
pub(super) fn below(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(path)) }
}

/// Makes the directories of a path that are missing, through no symbolic link, and names each one it made.
pub(super) fn make_directories(
    root: &OwnedFd,
    path: &[u8],
    mode: Mode,
    mut made: impl FnMut(&[u8]),
) -> io::Result<()> {
    if open_dir(root, path).is_ok() {
        return Ok(());
    }
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for end in ends.chain([path.len()]).filter(|end| *end > 0) {
        let (parent, name) = split(&path[..end]);
        match rustix::fs::mkdirat(open_dir(root, parent)?, name, mode) {
            Ok(()) => made(&path[..end]),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Gives a name to a finished temporary file in the same directory, never replacing anything.
pub(super) fn publish(dir: impl AsFd, temporary: &[u8], name: &[u8]) -> io::Result<()> {
    let dir = dir.as_fd();
    match rustix::fs::renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
        // Some network and FUSE file systems know no flags; a hard link refuses an existing name just as well.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty())?;
            Ok(rustix::fs::unlinkat(dir, temporary, AtFlags::empty())?)
        }
        result => Ok(result?),
    }
}

/// Sets the time of the last change of an open file and leaves the other alone.
pub(super) fn set_mtime(fd: impl AsFd, stamp: Stamp) -> io::Result<()> {
    Ok(rustix::fs::futimens(fd, &times(stamp))?)
}

/// Sets the time of the last change of a name without following it.
pub(super) fn set_mtime_at(dir: impl AsFd, name: &[u8], stamp: Stamp) -> io::Result<()> {
    Ok(rustix::fs::utimensat(dir, name, &times(stamp), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn times(stamp: Stamp) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: stamp.seconds, tv_nsec: stamp.nanos.into() },
    }
}

/// The stat data of an open file.
pub(super) fn stat_of(fd: impl AsFd) -> io::Result<(FileStat, u32)> {
    let stat = rustix::fs::fstat(fd)?;
    Ok((file_stat(&stat), stat.st_mode))
}

fn file_stat(stat: &Stat) -> FileStat {
    FileStat {
        mtime: Stamp { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() },
        ctime: Stamp { seconds: stat.st_ctime, nanos: u32::try_from(stat.st_ctime_nsec).unwrap_or_default() },
        dev: stat.st_dev,
        ino: stat.st_ino,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
    }
}

/// Opens component by component, for kernels without a call that confines a whole path.
fn open_by_components(
    root: std::os::fd::BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let (parent, name) = split(path);
    if path.split(|&byte| byte == b'/').any(|part| part == b"..") || path.starts_with(b"/") {
        return Err(Errno::XDEV.into());
    }
    let mut held: Option<OwnedFd> = None;
    for part in parent.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        let from = held.as_ref().map_or(root, AsFd::as_fd);
        held = Some(rustix::fs::openat(from, part, DIRECTORY, Mode::empty())?);
    }
    let from = held.as_ref().map_or(root, AsFd::as_fd);
    Ok(rustix::fs::openat(from, name, flags | OFlags::NOFOLLOW, mode)?)
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        io,
        os::fd::{BorrowedFd, OwnedFd},
    };

    use rustix::{
        fs::{
            AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, StatxAttributes, StatxFlags,
            StatxTimestamp,
        },
        io::Errno,
    };
    use windrow_model::{FileStat, Stamp};

    use super::Looked;

    const CONFINED: ResolveFlags =
        ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

    pub(super) fn open_beneath(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        match rustix::fs::openat2(root, path, flags, mode, CONFINED) {
            Err(Errno::NOSYS) => super::open_by_components(root, path, flags, mode),
            result => Ok(result?),
        }
    }

    pub(super) fn open_same_mount(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = CONFINED.union(ResolveFlags::NO_XDEV);
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS) => super::open_by_components(root, path, flags, Mode::empty()),
            result => Ok(result?),
        }
    }

    pub(super) fn resolve_beneath(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<()> {
        let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
        rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
        Ok(())
    }

    pub(super) fn look(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Looked> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let found = rustix::fs::statx(dir, name, flags, StatxFlags::BASIC_STATS)?;
        let stat = FileStat {
            mtime: stamp(found.stx_mtime),
            ctime: stamp(found.stx_ctime),
            dev: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
            ino: found.stx_ino,
            uid: found.stx_uid,
            gid: found.stx_gid,
            size: found.stx_size,
        };
        let mount = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        let allocated = found.stx_blocks.saturating_mul(super::BLOCK);
        Ok(Looked { stat, mode: found.stx_mode.into(), mount, allocated, links: found.stx_nlink.into() })
    }

    fn stamp(time: StatxTimestamp) -> Stamp {
        Stamp { seconds: time.tv_sec, nanos: time.tv_nsec }
    }

    /// Room for what one call gives; the longest name has 255 bytes.
    const NAMES: usize = 1 << 15;

    pub(super) fn names_once(dir: &OwnedFd) -> io::Result<Vec<(Vec<u8>, FileType)>> {
        let mut found = Vec::new();
        let mut room = Vec::with_capacity(NAMES);
        let mut entries = RawDir::new(dir, room.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                found.push((name.to_owned(), entry.file_type()));
            }
        }
        Ok(found)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    //! No call here confines a whole path or tells mount points: paths are walked component by component, and a mount
    //! of the same device inside a tree goes unseen.

    use std::{
        io,
        os::fd::{BorrowedFd, OwnedFd},
    };

    use rustix::fs::{AtFlags, Mode, OFlags};

    use super::Looked;

    pub(super) fn open_beneath(
        root: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        super::open_by_components(root, path, flags, mode)
    }

    pub(super) fn open_same_mount(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let fd = super::open_by_components(root, path, flags, Mode::empty())?;
        if rustix::fs::fstat(&fd)?.st_dev != rustix::fs::fstat(root)?.st_dev {
            return Err(rustix::io::Errno::XDEV.into());
        }
        Ok(fd)
    }

    pub(super) fn names_once(dir: &OwnedFd) -> io::Result<Vec<(Vec<u8>, rustix::fs::FileType)>> {
        super::names(dir)
    }

    /// Links cannot be followed and confined at once here, so a path is judged by its text alone before this is asked.
    pub(super) fn resolve_beneath(_root: BorrowedFd<'_>, _path: &[u8]) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn look(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Looked> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mount = stat.st_dev != rustix::fs::fstat(dir)?.st_dev;
        Ok(Looked { stat: super::file_stat(&stat), mode: stat.st_mode.into(), mount })
    }
}
