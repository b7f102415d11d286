//! Lists and unpacks archives.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::fs::Mode;

use super::{
    ArchiveEntry, ArchiveError, EntryKind, Overwrite, RestoreRoot, at, check_name, format, temporary,
    temporary::Temporary,
};

/// Lists what an archive holds, with the hashes of what was read, in its order.
///
/// # Errors
/// The archive cannot be opened or is damaged.
pub fn list_archive(archive: &Path) -> Result<Vec<ArchiveEntry>, ArchiveError> {
    let mut entries = Vec::new();
    for_each(archive, &open(archive)?, |entry, content| {
        let (_, hash) = temporary::copy_hashed(content, &mut io::sink())
            .map_err(|source| damaged(archive, &entry.path, source))?;
        let hash = if entry.kind == EntryKind::Symlink { entry.hash } else { hash };
        entries.push(ArchiveEntry { hash, ..entry });
        Ok(())
    })?;
    Ok(entries)
}

/// Unpacks the parts of an archive whose names begin with one of the prefixes, and gives the paths that were written.
///
/// The whole archive is read and checked before anything is written. Nothing is written outside the roots, through a
/// symbolic link, or into a `.git` at the top of a root. Modes and times are set; directories that were there keep theirs, unless replacing is allowed.
///
/// # Errors
/// See [`ArchiveError`]; after an error of writing, what was already unpacked stays.
pub fn read_archive(
    archive: &Path,
    roots: &[RestoreRoot<'_>],
    overwrite: Overwrite,
) -> Result<Vec<PathBuf>, ArchiveError> {
    let file = open(archive)?;
    let mut open_roots = Vec::new();
    for root in roots {
        open_roots.push(at::open_root(root.root).map_err(|source| ArchiveError::write(root.root, source))?);
    }
    for_each(archive, &file, |entry, content| {
        io::copy(content, &mut io::sink()).map_err(|source| damaged(archive, &entry.path, source))?;
        match Place::of(&entry.path, roots, &open_roots)? {
            Some(place) => place.check(&entry, overwrite),
            None => Ok(()),
        }
    })?;
    let mut restored = Vec::new();
    let mut directories = Vec::new();
    for_each(archive, &open(archive)?, |entry, content| {
        let Some(place) = Place::of(&entry.path, roots, &open_roots)? else { return Ok(()) };
        let made = place.write(&entry, content, overwrite);
        let made = made.map_err(|source| ArchiveError::write(&place.full(), source))?;
        if let Made::Directory = made {
            directories.push((place.root, place.path.clone(), entry));
        }
        if !matches!(made, Made::Nothing) {
            restored.push(place.full());
        }
        Ok(())
    })?;
    // Last, because a read-only directory would refuse its content and a new file changes its time.
    for (root, path, entry) in directories.iter().rev() {
        let finish = finish_directory(&open_roots[*root], path, entry);
        finish.map_err(|source| ArchiveError::write(&at::below(roots[*root].root, path), source))?;
    }
    Ok(restored)
}

fn open(archive: &Path) -> Result<File, ArchiveError> {
    let fail = |source| ArchiveError::Open { path: archive.to_owned(), source };
    let fd = rustix::fs::open(archive, at::READ, Mode::empty()).map_err(|error| fail(error.into()))?;
    Ok(File::from(fd))
}

fn damaged(archive: &Path, entry: &BString, source: io::Error) -> ArchiveError {
    ArchiveError::Damaged { path: archive.to_owned(), entry: entry.clone(), source: Some(source) }
}

/// Calls `visit` for every entry, with its content, up to the checksum at the end.
pub(super) fn for_each(
    archive: &Path,
    file: &File,
    mut visit: impl FnMut(ArchiveEntry, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let fail = |source| damaged(archive, &BString::default(), source);
    let mut tar = tar::Archive::new(zstd::Decoder::new(file).map_err(fail)?);
    for entry in tar.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let meta = format::parse(&mut entry).map_err(fail)?;
        check_name(&meta.path)?;
        visit(meta, &mut entry)?;
    }
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(fail)?;
    Ok(())
}

/// What unpacking an entry made.
enum Made {
    /// A directory, whose mode and time are set at the end.
    Directory,
    /// Anything else.
    Leaf,
    /// The directory was there.
    Nothing,
}

/// Where an entry goes.
struct Place<'a> {
    root: usize,
    fd: &'a OwnedFd,
    base: &'a Path,
    path: Vec<u8>,
}

