//! Tests of writing a tree's files.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    sync::atomic::AtomicU64,
};

use super::*;
use crate::fs::testing::{chmod, mode, mount_tmpfs, put, unprivileged, with_own_mounts};

#[derive(Default)]
struct Blobs(HashMap<Oid, Vec<u8>>);

struct Reader<'a>(&'a Blobs);

impl BlobSource for Blobs {
    type Reader<'a> = Reader<'a>;

    fn reader(&self) -> io::Result<Reader<'_>> {
        Ok(Reader(self))
    }
}

impl BlobReader for Reader<'_> {
    fn read(&mut self, oid: &Oid, buf: &mut Vec<u8>) -> io::Result<()> {
        let content = self.0.0.get(oid).ok_or(io::ErrorKind::NotFound)?;
        buf.clear();
        buf.extend_from_slice(content);
        Ok(())
    }
}

#[derive(Default)]
struct Tree {
    blobs: Blobs,
    entries: Vec<TreeEntry>,
}

impl Tree {
    fn add(&mut self, path: impl AsRef<[u8]>, mode: EntryMode, content: impl AsRef<[u8]>) -> &mut Self {
        let oid = Oid::from_bytes(&blake3::hash(content.as_ref()).as_bytes()[..20]).unwrap();
        self.blobs.0.insert(oid, content.as_ref().to_owned());
        self.entries.push(TreeEntry { path: path.as_ref().into(), mode, oid });
        self
    }

    fn files(paths: &[&str]) -> Self {
        let mut tree = Self::default();
        for path in paths {
            tree.add(path, EntryMode::File, path);
        }
        tree
    }

    fn write(&mut self, root: &Path, threads: usize) -> Result<Written, MaterialiseError> {
        self.write_in(Manner::default(), root, threads)
    }

    fn write_in(
        &mut self,
        manner: Manner<'_>,
        root: &Path,
        threads: usize,
    ) -> Result<Written, MaterialiseError> {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        materialise(manner, root, &self.entries, &self.blobs, NonZeroUsize::new(threads).unwrap(), &Quiet)
    }
}

fn assert_stat(stat: &FileStat, path: &Path) {
    let meta = fs::symlink_metadata(path).unwrap();
    let found = FileStat {
        mtime: windrow_model::Stamp { seconds: meta.mtime(), nanos: meta.mtime_nsec().try_into().unwrap() },
        ctime: windrow_model::Stamp { seconds: meta.ctime(), nanos: meta.ctime_nsec().try_into().unwrap() },
        dev: meta.dev(),
        ino: meta.ino(),
        uid: meta.uid(),
        gid: meta.gid(),
        size: meta.size(),
    };
    assert_eq!(*stat, found, "{}", path.display());
}

#[test]
fn five_thousand_files_have_their_content_and_the_reported_stat_data() {
    let mut tree = Tree::default();
    for number in 0..5_000 {
        let path = format!("d{}/e{}/f{number}", number % 7, number % 97);
        let mode = if number % 10 == 0 { EntryMode::Executable } else { EntryMode::File };
        tree.add(path, mode, format!("{number}\n").repeat(number % 50));
    }
    for threads in [1, 4] {
        let dir = tempfile::tempdir().unwrap();
        let written = tree.write(dir.path(), threads).unwrap();
        assert_eq!((written.files, written.stats.len()), (5_000, 5_000));
        let mut bytes = 0;
        for (entry, stat) in tree.entries.iter().zip(&written.stats) {
            let path = at::below(dir.path(), &entry.path);
            let content = fs::read(&path).unwrap();
            assert_eq!(content, tree.blobs.0[&entry.oid]);
            assert_eq!(mode(&path) & 0o100 != 0, entry.mode == EntryMode::Executable);
            assert_stat(stat, &path);
            bytes += stat.size;
        }
        assert_eq!(written.bytes, bytes);
    }
}

#[test]
fn settled_files_are_older_than_what_is_written_next_and_other_files_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let seconds = |stat: &FileStat| stat.mtime.seconds;
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let before = i64::try_from(before).unwrap();
    let settled = Manner { age: Age::Settled, ..Manner::default() };
    let written = Tree::files(&["a/b", "c"]).write_in(settled, dir.path(), 1).unwrap();
    put(dir.path(), "index", "");
    let index = dir.path().join("index").metadata().unwrap().mtime();
    for (name, stat) in ["a/b", "c"].into_iter().zip(&written.stats) {
        assert_stat(stat, &dir.path().join(name));
        assert!(seconds(stat) < index && seconds(stat) >= before - 2, "{stat:?}");
    }
    let written = Tree::files(&["d"]).write(dir.path(), 1).unwrap();
    assert!(seconds(&written.stats[0]) >= before - 1, "{written:?}");
}

