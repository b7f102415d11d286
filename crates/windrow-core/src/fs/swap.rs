//! Swaps files of a checkout that somebody works in for others that lie ready, one by one, and back.
//!
//! Every step is one rename that never replaces anything: a file and its successor change places, a new one takes a free name,
//! an old one is put aside. Directories are reached through no symbolic link.
//!
//! # Crash safety
//! After each rename both files are there, under the checkout or in the room beside it; which is where is told by their inodes.
//!
//! # File systems
//! Exchanging needs `RENAME_EXCHANGE` and one mount for both. *Source*: renameat2(2).

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use bstr::{BString, ByteSlice};
use rustix::{
    fs::{AtFlags, FileType, Mode, RenameFlags},
    io::Errno,
};
use windrow_model::FileStat;

use super::{at, dirs};

/// What lies at a path of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lying {
    /// Nothing.
    Nothing,
    /// Nothing can: something other than a directory stands above it, at this path.
    Behind(BString),
    /// A plain file.
    File {
        /// Its stat data.
        stat: FileStat,
        /// Whether its owner may run it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Its stat data.
        stat: FileStat,
    },
    /// A directory.
    Directory,
    /// Something else, such as a pipe or what is mounted there.
    Other,
}

impl Lying {
    /// The stat data of a file or link.
    #[must_use]
    pub fn stat(&self) -> Option<&FileStat> {
        match self {
            Self::File { stat, .. } | Self::Symlink { stat } => Some(stat),
            _ => None,
        }
    }
}

/// A checkout, and a room beside it: what is to come in `new`, by its path, and what was put aside in `old`, by number.
#[derive(Debug)]
pub struct Swap {
    root: OwnedFd,
    new: OwnedFd,
    old: OwnedFd,
}

impl Swap {
    /// Opens a checkout and its room, whose parts are made where they are missing.
    ///
    /// # Errors
    /// One of them is no directory of ours, or cannot be opened.
    pub fn open(root: &Path, room: &Path) -> io::Result<Self> {
        let part = |name: &str| {
            let path = room.join(name);
            dirs::private_dir(&path).map_err(io::Error::other)?;
            at::open_root(&path)
        };
        Ok(Self { root: at::open_root(root)?, new: part("new")?, old: part("old")? })
    }

    /// Tells what lies at a path of the checkout.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn lying(&self, path: &[u8]) -> io::Result<Lying> {
        lying(&self.root, path)
    }

    /// Tells what lies at a path in the room.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn ready(&self, path: &[u8]) -> io::Result<Lying> {
        lying(&self.new, path)
    }

    /// Opens a plain file of the checkout to read it.
    ///
    /// # Errors
    /// It is no plain file, or cannot be opened.
    pub fn open_file(&self, path: &[u8]) -> io::Result<File> {
        open_file(&self.root, path)
    }

    /// Opens a plain file in the room to read it.
    ///
    /// # Errors
    /// It is no plain file, or cannot be opened.
    pub fn open_ready(&self, path: &[u8]) -> io::Result<File> {
        open_file(&self.new, path)
    }

    /// Opens a plain file that was put aside to read it.
    ///
    /// # Errors
    /// It is no plain file, or cannot be opened.
    pub fn open_aside(&self, number: usize) -> io::Result<File> {
        open_file(&self.old, slot(number).as_bytes())
    }

    /// The target of a link in the checkout.
    ///
    /// # Errors
    /// It is no link, or cannot be read.
    pub fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        read_link(&self.root, path)
    }

    /// The target of a link in the room.
    ///
    /// # Errors
    /// It is no link, or cannot be read.
    pub fn read_ready_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        read_link(&self.new, path)
    }

    /// The target of a link that was put aside.
    ///
    /// # Errors
    /// It is no link, or cannot be read.
    pub fn read_aside_link(&self, number: usize) -> io::Result<Vec<u8>> {
        at::read_link(&self.old, slot(number).as_bytes())
    }

    /// Tells what was put aside under a number.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn aside(&self, number: usize) -> io::Result<Lying> {
        lying(&self.old, slot(number).as_bytes())
    }

    /// Lists everything but directories below a directory of the checkout, by path.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn below(&self, path: &[u8]) -> io::Result<Vec<BString>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(directory) = open.pop() {
            let dir = at::open_dir(&self.root, &directory)?;
            for (name, kind) in at::names(&dir)? {
                let path = at::join(&directory, &name);
                if at::is_directory(&dir, &name, kind)? { open.push(path) } else { found.push(path.into()) }
            }
        }
        Ok(found)
    }

    /// Lists the directories below a directory of the checkout, by path.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn directories_below(&self, path: &[u8]) -> io::Result<Vec<BString>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(directory) = open.pop() {
            let dir = at::open_dir(&self.root, &directory)?;
            for (name, kind) in at::names(&dir)? {
                if at::is_directory(&dir, &name, kind)? {
                    let path = at::join(&directory, &name);
                    found.push(path.clone().into());
                    open.push(path);
                }
            }
        }
        Ok(found)
    }

    /// Lets a file of the checkout and its successor in the room change places.
    ///
    /// # Errors
    /// One of them is not there, or the file system cannot exchange.
    pub fn exchange(&self, path: &[u8]) -> io::Result<()> {
        rename((&self.new, path), (&self.root, path), RenameFlags::EXCHANGE)
    }

    /// Moves what is ready to its free place in the checkout, with the directories above it.
    ///
    /// # Errors
    /// The place is taken, or the file system refuses.
    pub fn put(&self, path: &[u8]) -> io::Result<()> {
        at::make_directories(&self.root, at::split(path).0, Mode::from_raw_mode(0o777), |_| {})?;
        rename((&self.new, path), (&self.root, path), RenameFlags::NOREPLACE)
    }

    /// Moves what was put in the checkout back into the room.
    ///
    /// # Errors
    /// It is not there, or the file system refuses.
    pub fn withdraw(&self, path: &[u8]) -> io::Result<()> {
        rename((&self.root, path), (&self.new, path), RenameFlags::NOREPLACE)
    }

    /// Puts a file of the checkout aside; directories above it stay.
    ///
    /// # Errors
    /// It is not there, or the file system refuses.
    pub fn take(&self, path: &[u8], number: usize) -> io::Result<()> {
        rename((&self.root, path), (&self.old, slot(number).as_bytes()), RenameFlags::NOREPLACE)
    }

    /// Gives a file that was put aside back to the checkout, with the directories above it.
    ///
    /// # Errors
    /// Its place is taken, or the file system refuses.
    pub fn give_back(&self, path: &[u8], number: usize) -> io::Result<()> {
        at::make_directories(&self.root, at::split(path).0, Mode::from_raw_mode(0o777), |_| {})?;
        rename((&self.old, slot(number).as_bytes()), (&self.root, path), RenameFlags::NOREPLACE)
    }

    /// Removes a directory of the checkout if it is empty, then those above it that are empty then, as git does.
    pub fn remove_empty(&self, directory: &[u8]) {
        let mut directory = directory;
        while !directory.is_empty() && self.remove_directory(directory).is_ok() {
            directory = at::split(directory).0;
        }
    }

    /// Removes one directory of the checkout.
    ///
    /// # Errors
    /// It is not empty, not there, or the file system refuses.
    pub fn remove_directory(&self, directory: &[u8]) -> io::Result<()> {
        let (parent, name) = at::split(directory);
        Ok(rustix::fs::unlinkat(at::open_dir(&self.root, parent)?, name, AtFlags::REMOVEDIR)?)
    }
}

