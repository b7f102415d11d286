//! Whether the work of a branch is in another one: as the same commits, as others with the same changes, or squashed.
//!
//! # Security
//! The questions are put in a repository of our own for a moment, which borrows the objects and has nothing else: no refs, no
//! replaced objects, no attributes and no configuration but git's defaults. So nothing that an agent can write decides how
//! two trees are merged, and no merge driver or text conversion runs.
//!
//! # Crash safety
//! Whatever is written goes into a `tmp-…` directory; the repository itself gains no object.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice, ByteVec};
use tempfile::TempDir;
use windrow_model::Oid;

use super::{
    command::{Call, Git, GitError},
    index::IndexError,
    refs::text_oid,
    repository::{ObjectFormat, Repository},
};

/// Why commits cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// No room for our own could be made.
    #[error(transparent)]
    Scratch(#[from] IndexError),
    /// The repository for a moment could not be written.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git failed; objects may be missing.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is too much history to look through.
    #[error("more than {LIMIT} commits of the target would have to be compared")]
    TooMuch,
}

/// How the work of a branch came into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Not, not wholly, or it was undone there.
    Out,
    /// Merging it once more would change nothing.
    NothingToAdd,
    /// Both changed the same places since, but the same changes are in the history and none was undone.
    SameChanges,
}

/// How many commits of a target are compared one by one.
const LIMIT: usize = 5_000;

/// How many paths are named to find the commits that touch them; with more, all commits are looked at.
const PATHS: usize = 200;

/// A repository of our own that borrows the objects of another one; removed when dropped.
#[derive(Debug)]
pub struct Comparison<'g> {
    git: &'g Git,
    scratch: TempDir,
}

