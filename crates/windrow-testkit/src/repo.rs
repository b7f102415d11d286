//! A real repository in a temporary directory.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Invocation, Outcome, Surroundings, TestRepoBuilder};

/// The program under test: `Binary(env!("CARGO_BIN_EXE_windrow").into())`.
#[derive(Clone, Debug)]
pub struct Binary(pub PathBuf);

/// A repository with its surroundings; dropping it checks that no process still uses it, then removes it.
///
/// Without further wishes it has one commit on `main` with a handful of files: `README.md`, `.gitignore`
/// (`target/`, `*.log`, `.env`), `src/lib.rs`, the executable `bin/tool` and the symlink `link`.
#[derive(Debug)]
pub struct TestRepo {
    path: PathBuf,
    binary: Option<Binary>,
    /// Seconds since the date of the first commit; grows by one with each commit, so that dates order them.
    seconds: AtomicU64,
    surroundings: Surroundings,
}

impl TestRepo {
    /// Makes an ordinary repository.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Makes an ordinary repository whose [`windrow`](Self::windrow) runs `binary`.
    pub fn with_binary(binary: Binary) -> Self {
        Self::builder().binary(binary).build()
    }

    /// Starts a repository out of the ordinary.
    pub fn builder() -> TestRepoBuilder {
        TestRepoBuilder::default()
    }

    pub(crate) fn assemble(path: PathBuf, binary: Option<Binary>, surroundings: Surroundings) -> Self {
        Self { path, binary, seconds: AtomicU64::new(0), surroundings }
    }

    /// Returns the main worktree, or the git directory of a bare repository; absolute, without symlinks.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the directory around the repository; a test may put further things there.
    pub fn root(&self) -> &Path {
        self.surroundings.root()
    }

    /// Returns home, XDG directories and environment.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Returns the common git directory.
    pub fn git_dir(&self) -> PathBuf {
        let inner = self.path.join(".git");
        if inner.exists() { inner } else { self.path.clone() }
    }

    /// Runs git in the repository and returns its output without the final newline.
    ///
    /// # Panics
    ///
    /// Panics with everything git wrote when it fails.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        self.git_in(&self.path, arguments)
    }

    /// Like [`git`](Self::git), in another directory.
    #[track_caller]
    pub fn git_in<A: AsRef<OsStr>>(
        &self,
        directory: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> String {
        self.git_invocation(directory).args(arguments).run().assert_success().text()
    }

    /// Runs git in the repository, whatever comes of it.
    #[track_caller]
    pub fn try_git<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.git_invocation(&self.path).args(arguments).run()
    }

    /// Prepares a git call with fixed identity and dates.
    pub fn git_invocation(&self, directory: &Path) -> Invocation {
        let variables = self.surroundings.git_environment(self.seconds.load(Ordering::Relaxed));
        self.command("git", directory).envs(variables)
    }

    /// Prepares any program in the same surroundings.
    pub fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Invocation {
        Invocation::new(program, directory, &self.surroundings)
    }

    /// Prepares a call of the program under test, in the main worktree.
    ///
    /// # Panics
    ///
    /// Panics when the repository was made without a binary.
    #[track_caller]
    pub fn windrow<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Invocation {
        self.command(self.program(), &self.path).args(arguments)
    }

    /// Tells whether there is a program under test.
    pub(crate) fn has_program(&self) -> bool {
        self.binary.is_some()
    }

    /// The program under test.
    #[track_caller]
    pub(crate) fn program(&self) -> &Path {
        let Some(Binary(program)) = &self.binary else {
            panic!("this repository was made without a binary: use `TestRepo::with_binary`");
        };
        program
    }

    /// Writes a file of the main worktree, with its directories.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        let parent = path.parent().expect("a path below the repository has a parent");
        fs::create_dir_all(parent).expect("the parent can be made");
        fs::write(&path, bytes).expect("the file can be written");
    }

    /// Reads a file of the main worktree.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path.join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Commits everything in the main worktree, an empty commit if nothing changed, and returns its oid.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.commit_in(&self.path, message)
    }

    /// Like [`commit`](Self::commit), in another worktree.
    #[track_caller]
    pub fn commit_in(&self, directory: &Path, message: &str) -> String {
        self.seconds.fetch_add(1, Ordering::Relaxed);
        self.git_in(directory, ["add", "--all"]);
        self.git_in(directory, ["commit", "--quiet", "--no-verify", "--allow-empty", "--message", message]);
        self.git_in(directory, ["rev-parse", "HEAD"])
    }

    /// Returns the oid that a revision names.
    #[track_caller]
    pub fn oid(&self, revision: &str) -> String {
        self.git(["rev-parse", "--verify", "--end-of-options", revision])
    }
}

impl Default for TestRepo {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
