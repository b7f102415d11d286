//! The small process between manager and command: it adopts every orphan of the tree, so that nothing escapes.
//!
//! It is single-threaded, leads a session of its own (or, with a terminal, a background group of the manager's session)
//! and outlives every signal that can be caught. It ends the whole tree when the command has ended, when the time is
//! over, when it gets SIGTERM itself, and when the manager is gone.
//!
//! Crash safety: the manager's end of the control socket closes with the manager, whatever ends it. The reaper keeps
//! the occupancy lock until it has ended everything.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::SIGTERM;

use super::cgroup::ControlGroup;
use super::ending::{Hunt, Round, Straggler};
use super::kill::ABANDONED_GRACE;
use super::signals::Signals;
use super::supervise::Exit;
use super::table::{self, Row};
use super::wire::{self, Report, Spec, Stage};
use super::{platform, spawn};

/// The name of the process in the kernel's table.
pub(super) const NAME: &std::ffi::CStr = c"windrow-reaper";
pub(super) const NAME_TEXT: &str = "windrow-reaper";

/// How long processes of other users, which cannot be signalled, may take to leave by themselves.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the reaper: the whole life of the helper process that [`supervise`](super::supervise()) starts. `args` are the
/// arguments behind `helper_args`: numbers of inherited descriptors. Must be called before any thread is started.
///
/// The exit code tells nothing; everything is reported through the control socket.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match inherit(args).and_then(|(control, occupancy)| run(control, occupancy)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Takes over the descriptors that `args` name and closes all others but the standard ones, so that nothing of the
/// manager stays open here by accident.
fn inherit(args: impl IntoIterator<Item = OsString>) -> io::Result<(UnixStream, Option<OwnedFd>)> {
    let numbers: Vec<RawFd> = args.into_iter().map(number).collect::<io::Result<_>>()?;
    for other in platform::own_descriptors()? {
        if other > 2 && !numbers.contains(&other) {
            // The descriptor of the listing itself is among them, and closed already.
            let _ = nix::unistd::close(other);
        }
    }
    let mut owned = numbers.into_iter().map(|number| {
        #[expect(
            unsafe_code,
            reason = "the manager opened it for us, `number` checked it, and nobody else owns it"
        )]
        unsafe {
            OwnedFd::from_raw_fd(number)
        }
    });
    let control = owned.next().ok_or_else(misused)?;
    let occupancy = owned.next();
    rustix::io::fcntl_setfd(&control, rustix::io::FdFlags::CLOEXEC)?;
    Ok((UnixStream::from(control), occupancy))
}

fn number(arg: OsString) -> io::Result<RawFd> {
    let number = arg.to_str().and_then(|arg| arg.parse().ok());
    number.filter(|number| *number > 2).ok_or_else(misused)
}

fn misused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the reaper is started by the manager only")
}

fn run(control: UnixStream, _occupancy: Option<OwnedFd>) -> io::Result<()> {
    let Some(payload) = wire::read_frame(&control)? else {
        return Ok(());
    };
    let spec = Spec::decode(&payload)?;
    let signals = match prepare() {
        Ok(signals) => signals,
        Err(error) => return failed(&control, Stage::Reaper, &error),
    };
    if let Err(error) = std::env::set_current_dir(&spec.cwd) {
        return failed(&control, Stage::Directory, &error);
    }
    let group = ControlGroup::create();
    let entrance = group.as_ref().and_then(|group| group.entrance().ok());
    let child = match spawn::command(&spec, entrance) {
        Ok(child) => child,
        Err(error) => return failed(&control, Stage::Program, &error),
    };
    Reaper::new(control, signals, group, &child, &spec)?.run()
}

fn prepare() -> io::Result<Signals> {
    spawn::default_signals()?;
    let signals = Signals::outlive()?;
    platform::adopt_orphans()?;
    // Without a process table nothing could be ended later: better not to start.
    platform::own_row()?;
    Ok(signals)
}

fn failed(control: &UnixStream, stage: Stage, error: &io::Error) -> io::Result<()> {
    let errno = error.raw_os_error().unwrap_or_default();
    wire::write_frame(control, &Report::Failed { stage, errno }.encode())
}

struct Reaper {
    control: UnixStream,
    signals: Signals,
    /// The command's own, where there could be one.
    group: Option<ControlGroup>,
    command: Pid,
    exit: Option<Exit>,
    deadline: Option<Instant>,
    grace: Duration,
    /// Why the tree has to end although the command has not.
    cause: Option<Cause>,
    /// False once the manager is gone: then nobody is told.
    manager: bool,
    /// The manager was told again to end: no more grace.
    hurry: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Timeout,
    Told,
    ManagerGone,
}

/// Whether there are children left, running or not.
#[derive(PartialEq, Eq)]
enum Children {
    Some,
    None,
}

impl Reaper {
    fn new(
        control: UnixStream,
        signals: Signals,
        group: Option<ControlGroup>,
        child: &Child,
        spec: &Spec,
    ) -> io::Result<Self> {
        let command = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let command = command.ok_or_else(misused)?;
        let reaper = Self {
            control,
            signals,
            group,
            command,
            exit: None,
            deadline: spec.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            grace: spec.grace,
            cause: None,
            manager: true,
            hurry: false,
        };
        Ok(reaper)
    }

