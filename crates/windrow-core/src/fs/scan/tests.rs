//! Tests of looking at all that lies in a worktree.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use windrow_model::RecordedStat;

use super::*;
use crate::fs::testing::{chmod, mount_tmpfs, put, unprivileged, with_own_mounts};

fn scan_with(root: &Path, tracked: &[&str], disposable: &[&str]) -> Result<Scan, ScanError> {
    let tracked = TrackedDirectories::from_files(tracked.iter().map(|path| BStr::new(*path)));
    let disposable = Patterns::new(disposable).unwrap();
    scan(
        root,
        &ScanRules {
            tracked: Tracked::In(&tracked),
            disposable: &disposable,
            threads: NonZeroUsize::new(3).unwrap(),
        },
    )
}

fn kinds(scan: &Scan) -> Vec<(String, FoundKind)> {
    scan.found.iter().map(|found| (found.path.to_string(), found.kind)).collect()
}

const FILE: FoundKind = FoundKind::File { executable: false };

#[test]
fn every_kind_is_told_and_git_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, ".git/config", "");
    put(root, "a/b", "x");
    put(root, "a/run", "x");
    chmod(root.join("a/run"), 0o755);
    put(root, "nested/.git/HEAD", "");
    put(root, "nested/file", "");
    put(root, "worktree/.git", "gitdir: /x");
    fs::create_dir_all(root.join("empty/inner")).unwrap();
    symlink("/", root.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let scan = scan_with(root, &[], &[]).unwrap();
    let expected = [
        ("a/b", FILE),
        ("a/run", FoundKind::File { executable: true }),
        ("empty/inner", FoundKind::Directory),
        ("link", FoundKind::Symlink),
        ("nested", FoundKind::Repository),
        ("socket", FoundKind::Other),
        ("worktree", FoundKind::Repository),
    ];
    assert_eq!(kinds(&scan), expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert_eq!(scan.found[0].stat.size, 1);
    assert_eq!(scan.dropped, []);
}

#[test]
fn what_can_be_made_again_is_dropped_unless_it_is_tracked_or_a_repository() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "Cargo.toml", "");
    put(root, "target/debug/x", "");
    put(root, "web/package.json", "");
    put(root, "web/node_modules/.git/HEAD", "");
    put(root, "sub/Cargo.toml", "");
    put(root, "sub/target/tracked", "");
    put(root, "sub/target/debug/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    put(root, "tagged/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    put(root, "false/CACHEDIR.TAG", "something else entirely, and long enough");
    put(root, "own/x", "");
    let scan = scan_with(root, &["sub/target/tracked"], &["/own/"]).unwrap();
    let dropped = scan.dropped.iter().map(|dropped| (dropped.path.to_string(), dropped.why.clone()));
    let expected = [
        ("own", Disposable::Configured),
        ("sub/target/debug", Disposable::CacheTag),
        ("tagged", Disposable::CacheTag),
        ("target", Disposable::BuildOutput { manifest: "Cargo.toml" }),
    ];
    assert_eq!(dropped.collect::<Vec<_>>(), expected.map(|(path, why)| (path.to_owned(), why)));
    let found = kinds(&scan).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    let expected = [
        "Cargo.toml",
        "false/CACHEDIR.TAG",
        "sub/Cargo.toml",
        "sub/target/tracked",
        "web/node_modules",
        "web/package.json",
    ];
    assert_eq!(found, expected);
}

/// What an index would say of what lies there now.
fn staged<'a>(root: &Path, path: &'a str) -> StagedFile<'a> {
    let fd = at::open_root(root).unwrap();
    let looked = at::look_beneath(&fd, path.as_bytes()).unwrap();
    let mode = if looked.permissions() & 0o100 == 0 { EntryMode::File } else { EntryMode::Executable };
    let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap();
    let time = |stamp: Stamp| (low(stamp.seconds.cast_unsigned()), stamp.nanos);
    let FileStat { mtime, ctime, ino, uid, gid, size, .. } = looked.stat;
    let (mtime, ctime) = (time(mtime), time(ctime));
    let stat = RecordedStat { mtime, ctime, ino: low(ino), uid, gid, size: low(size) };
    StagedFile { path: path.into(), mode, oid: &[1; 20], stat }
}

