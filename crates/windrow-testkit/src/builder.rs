//! Repositories out of the ordinary: other formats, bare, unborn, many files, strange places.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::{Binary, Surroundings, TestRepo, strategy};

/// Wishes for a [`TestRepo`].
#[derive(Debug, Default)]
pub struct TestRepoBuilder {
    binary: Option<Binary>,
    parent: Option<PathBuf>,
    directory: Option<OsString>,
    init: Vec<&'static str>,
    shape: Shape,
    files: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Worktree,
    Bare,
    Unborn,
}

impl TestRepoBuilder {
    /// Names the program under test.
    #[must_use]
    pub fn binary(mut self, binary: Binary) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Puts everything into `parent`, for instance a mounted image, which has to outlive the repository.
    #[must_use]
    pub fn inside(mut self, parent: &Path) -> Self {
        self.parent = Some(parent.to_owned());
        self
    }

    /// Names the repository's directory; `repo` without this. Newlines and bytes beyond UTF-8 are welcome.
    #[must_use]
    pub fn directory(mut self, name: impl AsRef<OsStr>) -> Self {
        self.directory = Some(name.as_ref().to_owned());
        self
    }

    /// Keeps refs as reftable (git 2.45).
    #[must_use]
    pub fn reftable(mut self) -> Self {
        self.init.push("--ref-format=reftable");
        self
    }

    /// Names objects by SHA-256.
    #[must_use]
    pub fn sha256(mut self) -> Self {
        self.init.push("--object-format=sha256");
        self
    }

    /// Makes a bare repository, with the commit but without a worktree.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.shape = Shape::Bare;
        self
    }

    /// Makes a repository without any commit.
    #[must_use]
    pub fn unborn(mut self) -> Self {
        self.shape = Shape::Unborn;
        self
    }

    /// Adds `count` generated files to the first commit, always the same ones.
    #[must_use]
    pub fn files(mut self, count: usize) -> Self {
        self.files = count;
        self
    }

    /// Makes the repository, and a template in it where the tests run with a [strategy](crate::STRATEGY) that needs one.
    ///
    /// # Panics
    ///
    /// Panics when git or the file system refuses, or when that strategy cannot be had.
    #[track_caller]
    pub fn build(self) -> TestRepo {
        let surroundings = self.parent.as_deref().map_or_else(Surroundings::new, Surroundings::inside);
        let path = surroundings.root().join(self.directory.unwrap_or_else(|| "repo".into()));
        let repo = TestRepo::assemble(path.clone(), self.binary, surroundings);
        let bare = (self.shape == Shape::Bare).then_some("--bare");
        let init = ["init", "--quiet"].into_iter().chain(self.init).chain(bare);
        repo.git_invocation(repo.root()).args(init).arg(&path).run().assert_success();
        match self.shape {
            Shape::Unborn => {}
            Shape::Worktree => {
                populate(&path, self.files);
                repo.commit("Begin");
            }
            Shape::Bare => commit_into_bare(&repo, self.files),
        }
        if self.shape == Shape::Unborn {
            strategy::nothing_to_prepare();
        } else {
            strategy::prepare(&repo);
        }
        repo
    }
}

/// Commits through a worktree that is gone afterwards.
fn commit_into_bare(repo: &TestRepo, files: usize) {
    let seed = repo.root().join("tmp/seed");
    fs::create_dir(&seed).expect("a directory can be made");
    populate(&seed, files);
    let mut place = OsString::from("--work-tree=");
    place.push(&seed);
    let place = [OsString::from("--git-dir=."), place];
    let call =
        |words: &[&str]| repo.git(place.iter().map(OsString::as_os_str).chain(words.iter().map(OsStr::new)));
    call(&["add", "--all"]);
    call(&["commit", "--quiet", "--message", "Begin"]);
    fs::remove_file(repo.path().join("index")).expect("the commit made an index");
    fs::remove_dir_all(&seed).expect("our own directory can be removed");
}

fn populate(root: &Path, files: usize) {
    let plain: [(&str, &[u8]); 4] = [
        ("README.md", b"# A test\n"),
        (".gitignore", b"target/\n*.log\n.env\n"),
        ("src/lib.rs", b"//! Nothing yet.\n"),
        ("bin/tool", b"#!/bin/sh\necho tool\n"),
    ];
    for (path, bytes) in plain {
        put(&root.join(path), bytes);
    }
    make_executable(&root.join("bin/tool"));
    symlink("README.md", root.join("link")).expect("a symlink can be made");
    (0..files).for_each(|number| generate(root, number));
}

/// Writes the generated file `number`: 100 to a directory, up to 4 KiB, every 50th executable.
fn generate(root: &Path, number: usize) {
    let path = root.join(format!("gen/{:02}/{:03}/file_{number:06}.txt", number / 10_000, number / 100));
    let mut state = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(4096);
    for _ in 0..=(state % 60) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        writeln!(bytes, "line {state:016x} of a generated file with some words to compress").expect("memory");
    }
    put(&path, &bytes);
    if number.is_multiple_of(50) {
        make_executable(&path);
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a root")).expect("the parent can be made");
    fs::write(path, bytes).expect("the file can be written");
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own file");
}
