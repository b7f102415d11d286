//! A directory tree at one moment: every path with kind, mode and content.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What of a tree to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// Every path.
    Everything,
    /// Everything but these paths, relative to the root, and what is below them.
    Except(Vec<PathBuf>),
}

impl Include {
    /// Everything but `.git` at the root.
    pub fn without_git() -> Self {
        Self::except([".git"])
    }

    /// Everything but these.
    pub fn except<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::Except(paths.into_iter().map(Into::into).collect())
    }

    fn covers(&self, path: &Path) -> bool {
        match self {
            Self::Everything => true,
            Self::Except(paths) => !paths.iter().any(|excluded| path.starts_with(excluded)),
        }
    }
}

/// One path of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is, with its content.
    pub kind: EntryKind,
    /// The permission bits; 0 for symlinks.
    pub mode: u32,
}

/// What a path is, with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its length in bytes.
        length: u64,
        /// BLAKE3 of its content; `unreadable` when it cannot be opened.
        content: String,
    },
    /// A directory, empty or not.
    Directory,
    /// A symlink, never followed.
    Symlink {
        /// Where it points, as written.
        target: PathBuf,
    },
    /// A socket, a pipe or a device, never opened.
    Special,
}

/// A directory tree at one moment, tracked, ignored and untracked files and empty directories alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeSnapshot {
    entries: BTreeMap<PathBuf, Entry>,
}

impl TreeSnapshot {
    /// Looks at everything below `directory`; empty when there is no such directory.
    ///
    /// # Panics
    ///
    /// Panics when a directory cannot be listed, or the tree changes meanwhile.
    #[track_caller]
    pub fn of(directory: &Path, include: &Include) -> Self {
        let mut snapshot = Self { entries: BTreeMap::new() };
        if directory.is_dir() {
            snapshot.add_children(directory, Path::new(""), include);
        }
        snapshot
    }

    /// Returns what `path`, relative to the root, is.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.entries.get(path.as_ref())
    }

    /// Returns all paths, relative to the root, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    /// Lists the differences from `self` to `after`, one line each, in order of paths.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let paths: BTreeSet<_> = self.entries.keys().chain(after.entries.keys()).collect();
        paths.into_iter().filter_map(|path| difference(path, self.get(path), after.get(path))).collect()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Path, &Entry) -> bool) {
        self.entries.retain(|path, entry| keep(path, entry));
    }

    #[track_caller]
    fn add_children(&mut self, root: &Path, below: &Path, include: &Include) {
        let directory = root.join(below);
        let children = fs::read_dir(&directory);
        let children =
            children.unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
        for child in children {
            let relative = below.join(child.expect("a listed entry").file_name());
            if include.covers(&relative) {
                self.add(root, relative, include);
            }
        }
    }

    #[track_caller]
    fn add(&mut self, root: &Path, relative: PathBuf, include: &Include) {
        let entry = look(&root.join(&relative));
        let descend = entry.kind == EntryKind::Directory;
        self.entries.insert(relative.clone(), entry);
        if descend {
            self.add_children(root, &relative, include);
        }
    }
}

/// Checks that two snapshots are equal.
///
/// # Panics
///
/// Panics with the list of differences when they are not.
#[track_caller]
pub fn assert_same(before: &TreeSnapshot, after: &TreeSnapshot) {
    let differences = before.differences(after);
    assert!(differences.is_empty(), "the trees differ (- before, + after):\n{}", differences.join("\n"));
}

#[track_caller]
fn look(path: &Path) -> Entry {
    let metadata = fs::symlink_metadata(path);
    let metadata = metadata.unwrap_or_else(|error| panic!("cannot look at {}: {error}", path.display()));
    let kind = metadata.file_type();
    let mode = if kind.is_symlink() { 0 } else { metadata.permissions().mode() & 0o7777 };
    let kind = if kind.is_file() {
        EntryKind::File { length: metadata.len(), content: content(path) }
    } else if kind.is_dir() {
        EntryKind::Directory
    } else if kind.is_symlink() {
        EntryKind::Symlink { target: fs::read_link(path).expect("a symlink can be read") }
    } else {
        EntryKind::Special
    };
    Entry { kind, mode }
}

