//! Index files: written for a worktree that was filled by us, read without trusting who wrote them.
//!
//! # Crash safety
//! An index is written to `<path>.lock`, as git does, and renamed; whoever finds the lock held refuses.
//!
//! # Compatibility
//! Version 2, or 3 where a flag needs it, with the TREE extension and without UNTR and FSMN; reads versions 2 to 4.
//! *Source*: gitformat-index(5).

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::{BString, ByteSlice};
use gix_index::{
    State,
    entry::{Flags, Mode, Stage, Stat, stat::Time},
};
use rustix::fs::OFlags;
use windrow_model::{EntryMode, FileStat, IndexEntry, IndexFlags, Stamp, TreeEntry};

use super::{
    admin::begin_writing_out,
    facts::read_plain,
    repository::ObjectFormat,
    tree::{TreeCache, model_oid, object_id},
};

/// Why an index was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Somebody else is writing it.
    #[error("`{}` exists: another process is writing the index", .0.display())]
    Locked(PathBuf),
    /// It is split in two files; the second may be anybody's.
    #[error("`{}` is a split index", .0.display())]
    Split(PathBuf),
    /// It is sparse in directories, which only git itself can expand.
    #[error("`{}` is a sparse index", .0.display())]
    Sparse(PathBuf),
    /// It is damaged.
    #[error("`{}` is damaged: {said}", path.display())]
    Damaged {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        said: String,
    },
    /// As many stats as entries are needed.
    #[error("{entries} entries and {stats} stats for one index")]
    Counts {
        /// How many entries were given.
        entries: usize,
        /// How many stats were given.
        stats: usize,
    },
    /// A file system refused.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes the index of a worktree that holds exactly `entries`, in index order, each with the stat of its file.
///
/// With `cache`, which must be of the same entries, git knows at once that nothing is staged.
///
/// # Errors
/// The index is being written by somebody else, or the file system refuses.
pub fn write_index(
    path: &Path,
    format: ObjectFormat,
    entries: &[TreeEntry],
    stats: &[FileStat],
    cache: Option<&TreeCache>,
) -> Result<(), IndexError> {
    if entries.len() != stats.len() {
        return Err(IndexError::Counts { entries: entries.len(), stats: stats.len() });
    }
    let mut state = State::new(format.hash());
    for (entry, stat) in entries.iter().zip(stats) {
        push(&mut state, &entry.path, entry.mode, &entry.oid, stat, Flags::empty());
    }
    replace(path, &encode(path, &state, cache)?)
}

/// Writes an index of `entries` with their flags, in any order.
///
/// # Errors
/// As [`write_index`].
pub fn write_entries(path: &Path, format: ObjectFormat, entries: &[IndexEntry]) -> Result<(), IndexError> {
    let mut state = State::new(format.hash());
    for entry in entries {
        push(&mut state, &entry.path, entry.mode, &entry.oid, &entry.stat, gix_flags(entry.flags));
    }
    state.sort_entries();
    replace(path, &encode(path, &state, None)?)
}

/// Gives entries of an index, by their numbers, new stat data; everything else stays, the TREE extension included.
///
/// # Errors
/// As [`read_index`] and [`write_index`].
pub fn restat(path: &Path, format: ObjectFormat, changed: &[(usize, FileStat)]) -> Result<(), IndexError> {
    let Some(mut state) = read_state(path, format)? else { return Ok(()) };
    let entries = state.entries().len();
    for (number, stat) in changed {
        let entry = state.entries_mut().get_mut(*number);
        entry.ok_or(IndexError::Counts { entries, stats: *number })?.stat = gix_stat(stat);
    }
    let cache = state.tree().map(|root| TreeCache { root: root.clone() });
    replace(path, &encode(path, &state, cache.as_ref())?)
}

