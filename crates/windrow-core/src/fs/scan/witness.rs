//! What a tree looked like, in a few bytes, so that a later look can tell whether anybody wrote since.

use std::{os::fd::OwnedFd, path::Path};

use bstr::{BString, ByteSlice};
use rustix::fs::FileType;
use windrow_model::FileStat;

use super::{FoundKind, Scan, ScanError, at};

/// Stands for everything that a look at a tree saw.
///
/// Made of path, type, mode, owner, length and times. Numbers of inodes and devices are left out: some file systems give others
/// when a directory above gets another name, and the time of the last change of an inode cannot be set by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness(blake3::Hash);

/// Adds up what a scan of `root` saw, and all that lies in the repositories it did not enter.
///
/// # Errors
/// Anything that cannot be looked at.
pub fn witness(root: &Path, scan: &Scan) -> Result<Witness, ScanError> {
    let mut hasher = blake3::Hasher::new();
    for found in scan.found.iter().chain(&scan.odd) {
        add(&mut hasher, &found.path, found.mode, &found.stat);
    }
    for dropped in &scan.dropped {
        hasher.update(&dropped.path).update(b"\0");
    }
    let mut inside: Vec<_> = scan
        .found
        .iter()
        .filter(|found| found.kind == FoundKind::Repository)
        .map(|found| &found.path)
        .collect();
    if !inside.is_empty() {
        let root = at::open_root(root).map_err(|source| ScanError::unreadable(b"", source))?;
        inside.sort_unstable();
        inside.into_iter().try_for_each(|path| add_tree(&mut hasher, &root, path))?;
    }
    Ok(Witness(hasher.finalize()))
}

fn add(hasher: &mut blake3::Hasher, path: &[u8], mode: u32, stat: &FileStat) {
    hasher.update(path).update(b"\0");
    for stamp in [stat.mtime, stat.ctime] {
        hasher.update(&stamp.seconds.to_le_bytes()).update(&stamp.nanos.to_le_bytes());
    }
    hasher.update(&stat.size.to_le_bytes());
    for number in [mode, stat.uid, stat.gid] {
        hasher.update(&number.to_le_bytes());
    }
}

fn add_tree(hasher: &mut blake3::Hasher, root: &OwnedFd, path: &BString) -> Result<(), ScanError> {
    let mut waiting = vec![path.to_vec()];
    while let Some(directory) = waiting.pop() {
        let fail = |source| ScanError::unreadable(&directory, source);
        let fd = at::open_dir(root, &directory).map_err(fail)?;
        let mut names = at::names(&fd).map_err(fail)?;
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, _) in names {
            let full = at::join(&directory, &name);
            let looked =
                at::look(&fd, &name).map_err(|source| ScanError::unreadable(full.as_bstr(), source))?;
            add(hasher, &full, looked.mode, &looked.stat);
            if looked.kind() == FileType::Directory && !looked.mount {
                waiting.push(full);
            }
        }
    }
    Ok(())
}
