//! Copies the command's output to a rotated log and on to where it would have gone.
//!
//! One thread, no buffer beyond one read: a slow reader of ours slows the command down as it would without the copy,
//! and a closed one closes the command's pipe.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};

/// A pipe that is writable takes at least this much without blocking. *Source*: pipe(7), PIPE_BUF.
const CHUNK: usize = 4096;

/// Where a copy of the output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeeTarget {
    /// The log file; created with mode 0600, appended to.
    pub path: PathBuf,
    /// Size in bytes after which the log is rotated to `<path>.1`, `<path>.2`, …; 0 never rotates.
    pub max_bytes: u64,
    /// How many rotated files are kept beside the current one.
    pub keep: usize,
}

/// Copies streams until they end.
pub(super) struct Tee {
    log: RotatedLog,
    /// Why the log is not written any more; the output itself goes on.
    lost: Option<io::Error>,
    streams: Vec<Stream>,
}

struct Stream {
    source: OwnedFd,
    /// `None`: the log alone gets it.
    sink: Option<BorrowedFd<'static>>,
    pending: Vec<u8>,
}

impl Tee {
    pub(super) fn open(target: &TeeTarget) -> io::Result<Self> {
        Ok(Self { log: RotatedLog::open(target)?, lost: None, streams: Vec::new() })
    }

    /// Adds a stream that ends in `sink`, or in the log alone; returns the end that the command writes to.
    pub(super) fn add(&mut self, sink: Option<BorrowedFd<'static>>) -> io::Result<OwnedFd> {
        let (source, input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&source, OFlags::NONBLOCK)?;
        self.streams.push(Stream { source, sink, pending: Vec::new() });
        Ok(input)
    }

    /// What to wait for: input of an idle stream, room behind a full one.
    pub(super) fn poll_fds(&self) -> Vec<PollFd<'_>> {
        self.streams.iter().map(Stream::poll_fd).collect()
    }

    /// Moves what can be moved without waiting; `ready` tells for each stream (in order) whether its descriptor is.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        let (log, lost) = (&mut self.log, &mut self.lost);
        self.streams.retain_mut(|stream| {
            if ready.next() != Some(true) {
                return true;
            }
            // An error of the reader's or the command's end closes this stream, as it would without the copy.
            stream.advance(log, lost).is_ok_and(|state| state == State::Open)
        });
    }

    /// Whether a stream still holds bytes that were read but not passed on.
    pub(super) fn is_pending(&self) -> bool {
        self.streams.iter().any(|stream| !stream.pending.is_empty())
    }

    /// Whether there are streams left.
    pub(super) fn is_open(&self) -> bool {
        !self.streams.is_empty()
    }

    pub(super) fn into_lost(self) -> Option<io::Error> {
        self.lost
    }
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    Ended,
}

impl Stream {
    fn poll_fd(&self) -> PollFd<'_> {
        match self.sink.filter(|_| !self.pending.is_empty()) {
            None => PollFd::new(&self.source, PollFlags::IN),
            Some(sink) => PollFd::from_borrowed_fd(sink, PollFlags::OUT),
        }
    }

    fn advance(&mut self, log: &mut RotatedLog, lost: &mut Option<io::Error>) -> io::Result<State> {
        if let Some(sink) = self.sink.filter(|_| !self.pending.is_empty()) {
            let count = self.pending.len().min(CHUNK);
            match rustix::io::write(sink, &self.pending[..count]) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            return Ok(State::Open);
        }
        let mut buffer = [0; CHUNK];
        let count = match rustix::io::read(&self.source, &mut buffer) {
            Ok(0) => return Ok(State::Ended),
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(State::Open),
            Err(error) => return Err(error.into()),
        };
        if lost.is_none() {
            *lost = log.write(&buffer[..count]).err();
        }
        if self.sink.is_some() {
            self.pending.extend_from_slice(&buffer[..count]);
        }
        Ok(State::Open)
    }
}

/// A log file that is put aside when it is full.
#[derive(Debug)]
pub struct RotatedLog {
    target: TeeTarget,
    file: File,
    size: u64,
}

impl RotatedLog {
    /// Opens the log to append to it.
    ///
    /// # Errors
    /// It cannot be opened or created.
    pub fn open(target: &TeeTarget) -> io::Result<Self> {
        let file = open(&target.path)?;
        Ok(Self { size: file.metadata()?.len(), file, target: target.clone() })
    }

    /// Appends `bytes` as a whole, in a new file if the present one has no room for them.
    ///
    /// # Errors
    /// The log cannot be written or rotated.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write as _;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let full = self.target.max_bytes > 0 && self.size.saturating_add(length) > self.target.max_bytes;
        if full && self.size > 0 {
            self.rotate()?;
        }
        self.file.write_all(bytes)?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = &self.target.path;
        for number in (1..self.target.keep).rev() {
            missing_is_fine(fs::rename(rotated(path, number), rotated(path, number + 1)))?;
        }
        if self.target.keep > 0 {
            missing_is_fine(fs::rename(path, rotated(path, 1)))?;
        } else {
            missing_is_fine(fs::remove_file(path))?;
        }
        self.file = open(path)?;
        self.size = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

fn rotated(path: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
