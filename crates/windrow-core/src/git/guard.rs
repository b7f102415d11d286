//! What of a repository is everybody's: its configuration, its hooks, and the main checkout by its index.
//!
//! Nothing is changed, no hook is run, and a hook that is a link or no plain file is not followed or opened.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use rustix::fs::OFlags;
use windrow_model::{EntryMode, FileStat, IndexEntry, Oid};

use super::{
    command::{Git, GitError},
    facts::read_plain,
    index::{IndexError, read_index},
    repository::Repository,
};

/// A key of a configuration file, lower-case but for a name in its middle, with its values in order.
pub type Setting = (BString, Vec<BString>);

/// The settings that a file holds, with what it includes, by key.
///
/// The repository plays no part, so that it may be broken by the very settings that are read.
///
/// # Errors
/// Git cannot read the file.
pub fn settings_in(git: &Git, file: &Path) -> Result<Vec<Setting>, GitError> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let call = git.call("config").arg("--file").arg(file).args(["--includes", "--list", "-z"]);
    let list = call.cwd(Path::new("/")).run()?;
    let mut settings: Vec<Setting> = Vec::new();
    for one in list.split(|&byte| byte == 0).filter(|one| !one.is_empty()) {
        let (key, value) = one.split_once_str("\n").unwrap_or((one, b"true"));
        match settings.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value.into()),
            None => settings.push((key.into(), vec![value.into()])),
        }
    }
    Ok(settings)
}

/// Sets `core.bare` to false in a configuration file.
///
/// # Errors
/// Git cannot write it.
pub fn set_not_bare(git: &Git, file: &Path) -> Result<(), GitError> {
    let call = git.call("config").arg("--file").arg(file);
    call.args(["--replace-all", "core.bare", "false"]).cwd(Path::new("/")).run().map(drop)
}

/// Takes `core.worktree` out of a configuration file.
///
/// # Errors
/// Git cannot write it.
pub fn unset_worktree(git: &Git, file: &Path) -> Result<(), GitError> {
    let call = git.call("config").arg("--file").arg(file);
    call.args(["--unset-all", "core.worktree"]).cwd(Path::new("/")).run().map(drop)
}

/// The BLAKE3 hash of a plain file; `None` when there is none.
///
/// # Errors
/// It is no plain file or cannot be read.
pub fn content_hash(file: &Path) -> io::Result<Option<String>> {
    Ok(read_plain(file)?.map(|bytes| blake3::hash(&bytes).to_hex().to_string()))
}

/// A hook is a script; what is larger stands for itself by its size and time.
const HOOK_BYTES: u64 = 1 << 20;

/// The hooks in a directory, but for git's samples: path, and what stands for mode and content. Empty without the directory.
///
/// # Errors
/// The directory cannot be read.
pub fn hooks_in(directory: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut hooks = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("sample")) {
            hooks.push((path.clone(), hook(&path)));
        }
    }
    Ok(hooks)
}

fn hook(path: &Path) -> String {
    let Ok(facts) = path.symlink_metadata() else { return "gone".to_owned() };
    let mode = facts.permissions().mode();
    if facts.is_symlink() {
        let target = std::fs::read_link(path).unwrap_or_default();
        return format!("link {}", blake3::hash(target.as_os_str().as_bytes()).to_hex());
    }
    if facts.is_file() && facts.len() <= HOOK_BYTES {
        // Unreadable today and tomorrow is no change.
        let hash = content_hash(path).ok().flatten().unwrap_or_else(|| "unreadable".to_owned());
        return format!("{mode:o} {hash}");
    }
    // A directory's size and time tell of what lies in it, which git does not run.
    if facts.is_file() {
        format!("{mode:o} {} {}", facts.len(), facts.mtime_nsec())
    } else {
        format!("{mode:o}")
    }
}

/// The main checkout, seen through its index.
#[derive(Debug, Clone, Default)]
pub struct MainFiles {
    /// What stands for everything staged.
    pub index: String,
    /// Tracked files whose `stat` is not as the index says.
    pub differing: Vec<Differing>,
    /// The directories that hold tracked files, with a slash at the end but for the root, which is empty.
    pub directories: BTreeSet<BString>,
}

