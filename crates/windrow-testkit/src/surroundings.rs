//! The private world of one test: home, XDG directories, temporary directory, and what a started program sees.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{leftovers, strategy};

/// How long background work (deleters, a keeper about to leave) may take to end after a test.
const PATIENCE: Duration = Duration::from_secs(10);

const GIT_CONFIG: &str = "[user]\n\tname = Test User\n\temail = test@example.invalid\n\
    [init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
    [protocol \"file\"]\n\tallow = always\n";

/// A temporary directory with a home and XDG directories in it, removed at the end together with a check that
/// no process still uses it.
#[derive(Debug)]
pub struct Surroundings {
    root: PathBuf,
}

impl Surroundings {
    /// Makes new surroundings in the system's temporary directory.
    pub fn new() -> Self {
        Self::inside(&std::env::temp_dir())
    }

    /// Makes new surroundings in `parent`, for instance a mounted image.
    pub fn inside(parent: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("windrow-test-").tempdir_in(parent);
        let root = directory.expect("a temporary directory can be made").keep();
        let surroundings = Self { root: root.canonicalize().expect("the new directory resolves") };
        for name in ["home", "config", "data", "state", "cache", "run", "tmp"] {
            let made = fs::DirBuilder::new().mode(0o700).create(surroundings.root.join(name));
            made.expect("a directory in an empty one can be made");
        }
        fs::write(surroundings.git_config(), GIT_CONFIG).expect("the git configuration can be written");
        surroundings
    }

    /// Returns the directory that holds everything, absolute and without symlinks.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the home directory.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Returns the user's git configuration file (`~/.gitconfig`).
    pub fn git_config(&self) -> PathBuf {
        self.home().join(".gitconfig")
    }

    /// Returns the whole environment of a program started in these surroundings.
    pub fn environment(&self) -> BTreeMap<OsString, OsString> {
        let places = [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
        ];
        let fixed = [
            // Tests of the keeper switch it on; no other test shall be disturbed by one.
            ("WINDROW_CONFIG__POOL__KEEPER", "false"),
            ("NO_COLOR", "1"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
        ];
        let mut environment: BTreeMap<OsString, OsString> =
            places.map(|(key, name)| (key.into(), self.root.join(name).into())).into();
        environment.extend(fixed.map(|(key, value)| (key.into(), value.into())));
        let strategy =
            strategy::wanted().map(|wanted| ("WINDROW_CONFIG__POOL__STRATEGY".into(), wanted.into()));
        environment.extend(strategy);
        environment.insert("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        environment
    }

    /// Returns what git needs on top of [`environment`](Self::environment) to be the same everywhere: a fixed
    /// identity, and the date `seconds` after 2026-01-01T00:00:00Z.
    pub(crate) fn git_environment(&self, seconds: u64) -> Vec<(OsString, OsString)> {
        let date = OsString::from(format!("{} +0000", 1_767_225_600 + seconds));
        let mut variables: Vec<(OsString, OsString)> = [
            ("GIT_AUTHOR_NAME", "Test User"),
            ("GIT_AUTHOR_EMAIL", "test@example.invalid"),
            ("GIT_COMMITTER_NAME", "Test User"),
            ("GIT_COMMITTER_EMAIL", "test@example.invalid"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_EDITOR", "true"),
            // A look at the repository must not rewrite the index that the test compares.
            ("GIT_OPTIONAL_LOCKS", "0"),
        ]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
        variables.push(("GIT_CONFIG_GLOBAL".into(), self.git_config().into()));
        variables.push(("GIT_CEILING_DIRECTORIES".into(), self.root.clone().into()));
        variables.push(("GIT_AUTHOR_DATE".into(), date.clone()));
        variables.push(("GIT_COMMITTER_DATE".into(), date));
        variables
    }
}

impl Default for Surroundings {
    fn default() -> Self {
        Self::new()
    }
}

impl Surroundings {
    /// Ends the surroundings now: kills and reports what still uses them after `patience`.
    #[cfg(test)]
    pub(crate) fn give_up(mut self, patience: Duration) {
        self.end(patience);
    }

    fn end(&mut self, patience: Duration) {
        let root = std::mem::take(&mut self.root);
        let panicking = std::thread::panicking();
        let left = leftovers::wait_until_unused(&root, if panicking { Duration::ZERO } else { patience });
        if !left.is_empty() {
            leftovers::kill_under(&root);
        }
        if std::env::var_os("WINDROW_TESTKIT_KEEP").is_none() {
            remove_tree(&root);
        }
        assert!(left.is_empty() || panicking, "the test left processes behind:\n{}", left.join("\n"));
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        // Ended already: an empty path would mean the current directory.
        if !self.root.as_os_str().is_empty() {
            self.end(PATIENCE);
        }
    }
}

/// Removes a directory, unreadable directories in it included.
fn remove_tree(root: &Path) {
    if fs::remove_dir_all(root).is_err() {
        make_accessible(root);
        let removed = fs::remove_dir_all(root);
        // A template that is a read-only subvolume goes with the image that such tests run on.
        let expected = strategy::wanted().is_some() || std::thread::panicking();
        assert!(removed.is_ok() || expected, "cannot remove {}: {removed:?}", root.display());
    }
}

fn make_accessible(directory: &Path) {
    // Best effort: what still resists shows up in the removal that follows.
    drop(fs::set_permissions(directory, fs::Permissions::from_mode(0o700)));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_accessible(&entry.path());
        }
    }
}
