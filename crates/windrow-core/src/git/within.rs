//! Waiting for a child no longer than a time; then it is killed with everything it started.

use std::{
    io,
    process::{Child, Output},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long what was killed may take to let go of its output.
const GOING: Duration = Duration::from_secs(5);

/// Waits for a child that leads a process group of its own; `None` when it did not end in time.
///
/// # Errors
/// Its output cannot be read.
pub(super) fn wait_within(child: Child, limit: Duration) -> io::Result<Option<Output>> {
    let group = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    // Not scoped: a descendant that left the group may hold the output open for ever, and is not waited for.
    thread::Builder::new().spawn(move || tell.send(child.wait_with_output()))?;
    if let Ok(output) = told.recv_timeout(limit) {
        return output.map(Some);
    }
    // The number is still its own: who waits for it has not been told of its end.
    // One that has ended by itself meanwhile is none any more.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = told.recv_timeout(GOING);
    Ok(None)
}
