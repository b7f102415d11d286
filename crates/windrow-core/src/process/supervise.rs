//! Starts a command under a reaper, passes signals on, and waits until nothing of it is left.
//!
//! Locking: takes the occupancy lock (shared) and hands it to the reaper, the command and all descendants.
//!
//! Crash safety: see [`reaper`](super::reaper). Whatever way [`supervise`] is left, also by a panic of the callback,
//! the reaper is told by the closing socket and waited for.

mod manager;
mod request;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use windrow_model::ProcessIdentity;

use super::cancel::Cancel;
use super::ending::Straggler;
use super::lock::LockError;
use super::tee::TeeTarget;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct SuperviseRequest {
    /// The executable that becomes the reaper: it must call [`reaper::main`](super::reaper::main) when started with
    /// `helper_args` and some more arguments, before it starts any thread.
    pub helper: PathBuf,
    /// The arguments that lead there.
    pub helper_args: Vec<OsString>,
    /// The command; looked up in the `PATH` of `env` unless it holds a slash.
    pub program: OsString,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Its current directory.
    pub cwd: PathBuf,
    /// Its complete environment.
    pub env: Vec<(OsString, OsString)>,
    /// The occupancy lock, held until the last descendant is gone.
    pub occupancy: Option<PathBuf>,
    /// How long the command may run. Time during which the machine is suspended does not count.
    pub timeout: Option<Duration>,
    /// How long processes may take to follow SIGTERM; see [`SuperviseRequest::DEFAULT_GRACE`].
    pub grace: Duration,
    /// What it gets on standard input.
    pub input: Input,
    /// Where its output goes.
    pub output: Output,
    /// What ends it from outside.
    pub cancel: Option<Cancel>,
}

/// What the command gets on standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// Ours; a terminal is lent to it.
    #[default]
    Inherit,
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
}

impl SuperviseRequest {
    /// Long enough for a tool to write its state, short enough to wait for.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);
}

/// Where the command's output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// To our standard output and standard error; the command sees them directly.
    #[default]
    Inherit,
    /// Both to our standard error, so that our standard output is ours alone.
    StdoutToStderr,
    /// As [`Output::Inherit`], and a copy to a log. The command sees pipes.
    Tee(TeeTarget),
    /// As [`Output::StdoutToStderr`], and a copy to a log. The command sees one pipe.
    TeeToStderr(TeeTarget),
    /// Both to a log and nowhere else. The command sees one pipe.
    Log(TeeTarget),
}

/// A command that has begun to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The reaper above it.
    pub reaper: ProcessIdentity,
    /// The command.
    pub command: ProcessIdentity,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code, 0 to 255.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A run that is over: nothing of it is left, except stragglers that could not be ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// How the command ended.
    pub exit: Exit,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// The first of SIGINT, SIGTERM, SIGHUP and SIGQUIT that this process got and passed on.
    pub interrupted: Option<i32>,
    /// Descendants that were still there when the command had ended, by process number.
    pub stragglers: Vec<Straggler>,
    /// From the request until everything was gone.
    pub elapsed: Duration,
    /// Why the log of [`Output::Tee`] ends early, if it does. The output itself is complete.
    pub log_lost: Option<io::Error>,
}

/// Why a command could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// There is no such program, or the interpreter that its first line names is missing.
    #[error("program `{}` was not found", .program.display())]
    NotFound {
        /// As asked for.
        program: OsString,
    },
    /// The program may not be executed, or is no executable.
    #[error("program `{}` cannot be executed", .program.display())]
    NotExecutable {
        /// As asked for.
        program: OsString,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory is missing or may not be entered.
    #[error("cannot enter directory `{}`", .cwd.display())]
    Directory {
        /// As asked for.
        cwd: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program could not be started for another reason, such as arguments that are too long.
    #[error("cannot start program `{}`", .program.display())]
    Start {
        /// As asked for.
        program: OsString,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The helper could not be started or could not become a reaper.
    #[error("cannot start the reaper `{}`", .helper.display())]
    Helper {
        /// The helper's executable.
        helper: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The occupancy lock could not be taken.
    #[error("cannot take the occupancy lock")]
    Occupancy(#[source] LockError),
    /// The log file could not be opened.
    #[error("cannot open log `{}`", .path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The reaper was killed while the command ran. What could be found of the command's tree was ended.
    #[error("the reaper died; {} processes of the command were ended", .stragglers.len())]
    ReaperDied {
        /// What was found and ended.
        stragglers: Vec<Straggler>,
    },
    /// Signals, terminal or control socket failed; the command was ended.
    #[error("cannot supervise the command")]
    Io(#[source] io::Error),
}

/// Runs a command until nothing of it is left.
///
/// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGTSTP that reach this process are passed on to the
/// command's process group. When the command has ended or its time is over, all remaining descendants get SIGTERM, the
/// grace, and SIGKILL; another SIGINT, SIGTERM, SIGHUP or SIGQUIT cuts the grace short. When this process is killed, the
/// same happens to the command and all descendants.
///
/// When `request.cancel` is told, the command gets SIGTERM, the grace, and SIGKILL with all its descendants, as when its time is
/// over.
///
/// With a terminal on standard input that it is to have, the command stays in the session and gets the terminal (unless this process
/// runs in the background); job control works as without supervision. Otherwise it gets a session of its own.
///
/// `on_started` is called once, after the command began to run and before anything else is told.
///
/// # Errors
/// By variant of [`SuperviseError`]; in every case nothing is left running that could be ended.
pub fn supervise(
    request: SuperviseRequest,
    on_started: &mut dyn FnMut(&Started),
) -> Result<Ended, SuperviseError> {
    let began = Instant::now();
    let mut ended = manager::run(&request, on_started)?;
    ended.elapsed = began.elapsed();
    Ok(ended)
}
