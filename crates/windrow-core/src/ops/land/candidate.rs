//! Making the commit that the target will be at.

use std::path::Path;

use bstr::{BString, ByteSlice};
use windrow_model::{BranchName, LandStrategy, LandingId, Oid};

use super::{error::LandError, outcome::ConflictReport, source::Source};
use crate::{
    git::{self, Author, CommitText, Conflicts, MergeRequest, Merged, NewCommit, Objects, Rebased},
    ops::pool::Pool,
};

/// What is to be made.
pub(super) struct Wanted<'a> {
    pub(super) id: LandingId,
    pub(super) strategy: LandStrategy,
    pub(super) target: &'a BranchName,
    pub(super) before: &'a Oid,
    pub(super) source: &'a Source,
    /// The commit of the same branch that landed last, if the work goes on from it.
    pub(super) since: Option<Oid>,
    pub(super) message: Option<&'a str>,
    /// An empty directory.
    pub(super) room: &'a Path,
}

/// What came of it.
pub(super) enum Made {
    Commit(Oid),
    NothingToAdd,
}

/// Makes it.
pub(super) fn make(pool: &Pool, wanted: &Wanted<'_>) -> Result<Made, LandError> {
    let (git, repo) = (&pool.git, pool.repository());
    let base = git::merge_base(git, repo, wanted.before, &wanted.source.tip)?;
    let ahead = base.as_ref() == Some(wanted.before);
    match wanted.strategy {
        LandStrategy::FastForward if ahead => Ok(Made::Commit(wanted.source.tip)),
        LandStrategy::FastForward => Err(LandError::NotAhead { target: wanted.target.clone() }),
        LandStrategy::Merge => merge(pool, wanted, base),
        LandStrategy::Squash => squash(pool, wanted, base),
        LandStrategy::Rebase => rebase(pool, wanted, base),
    }
}

fn merge(pool: &Pool, wanted: &Wanted<'_>, base: Option<Oid>) -> Result<Made, LandError> {
    let Some(tree) = merged(pool, wanted, base, None)? else { return Ok(Made::NothingToAdd) };
    let into = match wanted.target.as_str() {
        // Git leaves the names of the usual branches out as well.
        "main" | "master" => String::new(),
        other => format!(" into {other}"),
    };
    let what = match &wanted.source.branch {
        Some(branch) => format!("branch '{branch}'"),
        None => format!("commit '{}'", wanted.source.tip.short()),
    };
    let message = wanted.message.map_or_else(|| format!("Merge {what}{into}"), str::to_owned);
    let parents = [*wanted.before, wanted.source.tip];
    let new = NewCommit { tree: &tree, parents: &parents, author: None, message: message.as_bytes() };
    Ok(Made::Commit(git::write_commit(&pool.git, pool.repository(), &new)?))
}

fn squash(pool: &Pool, wanted: &Wanted<'_>, base: Option<Oid>) -> Result<Made, LandError> {
    let Some(tree) = merged(pool, wanted, base, wanted.since.as_ref())? else {
        return Ok(Made::NothingToAdd);
    };
    let commits = commits(pool, wanted)?;
    let message = wanted.message.map_or_else(|| squashed_message(&commits), |text| text.into());
    let author = commits.last().map(|last| &last.author);
    let parents = [*wanted.before];
    let new = NewCommit { tree: &tree, parents: &parents, author, message: &message };
    Ok(Made::Commit(git::write_commit(&pool.git, pool.repository(), &new)?))
}

/// The commits since the last landing or since the target, without merges, the first one first.
fn commits(pool: &Pool, wanted: &Wanted<'_>) -> Result<Vec<CommitText>, LandError> {
    let since = wanted.since.as_ref().unwrap_or(wanted.before);
    let all = git::commits_between(&pool.git, pool.repository(), since, &wanted.source.tip)?;
    Ok(all.into_iter().filter(|commit| commit.parents.len() < 2).collect())
}

/// The message of the only commit; of several the first subject and then all of them, and the authors but the last one's.
fn squashed_message(commits: &[CommitText]) -> BString {
    let [first, rest @ ..] = commits else { return "Land work".into() };
    if rest.is_empty() {
        return first.message.clone();
    }
    let mut message = BString::from(subject(first));
    message.extend_from_slice(b"\n\n");
    for commit in commits {
        message.extend_from_slice(b"* ");
        message.extend_from_slice(subject(commit));
        message.push(b'\n');
    }
    let written_by = commits.last().map(|last| &last.author);
    let mut others: Vec<&Author> = Vec::new();
    for author in commits.iter().map(|commit| &commit.author) {
        let same = |one: &&Author| (&one.name, &one.mail) == (&author.name, &author.mail);
        if !written_by.is_some_and(|last| same(&last)) && !others.iter().any(same) {
            others.push(author);
        }
    }
    if !others.is_empty() {
        message.push(b'\n');
    }
    for author in others {
        message.extend_from_slice(format!("Co-authored-by: {} <{}>\n", author.name, author.mail).as_bytes());
    }
    message
}

