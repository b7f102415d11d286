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
use windrow_model::{DirectorySigns, Disposable, disposable_directory};

use super::{DroppedDirectory, Found, FoundKind, Scan, ScanError, ScanRules, at};
use crate::fs::{PathKind, spread::spread};

pub(super) const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A directory to be walked, with what its parent already knows of it.
struct Waiting {
    found: Found,
    /// Decided by its name and what stands beside it.
    outside: Option<Disposable>,
}

pub(super) struct Walk<'a> {
    root: OwnedFd,
    rules: &'a ScanRules<'a>,
    scan: Mutex<Scan>,
}

/// What one directory gave.
#[derive(Default)]
struct Yield {
    scan: Scan,
    waiting: Vec<Waiting>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: OwnedFd, rules: &'a ScanRules<'a>) -> Self {
        Self { root, rules, scan: Mutex::default() }
    }

    pub(super) fn run(self) -> Result<Scan, ScanError> {
        let root =
            Found { path: BString::default(), kind: FoundKind::Directory, stat: Default::default(), mode: 0 };
        spread(self.rules.threads, Waiting { found: root, outside: None }, |directory| {
            let mut found = self.walk(directory)?;
            let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
            scan.found.append(&mut found.scan.found);
            scan.dropped.append(&mut found.scan.dropped);
            scan.odd.append(&mut found.scan.odd);
            Ok(found.waiting)
        })?;
        Ok(self.scan.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn walk(&self, directory: Waiting) -> Result<Yield, ScanError> {
        let path = directory.found.path.clone();
        let fail = |source| ScanError::unreadable(&path, source);
        let fd = match at::open_dir_same_mount(&self.root, &path) {
            Ok(fd) => fd,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                return Ok(leaf(directory.found, FoundKind::Mount));
            }
            Err(error) => return Err(fail(error)),
        };
        let names = at::names(&fd).map_err(fail)?;
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
        let mut all = self.list(&fd, path.as_bstr(), &names)?;
        let usual = matches!(directory.found.mode & 0o7777, 0o755 | 0o775 | 0o777);
        all.scan.odd.extend((!usual && !path.is_empty()).then_some(directory.found));
        Ok(all)
    }

    fn disposable(
        &self,
        fd: &OwnedFd,
        directory: &Waiting,
        names: &[(Vec<u8>, FileType)],
    ) -> Option<Disposable> {
        let path = directory.found.path.as_bstr();
        if path.is_empty() || self.rules.tracked.contains(path) {
            return None;
        }
        let tagged = names.iter().any(|(name, _)| name == b"CACHEDIR.TAG");
        let tag = (tagged && has_cache_tag(fd)).then_some(Disposable::CacheTag);
        let own =
            || self.rules.disposable.matches(path, PathKind::Directory).then_some(Disposable::Configured);
        tag.or_else(|| directory.outside.clone()).or_else(own)
    }

    fn list(&self, fd: &OwnedFd, path: &BStr, names: &[(Vec<u8>, FileType)]) -> Result<Yield, ScanError> {
        let siblings = names.iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>();
        let mut all = Yield::default();
        for name in &siblings {
            if path.is_empty() && *name == b".git" {
                continue;
            }
            let full = BString::from(at::join(path, name));
            let looked = at::look(fd, name).map_err(|source| ScanError::unreadable(&full, source))?;
            let kind = kind_of(&looked);
            let found = Found { path: full, kind, stat: looked.stat, mode: looked.mode };
            if kind == FoundKind::Directory {
                let signs = DirectorySigns { name, siblings: &siblings, cache_tag: false };
                all.waiting.push(Waiting { found, outside: disposable_directory(&signs) });
            } else {
                all.scan.found.push(found);
            }
        }
        Ok(all)
    }
}

fn leaf(found: Found, kind: FoundKind) -> Yield {
    let found = vec![Found { kind, ..found }];
    Yield { scan: Scan { found, ..Scan::default() }, waiting: Vec::new() }
}

fn dropped(path: BString, why: Disposable) -> Yield {
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
