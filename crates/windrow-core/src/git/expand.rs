//! Reading the index of a worktree in whatever form git left it: whole, split in two files, or sparse.

use std::{fs, io, os::unix::ffi::OsStrExt, path::Path};

use tempfile::TempDir;
use windrow_model::IndexEntry;

use super::{
    command::{Git, GitError},
    facts::read_plain,
    index::{IndexError, read_dissolved, read_index},
    repository::Repository,
};

impl Repository {
    /// Reads the index in an administrative directory; empty when there is none.
    ///
    /// Works on a private copy where git or a second file is needed.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn index_of(&self, git: &Git, admin: &Path) -> Result<Vec<IndexEntry>, IndexError> {
        let path = admin.join("index");
        match read_index(&path, self.object_format) {
            Err(IndexError::Split(_)) => self.read_split(admin),
            Err(IndexError::Sparse(_)) => self.read_sparse(git, &path),
            read => read,
        }
    }

    /// A directory of our own for a moment, removed when dropped.
    pub(super) fn scratch(&self) -> Result<TempDir, IndexError> {
        let home = self.windrow_dir();
        let failed = |source| IndexError::Io { path: home.clone(), source };
        super::admin::private_directory(&home).map_err(|error| failed(io::Error::other(error)))?;
        tempfile::Builder::new().prefix("tmp-").tempdir_in(&home).map_err(failed)
    }

    fn read_split(&self, admin: &Path) -> Result<Vec<IndexEntry>, IndexError> {
        let scratch = self.scratch()?;
        let failed = |source| IndexError::Io { path: admin.to_owned(), source };
        for entry in fs::read_dir(admin).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name == "index" || name.as_bytes().starts_with(b"sharedindex.") {
                copy(&admin.join(&name), &scratch.path().join(&name)).map_err(failed)?;
            }
        }
        read_dissolved(&scratch.path().join("index"), self.object_format)
    }

    /// Lets git write the copy anew with every directory expanded, which needs no patterns.
    fn read_sparse(&self, git: &Git, path: &Path) -> Result<Vec<IndexEntry>, IndexError> {
        let scratch = self.scratch()?;
        let copied = scratch.path().join("index");
        let failed = |source| IndexError::Io { path: path.to_owned(), source };
        copy(path, &copied).map_err(failed)?;
        let call = self.call(git, "update-index").arg("--force-write-index").index_file(&copied);
        let call = call.config("index.sparse=false").config("core.sparseCheckout=false");
        let call = call.env("GIT_WORK_TREE", scratch.path());
        let damaged =
            |error: GitError| IndexError::Damaged { path: path.to_owned(), said: error.to_string() };
        call.run().map_err(damaged)?;
        read_index(&copied, self.object_format)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = read_plain(from)?.ok_or(io::ErrorKind::NotFound)?;
    fs::write(to, bytes)
}