fn subject(commit: &CommitText) -> &[u8] {
    commit.message.lines().next().unwrap_or_default()
}

fn rebase(pool: &Pool, wanted: &Wanted<'_>, base: Option<Oid>) -> Result<Made, LandError> {
    let (git, repo) = (&pool.git, pool.repository());
    if base.is_none() {
        return Err(unrelated(wanted));
    }
    let since = wanted.since.as_ref().unwrap_or(wanted.before);
    let all = git::commits_between(git, repo, since, &wanted.source.tip)?;
    let merges = all.iter().any(|commit| commit.parents.len() > 1);
    // Commits that lie on the target already stay the ones they are.
    if base.as_ref() == Some(wanted.before) && !merges && wanted.since.is_none() {
        return Ok(Made::Commit(wanted.source.tip));
    }
    match git::rebase(git, repo, wanted.before, &all, wanted.room)? {
        Rebased::Onto(tip, _) if tip == *wanted.before => Ok(Made::NothingToAdd),
        Rebased::Onto(tip, _) => Ok(Made::Commit(tip)),
        Rebased::Conflict { at, conflicts } => Err(conflict(pool, wanted, (base, Some(at)), conflicts)),
    }
}

/// The tree of both; `None` when it is the target's.
fn merged(
    pool: &Pool,
    wanted: &Wanted<'_>,
    base: Option<Oid>,
    since: Option<&Oid>,
) -> Result<Option<Oid>, LandError> {
    let (git, repo) = (&pool.git, pool.repository());
    if base.is_none() {
        return Err(unrelated(wanted));
    }
    let (target, source) = (wanted.before, &wanted.source.tip);
    let request = MergeRequest { target, source, base: since, room: wanted.room };
    match git::merge_trees(git, repo, &request)? {
        Merged::Clean(tree) => Ok((tree != git::tree_of(git, repo, target)?).then_some(tree)),
        Merged::Conflict(conflicts) => {
            Err(conflict(pool, wanted, (since.copied().or(base), None), conflicts))
        }
    }
}

fn unrelated(wanted: &Wanted<'_>) -> LandError {
    LandError::Unrelated { target: wanted.target.clone(), source_oid: wanted.source.tip }
}

fn conflict(
    pool: &Pool,
    wanted: &Wanted<'_>,
    (base, at): (Option<Oid>, Option<Oid>),
    conflicts: Conflicts,
) -> LandError {
    let hunks = hunks(pool, &conflicts);
    LandError::Conflict(Box::new(ConflictReport {
        id: wanted.id,
        strategy: wanted.strategy,
        target: wanted.target.clone(),
        target_oid: *wanted.before,
        source: wanted.source.tip,
        branch: wanted.source.branch.clone(),
        worktree: wanted.source.worktree.clone(),
        base,
        at,
        conflicts,
        hunks,
    }))
}

/// How many lines of a file are shown.
const LINES: usize = 40;

/// How many files are shown.
const FILES: usize = 10;

/// The lines around the markers in each file, for people; what cannot be read is left out.
pub(super) fn hunks(pool: &Pool, conflicts: &Conflicts) -> Vec<(BString, String)> {
    let objects = Objects::open(pool.repository());
    let paths: std::collections::BTreeSet<&BString> =
        conflicts.stages.iter().map(|stage| &stage.path).collect();
    let mut found = Vec::new();
    for path in paths.into_iter().take(FILES) {
        let text = objects.file_at(&conflicts.tree, path).ok().flatten();
        if let Some(hunk) = text.as_deref().and_then(marked) {
            found.push((path.clone(), hunk));
        }
    }
    found
}

fn marked(content: &[u8]) -> Option<String> {
    let text = content.to_str().ok()?;
    let mut shown = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        inside |= line.starts_with("<<<<<<< ");
        if inside {
            shown.push(line);
        }
        inside &= !line.starts_with(">>>>>>> ");
        if shown.len() == LINES {
            break;
        }
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}
