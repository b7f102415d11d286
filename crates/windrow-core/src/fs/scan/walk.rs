//! The walk, by several threads.

use std::{
    io::Read,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use bstr::{BStr, BString, ByteSlice};
use rustix::{
    fs::{FileType, Mode},
    io::Errno,
};
use windrow_model::{DirectorySigns, Disposable, FileStat, StagedFile, Stamp, disposable_directory};

use super::{DroppedDirectory, Found, FoundKind, Scan, ScanError, ScanRules, Tracked, at};
use crate::fs::{PathKind, spread::spread};

pub(super) const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A directory to be walked, with what its parent already knows of it.
struct Waiting<'a> {
    found: Found,
    /// Decided by its name and what stands beside it.
    outside: Option<Disposable>,
    /// The files below it that an index knows.
    known: &'a [StagedFile<'a>],
}

pub(super) struct Walk<'a> {
    root: OwnedFd,
    rules: &'a ScanRules<'a>,
    scan: Mutex<Scan>,
}

/// What one directory gave.
#[derive(Default)]
struct Yield<'a> {
    scan: Scan,
    waiting: Vec<Waiting<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: OwnedFd, rules: &'a ScanRules<'a>) -> Self {
        Self { root, rules, scan: Mutex::default() }
    }

    pub(super) fn run(self) -> Result<Scan, ScanError> {
        let root =
            Found { path: BString::default(), kind: FoundKind::Directory, stat: Default::default(), mode: 0 };
        let known = match self.rules.tracked {
            Tracked::Known(known) => known.files,
            Tracked::In(_) => &[],
        };
        spread(self.rules.threads, Waiting { found: root, outside: None, known }, |directory| {
            let mut found = self.walk(directory)?;
            let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
            scan.found.append(&mut found.scan.found);
            scan.dropped.append(&mut found.scan.dropped);
            scan.odd.append(&mut found.scan.odd);
            scan.as_known += found.scan.as_known;
            Ok(found.waiting)
        })?;
        Ok(self.scan.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn walk(&self, directory: Waiting<'a>) -> Result<Yield<'a>, ScanError> {
        let path = directory.found.path.clone();
        let fail = |source| ScanError::unreadable(&path, source);
        let fd = match at::open_dir_same_mount(&self.root, &path) {
            Ok(fd) => fd,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                return Ok(leaf(directory.found, FoundKind::Mount));
            }
            Err(error) => return Err(fail(error)),
        };
        let mut names = at::names_once(&fd).map_err(fail)?;
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let has = |wanted: &[u8]| names.iter().any(|(name, _)| name == wanted);
        if !path.is_empty() && has(b".git") {
            return Ok(leaf(directory.found, FoundKind::Repository));
        }
        if let Some(why) = self.disposable(&fd, &directory, &names) {
            return Ok(dropped(path, why));
        }
        if names.is_empty() && !path.is_empty() {
            return Ok(leaf(directory.found, FoundKind::Directory));
        }
        let mut all = self.list(&fd, path.as_bstr(), &names, directory.known)?;
        let usual = matches!(directory.found.mode & 0o7777, 0o755 | 0o775 | 0o777);
        all.scan.odd.extend((!usual && !path.is_empty()).then_some(directory.found));
        Ok(all)
    }

    fn disposable(
        &self,
        fd: &OwnedFd,
        directory: &Waiting<'_>,
        names: &[(Vec<u8>, FileType)],
    ) -> Option<Disposable> {
        let path = directory.found.path.as_bstr();
        if path.is_empty() {
            return None;
        }
        let tagged = names.iter().any(|(name, _)| name == b"CACHEDIR.TAG");
        let tag = (tagged && has_cache_tag(fd)).then_some(Disposable::CacheTag);
        let own =
            || self.rules.disposable.matches(path, PathKind::Directory).then_some(Disposable::Configured);
        let why = tag.or_else(|| directory.outside.clone()).or_else(own);
        why.filter(|_| !self.holds_tracked(directory))
    }

    fn holds_tracked(&self, directory: &Waiting<'_>) -> bool {
        match self.rules.tracked {
            Tracked::In(directories) => directories.contains(directory.found.path.as_bstr()),
            Tracked::Known(_) => !directory.known.is_empty(),
        }
    }

    fn list(
        &self,
        fd: &OwnedFd,
        path: &BStr,
        names: &[(Vec<u8>, FileType)],
        known: &'a [StagedFile<'a>],
    ) -> Result<Yield<'a>, ScanError> {
        let siblings = names.iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>();
        let mut all = Yield::default();
        let mut known = KnownHere::of(self.rules.tracked, path, known);
        for name in &siblings {
            if path.is_empty() && *name == b".git" {
                continue;
            }
            let looked =
                at::look(fd, name).map_err(|source| ScanError::unreadable(&at::join(path, name), source))?;
            let kind = kind_of(&looked);
            if known.as_mut().is_some_and(|known| known.proves(name, kind, &looked.stat)) {
                all.scan.as_known += 1;
                continue;
            }
            let full = BString::from(at::join(path, name));
            let found = Found { path: full, kind, stat: looked.stat, mode: looked.mode };
            if kind == FoundKind::Directory {
                let signs = DirectorySigns { name, siblings: &siblings, cache_tag: false };
                let known = known.as_ref().map_or(&[][..], |known| known.below(name));
                all.waiting.push(Waiting { found, outside: disposable_directory(&signs), known });
            } else {
                all.scan.found.push(found);
            }
        }
        Ok(all)
    }
}

