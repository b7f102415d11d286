//! Tests of archives: what goes in comes out, hostile and damaged ones do not.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    time::{Duration, SystemTime},
};

use super::*;
use crate::fs::testing::{chmod, mode, mount_tmpfs, picture, put, with_own_mounts};

const ALL: u64 = u64::MAX;

fn item(name: &str, root: &Path, source: &str) -> ArchiveItem {
    ArchiveItem { path: name.into(), root: root.to_owned(), source: source.into(), extent: Extent::Whole }
}

/// One item for everything directly below a directory.
fn everything(root: &Path) -> Vec<ArchiveItem> {
    let names = fs::read_dir(root).unwrap().map(|entry| BString::from(entry.unwrap().file_name().as_bytes()));
    let path = |name: &BString| [b"tree/".as_slice(), name].concat().into();
    names
        .map(|source| ArchiveItem {
            path: path(&source),
            root: root.to_owned(),
            source,
            extent: Extent::Whole,
        })
        .collect()
}

fn restore(archive: &Path, root: &Path, overwrite: Overwrite) -> Result<Vec<PathBuf>, ArchiveError> {
    read_archive(archive, &[RestoreRoot { prefix: b"tree/", root }], overwrite)
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn noise(length: usize) -> Vec<u8> {
    let mut content = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    content
}

/// A tree with all that has ever been lost by a copy.
fn difficult(root: &Path) {
    put(root, ".env", "SECRET=1");
    put(root, OsStr::from_bytes(b"not-utf8-\xff\xfe/\xc3\x28"), "x");
    put(root, "new\nline/é\u{301}", "unicode");
    put(root, format!("{}/{}/{}", "a".repeat(120), "b".repeat(200), "c".repeat(99)), "long");
    put(root, "x".repeat(100), "exactly as long as the field");
    put(root, "empty-file", "");
    put(root, "large", noise((3 << 20) + 17));
    put(root, "nested/.git/HEAD", "ref: refs/heads/main");
    put(root, "nested/.git/objects/ab/cd", noise(999));
    put(root, "locked/read-only", "x");
    fs::create_dir_all(root.join("empty/inner")).unwrap();
    fs::File::create(root.join("sparse")).unwrap().set_len(4 << 20).unwrap();
    symlink("empty", root.join("link-to-directory")).unwrap();
    symlink("d/".repeat(90), root.join("long-link")).unwrap();
    symlink("/etc//./passwd", root.join("absolute")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    let old = SystemTime::UNIX_EPOCH - Duration::from_millis(1_500);
    fs::File::options().write(true).open(root.join(".env")).unwrap().set_modified(old).unwrap();
    let far = SystemTime::UNIX_EPOCH + Duration::new(5_000_000_000, 123_456_789);
    fs::File::options().write(true).open(root.join("large")).unwrap().set_modified(far).unwrap();
    for (path, mode) in
        [(".env", 0o600), ("locked/read-only", 0o400), ("locked", 0o555), ("empty/inner", 0o2750)]
    {
        chmod(root.join(path), mode);
    }
}

#[test]
fn a_difficult_tree_comes_back_as_it_was() {
    let (from, to, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    difficult(from.path());
    let archive = store.path().join("r.tar.zst");
    let summary = write_archive(&archive, &everything(from.path()), ALL).unwrap();
    assert_eq!(mode(&archive), 0o600);
    assert_eq!(summary.bytes, fs::metadata(&archive).unwrap().len());
    assert_eq!(names(store.path()), 1);
    assert_eq!(list_archive(&archive).unwrap(), summary.entries);
    let restored = restore(&archive, to.path(), Overwrite::Refuse).unwrap();
    assert_eq!(restored.len(), summary.entries.len());
    assert_eq!(picture(to.path()), picture(from.path()));
    assert_eq!(picture(to.path()).len(), summary.entries.len());
}

#[test]
fn gnu_tar_reads_it_too() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    difficult(from.path());
    let archive = store.path().join("r.tar.zst");
    let summary = write_archive(&archive, &everything(from.path()), ALL).unwrap();
    let plain = zstd::decode_all(fs::File::open(&archive).unwrap()).unwrap();
    put(store.path(), "r.tar", plain);
    fs::create_dir(store.path().join("out")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test of another program")]
    let mut tar = std::process::Command::new("tar");
    tar.env_clear().args(["-xpf"]).arg(store.path().join("r.tar")).arg("-C").arg(store.path().join("out"));
    match tar.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => return eprintln!("SKIPPED: gnu_tar_reads_it_too needs `tar`: {error}"),
    }
    let found = picture(&store.path().join("out/tree"));
    assert_eq!(found.len(), summary.entries.len());
    assert_eq!(found.get(&BString::from(".env")), picture(from.path()).get(&BString::from(".env")));
}

#[test]
fn above_the_limit_nothing_is_kept() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", [7; 60]);
    put(from.path(), "b", [7; 60]);
    let archive = store.path().join("r");
    let error = write_archive(&archive, &everything(from.path()), 119).unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge { bytes: 120, limit: 119 }), "{error:?}");
    assert_eq!(names(store.path()), 0);
    write_archive(&archive, &everything(from.path()), 120).unwrap();
}

