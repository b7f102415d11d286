//! One worktree's work as a commit on top of its target.

use std::collections::BTreeSet;

use bstr::BString;
use windrow_model::{BranchName, Footprint, LandStrategy, Oid, WorktreeRecord};

use super::{ForecastError, outcome::ForecastWork};
use crate::{
    git::{
        self, Aside, Author, Conflicts, GitError, Head, HeadError, MergeRequest, Merged, NewCommit,
        ObjectError, SnapshotError, SnapshotFiles, SnapshotRequest,
    },
    ops::{error::chain, land, overlay, pool::Pool},
    store::LocalStore,
};

/// What is known of a worktree from the records.
pub(super) struct Known {
    pub(super) record: WorktreeRecord,
    pub(super) carried: Vec<BString>,
    /// The branch that its work is to land on, and where that is.
    pub(super) target: Option<(BranchName, Oid)>,
    pub(super) since: Since,
}

/// What of a branch landed before, so that a squash does not count it again.
pub(super) type Since = Option<Oid>;

/// Work as it would land.
pub(super) struct Work {
    pub(super) told: ForecastWork,
    /// The commit on top of the target, or the work itself when it does not fit there.
    pub(super) commit: Oid,
    /// Why it does not fit there.
    pub(super) misfit: Option<Conflicts>,
    footprint: Footprint,
    /// Commits that the target has not.
    own: BTreeSet<Oid>,
}

impl Work {
    /// Tells whether a merge of both may be in conflict; only works with the same target are ever merged.
    pub(super) fn may_collide(&self, other: &Self) -> bool {
        // What does not fit on its target, or began from the work of the other, is compared with another commit than the target.
        let elsewhere = self.misfit.is_some() || other.misfit.is_some() || !self.own.is_disjoint(&other.own);
        elsewhere || self.footprint.may_collide(&other.footprint)
    }
}

/// Why a worktree's work cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unseen {
    #[error("no target is on record; name one with `--onto`")]
    NoTarget,
    #[error("it has no commit yet")]
    Unborn,
    #[error("it has no history in common with `{0}`")]
    Unrelated(BranchName),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// What was seen of a worktree, and what was not.
pub(super) struct Seen {
    pub(super) work: Option<Work>,
    pub(super) unseen: Option<String>,
}

/// Looks at one.
pub(super) fn look(pool: &Pool, aside: &Aside, known: &Known) -> Seen {
    match work(pool, aside, known) {
        Ok(work) => {
            let hidden = !overlay::is_shown(&known.record);
            let why = "only what it committed: nobody else sees the files of an overlay".to_owned();
            Seen { work: Some(work), unseen: hidden.then_some(why) }
        }
        Err(error) => Seen { work: None, unseen: Some(chain(&error)) },
    }
}

fn work(pool: &Pool, aside: &Aside, known: &Known) -> Result<Work, Unseen> {
    let (target, at) = known.target.as_ref().ok_or(Unseen::NoTarget)?;
    let (git, repo) = (aside.git(), pool.repository());
    let head = repo.head(git, &known.record.admin)?;
    let oid = head.oid.ok_or(Unseen::Unborn)?;
    let (tip, left_out) = everything(pool, aside, known, &oid)?;
    let base = git::merge_base(git, repo, at, &oid)?.ok_or_else(|| Unseen::Unrelated(target.clone()))?;
    let (commit, misfit) = match base == *at && known.since.is_none() {
        true => (tip, None),
        false => on_target(pool, aside, (at, &tip), known.since.as_ref())?,
    };
    let footprint = git::footprint(aside.objects(), at, &commit)?;
    let own = git::commits_beyond(git, repo, at, &oid)?.into_iter().collect();
    let told = ForecastWork {
        name: known.record.name.clone(),
        branch: head.branch,
        head: oid,
        uncommitted: tip != oid,
        target: target.clone(),
        target_oid: *at,
        files: footprint.touched.len() as u64,
        left_out,
    };
    Ok(Work { told, commit, misfit, footprint, own })
}

/// The commit of everything that git would add; the HEAD itself when there is nothing to add, or nothing to be seen.
fn everything(pool: &Pool, aside: &Aside, known: &Known, head: &Oid) -> Result<(Oid, Vec<BString>), Unseen> {
    let record = &known.record;
    if !overlay::is_shown(record) {
        return Ok((*head, Vec::new()));
    }
    let request = SnapshotRequest {
        admin: &record.admin,
        worktree: &record.path,
        exclude: &known.carried,
        message: "Work",
        extra_parents: &[],
        files: SnapshotFiles::There,
    };
    let taken = git::snapshot(aside.git(), pool.repository(), &request)?;
    let left_out = taken.failed.into_iter().chain(taken.nested).collect();
    if taken.head_tree == Some(taken.tree) {
        return Ok((*head, left_out));
    }
    Ok((write(pool, aside, &taken.tree, &[*head])?, left_out))
}

/// The work on top of its target, or why it does not fit there.
fn on_target(
    pool: &Pool,
    aside: &Aside,
    (at, tip): (&Oid, &Oid),
    since: Option<&Oid>,
) -> Result<(Oid, Option<Conflicts>), Unseen> {
    match merge(pool, aside, (at, tip), since)? {
        Merged::Clean(tree) => Ok((write(pool, aside, &tree, &[*at, *tip])?, None)),
        Merged::Conflict(conflicts) => Ok((*tip, Some(conflicts))),
    }
}

/// Merges two commits, with all that is made on the way aside.
pub(super) fn merge(
    pool: &Pool,
    aside: &Aside,
    (target, source): (&Oid, &Oid),
    base: Option<&Oid>,
) -> Result<Merged, GitError> {
    let request = MergeRequest { target, source, base, room: aside.room() };
    git::merge_trees(aside.git(), pool.repository(), &request)
}

fn write(pool: &Pool, aside: &Aside, tree: &Oid, parents: &[Oid]) -> Result<Oid, GitError> {
    let author = Author { name: "Windrow".into(), mail: "windrow@localhost".into(), date: "0 +0000".into() };
    let new = NewCommit { tree, parents, author: Some(&author), message: b"Work" };
    git::write_commit_at(aside.git(), pool.repository(), &new)
}

/// What of a worktree's branch landed last on a target, where landing goes on from there.
pub(super) fn since(
    pool: &Pool,
    store: &LocalStore,
    head: &Head,
    (target, at): (&BranchName, &Oid),
) -> Result<Since, ForecastError> {
    let strategy = pool.settings().land.strategy;
    let (Some(branch), Some(tip)) = (&head.branch, &head.oid) else { return Ok(None) };
    if !matches!(strategy, LandStrategy::Squash | LandStrategy::Rebase) {
        return Ok(None);
    }
    land::landed_last(pool, store, (branch, tip), (target, at))
}