/// What an index says of the files in one directory, asked for in order of their names.
struct KnownHere<'a> {
    /// The files below the directory that were not passed yet.
    rest: &'a [StagedFile<'a>],
    /// How long the directory's path is, the slash included.
    prefix: usize,
    written: Stamp,
}

impl<'a> KnownHere<'a> {
    /// `files` are those below the directory.
    fn of(tracked: Tracked<'a>, directory: &BStr, files: &'a [StagedFile<'a>]) -> Option<Self> {
        let Tracked::Known(known) = tracked else { return None };
        let prefix = if directory.is_empty() { 0 } else { directory.len() + 1 };
        Some(Self { rest: files, prefix, written: known.written })
    }

    /// Tells whether stat data proves that what has this name is as the index says.
    fn proves(&mut self, name: &[u8], kind: FoundKind, stat: &FileStat) -> bool {
        let file = self.file(name);
        file.is_some_and(|file| kind.is(file.mode) && file.is_proven_by(stat, self.written))
    }

    /// The files below a directory of this name.
    fn below(&self, name: &[u8]) -> &'a [StagedFile<'a>] {
        let inside = at::join(name, b"");
        let name_of = |file: &StagedFile<'a>| &file.path.as_bytes()[self.prefix..];
        let rest = &self.rest[self.rest.partition_point(|file| name_of(file) < inside.as_slice())..];
        &rest[..rest.partition_point(|file| name_of(file).starts_with(&inside))]
    }

    fn file(&mut self, name: &[u8]) -> Option<&'a StagedFile<'a>> {
        let name_of = |file: &StagedFile<'a>| &file.path.as_bytes()[self.prefix..];
        // Only what lies deeper, or is not there any more, comes in between.
        if self.rest.first().is_some_and(|file| name_of(file) != name) {
            self.rest = &self.rest[self.rest.partition_point(|file| name_of(file) < name)..];
        }
        self.rest.first().filter(|file| name_of(file) == name)
    }
}

fn leaf<'a>(found: Found, kind: FoundKind) -> Yield<'a> {
    let found = vec![Found { kind, ..found }];
    Yield { scan: Scan { found, ..Scan::default() }, waiting: Vec::new() }
}

fn dropped<'a>(path: BString, why: Disposable) -> Yield<'a> {
    let dropped = vec![DroppedDirectory { path, why }];
    Yield { scan: Scan { dropped, ..Scan::default() }, waiting: Vec::new() }
}

fn kind_of(looked: &at::Looked) -> FoundKind {
    match looked.kind() {
        _ if looked.mount => FoundKind::Mount,
        FileType::RegularFile => FoundKind::File { executable: looked.mode & 0o100 != 0 },
        FileType::Symlink => FoundKind::Symlink,
        FileType::Directory => FoundKind::Directory,
        _ => FoundKind::Other,
    }
}

/// A tag that cannot be read is no tag: the directory is then kept.
fn has_cache_tag(directory: &OwnedFd) -> bool {
    let Ok(fd) = at::open(directory, b"CACHEDIR.TAG", at::READ, Mode::empty()) else { return false };
    let mut start = [0; CACHE_TAG.len()];
    std::fs::File::from(fd).read_exact(&mut start).is_ok() && start == CACHE_TAG
}
