//! The rescue snapshot: everything tracked and untracked of a worktree as commits, without touching the worktree.
//!
//! # Security
//! Git works on an index of our own with the common directory as `GIT_DIR`: the worktree's `.git`, and the `commondir`
//! and `config.worktree` of its administrative directory, play no part. `.gitattributes` of the worktree do, but they
//! can only name filters that the user configured.
//!
//! # Crash safety
//! Nothing but loose objects and a `tmp-…` directory is left behind; a snapshot counts once the caller wrote its ref.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use windrow_model::{EntryMode, FileStat, IndexEntry, IndexFlags, Oid};

use super::{
    checkout::fields,
    command::{Call, Git, GitError},
    head::{Head, HeadError},
    index::{IndexError, write_entries},
    pipes::refuse_pipes,
    refs::text_oid,
    repository::Repository,
    tree::{ObjectError, Objects},
};

/// What to save.
#[derive(Debug, Clone)]
pub struct SnapshotRequest<'a> {
    /// The administrative directory, from our own records.
    pub admin: &'a Path,
    /// The root of the worktree, from our own records.
    pub worktree: &'a Path,
    /// Untracked paths not to take along, each with all that is below it.
    pub exclude: &'a [BString],
    /// The message of the commit.
    pub message: &'a str,
    /// Commits to keep reachable besides.
    pub extra_parents: &'a [Oid],
    /// Whether there are files to save.
    pub files: SnapshotFiles,
}

/// What is left of a worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotFiles {
    /// Everything.
    There,
    /// Only what git registered; what was staged stands for the files.
    Gone,
}

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit that holds everything; its parents are HEAD, `index`, `unmerged` and the extra ones, as far as given.
    pub commit: Oid,
    /// Its tree: the files as they are in the worktree.
    pub tree: Oid,
    /// Where HEAD was.
    pub head: Head,
    /// The tree of HEAD; `None` when unborn. Equal to `tree`, with nothing else here, it means that nothing was to save.
    pub head_tree: Option<Oid>,
    /// The tree of what is staged, without paths in conflict.
    pub index_tree: Oid,
    /// A commit of `index_tree`; `None` when it equals the tree of HEAD or of the files.
    pub index: Option<Oid>,
    /// A commit whose tree holds each path in conflict as `<stage>/<path>`; `None` without a conflict.
    pub unmerged: Option<Oid>,
    /// Files that git could not add (a filter failed, they cannot be read): in the tree they are as staged, or not at all.
    pub failed: Vec<BString>,
    /// Directories that are repositories of their own, not taken along.
    pub nested: Vec<BString>,
}

/// Why no snapshot was made.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// HEAD cannot be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The index cannot be read or copied.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The commit of HEAD cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The worktree cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Saves HEAD, index and files of a worktree; neither is changed, and an `index.lock` is no hindrance.
///
/// Ignored files are not taken along. Filters run, so whoever needs the raw bytes compares with the tree.
///
/// # Errors
/// HEAD, index or worktree cannot be read, or git fails otherwise than on single files.
pub fn snapshot(git: &Git, repo: &Repository, req: &SnapshotRequest<'_>) -> Result<Snapshot, SnapshotError> {
    if req.files == SnapshotFiles::There {
        refuse_pipes(req.worktree)?;
    }
    let head = repo.head(git, req.admin)?;
    let entries = repo.index_of(git, req.admin)?;
    let scratch = repo.scratch()?;
    let maker = Maker { git, repo, req, index: scratch.path().join("index") };
    let head_tree = head.oid.map(|oid| Objects::open(repo).open_reader()?.tree_of(&oid)).transpose()?;
    let index_tree = maker.tree_of(&staged(&entries))?;
    let (tree, swept) = match req.files {
        SnapshotFiles::There => maker.sweep(&entries)?,
        SnapshotFiles::Gone => {
            let tree = head_tree.filter(|_| entries.is_empty()).unwrap_or(index_tree);
            (tree, Swept::default())
        }
    };
    let parents: Vec<Oid> = head.oid.into_iter().collect();
    let index = (Some(index_tree) != head_tree && index_tree != tree)
        .then(|| maker.commit(&index_tree, &parents, "The index of a snapshot"))
        .transpose()?;
    let stages = unmerged(&entries);
    let unmerged = (!stages.is_empty())
        .then(|| maker.commit(&maker.tree_of(&stages)?, &[], "Paths in conflict, as stage/path"))
        .transpose()?;
    let all = parents.into_iter().chain(index).chain(unmerged).chain(req.extra_parents.iter().copied());
    let commit = maker.commit(&tree, &all.collect::<Vec<_>>(), req.message)?;
    let Swept { failed, nested } = swept;
    Ok(Snapshot { commit, tree, head, head_tree, index_tree, index, unmerged, failed, nested })
}

