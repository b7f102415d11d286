//! What the process tests share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use windrow_core::process::{Input, Output, SuperviseRequest};

/// Longer than anything here takes on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

/// The `supervised` example, which lies beside the directory of this test executable.
pub(crate) fn helper() -> PathBuf {
    let this = std::env::current_exe().expect("this executable");
    let debug = this.parent().and_then(Path::parent).expect("the target directory");
    let helper = debug.join("examples/supervised");
    assert!(helper.exists(), "build it first: cargo build -p windrow-core --examples");
    helper
}

pub(crate) fn request(cwd: &Path, script: &str) -> SuperviseRequest {
    SuperviseRequest {
        helper: helper(),
        helper_args: vec!["__reaper".into()],
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        cwd: cwd.to_owned(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        occupancy: None,
        timeout: Some(BOUND),
        grace: SuperviseRequest::DEFAULT_GRACE,
        input: Input::Inherit,
        output: Output::Inherit,
        cancel: None,
    }
}

/// A program with a cleared environment and nothing on standard input.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests start the programs they examine")]
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stdin(std::process::Stdio::null());
    command
}

/// A manager of its own process that writes `dir/result`.
pub(crate) fn manager(dir: &Path) -> Command {
    let mut command = command(helper());
    command.current_dir(dir).arg("result").args(["timeout-ms", "60000"]);
    command
}

pub(crate) fn send(pid: u32, signal: &str) {
    let sent = command("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(sent.expect("kill").success());
}

pub(crate) fn wait_for(what: &str, reached: impl FnMut() -> bool) {
    windrow_testkit::poll_until(BOUND, what, reached);
}

#[expect(clippy::print_stderr, reason = "a test that is not run must not look as if it had been")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Runs a script as the first process of a PID namespace, so that nothing can escape; `None` (said loudly) where that
/// is not possible.
pub(crate) fn confined(dir: &Path, script: &str) -> Option<String> {
    let mut unshare = command("timeout");
    // The shell is the first process of the namespace: it reaps, and all ends with it.
    unshare.args(["50", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.args(["bash", "script"]);
    unshare.current_dir(dir);
    // In a file: on a command line it would itself look like what it searches for.
    std::fs::write(dir.join("script"), script).expect("write");
    if !rustix::process::geteuid().is_root() {
        skipped("runaway processes need a PID namespace, which needs root");
        return None;
    }
    let output = unshare.output().expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {text}{problems}", output.status);
    Some(text)
}

/// A field of proc_pid_stat(5); empty when the process is gone.
pub(crate) fn stat(pid: &str, field: usize) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace().nth(field - 3).unwrap_or_default().to_owned()
}