/// Writes an index of `entries` with their flags, in any order, to a path that must be free and that no git knows; `time` is what the
/// file says of its age, now if absent (see [`time_to_keep`]).
///
/// # Errors
/// Something is there, or the file system refuses.
pub fn write_index_aside(
    path: &Path,
    format: ObjectFormat,
    entries: &[IndexEntry],
    time: Option<SystemTime>,
) -> Result<(), IndexError> {
    let mut state = State::new(format.hash());
    for entry in entries {
        push(&mut state, &entry.path, entry.mode, &entry.oid, &entry.stat, gix_flags(entry.flags));
    }
    state.sort_entries();
    let bytes = encode(path, &state, None)?;
    let failed = |source| IndexError::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    time.map_or(Ok(()), |time| file.set_modified(time)).map_err(failed)?;
    begin_writing_out(&file);
    Ok(())
}

/// Reads all entries of an index in index order; empty when there is no index.
///
/// # Errors
/// It is split, sparse, damaged, a symbolic link, or cannot be read.
pub fn read_index(path: &Path, format: ObjectFormat) -> Result<Vec<IndexEntry>, IndexError> {
    let state = read_state(path, format)?;
    state.map_or_else(|| Ok(Vec::new()), |state| entries_of(path, &state))
}

/// The time that an index must have which takes the place of one with these entries; `None` when any later one will do.
///
/// Git compares the content of a file that is no older than its index, in whole seconds, and trusts stat data otherwise. For a newer index
/// a change of the very second in which the old one was written would be older, and hidden. Whoever asks holds the lock of the index.
///
/// # Errors
/// The index cannot be looked at.
///
/// *Source*: Documentation/technical/racy-git.txt.
pub fn time_to_keep(index: &Path, entries: &[IndexEntry]) -> Result<Option<SystemTime>, IndexError> {
    let failed = |source| IndexError::Io { path: index.to_owned(), source };
    let metadata = match index.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed)?,
    };
    let racy = entries.iter().any(|entry| entry.stat.mtime.seconds >= metadata.mtime());
    racy.then(|| metadata.modified().map_err(failed)).transpose()
}

fn read_state(path: &Path, format: ObjectFormat) -> Result<Option<State>, IndexError> {
    let failed = |source| IndexError::Io { path: path.to_owned(), source };
    let Some(bytes) = read_plain(path).map_err(failed)? else { return Ok(None) };
    let damaged = |said: String| IndexError::Damaged { path: path.to_owned(), said };
    verify_checksum(&bytes, format).map_err(&damaged)?;
    let when = State::new(format.hash()).timestamp();
    let (state, _) = State::from_bytes(&bytes, when, format.hash(), gix_index::decode::Options::default())
        .map_err(|error| damaged(error.to_string()))?;
    if state.link().is_some() {
        return Err(IndexError::Split(path.to_owned()));
    }
    Ok(Some(state))
}

/// Reads an index together with the shared one it is split from; both must be copies that nobody else writes.
pub(super) fn read_dissolved(path: &Path, format: ObjectFormat) -> Result<Vec<IndexEntry>, IndexError> {
    let damaged = |said: String| IndexError::Damaged { path: path.to_owned(), said };
    let file = gix_index::File::at(path, format.hash(), false, gix_index::decode::Options::default())
        .map_err(|error| damaged(error.to_string()))?;
    entries_of(path, &file)
}

fn entries_of(path: &Path, state: &State) -> Result<Vec<IndexEntry>, IndexError> {
    if state.is_sparse() {
        return Err(IndexError::Sparse(path.to_owned()));
    }
    let strange = || IndexError::Damaged { path: path.to_owned(), said: "an entry of unknown mode".into() };
    state.entries().iter().map(|entry| from_gix(state, entry).ok_or_else(strange)).collect()
}

/// Checks the trailing hash; all zeros mean that it was not computed (`index.skipHash`).
fn verify_checksum(bytes: &[u8], format: ObjectFormat) -> Result<(), String> {
    let split = bytes.len().checked_sub(format.digest_bytes()).ok_or("too short")?;
    let (body, trailer) = bytes.split_at(split);
    if trailer.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    let mut hasher = gix_hash::hasher(format.hash());
    hasher.update(body);
    let found = hasher.try_finalize().map_err(|error| error.to_string())?;
    if found.as_bytes() == trailer { Ok(()) } else { Err("its checksum does not match".into()) }
}

