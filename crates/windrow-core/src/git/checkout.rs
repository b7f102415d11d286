//! Checkouts by git itself, and the check after every checkout that nothing is missing.

use std::{io, path::Path};

use bstr::{BString, ByteSlice};
use windrow_model::{EntryMode, IndexEntry, Oid, Submodules, TreeEntry};

use super::{
    admin::sparse_config,
    command::{Call, Git, GitError},
    facts::read_plain,
    index::{IndexError, write_index_aside},
    repository::Repository,
    snapshot::worktree_call,
    tree::{ObjectError, Objects},
};

/// Why git was not let into a worktree, or failed there.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// Its own configuration is not what Windrow wrote, so git could be made to run anything.
    #[error("`config.worktree` in `{}` is not what Windrow wrote", .0.display())]
    Tampered(std::path::PathBuf),
    /// Its administrative directory cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why a checkout is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The index does not hold what the commit holds.
    #[error("the index has {found} entries where the commit has {wanted}; first difference at `{path}`")]
    Index {
        /// Entries of the index.
        found: usize,
        /// Entries of the commit.
        wanted: usize,
        /// The first path that differs.
        path: BString,
    },
    /// Files differ from the index, or there are some that nobody asked for.
    #[error("{} paths differ from the commit, the first is `{}`", .0.len(), .0[0])]
    Dirty(Vec<BString>),
    /// The commit cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The index cannot be read.
    #[error(transparent)]
    ReadIndex(#[from] IndexError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Fills an empty worktree with `commit` and writes its index, by git: filters run, a sparse checkout is honoured.
///
/// # Errors
/// The worktree's own configuration is not ours, or git fails; what was written until then stays.
pub fn checkout_by_git(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    worktree: &Path,
    commit: &Oid,
) -> Result<(), CheckoutError> {
    let call = own_call(git, repo, admin, worktree, "read-tree")?;
    call.args(["-m", "-u", "--no-recurse-submodules", &commit.to_string()]).run()?;
    Ok(())
}

/// The content that a checkout would give a file whose blob is `oid`, after all conversions.
///
/// # Errors
/// Git or a filter fails.
pub fn converted(
    git: &Git,
    repo: &Repository,
    worktree: &Path,
    path: &BString,
    oid: &Oid,
) -> Result<Vec<u8>, GitError> {
    let mut option = BString::from("--path=");
    option.extend_from_slice(path);
    let call = worktree_call(git, repo, worktree, "cat-file").cwd(worktree);
    call.arg("--filters").arg(super::os(&option)).arg(oid.to_string()).run()
}

/// The names that the contents of files would have as blobs after all conversions, in their order; paths are relative to the root.
///
/// Attributes come from the checkout, as for `git add`.
///
/// # Errors
/// Git or a filter fails.
pub fn cleaned(
    git: &Git,
    repo: &Repository,
    worktree: &Path,
    paths: &[BString],
) -> Result<Vec<Oid>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let call = worktree_call(git, repo, worktree, "hash-object").arg("--").arg(super::os(path));
        found.push(super::refs::text_oid(&call, &call.run()?)?);
    }
    Ok(found)
}

/// Writes files below `to` as a checkout of `commit` would, all conversions included; `index` is a free path for an index of them.
///
/// # Errors
/// Git or a filter fails; what was written until then stays.
pub fn stage_by_git(
    git: &Git,
    repo: &Repository,
    commit: &Oid,
    entries: &[TreeEntry],
    (index, to): (&Path, &Path),
) -> Result<(), StageError> {
    let plain = |entry: &TreeEntry| IndexEntry {
        path: entry.path.clone(),
        mode: entry.mode,
        oid: entry.oid,
        stat: windrow_model::FileStat::default(),
        flags: windrow_model::IndexFlags::default(),
    };
    write_index_aside(index, repo.object_format, &entries.iter().map(plain).collect::<Vec<_>>(), None)?;
    let input = entries.iter().flat_map(|entry| [entry.path.as_slice(), b"\0"].concat()).collect();
    // A filter that is not required may fail without a word in the exit status, so each one counts as required.
    let call = worktree_call(git, repo, to, "checkout-index").global(format!("--attr-source={commit}"));
    let call = required_filters(repo).into_iter().fold(call, |call, setting| call.config(setting));
    call.index_file(index).args(["-z", "--stdin"]).input(input).run()?;
    Ok(())
}

