//! The one place where commands are started.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use rustix::io::FdFlags;

use super::platform;
use super::wire::{Spec, TerminalUse};

/// What the reaper (and through it the command) gets as standard streams.
pub(super) struct Streams {
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
}

/// Where the reaper stands in the manager's session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Leads a session of its own.
    Session,
    /// Leads a background group of the manager's session, which has the terminal.
    Background,
}

/// Starts `program` in a session of its own with no terminal, no streams, no other descriptor and nothing but `env`, and does
/// not wait for it.
///
/// Descriptors that our caller left open to us are not handed on on Linux; elsewhere they cannot be listed.
///
/// # Errors
/// The program cannot be started.
pub fn spawn_detached(
    program: &Path,
    args: &[std::ffi::OsString],
    env: &[(std::ffi::OsString, std::ffi::OsString)],
) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts commands")]
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir("/");
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let open = platform::own_descriptors().unwrap_or_default();
    let prepare = move || {
        for descriptor in open.iter().filter(|descriptor| **descriptor > 2) {
            close_on_exec(*descriptor);
        }
        rustix::process::setsid()?;
        leave_to_init()
    };
    #[expect(unsafe_code, reason = "only system calls between fork and exec, no allocation")]
    unsafe {
        command.pre_exec(prepare);
    }
    // A caller that lives on must not collect zombies, nor have a thread to wait for one.
    command.spawn()?.wait().map(drop)
}

/// Goes on in a child whose parent ends at once.
fn leave_to_init() -> io::Result<()> {
    #[expect(unsafe_code, reason = "the child goes on to exec, by system calls alone")]
    // SAFETY: called between fork and exec, where there is one thread.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(()),
        #[expect(unsafe_code, reason = "nothing of the parent's may run in here, destructors included")]
        // SAFETY: ends this process and touches nothing.
        nix::unistd::ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
    }
}

/// Runs the helper with no input, waits for its end and gives back what it printed.
///
/// # Errors
/// The program cannot be started, or its output not be read.
pub fn ask_helper(
    helper: &Path,
    args: &[std::ffi::OsString],
    env: &[(std::ffi::OsString, std::ffi::OsString)],
) -> io::Result<std::process::Output> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts commands")]
    let mut command = Command::new(helper);
    command.args(args).env_clear().current_dir("/");
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stderr(Stdio::piped()).output()
}

/// Keeps one descriptor from the program that is about to run; one that is closed by now needs nothing.
fn close_on_exec(descriptor: i32) {
    #[expect(unsafe_code, reason = "fcntl sets a flag of a number and touches no memory")]
    unsafe {
        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}

/// Starts `helper` with `args` and the numbers of `inherited` descriptors, and an empty environment.
pub(super) fn reaper(
    helper: &Path,
    args: &[std::ffi::OsString],
    inherited: Vec<OwnedFd>,
    streams: Streams,
    group: Group,
) -> io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts commands")]
    let mut command = Command::new(helper);
    command.args(args).env_clear();
    command.args(inherited.iter().map(|fd| fd.as_raw_fd().to_string()));
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let prepare = move || {
        // At once: what the terminal sends to the manager's group must not reach it.
        match group {
            Group::Session => {
                rustix::process::setsid()?;
            }
            Group::Background => rustix::process::setpgid(None, None)?,
        }
        for fd in &inherited {
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "only system calls between fork and exec, no allocation")]
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

/// Starts the command of `spec` in the current directory and in a process group of its own. Descriptors without
/// `CLOEXEC` are inherited. It enters the control group behind `entrance`. Only for the single-threaded reaper.
pub(super) fn command(spec: &Spec, entrance: Option<File>) -> io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts commands")]
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear();
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.process_group(0);
    let foreground = spec.terminal == TerminalUse::Foreground;
    let prepare = move || {
        if let Some(entrance) = &entrance {
            // Refused, it stays where it is: the group is a help, not a need.
            let _ = rustix::io::write(entrance, b"0");
        }
        if foreground { take_terminal() } else { Ok(()) }
    };
    #[expect(unsafe_code, reason = "only system calls between fork and exec, in a single-threaded process")]
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

/// Makes the calling process's group the foreground group of the terminal on standard input. The command does this
/// itself, before it runs: nobody else could do it early enough.
fn take_terminal() -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    without_ttou(|| rustix::termios::tcsetpgrp(stdin, rustix::process::getpgrp()))??;
    Ok(())
}

/// Runs `action` with SIGTTOU blocked, which a background process would be stopped with for touching the terminal.
pub(super) fn without_ttou<T>(action: impl FnOnce() -> T) -> io::Result<T> {
    let mut blocked = SigSet::empty();
    blocked.add(NixSignal::SIGTTOU);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = action();
    before.thread_set_mask()?;
    Ok(result)
}

/// Gives every signal its default disposition, so that what this process inherited (`nohup`, a shell's background job)
/// does not reach the command, and empties the signal mask.
pub(super) fn default_signals() -> io::Result<()> {
    // Real-time signals too; the library keeps two of them for itself and refuses.
    for signal in 1..=libc::SIGRTMAX() {
        // SIGPIPE: the standard library ignores it here and restores it in the child. The runtime's handlers of SIGSEGV
        // and SIGBUS, which go as well, only explain stack overflows.
        if signal != libc::SIGPIPE {
            #[expect(unsafe_code, reason = "SIG_DFL runs no code of ours in a handler")]
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
}
