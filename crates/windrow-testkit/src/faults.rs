//! Faults at a chosen system call: sudden death, or an error.

use std::process::{Command, Stdio};

use crate::{Invocation, skipped};

/// What happens at the system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies by SIGKILL before the call.
    Kill,
    /// The call fails with this error, for instance `ENOSPC`, and has no effect.
    Error(&'static str),
}

/// Wraps a command line so that the fault strikes the `nth` call (counted from 1, by each thread for itself) of
/// `system_calls`, for instance `rename,renameat,renameat2`, in the program and its descendants. Says loudly
/// that the test is skipped where `strace` is not installed or must not trace.
pub fn inject(invocation: Invocation, system_calls: &str, fault: Fault, nth: u32) -> Option<Invocation> {
    if !can_trace() {
        skipped("needs `strace` and the right to trace: fault injection");
        return None;
    }
    let effect = match fault {
        Fault::Kill => "signal=KILL".to_owned(),
        Fault::Error(name) => format!("error={name}"),
    };
    let trace = format!("trace={system_calls}");
    let inject = format!("inject={system_calls}:{effect}:when={nth}");
    Some(invocation.wrapped_in([
        "strace",
        "-f",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        &trace,
        "-e",
        &inject,
        "--",
    ]))
}

fn can_trace() -> bool {
    let mut trial = Command::new("strace");
    trial.args(["-qqq", "-o", "/dev/null", "--", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    trial.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surroundings;

    fn two_directories(fault: Fault, nth: u32) -> Option<(i32, bool, bool)> {
        let surroundings = Surroundings::new();
        let place = surroundings.home();
        let invocation = Invocation::new("mkdir", &place, &surroundings).args(["one", "two"]);
        let outcome = inject(invocation, "mkdir,mkdirat", fault, nth)?.run();
        Some((outcome.code, place.join("one").exists(), place.join("two").exists()))
    }

    #[test]
    fn the_fault_strikes_the_call_it_was_meant_for() {
        let Some(killed) = two_directories(Fault::Kill, 2) else { return };
        assert_eq!(killed, (137, true, false));
        assert_eq!(two_directories(Fault::Error("ENOSPC"), 1), Some((1, false, true)));
        assert_eq!(two_directories(Fault::Kill, 3), Some((0, true, true)));
    }
}
