//! The wrapper through which every `git` is started: cleared environment, pinned settings, typed failure.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use windrow_model::format_duration;

use super::{version::Version, within::wait_within};

/// Variables of git that are the user's way to reach a remote or a configuration; all others that begin with `GIT_` are
/// dropped, because they could steer us to another repository. *Source*: git(1), `git rev-parse --local-env-vars`.
const KEPT: &[&str] = &[
    "GIT_ASKPASS",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY",
];

/// Variables that tie a git to one repository and must not reach a command in another. *Source*: `git rev-parse
/// --local-env-vars` of git 2.47.
pub const LOCAL_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Settings of every call; what a call adds comes after and wins.
///
/// Refs, indexes and objects are on their way to the disk before they get their names: a power cut must not leave empty ones, of which
/// a table of refs would take all others with it, and an object would be taken for one that is there already. Nothing is
/// waited for but that; who needs more syncs the file system. *Source*: git-config(1), `core.fsyncMethod`.
const PINNED_CONFIG: &[&str] = &[
    "core.fsmonitor=false",
    "core.fsync=added,reference",
    "core.fsyncMethod=writeout-only",
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Name and address in commits and reflogs that Windrow writes by itself.
const IDENTITY: (&str, &str) = ("Windrow", "windrow@localhost");

/// The `git` program and the environment it is started in.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    base_env: Vec<(OsString, OsString)>,
}

impl Git {
    /// Makes the wrapper of `program`, started with nothing but `base_env` (PATH, HOME, XDG_*, SSH_* …).
    ///
    /// Variables by which git would choose another repository, index or configuration are dropped from `base_env`.
    #[must_use]
    pub fn new(program: PathBuf, base_env: Vec<(OsString, OsString)>) -> Self {
        let kept = |(name, _): &(OsString, OsString)| {
            !name.as_bytes().starts_with(b"GIT_") || KEPT.iter().any(|kept| OsStr::new(kept) == name)
        };
        Self { program, base_env: base_env.into_iter().filter(kept).collect() }
    }

    /// The same program with one more variable, which only the git layer may choose.
    pub(super) fn with_variable(&self, name: &str, value: &OsStr) -> Self {
        let mut base_env = self.base_env.clone();
        base_env.push((name.into(), value.to_owned()));
        Self { program: self.program.clone(), base_env }
    }

    /// The value of a variable in the environment that git gets.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.base_env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// Begins a call of `git VERB`.
    #[must_use]
    pub fn call(&self, verb: &str) -> Call<'_> {
        Call {
            git: self,
            cwd: PathBuf::from("/"),
            config: PINNED_CONFIG.iter().map(OsString::from).collect(),
            globals: Vec::new(),
            args: vec![verb.into()],
            env: Vec::new(),
            input: None,
            output_to: None,
            limit: None,
        }
    }
}

/// One call of git in the making.
#[derive(Debug, Clone)]
pub struct Call<'g> {
    git: &'g Git,
    cwd: PathBuf,
    config: Vec<OsString>,
    globals: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    input: Option<Vec<u8>>,
    output_to: Option<Arc<File>>,
    limit: Option<Duration>,
}

/// What git printed, and how it ended.
#[derive(Debug, Clone)]
pub struct GitOutput {
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, for people only.
    pub stderr: String,
}

/// How git's warnings of errors end that say nothing of the file: git takes it for absent then and goes on.
///
/// *Source*: errno(3), as glibc and the BSDs say them in the C locale; `access_error_is_ok` and `warn_on_fopen_errors` in git's
/// wrapper.c, which leave everything but ENOENT, ENOTDIR and EACCES to a warning.
const PASSING: [&str; 5] = [
    ": Too many open files",
    ": Too many open files in system",
    ": Cannot allocate memory",
    ": Input/output error",
    ": Interrupted system call",
];

impl GitOutput {
    /// What it said of an error that it went on after with an answer, which cannot be believed then: a configuration that cannot be
    /// opened makes git take one kind of repository for another.
    fn overlooked(&self) -> Option<&str> {
        let answered = matches!(self.status, Some(0 | 1));
        let passing = |line: &&str| PASSING.iter().any(|end| line.trim_end().ends_with(end));
        self.stderr.lines().find(passing).filter(|_| answered)
    }
}

