//! What git has in progress in a worktree, and commits that only the worktree remembers.
//!
//! # Security
//! Files of the administrative directory are read raw; the git that looks commits up never sees that directory, except
//! for reftable, where `for-each-ref` and `reflog` read the table and run nothing.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use windrow_model::Oid;

use super::{
    command::{Git, GitError},
    facts::read_plain,
    refs::text_oid,
    repository::{RefFormat, Repository},
};

/// Something that git began and did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A rebase.
    Rebase,
    /// `git am`.
    Am,
    /// A merge.
    Merge,
    /// A cherry-pick.
    CherryPick,
    /// A revert.
    Revert,
    /// Several cherry-picks or reverts.
    Sequencer,
    /// A bisection.
    Bisect,
}

/// The operations in progress and the files that hold their state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InProgress {
    /// What is in progress, without repetition.
    pub operations: Vec<Operation>,
    /// Names of files and directories in the administrative directory that must be kept to go on later.
    pub files: Vec<&'static str>,
}

/// Why it is not known what a worktree remembers.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

const MARKS: &[(&str, Option<Operation>)] = &[
    ("rebase-merge", Some(Operation::Rebase)),
    ("rebase-apply", Some(Operation::Rebase)),
    ("MERGE_HEAD", Some(Operation::Merge)),
    ("CHERRY_PICK_HEAD", Some(Operation::CherryPick)),
    ("REVERT_HEAD", Some(Operation::Revert)),
    ("sequencer", Some(Operation::Sequencer)),
    ("BISECT_LOG", Some(Operation::Bisect)),
    ("BISECT_START", Some(Operation::Bisect)),
    ("BISECT_TERMS", None),
    ("BISECT_NAMES", None),
    ("BISECT_EXPECTED_REV", None),
    ("BISECT_ANCESTORS_OK", None),
    ("BISECT_FIRST_PARENT", None),
    ("MERGE_MSG", None),
    ("MERGE_MODE", None),
    ("MERGE_RR", None),
    ("MERGE_AUTOSTASH", None),
    ("AUTO_MERGE", None),
    ("SQUASH_MSG", None),
    ("ORIG_HEAD", None),
    ("REBASE_HEAD", None),
    ("refs", None),
    ("rr-cache", None),
];

/// Files whose words may be commits that nothing else names.
const REMEMBERED: &[&str] = &[
    "HEAD",
    "ORIG_HEAD",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "MERGE_AUTOSTASH",
    "BISECT_EXPECTED_REV",
    "BISECT_LOG",
    "logs",
    "refs",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
];

/// Finds out what is in progress in a worktree by the files of its administrative directory.
///
/// *Source*: wt-status.c in git, gitrepository-layout(5).
///
/// # Errors
/// The directory cannot be read.
pub fn in_progress(admin: &Path) -> Result<InProgress, OperationsError> {
    let mut found = InProgress::default();
    for (name, operation) in MARKS {
        if !exists(&admin.join(name))? {
            continue;
        }
        found.files.push(name);
        let is_am = *name == "rebase-apply" && exists(&admin.join("rebase-apply/applying"))?;
        let operation = if is_am { Some(Operation::Am) } else { *operation };
        found.operations.extend(operation.filter(|one| !found.operations.contains(one)));
    }
    if found.operations.is_empty() {
        found.files.clear();
    }
    Ok(found)
}

/// The newest commits that the worktree remembers (HEAD, its reflog, ORIG_HEAD, operations, its own refs) and that no
/// shared ref reaches; sorted, and each keeps those before it.
///
/// Those in `known`, which the caller knows to be kept by something else, are not asked for.
///
/// # Errors
/// A file of the administrative directory cannot be read, or git fails.
pub fn orphan_commits(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    known: &[Oid],
) -> Result<Vec<Oid>, OperationsError> {
    let mut candidates = BTreeSet::new();
    for name in REMEMBERED {
        collect(&admin.join(name), repo, &mut candidates)?;
    }
    if repo.ref_format == RefFormat::Reftable {
        collect_table(git, repo, admin, &mut candidates)?;
    }
    candidates.retain(|oid| !oid.is_null() && !known.contains(oid));
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let commits = existing_commits(git, repo, &candidates)?;
    Ok(unreached_tips(git, repo, &commits)?)
}