fn content(path: &Path) -> String {
    let Ok(mut file) = File::open(path) else { return "unreadable".to_owned() };
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut file, &mut hasher).expect("an open file can be read");
    hasher.finalize().to_hex().to_string()
}

fn difference(path: &Path, before: Option<&Entry>, after: Option<&Entry>) -> Option<String> {
    if before == after {
        return None;
    }
    let mut line = format!("{path:?}:");
    for (sign, entry) in [('-', before), ('+', after)] {
        let text = entry.map_or_else(|| "absent".to_owned(), describe);
        write!(line, " {sign} {text}").expect("memory");
    }
    Some(line)
}

fn describe(entry: &Entry) -> String {
    let kind = match &entry.kind {
        EntryKind::File { length, content } => format!("file {length} bytes {}", &content[..10]),
        EntryKind::Directory => "directory".to_owned(),
        EntryKind::Symlink { target } => return format!("symlink to {target:?}"),
        EntryKind::Special => "special file".to_owned(),
    };
    format!("{kind} mode {:o}", entry.mode)
}

/// When and where a file's content was last written: catches a rewrite with the same bytes.
pub(crate) fn write_mark(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(root.path().join("a/empty")).expect("made");
        fs::write(root.path().join("a/file"), "one").expect("written");
        std::os::unix::fs::symlink("../elsewhere", root.path().join("a/link")).expect("linked");
        fs::create_dir(root.path().join(".git")).expect("made");
        root
    }

    fn change(act: impl FnOnce(&Path)) -> Vec<String> {
        let root = tree();
        let before = TreeSnapshot::of(root.path(), &Include::Everything);
        act(root.path());
        before.differences(&TreeSnapshot::of(root.path(), &Include::Everything))
    }

    #[test]
    fn holds_every_path_but_the_excluded() {
        let root = tree();
        let snapshot = TreeSnapshot::of(root.path(), &Include::without_git());
        let paths: Vec<_> = snapshot.paths().map(|path| path.to_str().expect("ASCII")).collect();
        assert_eq!(paths, ["a", "a/empty", "a/file", "a/link"]);
    }

    #[test]
    fn every_kind_of_change_is_one_line() {
        assert_eq!(change(|_| ()), Vec::<String>::new());
        let changed = change(|root| fs::write(root.join("a/file"), "two").expect("written"));
        assert!(changed[0].starts_with(r#""a/file": - file 3 bytes "#), "{changed:?}");
        let removed = change(|root| fs::remove_dir(root.join("a/empty")).expect("removed"));
        assert!(removed[0].ends_with("+ absent"), "{removed:?}");
        let mode = |root: &Path| fs::set_permissions(root.join("a/file"), fs::Permissions::from_mode(0o600));
        assert_eq!(change(|root| mode(root).expect("set")).len(), 1);
        let retarget = |root: &Path| {
            fs::remove_file(root.join("a/link")).expect("removed");
            std::os::unix::fs::symlink("file", root.join("a/link")).expect("linked");
        };
        assert_eq!(change(retarget), [r#""a/link": - symlink to "../elsewhere" + symlink to "file""#]);
    }

    #[test]
    #[should_panic(expected = "the trees differ (- before, + after):\n\"new\": - absent + file 0 bytes")]
    fn unequal_trees_panic_with_the_difference() {
        let root = tree();
        let before = TreeSnapshot::of(root.path(), &Include::Everything);
        fs::write(root.path().join("new"), "").expect("written");
        assert_same(&before, &TreeSnapshot::of(root.path(), &Include::Everything));
    }
}
