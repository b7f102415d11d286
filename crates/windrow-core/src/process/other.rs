//! Systems other than Linux: neither `/proc`, nor pidfds, nor a child subreaper.
//!
//! Without them a tree cannot be ended reliably and a process cannot be told apart from a later one of its number, so
//! everything here refuses. Locks, which need none of it, work everywhere.

use std::io;
use std::path::PathBuf;

use rustix::process::Signal;

use super::table::Row;

pub(super) fn boot_id() -> io::Result<String> {
    Err(unsupported())
}

pub(super) fn in_memory(_bytes: &[u8]) -> io::Result<std::fs::File> {
    Err(unsupported())
}

pub(super) fn umask() -> io::Result<String> {
    Err(unsupported())
}

pub(super) fn pid_namespace() -> io::Result<u64> {
    Err(unsupported())
}

pub(super) fn pid_namespace_of(_pid: u32) -> io::Result<u64> {
    Err(unsupported())
}

pub(super) fn program(_pid: u32) -> io::Result<std::ffi::OsString> {
    Err(unsupported())
}

pub(super) fn boot_seconds() -> io::Result<u64> {
    Err(unsupported())
}

pub(super) fn suspended() -> std::time::Duration {
    std::time::Duration::ZERO
}

pub(super) fn ticks_per_second() -> u64 {
    1
}

pub(super) fn pids() -> io::Result<Vec<u32>> {
    Err(unsupported())
}

pub(super) fn row(_pid: u32) -> io::Result<Option<Row>> {
    Err(unsupported())
}

pub(super) fn own_row() -> io::Result<Row> {
    Err(unsupported())
}

pub(super) fn signal(_pid: u32, _start_ticks: u64, _signal: Signal) -> io::Result<Sent> {
    Err(unsupported())
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The process has it.
    Delivered,
    /// There is no such process any more.
    Gone,
    /// The process belongs to somebody else.
    Forbidden,
}

pub(super) fn adopt_orphans() -> io::Result<()> {
    Err(unsupported())
}

pub(super) fn own_descriptors() -> io::Result<Vec<i32>> {
    Err(unsupported())
}

pub(super) fn descriptor_links(_pid: u32) -> io::Result<Vec<PathBuf>> {
    Err(unsupported())
}

pub(super) fn proc_path(_pid: u32, _name: &str) -> PathBuf {
    PathBuf::new()
}

pub(super) fn signal_masks() -> io::Result<SignalMasks> {
    Err(unsupported())
}

/// Signals that this process ignores or catches, as bit masks.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignalMasks {
    pub(super) ignored: u64,
    pub(super) caught: u64,
}

pub(super) fn is_gone(_error: &io::Error) -> bool {
    false
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "processes can be identified and supervised on Linux only")
}