fn exists(path: &Path) -> Result<bool, OperationsError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(source) => Err(OperationsError::Io { path: path.to_owned(), source }),
    }
}

/// Collects every word that could be an object name from a file, or from all files below a directory.
fn collect(path: &Path, repo: &Repository, found: &mut BTreeSet<Oid>) -> Result<(), OperationsError> {
    let failed = |source| OperationsError::Io { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Ok(facts) if facts.is_dir() => {
            for entry in fs::read_dir(path).map_err(failed)? {
                collect(&entry.map_err(failed)?.path(), repo, found)?;
            }
        }
        Ok(facts) if facts.is_file() => {
            let text = read_plain(path).map_err(failed)?.unwrap_or_default();
            found.extend(oids(&text, repo));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(())
}

fn oids(text: &[u8], repo: &Repository) -> impl Iterator<Item = Oid> {
    let digits = 2 * repo.object_format.digest_bytes();
    let words = text.split(|byte| !byte.is_ascii_hexdigit()).filter(move |word| word.len() == digits);
    words.filter_map(|word| word.to_str().ok()?.parse().ok()).filter(|oid: &Oid| !oid.is_null())
}

fn collect_table(
    git: &Git,
    repo: &Repository,
    admin: &Path,
    found: &mut BTreeSet<Oid>,
) -> Result<(), OperationsError> {
    let call = |verb| git.call(verb).repository(admin, &repo.common_dir).offline();
    let own = ["refs/worktree", "refs/bisect", "refs/rewritten"];
    found.extend(oids(&call("for-each-ref").arg("--format=%(objectname)").args(own).run()?, repo));
    for name in ["HEAD", "ORIG_HEAD"] {
        found
            .extend(oids(&call("rev-parse").args(["-q", "--verify", name]).ask()?.unwrap_or_default(), repo));
    }
    if call("reflog").args(["exists", "HEAD"]).ask()?.is_some() {
        found.extend(oids(&call("rev-list").args(["-g", "--ignore-missing", "HEAD"]).run()?, repo));
    }
    Ok(())
}

/// Those of the candidates that are commits and still there.
fn existing_commits(git: &Git, repo: &Repository, candidates: &BTreeSet<Oid>) -> Result<Vec<Oid>, GitError> {
    let input = candidates.iter().flat_map(|oid| format!("{oid}\n").into_bytes()).collect();
    let call = repo.call(git, "cat-file").arg("--batch-check=%(objectname) %(objecttype)");
    let call = call.offline().input(input);
    let stdout = call.run()?;
    let commits = stdout.lines().filter_map(|line| line.strip_suffix(b" commit"));
    commits.map(|oid| text_oid(&call, oid)).collect()
}

/// Shared refs only: `--all` would count the HEADs of all worktrees, of which this one goes.
fn unreached_tips(git: &Git, repo: &Repository, commits: &[Oid]) -> Result<Vec<Oid>, GitError> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let input = commits.iter().flat_map(|oid| format!("{oid}\n").into_bytes()).collect();
    let call =
        repo.call(git, "rev-list").args(["--parents", "--ignore-missing", "--stdin", "--not"]).input(input);
    let own = ["refs/bisect/*", "refs/worktree/*", "refs/rewritten/*"].map(|own| format!("--exclude={own}"));
    let call = call.args(own).arg("--glob=refs/*");
    let stdout = call.run()?;
    let mut children = Vec::new();
    let mut parents = HashSet::new();
    for line in stdout.lines() {
        let mut oids = line.fields().map(|word| text_oid(&call, word));
        children.extend(oids.next().transpose()?);
        for parent in oids {
            parents.insert(parent?);
        }
    }
    let mut tips: Vec<Oid> = children.into_iter().filter(|oid| !parents.contains(oid)).collect();
    tips.sort();
    Ok(tips)
}