#[test]
fn an_archive_that_is_there_stays() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", "x");
    put(store.path(), "r", "older rescue");
    let error = write_archive(&store.path().join("r"), &everything(from.path()), ALL).unwrap_err();
    assert!(matches!(error, ArchiveError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read(store.path().join("r")).unwrap(), b"older rescue");
    assert_eq!(names(store.path()), 1);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let from = tempfile::tempdir().unwrap();
    for change in [b"shorter".as_slice(), b"as long as was", b"much longer than it was"] {
        put(from.path(), "a", "as long as now");
        let collected = collect::collect(&[item("tree/a", from.path(), "a")], ALL).unwrap();
        fs::remove_file(from.path().join("a")).unwrap();
        put(from.path(), "a", change);
        let target = from.path().join("unused");
        let file = tempfile::tempfile().unwrap();
        let error = write::pack(&target, &file, &collected).unwrap_err();
        assert!(matches!(&error, ArchiveError::Changed { path } if path == "tree/a"), "{error:?}");
    }
}

/// Files of sysfs end before the length they have, as if they were cut while they are read.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_ends_early_is_told() {
    let store = tempfile::tempdir().unwrap();
    let items = [item("tree/a", Path::new("/sys/devices/system/cpu"), "online")];
    if !items[0].root.join("online").exists() {
        return eprintln!("SKIPPED: a_file_that_ends_early_is_told needs sysfs");
    }
    let error = write_archive(&store.path().join("r"), &items, ALL).unwrap_err();
    assert!(matches!(error, ArchiveError::Changed { .. }), "{error:?}");
    assert_eq!(names(store.path()), 0);
}

#[test]
fn sources_are_not_read_through_links() {
    let (from, outside, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(outside.path(), "secret", "x");
    put(from.path(), "real/deep/secret", "x");
    symlink(outside.path(), from.path().join("conf")).unwrap();
    symlink("real", from.path().join("inside")).unwrap();
    for source in ["conf/secret", "../secret", "inside/deep/secret"] {
        let error =
            write_archive(&store.path().join("r"), &[item("tree/s", from.path(), source)], ALL).unwrap_err();
        assert!(matches!(error, ArchiveError::Source { .. }), "{error:?}");
    }
    assert_eq!(names(store.path()), 0);
}

#[test]
fn names_that_climb_or_come_twice_are_refused() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", "x");
    for items in [["../x", "b"], ["/x", "b"], ["a//b", "b"], ["", "b"], ["b", "b"]] {
        let items = items.map(|name| item(name, from.path(), "a"));
        let error = write_archive(&store.path().join("r"), &items, ALL).unwrap_err();
        assert!(matches!(error, ArchiveError::Name { .. }), "{error:?}");
    }
}

#[test]
fn sockets_are_listed_as_skipped_and_mounts_refused() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "d/a", "x");
    let _socket = std::os::unix::net::UnixListener::bind(from.path().join("d/socket")).unwrap();
    let summary = write_archive(&store.path().join("r"), &everything(from.path()), ALL).unwrap();
    assert_eq!(summary.skipped, ["tree/d/socket"]);
    assert_eq!(summary.files, 2);
    with_own_mounts("sockets_are_listed_as_skipped_and_mounts_refused", || {
        fs::create_dir(from.path().join("d/mnt")).unwrap();
        mount_tmpfs(&from.path().join("d/mnt"), c"size=64k");
        let error = write_archive(&store.path().join("s"), &everything(from.path()), ALL).unwrap_err();
        assert!(matches!(error, ArchiveError::Mount { .. }), "{error:?}");
    });
}