impl Call<'_> {
    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds an argument before the verb, such as `--attr-source=…`.
    #[must_use]
    pub fn global(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.globals.push(arg.as_ref().to_owned());
        self
    }

    /// Sets a configuration value (`key=value`) for this call.
    #[must_use]
    pub fn config(mut self, setting: impl AsRef<OsStr>) -> Self {
        self.config.push(setting.as_ref().to_owned());
        self
    }

    /// Sets a variable for this call.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Names the repository: `git_dir` and the common directory it belongs to.
    #[must_use]
    pub fn repository(self, git_dir: &Path, common_dir: &Path) -> Self {
        self.env("GIT_DIR", git_dir).env("GIT_COMMON_DIR", common_dir)
    }

    /// Names the worktree and runs the call at its root.
    #[must_use]
    pub fn work_tree(self, root: &Path) -> Self {
        self.env("GIT_WORK_TREE", root).cwd(root)
    }

    /// Names the index file.
    #[must_use]
    pub fn index_file(self, path: &Path) -> Self {
        self.env("GIT_INDEX_FILE", path)
    }

    /// Signs with Windrow's own name and address.
    #[must_use]
    pub fn own_identity(self) -> Self {
        let (name, mail) = IDENTITY;
        self.env("GIT_AUTHOR_NAME", name)
            .env("GIT_AUTHOR_EMAIL", mail)
            .env("GIT_COMMITTER_NAME", name)
            .env("GIT_COMMITTER_EMAIL", mail)
    }

    /// Keeps git from fetching objects that are missing, for which it would run what a configuration names.
    #[must_use]
    pub fn offline(self) -> Self {
        // The first is known since 2.45; the second forbids every way of reaching a remote.
        self.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none")
    }

    /// Sets the directory the call runs in; `/` otherwise.
    #[must_use]
    pub fn cwd(mut self, cwd: &Path) -> Self {
        cwd.clone_into(&mut self.cwd);
        self
    }

    /// Gives the call something to read on standard input.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Gives the call a file as its standard output, which it and its descendants keep open until they end.
    #[must_use]
    pub fn output_to(mut self, file: File) -> Self {
        self.output_to = Some(Arc::new(file));
        self
    }

    /// Ends the call, and everything it started, when it takes longer. It reads nothing then, and ends with us.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lets the user's hooks run.
    #[must_use]
    pub(super) fn with_hooks(mut self) -> Self {
        self.config.retain(|setting| !setting.as_bytes().starts_with(b"core.hooksPath="));
        self
    }

    /// Runs the call and returns its standard output.
    ///
    /// # Errors
    /// Git could not be started or ended with anything but 0.
    pub fn run(&self) -> Result<Vec<u8>, GitError> {
        let output = self.output()?;
        if output.status == Some(0) { Ok(output.stdout) } else { Err(self.failure(output)) }
    }

    /// Runs the call and returns its standard output, or `None` when it ended with exit status 1, by which git says "no".
    ///
    /// # Errors
    /// Git could not be started or ended with anything but 0 and 1.
    pub fn ask(&self) -> Result<Option<Vec<u8>>, GitError> {
        let output = self.output()?;
        match output.status {
            Some(0) => Ok(Some(output.stdout)),
            Some(1) => Ok(None),
            _ => Err(self.failure(output)),
        }
    }

    /// Runs the call to its end, whatever the exit status.
    ///
    /// # Errors
    /// Git could not be started or read from.
    pub fn output(&self) -> Result<GitOutput, GitError> {
        let mut command = self.command();
        if let Some(file) = &self.output_to {
            command.stdout(file.try_clone().map_err(|source| self.not_started(source))?);
        }
        if let Some(limit) = self.limit {
            return self.output_within(command, limit);
        }
        let mut child = command.spawn().map_err(|source| self.not_started(source))?;
        let stdin = child.stdin.take().zip(self.input.as_deref());
        let finished = thread::scope(|scope| {
            // A git that ends early closes the pipe; its exit status tells more than the failed write.
            scope.spawn(move || stdin.map(|(mut pipe, bytes)| pipe.write_all(bytes)));
            child.wait_with_output()
        });
        let output = finished.map_err(|source| self.not_started(source))?;
        self.judged(output)
    }

    fn output_within(&self, mut command: Command, limit: Duration) -> Result<GitOutput, GitError> {
        command.process_group(0).stdin(Stdio::null());
        #[cfg(target_os = "linux")]
        #[expect(unsafe_code, reason = "one system call between fork and exec, no allocation")]
        // SAFETY: as the reason says.
        unsafe {
            use rustix::process::{Signal, set_parent_process_death_signal};
            command.pre_exec(|| set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from));
        }
        let child = command.spawn().map_err(|source| self.not_started(source))?;
        let output = wait_within(child, limit).map_err(|source| self.not_started(source))?;
        self.judged(output.ok_or_else(|| GitError::Overdue { verb: self.verb(), limit })?)
    }

    fn judged(&self, output: Output) -> Result<GitOutput, GitError> {
        let output = GitOutput {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        };
        match output.overlooked() {
            Some(said) => Err(GitError::Unreliable { verb: self.verb(), said: said.to_owned() }),
            None => Ok(output),
        }
    }

    /// The failure that an output which is no success stands for.
    #[must_use]
    pub fn failure(&self, output: GitOutput) -> GitError {
        let failure = GitFailure {
            argv: self.argv(),
            cwd: self.cwd.clone(),
            status: output.status,
            stderr: output.stderr,
        };
        GitError::Failed(Box::new(failure))
    }

    /// The error for an output that is not what git's manual promises.
    #[must_use]
    pub fn strange(&self, what: &str) -> GitError {
        GitError::Output { verb: self.verb(), what: what.to_owned() }
    }

    fn verb(&self) -> String {
        self.args[0].to_string_lossy().into_owned()
    }

    fn argv(&self) -> Vec<OsString> {
        let mut argv: Vec<OsString> = self.config.iter().flat_map(|one| ["-c".into(), one.clone()]).collect();
        argv.extend(self.globals.iter().chain(&self.args).cloned());
        argv
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts git")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command
            .env_clear()
            .envs(self.git.base_env.iter().map(|(name, value)| (name, value)))
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .args(self.argv())
            .current_dir(&self.cwd)
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn not_started(&self, source: io::Error) -> GitError {
        let program = self.git.program.clone();
        // A missing working directory gives the same error as a missing program.
        if source.kind() == io::ErrorKind::NotFound && self.cwd.is_dir() {
            return GitError::NotFound { program };
        }
        GitError::Start { program, cwd: self.cwd.clone(), source }
    }
}

