//! Runs a program with all its descendants under ptrace(2), counts what they do to files, and strikes at one of the calls.
//!
//! `strace --inject` counts for each thread by itself, so it cannot name "the 17th change of the whole tree"; here one counter
//! runs over all processes in the order in which their calls arrive.
//!
//! What is not seen: stores through a memory mapping. SQLite writes the shared index of its log (`state.db-shm`) that way; it is
//! rebuilt from the log after a crash, so nothing depends on it.
//!
//! # Locking
//! Tracing belongs to a thread: each trace has one of its own, which starts nothing else.

mod calls;
mod engine;
mod filter;
mod memory;
mod registers;
mod watchdog;

use std::fmt;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::thread;

use bstr::BString;
pub use nix::errno::Errno;

use crate::{Invocation, Outcome};

/// Which calls are counted; only those on files below the surroundings of the traced program are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Calls that change a file, a directory or a lock.
    Changes,
    /// Calls that make a descriptor, by whatever process of the tree.
    Descriptors,
}

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Every process of the tree dies at once, as when the machine stops.
    KillTree,
    /// The process that made the call dies.
    KillProcess,
    /// The traced program itself dies, whichever process made the call.
    KillProgram,
    /// The call is not made and fails with this error.
    Fail(Errno),
}

/// On which side of the call it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The call is not made.
    Before,
    /// The call is made, and nothing after it.
    After,
}

/// One strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The number of the call, counted from 1.
    pub at: usize,
    /// What happens there.
    pub effect: Effect,
    /// On which side; errors have only one.
    pub side: Side,
}

/// A call that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its number, counted from 1.
    pub number: usize,
    /// The name of the system call.
    pub call: &'static str,
    /// What it is about; both paths of a call that takes two.
    pub paths: Vec<PathBuf>,
    /// The name of the process.
    pub program: String,
}

impl Point {
    /// Tells whether the call can fail with this error at all.
    ///
    /// *Source*: the ERRORS sections of section 2 of the Linux manual pages.
    pub fn can_fail_with(&self, error: Errno) -> bool {
        calls::can_fail_with(self.call, error)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} by {}", self.number, self.call, self.program)?;
        self.paths.iter().try_for_each(|path| write!(f, " {}", path.display()))
    }
}

/// What a traced program did and how it ended.
#[derive(Debug)]
pub struct Traced {
    /// Its end; a killed program has the signal.
    pub outcome: Outcome,
    /// Every counted call, in order; after a strike none is counted.
    pub points: Vec<Point>,
    /// Where the strike fell, if so many calls were made and the call can fail like that.
    pub struck: Option<Point>,
    /// What was still alive at the bound, and was killed then.
    pub overran: Vec<String>,
}

/// Runs a program to its end, and to that of everything it started.
///
/// # Panics
///
/// Panics when the program cannot be started or traced.
#[track_caller]
pub fn trace(invocation: &Invocation, watch: Watch, strike: Option<Strike>) -> Traced {
    aimed(invocation, watch, strike.map_or(Aim::Nowhere, Aim::Number))
}

/// Runs a program like [`trace`] and strikes before the first counted call that `is_it`.
///
/// # Panics
///
/// Panics when the program cannot be started or traced.
#[track_caller]
pub fn trace_until(
    invocation: &Invocation,
    watch: Watch,
    effect: Effect,
    is_it: &(dyn Fn(&Point) -> bool + Sync),
) -> Traced {
    aimed(invocation, watch, Aim::First(effect, is_it))
}

/// Where a strike falls.
#[derive(Clone, Copy)]
enum Aim<'a> {
    Nowhere,
    Number(Strike),
    First(Effect, &'a (dyn Fn(&Point) -> bool + Sync)),
}

impl Aim<'_> {
    fn at(&self, point: &Point) -> Option<(Effect, Side)> {
        match *self {
            Self::Number(strike) if strike.at == point.number => Some((strike.effect, strike.side)),
            Self::First(effect, is_it) if is_it(point) => Some((effect, Side::Before)),
            _ => None,
        }
    }
}

fn aimed(invocation: &Invocation, watch: Watch, aim: Aim<'_>) -> Traced {
    thread::scope(|scope| {
        let traced = scope.spawn(|| run(invocation, watch, aim)).join();
        traced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Says whether errors can be injected on this machine; kills always can.
pub fn can_inject_errors() -> bool {
    registers::CAN_REPLACE
}

fn run(invocation: &Invocation, watch: Watch, aim: Aim<'_>) -> Traced {
    // Nameless files outside the surroundings: output is neither counted, nor can a survivor keep it open.
    let [mut stdout, mut stderr] =
        [(); 2].map(|()| tempfile::tempfile().expect("a temporary file can be made"));
    let mut command = invocation.command();
    command
        .stdout(stdout.try_clone().expect("a descriptor"))
        .stderr(stderr.try_clone().expect("a descriptor"));
    let ended = engine::run(command, invocation, watch, aim);
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("our own file can be read");
        BString::from(bytes)
    };
    let outcome = Outcome::new(invocation.line(), ended.status, read(&mut stdout), read(&mut stderr));
    Traced { outcome, points: ended.points, struck: ended.struck, overran: ended.overran }
}

#[cfg(test)]
mod tests;
