//! The terminal on standard input: lent to the command, taken back when it stops or ends, with the modes of each.
//!
//! *Source*: the GNU C library manual, "Implementing a Job Control Shell"; tcsetpgrp(3).

use std::io;

use rustix::process::Pid;
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};

use super::spawn::without_ttou;
use super::wire::TerminalUse;

/// The controlling terminal of this session, on standard input.
pub(super) struct Terminal {
    /// Our own process group, which the shell knows as the job.
    own: Pid,
    /// The modes the shell gave us.
    modes: Termios,
    /// The modes the command had when it was stopped.
    command_modes: Option<Termios>,
    /// Whether the terminal is the command's now, by our doing.
    lent: bool,
}

impl Terminal {
    /// The terminal on standard input, when there is one and it is this session's.
    pub(super) fn find() -> io::Result<Option<Self>> {
        // Zero when the group's leader is outside of our PID namespace: then there is no group that we could name.
        let own = Pid::from_raw(nix::unistd::getpgrp().as_raw());
        let Some(own) = own.filter(|_| isatty(stdin())) else {
            return Ok(None);
        };
        let Ok(foreground) = tcgetpgrp(stdin()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            own,
            modes: tcgetattr(stdin())?,
            command_modes: None,
            // The command takes it itself at its start, see `spawn`.
            lent: foreground == own,
        }))
    }

    /// How the command starts.
    pub(super) fn initial_use(&self) -> TerminalUse {
        if self.lent { TerminalUse::Foreground } else { TerminalUse::Background }
    }

    /// Whether our own group has the terminal, so that it can be lent.
    pub(super) fn is_ours(&self) -> bool {
        tcgetpgrp(stdin()).is_ok_and(|group| group == self.own)
    }

    pub(super) fn is_lent(&self) -> bool {
        self.lent
    }

    /// After an interruption: forgets the loan when the shell has given the terminal to somebody else meanwhile.
    pub(super) fn recheck(&mut self, command: Pid) {
        self.lent = tcgetpgrp(stdin()).is_ok_and(|group| group == command);
    }

    /// Gives the terminal to the group of `command`, with the modes it had when it was stopped.
    pub(super) fn lend(&mut self, command: Pid) -> io::Result<()> {
        if let Ok(modes) = tcgetattr(stdin()) {
            self.modes = modes;
        }
        if let Some(modes) = self.command_modes.take() {
            set_modes(&modes)?;
        }
        without_ttou(|| tcsetpgrp(stdin(), command))??;
        self.lent = true;
        Ok(())
    }

    /// Takes the terminal back for our group, with the modes the shell gave us. Does nothing when it is not lent.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        if !self.lent {
            return Ok(());
        }
        self.lent = false;
        self.command_modes = tcgetattr(stdin()).ok();
        without_ttou(|| tcsetpgrp(stdin(), self.own))??;
        set_modes(&self.modes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that has gone (hang-up) cannot be taken back and need not be.
        let _ = self.take_back();
    }
}

fn set_modes(modes: &Termios) -> io::Result<()> {
    without_ttou(|| tcsetattr(stdin(), OptionalActions::Now, modes))??;
    Ok(())
}

/// Whether nobody would continue our process group once it stopped: no member's parent is in another group of the same
/// session. Judged by our own parent; *Source*: setpgid(2), "orphaned process group".
pub(super) fn is_orphaned() -> bool {
    let parent = nix::unistd::getppid();
    let session = nix::unistd::getsid(Some(parent)).ok();
    let same_session = session.is_some() && session == nix::unistd::getsid(None).ok();
    let other_group = nix::unistd::getpgid(Some(parent)).is_ok_and(|group| group != nix::unistd::getpgrp());
    !(same_session && other_group)
}