fn encode(path: &Path, state: &State, cache: Option<&TreeCache>) -> Result<Vec<u8>, IndexError> {
    let damaged = |said: String| IndexError::Damaged { path: path.to_owned(), said };
    let mut bytes = Vec::new();
    let options =
        gix_index::write::Options { extensions: gix_index::write::Extensions::None, skip_hash: true };
    state.write_to(&mut bytes, options).map_err(|error| damaged(error.to_string()))?;
    if let Some(cache) = cache {
        cache.root.write_to(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    }
    let mut hasher = gix_hash::hasher(state.object_hash());
    hasher.update(&bytes);
    let hash = hasher.try_finalize().map_err(|error| damaged(error.to_string()))?;
    bytes.extend_from_slice(hash.as_bytes());
    Ok(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), IndexError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let failed = |source| IndexError::Io { path: lock.clone(), source };
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = match OpenOptions::new().write(true).create_new(true).custom_flags(nofollow).open(&lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(IndexError::Locked(lock)),
        Err(error) => return Err(failed(error)),
    };
    let written = file.write_all(bytes).and_then(|()| {
        begin_writing_out(&file);
        fs::rename(&lock, path)
    });
    written.map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&lock);
        failed(error)
    })
}

fn push(
    state: &mut State,
    path: &BString,
    mode: EntryMode,
    oid: &windrow_model::Oid,
    stat: &FileStat,
    flags: Flags,
) {
    let mode = match mode {
        EntryMode::File => Mode::FILE,
        EntryMode::Executable => Mode::FILE_EXECUTABLE,
        EntryMode::Symlink => Mode::SYMLINK,
        EntryMode::Gitlink => Mode::COMMIT,
    };
    state.dangerously_push_entry(gix_stat(stat), object_id(oid), flags, mode, path.as_bstr());
}

fn from_gix(state: &State, entry: &gix_index::Entry) -> Option<IndexEntry> {
    let mode = match entry.mode {
        Mode::FILE => EntryMode::File,
        Mode::FILE_EXECUTABLE => EntryMode::Executable,
        Mode::SYMLINK => EntryMode::Symlink,
        Mode::COMMIT => EntryMode::Gitlink,
        _ => return None,
    };
    let flags = IndexFlags {
        stage: u8::try_from(entry.stage_raw()).ok()?,
        assume_unchanged: entry.flags.contains(Flags::ASSUME_VALID),
        skip_worktree: entry.flags.contains(Flags::SKIP_WORKTREE),
        intent_to_add: entry.flags.contains(Flags::INTENT_TO_ADD),
    };
    let stat = model_stat(&entry.stat);
    Some(IndexEntry { path: entry.path(state).to_owned(), mode, oid: model_oid(&entry.id), stat, flags })
}

fn gix_flags(flags: IndexFlags) -> Flags {
    let stage = match flags.stage {
        1 => Stage::Base,
        2 => Stage::Ours,
        3 => Stage::Theirs,
        _ => Stage::Unconflicted,
    };
    let mut found = Flags::from_stage(stage);
    found.set(Flags::ASSUME_VALID, flags.assume_unchanged);
    found.set(Flags::SKIP_WORKTREE, flags.skip_worktree);
    found.set(Flags::INTENT_TO_ADD, flags.intent_to_add);
    found.set(Flags::EXTENDED, flags.skip_worktree || flags.intent_to_add);
    found
}

/// Cut to 32 bits, as the format asks.
fn gix_stat(stat: &FileStat) -> Stat {
    let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or_default();
    let time = |stamp: Stamp| Time { secs: low(stamp.seconds.cast_unsigned()), nsecs: stamp.nanos };
    Stat {
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        dev: low(stat.dev),
        ino: low(stat.ino),
        uid: stat.uid,
        gid: stat.gid,
        size: low(stat.size),
    }
}

fn model_stat(stat: &Stat) -> FileStat {
    let stamp = |time: Time| Stamp { seconds: time.secs.into(), nanos: time.nsecs };
    FileStat {
        mtime: stamp(stat.mtime),
        ctime: stamp(stat.ctime),
        dev: stat.dev.into(),
        ino: stat.ino.into(),
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size.into(),
    }
}
