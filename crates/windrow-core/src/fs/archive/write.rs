//! Packs, reads back and compares, then gives the archive its name.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::fs::Mode;
use tar::Builder;

use super::{
    ArchiveEntry, ArchiveError, ArchiveItem, ArchiveSummary, EntryKind, at,
    collect::{Collected, Member, collect, source_error},
    format, read, temporary,
    temporary::Temporary,
};

/// Fast enough for gigabytes, and text still shrinks to a third.
const LEVEL: i32 = 3;

/// Packs items into a new archive with mode 0600, and proves it by reading it back.
///
/// `target` gets its name, which nothing may have, only when the archive is complete and on disk. `limit_bytes` is of
/// content, before packing.
///
/// # Errors
/// See [`ArchiveError`]; nothing is kept then.
pub fn write_archive(
    target: &Path,
    items: &[ArchiveItem],
    limit_bytes: u64,
) -> Result<ArchiveSummary, ArchiveError> {
    let fail = |source| ArchiveError::write(target, source);
    let invalid = || fail(io::ErrorKind::InvalidInput.into());
    let name = target.file_name().ok_or_else(invalid)?;
    let collected = collect(items, limit_bytes)?;
    let parent = at::open_root(target.parent().ok_or_else(invalid)?).map_err(fail)?;
    let temporary = Temporary::new(&parent);
    let file = temporary.create().map_err(fail)?;
    file.lock().map_err(fail)?;
    let entries = pack(target, &file, &collected)?;
    file.sync_all().map_err(fail)?;
    compare(target, &file, &entries)?;
    let bytes = file.metadata().map_err(fail)?.len();
    temporary.publish(name.as_bytes()).map_err(fail)?;
    rustix::fs::fsync(&parent).map_err(|error| fail(error.into()))?;
    let files = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    Ok(ArchiveSummary { bytes, files, entries, skipped: collected.skipped })
}

pub(super) fn pack(
    target: &Path,
    file: &File,
    collected: &Collected,
) -> Result<Vec<ArchiveEntry>, ArchiveError> {
    let fail = |source| ArchiveError::write(target, source);
    let mut encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL).map_err(fail)?;
    encoder.include_checksum(true).map_err(fail)?;
    let mut builder = Builder::new(encoder);
    let mut entries = Vec::with_capacity(collected.members.len());
    for member in &collected.members {
        entries.push(pack_member(target, &mut builder, &collected.roots[member.root].1, member)?);
    }
    let mut rest = builder.into_inner().and_then(zstd::Encoder::finish).map_err(fail)?;
    rest.flush().map_err(fail)?;
    Ok(entries)
}

fn pack_member(
    target: &Path,
    builder: &mut Builder<impl Write>,
    root: &OwnedFd,
    member: &Member,
) -> Result<ArchiveEntry, ArchiveError> {
    let entry = &member.entry;
    match entry.kind {
        EntryKind::File => pack_file(target, builder, root, member),
        EntryKind::Symlink => {
            let (parent, name) = at::split(&member.source);
            let link = at::open_dir(root, parent).and_then(|parent| at::read_link(parent, name));
            let link = link.map_err(|source| source_error(&entry.path, source))?;
            let entry = ArchiveEntry { hash: temporary::hash(&link), target: link.into(), ..entry.clone() };
            append(target, builder, entry, &mut io::empty())
        }
        EntryKind::Directory | EntryKind::Fifo => append(target, builder, entry.clone(), &mut io::empty()),
    }
}

fn append(
    target: &Path,
    builder: &mut Builder<impl Write>,
    entry: ArchiveEntry,
    content: &mut dyn Read,
) -> Result<ArchiveEntry, ArchiveError> {
    format::append(builder, &entry, content).map_err(|source| ArchiveError::write(target, source))?;
    Ok(entry)
}

fn pack_file(
    target: &Path,
    builder: &mut Builder<impl Write>,
    root: &OwnedFd,
    member: &Member,
) -> Result<ArchiveEntry, ArchiveError> {
    let path = &member.entry.path;
    let changed = || ArchiveError::Changed { path: path.clone() };
    let fail = |source| source_error(path, source);
    let mut file = File::from(at::open(root, &member.source, at::READ, Mode::empty()).map_err(fail)?);
    if at::stat_of(&file).map_err(fail)?.0 != member.stat {
        return Err(changed());
    }
    let mut reader =
        Hashing { inner: (&mut file).take(member.entry.size), hasher: blake3::Hasher::new(), failure: None };
    let packed = format::append(builder, &member.entry, &mut reader);
    if let Some(source) = reader.failure {
        return Err(fail(source));
    }
    packed.map_err(|source| ArchiveError::write(target, source))?;
    let complete = reader.inner.limit() == 0;
    let hash = reader.hasher.finalize().to_hex().to_string();
    if !complete || at::stat_of(&file).map_err(fail)?.0 != member.stat {
        return Err(changed());
    }
    Ok(ArchiveEntry { hash, ..member.entry.clone() })
}

/// Hashes what passes, and keeps an error of the source apart from those of the archive.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.hasher.update(&buffer[..count]);
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                if kind != io::ErrorKind::Interrupted {
                    self.failure = Some(error);
                }
                Err(kind.into())
            }
        }
    }
}

/// Reads the archive back: every entry must be as it was read from its source.
pub(super) fn compare(target: &Path, file: &File, written: &[ArchiveEntry]) -> Result<(), ArchiveError> {
    let mut file = file;
    file.rewind().map_err(|source| ArchiveError::write(target, source))?;
    let damaged = |entry| ArchiveError::Damaged { path: target.to_owned(), entry, source: None };
    let mut expected = written.iter();
    read::for_each(target, file, |entry, content| {
        let (size, hash) = temporary::copy_hashed(content, &mut io::sink())
            .map_err(|source| ArchiveError::write(target, source))?;
        let hash = if entry.kind == EntryKind::Symlink { entry.hash } else { hash };
        let found = ArchiveEntry { hash, size, ..entry };
        if expected.next() == Some(&found) { Ok(()) } else { Err(damaged(found.path)) }
    })?;
    expected.next().map_or(Ok(()), |missing| Err(damaged(missing.path.clone())))
}
