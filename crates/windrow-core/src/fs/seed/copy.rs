//! Copies a tree with its times, modes, links and hard links, on the same blocks where the file system can.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    num::NonZeroUsize,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{AtFlags, FileType, Mode};
use windrow_model::{FileStat, Stamp};

use super::{SeedError, at, reflink};

/// From which size on a file is cloned. *Source*: measured, see `materialise/original.rs`.
const CLONED: u64 = 16 << 10;

/// A tree that is to be copied, as it was seen.
#[derive(Debug, Default)]
pub struct SourceTree {
    items: Vec<Item>,
    /// How many files and links there are.
    pub files: u64,
    /// The bytes of all files; one with several names counts once.
    pub bytes: u64,
}

#[derive(Debug)]
struct Item {
    path: BString,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Directory {
        mode: u32,
        mtime: Stamp,
    },
    File {
        stat: FileStat,
        mode: u32,
    },
    /// Another name of the file with this number.
    Same(usize),
    Link {
        target: Vec<u8>,
        mtime: Stamp,
    },
}

/// Whether a copy shares its blocks with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Until somebody writes.
    Shared,
    /// It has its own.
    Own,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopiedTree {
    /// Files and links.
    pub files: u64,
    /// Bytes on the same blocks as before.
    pub shared_bytes: u64,
    /// Bytes that were written anew.
    pub copied_bytes: u64,
}

impl SourceTree {
    /// Looks at what lies below `root`; `wanted` is asked about every relative path with its type and may leave it out.
    ///
    /// # Errors
    /// Something cannot be read, or is mounted there.
    pub fn look(root: &OwnedFd, wanted: &mut dyn FnMut(&BStr, FileType) -> bool) -> Result<Self, SeedError> {
        let mut looker = Looker { wanted, tree: Self::default(), linked: HashMap::new() };
        looker.walk(root, b"")?;
        Ok(looker.tree)
    }

    /// The times of change of those files that `wanted` names.
    pub(super) fn times(&self, wanted: impl Fn(&BStr) -> bool) -> impl Iterator<Item = Stamp> {
        self.items.iter().filter_map(move |item| match item.kind {
            Kind::File { stat, .. } if wanted(item.path.as_bstr()) => Some(stat.mtime),
            _ => None,
        })
    }

    /// Every symbolic link with its target.
    pub(super) fn links(&self) -> impl Iterator<Item = (&BStr, &[u8])> {
        self.items.iter().filter_map(|item| match &item.kind {
            Kind::Link { target, .. } => Some((item.path.as_bstr(), target.as_slice())),
            _ => None,
        })
    }
}

struct Looker<'a> {
    wanted: &'a mut dyn FnMut(&BStr, FileType) -> bool,
    tree: SourceTree,
    linked: HashMap<(u64, u64), usize>,
}

impl Looker<'_> {
    /// Leaves first, so that all of one directory stand together behind it.
    fn walk(&mut self, directory: &OwnedFd, path: &[u8]) -> Result<(), SeedError> {
        let mut names = at::names(directory).map_err(|error| SeedError::at(path, error))?;
        names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut inside = Vec::new();
        for (name, _) in names {
            let full = at::join(path, &name);
            let looked = at::look(directory, &name).map_err(|error| vanished(&full, error))?;
            if !(self.wanted)(full.as_bstr(), looked.kind()) {
                continue;
            }
            if looked.mount {
                return Err(SeedError::Mount { path: full.into() });
            }
            match looked.kind() {
                FileType::Directory => inside.push((name, full, looked)),
                FileType::RegularFile => self.add_file(full, &looked),
                FileType::Symlink => {
                    let target = at::read_link(directory, &name).map_err(|error| vanished(&full, error))?;
                    self.add(full, Kind::Link { target, mtime: looked.stat.mtime });
                }
                // What is neither is of no use to anybody else.
                _ => {}
            }
        }
        for (name, full, looked) in inside {
            let below = at::open_dir_same_mount(directory, &name).map_err(|error| vanished(&full, error))?;
            let kind = Kind::Directory { mode: looked.mode & 0o777, mtime: looked.stat.mtime };
            self.tree.items.push(Item { path: full.clone().into(), kind });
            self.walk(&below, &full)?;
        }
        Ok(())
    }

    fn add_file(&mut self, path: Vec<u8>, looked: &at::Looked) {
        let number = self.tree.items.len();
        let file = (looked.stat.dev, looked.stat.ino);
        if looked.links > 1
            && let Some(first) = self.linked.get(&file)
        {
            let first = *first;
            return self.add(path, Kind::Same(first));
        }
        if looked.links > 1 {
            self.linked.insert(file, number);
        }
        self.tree.bytes = self.tree.bytes.saturating_add(looked.stat.size);
        self.add(path, Kind::File { stat: looked.stat, mode: looked.mode & 0o777 });
    }

    fn add(&mut self, path: Vec<u8>, kind: Kind) {
        self.tree.files += 1;
        self.tree.items.push(Item { path: path.into(), kind });
    }
}

