//! The only place that reads the environment, the current directory and what our standard streams are.
//!
//! Everything is read once, at the start; the rest of the program gets it as a value.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use windrow_core::ops;
use windrow_model::{IdError, SessionId};

/// The variable by which the shell function hands over the file for `path --to-file`.
pub(crate) const CD_FILE: &str = "WINDROW_CD_FILE";
/// The variable that turns the program into the answerer of a shell's completion request.
pub(crate) const COMPLETE: &str = "WINDROW_COMPLETE";
/// The lease that a command runs under.
const LEASE: &str = "WINDROW_LEASE";
/// The worktree that a command runs in.
const NAME: &str = "WINDROW_NAME";

/// The session that leases belong to.
pub(crate) const SESSION: &str = "WINDROW_SESSION";

/// What a standard stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Terminal,
    Other,
}

impl Stream {
    fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() { Self::Terminal } else { Self::Other }
    }
}

/// What our output streams are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
}

/// What the program was started in.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) args: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) current_dir: PathBuf,
    pub(crate) executable: PathBuf,
    pub(crate) streams: Streams,
}

impl Surroundings {
    /// Reads everything.
    ///
    /// # Errors
    /// The current directory was deleted or cannot be reached, or the system does not tell which file runs.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment and directory")]
    pub(crate) fn read() -> io::Result<Self> {
        let args: Vec<_> = std::env::args_os().collect();
        Ok(Self {
            variables: std::env::vars_os().collect(),
            current_dir: current_dir(&args)?,
            executable: std::env::current_exe()?,
            args,
            streams: Streams { stdout: Stream::of(&io::stdout()), stderr: Stream::of(&io::stderr()) },
        })
    }

    /// The value of a variable; an empty one counts as absent.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// The file that the shell function wants a path in.
    pub(crate) fn cd_file(&self) -> Option<&Path> {
        self.variable(CD_FILE).map(Path::new)
    }

    /// The user's shell; `/bin/sh` when none is named.
    pub(crate) fn shell(&self) -> OsString {
        self.variable("SHELL").unwrap_or(OsStr::new("/bin/sh")).to_owned()
    }

    /// The home directory, for shortening paths.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }

    /// The session that the calling command works in.
    ///
    /// # Errors
    /// The variable holds something else.
    pub(crate) fn session(&self) -> Result<Option<SessionId>, IdError> {
        let id = self.variable(SESSION).map(|id| id.to_string_lossy().parse());
        id.transpose()
    }

    /// The lease, or else the name, of the worktree that the calling command was started in.
    pub(crate) fn inherited_worktree(&self) -> Option<Inherited<'_>> {
        let lease = self.variable(LEASE).and_then(OsStr::to_str).map(Inherited::Lease);
        lease.or_else(|| self.variable(NAME).and_then(OsStr::to_str).map(Inherited::Name))
    }

    /// Who works here, for the history of tasks: the worktree that the calling command runs in, else the user.
    pub(crate) fn actor(&self) -> String {
        let known = self.variable(NAME).or_else(|| self.variable("USER"));
        known.map_or_else(|| "somebody".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// What the library is given.
    pub(crate) fn for_core(&self, config_flags: &[(String, String)]) -> ops::Environment {
        ops::Environment {
            variables: self.variables.clone(),
            current_dir: self.current_dir.clone(),
            helper: self.executable.clone(),
            config_flags: config_flags.to_vec(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            keeper: ops::KeeperMode::OnDemand,
            overlays: ops::OverlayMode::Allowed,
        }
    }
}

/// A harness may call its hooks from a worktree that is no more; what they are about stands in their input.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment and directory")]
fn current_dir(args: &[OsString]) -> io::Result<PathBuf> {
    match std::env::current_dir() {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && args.get(1).is_some_and(|arg| arg == "hook") =>
        {
            Ok(PathBuf::from("/"))
        }
        found => found,
    }
}

/// Stands nowhere in particular from now on.
///
/// # Errors
/// The root directory cannot be entered.
pub(crate) fn leave() -> io::Result<()> {
    std::env::set_current_dir("/")
}

/// How a command was told which worktree it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherited<'a> {
    Lease(&'a str),
    Name(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            args: Vec::new(),
            variables: variables.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            current_dir: "/".into(),
            executable: "/bin/windrow".into(),
            streams: Streams { stdout: Stream::Other, stderr: Stream::Other },
        }
    }

    #[test]
    fn a_lease_says_more_than_a_name() {
        let both = with(&[("WINDROW_NAME", "fern"), ("WINDROW_LEASE", "0192")]);
        assert_eq!(both.inherited_worktree(), Some(Inherited::Lease("0192")));
        let name = with(&[("WINDROW_NAME", "fern"), ("WINDROW_LEASE", "")]);
        assert_eq!(name.inherited_worktree(), Some(Inherited::Name("fern")));
        assert_eq!(with(&[]).inherited_worktree(), None);
    }

    #[test]
    fn a_session_is_read_and_never_guessed() {
        let id = "0192f0c1d2e37a8b9c0d1e2f3a4b5c6d";
        assert_eq!(with(&[("WINDROW_SESSION", id)]).session(), Ok(Some(id.parse().unwrap())));
        assert_eq!(with(&[("WINDROW_SESSION", "")]).session(), Ok(None));
        assert_eq!(with(&[]).session(), Ok(None));
        assert!(with(&[("WINDROW_SESSION", "mine")]).session().is_err());
    }

    #[test]
    fn who_works_is_the_worktree_before_the_user() {
        assert_eq!(with(&[("USER", "ann"), ("WINDROW_NAME", "fern")]).actor(), "fern");
        assert_eq!(with(&[("USER", "ann")]).actor(), "ann");
        assert_eq!(with(&[]).actor(), "somebody");
    }

    #[test]
    fn the_shell_has_a_fallback() {
        assert_eq!(with(&[]).shell(), "/bin/sh");
        assert_eq!(with(&[("SHELL", "/bin/zsh")]).shell(), "/bin/zsh");
    }
}