#[test]
fn links_gitlinks_and_strange_names_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::default();
    tree.add("link", EntryMode::Symlink, "../out/of it")
        .add("sub/module", EntryMode::Gitlink, "")
        .add(b"new\nline/\xff\xfe", EntryMode::File, "x")
        .add("empty", EntryMode::File, "");
    let written = tree.write(dir.path(), 2).unwrap();
    assert_eq!(fs::read_link(dir.path().join("link")).unwrap(), Path::new("../out/of it"));
    assert!(fs::read_dir(dir.path().join("sub/module")).unwrap().next().is_none());
    assert_eq!(written.bytes, 13);
    for (entry, stat) in tree.entries.iter().zip(&written.stats) {
        assert_stat(stat, &at::below(dir.path(), &entry.path));
    }
}

#[test]
fn a_hostile_path_is_refused_before_anything_is_written() {
    for path in ["../x", "a/.GIT/config", "a//b", "/etc/x", ".git"] {
        let dir = tempfile::tempdir().unwrap();
        let error = Tree::files(&["0", path]).write(dir.path(), 1).unwrap_err();
        assert!(matches!(error, MaterialiseError::Refused(_)), "{error:?}");
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    }
}

#[test]
fn nothing_is_written_through_a_link_or_over_a_file() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path(), dir.path().join("a")).unwrap();
    symlink(outside.path().join("b"), dir.path().join("b")).unwrap();
    put(dir.path(), "c", "mine");
    for path in ["a/x", "b", "c"] {
        let error = Tree::files(&[path]).write(dir.path(), 1).unwrap_err();
        assert!(matches!(error, MaterialiseError::Exists { .. }), "{path}: {error:?}");
    }
    assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
    assert_eq!(fs::read(dir.path().join("c")).unwrap(), b"mine");
}

#[test]
fn entries_that_collide_are_an_error() {
    for paths in [["a", "a"], ["a", "a/b"]] {
        let dir = tempfile::tempdir().unwrap();
        assert!(Tree::files(&paths).write(dir.path(), 2).is_err(), "{paths:?}");
    }
    // A tree with a link where another entry wants a directory must not be written through it.
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut tree = Tree::files(&["a/hook"]);
    tree.add("a", EntryMode::Symlink, outside.path().to_str().unwrap());
    assert!(tree.write(dir.path(), 2).is_err());
    assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
}

#[test]
fn a_missing_blob_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::files(&["a", "b/c"]);
    let missing = tree.entries[1].oid;
    tree.blobs.0.remove(&missing);
    match tree.write(dir.path(), 2).unwrap_err() {
        MaterialiseError::Blob { path, oid, .. } => assert_eq!((path, oid), ("b/c".into(), missing)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_read_only_root_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    chmod(dir.path(), 0o555);
    let error = unprivileged(|| Tree::files(&["a/b"]).write(dir.path(), 1)).unwrap_err();
    assert!(matches!(&error, MaterialiseError::Write { path, .. } if path == "a"), "{error:?}");
    chmod(dir.path(), 0o755);
}

#[test]
fn a_full_disk_is_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    with_own_mounts("a_full_disk_is_told_as_such", || {
        mount_tmpfs(dir.path(), c"size=64k");
        let mut tree = Tree::default();
        tree.add("big", EntryMode::File, vec![7; 1 << 20]);
        let error = tree.write(dir.path(), 1).unwrap_err();
        assert!(matches!(&error, MaterialiseError::NoSpace { path } if path == "big"), "{error:?}");
    });
}

#[test]
fn limits_and_devices_have_errors_of_their_own() {
    let of = |errno: Errno| MaterialiseError::write(b"x", errno.into());
    assert!(matches!(of(Errno::MFILE), MaterialiseError::TooManyFiles { .. }));
    assert!(matches!(of(Errno::NFILE), MaterialiseError::TooManyFiles { .. }));
    assert!(matches!(of(Errno::DQUOT), MaterialiseError::NoSpace { .. }));
    assert!(matches!(of(Errno::IO), MaterialiseError::Device { .. }));
}

#[test]
fn progress_adds_up() {
    struct Count(AtomicU64, AtomicU64);
    impl Progress for Count {
        fn total(&self, files: u64) {
            self.0.fetch_add(files, Ordering::Relaxed);
        }
        fn advanced(&self, files: u64) {
            self.1.fetch_add(files, Ordering::Relaxed);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let names = (0..600).map(|number| format!("f{number}")).collect::<Vec<_>>();
    let tree = Tree::files(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let count = Count(AtomicU64::new(0), AtomicU64::new(0));
    let threads = NonZeroUsize::new(3).unwrap();
    materialise(Manner::default(), dir.path(), &tree.entries, &tree.blobs, threads, &count).unwrap();
    assert_eq!((count.0.into_inner(), count.1.into_inner()), (600, 600));
}
