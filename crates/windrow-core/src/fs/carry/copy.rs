//! Writes what was planned.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
};

use bstr::BString;
use rustix::{fs::Mode, io::Errno};
use windrow_model::{CarriedFile, CarriedKind, FileStat, Stamp};

use super::{
    Carried, CarryError, CarryPlan, CarryRequest, PlannedCarry, PlannedKind, SkipReason, at, temporary,
    temporary::Temporary,
};

/// How often a file that changes meanwhile is copied again.
const ATTEMPTS: u32 = 3;

/// Carries what was planned; nothing that is there is replaced.
///
/// Modes (without set-id bits) and times of change are kept.
///
/// # Errors
/// See [`CarryError`].
pub fn carry(request: &CarryRequest<'_>, plan: &CarryPlan) -> Result<Carried, CarryError> {
    let from = at::open_root(request.from).map_err(|source| CarryError::read(b"", source))?;
    let to = at::open_root(request.to).map_err(|source| CarryError::write(b"", source))?;
    let carried = Carried { skipped: plan.skipped.clone(), ..Carried::default() };
    let mut carrier = Carrier { request, from, to, carried, directories: Vec::new() };
    for item in &plan.items {
        carrier.carry(item)?;
    }
    carrier.finish_directories()?;
    Ok(carrier.carried)
}

struct Carrier<'a> {
    request: &'a CarryRequest<'a>,
    from: OwnedFd,
    to: OwnedFd,
    carried: Carried,
    /// Directories that were made, with what is still to be set on them.
    directories: Vec<(BString, u32, Stamp)>,
}

/// Whether a path can be written.
enum Way {
    /// Into this directory.
    Clear(OwnedFd),
    Not(SkipReason),
}

