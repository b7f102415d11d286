//! Nothing is left behind when a measurement on images is interrupted: what it starts lives in a mount namespace of its own, and
//! a guardian outside of it clears up when we are gone, however that came about.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use windrow_testkit::{own_mounts, poll_until, root_only};

use crate::Result;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads where the namespace is, and holds it, so that its number is nobody else's. Then waits for the end of its standard input,
/// which comes with our end. It sees none of our mounts, so it removes only what is around them, and they are gone with it.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
read -r link || exit
exec 3< "$link"
namespace=$(readlink "$link")
cat > /dev/null
for turn in $(seq 600); do
    left=
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/ns/mnt" 2> /dev/null)" = "$namespace" ]; then
            kill -9 "${process#/proc/}"
            left=$process
        fi
    done
    [ -n "$left" ] || break
    sleep 0.05
done
rm -rf -- "$1"
"#;

/// A mount namespace that holds only us and what we started since, and a directory for all that it makes.
#[derive(Debug)]
pub(crate) struct Alone {
    namespace: PathBuf,
    directory: Option<TempDir>,
    guardian: Child,
}

impl Alone {
    /// Begins one with a directory in `parent`; none where that is not allowed, which is said loudly. To be called by the thread
    /// that starts everything else.
    ///
    /// # Errors
    ///
    /// Fails when the directory cannot be made or the guardian cannot be started.
    pub(crate) fn begin(what: &str, parent: &Path) -> Result<Option<Self>> {
        let Some(root) = root_only(what) else { return Ok(None) };
        let before = own_namespace()?.1;
        let directory = tempfile::Builder::new().prefix("windrow-bench-").tempdir_in(parent)?;
        let mut guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "guardian"])
            .arg(directory.path().canonicalize()?)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()?;
        let hidden = own_mounts(root);
        let (link, namespace) = own_namespace()?;
        if hidden.is_none() || namespace == before {
            guardian.kill()?;
            guardian.wait()?;
            return Ok(None);
        }
        writeln!(guardian.stdin.as_mut().ok_or("a pipe was asked for")?, "{}", link.display())?;
        Ok(Some(Self { namespace, directory: Some(directory), guardian }))
    }

    /// Where to put everything.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().expect("it is there until the end").path()
    }

    /// Kills everything else in the namespace, until there is nothing.
    pub(crate) fn kill_others(&self) {
        kill_others(&self.namespace);
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.directory.take();
        // It would end us, too.
        let _ = self.guardian.kill();
        let _ = self.guardian.wait();
    }
}

fn kill_others(namespace: &Path) {
    poll_until(PATIENCE, "what was measured ends", || {
        let others = others(namespace);
        others.iter().for_each(|pid| kill(*pid, namespace));
        others.is_empty()
    });
}

fn others(namespace: &Path) -> Vec<Pid> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = entries.filter(|name| name.as_bytes().iter().all(u8::is_ascii_digit) && *name != *own);
    let pids = numbers.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
    pids.filter(|pid| holds(*pid, namespace)).collect()
}

/// A zombie has no namespace any more and is nothing to kill.
fn holds(pid: Pid, namespace: &Path) -> bool {
    let link = format!("/proc/{}/ns/mnt", pid.as_raw_nonzero());
    fs::read_link(link).is_ok_and(|its| its == namespace)
}

/// The descriptor is opened before the process is looked at, so that what is killed is what was seen.
fn kill(pid: Pid, namespace: &Path) {
    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
        && holds(pid, namespace)
    {
        // It may have ended since; then there is nothing to kill.
        let _ = pidfd_send_signal(&process, Signal::KILL);
    }
}

/// That of this thread: where it is to be found, and its name.
fn own_namespace() -> std::io::Result<(PathBuf, PathBuf)> {
    let link = Path::new("/proc").join(fs::read_link("/proc/thread-self")?).join("ns/mnt");
    let name = fs::read_link(&link)?;
    Ok((link, name))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use windrow_testkit::{Invocation, Surroundings};

    use super::*;

    /// Starts a process outside of a new namespace and one in it, does something about the namespace, and looks who is left.
    fn ends_what_is_inside(end: impl FnOnce(&Surroundings, Invocation, PathBuf, PathBuf) + Send + 'static) {
        let Some(root) = root_only("a mount namespace") else { return };
        let checks = thread::spawn(move || {
            let surroundings = Surroundings::new();
            let sleeper = || Invocation::new("sleep", surroundings.root(), &surroundings).arg("600").spawn();
            let mut outside = sleeper();
            let guardian = Invocation::new("sh", surroundings.root(), &surroundings);
            let Some(()) = own_mounts(root) else { return };
            let (link, namespace) = own_namespace().expect("/proc is mounted");
            let mut inside = sleeper();
            poll_until(PATIENCE, "the process is seen", || others(&namespace).len() == 1);
            end(&surroundings, guardian, link, namespace);
            poll_until(PATIENCE, "the process is gone", || !inside.is_running());
            assert!(outside.is_running());
            outside.kill_alone();
        });
        checks.join().expect("no assertion failed");
    }

    #[test]
    fn only_processes_of_the_namespace_are_ended() {
        ends_what_is_inside(|_, _, _, namespace| kill_others(&namespace));
    }

    #[test]
    fn the_guardian_clears_up_when_its_input_ends() {
        ends_what_is_inside(|surroundings, guardian, link, _| {
            let directory = surroundings.root().join("all");
            fs::create_dir_all(directory.join("below")).expect("ours");
            // The process as such is where it was; only this thread is not.
            let enter = format!("--mount=/proc/{}/ns/mnt", std::process::id());
            let outside = guardian.wrapped_in(["nsenter", &enter, "--"]);
            let line = format!("{}\n", link.display());
            outside.args(["-c", GUARDIAN, "guardian"]).arg(&directory).stdin(line).run().assert_success();
            assert!(!directory.exists());
        });
    }
}
