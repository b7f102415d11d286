//! A started program: its output as it comes, its end, and its death when the test forgets it.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use rustix::process::{Pid, Signal};

use crate::poll::poll_quietly;
use crate::{Outcome, leftovers};

/// How long output may stay open after the program itself has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(10);

/// A running program; dropping it kills it and everything of its process group.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    status: Option<ExitStatus>,
    stdout: Capture,
    stderr: Capture,
    started: Instant,
    bound: Duration,
    territory: PathBuf,
}

impl Running {
    pub(crate) fn new(
        command: String,
        mut child: Child,
        input: Option<Vec<u8>>,
        bound: Duration,
        territory: PathBuf,
    ) -> Self {
        let stdout = Capture::of(child.stdout.take().expect("standard output was piped"));
        let stderr = Capture::of(child.stderr.take().expect("standard error was piped"));
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            // A program that ends without reading its input is the test's business, not an error here.
            std::thread::spawn(move || drop(pipe.write_all(&input)));
        }
        Self { command, child, status: None, stdout, stderr, started: Instant::now(), bound, territory }
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it wrote to standard output until now.
    pub fn stdout(&self) -> BString {
        self.stdout.so_far()
    }

    /// Returns what it wrote to standard error until now.
    pub fn stderr(&self) -> BString {
        self.stderr.so_far()
    }

    /// Says whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.try_wait().is_none()
    }

    /// Says whether nobody can write to its output any more and all of it was read.
    pub(crate) fn is_silent(&self) -> bool {
        self.stdout.is_closed() && self.stderr.is_closed()
    }

    /// Waits until standard output holds `needle`.
    ///
    /// # Panics
    ///
    /// Panics when that does not happen within the bound, or nobody can write to it any more.
    #[track_caller]
    pub fn wait_for_stdout(&mut self, needle: &str) {
        let seen = poll_quietly(self.remaining(), || {
            let silent = self.stdout.is_closed();
            let there = self.stdout().contains_str(needle);
            (there || silent).then_some(there)
        });
        if seen != Some(true) {
            self.fail(&format!("never wrote {needle:?}"));
        }
    }

    /// Sends a signal to the program alone, not to its group.
    pub fn signal(&self, signal: Signal) {
        // The child is not reaped before `self` says so, so its number cannot belong to another process.
        if self.status.is_none() {
            rustix::process::kill_process(self.rustix_pid(), signal).expect("our own child takes signals");
        }
    }

    /// Sends a signal to its whole process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        if self.status.is_none() {
            // A group that holds only our ended child may refuse; then there is nobody to tell.
            let _ = rustix::process::kill_process_group(self.rustix_pid(), signal);
        }
    }

    /// Kills the program alone with SIGKILL and waits until it is gone; what it started lives on.
    pub fn kill_alone(&mut self) {
        self.signal(Signal::KILL);
        self.status = Some(self.child.wait().expect("our own child can be waited for"));
    }

    /// Waits for the end of the program and of its output.
    ///
    /// # Panics
    ///
    /// Panics when it does not end within its bound (after killing it and what it started), or when something
    /// it started keeps its output open.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let Some(status) = poll_quietly(self.remaining(), || self.try_wait()) else {
            self.fail(&format!("did not end within {:?}", self.bound));
        };
        let patience = self.remaining().min(OUTPUT_PATIENCE);
        if poll_quietly(patience, || (self.stdout.is_closed() && self.stderr.is_closed()).then_some(()))
            .is_none()
        {
            self.fail("ended, but something it started keeps its output open");
        }
        Outcome::new(self.command.clone(), status, self.stdout.so_far(), self.stderr.so_far())
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("our own child can be waited for");
        }
        self.status
    }

    fn remaining(&self) -> Duration {
        self.bound.saturating_sub(self.started.elapsed())
    }

    fn rustix_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    #[track_caller]
    fn fail(&mut self, what: &str) -> ! {
        let processes = leftovers::processes_under(&self.territory).join("\n");
        self.kill_all();
        leftovers::kill_under(&self.territory);
        panic!(
            "{} {what}\n--- stdout\n{}\n--- stderr\n{}\n--- processes\n{processes}",
            self.command,
            self.stdout(),
            self.stderr()
        );
    }

    fn kill_all(&mut self) {
        if self.try_wait().is_none() {
            self.signal_group(Signal::KILL);
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Collects a stream in the background.
#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Capture {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        Self { bytes, reader: std::thread::spawn(move || copy(stream, &sink)) }
    }

    fn so_far(&self) -> BString {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone().into()
    }

    fn is_closed(&self) -> bool {
        self.reader.is_finished()
    }
}

fn copy(mut stream: impl Read, sink: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
