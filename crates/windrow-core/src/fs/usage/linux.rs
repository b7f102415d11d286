//! Which blocks a file shares, asked by FIEMAP.
//!
//! *Source*: the kernel's `Documentation/filesystems/fiemap.rst` and `include/uapi/linux/fiemap.h`, Linux 2.6.28;
//! `FIEMAP_EXTENT_SHARED` since Linux 2.6.33.

use std::{io, os::fd::OwnedFd};

use rustix::{
    fs::Mode,
    ioctl::{Opcode, Updater, ioctl, opcode},
};

use super::{Looked, at, has_blocks};

/// What a file system does with the blocks of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// No two files share any.
    Never,
    /// Files may share what they have.
    Possible,
    /// The same, and files up to this length take none: they lie in the metadata.
    PossibleAbove(u64),
}

/// File systems in which no two files can share blocks. *Source*: statfs(2) and the kernel's `magic.h`.
const NEVER: [u64; 7] = [
    0xEF53,      // ext2, ext3, ext4
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0xF2F5_2010, // f2fs
    0x4D44,      // vfat
    0x2011_BAB0, // exfat
    0x9660,      // iso9660
];
const BTRFS: u64 = 0x9123_683E;

/// The default of the mount option `max_inline`. *Source*: btrfs(5).
const INLINE: u64 = 2_048;

impl Sharing {
    /// Asks once for a whole tree. What cannot be told may share.
    pub(super) fn of(root: &OwnedFd) -> Self {
        let kind = rustix::fs::fstatfs(root).ok().and_then(|found| u64::try_from(found.f_type).ok());
        match kind {
            Some(kind) if NEVER.contains(&kind) => Self::Never,
            Some(BTRFS) => Self::PossibleAbove(INLINE),
            _ => Self::Possible,
        }
    }

    /// How many bytes of a file others hold as well; `None` when that cannot be told.
    pub(super) fn of_file(self, directory: &OwnedFd, name: &[u8], looked: &Looked) -> Option<u64> {
        let above = match self {
            Self::Never => return Some(0),
            Self::Possible => 0,
            Self::PossibleAbove(length) => length,
        };
        if !has_blocks(looked) || looked.stat.size <= above {
            return Some(0);
        }
        let opened = at::open(directory, name, at::READ, Mode::empty());
        match opened.and_then(|file| shared_bytes(&file)) {
            Ok(shared) => Some(shared),
            // What vanished holds nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
            Err(_) => None,
        }
    }
}

/// How many extents are asked for at once: what fits a page of memory.
const EXTENTS: usize = 72;

/// `struct fiemap` with room for extents.
#[repr(C)]
struct Map {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
    extents: [Extent; EXTENTS],
}

/// `struct fiemap_extent`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    more_reserved: [u32; 3],
}

const LAST: u32 = 0x1;
const SHARED: u32 = 0x2000;

/// `FS_IOC_FIEMAP`, whose number counts the header only.
const FIEMAP: Opcode = opcode::read_write::<[u64; 4]>(b'f', 11);

fn shared_bytes(file: &OwnedFd) -> io::Result<u64> {
    let mut map = Map {
        start: 0,
        length: u64::MAX,
        flags: 0,
        mapped: 0,
        room: u32::try_from(EXTENTS).expect("it is a small number"),
        reserved: 0,
        extents: [Extent::default(); EXTENTS],
    };
    let mut shared = 0_u64;
    loop {
        fill(file, &mut map)?;
        let count = usize::try_from(map.mapped).unwrap_or(EXTENTS).min(EXTENTS);
        let found = &map.extents[..count];
        let own = found.iter().filter(|extent| extent.flags & SHARED != 0);
        shared = own.fold(shared, |sum, extent| sum.saturating_add(extent.length));
        let Some(last) = found.last().filter(|last| last.flags & LAST == 0) else { return Ok(shared) };
        let next = last.logical.saturating_add(last.length);
        if next <= map.start {
            return Err(io::ErrorKind::InvalidData.into());
        }
        (map.start, map.length, map.mapped) = (next, u64::MAX - next, 0);
    }
}

fn fill(file: &OwnedFd, map: &mut Map) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the call fills a structure of numbers that says how much it holds")]
    // SAFETY: the kernel writes the header and at most `room` extents, which all are there; any bytes are valid in them.
    unsafe {
        ioctl(file, Updater::<FIEMAP, Map>::new(map))?;
    }
    Ok(())
}
