//! Writes the files of a tree into an empty worktree, in parallel, and reports the stat data for its index.
//!
//! Directories are made first, once each, beside a descriptor of their parent. Files are then written by directory, in
//! chunks that threads take from a common counter. A file costs four system calls: `openat` (O_CREAT, O_EXCL,
//! O_NOFOLLOW), `write`, `fstat` on the same descriptor *after* the write, so that the first `git status` opens nothing,
//! and `close` (counted with `strace -c`; a debug build adds a check at `close`), and `utimensat` where it is to be older than it is
//! ([`Age`]); a directory costs an `openat2` more per chunk of 256 files.
//!
//! # Locking
//! None: the caller owns the worktree, which nobody else knows yet.
//!
//! # Crash safety
//! None and no sync: a worktree is handed out only after it was verified, and verified again after a change of boot.

mod original;
mod plan;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Write},
    num::NonZeroUsize,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bstr::BString;
use rustix::{fs::Mode, io::Errno};
use windrow_model::{EntryMode, FileStat, Oid, Stamp, TreeEntry};

pub use self::original::{Original, Taking};
use self::{
    original::{Opened, Source},
    plan::{Chunk, Plan},
};
use super::{TreePathError, at, check_tree_path};

/// Where the content of blobs comes from.
pub trait BlobSource: Sync {
    /// What one thread reads with.
    type Reader<'a>: BlobReader
    where
        Self: 'a;

    /// Makes a reader for one thread.
    ///
    /// # Errors
    /// The object database cannot be opened.
    fn reader(&self) -> io::Result<Self::Reader<'_>>;
}

/// Reads blobs on one thread.
pub trait BlobReader {
    /// Replaces the content of `buf` by that of a blob.
    ///
    /// # Errors
    /// The blob is missing or damaged.
    fn read(&mut self, oid: &Oid, buf: &mut Vec<u8>) -> io::Result<()>;
}

/// Is told how far a materialisation is.
pub trait Progress: Sync {
    /// Called once, with the number of entries.
    fn total(&self, files: u64);
    /// Called now and then from any thread, with the number of entries written since the last call.
    fn advanced(&self, files: u64);
}

/// Progress that nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn total(&self, _files: u64) {}
    fn advanced(&self, _files: u64) {}
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Stat data of each entry, in the order of the entries.
    pub stats: Vec<FileStat>,
    /// Bytes of content, link targets included.
    pub bytes: u64,
    /// Entries written.
    pub files: u64,
}

/// Why a tree was not written; what was written before stays and is the caller's to remove.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// A path that no worktree may hold.
    #[error("cannot write tree entry `{}`", .0.path)]
    Refused(#[source] TreePathError),
    /// Something is already there: the root was not empty, or two entries are one on this file system.
    #[error("cannot write `{path}`: something is already there")]
    Exists {
        /// The path, relative to the root.
        path: BString,
    },
    /// The limit of open files of the process or the system is reached.
    #[error("cannot write `{path}`: too many open files")]
    TooManyFiles {
        /// The path, relative to the root.
        path: BString,
    },
    /// No space, inodes or quota left.
    #[error("cannot write `{path}`: no space left")]
    NoSpace {
        /// The path, relative to the root.
        path: BString,
    },
    /// The device failed.
    #[error("cannot write `{path}`: input/output error")]
    Device {
        /// The path, relative to the root.
        path: BString,
    },
    /// A blob cannot be read.
    #[error("cannot read blob {oid} of `{path}`")]
    Blob {
        /// The path, relative to the root.
        path: BString,
        /// The blob.
        oid: Oid,
        #[source]
        /// Why.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot write `{path}`")]
    Write {
        /// The path, relative to the root; empty for the root itself.
        path: BString,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl MaterialiseError {
    fn write(path: &[u8], source: io::Error) -> Self {
        let path = BString::from(path);
        match Errno::from_io_error(&source) {
            Some(Errno::EXIST) => Self::Exists { path },
            Some(Errno::MFILE | Errno::NFILE) => Self::TooManyFiles { path },
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace { path },
            Some(Errno::IO) => Self::Device { path },
            _ => Self::Write { path, source },
        }
    }
}

/// Writes all entries below `root`, which exists and holds none of them.
///
/// `entries` have full paths, each once, in any order (an index's order is the fastest). Files get 0666 or 0777 through
/// the umask; gitlinks become empty directories. The first error of any thread stops all.
///
/// # Errors
/// See [`MaterialiseError`]; every path is checked before anything is written.
pub fn materialise<S: BlobSource>(
    manner: Manner<'_>,
    root: &Path,
    entries: &[TreeEntry],
    source: &S,
    threads: NonZeroUsize,
    progress: &dyn Progress,
) -> Result<Written, MaterialiseError> {
    for entry in entries {
        check_tree_path(entry.path.as_ref(), entry.mode).map_err(MaterialiseError::Refused)?;
    }
    let root = at::open_root(root).map_err(|source| MaterialiseError::write(b"", source))?;
    let plan = Plan::new(entries);
    make_directories(&root, &plan, manner.directories)?;
    progress.total(u64::try_from(entries.len()).unwrap_or(u64::MAX));
    let job = Job {
        root,
        entries,
        chunks: &plan.chunks,
        source,
        original: manner.original.and_then(Opened::new),
        protection: manner.protection,
        mtime: manner.age.mtime(SystemTime::now()),
        progress,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    job.run(threads)
}

/// How the files are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner<'a> {
    /// Which directories may be met.
    pub directories: Directories,
    /// Who may write into the files.
    pub protection: Protection,
    /// Which time of their last change files get.
    pub age: Age,
    /// What files are taken over from where it holds them.
    pub original: Option<Original<'a>>,
}

/// Which time of their last change files get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Age {
    /// That of their writing.
    #[default]
    New,
    /// One shortly before, for files whose index is written at once: git reads every file again whose time is not before the second
    /// in which its index was written. *Source*: "racy git" in git's technical documentation.
    Settled,
}

/// By how much a file is made older: more than the second that git compares and the tick by which the clocks of files lag.
const SETTLING: Duration = Duration::from_secs(2);

impl Age {
    /// The time to give to files that are written from now on; `None` for the one that they get by themselves.
    fn mtime(self, now: SystemTime) -> Option<Stamp> {
        let before = match self {
            Self::New => None,
            Self::Settled => now.checked_sub(SETTLING),
        };
        let since = before?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Stamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos: since.subsec_nanos() })
    }
}

