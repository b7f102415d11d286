//! Systems without namespaces.

use std::io;

fn unsupported() -> io::Error {
    io::Error::from(io::ErrorKind::Unsupported)
}

pub(super) fn wait_until_single() -> io::Result<()> {
    Ok(())
}

pub(super) fn unshare() -> io::Result<()> {
    Err(unsupported())
}

pub(super) struct Namespaces;

impl Namespaces {
    pub(super) fn of(_pid: u32) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(super) fn enter(&self) -> io::Result<()> {
        Err(unsupported())
    }
}

pub(super) struct Rights;

impl Rights {
    pub(super) fn take() -> io::Result<Self> {
        Err(unsupported())
    }

    pub(super) fn give_up(self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn shares_mounts(_pid: u32) -> bool {
    false
}