    fn run(mut self) -> io::Result<()> {
        self.begin();
        while self.exit.is_none() && self.cause.is_none() {
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                self.cause = Some(Cause::Timeout);
                break;
            }
            self.wait(left);
            self.reap();
        }
        let stragglers = self.end_tree();
        let exit = self.exit.unwrap_or(Exit::Signal(Signal::KILL.as_raw()));
        let timed_out = self.cause == Some(Cause::Timeout);
        self.tell(&Report::Ended { exit, timed_out, stragglers });
        Ok(())
    }

    /// Reports the start, and lets go of everything that is the command's: its directory and its standard streams.
    fn begin(&mut self) {
        let pid = self.command.as_raw_pid().unsigned_abs();
        // Still our unreaped child, so the row is there even when it has ended already.
        let start_ticks = platform::row(pid).ok().flatten().map_or(0, |row| row.start_ticks);
        self.tell(&Report::Started { pid, start_ticks });
        let _ = std::env::set_current_dir("/");
        if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdin(&null);
            let _ = rustix::stdio::dup2_stdout(&null);
            let _ = rustix::stdio::dup2_stderr(&null);
        }
    }

    fn tell(&mut self, report: &Report) {
        if self.manager && wire::write_frame(&self.control, &report.encode()).is_err() {
            self.manager_gone();
        }
    }

    fn manager_gone(&mut self) {
        self.manager = false;
        self.cause.get_or_insert(Cause::ManagerGone);
    }

    /// Waits for a child, a word of the manager, or at most `timeout`.
    fn wait(&mut self, timeout: Option<Duration>) {
        let timeout = timeout
            .map(|timeout| Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 }));
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if self.manager {
            fds.push(PollFd::from_borrowed_fd(self.control.as_fd(), PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut fds, timeout.as_ref());
        let spoken = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if spoken {
            self.listen();
        }
        if self.signals.pending().contains(&SIGTERM) {
            self.cause.get_or_insert(Cause::Told);
        }
    }

    fn listen(&mut self) {
        let frame = wire::read_frame(&self.control);
        let Ok(Some(Ok(signal))) = frame.map(|frame| frame.map(|payload| wire::decode_signal(&payload)))
        else {
            return self.manager_gone();
        };
        let Some(signal) = Signal::from_named_raw(signal) else {
            return;
        };
        if self.exit.is_none() {
            // Not waited for yet, so the number still is the command's.
            let _ = rustix::process::kill_process_group(self.command, signal);
        }
        let ending = self.exit.is_some() || self.cause.is_some();
        self.hurry |= ending && matches!(signal, Signal::INT | Signal::TERM | Signal::QUIT | Signal::HUP);
    }

    /// Collects every child that has ended or stopped.
    fn reap(&mut self) -> Children {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(Some((pid, status))) if pid == self.command => self.command_changed(status),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return Children::Some,
                Err(_) => return Children::None,
            }
        }
    }

    fn command_changed(&mut self, status: WaitStatus) {
        if let Some(code) = status.exit_status() {
            self.exit = Some(Exit::Code(code));
        } else if let Some(signal) = status.terminating_signal() {
            self.exit = Some(Exit::Signal(signal));
        } else if status.stopped() {
            self.tell(&Report::Stopped);
        }
    }

    /// Ends all that is left: TERM, the grace, then KILL until there is no child any more.
    fn end_tree(&mut self) -> Vec<Straggler> {
        let mut hunt = Hunt::default();
        let grace = if self.manager { self.grace } else { self.grace.min(ABANDONED_GRACE) };
        let kill_from = Instant::now() + grace;
        let mut stuck_since = None;
        let mut pause = Duration::from_millis(1);
        while self.reap() == Children::Some {
            let kill = self.hurry || Instant::now() >= kill_from;
            let round = if kill { self.kill(&mut hunt) } else { terminate(&mut hunt) };
            if round == Round::Progress {
                stuck_since = None;
            } else if stuck_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                break;
            }
            self.wait(Some(pause));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        let command = self.command.as_raw_pid().unsigned_abs();
        let mut stragglers = hunt.stragglers();
        stragglers.retain(|straggler| straggler.pid != command);
        stragglers
    }

    /// One by one first, so that each is listed; then the group, so that none that began meanwhile escapes.
    fn kill(&self, hunt: &mut Hunt) -> Round {
        let round = with_victims(|victims| hunt.kill(victims));
        if let Some(group) = &self.group {
            group.kill();
        }
        round
    }
}

fn terminate(hunt: &mut Hunt) -> Round {
    with_victims(|victims| {
        hunt.terminate(victims);
        Round::Progress
    })
}

/// Everything that runs below this process. A table that cannot be read now is read again in the next round.
fn with_victims(tell: impl FnOnce(&[&Row]) -> Round) -> Round {
    match table::rows() {
        Ok(table) => tell(&table::descendants(&table, &[std::process::id()])),
        Err(_) => Round::Progress,
    }
}