/// Why files were not staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The index of them could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Git or a filter failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn required_filters(repo: &Repository) -> Vec<String> {
    let driver = |key: &BString| {
        let name = key.strip_prefix(b"filter.")?.strip_suffix(b".smudge")?;
        Some(format!("filter.{}.required=true", name.to_str().ok()?))
    };
    repo.config.keys("filter.").filter_map(driver).collect()
}

/// Populates the submodules of a worktree by `git submodule update --init`, which fetches where it must.
///
/// # Errors
/// As [`checkout_by_git`].
pub fn populate_submodules(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    worktree: &Path,
    which: Submodules,
) -> Result<(), CheckoutError> {
    let recursion: &[&str] = match which {
        Submodules::None => return Ok(()),
        Submodules::Populate => &[],
        Submodules::Recursive => &["--recursive"],
    };
    let call = own_call(git, repo, admin, worktree, "submodule")?;
    call.args(["--quiet", "update", "--init"]).args(recursion).run()?;
    Ok(())
}

/// Proves that index and files are exactly what `commit` holds, with no untracked file but ignored ones.
///
/// Skipped files count as present when the repository is sparse.
///
/// # Errors
/// They are not, or it cannot be found out.
pub fn verify_checkout(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    worktree: &Path,
    commit: &Oid,
) -> Result<(), VerifyError> {
    let wanted = Objects::open(repo).tree_entries(commit)?;
    let found = repo.index_of(git, admin)?;
    same_entries(repo, &wanted, &found)?;
    let list = ["-z", "-m", "-o", "--exclude-standard"];
    let call = worktree_call(git, repo, worktree, "ls-files").index_file(&admin.join("index")).args(list);
    let dirty: Vec<BString> = fields(&call.run()?).filter(|path| !is_plain_gitlink(&wanted, path)).collect();
    if dirty.is_empty() { Ok(()) } else { Err(VerifyError::Dirty(dirty)) }
}

/// The fields of an output that ends each with a NUL.
pub(super) fn fields(stdout: &[u8]) -> impl Iterator<Item = BString> {
    stdout.split(|&byte| byte == 0).filter(|field| !field.is_empty()).map(BString::from)
}

/// Git lists a submodule that is not populated as modified.
fn is_plain_gitlink(wanted: &[TreeEntry], path: &BString) -> bool {
    wanted.iter().any(|entry| entry.mode == EntryMode::Gitlink && entry.path == *path)
}

fn same_entries(repo: &Repository, wanted: &[TreeEntry], found: &[IndexEntry]) -> Result<(), VerifyError> {
    let sparse = repo.sparse().is_some();
    let same = |entry: &TreeEntry, index: &IndexEntry| {
        let flags = index.flags;
        let hidden = flags.assume_unchanged || flags.intent_to_add || (flags.skip_worktree && !sparse);
        (&entry.path, entry.mode, entry.oid) == (&index.path, index.mode, index.oid)
            && flags.stage == 0
            && !hidden
    };
    let equal = wanted.iter().zip(found).take_while(|(entry, index)| same(entry, index)).count();
    if equal == wanted.len() && equal == found.len() {
        return Ok(());
    }
    let path =
        wanted.get(equal).map(|entry| &entry.path).or_else(|| found.get(equal).map(|entry| &entry.path));
    Err(VerifyError::Index {
        found: found.len(),
        wanted: wanted.len(),
        path: path.cloned().unwrap_or_default(),
    })
}

/// A call inside the worktree with its own administrative directory, which git then believes: only where its
/// configuration is exactly what [`super::prepare`] wrote, and nobody works there.
fn own_call<'g>(
    git: &'g Git,
    repo: &Repository,
    admin: &Path,
    worktree: &Path,
    verb: &str,
) -> Result<Call<'g>, CheckoutError> {
    let failed = |source| CheckoutError::Io { path: admin.to_owned(), source };
    if let Some(found) = read_plain(&admin.join("config.worktree")).map_err(failed)? {
        let ours = repo.sparse().filter(|sparse| !sparse.shared).map(|sparse| sparse_config(&sparse));
        if ours.is_none_or(|ours| ours.as_bytes() != found.as_bytes()) {
            return Err(CheckoutError::Tampered(admin.to_owned()));
        }
    }
    // `core.ignoreStat` would hide every file from us and from the agent's git.
    let call = git.call(verb).repository(admin, &repo.common_dir).work_tree(worktree);
    Ok(call.config("core.ignoreStat=false"))
}
