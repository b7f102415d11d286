//! From the library's errors to what the user sees: exit code, code for programs, hint. Each error type is matched in one
//! place, exhaustively, so that a new variant cannot go by unnoticed.

mod git;
mod kind;
mod land;
mod operations;
mod parts;
mod push;
mod queue;
#[cfg(test)]
mod tests;

use std::{error::Error, io, process::ExitCode};

use self::kind::{io_code, io_hint};
use crate::wire::{Code, Details, WireError};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const FAILURE: Self = Self(1);
    pub(crate) const USAGE: Self = Self(2);
    pub(crate) const CONFLICT: Self = Self(65);
    pub(crate) const EXHAUSTED: Self = Self(69);
    pub(crate) const INTERNAL: Self = Self(70);
    pub(crate) const TRY_AGAIN: Self = Self(75);
    pub(crate) const CONFIG: Self = Self(78);
    pub(crate) const TIMEOUT: Self = Self(124);
    pub(crate) const NOT_EXECUTABLE: Self = Self(126);
    pub(crate) const NOT_FOUND: Self = Self(127);
    /// What a shell reports for a program that SIGPIPE ended.
    pub(crate) const PIPE_CLOSED: Self = Self(141);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// A failure as it is told.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) exit: Exit,
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) details: Box<Details>,
    /// More for people, below the message.
    pub(crate) page: Option<String>,
    /// Nobody reads any more, so nothing is said.
    pub(crate) silent: bool,
}

impl Problem {
    /// A failure of this kind, told by the error and what caused it.
    pub(crate) fn new(code: Code, error: &(dyn Error + 'static)) -> Self {
        Self::told(code, chain(error))
    }

    /// A failure of this kind, told by a text.
    pub(crate) fn told(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            exit: exit_of(code),
            code,
            message,
            hint: None,
            details: Box::default(),
            page: None,
            silent: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::told(Code::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something could not be read or written.
    pub(crate) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        let hint = io_hint(error).map(str::to_owned);
        Self { hint, ..Self::told(io_code(error), format!("{what}: {error}")) }
    }

    /// Our output could not be written; when its reader is gone that is no news.
    pub(crate) fn output(error: &io::Error) -> Self {
        let problem = Self { hint: None, ..Self::io("cannot write the output", error) };
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { exit: Exit::PIPE_CLOSED, silent: true, ..problem },
            _ => problem,
        }
    }

    /// For programs.
    pub(crate) fn wire(&self) -> WireError {
        WireError {
            code: self.code,
            message: self.message.clone(),
            retryable: retryable(self.code),
            hint: self.hint.clone(),
            details: (*self.details).clone(),
        }
    }
}

/// An error and everything that caused it, outermost first; a cause that only repeats what was said is left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// The exit code that goes with a code.
fn exit_of(code: Code) -> Exit {
    match code {
        Code::Usage => Exit::USAGE,
        Code::Conflict | Code::StaleFence | Code::Blocked | Code::PushRefused | Code::VerifyFailed => {
            Exit::CONFLICT
        }
        Code::PoolExhausted => Exit::EXHAUSTED,
        Code::Internal | Code::StateUnusable => Exit::INTERNAL,
        Code::Busy | Code::Lost | Code::TargetMoved | Code::Unreachable => Exit::TRY_AGAIN,
        Code::Config | Code::Untrusted => Exit::CONFIG,
        Code::CommandNotExecutable => Exit::NOT_EXECUTABLE,
        Code::CommandNotFound => Exit::NOT_FOUND,
        Code::NotARepository
        | Code::AmbiguousRepository
        | Code::NotFound
        | Code::NoSpace
        | Code::StateTooNew
        | Code::Git
        | Code::Unsaved
        | Code::Io => Exit::FAILURE,
    }
}

/// Whether the same call may work later without anything being changed.
fn retryable(code: Code) -> bool {
    matches!(code, Code::Busy | Code::TargetMoved | Code::Unreachable | Code::PoolExhausted)
}
