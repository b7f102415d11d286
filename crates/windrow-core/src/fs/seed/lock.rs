//! The locks by which cargo keeps builds of one directory apart.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use bstr::BString;
use rustix::fs::{FileType, Mode};

use super::at;

/// The file that cargo locks while it builds into the directory around it. *Source*: cargo 1.95, `Layout::new`.
const LOCK: &[u8] = b".cargo-lock";

/// Keeps every build from beginning in a target directory; shared with others who only read.
#[derive(Debug)]
pub struct BuildLock {
    held: Vec<File>,
    profiles: Vec<BString>,
}

impl BuildLock {
    /// Takes the locks of all profiles below `target`; `None` when a build is under way.
    ///
    /// Never waits, because cargo takes several of them one after the other and might wait for us meanwhile.
    ///
    /// # Errors
    /// They cannot be looked for or opened.
    pub fn take(target: &Path) -> io::Result<Option<Self>> {
        let root = at::open_root(target)?;
        let mut lock = Self { held: Vec::new(), profiles: Vec::new() };
        for profile in profiles(&root)? {
            let directory = at::open_dir_same_mount(&root, &profile)?;
            let file = File::from(rustix::fs::openat(&directory, LOCK, at::READ, Mode::empty())?);
            match file.try_lock_shared() {
                Ok(()) => lock.held.push(file),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            lock.profiles.push(profile);
        }
        Ok(Some(lock))
    }

    /// The directories that nobody builds into while this is held, relative to the target directory.
    #[must_use]
    pub fn profiles(&self) -> &[BString] {
        &self.profiles
    }
}

/// `debug`, `release`, …, and the same below the name of each target platform.
fn profiles(root: &impl std::os::fd::AsFd) -> io::Result<Vec<BString>> {
    let mut found = Vec::new();
    for name in directories(root, b"")? {
        if has_lock(root, &name)? {
            found.push(name);
        } else {
            for inner in directories(root, &name)? {
                if has_lock(root, &inner)? {
                    found.push(inner);
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

fn directories(root: &impl std::os::fd::AsFd, path: &[u8]) -> io::Result<Vec<BString>> {
    let directory = match at::open_dir_same_mount(root, path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut found = Vec::new();
    for (name, kind) in at::names(&directory)? {
        if at::is_directory(&directory, &name, kind)? {
            found.push(at::join(path, &name).into());
        }
    }
    Ok(found)
}

fn has_lock(root: &impl std::os::fd::AsFd, profile: &[u8]) -> io::Result<bool> {
    let directory = at::open_dir_same_mount(root, profile)?;
    let looked = at::look_if_there(&directory, LOCK)?;
    Ok(looked.is_some_and(|looked| looked.kind() == FileType::RegularFile))
}
