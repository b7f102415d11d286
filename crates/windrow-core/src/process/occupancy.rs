//! Who uses a directory or has a file open, read from `/proc`.
//!
//! What cannot be read counts as used: an occupant of the kind [`OccupiedBy::Unreadable`] or, for processes of other
//! users, [`OccupiedBy::OtherUser`], which the caller may weigh differently.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use windrow_model::ProcessIdentity;

use super::platform::{self, proc_path};
use super::table::{self, Row};

/// A process that uses a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// The process number.
    pub pid: u32,
    /// Its command name as the kernel keeps it.
    pub command: String,
    /// How it uses the directory: the first of the kinds in the order of their declaration.
    pub how: OccupiedBy,
}

/// How a process uses a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OccupiedBy {
    /// Its current directory lies there.
    Cwd,
    /// Its root directory lies there.
    Root,
    /// Its executable lies there.
    Executable,
    /// It has a file there open.
    Descriptor,
    /// It has a file there mapped.
    Map,
    /// It is ours and does not let us look (for example an agent that keeps keys).
    Unreadable,
    /// It belongs to another user and does not let us look.
    OtherUser,
}

/// Lists the processes that use `dir` or anything below it, by number, except those in `ignore`. A directory that is
/// seen under another path in a mount namespace is recognised by the current directory only.
///
/// # Errors
/// `dir` or the process table cannot be read.
pub fn occupants(dir: &Path, ignore: &[u32]) -> io::Result<Vec<Occupant>> {
    let place = Place::new(dir)?;
    let mut found = Vec::new();
    for row in table::rows()?.into_values() {
        if row.kernel || !row.running || ignore.contains(&row.pid) {
            continue;
        }
        if let Some(how) = usage(&place, row.pid)? {
            found.push(Occupant { pid: row.pid, command: row.command, how });
        }
    }
    Ok(found)
}

/// Lists the processes whose command name begins with `name` and that use one of `dirs` or do not let us look, by number.
///
/// # Errors
/// A directory or the process table cannot be read.
pub fn users_named(name: &str, dirs: &[PathBuf]) -> io::Result<Vec<u32>> {
    let places = dirs.iter().map(|dir| Place::new(dir)).collect::<io::Result<Vec<_>>>()?;
    let mut found = Vec::new();
    for row in table::rows()?.into_values().filter(|row| row.running && row.command.starts_with(name)) {
        for place in &places {
            if usage(place, row.pid)?.is_some() {
                found.push(row.pid);
                break;
            }
        }
    }
    Ok(found)
}

/// Lists the running processes that hold a lock on the very file at `file` (by device and inode) through an open
/// descriptor, by number; who merely has it open, to look at the lock, is not among them. Processes of other users that
/// cannot be looked at are left out; empty when the file does not exist.
///
/// # Errors
/// The file or the process table cannot be read.
pub fn holders_of(file: &Path) -> io::Result<Vec<ProcessIdentity>> {
    let scope = super::identity::scope()?;
    let rows = holder_rows(file)?;
    Ok(rows.iter().map(|row| row.identity(&scope)).collect())
}

pub(super) fn holder_rows(file: &Path) -> io::Result<Vec<Row>> {
    let wanted = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        metadata => metadata?,
    };
    let wanted = (wanted.dev(), wanted.ino());
    let mut rows = table::rows()?;
    let mut holders = BTreeSet::new();
    for row in rows.values().filter(|row| row.running && !row.kernel) {
        if holds(row.pid, wanted)? {
            holders.insert(row.pid);
        }
    }
    rows.retain(|pid, _| holders.contains(pid));
    Ok(rows.into_values().collect())
}

fn holds(pid: u32, wanted: (u64, u64)) -> io::Result<bool> {
    let links = match platform::descriptor_links(pid) {
        Err(error) if platform::is_gone(&error) || is_denied(&error) => return Ok(false),
        links => links?,
    };
    Ok(links.iter().any(|link| {
        // A link that cannot be followed has been closed meanwhile, or is no file at all.
        fs::metadata(link).is_ok_and(|open| (open.dev(), open.ino()) == wanted) && is_locked(pid, link)
    }))
}

