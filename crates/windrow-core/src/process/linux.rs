//! What only Linux can say about processes: `/proc`, pidfds and the child subreaper.
//!
//! *Source*: proc_pid_stat(5), pidfd_open(2) (Linux 5.3), PR_SET_CHILD_SUBREAPER(2const).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::table::Row;

/// A file that has no name, holds these bytes, and is read from the start.
pub(super) fn in_memory(bytes: &[u8]) -> io::Result<File> {
    use std::io::{Seek as _, Write as _};
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create("windrow-input", flags)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// `PF_KTHREAD` of the kernel's `sched.h`, as shown in field 9 of `stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

/// *Source*: proc_pid_status(5); umask(2) itself cannot be asked without being set.
pub(super) fn umask() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.map(|mask| mask.trim().to_owned()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The PID namespace in which our numbers count. *Source*: namespaces(7).
pub(super) fn pid_namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The PID namespace of another process.
///
/// # Errors
/// It has ended, or it belongs to another user.
pub(super) fn pid_namespace_of(pid: u32) -> io::Result<u64> {
    Ok(fs::metadata(proc_path(pid, "ns/pid"))?.ino())
}

/// When the machine was started, in seconds since 1970. *Source*: proc_stat(5), `btime`.
pub(super) fn boot_seconds() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    let found = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "`/proc/stat` has no time of boot"))
}

/// See [`super::suspended`].
pub(super) fn suspended() -> std::time::Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| std::time::Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    // In this order: what passes in between must not count as sleep.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

/// The unit of start times. *Source*: sysconf(3), `_SC_CLK_TCK`.
pub(super) fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// The numbers of all visible processes.
pub(super) fn pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = number(&entry?.file_name()) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// One process, zombies included; `None` when there is none with that number.
///
/// # Errors
/// A process that exists but whose `stat` cannot be read (`hidepid`).
pub(super) fn row(pid: u32) -> io::Result<Option<Row>> {
    match fs::read(proc_path(pid, "stat")) {
        Ok(text) => parse(pid, &text).map(Some),
        Err(error) if is_gone(&error) => match exists(pid)? {
            Existence::None => Ok(None),
            Existence::Hidden => reread(pid, error),
        },
        Err(error) => Err(error),
    }
}

/// The row of the calling process.
///
/// # Errors
/// `/proc` is missing, or belongs to another PID namespace: then every number in it means somebody else.
pub(super) fn own_row() -> io::Result<Row> {
    let own = std::process::id();
    let foreign = || io::Error::new(io::ErrorKind::Unsupported, "`/proc` does not show this PID namespace");
    if fs::read_link("/proc/self")? != Path::new(&own.to_string()) {
        return Err(foreign());
    }
    row(own)?.ok_or_else(foreign)
}

/// A process may start between the first look and the question whether it exists; a second look tells.
fn reread(pid: u32, first: io::Error) -> io::Result<Option<Row>> {
    match fs::read(proc_path(pid, "stat")) {
        Ok(text) => parse(pid, &text).map(Some),
        Err(error) if is_gone(&error) => match exists(pid)? {
            Existence::None => Ok(None),
            Existence::Hidden => Err(io::Error::new(io::ErrorKind::PermissionDenied, first)),
        },
        Err(error) => Err(error),
    }
}

/// Sends `signal` to the process of `pid` that started at `start_ticks`.
///
/// The pidfd is opened before the start time is compared, so the signal cannot reach a later process of that number.
pub(super) fn signal(pid: u32, start_ticks: u64, signal: Signal) -> io::Result<Sent> {
    let Some(number) = to_pid(pid) else {
        return Ok(Sent::Gone);
    };
    let handle = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
        Ok(handle) => handle,
        // EINVAL: the number is that of a thread, not of a process.
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(Sent::Gone),
        Err(error) => return Err(error.into()),
    };
    match row(pid)? {
        Some(row) if row.start_ticks == start_ticks => {}
        _ => return Ok(Sent::Gone),
    }
    match rustix::process::pidfd_send_signal(handle, signal) {
        Ok(()) => Ok(Sent::Delivered),
        Err(rustix::io::Errno::SRCH) => Ok(Sent::Gone),
        Err(rustix::io::Errno::PERM) => Ok(Sent::Forbidden),
        Err(error) => Err(error.into()),
    }
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

