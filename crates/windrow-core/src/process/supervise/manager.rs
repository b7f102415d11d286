//! The manager's side of a run: one thread, one poll loop over the reaper, the signals and the copied output.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use windrow_model::ProcessIdentity;

use super::request::{spec, start_error, streams};
use super::{Ended, Exit, Input, Started, SuperviseError, SuperviseRequest};
use crate::process::cancel::Cancel;
use crate::process::ending::Straggler;
use crate::process::lock::OccupancyLock;
use crate::process::signals::Forwarding;
use crate::process::spawn::{self, Group};
use crate::process::tee::Tee;
use crate::process::terminal::{Terminal, is_orphaned};
use crate::process::wire::{self, Report, TerminalUse};
use crate::process::{cgroup, identity, kill, occupancy, platform, reaper};

/// Runs the request to its end.
pub(super) fn run(
    request: &SuperviseRequest,
    on_started: &mut dyn FnMut(&Started),
) -> Result<Ended, SuperviseError> {
    let mut manager = Manager::start(request)?;
    let started = manager.handshake(request)?;
    on_started(&started);
    manager.command = Some(started.command);
    let over = manager.watch()?;
    manager.finish(request, over)
}

/// The reaper, told by the closing socket and waited for whatever happens.
struct ReaperProcess {
    control: Option<UnixStream>,
    child: Child,
}

impl ReaperProcess {
    fn control(&self) -> &UnixStream {
        self.control.as_ref().expect("the socket is closed on drop only")
    }

    /// Ends the command's tree with grace. The reaper is not waited for yet, so the number still is its own.
    fn end(&self) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Signals after the end of the reaper are lost, as they would be with the command itself.
    fn signal(&self, signal: i32) {
        let _ = wire::write_frame(self.control(), &wire::encode_signal(signal));
    }
}

impl Drop for ReaperProcess {
    fn drop(&mut self) {
        self.control = None;
        let _ = self.child.wait();
    }
}

/// How watching came to its end.
enum Over {
    Ended { exit: Exit, timed_out: bool, stragglers: Vec<Straggler> },
    ReaperDied,
}

// Fields are dropped in order: the command ends first, then the terminal is taken back, then signals are left alone.
struct Manager {
    reaper: ReaperProcess,
    terminal: Option<Terminal>,
    tee: Option<Tee>,
    signals: Forwarding,
    /// What may still end the command from outside.
    cancel: Option<Cancel>,
    command: Option<ProcessIdentity>,
    interrupted: Option<i32>,
    /// The stop key or a shell told this process to stop: it follows when the command has.
    told_to_stop: bool,
}

impl Manager {
    fn start(request: &SuperviseRequest) -> Result<Self, SuperviseError> {
        let signals = Forwarding::start().map_err(SuperviseError::Io)?;
        let terminal = match request.input {
            Input::Inherit => Terminal::find().map_err(SuperviseError::Io)?,
            Input::Nothing | Input::Bytes(_) => None,
        };
        let (tee, streams) = streams(request)?;
        let helper_failed = |source| SuperviseError::Helper { helper: request.helper.clone(), source };
        let (control, theirs) = UnixStream::pair().map_err(helper_failed)?;
        let mut inherited = vec![OwnedFd::from(theirs)];
        if let Some(path) = &request.occupancy {
            let lock = OccupancyLock::acquire(path).map_err(SuperviseError::Occupancy)?;
            inherited.push(OwnedFd::from(lock));
        }
        let group = if terminal.is_some() { Group::Background } else { Group::Session };
        let child = spawn::reaper(&request.helper, &request.helper_args, inherited, streams, group)
            .map_err(helper_failed)?;
        Ok(Self {
            reaper: ReaperProcess { control: Some(control), child },
            terminal,
            tee,
            signals,
            cancel: request.cancel.clone(),
            command: None,
            interrupted: None,
            told_to_stop: false,
        })
    }

