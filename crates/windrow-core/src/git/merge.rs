//! Merging and committing without a working tree.
//!
//! # Security
//! Attributes come from the target's own tree, never from a file that lies in a checkout. A merge driver that the user configured
//! runs in a directory of ours.
//!
//! # Crash safety
//! Nothing but loose objects is left behind.

use std::path::Path;

use bstr::{BString, ByteSlice};
use windrow_model::Oid;

use super::{
    command::{Call, Git, GitError, GitOutput},
    refs::text_oid,
    repository::Repository,
};

/// What merging gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// A tree.
    Clean(Oid),
    /// Both sides changed the same.
    Conflict(Conflicts),
}

/// Everything about a merge that did not go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// The tree with conflict markers in its files, which is for people only and never lands.
    pub tree: Oid,
    /// Each stage of each path in conflict, by path and stage.
    pub stages: Vec<ConflictStage>,
    /// What git says of each conflict.
    pub messages: Vec<ConflictMessage>,
}

/// One side of a path in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictStage {
    /// The path.
    pub path: BString,
    /// 1 is the base, 2 the target, 3 the source.
    pub stage: u8,
    /// The mode in git's octal digits.
    pub mode: String,
    /// The content.
    pub oid: Oid,
}

/// One conflict as git names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictMessage {
    /// Such as `CONFLICT (contents)`; a name that stays the same.
    pub kind: String,
    /// The paths concerned.
    pub paths: Vec<BString>,
    /// One line for people.
    pub text: String,
}

/// Two commits to be merged.
#[derive(Debug, Clone, Copy)]
pub struct MergeRequest<'a> {
    /// The commit that changes come to; its attributes hold.
    pub target: &'a Oid,
    /// The commit that they come from.
    pub source: &'a Oid,
    /// The commit that both are compared with; `None` lets git find it.
    pub base: Option<&'a Oid>,
    /// An empty directory in which merge drivers run.
    pub room: &'a Path,
}

/// Merges two commits into a tree; the exit status alone says whether there is a conflict.
///
/// *Source*: git-merge-tree(1), `--write-tree`, since 2.38, `--merge-base` since 2.40; `--attr-source` in git(1) since 2.41.
///
/// # Errors
/// The histories have nothing in common, a commit is missing, or git fails.
pub fn merge_trees(git: &Git, repo: &Repository, req: &MergeRequest<'_>) -> Result<Merged, GitError> {
    let call = repo.call(git, "merge-tree").global(format!("--attr-source={}", req.target)).cwd(req.room);
    let base = req.base.map(|base| format!("--merge-base={base}"));
    let call =
        call.args(["--write-tree", "-z"]).args(base).args([req.target, req.source].map(Oid::to_string));
    let output = call.output()?;
    match output.status {
        Some(0) => Ok(Merged::Clean(text_oid(&call, first_field(&output))?)),
        Some(1) => conflicts(&call, &output).map(Merged::Conflict),
        _ => Err(call.failure(output)),
    }
}

fn first_field(output: &GitOutput) -> &[u8] {
    output.stdout.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The tree, the stages up to an empty field, and the messages: a number of paths, the paths, the name and the text.
fn conflicts(call: &Call<'_>, output: &GitOutput) -> Result<Conflicts, GitError> {
    let mut fields = output.stdout.split(|&byte| byte == 0);
    let tree = text_oid(call, fields.next().unwrap_or_default())?;
    let mut stages = Vec::new();
    for field in fields.by_ref().take_while(|field| !field.is_empty()) {
        stages.push(stage(call, field)?);
    }
    let mut messages = Vec::new();
    while let Some(count) = fields.next().filter(|count| !count.is_empty()) {
        let count: usize = count
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| call.strange("no number"))?;
        let paths = fields.by_ref().take(count).map(BString::from).collect();
        let mut text = || fields.next().unwrap_or_default().trim_end().to_str_lossy().into_owned();
        messages.push(ConflictMessage { paths, kind: text(), text: text() });
    }
    messages.retain(|message| message.kind.starts_with("CONFLICT"));
    Ok(Conflicts { tree, stages, messages })
}

fn stage(call: &Call<'_>, field: &[u8]) -> Result<ConflictStage, GitError> {
    let strange = || call.strange("a stage that is none");
    let (facts, path) = field.split_once_str("\t").ok_or_else(strange)?;
    let mut words = facts.fields();
    let (mode, oid, stage) = (words.next(), words.next(), words.next());
    let stage = stage.and_then(|word| word.to_str().ok()?.parse().ok()).ok_or_else(strange)?;
    Ok(ConflictStage {
        path: path.into(),
        stage,
        mode: mode.unwrap_or_default().to_str_lossy().into_owned(),
        oid: text_oid(call, oid.unwrap_or_default())?,
    })
}

/// A commit as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitText {
    /// Its name.
    pub oid: Oid,
    /// Its parents.
    pub parents: Vec<Oid>,
    /// Its tree.
    pub tree: Oid,
    /// Who wrote it, and when.
    pub author: Author,
    /// Its message, without blank lines at the end.
    pub message: BString,
}

/// Who wrote something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: BString,
    /// The address.
    pub mail: BString,
    /// Seconds since 1970 and the time zone, as git writes them.
    pub date: BString,
}

