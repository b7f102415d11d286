//! Files that share their blocks until somebody writes.

use std::{fs::File, io};

/// Makes `to` hold what `from` holds, on the same blocks.
///
/// *Source*: ioctl_ficlone(2).
///
/// # Errors
/// The file system cannot, or the two are not on the same one.
#[cfg(target_os = "linux")]
pub fn reflink(from: &File, to: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

/// Here only whole files with their names can be cloned, which nothing here does yet.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn reflink(_from: &File, _to: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
