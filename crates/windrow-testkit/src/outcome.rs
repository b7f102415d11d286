//! What a program left: its exit code and what it wrote.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use bstr::{BString, ByteSlice};
use serde_json::Value;

/// The end of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; 128 + n for a program killed by signal n, as shells count.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Everything it wrote to standard output.
    pub stdout: BString,
    /// Everything it wrote to standard error.
    pub stderr: BString,
    /// The command line, for messages.
    pub command: String,
}

impl Outcome {
    pub(crate) fn new(command: String, status: ExitStatus, stdout: BString, stderr: BString) -> Self {
        let signal = status.signal();
        let code = status.code().or(signal.map(|number| 128 + number)).expect("ended by exit or by signal");
        Self { code, signal, stdout, stderr, command }
    }

    /// Checks the exit code and gives the outcome back.
    ///
    /// # Panics
    ///
    /// Panics with everything the program wrote when it ended differently.
    #[track_caller]
    pub fn assert_code(self, expected: i32) -> Self {
        assert!(self.code == expected, "expected exit code {expected}: {self}");
        self
    }

    /// Checks that the program succeeded.
    #[track_caller]
    pub fn assert_success(self) -> Self {
        self.assert_code(0)
    }

    /// Reads standard output as exactly one JSON document.
    ///
    /// # Panics
    ///
    /// Panics when it is anything else.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("standard output is not one JSON document ({error}): {self}"),
        }
    }

    /// Reads standard output as lines of one JSON document each.
    ///
    /// # Panics
    ///
    /// Panics when a line is anything else.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &[u8]| match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(error) => panic!("a line is not JSON ({error}): {self}"),
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Returns standard output as text without the final newline.
    ///
    /// # Panics
    ///
    /// Panics when it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> String {
        match self.stdout.to_str() {
            Ok(text) => text.strip_suffix('\n').unwrap_or(text).to_owned(),
            Err(error) => panic!("standard output is not UTF-8 ({error}): {self}"),
        }
    }

    /// Returns standard error as text; bytes that are not UTF-8 become `U+FFFD`.
    pub fn stderr_text(&self) -> String {
        self.stderr.to_str_lossy().into_owned()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.command)?;
        writeln!(f, "--- code {} signal {:?}", self.code, self.signal)?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}
