//! Lists what is to be archived, before anything is written.

use std::{
    collections::HashSet,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::fs::FileType;
use windrow_model::FileStat;

use super::{ArchiveEntry, ArchiveError, ArchiveItem, EntryKind, Extent, at, check_name, temporary};

/// One thing to be archived, and how it looked when the list was made.
pub(super) struct Member {
    pub(super) entry: ArchiveEntry,
    pub(super) stat: FileStat,
    /// Position of its root in [`Collected::roots`].
    pub(super) root: usize,
    /// Path below the root.
    pub(super) source: BString,
}

/// Everything to be archived.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) roots: Vec<(PathBuf, OwnedFd)>,
    pub(super) members: Vec<Member>,
    pub(super) skipped: Vec<BString>,
    bytes: u64,
}

/// Lists all items with all that lies in them, and adds up their lengths.
pub(super) fn collect(items: &[ArchiveItem], limit: u64) -> Result<Collected, ArchiveError> {
    let mut collected = Collected::default();
    for item in items {
        check_name(&item.path)?;
        let root = collected.root(&item.root).map_err(|source| source_error(&item.path, source))?;
        collected.add_whole(root, item, limit)?;
    }
    let mut seen = HashSet::new();
    match collected.members.iter().find(|member| !seen.insert(&member.entry.path)) {
        Some(twice) => Err(ArchiveError::Name { path: twice.entry.path.clone(), why: "it is there twice" }),
        None => Ok(collected),
    }
}

pub(super) fn source_error(path: &BString, source: io::Error) -> ArchiveError {
    ArchiveError::Source { path: path.clone(), source }
}

impl Collected {
    fn root(&mut self, path: &Path) -> io::Result<usize> {
        if let Some(known) = self.roots.iter().position(|(root, _)| root == path) {
            return Ok(known);
        }
        self.roots.push((path.to_owned(), at::open_root(path)?));
        Ok(self.roots.len() - 1)
    }

    /// Adds an item; a directory with all below it, in the order of names.
    fn add_whole(&mut self, root: usize, item: &ArchiveItem, limit: u64) -> Result<(), ArchiveError> {
        let mut waiting = vec![(item.path.clone(), item.source.clone())];
        while let Some((path, source)) = waiting.pop() {
            let fail = |error| source_error(&path, error);
            let looked = at::look_beneath(&self.roots[root].1, &source).map_err(fail)?;
            if looked.mount && source != item.source {
                return Err(ArchiveError::Mount { path });
            }
            if looked.kind().is_dir() && item.extent == Extent::Whole {
                let directory = at::open_dir(&self.roots[root].1, &source).map_err(fail)?;
                let mut names = at::names(directory).map_err(fail)?;
                names.sort_unstable_by(|a, b| b.0.cmp(&a.0));
                let child = |name: &[u8]| (at::join(&path, name).into(), at::join(&source, name).into());
                waiting.extend(names.iter().map(|(name, _)| child(name)));
            }
            self.add(root, path, source, &looked, limit)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        root: usize,
        path: BString,
        source: BString,
        looked: &at::Looked,
        limit: u64,
    ) -> Result<(), ArchiveError> {
        let kind = match looked.kind() {
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Symlink,
            FileType::Directory => EntryKind::Directory,
            FileType::Fifo => EntryKind::Fifo,
            _ => {
                self.skipped.push(path);
                return Ok(());
            }
        };
        let size = if kind == EntryKind::File { looked.stat.size } else { 0 };
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > limit {
            return Err(ArchiveError::TooLarge { bytes: self.bytes, limit });
        }
        let entry = ArchiveEntry {
            path,
            kind,
            mode: looked.permissions(),
            size,
            mtime: looked.stat.mtime,
            target: BString::default(),
            hash: temporary::hash(b""),
        };
        self.members.push(Member { entry, stat: looked.stat, root, source });
        Ok(())
    }
}
