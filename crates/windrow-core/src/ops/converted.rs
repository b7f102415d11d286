//! Files that only seem changed because git converts between blob and file: filters, line endings, encodings.
//!
//! Stat data decides about nearly every file. Where it cannot, because a file is as young as its index or was touched, its raw
//! content is compared with what git would write in its place, because that is what a new checkout gets. What cannot be
//! compared stays changed, and so is saved.

use bstr::BString;
use windrow_model::{EntryMode, IndexEntry, Oid, StagedFile, TreeEntry, WorktreeRecord};

use super::pool::Pool;
use crate::{
    fs::{Found, FoundKind},
    git::{self, Objects},
};

/// Above this a file is called changed rather than converted again in memory.
const COMPARED_BYTES: u64 = 64 << 20;

/// Takes out of `changed` what is byte for byte as git would check it out.
pub(super) fn set_unchanged_apart(
    pool: &Pool,
    record: &WorktreeRecord,
    index: &[IndexEntry],
    changed: &mut Vec<Found>,
) {
    changed.retain(|found| !is_as_checked_out(pool, record, index, found));
}

/// Whether any file may look different on disk than in its blob. What cannot be found out may.
pub(super) fn converts(pool: &Pool, index: &[IndexEntry]) -> bool {
    let plain = |entry: &IndexEntry| TreeEntry { path: entry.path.clone(), mode: entry.mode, oid: entry.oid };
    let attributes = index.iter().filter(|entry| entry.path.ends_with(ATTRIBUTES)).map(plain);
    converts_by(pool, &attributes.collect::<Vec<_>>())
}

/// The same of files that were read where the index lies.
pub(super) fn converts_any(pool: &Pool, files: &[StagedFile<'_>]) -> bool {
    let attributes = files.iter().filter(|file| file.path.ends_with(ATTRIBUTES));
    let plain = |file: &StagedFile<'_>| {
        Oid::from_bytes(file.oid).map(|oid| TreeEntry { path: file.path.to_owned(), mode: file.mode, oid })
    };
    attributes.map(plain).collect::<Result<Vec<_>, _>>().map_or(true, |known| converts_by(pool, &known))
}

const ATTRIBUTES: &[u8] = b".gitattributes";

fn converts_by(pool: &Pool, attributes: &[TreeEntry]) -> bool {
    let objects = Objects::open(pool.repository());
    !matches!(git::needs_git(&pool.git, pool.repository(), &objects, attributes), Ok(None))
}

fn is_as_checked_out(pool: &Pool, record: &WorktreeRecord, index: &[IndexEntry], found: &Found) -> bool {
    let Some(entry) = entry_of(index, &found.path) else { return false };
    let same_kind = match (found.kind, entry.mode) {
        (FoundKind::File { executable }, EntryMode::File) => !executable,
        (FoundKind::File { executable }, EntryMode::Executable) => executable,
        _ => false,
    };
    if !same_kind || entry.flags.stage != 0 || found.stat.size > COMPARED_BYTES {
        return false;
    }
    let format = pool.repository().object_format;
    let path = record.path.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&found.path));
    let wanted = git::converted(&pool.git, pool.repository(), &record.path, &found.path, &entry.oid);
    let wanted = wanted.map(|content| git::blob_hash(format, &content));
    matches!((wanted, git::hash_path(&path, format)), (Ok(wanted), Ok(here)) if wanted == here)
}

fn entry_of<'a>(index: &'a [IndexEntry], path: &BString) -> Option<&'a IndexEntry> {
    let at = index.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
    index.get(at)
}