fn vanished(path: &[u8], error: io::Error) -> SeedError {
    if error.kind() == io::ErrorKind::NotFound {
        return SeedError::Changed { path: path.into() };
    }
    SeedError::at(path, error)
}

/// Tells whether files of a tree can share their blocks with copies in another directory, by trying it with the largest.
#[must_use]
pub fn shares_blocks(from: &Path, tree: &SourceTree, place: &Path) -> bool {
    let size = |item: &&Item| if let Kind::File { stat, .. } = item.kind { stat.size } else { 0 };
    let Some(largest) = tree.items.iter().max_by_key(size).filter(|item| size(item) > 0) else { return true };
    let attempt = place.join("attempt");
    let tried = File::open(at::below(from, &largest.path))
        .and_then(|original| reflink(&original, &File::create_new(&attempt)?));
    let removed = std::fs::remove_file(&attempt);
    tried.is_ok() && removed.is_ok()
}

/// Copies a tree into an empty directory, with `threads` threads.
///
/// # Errors
/// Something of it is not as it was seen, or cannot be written; what was written until then stays.
pub fn copy_tree(
    from: &Path,
    to: &Path,
    tree: &SourceTree,
    blocks: Blocks,
    threads: NonZeroUsize,
) -> Result<CopiedTree, SeedError> {
    let open = |root| at::open_root(root).map_err(|error| SeedError::at(b"", error));
    let copy = Copy { from: open(from)?, to: open(to)?, tree, blocks, next: AtomicUsize::new(0) };
    copy.make_directories()?;
    let mut copied = copy.fill(threads)?;
    copy.link_names()?;
    copy.finish_directories()?;
    copied.files = tree.files;
    Ok(copied)
}

struct Copy<'a> {
    from: OwnedFd,
    to: OwnedFd,
    tree: &'a SourceTree,
    blocks: Blocks,
    next: AtomicUsize,
}

/// How many items a thread takes at once.
const CHUNK: usize = 64;

