//! Deletes trees by descriptors of directories.

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{AtFlags, FileType, Mode},
    io::Errno,
};

use super::{TrashFailure, TrashReport, at, entry_name, entry_path, try_lock};
use crate::fs::subvolume;

/// How many directories are held open at once; what lies deeper is moved up first.
const DEPTH: usize = 32;

pub(super) struct Remover<'a> {
    trash: &'a OwnedFd,
    path: &'a Path,
    /// Directories that were too deep, now entries of the trash.
    lifted: Vec<Vec<u8>>,
    /// How many failures there were before the entry in work.
    failed_before: usize,
    pub(super) report: TrashReport,
}

impl<'a> Remover<'a> {
    pub(super) fn new(trash: &'a OwnedFd, path: &'a Path) -> Self {
        Self { trash, path, lifted: Vec::new(), failed_before: 0, report: TrashReport::default() }
    }

    /// Removes one entry of the trash and all that had to be lifted out of it.
    pub(super) fn remove_entry(&mut self, name: &[u8]) {
        self.failed_before = self.report.failures.len();
        let busy = self.report.busy.len();
        self.remove_one(name);
        while let Some(lifted) = self.lifted.pop() {
            self.remove_one(&lifted);
        }
        if self.report.failures.len() == self.failed_before && self.report.busy.len() == busy {
            self.report.removed += 1;
        }
    }

    fn remove_one(&mut self, name: &[u8]) {
        if let Err(error) = self.try_remove_one(name) {
            self.fail(name, error);
        }
    }

    fn try_remove_one(&mut self, name: &[u8]) -> io::Result<()> {
        let Some(looked) = at::look_if_there(self.trash, name)? else { return Ok(()) };
        if !looked.kind().is_dir() {
            return self.unlink(self.trash, name, AtFlags::empty());
        }
        let entry = open_to_empty(self.trash, name)?;
        if !try_lock(&entry)? {
            self.report.busy.push(entry_path(self.path, name));
            return Ok(());
        }
        if subvolume::delete(self.trash, name) {
            self.report.files += 1;
            return Ok(());
        }
        self.clear(&entry, name, 0);
        self.unlink(self.trash, name, AtFlags::REMOVEDIR)
    }

    /// Empties a directory as far as it can.
    fn clear(&mut self, directory: &OwnedFd, path: &[u8], depth: usize) {
        let names = match at::names(directory) {
            Ok(names) => names,
            Err(error) => return self.fail(path, error),
        };
        for (name, kind) in names {
            let full = at::join(path, &name);
            if let Err(error) = self.remove_child(directory, &name, kind, &full, depth) {
                self.fail(&full, error);
            }
        }
    }

    fn remove_child(
        &mut self,
        directory: &OwnedFd,
        name: &[u8],
        kind: FileType,
        full: &[u8],
        depth: usize,
    ) -> io::Result<()> {
        if !at::is_directory(directory, name, kind)? {
            return self.unlink(directory, name, AtFlags::empty());
        }
        let child = open_to_empty(directory, name)?;
        if depth == DEPTH {
            let entry = entry_name("deep").into_bytes();
            match rustix::fs::renameat(directory, name, self.trash, &entry) {
                // Nothing can be moved out of a subvolume: there the descriptors have to do.
                Err(Errno::XDEV) => {}
                lifted => {
                    lifted?;
                    self.lifted.push(entry);
                    return Ok(());
                }
            }
        }
        self.clear(&child, full, depth + 1);
        self.unlink(directory, name, AtFlags::REMOVEDIR)
    }

    fn unlink(&mut self, directory: &OwnedFd, name: &[u8], flags: AtFlags) -> io::Result<()> {
        match rustix::fs::unlinkat(directory, name, flags) {
            Ok(()) => self.report.files += 1,
            Err(Errno::NOENT) => {}
            // The cause was reported where it arose.
            Err(Errno::NOTEMPTY) if self.report.failures.len() > self.failed_before => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn fail(&mut self, path: &[u8], source: io::Error) {
        self.report.failures.push(TrashFailure { path: entry_path(self.path, path), source });
    }
}

/// Opens a directory and gives its owner all rights to it; a mount point gives `EXDEV`.
pub(super) fn open_to_empty(parent: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
    let fd = match at::open_dir_same_mount(parent, name) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::ACCESS) => {
            grant(parent, name)?;
            at::open_dir_same_mount(parent, name)?
        }
        result => result?,
    };
    if rustix::fs::fstat(&fd)?.st_mode & 0o700 != 0o700 {
        rustix::fs::fchmod(&fd, Mode::RWXU)?;
    }
    Ok(fd)
}

/// Makes a directory readable that cannot be opened.
#[cfg(target_os = "linux")]
fn grant(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::OFlags;

    // chmod by name could be led through a link put there in between; a path descriptor cannot.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = at::open(parent, name, flags, Mode::empty())?;
    Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::RWXU)?)
}

/// Makes a directory readable that cannot be opened.
#[cfg(not(target_os = "linux"))]
fn grant(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)?)
}
