//! The repository to measure on.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use clap::Args;
use windrow_testkit::{Binary, TestRepo};

use super::ground::Ground;
use super::way::LONG;
use crate::Result;

/// The repository to measure on, and what becomes of the figures.
#[derive(Args)]
pub(crate) struct Scene {
    /// Files of the generated repository [default: 5000; reconcile: 1000; conflicts: 20000; memory:
    /// 80000].
    #[arg(long)]
    pub(super) files: Option<usize>,
    /// Where to put it, or the images; the system's temporary directory if absent.
    #[arg(long = "in", value_name = "DIRECTORY")]
    inside: Option<PathBuf>,
    /// The program to measure; built from this workspace if absent.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
    /// Prints one JSON document.
    #[arg(long)]
    pub(super) json: bool,
    /// Also draws the medians, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(super) plot: Option<PathBuf>,
}

impl Scene {
    pub(super) fn directory(&self) -> PathBuf {
        self.inside.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// A generated repository.
    pub(super) fn generate(&self, binary: &Binary, files: usize) -> TestRepo {
        TestRepo::builder().binary(binary.clone()).files(files).inside(&self.directory()).build()
    }
}

/// What is in the repository.
#[derive(Args, Default)]
pub(crate) struct Source {
    /// A repository whose HEAD is copied and measured on, instead of a generated one.
    #[arg(long, value_name = "REPOSITORY")]
    of: Option<PathBuf>,
}

/// A repository on its file system.
pub(super) struct Stage {
    repo: Option<TestRepo>,
    pub(super) files: usize,
    pub(super) on: &'static str,
    is_image: bool,
}

impl Stage {
    /// Makes the repository: generated with `files` files, or copied.
    ///
    /// # Errors
    ///
    /// Fails when there is no such repository to copy.
    pub(super) fn build(ground: &Ground, binary: &Binary, files: usize, source: &Source) -> Result<Self> {
        let mut stage = Self::generate(ground.path(), binary, files, source);
        stage.on = ground.name;
        stage.is_image = ground.host().is_some();
        stage.fill(source)
    }

    /// The same in a directory.
    ///
    /// # Errors
    ///
    /// Fails when there is no such repository to copy.
    pub(super) fn here(directory: &Path, binary: &Binary, files: usize, source: &Source) -> Result<Self> {
        Self::generate(directory, binary, files, source).fill(source)
    }

    fn generate(directory: &Path, binary: &Binary, files: usize, source: &Source) -> Self {
        let generated = if source.of.is_some() { 0 } else { files };
        let builder = TestRepo::builder().binary(binary.clone()).files(generated);
        Self { repo: Some(builder.inside(directory).build()), files, on: "here", is_image: false }
    }

    fn fill(mut self, source: &Source) -> Result<Self> {
        if let Some(other) = &source.of {
            self.files = copy(&self, other)?;
        }
        Ok(self)
    }
}

impl Deref for Stage {
    type Target = TestRepo;

    fn deref(&self) -> &TestRepo {
        self.repo.as_ref().expect("it is there until the end")
    }
}

impl Drop for Stage {
    /// What lies on an image goes with it, which is faster and also takes read-only snapshots.
    fn drop(&mut self) {
        if self.is_image {
            std::mem::forget(self.repo.take());
        }
    }
}

/// Brings the commit of another repository over, with its objects; tells how many files it has.
fn copy(repo: &TestRepo, other: &Path) -> Result<usize> {
    let other = other.canonicalize()?;
    let fetch = repo.git_invocation(repo.path()).args(["fetch", "--quiet"]).arg(&other).arg("HEAD");
    fetch.bound(LONG).run().assert_success();
    let reset = repo.git_invocation(repo.path()).args(["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    reset.bound(LONG).run().assert_success();
    Ok(repo.git(["ls-files"]).lines().count())
}