/// Lists the commits that `tip` reaches and `base` does not, parents first.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn commits_between(
    git: &Git,
    repo: &Repository,
    base: &Oid,
    tip: &Oid,
) -> Result<Vec<CommitText>, GitError> {
    let call = repo
        .call(git, "log")
        .args(["--reverse", "--topo-order", "-z", "--no-show-signature", "--no-color", "--date=raw"])
        .args(["--encoding=UTF-8", "--format=%H%n%P%n%T%n%an%n%ae%n%ad%n%B"])
        .arg(format!("{base}..{tip}"))
        .arg("--");
    let stdout = call.run()?;
    stdout
        .split(|&byte| byte == 0)
        .filter(|record| !record.is_empty())
        .map(|record| commit(&call, record))
        .collect()
}

fn commit(call: &Call<'_>, record: &[u8]) -> Result<CommitText, GitError> {
    let mut lines = record.splitn(7, |&byte| byte == b'\n');
    let mut line = || lines.next().ok_or_else(|| call.strange("a commit without a line"));
    let (oid, parents, tree) = (text_oid(call, line()?)?, line()?, text_oid(call, line()?)?);
    let author = Author { name: line()?.into(), mail: line()?.into(), date: line()?.into() };
    let parents = parents.fields().map(|parent| text_oid(call, parent)).collect::<Result<_, _>>()?;
    Ok(CommitText { oid, parents, tree, author, message: line()?.trim_end().into() })
}

/// A commit to be written.
#[derive(Debug, Clone)]
pub struct NewCommit<'a> {
    /// Its tree.
    pub tree: &'a Oid,
    /// Its parents.
    pub parents: &'a [Oid],
    /// Who wrote it; the user, now, if nobody is named.
    pub author: Option<&'a Author>,
    /// Its message.
    pub message: &'a [u8],
}

/// Writes a commit, signed where the user's git signs; the user is its committer.
///
/// *Source*: git-commit-tree(1), which does not obey `commit.gpgSign` by itself.
///
/// # Errors
/// It cannot be signed, or git fails.
pub fn write_commit(git: &Git, repo: &Repository, new: &NewCommit<'_>) -> Result<Oid, GitError> {
    let signed = repo.config.truth("commit.gpgsign") == Some(true);
    write(repo.signed(git, commit_call(git, repo).args(signed.then_some("-S"))), new)
}

/// Writes a commit of Windrow's own, the same each time: its author is its committer, and nobody signs it.
///
/// # Errors
/// Git fails.
pub fn write_commit_at(git: &Git, repo: &Repository, new: &NewCommit<'_>) -> Result<Oid, GitError> {
    let call = commit_call(git, repo).own_identity();
    let date = new.author.map(date);
    write(date.iter().fold(call, |call, date| call.env("GIT_COMMITTER_DATE", super::os(date))), new)
}

fn commit_call<'g>(git: &'g Git, repo: &Repository) -> Call<'g> {
    repo.call(git, "commit-tree").config("i18n.commitEncoding=UTF-8")
}

/// Git takes a small number for a day of the calendar unless a sign says what it is.
fn date(author: &Author) -> BString {
    [b"@", author.date.as_slice()].concat().into()
}

fn write(call: Call<'_>, new: &NewCommit<'_>) -> Result<Oid, GitError> {
    let parents = new.parents.iter().flat_map(|parent| ["-p".to_owned(), parent.to_string()]);
    let mut call = call.arg(new.tree.to_string()).args(parents);
    if let Some(author) = new.author {
        call = call
            .env("GIT_AUTHOR_NAME", super::os(&author.name))
            .env("GIT_AUTHOR_EMAIL", super::os(&author.mail))
            .env("GIT_AUTHOR_DATE", super::os(&date(author)));
    }
    let call = call.input([new.message.trim_end(), b"\n"].concat());
    text_oid(&call, &call.run()?)
}

/// What became of a chain of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebased {
    /// The last new commit, and how many there are; the target itself when all became empty.
    Onto(Oid, u64),
    /// One of them is in conflict.
    Conflict {
        /// Which.
        at: Oid,
        /// How.
        conflicts: Conflicts,
    },
}

/// Writes commits again on top of `target`, one by one, with their authors, dates and messages. Merges are left out, and what adds
/// nothing any more.
///
/// # Errors
/// A commit is missing, or git fails.
pub fn rebase(
    git: &Git,
    repo: &Repository,
    target: &Oid,
    commits: &[CommitText],
    room: &Path,
) -> Result<Rebased, GitError> {
    let (mut tip, mut written) = (*target, 0);
    let mut tree = tree_of(git, repo, target)?;
    for commit in commits {
        let [parent] = commit.parents.as_slice() else { continue };
        let req = MergeRequest { target: &tip, source: &commit.oid, base: Some(parent), room };
        let merged = match merge_trees(git, repo, &req)? {
            Merged::Clean(merged) => merged,
            Merged::Conflict(conflicts) => return Ok(Rebased::Conflict { at: commit.oid, conflicts }),
        };
        if merged == tree && tree_of(git, repo, parent)? != commit.tree {
            continue;
        }
        let parents = [tip];
        let new = NewCommit {
            tree: &merged,
            parents: &parents,
            author: Some(&commit.author),
            message: &commit.message,
        };
        tip = write_commit(git, repo, &new)?;
        tree = merged;
        written += 1;
    }
    Ok(Rebased::Onto(tip, written))
}

/// The tree of a commit.
///
/// # Errors
/// It is missing, or git fails.
pub fn tree_of(git: &Git, repo: &Repository, commit: &Oid) -> Result<Oid, GitError> {
    let call = repo.call(git, "rev-parse").args(["--verify", "-q"]).arg(format!("{commit}^{{tree}}"));
    text_oid(&call, &call.run()?)
}
