//! What the arguments of a system call point to: paths, and the files behind descriptors.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

/// The longest path that is read.
const LONGEST: usize = 4096;

/// Reads a word of 64 bits.
pub(super) fn word(task: Pid, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory(task)?.read_exact_at(&mut bytes, address).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

/// Reads a path, and resolves it as the call would that has it relative to `directory`; none for the current one.
pub(super) fn path(task: Pid, directory: Option<u64>, address: u64) -> Option<PathBuf> {
    let text = string(task, address)?;
    let path = PathBuf::from(OsString::from_vec(text));
    if path.is_absolute() {
        return Some(path);
    }
    let start = match directory {
        Some(directory) if !is_current(directory) => file(task, directory)?,
        _ => fs::read_link(home(task).join("cwd")).ok()?,
    };
    Some(start.join(path))
}

/// Returns the file behind a descriptor; none for what has no path.
pub(super) fn file(task: Pid, descriptor: u64) -> Option<PathBuf> {
    let target = fs::read_link(home(task).join("fd").join((descriptor & 0xffff_ffff).to_string())).ok()?;
    target.is_absolute().then_some(target)
}

/// Tells whether a directory descriptor is AT_FDCWD; its upper half is undefined.
fn is_current(directory: u64) -> bool {
    const AT_FDCWD: u64 = 0xffff_ff9c;
    directory & 0xffff_ffff == AT_FDCWD
}

/// Returns the name of a task.
pub(super) fn name(task: Pid) -> String {
    fs::read_to_string(home(task).join("comm")).unwrap_or_default().trim_end().to_owned()
}

/// Returns the process that a task belongs to.
pub(super) fn process(task: Pid) -> Option<Pid> {
    let status = fs::read_to_string(home(task).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// Returns the command line of a task.
pub(super) fn line(task: Pid) -> String {
    let words = fs::read(home(task).join("cmdline")).unwrap_or_default();
    format!("{task}: {}", String::from_utf8_lossy(&words).replace('\0', " "))
}

fn string(task: Pid, address: u64) -> Option<Vec<u8>> {
    const PAGE: u64 = 4096;
    let memory = memory(task)?;
    let mut text = Vec::new();
    while text.len() < LONGEST {
        let at = address + text.len() as u64;
        // A page at a time: what follows the end of the text need not be mapped.
        let mut part = vec![0; usize::try_from(PAGE - at % PAGE).ok()?];
        let count = memory.read_at(&mut part, at).ok().filter(|count| *count > 0)?;
        let part = &part[..count];
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&part[..end]);
            return Some(text);
        }
        text.extend_from_slice(part);
    }
    None
}

fn memory(task: Pid) -> Option<File> {
    File::open(home(task).join("mem")).ok()
}

fn home(task: Pid) -> PathBuf {
    Path::new("/proc").join(task.to_string())
}
