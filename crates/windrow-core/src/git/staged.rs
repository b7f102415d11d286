//! An index read where it lies in memory, for the one question whether it holds the tree of a commit and files are as it says.
//!
//! Only plain indices are read: everything else needs [`super::index`], which makes entries of its own of them.
//!
//! # Compatibility
//! Versions 2 and 3; extensions are not looked at, and so neither is the checksum: that the entries are those of a commit is proven by
//! the name of its tree, and stat data that was damaged agrees with no file. *Source*: gitformat-index(5).

use std::{io, path::Path};

use bstr::{BStr, ByteSlice};
use gix_object::Kind;
use windrow_model::{EntryMode, Oid, RecordedStat, StagedFile};

use super::{facts::read_plain, repository::ObjectFormat, tree::model_oid};

const HEADER: usize = 12;
/// What stands before the name of the blob.
const NUMBERS: usize = 40;
const ASSUME_UNCHANGED: u16 = 0x8000;
const NAME_LENGTH: u16 = 0x0fff;

/// Reads an index as it lies on disk, through no symbolic link; empty when there is none.
///
/// # Errors
/// It is no plain file or cannot be read.
pub fn read_raw(index: &Path) -> io::Result<Vec<u8>> {
    Ok(read_plain(index)?.unwrap_or_default())
}

/// The entries of an index in its order; `None` unless each is a file or link in no conflict, with no flag but assume-unchanged.
#[must_use]
pub fn staged_files(index: &[u8], format: ObjectFormat) -> Option<Vec<StagedFile<'_>>> {
    let version = number(index, 4)?;
    if index.get(..4)? != b"DIRC" || !matches!(version, 2 | 3) {
        return None;
    }
    let count = usize::try_from(number(index, 8)?).ok()?;
    // As many as there can be, whatever the header says.
    let mut files = Vec::with_capacity(count.min(index.len() / NUMBERS));
    let mut rest = index.get(HEADER..)?;
    for _ in 0..count {
        let (file, length) = staged_file(rest, format.digest_bytes())?;
        files.push(file);
        rest = rest.get(length..)?;
    }
    Some(files)
}

