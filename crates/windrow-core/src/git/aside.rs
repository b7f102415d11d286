//! Objects that are not to stay: written beside the repository's own, read together with them, and gone at the end.
//!
//! # Crash safety
//! All of them lie in a `tmp-…` directory of Windrow's, which the clearing of leftovers takes. Nothing else of the repository
//! is written.
//!
//! *Source*: git(1), `GIT_OBJECT_DIRECTORY`; gitrepository-layout(5), `objects/info/alternates`.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{command::Git, repository::Repository, tree::Objects};

/// A git that writes objects aside.
#[derive(Debug)]
pub struct Aside {
    #[expect(dead_code, reason = "held for its drop")]
    home: TempDir,
    git: Git,
    objects: Objects,
    room: PathBuf,
}

impl Aside {
    /// Makes the place for them.
    ///
    /// # Errors
    /// The disk is full, or the directory cannot be made.
    pub fn new(git: &Git, repo: &Repository) -> io::Result<Self> {
        let home = repo.scratch().map_err(io::Error::other)?;
        let [objects, room] = ["objects", "room"].map(|name| home.path().join(name));
        fs::create_dir_all(objects.join("info"))?;
        fs::create_dir(&room)?;
        fs::write(objects.join("info/alternates"), alternates(&repo.common_dir.join("objects")))?;
        let git = git.with_variable("GIT_OBJECT_DIRECTORY", objects.as_os_str());
        Ok(Self { git, objects: Objects::at(objects, repo.object_format), room, home })
    }

    /// The program: what it writes goes aside, what it reads comes from both.
    #[must_use]
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// Both databases as one.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// An empty directory.
    #[must_use]
    pub fn room(&self) -> &Path {
        &self.room
    }
}

/// One line, in quotes, within which a newline, a quote and a backslash are written out.
fn alternates(objects: &Path) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in objects.as_os_str().as_bytes() {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            _ => line.push(*byte),
        }
    }
    line.extend_from_slice(b"\"\n");
    line
}