/// Makes this process the parent of every orphaned descendant.
pub(super) fn adopt_orphans() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // A name that people see in `ps`; nothing depends on it except that `kill_tree` does not list a reaper.
    rustix::thread::set_name(super::reaper::NAME)?;
    Ok(())
}

/// The file name of the program that a process runs.
///
/// # Errors
/// It has ended, or it belongs to another user.
pub(super) fn program(pid: u32) -> io::Result<std::ffi::OsString> {
    let path = fs::read_link(proc_path(pid, "exe"))?;
    Ok(path.file_name().unwrap_or_default().to_owned())
}

/// Open descriptors of this process.
pub(super) fn own_descriptors() -> io::Result<Vec<i32>> {
    let mut descriptors = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        descriptors.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(descriptors)
}

/// The paths under `/proc/<pid>/fd`; following one reaches the very file that is open.
pub(super) fn descriptor_links(pid: u32) -> io::Result<Vec<PathBuf>> {
    let mut links = Vec::new();
    for entry in fs::read_dir(proc_path(pid, "fd"))? {
        links.push(entry?.path());
    }
    Ok(links)
}

/// `/proc/<pid>/<name>`.
pub(super) fn proc_path(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// Signals that this process ignores or catches, as bit masks (bit 0 is signal 1).
pub(super) fn signal_masks() -> io::Result<SignalMasks> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
            .ok_or_else(|| invalid("status"))
    };
    Ok(SignalMasks { ignored: mask("SigIgn:")?, caught: mask("SigCgt:")? })
}

/// See [`signal_masks`].
#[derive(Clone, Copy, Debug)]
pub(super) struct SignalMasks {
    pub(super) ignored: u64,
    pub(super) caught: u64,
}

/// Whether an error of `/proc` means that the process is gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn parse(pid: u32, text: &[u8]) -> io::Result<Row> {
    // The command name may hold spaces and parentheses: the last `)` ends it.
    let open = text.iter().position(|&byte| byte == b'(');
    let close = text.iter().rposition(|&byte| byte == b')');
    let (Some(open), Some(close)) = (open, close) else {
        return Err(invalid("stat"));
    };
    let rest = std::str::from_utf8(&text[close + 1..]).map_err(|_| invalid("stat"))?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of the manual page is the first one after the name.
    let field = |number: usize| fields.get(number - 3).copied().ok_or_else(|| invalid("stat"));
    let number = |n: usize| field(n)?.parse::<u64>().map_err(|_| invalid("stat"));
    let state = field(3)?;
    Ok(Row {
        pid,
        parent: field(4)?.parse().map_err(|_| invalid("stat"))?,
        start_ticks: number(22)?,
        command: String::from_utf8_lossy(&text[open + 1..close]).into_owned(),
        running: !is_ended(state) || has_live_thread(pid)?,
        stack: number(28)?,
        kernel: number(9)? & KERNEL_THREAD != 0,
    })
}

fn is_ended(state: &str) -> bool {
    matches!(state, "Z" | "X" | "x")
}

/// A process whose first thread has ended looks like a zombie while its other threads run on.
fn has_live_thread(pid: u32) -> io::Result<bool> {
    let tasks = match fs::read_dir(proc_path(pid, "task")) {
        Err(error) if is_gone(&error) => return Ok(false),
        tasks => tasks?,
    };
    for task in tasks {
        let Ok(task) = task else { break };
        let stat = match fs::read(task.path().join("stat")) {
            Err(error) if is_gone(&error) => continue,
            stat => stat?,
        };
        let after_name = stat.rsplit(|&byte| byte == b')').next().unwrap_or_default();
        let state = std::str::from_utf8(after_name).map_err(|_| invalid("stat"))?;
        if !is_ended(state.split_ascii_whitespace().next().unwrap_or_default()) {
            return Ok(true);
        }
    }
    Ok(false)
}

enum Existence {
    None,
    Hidden,
}

fn exists(pid: u32) -> io::Result<Existence> {
    let Some(pid) = to_pid(pid) else {
        return Ok(Existence::None);
    };
    match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(rustix::io::Errno::PERM) => Ok(Existence::Hidden),
        Err(rustix::io::Errno::SRCH) => Ok(Existence::None),
        Err(error) => Err(error.into()),
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn number(name: &OsStr) -> Option<u32> {
    name.to_str()?.parse().ok()
}

fn invalid(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot understand the kernel's `{file}` file"))
}