/// Who may write into the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Whom the umask lets.
    #[default]
    Usual,
    /// Nobody.
    ReadOnly,
}

impl Protection {
    /// The mode of a new file, before the umask.
    fn mode(self, entry: EntryMode) -> u32 {
        let usual = if entry == EntryMode::Executable { 0o777 } else { 0o666 };
        if self == Self::ReadOnly { usual & 0o555 } else { usual }
    }
}

/// Which directories may be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directories {
    /// None: one that is there is another by a name that the file system takes for the same.
    #[default]
    New,
    /// Real ones.
    Any,
}

fn make_directories(
    root: &OwnedFd,
    plan: &Plan<'_>,
    directories: Directories,
) -> Result<(), MaterialiseError> {
    let mut held: (&[u8], Option<OwnedFd>) = (b"", None);
    for directory in &plan.directories {
        let fail = |source| MaterialiseError::write(directory, source);
        let (parent, name) = at::split(directory);
        if held.1.is_none() || held.0 != parent {
            held = (parent, Some(at::open_dir(root, parent).map_err(fail)?));
        }
        let parent = held.1.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) if directories == Directories::Any && at::open_dir(parent, name).is_ok() => {}
            made => made.map_err(|error| fail(error.into()))?,
        }
    }
    Ok(())
}

/// What the threads share.
struct Job<'a, S> {
    root: OwnedFd,
    entries: &'a [TreeEntry],
    chunks: &'a [Chunk<'a>],
    source: &'a S,
    original: Option<Opened<'a>>,
    protection: Protection,
    mtime: Option<Stamp>,
    progress: &'a dyn Progress,
    next: AtomicUsize,
    stop: AtomicBool,
    failure: Mutex<Option<MaterialiseError>>,
}

/// What one thread wrote: stat data by the number of the entry, and bytes.
#[derive(Default)]
struct Part {
    stats: Vec<(usize, FileStat)>,
    bytes: u64,
}