/// A tracked file that seems not to be as its index says.
#[derive(Debug, Clone)]
pub struct Differing {
    /// Its path in the worktree.
    pub path: BString,
    /// What stands for its state; empty when it is gone.
    pub state: BString,
    /// The content that the index names.
    pub oid: Oid,
    /// Whether it is what the index says, file, executable or link, so that only the content may differ.
    pub same_kind: bool,
}

/// Why the main checkout was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum MainFilesError {
    /// It tracks too many files.
    #[error("the main checkout tracks {files} files, more than `guard.max_files` = {limit}")]
    TooMany {
        /// How many it tracks.
        files: u64,
        /// How many are looked at.
        limit: u32,
    },
    /// Its index cannot be read.
    #[error("the main checkout cannot be compared")]
    Index(#[source] IndexError),
}

/// Looks at the files of the main checkout through the index below `common`: one `stat` for each, no content is read.
///
/// # Errors
/// There are more than `limit`, or the index cannot be read.
pub fn main_files(repo: &Repository, root: &Path, limit: u32) -> Result<MainFiles, MainFilesError> {
    let path = repo.common_dir.join("index");
    let files = count_entries(&path);
    if files > u64::from(limit) {
        return Err(MainFilesError::TooMany { files, limit });
    }
    let entries = read_index(&path, repo.object_format).map_err(MainFilesError::Index)?;
    let mut seen = MainFiles { index: index_hash(&entries), ..MainFiles::default() };
    for entry in &entries {
        let flags = entry.flags;
        let directory = entry.path.rfind_byte(b'/').map_or(&b""[..], |at| &entry.path[..=at]);
        if !seen.directories.contains(directory.as_bstr()) {
            seen.directories.insert(directory.into());
        }
        if entry.mode != EntryMode::Gitlink && !flags.skip_worktree {
            seen.differing.extend(difference(root, entry));
        }
    }
    Ok(seen)
}

/// What stands for everything that an index names, as in [`MainFiles::index`].
#[must_use]
pub fn index_hash(entries: &[IndexEntry]) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in entries {
        let flags = entry.flags;
        hasher.update(&entry.path).update(&[0, flags.stage, entry.mode as u8, u8::from(flags.intent_to_add)]);
        hasher.update(entry.oid.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The number of entries by the header; 0 when there is none. *Source*: gitformat-index(5).
fn count_entries(index: &Path) -> u64 {
    let mut header = [0; 12];
    // A pipe in its place must not keep us waiting.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open = OpenOptions::new().read(true).custom_flags(flags).open(index);
    let read = open.and_then(|mut file| file.read_exact(&mut header));
    let [.., a, b, c, d] = header;
    if read.is_ok() { u64::from(u32::from_be_bytes([a, b, c, d])) } else { 0 }
}

/// Looks at one file; `None` when it is as its entry says.
fn difference(root: &Path, entry: &IndexEntry) -> Option<Differing> {
    let found =
        |state: BString, same_kind| Differing { path: entry.path.clone(), state, oid: entry.oid, same_kind };
    let Ok(facts) = root.join(OsStr::from_bytes(&entry.path)).symlink_metadata() else {
        return Some(found(BString::default(), false));
    };
    let same_kind = match entry.mode {
        EntryMode::Symlink => facts.is_symlink(),
        EntryMode::Executable => facts.is_file() && facts.mode() & 0o100 != 0,
        EntryMode::File | EntryMode::Gitlink => facts.is_file() && facts.mode() & 0o100 == 0,
    };
    if same_kind && entry.flags.stage == 0 && agrees(&entry.stat, &facts) {
        return None;
    }
    let written =
        format!("{}.{} {}.{}", facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec());
    let state = format!("{written} {} {:o} {}", facts.size(), facts.mode(), facts.ino());
    Some(found(state.into(), same_kind))
}

/// Compares as git does: 32 bits of each number, and no nanoseconds where whoever wrote the index knew none.
fn agrees(stat: &FileStat, facts: &std::fs::Metadata) -> bool {
    let low = |value: u64| value & 0xffff_ffff;
    let time = |seconds: i64, nanos: i64, known: windrow_model::Stamp| {
        low(seconds.cast_unsigned()) == low(known.seconds.cast_unsigned())
            && (known.nanos == 0 || nanos == i64::from(known.nanos))
    };
    low(facts.size()) == stat.size
        && time(facts.mtime(), facts.mtime_nsec(), stat.mtime)
        && time(facts.ctime(), facts.ctime_nsec(), stat.ctime)
}