impl<'a> Place<'a> {
    fn of(
        name: &BString,
        roots: &[RestoreRoot<'a>],
        fds: &'a [OwnedFd],
    ) -> Result<Option<Self>, ArchiveError> {
        let Some(root) = roots.iter().position(|root| name.starts_with(root.prefix)) else { return Ok(None) };
        let path = name[roots[root].prefix.len()..].to_vec();
        check_name(&path)?;
        let top = path.split(|&byte| byte == b'/').next().unwrap_or_default();
        if top.eq_ignore_ascii_case(b".git") {
            return Err(ArchiveError::Name { path: name.clone(), why: "it is git's own directory" });
        }
        Ok(Some(Self { root, fd: &fds[root], base: roots[root].root, path }))
    }

    fn full(&self) -> PathBuf {
        at::below(self.base, &self.path)
    }

    fn check(&self, entry: &ArchiveEntry, overwrite: Overwrite) -> Result<(), ArchiveError> {
        let looked = match at::look_beneath(self.fd, &self.path) {
            Ok(looked) => looked,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ArchiveError::write(&self.full(), error)),
        };
        match (entry.kind == EntryKind::Directory, looked.kind().is_dir()) {
            (true, true) => Ok(()),
            (false, false) if overwrite == Overwrite::Replace => Ok(()),
            _ => Err(ArchiveError::Exists { path: self.full() }),
        }
    }

    fn write(&self, entry: &ArchiveEntry, content: &mut dyn Read, overwrite: Overwrite) -> io::Result<Made> {
        let (parent, name) = at::split(&self.path);
        at::make_directories(self.fd, parent, Mode::from_raw_mode(0o777), |_| ())?;
        let parent = at::open_dir(self.fd, parent)?;
        if entry.kind == EntryKind::Directory {
            return make_directory(&parent, name, overwrite);
        }
        let temporary = Temporary::new(&parent);
        write_leaf(&parent, &temporary, entry, content)?;
        match overwrite {
            Overwrite::Refuse => temporary.publish(name)?,
            Overwrite::Replace => temporary.replace(name)?,
        }
        Ok(Made::Leaf)
    }
}

fn make_directory(parent: &OwnedFd, name: &[u8], overwrite: Overwrite) -> io::Result<Made> {
    match at::look_if_there(parent, name)? {
        Some(looked) if looked.kind().is_dir() => Ok(match overwrite {
            Overwrite::Refuse => Made::Nothing,
            Overwrite::Replace => Made::Directory,
        }),
        _ => {
            rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
            Ok(Made::Directory)
        }
    }
}

fn write_leaf(
    parent: &OwnedFd,
    temporary: &Temporary<'_>,
    entry: &ArchiveEntry,
    mut content: &mut dyn Read,
) -> io::Result<()> {
    match entry.kind {
        EntryKind::File => {
            let mut file = temporary.create()?;
            let count = io::copy(&mut content, &mut file)?;
            if count != entry.size || at::stat_of(&file)?.0.size != count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))?;
            return at::set_mtime(&file, entry.mtime);
        }
        EntryKind::Symlink => rustix::fs::symlinkat(entry.target.as_slice(), parent, temporary.name())?,
        EntryKind::Fifo => make_fifo(parent, temporary.name(), entry.mode)?,
        EntryKind::Directory => return Ok(()),
    }
    at::set_mtime_at(parent, temporary.name(), entry.mtime)
}

#[cfg(target_os = "linux")]
fn make_fifo(parent: &OwnedFd, name: &[u8], mode: u32) -> io::Result<()> {
    Ok(rustix::fs::mknodat(parent, name, rustix::fs::FileType::Fifo, Mode::from_raw_mode(mode), 0)?)
}

/// No call here makes a named pipe beside a descriptor.
#[cfg(not(target_os = "linux"))]
fn make_fifo(_parent: &OwnedFd, _name: &[u8], _mode: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn finish_directory(root: &OwnedFd, path: &[u8], entry: &ArchiveEntry) -> io::Result<()> {
    let directory = at::open_dir(root, path)?;
    at::set_mtime(&directory, entry.mtime)?;
    Ok(rustix::fs::fchmod(&directory, Mode::from_raw_mode(entry.mode))?)
}