impl<S: BlobSource> Job<'_, S> {
    fn run(self, threads: NonZeroUsize) -> Result<Written, MaterialiseError> {
        let helpers = threads.get().min(self.chunks.len()).saturating_sub(1);
        let mut parts = Vec::new();
        std::thread::scope(|scope| {
            // A thread that cannot be started only makes it slower: this one does the work as well.
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, || self.work()).ok();
            let started = (0..helpers).filter_map(start).collect::<Vec<_>>();
            parts.push(self.work());
            for thread in started {
                match thread.join() {
                    Ok(part) => parts.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure),
            None => Ok(gather(self.entries.len(), parts)),
        }
    }

    fn work(&self) -> Part {
        let mut part = Part::default();
        if let Err(error) = self.work_until_done(&mut part) {
            self.stop.store(true, Ordering::Relaxed);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        part
    }

    fn work_until_done(&self, part: &mut Part) -> Result<(), MaterialiseError> {
        let reader = self.source.reader().map_err(|source| MaterialiseError::write(b"", source))?;
        let mut writer =
            Writer { reader, buffer: Vec::new(), protection: self.protection, mtime: self.mtime };
        while let Some(chunk) = self.chunks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let fail = |source| MaterialiseError::write(chunk.directory, source);
            let directory = at::open_dir(&self.root, chunk.directory).map_err(fail)?;
            let original = self.original.as_ref().and_then(|original| original.directory(chunk.directory));
            for &number in &chunk.entries {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let stat = writer.write(&directory, (number, &self.entries[number]), original.as_ref())?;
                part.bytes += if self.entries[number].mode == EntryMode::Gitlink { 0 } else { stat.size };
                part.stats.push((number, stat));
            }
            self.progress.advanced(u64::try_from(chunk.entries.len()).unwrap_or_default());
        }
        Ok(())
    }
}

fn gather(count: usize, parts: Vec<Part>) -> Written {
    let mut written = Written { stats: vec![FileStat::default(); count], ..Written::default() };
    for part in parts {
        written.bytes += part.bytes;
        written.files += u64::try_from(part.stats.len()).unwrap_or_default();
        for (number, stat) in part.stats {
            written.stats[number] = stat;
        }
    }
    written
}

/// What one thread writes with.
struct Writer<R> {
    reader: R,
    buffer: Vec<u8>,
    protection: Protection,
    mtime: Option<Stamp>,
}

impl<R: BlobReader> Writer<R> {
    fn write(
        &mut self,
        directory: &OwnedFd,
        (number, entry): (usize, &TreeEntry),
        original: Option<&Source<'_>>,
    ) -> Result<FileStat, MaterialiseError> {
        let (_, name) = at::split(&entry.path);
        match entry.mode {
            EntryMode::Gitlink => write_gitlink(directory, name),
            EntryMode::Symlink => {
                self.read(entry)?;
                write_symlink(directory, name, &self.buffer)
            }
            EntryMode::File | EntryMode::Executable => {
                return self.write_file(directory, (number, entry), original);
            }
        }
        .map_err(|source| MaterialiseError::write(&entry.path, source))
    }

    fn write_file(
        &mut self,
        directory: &OwnedFd,
        (number, entry): (usize, &TreeEntry),
        original: Option<&Source<'_>>,
    ) -> Result<FileStat, MaterialiseError> {
        let (_, name) = at::split(&entry.path);
        let fail = |source| MaterialiseError::write(&entry.path, source);
        // Before the file is made: a blob that is missing leaves none.
        if original.is_none() {
            self.read(entry)?;
        }
        let mut file = create(directory, name, self.protection.mode(entry.mode)).map_err(fail)?;
        let taken = match original {
            Some(original) => original.take(number, name, &mut file, &mut self.buffer).map_err(fail)?,
            None => false,
        };
        if !taken {
            if original.is_some() {
                self.read(entry)?;
            }
            write_content(&mut file, &self.buffer).map_err(fail)?;
        }
        self.mtime.map_or(Ok(()), |mtime| at::set_mtime(&file, mtime)).map_err(fail)?;
        at::stat_of(&file).map(|(stat, _)| stat).map_err(fail)
    }

    fn read(&mut self, entry: &TreeEntry) -> Result<(), MaterialiseError> {
        self.reader.read(&entry.oid, &mut self.buffer).map_err(|source| MaterialiseError::Blob {
            path: entry.path.clone(),
            oid: entry.oid,
            source,
        })
    }
}

fn create(directory: &OwnedFd, name: &[u8], mode: u32) -> io::Result<File> {
    Ok(rustix::fs::openat(directory, name, at::CREATE, Mode::from_raw_mode(mode))?.into())
}

fn write_content(file: &mut File, content: &[u8]) -> io::Result<()> {
    if content.is_empty() { Ok(()) } else { file.write_all(content) }
}

fn write_symlink(directory: &OwnedFd, name: &[u8], target: &[u8]) -> io::Result<FileStat> {
    rustix::fs::symlinkat(target, directory, name)?;
    Ok(at::look(directory, name)?.stat)
}

fn write_gitlink(directory: &OwnedFd, name: &[u8]) -> io::Result<FileStat> {
    rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o777))?;
    Ok(at::look(directory, name)?.stat)
}
