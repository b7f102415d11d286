//! The loop that stops and resumes the tasks of a tree.
//!
//! *Source*: ptrace(2), seccomp(2). A task stops at the beginning of the calls that a filter names, and at the end of those that
//! something is due for; a new one begins with a SIGSTOP that belongs to tracing and not to it.

use std::collections::HashMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};

use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Event, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    Aim, Effect, Point, Side, Watch, calls, filter, memory, registers,
    watchdog::{Flock, Watchdog},
};
use crate::Invocation;

/// How a trace ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) points: Vec<Point>,
    pub(super) struck: Option<Point>,
    pub(super) overran: Vec<String>,
}

/// Starts the program, and stays with it until nothing of its tree is left.
pub(super) fn run(mut command: Command, invocation: &Invocation, watch: Watch, aim: Aim<'_>) -> Ended {
    let program = spawn(&mut command);
    let mut engine = Engine {
        program,
        territory: invocation.territory(),
        watch,
        aim,
        tasks: HashMap::new(),
        watchdog: Watchdog::new(invocation.time()),
        doom: Doom::Lives,
        status: None,
        points: Vec::new(),
        struck: None,
    };
    // Before the first resumption, so that no child escapes.
    let first = waitpid(program, Some(WaitPidFlag::__WALL));
    assert!(
        matches!(first, Ok(WaitStatus::Stopped(..))),
        "the program does not stop to be traced: {first:?}"
    );
    let options = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACESYSGOOD;
    ptrace::setoptions(program, options).expect("a stopped child takes options");
    engine.know(program);
    engine.resume(program, None);
    engine.follow();
    let overran = std::mem::take(&mut engine.watchdog.flock().overran);
    let status = engine.status.expect("the program was waited for");
    Ended { status, points: engine.points, struck: engine.struck, overran }
}

#[expect(unsafe_code, reason = "only the child itself can ask to be traced")]
#[expect(clippy::zombie_processes, reason = "this room waits for all of the tree itself")]
fn spawn(command: &mut Command) -> Pid {
    let filter = filter::stopping_at(&calls::numbers());
    // SAFETY: the closure runs between fork and exec and makes three system calls, which allocate nothing and take no lock.
    unsafe {
        command.pre_exec(move || {
            ptrace::traceme()?;
            filter::install(&filter)
        });
    };
    let child = command.spawn().expect("the traced program can be started");
    Pid::from_raw(child.id().try_into().expect("a process number"))
}

/// What is known of one task.
#[derive(Debug, Default)]
struct Task {
    /// What happens when the call ends that it is in.
    due: Option<Effect>,
}

/// Whether the tree may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    Lives,
    Dies,
}

struct Engine<'a> {
    program: Pid,
    territory: &'a Path,
    watch: Watch,
    aim: Aim<'a>,
    tasks: HashMap<Pid, Task>,
    watchdog: Watchdog,
    doom: Doom,
    status: Option<ExitStatus>,
    points: Vec<Point>,
    struck: Option<Point>,
}

impl Engine<'_> {
    fn follow(&mut self) {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(status) => self.on(status),
                Err(Errno::ECHILD) => return,
                Err(Errno::EINTR) => {}
                Err(error) => panic!("the traced tree cannot be waited for: {error}"),
            }
        }
    }

    fn on(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Exited(task, code) => self.forget(task, ExitStatus::from_raw(code << 8)),
            WaitStatus::Signaled(task, signal, _) => self.forget(task, ExitStatus::from_raw(signal as i32)),
            WaitStatus::PtraceEvent(task, _, event) if event == Event::PTRACE_EVENT_SECCOMP as i32 => {
                self.on_begin(task)
            }
            WaitStatus::PtraceSyscall(task) => self.on_end(task),
            WaitStatus::PtraceEvent(task, ..) => self.resume(task, None),
            WaitStatus::Stopped(task, signal) => {
                let first = self.know(task);
                let own = (first && signal == Signal::SIGSTOP).then_some(());
                self.resume(task, own.map_or(Some(signal), |()| None));
            }
            WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
        }
    }

    /// Remembers a task; true when it is new.
    fn know(&mut self, task: Pid) -> bool {
        let new = !self.tasks.contains_key(&task);
        if new {
            self.tasks.insert(task, Task::default());
            self.watchdog.flock().tasks.insert(task);
        }
        new
    }

    fn forget(&mut self, task: Pid, status: ExitStatus) {
        self.tasks.remove(&task);
        self.watchdog.flock().tasks.remove(&task);
        if task == self.program {
            self.status = Some(status);
        }
    }

    fn resume(&mut self, task: Pid, signal: Option<Signal>) {
        if self.doom == Doom::Dies || self.watchdog.bit() {
            // One that was born while the others were killed.
            let _ = kill(task, Signal::SIGKILL);
        }
        let due = self.tasks.get(&task).is_some_and(|task| task.due.is_some());
        let resumed = if due { ptrace::syscall(task, signal) } else { ptrace::cont(task, signal) };
        // A task that was killed meanwhile cannot be resumed; its end is reported next.
        assert!(matches!(resumed, Ok(()) | Err(Errno::ESRCH)), "a task cannot be resumed: {resumed:?}");
    }

    fn on_begin(&mut self, task: Pid) {
        self.know(task);
        self.count(task);
        self.resume(task, None);
    }

    fn on_end(&mut self, task: Pid) {
        if let Some(effect) = self.tasks.entry(task).or_default().due.take() {
            self.take_effect(task, effect);
        }
        self.resume(task, None);
    }

    fn count(&mut self, task: Pid) {
        if self.struck.is_some() || self.doom == Doom::Dies {
            return;
        }
        let Ok(call) = registers::call(task) else { return };
        let Some(counted) = calls::counted(task, call, self.watch, self.territory) else { return };
        let number = self.points.len() + 1;
        let program = memory::name(task);
        let point = Point { number, call: counted.name, paths: counted.paths, program };
        self.points.push(point.clone());
        match self.aim.at(&point) {
            None => return,
            Some((Effect::Fail(error), _)) if !point.can_fail_with(error) => return,
            Some((effect @ Effect::Fail(_), _)) => {
                registers::skip(task).expect("a stopped task takes registers");
                self.later(task, effect);
            }
            Some((effect, Side::After)) => self.later(task, effect),
            Some((effect, Side::Before)) => self.take_effect(task, effect),
        }
        self.struck = Some(point);
    }

    fn later(&mut self, task: Pid, effect: Effect) {
        self.tasks.entry(task).or_default().due = Some(effect);
    }

    fn take_effect(&mut self, task: Pid, effect: Effect) {
        match effect {
            Effect::Fail(error) => {
                let failed = registers::fail(task, error);
                assert!(matches!(failed, Ok(()) | Err(Errno::ESRCH)), "no error can be injected: {failed:?}");
            }
            Effect::KillTree => {
                self.doom = Doom::Dies;
                Flock::kill(&self.watchdog.flock());
            }
            Effect::KillProcess => self.kill(memory::process(task).unwrap_or(task)),
            Effect::KillProgram => self.kill(self.program),
        }
    }

    /// Kills a process of the tree, which is not waited for yet.
    fn kill(&self, process: Pid) {
        if self.tasks.contains_key(&process) {
            let _ = kill(process, Signal::SIGKILL);
        }
    }
}