fn scan_known(root: &Path, files: &[StagedFile<'_>], written: Stamp) -> Scan {
    let disposable = Patterns::new(&[] as &[&str]).unwrap();
    let tracked = Tracked::Known(KnownFiles { files, written });
    scan(root, &ScanRules { tracked, disposable: &disposable, threads: NonZeroUsize::new(2).unwrap() })
        .unwrap()
}

#[test]
fn h12_only_files_that_are_as_the_index_says_are_not_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    // In every order in which names and paths sort differently.
    let tracked =
        ["a", "a-b/x", "a.b/x", "a/b", "a0", "b/a", "b/a-/x", "b/a.b", "b/c/d/e", "b/d", "target/x", "z"];
    // A directory of that name is a file's in this list.
    let tracked = tracked.map(|path| if path == "a" { "A" } else { path });
    for path in tracked {
        put(root, path, path);
    }
    put(root, "Cargo.toml", "");
    chmod(root.join("z"), 0o755);
    let mut entries: Vec<_> = tracked.iter().map(|path| staged(root, path)).collect();
    entries.sort_by_key(|file| file.path);
    let later = Stamp { seconds: i64::from(u32::MAX), nanos: 0 };
    let found = |entries: &[StagedFile<'_>], written| {
        let scan = scan_known(root, entries, written);
        let told = scan.found.iter().map(|found| found.path.to_string()).collect::<Vec<_>>();
        (scan.as_known, told)
    };
    assert_eq!(found(&entries, later), (12, vec!["Cargo.toml".to_owned()]), "the build output is tracked");
    assert_eq!(found(&entries, Stamp::default()).0, 0, "they are as young as the index");
    for (at, path) in tracked.iter().enumerate() {
        let mut without = entries.clone();
        without.retain(|entry| entry.path != *path);
        let (known, told) = found(&without, later);
        if *path != "target/x" {
            assert_eq!((known, told.contains(&(*path).to_owned())), (11, true), "{at}: {path}");
        }
        let mut other = entries.clone();
        let entry = other.iter_mut().find(|entry| entry.path == *path).unwrap();
        entry.stat.ctime.1 ^= 1;
        assert!(found(&other, later).1.contains(&(*path).to_owned()), "{path}");
    }
    chmod(root.join("z"), 0o644);
    put(root, "b/a.b", "other");
    put(root, "b/new", "");
    fs::remove_file(root.join("b/a-/x")).unwrap();
    let told = ["Cargo.toml", "b/a-", "b/a.b", "b/new", "z"].map(str::to_owned).to_vec();
    assert_eq!(found(&entries, later), (9, told));
}

#[test]
fn an_unreadable_directory_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a/b/c", "");
    chmod(dir.path().join("a/b"), 0);
    let error = unprivileged(|| scan_with(dir.path(), &[], &[])).unwrap_err();
    let ScanError::Unreadable { path, .. } = error;
    assert_eq!(path, "a/b");
    chmod(dir.path().join("a/b"), 0o700);
}