/// A call on a worktree with nothing of its own believed: the index has to be named with `index_file`.
pub(super) fn worktree_call<'g>(git: &'g Git, repo: &Repository, worktree: &Path, verb: &str) -> Call<'g> {
    let off =
        ["core.sparseCheckout", "index.sparse", "core.splitIndex", "core.untrackedCache", "core.safecrlf"];
    let call = repo.call(git, verb).work_tree(worktree);
    off.iter().fold(call, |call, key| call.config(format!("{key}=false")))
}

struct Maker<'a> {
    git: &'a Git,
    repo: &'a Repository,
    req: &'a SnapshotRequest<'a>,
    index: PathBuf,
}

#[derive(Default)]
struct Swept {
    failed: Vec<BString>,
    nested: Vec<BString>,
}

impl Maker<'_> {
    fn call(&self, verb: &str) -> Call<'_> {
        let call = match self.req.files {
            SnapshotFiles::There => worktree_call(self.git, self.repo, self.req.worktree, verb),
            // No git starts in a directory that is not there.
            SnapshotFiles::Gone => self.repo.call(self.git, verb),
        };
        call.index_file(&self.index)
    }

    fn tree_of(&self, entries: &[IndexEntry]) -> Result<Oid, SnapshotError> {
        write_entries(&self.index, self.repo.object_format, entries)?;
        Ok(self.write_tree()?)
    }

    fn write_tree(&self) -> Result<Oid, GitError> {
        let mut call = self.call("write-tree");
        if self.repo.is_partial_clone() {
            call = call.arg("--missing-ok");
        }
        text_oid(&call, &call.run()?)
    }

    fn commit(&self, tree: &Oid, parents: &[Oid], message: &str) -> Result<Oid, SnapshotError> {
        let parents = parents.iter().flat_map(|parent| ["-p".to_owned(), parent.to_string()]);
        let call = self.repo.call(self.git, "commit-tree").arg(tree.to_string()).args(parents);
        let call = call.own_identity().input(message.as_bytes().to_vec());
        Ok(text_oid(&call, &call.run()?)?)
    }

    /// The tree of the files as they are.
    fn sweep(&self, entries: &[IndexEntry]) -> Result<(Oid, Swept), SnapshotError> {
        let mut links = Ancestors { root: self.req.worktree, known: HashMap::new() };
        let entries = unhidden(entries, &mut links)?;
        write_entries(&self.index, self.repo.object_format, &entries)?;
        self.keep_timestamp()?;
        let mut swept = Swept::default();
        let changed = self.changed(&entries, &mut swept)?;
        self.add(&changed, &mut swept.failed)?;
        Ok((self.write_tree()?, swept))
    }

    /// Git takes an entry as possibly stale when its file is not older than the index: the copy must not look younger.
    fn keep_timestamp(&self) -> Result<(), SnapshotError> {
        let original = self.req.admin.join("index");
        let failed = |source| SnapshotError::Io { path: original.clone(), source };
        match fs::symlink_metadata(&original) {
            Ok(facts) => {
                let copy = File::options().write(true).open(&self.index).map_err(failed)?;
                copy.set_modified(facts.modified().map_err(failed)?).map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn changed(&self, entries: &[IndexEntry], swept: &mut Swept) -> Result<Vec<BString>, SnapshotError> {
        let modified = self.call("ls-files").args(["-z", "-m"]).run()?;
        let untracked = self.call("ls-files").args(["-z", "-o", "--exclude-standard"]).run()?;
        let mut changed: Vec<BString> =
            fields(&modified).filter(|path| !is_unpopulated(entries, path, self.req.worktree)).collect();
        for path in fields(&untracked).filter(|path| !self.is_excluded(path)) {
            match path.strip_suffix(b"/") {
                Some(nested) => swept.nested.push(nested.into()),
                None => changed.push(path),
            }
        }
        changed.dedup();
        Ok(changed)
    }

    fn is_excluded(&self, path: &BString) -> bool {
        let covers = |excluded: &BString| {
            let rest = path.strip_prefix(excluded.strip_suffix(b"/").unwrap_or(excluded));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        self.req.exclude.iter().any(covers)
    }

    /// Adds paths in one go, or where that fails in halves, so that each path that cannot be added is found.
    fn add(&self, paths: &[BString], failed: &mut Vec<BString>) -> Result<(), SnapshotError> {
        if paths.is_empty() {
            return Ok(());
        }
        let input = paths.iter().flat_map(|path| [path.as_slice(), b"\0"].concat()).collect();
        let call =
            self.call("update-index").args(["--add", "--remove", "--replace", "-z", "--stdin"]).input(input);
        if call.output()?.status == Some(0) {
            return Ok(());
        }
        if let [path] = paths {
            failed.push(path.clone());
            return Ok(());
        }
        let (first, second) = paths.split_at(paths.len() / 2);
        self.add(first, failed)?;
        self.add(second, failed)
    }
}

fn staged(entries: &[IndexEntry]) -> Vec<IndexEntry> {
    let is_staged = |entry: &&IndexEntry| entry.flags.stage == 0 && !entry.flags.intent_to_add;
    entries.iter().filter(is_staged).cloned().collect()
}

fn unmerged(entries: &[IndexEntry]) -> Vec<IndexEntry> {
    let plain = |entry: &IndexEntry| {
        let path = [format!("{}/", entry.flags.stage).as_bytes(), &entry.path].concat().into();
        IndexEntry { path, flags: IndexFlags::default(), ..entry.clone() }
    };
    entries.iter().filter(|entry| entry.flags.stage > 0).map(plain).collect()
}

/// The entries with everything in sight: no assumption, nothing skipped that is there, conflicts as one plain entry
/// whose file has yet to be looked at, and nothing behind a symbolic link, where git must not look.
fn unhidden(entries: &[IndexEntry], links: &mut Ancestors<'_>) -> Result<Vec<IndexEntry>, SnapshotError> {
    let mut plain: Vec<IndexEntry> = Vec::with_capacity(entries.len());
    for entry in entries {
        if links.blocks(&entry.path)? || plain.last().is_some_and(|last| last.path == entry.path) {
            continue;
        }
        let mut entry = entry.clone();
        if entry.flags.stage > 0 || entry.flags.assume_unchanged {
            entry.stat = FileStat::default();
        }
        let skipped = entry.flags.skip_worktree && !links.exists(&entry.path)?;
        entry.flags = IndexFlags {
            skip_worktree: skipped,
            intent_to_add: entry.flags.intent_to_add,
            ..IndexFlags::default()
        };
        plain.push(entry);
    }
    Ok(plain)
}

/// A submodule whose directory holds no repository: its commit stays as staged.
fn is_unpopulated(entries: &[IndexEntry], path: &BString, worktree: &Path) -> bool {
    let found = entries.binary_search_by(|entry| entry.path.cmp(path));
    let is_gitlink = found.is_ok_and(|at| entries[at].mode == EntryMode::Gitlink);
    is_gitlink && worktree.join(OsStr::from_bytes(path)).join(".git").symlink_metadata().is_err()
}

/// Knows which directories of a worktree are none any more.
struct Ancestors<'a> {
    root: &'a Path,
    known: HashMap<BString, bool>,
}

impl Ancestors<'_> {
    /// Tells whether something other than a directory stands above `path`.
    fn blocks(&mut self, path: &[u8]) -> Result<bool, SnapshotError> {
        let Some(parent) = path.rfind_byte(b'/').map(|at| &path[..at]) else { return Ok(false) };
        if let Some(known) = self.known.get(parent.as_bstr()) {
            return Ok(*known);
        }
        let blocked = self.blocks(parent)? || self.kind(parent)?.is_some_and(|kind| !kind.is_dir());
        self.known.insert(parent.into(), blocked);
        Ok(blocked)
    }

    fn exists(&self, path: &[u8]) -> Result<bool, SnapshotError> {
        Ok(self.kind(path)?.is_some())
    }

    fn kind(&self, path: &[u8]) -> Result<Option<fs::FileType>, SnapshotError> {
        let path = self.root.join(OsStr::from_bytes(path));
        match path.symlink_metadata() {
            Ok(facts) => Ok(Some(facts.file_type())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(source) => Err(SnapshotError::Io { path, source }),
        }
    }
}