    /// Tells the reaper what to start and waits until it did.
    fn handshake(&mut self, request: &SuperviseRequest) -> Result<Started, SuperviseError> {
        let terminal = self.terminal.as_ref().map_or(TerminalUse::None, Terminal::initial_use);
        let failed = |source| SuperviseError::Helper { helper: request.helper.clone(), source };
        wire::write_frame(self.reaper.control(), &spec(request, terminal).encode()).map_err(failed)?;
        let report = wire::read_frame(self.reaper.control()).map_err(failed)?;
        let report = report.ok_or_else(|| failed(no_reaper()))?;
        match Report::decode(&report).map_err(failed)? {
            Report::Started { pid, start_ticks } => {
                let scope = crate::process::identity::scope().map_err(SuperviseError::Io)?;
                // Not waited for yet, so its row is there even when it has ended already.
                let reaper = platform::row(self.reaper.child.id()).map_err(SuperviseError::Io)?;
                Ok(Started {
                    reaper: reaper.ok_or_else(|| failed(no_reaper()))?.identity(&scope),
                    command: ProcessIdentity { pid, start_ticks, scope },
                })
            }
            Report::Failed { stage, errno } => Err(start_error(request, stage, errno)),
            _ => Err(failed(no_reaper())),
        }
    }

    /// Serves signals, output and reports until the reaper says that everything is over.
    fn watch(&mut self) -> Result<Over, SuperviseError> {
        loop {
            let ready = self.poll(None).map_err(SuperviseError::Io)?;
            if ready.signals {
                self.pass_signals().map_err(SuperviseError::Io)?;
            }
            if ready.cancelled {
                self.cancel = None;
                self.reaper.end();
            }
            if let Some(tee) = &mut self.tee {
                tee.advance(&ready.tee);
            }
            if ready.control
                && let Some(over) = self.report().map_err(SuperviseError::Io)?
            {
                return Ok(over);
            }
        }
    }