impl Copy<'_> {
    fn make_directories(&self) -> Result<(), SeedError> {
        for item in &self.tree.items {
            if matches!(item.kind, Kind::Directory { .. }) {
                let made = rustix::fs::mkdirat(&self.to, item.path.as_slice(), Mode::RWXU);
                made.map_err(|error| SeedError::at(&item.path, error))?;
            }
        }
        Ok(())
    }

    fn fill(&self, threads: NonZeroUsize) -> Result<CopiedTree, SeedError> {
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let work = || {
                let done = self.work();
                results.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            };
            for _ in 1..threads.get() {
                // A thread that cannot be started only makes it slower: this one does the work as well.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let mut all = CopiedTree::default();
        for one in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let one = one?;
            all.shared_bytes += one.shared_bytes;
            all.copied_bytes += one.copied_bytes;
        }
        Ok(all)
    }

    fn work(&self) -> Result<CopiedTree, SeedError> {
        let mut copied = CopiedTree::default();
        let mut hand = Hand::default();
        loop {
            let first = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(items) = self.tree.items.get(first..) else { return Ok(copied) };
            for item in items.iter().take(CHUNK) {
                if let Err(error) = self.copy_item(&mut hand, item, &mut copied) {
                    self.next.store(self.tree.items.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    }

    fn copy_item(&self, hand: &mut Hand, item: &Item, copied: &mut CopiedTree) -> Result<(), SeedError> {
        let (_, name) = at::split(&item.path);
        match &item.kind {
            Kind::Directory { .. } | Kind::Same(_) => Ok(()),
            Kind::Link { target, mtime } => {
                let (_, to) = hand.reach(self, &item.path)?;
                let made = rustix::fs::symlinkat(target.as_slice(), to, name).map_err(io::Error::from);
                made.and_then(|()| at::set_mtime_at(to, name, *mtime))
                    .map_err(|error| SeedError::at(&item.path, error))
            }
            Kind::File { stat, mode } => {
                let blocks = if stat.size > CLONED { self.blocks } else { Blocks::Own };
                self.copy_file(hand, item, (stat, *mode), blocks)?;
                match blocks {
                    Blocks::Shared => copied.shared_bytes += stat.size,
                    Blocks::Own => copied.copied_bytes += stat.size,
                }
                Ok(())
            }
        }
    }

    fn copy_file(
        &self,
        hand: &mut Hand,
        item: &Item,
        (stat, mode): (&FileStat, u32),
        blocks: Blocks,
    ) -> Result<(), SeedError> {
        let (_, name) = at::split(&item.path);
        let failed = |error: io::Error| SeedError::at(&item.path, error);
        let (from, to) = hand.reach(self, &item.path)?;
        let source = rustix::fs::openat(from, name, at::READ, Mode::empty());
        let mut source = File::from(source.map_err(|error| vanished(&item.path, error.into()))?);
        let target = rustix::fs::openat(to, name, at::CREATE, Mode::RUSR | Mode::WUSR);
        let mut target = File::from(target.map_err(|error| failed(error.into()))?);
        match blocks {
            Blocks::Shared => reflink(&source, &target).map_err(failed)?,
            Blocks::Own => copy_bytes(&mut source, &mut target, stat.size).map_err(failed)?,
        }
        if at::stat_of(&source).map_err(failed)?.0 != *stat {
            return Err(SeedError::Changed { path: item.path.clone() });
        }
        rustix::fs::fchmod(&target, Mode::from_raw_mode(mode)).map_err(|error| failed(error.into()))?;
        at::set_mtime(&target, stat.mtime).map_err(failed)
    }

    fn link_names(&self) -> Result<(), SeedError> {
        for item in &self.tree.items {
            if let Kind::Same(first) = item.kind {
                let first = self.tree.items[first].path.as_slice();
                let (to, name) = (&self.to, item.path.as_slice());
                let linked = rustix::fs::linkat(to, first, to, name, AtFlags::empty());
                linked.map_err(|error| SeedError::at(&item.path, error))?;
            }
        }
        Ok(())
    }

    /// Last and from below, because every new name changes a directory's time.
    fn finish_directories(&self) -> Result<(), SeedError> {
        for item in self.tree.items.iter().rev() {
            if let Kind::Directory { mode, mtime } = item.kind {
                let finish = at::open_dir(&self.to, &item.path).and_then(|directory| {
                    rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode | 0o700))?;
                    at::set_mtime(&directory, mtime)
                });
                finish.map_err(|error| SeedError::at(&item.path, error))?;
            }
        }
        Ok(())
    }
}

fn copy_bytes(from: &mut File, to: &mut File, size: u64) -> io::Result<()> {
    if size == 0 {
        return Ok(());
    }
    if size > CLONED {
        return io::copy(from, to).map(drop);
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    from.read_to_end(&mut content)?;
    to.write_all(&content)
}

/// The directories that a thread has open: those of the last item.
#[derive(Default)]
struct Hand {
    path: Vec<u8>,
    held: Option<(OwnedFd, OwnedFd)>,
}

impl Hand {
    fn reach(&mut self, copy: &Copy<'_>, item: &[u8]) -> Result<&(OwnedFd, OwnedFd), SeedError> {
        let (parent, _) = at::split(item);
        if self.held.is_none() || self.path != parent {
            let from = at::open_dir(&copy.from, parent).map_err(|error| vanished(item, error))?;
            let to = at::open_dir(&copy.to, parent).map_err(|error| SeedError::at(item, error))?;
            self.path = parent.to_owned();
            self.held = None;
            return Ok(self.held.insert((from, to)));
        }
        self.held.as_ref().ok_or_else(|| SeedError::at(item, io::ErrorKind::NotFound))
    }
}

/// Tells whether a link's target lies in a directory, by its text.
pub(super) fn leads_into(target: &[u8], directory: &Path) -> bool {
    let directory = directory.as_os_str().as_bytes();
    target.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