/// Whether an error says that the file system cannot exchange, so that nothing was changed.
#[must_use]
pub fn cannot_exchange(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}

/// Whether an error says that something else has the place, or stands above it, so that nothing was changed.
#[must_use]
pub fn place_is_taken(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::EXIST | Errno::NOTDIR | Errno::LOOP))
}

fn slot(number: usize) -> String {
    number.to_string()
}

fn rename(from: (&OwnedFd, &[u8]), to: (&OwnedFd, &[u8]), how: RenameFlags) -> io::Result<()> {
    let ((from_parent, from_name), (to_parent, to_name)) = (at::split(from.1), at::split(to.1));
    let (from, to) = (at::open_dir(from.0, from_parent)?, at::open_dir(to.0, to_parent)?);
    Ok(rustix::fs::renameat_with(from.as_fd(), from_name, to.as_fd(), to_name, how)?)
}

fn lying(root: &OwnedFd, path: &[u8]) -> io::Result<Lying> {
    let (parent, name) = at::split(path);
    let dir = match at::open_dir(root, parent) {
        Ok(dir) => dir,
        Err(error) => return above(root, parent, error),
    };
    let Some(looked) = at::look_if_there(&dir, name)? else { return Ok(Lying::Nothing) };
    let executable = looked.permissions() & 0o100 != 0;
    Ok(match looked.kind() {
        _ if looked.mount => Lying::Other,
        FileType::RegularFile => Lying::File { stat: looked.stat, executable },
        FileType::Symlink => Lying::Symlink { stat: looked.stat },
        FileType::Directory => Lying::Directory,
        _ => Lying::Other,
    })
}

/// Why a directory cannot be opened: it is not there, or something else stands in its place or above it.
fn above(root: &OwnedFd, directory: &[u8], error: io::Error) -> io::Result<Lying> {
    let ends = directory.find_iter("/").chain([directory.len()]).collect::<Vec<_>>();
    for end in ends {
        match at::look_beneath(root, &directory[..end]) {
            Ok(looked) if looked.kind() == FileType::Directory => {}
            Ok(_) => return Ok(Lying::Behind(directory[..end].into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lying::Nothing),
            Err(error) => return Err(error),
        }
    }
    Err(error)
}

fn open_file(root: &OwnedFd, path: &[u8]) -> io::Result<File> {
    at::open(root, path, at::READ, Mode::empty()).map(File::from)
}

fn read_link(root: &OwnedFd, path: &[u8]) -> io::Result<Vec<u8>> {
    let (parent, name) = at::split(path);
    at::read_link(at::open_dir(root, parent)?, name)
}