/// A call of git that ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitFailure {
    /// The arguments, without the program.
    pub argv: Vec<OsString>,
    /// Where it ran.
    pub cwd: PathBuf,
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it said, for people only: never decide by it what is there.
    pub stderr: String,
}

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It ended with a status that is no success.
    #[error("`git {}` failed with {}", verb_of(&.0.argv), status_text(.0.status))]
    Failed(Box<GitFailure>),
    /// The program is not there.
    #[error("git was not found as `{}`", program.display())]
    NotFound {
        /// What was looked for.
        program: PathBuf,
    },
    /// The program could not be started or read from.
    #[error("cannot run `{}` in `{}`", program.display(), cwd.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Where it was to run.
        cwd: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program is too old.
    #[error("git {found} is too old, {needed} or newer is needed")]
    TooOld {
        /// What it says of itself.
        found: Version,
        /// The oldest that will do.
        needed: Version,
    },
    /// It would open something that is no plain file, and wait for ever.
    #[error("git would wait for ever on `{}`, which is not a plain file", path.display())]
    Waits {
        /// What lies where git looks for a file of its own.
        path: PathBuf,
    },
    /// It took too long, and was ended.
    #[error("`git {verb}` did not end within {}", format_duration(*limit))]
    Overdue {
        /// The verb.
        verb: String,
        /// How long it had.
        limit: Duration,
    },
    /// It gave an answer although it had met an error that it only warned of.
    #[error("`git {verb}` went on after an error, so its answer counts for nothing: {said}")]
    Unreliable {
        /// The verb.
        verb: String,
        /// What it said.
        said: String,
    },
    /// It printed something that its manual does not promise.
    #[error("`git {verb}` gave an answer that cannot be read: {what}")]
    Output {
        /// The verb.
        verb: String,
        /// What is wrong with the answer.
        what: String,
    },
}

fn verb_of(argv: &[OsString]) -> String {
    let is_verb = |at: &usize| !argv[*at].as_bytes().starts_with(b"-") && (*at == 0 || argv[at - 1] != "-c");
    (0..argv.len()).find(is_verb).map(|at| argv[at].to_string_lossy().into_owned()).unwrap_or_default()
}

fn status_text(status: Option<i32>) -> String {
    status.map_or_else(|| "a signal".to_owned(), |code| format!("exit status {code}"))
}
