//! Tells whether a tree still is what was written into it, from `lstat` alone: no file is opened.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::OwnedFd,
    path::Path,
};

use bstr::BString;
use windrow_model::FileStat;

use super::at;

/// The first path below `root` that is not as `known` says: a file that was changed, is missing or was added, or a directory
/// that holds none of them. `None` when everything is.
///
/// Times of change cannot be set by a program, so a file that was written since is always seen.
///
/// # Errors
/// Something cannot be looked at.
pub fn first_difference(root: &Path, known: &[(BString, FileStat)]) -> io::Result<Option<BString>> {
    let mut tree = Tree { known: Known::new(known), met: 0 };
    if let Some(strange) = tree.walk(&at::open_root(root)?, b"")? {
        return Ok(Some(strange));
    }
    if tree.met == known.len() {
        return Ok(None);
    }
    // The walk has only seen what is there.
    let root = at::open_root(root)?;
    let missing = |path: &&BString| at::look_beneath(&root, path).is_err();
    Ok(known.iter().map(|(path, _)| path).find(missing).cloned())
}

/// What was written into a tree.
pub(super) struct Known<'a> {
    files: HashMap<&'a [u8], &'a FileStat>,
    directories: HashSet<&'a [u8]>,
}

impl<'a> Known<'a> {
    pub(super) fn new(written: &'a [(BString, FileStat)]) -> Self {
        let mut known = Self { files: HashMap::new(), directories: HashSet::new() };
        for (path, stat) in written {
            known.files.insert(path.as_slice(), stat);
            let above = std::iter::successors(Some(at::split(path).0), |above| Some(at::split(above).0));
            for directory in above.take_while(|above| !above.is_empty()) {
                if !known.directories.insert(directory) {
                    break;
                }
            }
        }
        known
    }

    /// Tells whether something was written below this path.
    pub(super) fn is_directory(&self, path: &[u8]) -> bool {
        self.directories.contains(path)
    }

    /// Tells whether what lies at a path was written there and not touched since.
    pub(super) fn is_as_written(&self, path: &[u8], found: &FileStat) -> bool {
        self.files.get(path).is_some_and(|written| written.same_file(found))
    }
}

struct Tree<'a> {
    known: Known<'a>,
    met: usize,
}

impl Tree<'_> {
    fn walk(&mut self, directory: &OwnedFd, at_path: &[u8]) -> io::Result<Option<BString>> {
        for (name, _) in at::names(directory)? {
            let path = at::join(at_path, &name);
            if self.known.is_directory(&path) {
                let below = at::open_dir_same_mount(directory, &name)?;
                if let Some(strange) = self.walk(&below, &path)? {
                    return Ok(Some(strange));
                }
                continue;
            }
            let looked = at::look(directory, &name)?;
            if !self.known.is_as_written(&path, &looked.stat) {
                return Ok(Some(path.into()));
            }
            self.met += 1;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn known(root: &Path, paths: &[&str]) -> Vec<(BString, FileStat)> {
        let fd = at::open_root(root).unwrap();
        let stat = |path: &&str| at::look_beneath(&fd, path.as_bytes()).unwrap().stat;
        paths.iter().map(|path| (BString::from(*path), stat(path))).collect()
    }

    #[test]
    fn sees_what_was_changed_added_or_taken() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/one"), "1").unwrap();
        fs::write(root.join("two"), "2").unwrap();
        let before = known(root, &["a/b/one", "two"]);
        let difference = || first_difference(root, &before).unwrap().map(|path| path.to_string());
        assert_eq!(difference(), None);
        fs::write(root.join("a/new"), "").unwrap();
        assert_eq!(difference().as_deref(), Some("a/new"));
        fs::remove_file(root.join("a/new")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        assert_eq!(difference().as_deref(), Some("empty"));
        fs::remove_dir(root.join("empty")).unwrap();
        fs::rename(root.join("two"), root.join("../two-elsewhere")).unwrap_or_default();
        fs::remove_file(root.join("../two-elsewhere")).unwrap();
        assert_eq!(difference().as_deref(), Some("two"));
    }

    #[test]
    fn a_change_is_seen_though_size_and_time_are_set_back() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "good").unwrap();
        let before = known(root.path(), &["file"]);
        let modified = file.metadata().unwrap().modified().unwrap();
        fs::write(&file, "evil").unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        assert_eq!(first_difference(root.path(), &before).unwrap(), Some("file".into()));
    }
}