    fn poll(&self, timeout: Option<&Timespec>) -> io::Result<Ready> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.reaper.control().as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.cancel.iter().map(|cancel| PollFd::from_borrowed_fd(cancel.as_fd(), PollFlags::IN)));
        let tee = fds.len();
        fds.extend(self.tee.iter().flat_map(Tee::poll_fds));
        match rustix::event::poll(&mut fds, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let cancelled = ready[2..tee].contains(&true);
        Ok(Ready { control: ready[0], signals: ready[1], cancelled, tee: ready[tee..].to_vec() })
    }

    fn report(&mut self) -> io::Result<Option<Over>> {
        let Some(report) = wire::read_frame(self.reaper.control())? else {
            return Ok(Some(Over::ReaperDied));
        };
        match Report::decode(&report)? {
            Report::Stopped => self.command_stopped()?,
            Report::Ended { exit, timed_out, stragglers } => {
                return Ok(Some(Over::Ended { exit, timed_out, stragglers }));
            }
            Report::Started { .. } | Report::Failed { .. } => {}
        }
        Ok(None)
    }

    fn pass_signals(&mut self) -> io::Result<()> {
        for signal in self.signals.pending() {
            match signal {
                SIGCONT => self.resume()?,
                // The kernel tells the foreground group of the terminal itself.
                SIGWINCH if self.terminal.is_some() => {}
                SIGTSTP => {
                    self.told_to_stop = true;
                    self.reaper.signal(signal);
                }
                signal => {
                    if matches!(signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT) {
                        self.interrupted.get_or_insert(signal);
                    }
                    self.reaper.signal(signal);
                }
            }
        }
        Ok(())
    }

    /// The command has stopped. So does this process, and with it the job that the shell knows.
    fn command_stopped(&mut self) -> io::Result<()> {
        let told = std::mem::take(&mut self.told_to_stop);
        let group = self.command_group();
        let Some(terminal) = &mut self.terminal else {
            if told {
                rustix::process::kill_process(rustix::process::getpid(), Signal::STOP)?;
            }
            return Ok(());
        };
        if !terminal.is_lent() && terminal.is_ours() {
            // Brought to the foreground while it ran: it stopped only because it wants the terminal.
            return self.resume();
        }
        let was_lent = terminal.is_lent();
        terminal.take_back()?;
        if !is_orphaned() {
            // What happens after the shell continued us begins with our SIGCONT, see `resume`.
            rustix::process::kill_current_process_group(Signal::STOP)?;
        } else if let (true, Some(group)) = (was_lent, group) {
            // Nobody could continue us: stopping would be the end.
            terminal.lend(group)?;
            self.reaper.signal(SIGCONT);
        }
        Ok(())
    }

    /// Continues the command, with the terminal when it is ours to lend.
    fn resume(&mut self) -> io::Result<()> {
        if let (Some(group), Some(terminal)) = (self.command_group(), &mut self.terminal) {
            terminal.recheck(group);
            if terminal.is_ours() {
                terminal.lend(group)?;
            }
        }
        self.reaper.signal(SIGCONT);
        Ok(())
    }

    fn command_group(&self) -> Option<Pid> {
        let pid = self.command.as_ref()?.pid;
        Pid::from_raw(i32::try_from(pid).ok()?)
    }

    fn finish(mut self, request: &SuperviseRequest, over: Over) -> Result<Ended, SuperviseError> {
        let result = match over {
            Over::Ended { exit, timed_out, stragglers } => Ok((exit, timed_out, stragglers)),
            Over::ReaperDied => Err(SuperviseError::ReaperDied { stragglers: self.end_orphans(request)? }),
        };
        self.drain().map_err(SuperviseError::Io)?;
        let (exit, timed_out, stragglers) = result?;
        // A signal that came with the end still tells that somebody wanted an end.
        let late = self.signals.pending().into_iter().find(|signal| is_interruption(*signal));
        Ok(Ended {
            exit,
            timed_out,
            interrupted: self.interrupted.or(late),
            stragglers,
            elapsed: Duration::ZERO,
            log_lost: self.tee.take().and_then(Tee::into_lost),
        })
    }

    /// Passes on what is still in the pipes. All writers are gone; a reader of ours that does not read is waited for,
    /// as it would be without the copy, until the user interrupts.
    fn drain(&mut self) -> io::Result<()> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        while let Some(tee) = self.tee.as_ref().filter(|tee| tee.is_open()) {
            let timeout = if tee.is_pending() { None } else { Some(&at_once) };
            let ready = self.poll_output(timeout)?;
            if ready.signals {
                let interruption = self.signals.pending().into_iter().find(|signal| is_interruption(*signal));
                if interruption.is_some() {
                    self.interrupted = self.interrupted.or(interruption);
                    return Ok(());
                }
            }
            if timeout.is_some() && !ready.tee.contains(&true) {
                return Ok(());
            }
            if let Some(tee) = &mut self.tee {
                tee.advance(&ready.tee);
            }
        }
        Ok(())
    }

    /// As [`Manager::poll`], without the socket, which is at its end and always ready.
    fn poll_output(&self, timeout: Option<&Timespec>) -> io::Result<Ready> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        fds.extend(self.tee.iter().flat_map(Tee::poll_fds));
        match rustix::event::poll(&mut fds, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        Ok(Ready { control: false, signals: ready[0], cancelled: false, tee: ready[1..].to_vec() })
    }

    /// The reaper was killed: ends the command, whoever holds the occupancy lock, and all below them.
    fn end_orphans(&self, request: &SuperviseRequest) -> Result<Vec<Straggler>, SuperviseError> {
        let mut roots = || {
            let mut roots = Vec::new();
            if let Some(command) = &self.command
                && identity::liveness(command)? == identity::Liveness::Alive
            {
                roots.push(command.pid);
            }
            if let Some(lock) = &request.occupancy {
                roots.extend(occupancy::holder_rows(lock)?.into_iter().map(|row| row.pid));
            }
            Ok(roots)
        };
        let hunt = kill::end_all(request.grace, &mut roots).map_err(SuperviseError::Io)?;
        cgroup::sweep();
        let mut stragglers = hunt.stragglers();
        stragglers.retain(|straggler| straggler.command != reaper::NAME_TEXT);
        Ok(stragglers)
    }
}

/// What [`Manager::poll`] found.
struct Ready {
    control: bool,
    signals: bool,
    cancelled: bool,
    tee: Vec<bool>,
}

fn is_interruption(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT)
}

fn no_reaper() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the helper did not become a reaper")
}
