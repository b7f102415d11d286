//! The system calls of a command, where strace(1) is there and may trace.

use std::fs;

use windrow_testkit::{Fault, Invocation, TestRepo, inject};

/// Runs a command and returns a line for each of these system calls of it and of what it starts; `None`, loudly, where that cannot
/// be traced.
#[track_caller]
pub(crate) fn traced(repo: &TestRepo, calls: &str, command: Invocation) -> Option<String> {
    // Says whether one can trace here.
    inject(command.clone(), calls, Fault::Kill, 1)?;
    let log = repo.root().join("traced");
    let file = log.to_str().expect("a temporary directory has a plain name").to_owned();
    let trace = format!("trace={calls}");
    let strace = ["strace", "-f", "-qqq", "-s", "200", "-o", &file, "-e", &trace, "--"];
    command.wrapped_in(strace).run().assert_success();
    Some(fs::read_to_string(log).expect("strace writes it"))
}

/// How many of the calls are meant.
pub(crate) fn count(log: &str, is_meant: impl Fn(&str) -> bool) -> usize {
    log.lines().filter(|line| is_meant(line)).count()
}