#[test]
fn mount_points_are_told_and_not_entered() {
    let dir = tempfile::tempdir().unwrap();
    with_own_mounts("mount_points_are_told_and_not_entered", || {
        let root = dir.path();
        put(root, "inside", "");
        for name in ["tmpfs", "bind"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        put(root, "file", "");
        mount_tmpfs(&root.join("tmpfs"), c"size=64k");
        put(root, "tmpfs/secret", "");
        // The same device: only the mount itself gives it away.
        rustix::mount::mount_bind(root, root.join("bind")).unwrap();
        rustix::mount::mount_bind(root.join("inside"), root.join("file")).unwrap();
        let scan = scan_with(root, &[], &[]).unwrap();
        let expected = [
            ("bind", FoundKind::Mount),
            ("file", FoundKind::Mount),
            ("inside", FILE),
            ("tmpfs", FoundKind::Mount),
        ];
        assert_eq!(kinds(&scan), expected.map(|(path, kind)| (path.to_owned(), kind)));
        assert_eq!(size_of(root).unwrap().files, 2);
    });
}

/// The plainest walk there is, with paths and the standard library.
fn naive(directory: &Path, prefix: &str, all: &mut Vec<(String, u32)>) {
    let mut names = fs::read_dir(directory).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let meta = fs::symlink_metadata(entry.path()).unwrap();
        if meta.is_dir() && fs::read_dir(entry.path()).unwrap().next().is_some() {
            naive(&entry.path(), &format!("{path}/"), all);
        } else {
            all.push((path, meta.permissions().mode()));
        }
    }
}

#[test]
fn twenty_thousand_files_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..20_000 {
        let parent = dir.path().join(format!("{}/{}/{}", number % 11, number % 13, number % 5));
        if number < 11 * 13 * 5 {
            fs::create_dir_all(&parent).unwrap();
        }
        match number % 100 {
            0 => fs::create_dir(parent.join(format!("{number}"))).unwrap(),
            1 => symlink("..", parent.join(format!("{number}"))).unwrap(),
            _ => drop(fs::File::create(parent.join(format!("{number}"))).unwrap()),
        }
    }
    let mut expected = Vec::new();
    naive(dir.path(), "", &mut expected);
    expected.sort();
    let scan = scan_with(dir.path(), &[], &[]).unwrap();
    let found = scan.found.iter().map(|found| (found.path.to_string(), found.mode)).collect::<Vec<_>>();
    assert_eq!(found, expected);
    assert_eq!(size_of(dir.path()).unwrap().files, 19_800);
}

#[test]
fn sizes_count_links_as_themselves() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a/b", "12345");
    symlink("/etc", dir.path().join("a/link")).unwrap();
    assert_eq!(size_of(dir.path()).unwrap(), Size { bytes: 9, files: 2 });
    assert_eq!(size_of(&dir.path().join("a/b")).unwrap(), Size { bytes: 5, files: 1 });
    assert!(size_of(&dir.path().join("absent")).is_err());
}

#[test]
fn a_witness_tells_every_write_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    put(&root, "a/b", "x");
    put(&root, "nested/.git/HEAD", "");
    put(&root, "nested/deep/file", "x");
    put(&root, "target/CACHEDIR.TAG", std::str::from_utf8(walk::CACHE_TAG).unwrap());
    fs::create_dir_all(root.join("empty")).unwrap();
    let mut before = look(&root);
    assert_eq!(look(&root), before);
    put(&root, "target/late", "x");
    assert_eq!(look(&root), before, "what can be made again");
    let moved = dir.path().join("moved");
    fs::rename(&root, &moved).unwrap();
    assert_eq!(look(&moved), before, "another name above it");

    let writes: [&dyn Fn(); 8] = [
        &|| put(&moved, "a/c", ""),
        &|| fs::remove_file(moved.join("a/c")).unwrap(),
        &|| chmod(moved.join("a/b"), 0o600),
        &|| fs::create_dir(moved.join("empty/in")).unwrap(),
        &|| put(&moved, "nested/deep/file", "y"),
        &|| put(&moved, "nested/.git/late", ""),
        &|| fs::rename(moved.join("a/b"), moved.join("a/d")).unwrap(),
        &|| symlink("x", moved.join("link")).unwrap(),
    ];
    for (at, write) in writes.iter().enumerate() {
        write();
        let after = look(&moved);
        assert_ne!(after, before, "write {at}");
        before = after;
    }
}

fn look(root: &Path) -> Witness {
    witness(root, &scan_with(root, &[], &[]).unwrap()).unwrap()
}
