//! There are no subvolumes here.

use std::{io, os::fd::BorrowedFd};

use super::Writing;

pub(super) fn make(_parent: BorrowedFd<'_>, _name: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn snapshot(_from: BorrowedFd<'_>, _parent: BorrowedFd<'_>, _name: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn set_writing(_subvolume: BorrowedFd<'_>, _writing: Writing) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_top(_parent: BorrowedFd<'_>, _name: &[u8]) -> bool {
    false
}

pub(super) fn delete(_parent: BorrowedFd<'_>, _name: &[u8]) -> bool {
    false
}
