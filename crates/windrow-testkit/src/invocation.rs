//! A program about to be started in known surroundings.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Outcome, Running, Surroundings};

/// How long a program may run before it counts as hanging.
const DEFAULT_BOUND: Duration = Duration::from_secs(60);

/// A command line with its directory, its whole environment, its input and its bound.
#[derive(Clone, Debug)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    input: Option<Vec<u8>>,
    bound: Duration,
    /// Everything with its feet in here dies with an overrun.
    territory: PathBuf,
}

impl Invocation {
    /// Prepares `program` to run in `directory` with nothing but the environment of `surroundings`.
    pub fn new(program: impl AsRef<OsStr>, directory: &Path, surroundings: &Surroundings) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            environment: surroundings.environment(),
            input: None,
            bound: DEFAULT_BOUND,
            territory: surroundings.root().to_owned(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets the directory it starts in.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.directory);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Sets environment variables.
    #[must_use]
    pub fn envs(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.environment.remove(key.as_ref());
        self
    }

    /// Gives it something to read; without this its standard input is empty.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Sets how long it may run; 60 s without this.
    #[must_use]
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Puts another program in front, which is given this command line as its last arguments.
    #[must_use]
    pub fn wrapped_in<A: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        let mut line: Vec<OsString> = wrapper.into_iter().map(|part| part.as_ref().to_owned()).collect();
        line.push(self.program);
        line.append(&mut self.arguments);
        self.program = line.remove(0);
        self.arguments = line;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started, does not end within its bound (after killing it and what it started),
    /// or when something it started keeps its output open.
    #[track_caller]
    pub fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts it, as the leader of its own process group.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started.
    #[track_caller]
    pub fn spawn(self) -> Running {
        let line = self.line();
        let child = match self.command().spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {line}: {error}"),
        };
        Running::new(line, child, self.input, self.bound, self.territory)
    }

    /// Returns how long it may run.
    pub(crate) fn time(&self) -> Duration {
        self.bound
    }

    /// Returns the directory of its surroundings.
    pub(crate) fn territory(&self) -> &Path {
        &self.territory
    }

    /// Returns the command line for messages.
    pub(crate) fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ")
    }

    /// Returns the same as a plain command with piped output, for tests that need what this type has not.
    pub fn command(&self) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory).process_group(0);
        command.env_clear().envs(&self.environment);
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