#[test]
fn restoring_refuses_or_replaces_and_never_goes_through_links() {
    let (from, to, outside) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", "saved");
    put(from.path(), "d/b", "saved");
    let archive = outside.path().join("r");
    write_archive(&archive, &everything(from.path()), ALL).unwrap();
    put(to.path(), "d/b", "mine");
    let error = restore(&archive, to.path(), Overwrite::Refuse).unwrap_err();
    assert!(matches!(&error, ArchiveError::Exists { path } if *path == to.path().join("d/b")), "{error:?}");
    assert!(!to.path().join("a").exists(), "something was written before the refusal");
    restore(&archive, to.path(), Overwrite::Replace).unwrap();
    assert_eq!(fs::read(to.path().join("d/b")).unwrap(), b"saved");

    // A link in place of the file is replaced itself; in place of a directory it stops all.
    put(outside.path(), "target", "kept");
    fs::remove_file(to.path().join("a")).unwrap();
    symlink(outside.path().join("target"), to.path().join("a")).unwrap();
    restore(&archive, to.path(), Overwrite::Replace).unwrap();
    assert_eq!(fs::read(outside.path().join("target")).unwrap(), b"kept");
    fs::remove_dir_all(to.path().join("d")).unwrap();
    symlink(outside.path(), to.path().join("d")).unwrap();
    assert!(restore(&archive, to.path(), Overwrite::Replace).is_err());
    assert!(!outside.path().join("b").exists());
    fs::remove_file(to.path().join("d")).unwrap();
    fs::create_dir(to.path().join("real")).unwrap();
    symlink("real", to.path().join("d")).unwrap();
    assert!(restore(&archive, to.path(), Overwrite::Replace).is_err());
    assert_eq!(names(&to.path().join("real")), 0);
}

#[test]
fn parts_go_to_their_own_roots() {
    let (from, tree, admin, store) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    put(from.path(), "x", "1");
    let items =
        ["tree/deep/x", "admin/rebase-merge/onto", "other/x"].map(|name| item(name, from.path(), "x"));
    let archive = store.path().join("r");
    write_archive(&archive, &items, ALL).unwrap();
    let roots = [
        RestoreRoot { prefix: b"tree/", root: tree.path() },
        RestoreRoot { prefix: b"admin/", root: admin.path() },
    ];
    let restored = read_archive(&archive, &roots, Overwrite::Refuse).unwrap();
    assert_eq!(restored, [tree.path().join("deep/x"), admin.path().join("rebase-merge/onto")]);
}

/// An archive such as [`write_archive`] would never make.
fn hostile(path: &Path, entries: &[ArchiveEntry]) {
    let mut builder = tar::Builder::new(zstd::Encoder::new(fs::File::create(path).unwrap(), 1).unwrap());
    for entry in entries {
        format::append(&mut builder, entry, &mut io::repeat(7).take(entry.size)).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
}

use std::io::Read;

#[test]
fn hostile_archives_write_nothing_outside() {
    let (store, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |path: &str| ArchiveEntry {
        path: path.into(),
        kind: EntryKind::File,
        mode: 0o644,
        size: 3,
        mtime: Stamp::default(),
        target: BString::default(),
        hash: String::new(),
    };
    let target = BString::from(outside.path().as_os_str().as_bytes());
    let link = ArchiveEntry { kind: EntryKind::Symlink, size: 0, target, ..file("tree/d") };
    let archives = [
        vec![file("tree/../../x")],
        vec![file("tree/.git/hooks/post-checkout")],
        vec![file("tree/.GIT")],
        vec![link, file("tree/d/x")],
    ];
    for entries in archives {
        let to = tempfile::tempdir().unwrap();
        let archive = store.path().join("hostile");
        hostile(&archive, &entries);
        assert!(restore(&archive, to.path(), Overwrite::Replace).is_err(), "{entries:?}");
        assert_eq!(names(outside.path()), 0);
        assert!(!to.path().join(".git").exists());
    }
}

#[test]
fn damage_is_found_before_anything_is_written() {
    let (from, to, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", noise(100_000));
    put(from.path(), "b", noise(100_000));
    let archive = store.path().join("r");
    write_archive(&archive, &everything(from.path()), ALL).unwrap();
    let whole = fs::read(&archive).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for content in [flipped, whole[..whole.len() - 3].to_vec(), whole[..whole.len() / 2].to_vec(), Vec::new()]
    {
        put(store.path(), "damaged", content);
        let damaged = store.path().join("damaged");
        let error = restore(&damaged, to.path(), Overwrite::Refuse).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{error:?}");
        assert!(list_archive(&damaged).is_err());
        assert_eq!(names(to.path()), 0);
    }
}

#[test]
fn reading_back_finds_what_differs() {
    let (from, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(from.path(), "a", "x");
    let collected = collect::collect(&everything(from.path()), ALL).unwrap();
    let file =
        fs::File::options().read(true).write(true).create_new(true).open(store.path().join("r")).unwrap();
    let entries = write::pack(store.path(), &file, &collected).unwrap();
    write::compare(store.path(), &file, &entries).unwrap();
    let other = [ArchiveEntry { hash: temporary::hash(b"y"), ..entries[0].clone() }];
    let more = [entries[0].clone(), entries[0].clone()];
    for wrong in [&other[..], &more[..], &[]] {
        let error = write::compare(store.path(), &file, wrong).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{error:?}");
    }
}
