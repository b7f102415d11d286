//! Finds users of a directory in /proc.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::User;

pub(super) fn users_of(directory: &Path) -> Vec<User> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let names = entries.flatten().map(|entry| entry.file_name());
    let processes = names.filter(|name| name.as_bytes().iter().all(u8::is_ascii_digit) && *name != *own);
    processes.filter_map(|name| user(name, directory)).collect()
}

pub(super) fn kill(user: &User) {
    // It may have ended since; then there is nothing to kill.
    let _ = pidfd_send_signal(&user.process, Signal::KILL);
}

/// Opens the process before looking at it, so that what is killed later is what was seen.
fn user(name: OsString, directory: &Path) -> Option<User> {
    let pid = name.to_str()?.parse().ok().and_then(Pid::from_raw)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let home = Path::new("/proc").join(name);
    if is_about_to_become(&home) {
        return None;
    }
    let used = first_use(&home, directory)?;
    let line = fs::read(home.join("cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&line).replace('\0', " ");
    Some(User { description: format!("{}: {words}uses {}", pid.as_raw_nonzero(), used.display()), process })
}

/// A child of ours between fork and exec, started by another thread: it has our descriptors until it becomes its own program.
fn is_about_to_become(home: &Path) -> bool {
    let program = |home: &Path| fs::read_link(home.join("exe")).ok();
    let status = fs::read_to_string(home.join("status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim);
    parent == Some(std::process::id().to_string().as_str())
        && program(home) == program(Path::new("/proc/self"))
}

fn first_use(home: &Path, directory: &Path) -> Option<PathBuf> {
    let links = ["cwd", "root", "exe"].map(|link| home.join(link));
    let descriptors = fs::read_dir(home.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    let targets = links.into_iter().chain(descriptors).filter_map(|link| fs::read_link(link).ok());
    targets.chain(mapped_files(home)).find(|target| target.starts_with(directory))
}

/// *Source*: proc_pid_maps(5): the path is the sixth field and a newline in it is written `\012`.
fn mapped_files(home: &Path) -> Vec<PathBuf> {
    let maps = fs::read(home.join("maps")).unwrap_or_default();
    let path = |line: &[u8]| {
        let start = line.iter().position(|byte| *byte == b'/')?;
        Some(PathBuf::from(OsString::from_vec(line[start..].to_vec())))
    };
    maps.split(|byte| *byte == b'\n').filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Invocation, Surroundings, poll_until, processes_under};

    #[test]
    fn sees_a_process_by_its_directory_and_kills_it() {
        let surroundings = Surroundings::new();
        let place = surroundings.home();
        let mut sleeper = Invocation::new("sleep", &place, &surroundings).arg("600").spawn();
        poll_until(Duration::from_secs(5), "the sleeper shows", || processes_under(&place).len() == 1);
        super::super::kill_under(&place);
        poll_until(Duration::from_secs(5), "the sleeper dies", || !sleeper.is_running());
        assert_eq!(sleeper.wait().signal, Some(9));
    }
}
