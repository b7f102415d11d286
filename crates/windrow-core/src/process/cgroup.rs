//! A control group for one command, where this process was given the right to make one.
//!
//! It only makes killing faster and certain against processes that multiply: without it the loop over the descendants
//! does the same. So every failure steps down in silence.
//!
//! Crash safety: a reaper that is killed leaves an empty group behind; whoever ends its tree, or the next reaper, removes it.
//!
//! *Source*: Linux `Documentation/admin-guide/cgroup-v2.rst` (`cgroup.kill`: Linux 5.14); systemd's `CGROUP_DELEGATION`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::platform;

const PREFIX: &str = "windrow-";

/// An own control group, removed on drop (when it is empty by then).
pub(super) struct ControlGroup {
    dir: PathBuf,
}

impl ControlGroup {
    /// Makes one below the group of this process.
    pub(super) fn create() -> Option<Self> {
        let parent = own_group()?;
        if !is_delegated(&parent) {
            return None;
        }
        remove_stale(&parent);
        let row = platform::own_row().ok()?;
        let dir = parent.join(format!("{PREFIX}{}-{}", row.pid, row.start_ticks));
        fs::create_dir(&dir).ok()?;
        let group = Self { dir };
        group.dir.join("cgroup.kill").exists().then_some(group)
    }

    /// A process that writes `0` there enters the group.
    pub(super) fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.dir.join("cgroup.procs"))
    }

    /// Kills everything in the group at once.
    pub(super) fn kill(&self) {
        let _ = fs::write(self.dir.join("cgroup.kill"), "1");
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}

/// Removes the empty groups of reapers that were killed.
pub(super) fn sweep() {
    if let Some(parent) = own_group() {
        remove_stale(&parent);
    }
}

/// The directory of this process's group in the unified hierarchy.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read("/proc/self/cgroup").ok()?;
    let path = groups.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    let path = Path::new(OsStr::from_bytes(path));
    // Outside of our cgroup namespace: no path leads there.
    if path.starts_with("..") {
        return None;
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    Some(mounts.lines().find_map(unified_mount)?.join(path))
}

/// The mount point of a line of proc_pid_mountinfo(5) that shows the whole unified hierarchy.
fn unified_mount(line: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (kind.starts_with("cgroup2 ") && root == "/" && !point.contains('\\')).then(|| PathBuf::from(point))
}

/// Whether groups may be made below `parent`. Root may do it everywhere, so for root the mark of the service manager
/// decides; the root of a hierarchy or of a container's namespace has no other owner.
fn is_delegated(parent: &Path) -> bool {
    if !rustix::process::geteuid().is_root() || !parent.join("cgroup.type").exists() {
        return true;
    }
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 1];
        matches!(rustix::fs::getxattr(parent, *name, &mut value), Ok(1)) && value == *b"1"
    })
}

/// Removes the groups of reapers that are gone; one that is not empty stays.
fn remove_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        let Some((Ok(pid), Ok(start))) = owner.map(|(pid, start)| (pid.parse::<u32>(), start.parse::<u64>()))
        else {
            continue;
        };
        let owner = platform::row(pid);
        if owner.is_ok_and(|row| row.is_none_or(|row| row.start_ticks != start || !row.running)) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_the_whole_unified_hierarchy_are_recognised() {
        let whole = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(unified_mount(whole), Some(PathBuf::from("/sys/fs/cgroup")));
        let part = "35 24 0:30 /user.slice /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        assert_eq!(unified_mount(part), None);
        let old = "36 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(unified_mount(old), None);
    }
}