/// One entry, and how long it is with its padding.
fn staged_file(bytes: &[u8], digest: usize) -> Option<(StagedFile<'_>, usize)> {
    let name_at = NUMBERS + digest + 2;
    let flags = u16::from_be_bytes(bytes.get(name_at - 2..name_at)?.try_into().ok()?);
    if flags & !(ASSUME_UNCHANGED | NAME_LENGTH) != 0 {
        return None;
    }
    let path = BStr::new(bytes.get(name_at..)?);
    let path = path[..path.find_byte(0)?].as_bstr();
    let mode = match number(bytes, 24)? {
        0o100_644 => EntryMode::File,
        0o100_755 => EntryMode::Executable,
        0o120_000 => EntryMode::Symlink,
        _ => return None,
    };
    let stat = RecordedStat {
        mtime: (number(bytes, 8)?, number(bytes, 12)?),
        ctime: (number(bytes, 0)?, number(bytes, 4)?),
        ino: number(bytes, 20)?,
        uid: number(bytes, 28)?,
        gid: number(bytes, 32)?,
        size: number(bytes, 36)?,
    };
    let oid = bytes.get(NUMBERS..NUMBERS + digest)?;
    let length = (name_at + path.len() + 8) & !7;
    (!path.is_empty()).then_some((StagedFile { path, mode, oid, stat }, length))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The tree that a commit of these files would have, without writing or reading an object; `None` when they are in no order that an
/// index has.
///
/// Equal names of trees prove that nothing is staged, and cost a fraction of reading the tree of a commit. The trees that an index
/// itself names are not believed: whoever wrote it may have left stale ones there.
#[must_use]
pub fn tree_of_files(format: ObjectFormat, files: &[StagedFile<'_>]) -> Option<Oid> {
    let in_order = files.is_sorted_by(|one, next| one.path < next.path);
    in_order.then(|| tree(format, files, 0)).flatten()
}

/// The tree of files whose paths have the first `depth` bytes in common.
fn tree(format: ObjectFormat, mut files: &[StagedFile<'_>], depth: usize) -> Option<Oid> {
    let mut content = Vec::new();
    while let Some(first) = files.first() {
        let rest = &first.path[depth..];
        let Some(end) = rest.find_byte(b'/') else {
            add(&mut content, first.mode.bits(), rest, first.oid);
            files = &files[1..];
            continue;
        };
        let below = depth + end + 1;
        let prefix = &first.path[..below];
        let count = files.partition_point(|file| file.path.starts_with(prefix));
        let oid = tree(format, &files[..count], below)?;
        add(&mut content, 0o040_000, &rest[..end], oid.as_bytes());
        files = &files[count..];
    }
    gix_object::compute_hash(format.hash(), Kind::Tree, &content).ok().map(|id| model_oid(&id))
}

fn add(tree: &mut Vec<u8>, mode: u32, name: &[u8], oid: &[u8]) {
    tree.extend_from_slice(format!("{mode:o} ").as_bytes());
    tree.extend_from_slice(name);
    tree.push(0);
    tree.extend_from_slice(oid);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use windrow_model::FileStat;
    use windrow_testkit::TestRepo;

    use super::*;
    use crate::git::read_index;

    const SHA1: ObjectFormat = ObjectFormat::Sha1;

    fn index(repo: &TestRepo) -> Vec<u8> {
        fs::read(repo.path().join(".git/index")).unwrap()
    }

    fn varied() -> TestRepo {
        let repo = TestRepo::new();
        let long = format!("long/{}", "x".repeat(200));
        for path in ["a", "a.b", "a-c/x", "d/e/f", "d/e.f", "d/e-g/h", "d/zz", "z", &long] {
            repo.write(path, path);
        }
        std::os::unix::fs::symlink("a", repo.path().join("pointer")).unwrap();
        repo.git(["add", "."]);
        repo.git(["update-index", "--chmod=+x", "d/zz"]);
        repo
    }

    #[test]
    fn entries_are_what_the_other_reader_reads() {
        let repo = varied();
        for version in ["2", "4"] {
            repo.git(["update-index", "--index-version", version]);
            let bytes = index(&repo);
            let Some(files) = staged_files(&bytes, SHA1) else {
                assert_eq!(version, "4");
                continue;
            };
            assert_eq!(version, "2");
            let entries = read_index(&repo.path().join(".git/index"), SHA1).unwrap();
            assert_eq!(files.len(), entries.len());
            for (file, entry) in files.iter().zip(entries) {
                assert_eq!(
                    (file.path, file.mode, file.oid),
                    (entry.path.as_bstr(), entry.mode, entry.oid.as_bytes())
                );
                assert!(file.stat.same_file(&entry.stat));
                assert!(!file.stat.same_file(&FileStat { ino: entry.stat.ino + 1, ..entry.stat }));
            }
        }
    }

    #[test]
    fn names_the_tree_that_git_would_write() {
        let repo = varied();
        let bytes = index(&repo);
        let written: Oid = repo.git(["write-tree"]).trim().parse().unwrap();
        let mut files = staged_files(&bytes, SHA1).unwrap();
        assert_eq!(tree_of_files(SHA1, &files), Some(written));
        files[1].mode = EntryMode::Executable;
        assert_ne!(tree_of_files(SHA1, &files), Some(written));
        files.swap(0, 1);
        assert_eq!(tree_of_files(SHA1, &files), None);
    }

    #[test]
    fn what_is_not_plain_is_not_read() {
        let repo = varied();
        let head = repo.git(["rev-parse", "HEAD"]);
        let plain = |what: &str| assert!(staged_files(&index(&repo), SHA1).is_some(), "{what}");
        plain("as it is");
        let odd = |what: &[&str]| {
            repo.git(what.iter());
            assert_eq!(staged_files(&index(&repo), SHA1), None, "{what:?}");
        };
        let undone = |what: &[&str]| {
            repo.git(what.iter());
            plain(&what.join(" "));
        };
        odd(&["update-index", "--skip-worktree", "a"]);
        undone(&["update-index", "--no-skip-worktree", "a"]);
        repo.write("intended", "");
        odd(&["add", "--intent-to-add", "intended"]);
        undone(&["rm", "-q", "--cached", "intended"]);
        let submodule = format!("160000,{},module", head.trim());
        odd(&["update-index", "--add", "--cacheinfo", &submodule]);
        undone(&["rm", "-q", "--cached", "module"]);
        undone(&["update-index", "--assume-unchanged", "a"]);
    }

    #[test]
    fn a_damaged_index_is_not_read_past_its_end() {
        let repo = varied();
        let bytes = index(&repo);
        let files = staged_files(&bytes, SHA1).unwrap().len();
        for end in 0..bytes.len() {
            let read = staged_files(&bytes[..end], SHA1);
            assert!(read.is_none_or(|read| read.len() == files), "{end}");
        }
        let mut many = bytes.clone();
        many[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(staged_files(&many, SHA1), None);
    }
}
