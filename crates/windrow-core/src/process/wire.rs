//! What the manager and the reaper say to each other: length-prefixed frames on a stream socket.
//!
//! Compatibility: both ends are always the same executable, started by each other; the form may change at any time.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::Duration;

use super::ending::{EndedBy, Straggler};
use super::supervise::Exit;

/// Larger frames than this (the kernel allows less for arguments and environment) mean that the peer is no peer.
const MAX_FRAME: u32 = 64 << 20;

/// The command to start and how to treat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) terminal: TerminalUse,
}

/// What the command has to do with a terminal on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TerminalUse {
    /// There is none: a session of its own.
    None,
    /// There is one that belongs to another job now.
    Background,
    /// The command gets the terminal.
    Foreground,
}

/// From the reaper to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Started { pid: u32, start_ticks: u64 },
    Failed { stage: Stage, errno: i32 },
    Stopped,
    Ended { exit: Exit, timed_out: bool, stragglers: Vec<Straggler> },
}

/// Where a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Reaper,
    Directory,
    Program,
}

pub(super) fn write_frame(mut to: impl Write, payload: &[u8]) -> io::Result<()> {
    let length =
        u32::try_from(payload.len()).ok().filter(|length| *length <= MAX_FRAME).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "arguments and environment are too large")
        })?;
    let mut frame = Vec::with_capacity(payload.len() + 4);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    to.write_all(&frame)
}

/// Reads one frame; `None` at a proper end.
pub(super) fn read_frame(mut from: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        // Killed with a report unread, the peer resets the connection instead of ending it.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME {
        return Err(malformed());
    }
    let mut payload = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut payload)?;
    match u32::try_from(payload.len()) {
        Ok(got) if got == length => Ok(Some(payload)),
        _ => Ok(None),
    }
}

impl Spec {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        to.text(&self.program);
        to.count(self.args.len());
        self.args.iter().for_each(|arg| to.text(arg));
        to.count(self.env.len());
        for (name, value) in &self.env {
            to.text(name);
            to.text(value);
        }
        to.text(self.cwd.as_os_str());
        to.byte(u8::from(self.timeout.is_some()));
        to.duration(self.timeout.unwrap_or_default());
        to.duration(self.grace);
        to.byte(match self.terminal {
            TerminalUse::None => 0,
            TerminalUse::Background => 1,
            TerminalUse::Foreground => 2,
        });
        to.0
    }

    pub(super) fn decode(payload: &[u8]) -> io::Result<Self> {
        let mut from = Decoder(payload);
        Ok(Self {
            program: from.text()?,
            args: from.list(Decoder::text)?,
            env: from.list(|from| Ok((from.text()?, from.text()?)))?,
            cwd: PathBuf::from(from.text()?),
            timeout: match (from.byte()?, from.duration()?) {
                (0, _) => None,
                (_, timeout) => Some(timeout),
            },
            grace: from.duration()?,
            terminal: match from.byte()? {
                0 => TerminalUse::None,
                1 => TerminalUse::Background,
                _ => TerminalUse::Foreground,
            },
        })
    }
}

impl Report {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        match self {
            Self::Started { pid, start_ticks } => {
                to.byte(1);
                to.number(u64::from(*pid));
                to.number(*start_ticks);
            }
            Self::Failed { stage, errno } => {
                to.byte(2);
                to.byte(match stage {
                    Stage::Reaper => 0,
                    Stage::Directory => 1,
                    Stage::Program => 2,
                });
                to.signed(*errno);
            }
            Self::Stopped => to.byte(3),
            Self::Ended { exit, timed_out, stragglers } => {
                to.byte(4);
                to.exit(*exit);
                to.byte(u8::from(*timed_out));
                to.count(stragglers.len());
                stragglers.iter().for_each(|straggler| to.straggler(straggler));
            }
        }
        to.0
    }

    pub(super) fn decode(payload: &[u8]) -> io::Result<Self> {
        let mut from = Decoder(payload);
        Ok(match from.byte()? {
            1 => Self::Started { pid: from.pid()?, start_ticks: from.number()? },
            2 => Self::Failed {
                stage: match from.byte()? {
                    0 => Stage::Reaper,
                    1 => Stage::Directory,
                    _ => Stage::Program,
                },
                errno: from.signed()?,
            },
            3 => Self::Stopped,
            4 => Self::Ended {
                exit: from.exit()?,
                timed_out: from.byte()? != 0,
                stragglers: from.list(Decoder::straggler)?,
            },
            _ => return Err(malformed()),
        })
    }
}

/// The only thing a manager says after the start: send this signal to the command's process group.
pub(super) fn encode_signal(signal: i32) -> Vec<u8> {
    signal.to_le_bytes().to_vec()
}

pub(super) fn decode_signal(payload: &[u8]) -> io::Result<i32> {
    Decoder(payload).signed()
}

#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn signed(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).expect("a length fits into 64 bits"));
    }

    fn text(&mut self, text: &OsStr) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(duration.as_secs());
        self.number(u64::from(duration.subsec_nanos()));
    }

    fn exit(&mut self, exit: Exit) {
        let (tag, value) = match exit {
            Exit::Code(code) => (0, code),
            Exit::Signal(signal) => (1, signal),
        };
        self.byte(tag);
        self.signed(value);
    }

    fn straggler(&mut self, straggler: &Straggler) {
        self.number(u64::from(straggler.pid));
        self.text(OsStr::new(&straggler.command));
        self.byte(match straggler.ended_by {
            EndedBy::Term => 0,
            EndedBy::Kill => 1,
            EndedBy::Nothing => 2,
        });
    }
}

struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn signed(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_le_bytes)
    }

    fn pid(&mut self) -> io::Result<u32> {
        u32::try_from(self.number()?).map_err(|_| malformed())
    }

    fn count(&mut self) -> io::Result<usize> {
        usize::try_from(self.number()?).map_err(|_| malformed())
    }

    fn text(&mut self) -> io::Result<OsString> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(OsString::from_vec(text.to_vec()))
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.count()?).map(|_| item(self)).collect()
    }

    fn duration(&mut self) -> io::Result<Duration> {
        let seconds = self.number()?;
        let nanos = u32::try_from(self.number()?).map_err(|_| malformed())?;
        Ok(Duration::new(seconds, nanos))
    }

    fn exit(&mut self) -> io::Result<Exit> {
        let tag = self.byte()?;
        let value = self.signed()?;
        Ok(if tag == 0 { Exit::Code(value) } else { Exit::Signal(value) })
    }

    fn straggler(&mut self) -> io::Result<Straggler> {
        Ok(Straggler {
            pid: self.pid()?,
            command: self.text()?.to_string_lossy().into_owned(),
            ended_by: match self.byte()? {
                0 => EndedBy::Term,
                1 => EndedBy::Kill,
                _ => EndedBy::Nothing,
            },
        })
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed message between manager and reaper")
}