/// Whether the description behind a descriptor holds a lock. *Source*: proc_pid_fdinfo(5), `lock:` (Linux 4.1).
fn is_locked(pid: u32, link: &Path) -> bool {
    let Some(name) = link.file_name() else {
        return false;
    };
    let info = fs::read(proc_path(pid, "fdinfo").join(name)).unwrap_or_default();
    String::from_utf8_lossy(&info).lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
}

/// The directory in question: its canonical path and what it is.
struct Place {
    path: PathBuf,
    node: (u64, u64),
}

impl Place {
    fn new(dir: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(dir)?;
        let metadata = fs::metadata(&path)?;
        Ok(Self { node: (metadata.dev(), metadata.ino()), path })
    }

    fn contains(&self, link: &Path) -> bool {
        link.starts_with(&self.path)
    }

    /// Whether the directory behind `link` is the place or lies below it, whatever mount namespace it is seen from.
    fn is_above(&self, link: &Path) -> bool {
        let mut at = link.to_owned();
        let mut last = None;
        // Longer chains than this do not exist within PATH_MAX; the bound only guards against a loop of mounts.
        for _ in 0..2048 {
            let Ok(node) = fs::metadata(&at).map(|found| (found.dev(), found.ino())) else {
                return false;
            };
            if node == self.node {
                return true;
            }
            if last == Some(node) {
                return false;
            }
            last = Some(node);
            at.push("..");
        }
        false
    }
}

fn usage(place: &Place, pid: u32) -> io::Result<Option<OccupiedBy>> {
    let looked = look(place, pid);
    match looked {
        Err(error) if platform::is_gone(&error) => Ok(None),
        Err(error) if is_denied(&error) => denied(pid),
        looked => looked,
    }
}

fn look(place: &Place, pid: u32) -> io::Result<Option<OccupiedBy>> {
    let cwd = proc_path(pid, "cwd");
    if place.contains(&fs::read_link(&cwd)?) || place.is_above(&cwd) {
        return Ok(Some(OccupiedBy::Cwd));
    }
    if place.contains(&fs::read_link(proc_path(pid, "root"))?) {
        return Ok(Some(OccupiedBy::Root));
    }
    if place.contains(&fs::read_link(proc_path(pid, "exe"))?) {
        return Ok(Some(OccupiedBy::Executable));
    }
    for link in platform::descriptor_links(pid)? {
        if fs::read_link(&link).is_ok_and(|target| place.contains(&target)) {
            return Ok(Some(OccupiedBy::Descriptor));
        }
    }
    Ok(maps(place, pid)?.then_some(OccupiedBy::Map))
}

/// Whether a file below the place is mapped. A line holds the path after its first `/`; newlines in it are escaped.
fn maps(place: &Place, pid: u32) -> io::Result<bool> {
    let wanted = escape(place.path.as_os_str().as_bytes());
    let mut reader = BufReader::new(fs::File::open(proc_path(pid, "maps"))?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let start = line.iter().position(|&byte| byte == b'/').unwrap_or(line.len());
        if let Some(rest) = line[start..].strip_prefix(wanted.as_slice())
            && matches!(rest.first(), Some(b'/' | b'\n'))
        {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// *Source*: `show_map_vma` in the kernel escapes nothing but newlines, as `\012`.
fn escape(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'\n' => escaped.extend_from_slice(b"\\012"),
            byte => escaped.push(byte),
        }
    }
    escaped
}

/// Whose process it is that does not let us look; nothing when it has gone.
fn denied(pid: u32) -> io::Result<Option<OccupiedBy>> {
    let owner = match fs::metadata(proc_path(pid, "")) {
        Err(error) if platform::is_gone(&error) => return Ok(None),
        metadata => metadata?.uid(),
    };
    let ours = rustix::process::geteuid();
    // A process that is not dumpable belongs to root here; `status` tells its user.
    let user = status_user(pid)?.unwrap_or(owner);
    Ok(Some(if user == ours.as_raw() { OccupiedBy::Unreadable } else { OccupiedBy::OtherUser }))
}

fn status_user(pid: u32) -> io::Result<Option<u32>> {
    let status = match fs::read(proc_path(pid, "status")) {
        Err(error) if platform::is_gone(&error) || is_denied(&error) => return Ok(None),
        status => status?,
    };
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    Ok(line.and_then(|ids| ids.split_ascii_whitespace().next()?.parse().ok()))
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