impl<'g> Comparison<'g> {
    /// Makes one.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn open(git: &'g Git, repo: &Repository) -> Result<Self, CompareError> {
        let scratch = repo.scratch()?;
        let root = scratch.path();
        for directory in ["refs", "objects/info", "objects/pack"] {
            let path = root.join(directory);
            fs::create_dir_all(&path).map_err(|source| CompareError::Io { path, source })?;
        }
        write(&root.join("HEAD"), b"ref: refs/heads/none\n")?;
        write(&root.join("config"), config(repo.object_format))?;
        write(&root.join("objects/info/alternates"), &quoted(&repo.common_dir.join("objects")))?;
        let shallow = repo.common_dir.join("shallow");
        match fs::read(&shallow) {
            Ok(boundary) => write(&root.join("shallow"), &boundary)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CompareError::Io { path: shallow, source }),
        }
        Ok(Self { git, scratch })
    }

    /// Tells whether the history of `from` holds a commit; a commit holds itself.
    ///
    /// # Errors
    /// A commit is missing, or git fails.
    pub fn reaches(&self, from: &Oid, commit: &Oid) -> Result<bool, CompareError> {
        let pair = [commit.to_string(), from.to_string()];
        Ok(self.call("merge-base").arg("--is-ancestor").args(pair).ask()?.is_some())
    }

    /// Tells whether everything that `tip` changed is in `target`, whose history does not hold `tip`.
    ///
    /// # Errors
    /// A commit is missing, git fails, or there is too much history.
    pub fn contains(&self, target: &Oid, tip: &Oid) -> Result<Containment, CompareError> {
        let bases = self.merge_bases(target, tip)?;
        let Some(base) = bases.first() else { return Ok(Containment::Out) };
        let tree = self.tree_of(tip)?;
        let mut changes_nothing = false;
        for base in &bases {
            changes_nothing |= self.tree_of(base)? == tree;
        }
        match self.merge(target, tip)? {
            // What cancels itself out adds nothing to any target.
            Some(merged) if merged == self.tree_of(target)? && !changes_nothing => {
                Ok(Containment::NothingToAdd)
            }
            // It would come back, so it was left out, in part or for long, or was undone.
            Some(merged) if merged != self.tree_of(target)? => Ok(Containment::Out),
            _ if self.has_same_changes(target, tip, base)? => Ok(Containment::SameChanges),
            _ => Ok(Containment::Out),
        }
    }

    fn merge_bases(&self, one: &Oid, other: &Oid) -> Result<Vec<Oid>, CompareError> {
        let call = self.call("merge-base").arg("--all").args([one.to_string(), other.to_string()]);
        let found = call.ask()?.unwrap_or_default();
        Ok(found.lines().map(|line| text_oid(&call, line)).collect::<Result<_, _>>()?)
    }

    fn tree_of(&self, commit: &Oid) -> Result<Oid, CompareError> {
        let call = self.call("rev-parse").args(["--verify", &format!("{commit}^{{tree}}")]);
        Ok(text_oid(&call, &call.run()?)?)
    }

    /// The tree that merging gives; `None` when both changed the same places.
    fn merge(&self, target: &Oid, tip: &Oid) -> Result<Option<Oid>, CompareError> {
        let call = self.call("merge-tree").args(["--write-tree", "--no-messages"]);
        let call = call.args([target.to_string(), tip.to_string()]);
        Ok(call
            .ask()?
            .map(|stdout| text_oid(&call, stdout.lines().next().unwrap_or_default()))
            .transpose()?)
    }

    /// Tells whether each commit of the branch, or all of them as one, is in the target as a commit with the very same changes,
    /// and none of these was taken back by its exact opposite.
    fn has_same_changes(&self, target: &Oid, tip: &Oid, base: &Oid) -> Result<bool, CompareError> {
        let own = self.commits(&[&format!("{target}..{tip}")], &[])?;
        let merges =
            self.call("rev-list").args(["--count", "--merges", &format!("{target}..{tip}")]).run()?;
        if own.is_empty() || own.len() > LIMIT || merges.trim() != b"0" {
            return Ok(false);
        }
        let paths = self.changed_paths(base, tip, &own)?;
        let theirs = self.commits(&[&format!("{tip}..{target}"), "--full-history"], &paths)?;
        if theirs.len() > LIMIT {
            return Err(CompareError::TooMuch);
        }
        let there: HashSet<BString> = self.changes_of(&theirs, &[])?.into_iter().collect();
        let singly = self.changes_of(&own, &[])?;
        let whole = self.changes_between(base, tip)?;
        let undone = self.changes_of(&own, &["-R"])?.into_iter().chain(self.changes_between(tip, base)?);
        let all_there = singly.len() == own.len() && singly.iter().all(|change| there.contains(change));
        let as_one = whole.is_some_and(|whole| there.contains(&whole));
        Ok((all_there || as_one) && !undone.into_iter().any(|change| there.contains(&change)))
    }

    /// Commits with one parent at most; one more than the limit at most.
    fn commits(&self, range: &[&str], paths: &[BString]) -> Result<Vec<BString>, CompareError> {
        let most = format!("--max-count={}", LIMIT + 1);
        let call = self.call("rev-list").args(["--no-merges", &most]).args(range).arg("--");
        let listed = call.args(paths.iter().map(super::os)).env("GIT_LITERAL_PATHSPECS", "1").run()?;
        Ok(listed.lines().map(BString::from).collect())
    }

    /// The paths that a branch changed, in its commits or as a whole; none when they are too many to be named.
    fn changed_paths(&self, base: &Oid, tip: &Oid, own: &[BString]) -> Result<Vec<BString>, CompareError> {
        let names = ["-r", "-z", "--name-only", "--no-renames", "--no-commit-id", "--root"];
        let whole = self.call("diff-tree").args(names).args([base.to_string(), tip.to_string()]).run()?;
        let singly = self.call("diff-tree").arg("--stdin").args(names).input(lines(own)).run()?;
        let both = whole.split(|&byte| byte == 0).chain(singly.split(|&byte| byte == 0));
        let mut paths: Vec<BString> = both.filter(|path| !path.is_empty()).map(BString::from).collect();
        paths.sort();
        paths.dedup();
        Ok(if paths.len() > PATHS { Vec::new() } else { paths })
    }

    /// What each commit changes, as a number that is the same wherever in a file it happens; none for one that changes nothing.
    fn changes_of(&self, commits: &[BString], options: &[&str]) -> Result<Vec<BString>, CompareError> {
        let call = self.call("diff-tree").args(["--stdin", "--root"]).args(PATCH).args(options);
        self.numbers(call.input(lines(commits)).run()?)
    }

    fn changes_between(&self, from: &Oid, to: &Oid) -> Result<Option<BString>, CompareError> {
        let patch = self.call("diff-tree").args(PATCH).args([from.to_string(), to.to_string()]).run()?;
        Ok(self.numbers(patch)?.pop())
    }

    /// `--verbatim`, because a change of blanks alone is a change.
    fn numbers(&self, patches: Vec<u8>) -> Result<Vec<BString>, CompareError> {
        let listed = self.call("patch-id").arg("--verbatim").input(patches).run()?;
        let number = |line: &[u8]| line.split_once_str(" ").map(|(number, _)| BString::from(number));
        Ok(listed.lines().filter_map(number).collect())
    }

    fn call(&self, verb: &str) -> Call<'g> {
        let root = self.scratch.path();
        self.git
            .call(verb)
            .repository(root, root)
            .offline()
            .own_identity()
            .config("core.attributesFile=/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
    }
}

/// A patch that names everything it changes, the same on every machine.
const PATCH: [&str; 8] = [
    "-r",
    "--patch",
    "--full-index",
    "--binary",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--unified=3",
];

fn lines(commits: &[BString]) -> Vec<u8> {
    commits.iter().flat_map(|commit| commit.iter().copied().chain([b'\n'])).collect()
}

fn config(format: ObjectFormat) -> &'static [u8] {
    match format {
        ObjectFormat::Sha1 => b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        ObjectFormat::Sha256 => {
            b"[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
        }
    }
}

/// A path as a line of `alternates`, in quotes, so that it may hold any byte. *Source*: gitrepository-layout(5), git(1) under
/// `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
fn quoted(path: &Path) -> Vec<u8> {
    let mut line = b"\"".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b' '..=b'~' => line.push(byte),
            _ => line.push_str(format!("\\{byte:03o}")),
        }
    }
    line.extend(b"\"\n");
    line
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CompareError> {
    fs::write(path, bytes).map_err(|source| CompareError::Io { path: path.to_owned(), source })
}
