//! The calls of btrfs.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use rustix::{
    io::Errno,
    ioctl::{Getter, Opcode, Setter, ioctl, opcode},
};

use super::Writing;
use crate::fs::at;

const GROUP: u8 = 0x94;
/// `BTRFS_IOC_SUBVOL_CREATE`.
const MAKE: Opcode = opcode::write::<Named>(GROUP, 14);
/// `BTRFS_IOC_SNAP_DESTROY`.
const DELETE: Opcode = opcode::write::<Named>(GROUP, 15);
/// `BTRFS_IOC_SNAP_CREATE_V2`.
const SNAPSHOT: Opcode = opcode::write::<SnapshotOf>(GROUP, 23);
/// `BTRFS_IOC_SUBVOL_GETFLAGS`.
const GET_FLAGS: Opcode = opcode::read::<u64>(GROUP, 25);
/// `BTRFS_IOC_SUBVOL_SETFLAGS`.
const SET_FLAGS: Opcode = opcode::write::<u64>(GROUP, 26);
/// `BTRFS_SUBVOL_RDONLY`.
const READ_ONLY: u64 = 1 << 1;
/// `BTRFS_FIRST_FREE_OBJECTID`: the inode of the top of every subvolume.
const TOP: u64 = 256;
/// `BTRFS_SUPER_MAGIC` of statfs(2).
const MAGIC: u64 = 0x9123_683E;

/// `struct btrfs_ioctl_vol_args`.
#[repr(C)]
struct Named {
    fd: i64,
    name: [u8; 4088],
}

/// `struct btrfs_ioctl_vol_args_v2`.
#[repr(C)]
struct SnapshotOf {
    fd: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

pub(super) fn make(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    refuse_other_file_systems(parent)?;
    let named = Named { fd: 0, name: fixed(name)? };
    #[expect(unsafe_code, reason = "the call reads a structure of numbers and a name")]
    // SAFETY: the kernel reads the 4096 bytes that the number of the call tells, all of them initialised.
    let made = unsafe { ioctl(parent, Setter::<MAKE, Named>::new(named)) };
    made.map_err(io::Error::from)
}

pub(super) fn snapshot(from: BorrowedFd<'_>, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    refuse_other_file_systems(parent)?;
    let of = SnapshotOf {
        fd: from.as_raw_fd().into(),
        transaction: 0,
        flags: 0,
        unused: [0; 4],
        name: fixed(name)?,
    };
    #[expect(unsafe_code, reason = "the call reads a structure of numbers and a name")]
    // SAFETY: the kernel reads the 4096 bytes that the number of the call tells, all of them initialised; `from` is open.
    let taken = unsafe { ioctl(parent, Setter::<SNAPSHOT, SnapshotOf>::new(of)) };
    taken.map_err(io::Error::from)
}

pub(super) fn set_writing(subvolume: BorrowedFd<'_>, writing: Writing) -> io::Result<()> {
    refuse_other_file_systems(subvolume)?;
    #[expect(unsafe_code, reason = "the calls read and write one number")]
    // SAFETY: the kernel writes and reads the 8 bytes that the numbers of the calls tell.
    let set = unsafe {
        let flags = ioctl(subvolume, Getter::<GET_FLAGS, u64>::new())?;
        let flags = match writing {
            Writing::Permitted => flags & !READ_ONLY,
            Writing::Refused => flags | READ_ONLY,
        };
        ioctl(subvolume, Setter::<SET_FLAGS, u64>::new(flags))
    };
    set.map_err(io::Error::from)
}

pub(super) fn delete(parent: BorrowedFd<'_>, name: &[u8]) -> bool {
    if !is_top(parent, name) {
        return false;
    }
    let Ok(name) = fixed(name) else { return false };
    #[expect(unsafe_code, reason = "the call reads a structure of numbers and a name")]
    // SAFETY: the kernel reads the 4096 bytes that the number of the call tells, all of them initialised.
    unsafe { ioctl(parent, Setter::<DELETE, Named>::new(Named { fd: 0, name })) }.is_ok()
}

pub(super) fn is_top(parent: BorrowedFd<'_>, name: &[u8]) -> bool {
    let is_top = at::look(parent, name).is_ok_and(|looked| looked.stat.ino == TOP && looked.kind().is_dir());
    is_top && refuse_other_file_systems(parent).is_ok()
}

/// The numbers of these calls mean other things elsewhere.
fn refuse_other_file_systems(fd: BorrowedFd<'_>) -> io::Result<()> {
    let kind = rustix::fs::fstatfs(fd)?.f_type;
    if u64::try_from(kind).is_ok_and(|kind| kind & 0xffff_ffff == MAGIC) {
        Ok(())
    } else {
        Err(Errno::NOTTY.into())
    }
}

fn fixed<const LENGTH: usize>(name: &[u8]) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    // The last one ends the name.
    let place = bytes[..LENGTH - 1].get_mut(..name.len()).ok_or(Errno::NAMETOOLONG)?;
    place.copy_from_slice(name);
    Ok(bytes)
}
