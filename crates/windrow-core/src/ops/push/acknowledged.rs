//! What a remote was heard to hold: for each branch the commit, in a file of ours.
//!
//! # Crash safety
//! A note that is lost or cut short says nothing, and the branch stays.

use std::{fs, io, io::Write, path::PathBuf};

use windrow_model::{BranchName, Oid};

use crate::{
    fs as files,
    ops::{error::StateError, pool::Pool},
};

/// The name is a hash, since that of a branch may be a directory in that of another.
fn note_of(pool: &Pool, branch: &BranchName) -> PathBuf {
    let name = blake3::hash(branch.as_str().as_bytes()).to_hex();
    pool.state_dir().join("pushed").join(&name.as_str()[..32])
}

fn text(branch: &BranchName, tip: &Oid) -> String {
    format!("{tip} {branch}\n")
}

/// Notes that a remote holds the tip of a branch.
pub(super) fn note(pool: &Pool, branch: &BranchName, tip: &Oid) -> Result<(), StateError> {
    // The state has to be there and ours, before anything is put into it.
    drop(pool.store()?);
    let path = note_of(pool, branch);
    files::private_dir(&pool.state_dir().join("pushed"))?;
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(pool.state_dir().join("pushed"))?;
        file.write_all(text(branch, tip).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|source| StateError::Io { path: path.clone(), source })
}

/// Tells whether a remote was heard to hold this very commit of a branch; what cannot be read says no.
pub(in crate::ops) fn is_pushed(pool: &Pool, branch: &BranchName, tip: &Oid) -> bool {
    fs::read_to_string(note_of(pool, branch)).is_ok_and(|noted| noted == text(branch, tip))
}
