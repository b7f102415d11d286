//! One measured process: its wall time, and the processor time of it and of the children it waited for.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use windrow_testkit::Invocation;

use crate::Result;

/// What one process, or several one after the other, cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// Runs a program to its end and returns its cost and standard output.
///
/// Output goes to files, so that a background process that inherits it cannot delay the measurement.
///
/// # Errors
///
/// Fails when the program cannot be started or does.
pub(super) fn measure(invocation: &Invocation) -> Result<(Cost, Vec<u8>)> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = invocation.command();
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let start = Instant::now();
    let (status, cpu) = wait(command.spawn()?)?;
    let wall = start.elapsed();
    if status != 0 {
        let message = String::from_utf8_lossy(&contents(&mut stderr)?).into_owned();
        return Err(format!("{} failed with wait status {status}: {message}", shown(&command)).into());
    }
    Ok((Cost { wall, cpu }, contents(&mut stdout)?))
}

fn shown(command: &Command) -> String {
    format!("{:?} {:?}", command.get_program(), command.get_args().collect::<Vec<_>>())
}

fn contents(file: &mut File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Waits for a child; returns its wait status and the processor time of it and its waited-for descendants.
///
/// *Source*: wait4(2).
#[expect(unsafe_code, reason = "no safe interface gives the resource usage of one child")]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the child is reaped here and must not be waited for again"
)]
fn wait(child: Child) -> Result<(i32, Duration)> {
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    loop {
        // SAFETY: all bytes zero is a valid `rusage`, a structure of numbers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to live variables of the right types, and `pid` is our own unreaped child.
        let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if reaped == pid {
            return Ok((status, duration(usage.ru_utime)? + duration(usage.ru_stime)?));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
}

fn duration(time: libc::timeval) -> Result<Duration> {
    Ok(Duration::from_secs(time.tv_sec.try_into()?) + Duration::from_micros(time.tv_usec.try_into()?))
}

#[cfg(test)]
mod tests {
    use windrow_testkit::Surroundings;

    use super::*;

    fn shell(script: &str) -> Result<(Cost, Vec<u8>)> {
        let surroundings = Surroundings::new();
        measure(&Invocation::new("sh", surroundings.root(), &surroundings).args(["-c", script]))
    }

    #[test]
    fn processor_time_of_grandchildren_counts() {
        let loops = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
        let (cost, output) = shell(&format!("echo out; sh -c '{loops}'; exit 0")).expect("runs");
        assert_eq!(output, b"out\n");
        assert!(cost.cpu >= Duration::from_millis(2), "{cost:?}");
        assert!(cost.wall >= cost.cpu / 4, "{cost:?}");
    }

    #[test]
    fn a_failure_is_an_error_with_its_message() {
        let message = shell("echo broken >&2; exit 3").expect_err("fails").to_string();
        assert!(message.contains("broken"), "{message}");
    }
}
