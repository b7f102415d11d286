//! A mount namespace of our own: what is mounted in it is seen by this process and those it starts, and goes with the last of them.
//!
//! Somebody who may not mount gets a user namespace with it, in which he is who he was: one user and one group are known there, so
//! that programs that change the user (sudo) fail, and other processes cannot be looked into from inside.
//!
//! *Source*: `user_namespaces`(7), `mount_namespaces`(7), unshare(2), setns(2).

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use windrow_model::ProcessIdentity;

#[cfg(target_os = "linux")]
use self::linux as platform;
#[cfg(not(target_os = "linux"))]
use self::other as platform;
use super::identity::{self, Liveness};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

static APART: AtomicBool = AtomicBool::new(false);

/// Tells whether this process has gone into a mount namespace by [`go_apart`] or [`join`].
#[must_use]
pub fn is_apart() -> bool {
    APART.load(Ordering::Relaxed)
}

/// Goes into a new mount namespace. There is no way back.
///
/// # Errors
/// This process has several threads, or the system refuses.
pub fn go_apart() -> io::Result<()> {
    platform::wait_until_single()?;
    platform::unshare()?;
    APART.store(true, Ordering::Relaxed);
    Ok(())
}

/// Goes into the mount namespace of a process that runs. There is no way back.
///
/// # Errors
/// The process has ended, this one has several threads, or the system refuses.
pub fn join(process: &ProcessIdentity) -> io::Result<()> {
    platform::wait_until_single()?;
    let theirs = platform::Namespaces::of(process.pid)?;
    // Only now: its number may have been another one's before.
    if identity::liveness(process)? == Liveness::Dead {
        return Err(io::ErrorKind::NotFound.into());
    }
    theirs.enter()?;
    APART.store(true, Ordering::Relaxed);
    Ok(())
}

/// Does something that only who may mount can do, in a mount namespace of our own.
///
/// # Errors
/// What `action` gives, or the right cannot be taken.
pub fn with_mount_rights<T>(action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let rights = platform::Rights::take()?;
    let done = action();
    rights.give_up()?;
    done
}

/// Tells whether a process sees what is mounted where we do; one that does not let us look does not.
#[must_use]
pub fn shares_mounts(pid: u32) -> bool {
    platform::shares_mounts(pid)
}
