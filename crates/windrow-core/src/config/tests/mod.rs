//! Tests of the layers together, on real files.

mod documentation;
mod files;
mod layers;
mod mistakes;

use std::{ffi::OsString, fs, path::PathBuf};

use tempfile::TempDir;

use super::{ConfigError, Loaded, Sources, load};

/// A program version that satisfies every test but those about versions.
pub(super) const PROGRAM: &str = "1.2.3";

/// A directory with a place for each file.
pub(super) struct Fixture {
    pub(super) root: TempDir,
    pub(super) sources: Sources,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for directory in ["home", "repo/.git/windrow"] {
            fs::create_dir_all(root.path().join(directory)).expect("a fresh directory");
        }
        let sources = Sources {
            user: Some(root.path().join("home/config.toml")),
            repository: Some(root.path().join("repo/windrow.toml")),
            private: Some(root.path().join("repo/.git/windrow/config.toml")),
            ..Sources::default()
        };
        Self { root, sources }
    }

    pub(super) fn user_file(&self) -> PathBuf {
        self.sources.user.clone().expect("set in new")
    }

    pub(super) fn repository_file(&self) -> PathBuf {
        self.sources.repository.clone().expect("set in new")
    }

    pub(super) fn private_file(&self) -> PathBuf {
        self.sources.private.clone().expect("set in new")
    }

    pub(super) fn user(self, text: &str) -> Self {
        fs::write(self.user_file(), text).expect("a writable directory");
        self
    }

    pub(super) fn repository(self, text: &str) -> Self {
        fs::write(self.repository_file(), text).expect("a writable directory");
        self
    }

    pub(super) fn private(self, text: &str) -> Self {
        fs::write(self.private_file(), text).expect("a writable directory");
        self
    }

    pub(super) fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn flag(mut self, key: &str, value: &str) -> Self {
        self.sources.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.sources, PROGRAM)
    }

    /// The error's text, with the temporary directory written as `ROOT`.
    pub(super) fn message(&self) -> String {
        self.readable(&self.load().expect_err("a mistake").to_string())
    }

    pub(super) fn readable(&self, text: &str) -> String {
        text.replace(&self.root.path().display().to_string(), "ROOT")
    }
}

/// The value and origin of one key.
pub(super) fn value<'a>(loaded: &'a Loaded, key: &str) -> &'a super::Value {
    loaded.values.iter().find(|value| value.key == key).expect("every key has a value")
}
