//! Questions about commits.

use bstr::{BString, ByteSlice};
use windrow_model::Oid;

use super::{
    command::{Git, GitError},
    repository::Repository,
};

/// How much two commits differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangedFiles {
    /// One for each path, sorted by path; a rename is a removal and an addition.
    pub files: Vec<ChangedFile>,
}

/// One path in which two commits differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Slash-separated path.
    pub path: BString,
    /// Lines added; `None` for what is not text.
    pub added: Option<u64>,
    /// Lines removed; `None` for what is not text.
    pub removed: Option<u64>,
}

impl ChangedFiles {
    /// Lines added in all text files.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.files.iter().filter_map(|file| file.added).sum()
    }

    /// Lines removed in all text files.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.files.iter().filter_map(|file| file.removed).sum()
    }
}

/// What [`diff`] prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffForm {
    /// The lines that differ.
    Patch,
    /// A summary of each file.
    Stat,
    /// Names only.
    Names,
}

/// Whether [`diff`] prints in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffColour {
    /// With the user's colours.
    Always,
    /// Without.
    Never,
}

/// Counts the commits that `tip` reaches and `base` does not.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn count_commits(git: &Git, repo: &Repository, base: &Oid, tip: &Oid) -> Result<u64, GitError> {
    let call = repo.call(git, "rev-list").args(["--count", &format!("{base}..{tip}")]);
    let stdout = call.run()?;
    stdout.trim().to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| call.strange("no number"))
}

/// The best commit that both reach; `None` when their histories have nothing in common.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn merge_base(git: &Git, repo: &Repository, one: &Oid, other: &Oid) -> Result<Option<Oid>, GitError> {
    let call = repo.call(git, "merge-base").args([one.to_string(), other.to_string()]);
    call.ask()?.map(|stdout| super::refs::text_oid(&call, stdout.trim())).transpose()
}

/// Tells whether `descendant` reaches `ancestor`; a commit reaches itself.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn is_ancestor(git: &Git, repo: &Repository, ancestor: &Oid, descendant: &Oid) -> Result<bool, GitError> {
    let pair = [ancestor.to_string(), descendant.to_string()];
    Ok(repo.call(git, "merge-base").arg("--is-ancestor").args(pair).ask()?.is_some())
}

/// Lists the commits that `tip` reaches and `base` does not, in no particular order.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn commits_beyond(git: &Git, repo: &Repository, base: &Oid, tip: &Oid) -> Result<Vec<Oid>, GitError> {
    let call = repo.call(git, "rev-list").args([format!("{base}..{tip}"), "--".to_owned()]);
    let stdout = call.run()?;
    stdout.fields().map(|line| super::refs::text_oid(&call, line)).collect()
}

/// Lists the paths in which two commits or trees differ.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn changed_files(git: &Git, repo: &Repository, base: &Oid, tip: &Oid) -> Result<ChangedFiles, GitError> {
    let options = ["-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let call = repo.call(git, "diff-tree").args(options).args([base.to_string(), tip.to_string()]);
    let stdout = call.run()?;
    let lines = stdout.split(|&byte| byte == 0).filter(|line| !line.is_empty());
    let files = lines.map(|line| changed_file(line).ok_or_else(|| call.strange("no numbers")));
    Ok(ChangedFiles { files: files.collect::<Result<_, _>>()? })
}

fn changed_file(line: &[u8]) -> Option<ChangedFile> {
    let mut fields = line.splitn(3, |&byte| byte == b'\t');
    let mut number = || Some(fields.next()?.to_str().ok()?.parse().ok());
    let (added, removed) = (number()?, number()?);
    Some(ChangedFile { path: fields.next()?.into(), added, removed })
}

/// The difference of two commits or trees for people to read, with the user's own settings of `git diff`.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn diff(
    git: &Git,
    repo: &Repository,
    (base, tip): (&Oid, &Oid),
    form: DiffForm,
    colour: DiffColour,
) -> Result<Vec<u8>, GitError> {
    let form = match form {
        DiffForm::Patch => "--patch",
        DiffForm::Stat => "--stat",
        DiffForm::Names => "--name-only",
    };
    let colour = match colour {
        DiffColour::Always => "--color=always",
        DiffColour::Never => "--color=never",
    };
    repo.call(git, "diff").args([form, colour]).args([base.to_string(), tip.to_string()]).arg("--").run()
}