impl Carrier<'_> {
    fn carry(&mut self, item: &PlannedCarry) -> Result<(), CarryError> {
        let parent = match self.prepare(item)? {
            Way::Clear(parent) => parent,
            Way::Not(reason) => {
                self.carried.skipped.push((item.path.clone(), reason));
                return Ok(());
            }
        };
        match &item.kind {
            PlannedKind::Directory => self.make(&item.path),
            PlannedKind::File => self.copy_file(&parent, item),
            PlannedKind::Symlink(target) => self.link(&parent, &item.path, target, CarriedKind::Symlink),
            PlannedKind::Link => {
                let target = at::below(self.request.from, &item.path);
                self.link(&parent, &item.path, target.as_os_str().as_bytes(), CarriedKind::Link)
            }
        }
    }

    /// Makes the directories above a path and looks whether it is free.
    fn prepare(&mut self, item: &PlannedCarry) -> Result<Way, CarryError> {
        let (parent, name) = at::split(&item.path);
        self.make(parent).or_else(|error| if is_blocked(&error) { Ok(()) } else { Err(error) })?;
        let directory = match at::open_dir(&self.to, parent) {
            Ok(directory) => directory,
            Err(error) if blocks(&error) => return Ok(Way::Not(SkipReason::Blocked)),
            Err(error) => return Err(CarryError::write(parent, error)),
        };
        let there =
            at::look_if_there(&directory, name).map_err(|error| CarryError::write(&item.path, error))?;
        Ok(match there {
            Some(looked) if item.kind != PlannedKind::Directory || !looked.kind().is_dir() => {
                Way::Not(SkipReason::AlreadyThere)
            }
            _ => Way::Clear(directory),
        })
    }

    /// Makes a directory and those above it, as far as they are missing.
    fn make(&mut self, path: &[u8]) -> Result<(), CarryError> {
        if path.is_empty() {
            return Ok(());
        }
        let mut made = Vec::new();
        at::make_directories(&self.to, path, Mode::RWXU, |path| made.push(BString::from(path)))
            .map_err(|source| CarryError::write(path, source))?;
        for path in made {
            let looked =
                at::look_beneath(&self.from, &path).map_err(|source| CarryError::read(&path, source))?;
            let mode = looked.mode & 0o777;
            self.carried.files.push(CarriedFile {
                path: path.clone(),
                kind: CarriedKind::Directory,
                hash: String::new(),
                mode,
                size: 0,
            });
            self.directories.push((path, mode, looked.stat.mtime));
        }
        Ok(())
    }

    fn link(
        &mut self,
        parent: &OwnedFd,
        path: &BString,
        target: &[u8],
        kind: CarriedKind,
    ) -> Result<(), CarryError> {
        let (_, name) = at::split(path);
        rustix::fs::symlinkat(target, parent, name).map_err(|error| CarryError::write(path, error.into()))?;
        let size = u64::try_from(target.len()).unwrap_or(u64::MAX);
        let hash = temporary::hash(target);
        self.carried.files.push(CarriedFile { path: path.clone(), kind, hash, mode: 0o777, size });
        Ok(())
    }

    fn copy_file(&mut self, parent: &OwnedFd, item: &PlannedCarry) -> Result<(), CarryError> {
        for _ in 0..ATTEMPTS {
            if let Some(file) = self.try_copy_file(parent, item)? {
                self.carried.bytes = self.carried.bytes.saturating_add(file.size);
                self.carried.files.push(file);
                return self.check_limit(&item.path);
            }
        }
        Err(CarryError::Changed { path: item.path.clone() })
    }

    fn check_limit(&self, largest: &BString) -> Result<(), CarryError> {
        let (bytes, limit) = (self.carried.bytes, self.request.max_bytes);
        if bytes <= limit {
            return Ok(());
        }
        Err(CarryError::TooLarge { bytes, limit, largest: largest.clone() })
    }

    /// Copies a file once; `None` when it changed meanwhile.
    fn try_copy_file(
        &self,
        parent: &OwnedFd,
        item: &PlannedCarry,
    ) -> Result<Option<CarriedFile>, CarryError> {
        let read_error = |source| CarryError::read(&item.path, source);
        let write_error = |source| CarryError::write(&item.path, source);
        let source = at::open(&self.from, &item.path, at::READ, Mode::empty()).map_err(read_error)?;
        let before = regular(&source).map_err(read_error)?;
        let Some((stat, mode)) = before else { return Ok(None) };
        let temporary = Temporary::new(parent);
        let mut file = temporary.create().map_err(write_error)?;
        let mut source = File::from(source);
        let mut reader = Marked { inner: &mut source, failed: false };
        let copied = temporary::copy_hashed(&mut reader, &mut file);
        let failed = reader.failed;
        let (size, hash) =
            copied.map_err(|error| if failed { read_error(error) } else { write_error(error) })?;
        let after = at::stat_of(&source).map_err(read_error)?.0;
        let written = at::stat_of(&file).map_err(write_error)?.0;
        if after != stat || size != stat.size || written.size != size {
            return Ok(None);
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| write_error(error.into()))?;
        at::set_mtime(&file, stat.mtime).map_err(write_error)?;
        temporary.publish(at::split(&item.path).1).map_err(write_error)?;
        Ok(Some(CarriedFile { path: item.path.clone(), kind: CarriedKind::File, hash, mode, size }))
    }

    /// Last, because a read-only directory would refuse its content and a new file changes its time.
    fn finish_directories(&self) -> Result<(), CarryError> {
        for (path, mode, mtime) in self.directories.iter().rev() {
            let finish = at::open_dir(&self.to, path).and_then(|directory| {
                at::set_mtime(&directory, *mtime)?;
                Ok(rustix::fs::fchmod(&directory, Mode::from_raw_mode(*mode))?)
            });
            finish.map_err(|source| CarryError::write(path, source))?;
        }
        Ok(())
    }
}

/// The stat data and permissions of what was opened; `None` when it is no regular file any more.
fn regular(source: &OwnedFd) -> io::Result<Option<(FileStat, u32)>> {
    let (stat, mode) = at::stat_of(source)?;
    Ok(rustix::fs::FileType::from_raw_mode(mode).is_file().then_some((stat, mode & 0o777)))
}

fn blocks(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::NOTDIR))
}

fn is_blocked(error: &CarryError) -> bool {
    matches!(error, CarryError::Write { source, .. } if blocks(source))
}

/// Remembers that an error came from the side that is read.
struct Marked<R> {
    inner: R,
    failed: bool,
}

impl<R: io::Read> io::Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        self.failed |= result.is_err();
        result
    }
}
