//! Tells a process apart from every other that had or will have its number, and whether it still lives.

use std::{io, time::Duration};

use jiff::Timestamp;
use rustix::process::Signal;
use windrow_model::ProcessIdentity;

use super::{platform, table};

/// Returns the identity of the running boot: different after every restart of the machine.
///
/// # Errors
/// `/proc` is not mounted, or the system is not Linux.
pub fn boot_id() -> io::Result<String> {
    platform::boot_id()
}

/// The mask by which the modes of new files are cut, as octal digits.
///
/// # Errors
/// It cannot be asked; on systems other than Linux it never can.
pub fn umask() -> io::Result<String> {
    platform::umask()
}

/// Returns the identity of the running process `pid`, or `None` when there is none or it is a zombie.
///
/// # Errors
/// The process exists but cannot be looked at, or `/proc` is not mounted.
pub fn identify(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let Some(row) = platform::row(pid)?.filter(|row| row.running) else {
        return Ok(None);
    };
    Ok(Some(row.identity(&scope()?)))
}

/// Tells how long the machine has slept since it was started; nothing where that cannot be told apart.
///
/// *Source*: clock_gettime(2): `CLOCK_BOOTTIME` counts suspension, `CLOCK_MONOTONIC` does not.
#[must_use]
pub fn suspended() -> Duration {
    platform::suspended()
}

/// Returns the identity of the calling process.
///
/// # Errors
/// As [`identify`], and when `/proc` shows another PID namespace.
pub fn identify_self() -> io::Result<ProcessIdentity> {
    Ok(platform::own_row()?.identity(&scope()?))
}

/// Where the numbers of processes that we see count: this boot and our PID namespace, as `<boot>/<namespace>`.
pub(super) fn scope() -> io::Result<String> {
    Ok(format!("{}/{}", boot_id()?, platform::pid_namespace()?))
}

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended: gone, a zombie, of another boot, or its number belongs to another process now.
    Dead,
}

/// Tells whether `process` still runs, by number, start time, boot and PID namespace.
///
/// A process of another namespace counts as alive where its end cannot be seen, that is anywhere but in the machine's own.
///
/// # Errors
/// The process table cannot be read; never mistaken for [`Liveness::Dead`].
pub fn liveness(process: &ProcessIdentity) -> io::Result<Liveness> {
    let (boot, namespace) = process.scope.split_once('/').unwrap_or((&process.scope, ""));
    if boot_id()? != boot {
        return Ok(Liveness::Dead);
    }
    let own = platform::pid_namespace()?;
    if namespace != own.to_string() {
        let visible = own == INITIAL_NAMESPACE;
        return if visible { liveness_inside(namespace, process) } else { Ok(Liveness::Alive) };
    }
    match platform::row(process.pid)? {
        Some(row) if row.running && row.start_ticks == process.start_ticks => Ok(Liveness::Alive),
        _ => Ok(Liveness::Dead),
    }
}

/// Asks a process to end (SIGTERM); one that is gone needs no asking.
///
/// # Errors
/// It belongs to somebody else or to another PID namespace, or cannot be told apart from a later process of its number.
pub fn ask_to_end(process: &ProcessIdentity) -> io::Result<()> {
    if liveness(process)? == Liveness::Dead {
        return Ok(());
    }
    if scope()? != process.scope {
        return Err(io::ErrorKind::Unsupported.into());
    }
    match platform::signal(process.pid, process.start_ticks, Signal::TERM)? {
        platform::Sent::Delivered | platform::Sent::Gone => Ok(()),
        platform::Sent::Forbidden => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// The machine's own PID namespace, in which all processes of all others are seen. *Source*: `PROC_PID_INIT_INO` of the
/// kernel's `proc_ns.h`.
const INITIAL_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Looks for a process of another namespace, which has another number here: by start time, and by its namespace where that can
/// be read.
fn liveness_inside(namespace: &str, process: &ProcessIdentity) -> io::Result<Liveness> {
    let rows = table::rows()?;
    let candidates = rows.values().filter(|row| row.running && row.start_ticks == process.start_ticks);
    let mut may_be = candidates
        .map(|row| platform::pid_namespace_of(row.pid))
        .map(|found| found.map_or(true, |found| found.to_string() == namespace));
    Ok(if may_be.any(|may_be| may_be) { Liveness::Alive } else { Liveness::Dead })
}

/// Tells since when a process has been running, to the second; `None` when there is none of that number.
///
/// # Errors
/// The process table or the time of boot cannot be read.
pub fn started_at(pid: u32) -> io::Result<Option<Timestamp>> {
    let Some(row) = platform::row(pid)? else { return Ok(None) };
    let seconds = platform::boot_seconds()? + row.start_ticks / platform::ticks_per_second();
    Ok(i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()))
}

/// A process above another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Which process.
    pub process: ProcessIdentity,
    /// Its command name as the kernel keeps it (at most 15 bytes, set by the process itself).
    pub command: String,
}

/// Lists the processes above `pid`, nearest first, ending with the first process that can be seen. Empty when `pid` is
/// gone.
///
/// # Errors
/// The process table cannot be read.
pub fn ancestors(pid: u32) -> io::Result<Vec<Ancestor>> {
    let scope = scope()?;
    let mut found: Vec<Ancestor> = Vec::new();
    let mut next = platform::row(pid)?.map_or(0, |row| row.parent);
    while next != 0 && found.iter().all(|known| known.process.pid != next) {
        let Some(row) = platform::row(next)? else {
            break;
        };
        found.push(Ancestor { process: row.identity(&scope), command: row.command });
        next = row.parent;
    }
    Ok(found)
}

/// Programs that run parts of a script in forks of themselves.
const SHELLS: [&str; 11] =
    ["ash", "bash", "busybox", "dash", "fish", "ksh", "ksh93", "mksh", "sh", "yash", "zsh"];

/// Returns the process on whose behalf `pid` was started: its parent or, where that is a subshell (a fork of a shell for
/// `$(…)` or one side of a pipe, which will end soon), the shell itself. `None` when no process above it can be seen.
///
/// # Errors
/// The process table cannot be read.
pub fn caller(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let scope = scope()?;
    let above = |row: &table::Row| match row.parent {
        0 => Ok(None),
        parent => platform::row(parent),
    };
    let Some(own) = platform::row(pid)? else { return Ok(None) };
    let Some(mut caller) = above(&own)? else { return Ok(None) };
    while let Some(parent) = above(&caller)?.filter(|parent| is_subshell(&caller, parent)) {
        caller = parent;
    }
    Ok(Some(caller.identity(&scope)))
}

/// Tells whether a process is a mere fork of its parent, a shell. *Source*: proc_pid_stat(5), field 28; execve(2) places the
/// stack anew, fork(2) copies it.
fn is_subshell(row: &table::Row, parent: &table::Row) -> bool {
    let known = |program: std::ffi::OsString| SHELLS.iter().any(|shell| program == *shell);
    row.stack != 0
        && row.stack == parent.stack
        && row.command == parent.command
        && platform::program(row.pid).is_ok_and(known)
}
