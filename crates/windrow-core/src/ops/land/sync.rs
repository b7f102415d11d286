//! The other way round: the target's new commits come into a worktree, wholly or not at all.
//!
//! It is a landing whose target is the worktree's branch and whose checkout is the worktree: the same journal, the same swap, the same
//! recovery ([why](../../../../../docs/decisions/0047-a-sync-is-a-landing-on-the-worktree.md)).
//!
//! # Locking
//! As a landing, on the worktree's branch. The index of the worktree is locked, so its agent's git waits meanwhile.
//!
//! # Crash safety
//! As a landing: back before the branch moved, forward after it.

use std::time::{Duration, Instant};

use windrow_model::{
    BranchName, LandStrategy, LandingId, LandingRecord, LandingState, Oid, WorktreeName, WorktreeRecord,
    WorktreeState,
};

use super::{
    apply::{self, Room},
    candidate::Made,
    error::{LandError, SyncError},
    go,
    outcome::ConflictReport,
    place::Place,
    recover, refs,
};
use crate::{
    git::{self, Conflicts, MergeRequest, Merged, NewCommit, Rebased},
    ops::{
        error::SelectError,
        identity::{self, Identity},
        observer::Observer,
        overlay,
        pool::Pool,
        recover::{Spare, before},
        request::Selector,
        select,
    },
    process::Wait,
    store::LocalStore,
};

/// How long a branch that moves all the time is followed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the target's commits come into a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncManner {
    /// By a merge commit, or by the very same commits where the worktree has none of its own.
    #[default]
    Merge,
    /// The worktree's own commits are written again on top of them.
    Rebase,
}

/// Asks to bring the target's new commits into a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// Which worktree.
    pub selector: Selector,
    /// The branch whose commits come; `None` is the one that the work began from.
    pub from: Option<BranchName>,
    /// How.
    pub manner: SyncManner,
}

/// A worktree that has the target's commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The worktree.
    pub name: WorktreeName,
    /// Its branch.
    pub branch: BranchName,
    /// The branch whose commits it has.
    pub from: BranchName,
    /// The last of them.
    pub source: Oid,
    /// How they came.
    pub manner: SyncManner,
    /// Where the worktree's branch was.
    pub before: Oid,
    /// Where it is; the same when there was nothing new.
    pub after: Oid,
    /// How many commits came.
    pub commits: u64,
}

/// Brings the target's new commits into a worktree, with its files and its index.
///
/// What is not committed there stays as it is, byte for byte.
///
/// # Errors
/// Branch, index and files are as they were; see [`SyncError`].
pub fn sync(pool: &Pool, request: &SyncRequest, observer: &mut dyn Observer) -> Result<Synced, SyncError> {
    let mut store = pool.store_if_any()?.ok_or_else(|| select::nothing(&request.selector))?;
    let found = select::find(&store, &request.selector)?.worktree;
    before(pool, &mut store, &Spare::Worktree(found.id), observer)?;
    let record = select::find(&store, &request.selector)?.worktree;
    refuse_unfit(&record)?;
    let head = pool.repository().head(&pool.git, &record.admin).map_err(LandError::from)?;
    let branch = head.branch.ok_or_else(|| SyncError::Detached(record.name.clone()))?;
    let from = request.from.clone().or_else(|| record.target.clone()).ok_or(SyncError::NoTarget)?;
    if from == branch {
        return Err(LandError::OnItself(from).into());
    }
    let _kept = hold(pool, &record)?;
    if identity::prove(pool, &record) != Identity::Proven {
        return Err(SelectError::Lost { name: record.name }.into());
    }
    let _lock = go::lock(pool, &branch, Wait::Forever)?;
    recover::recover_under(pool, &mut store, &branch, observer)?;
    let place = Place { root: record.path.clone(), admin: record.admin.clone() };
    let job = Job { pool, record: &record, branch, from, manner: request.manner, place };
    job.follow(&mut store)
}

/// Only a worktree in place, whose files can be seen from here.
fn refuse_unfit(record: &WorktreeRecord) -> Result<(), SyncError> {
    if !matches!(record.state, WorktreeState::Leased | WorktreeState::Kept) {
        let (name, state) = (record.name.clone(), record.state);
        return Err(SelectError::NotLeased { name, state }.into());
    }
    if overlay::is_overlaid(record) {
        return Err(SyncError::Overlaid(record.name.clone()));
    }
    Ok(())
}

/// Nobody holds a worktree that is kept, so nobody may begin to end it meanwhile.
fn hold(pool: &Pool, record: &WorktreeRecord) -> Result<Option<crate::ops::pool::WorktreeLock>, SyncError> {
    if record.state != WorktreeState::Kept {
        return Ok(None);
    }
    let lock = pool.lock_worktree(&record.id)?;
    lock.map(Some).ok_or_else(|| SyncError::Busy(record.name.clone()))
}

struct Job<'a> {
    pool: &'a Pool,
    record: &'a WorktreeRecord,
    branch: BranchName,
    from: BranchName,
    manner: SyncManner,
    place: Place,
}

impl Job<'_> {
    /// Tries until the branch stands still for long enough.
    fn follow(&self, store: &mut LocalStore) -> Result<Synced, SyncError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let outcome = self.attempt(store);
            let moved =
                matches!(&outcome, Err(SyncError::Land(error)) if matches!(**error, LandError::Moved { .. }));
            if !moved || Instant::now() >= until {
                return outcome;
            }
        }
    }

    fn attempt(&self, store: &mut LocalStore) -> Result<Synced, SyncError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let source = git::read_ref(git, repo, &self.from.full()).map_err(LandError::from)?;
        let source = source.ok_or_else(|| LandError::UnknownBranch(self.from.clone()))?;
        let tip = self.place.look_again(self.pool, &self.branch).map_err(|error| self.unfinished(error))?;
        if git::is_ancestor(git, repo, &source, &tip).map_err(LandError::from)? {
            return Ok(self.outcome(source, (tip, tip), 0));
        }
        let id = LandingId::new(uuid::Uuid::now_v7());
        let room = Room::of(self.pool, id);
        room.make(self.pool)?;
        let made = self.make(store, (id, &room), (&source, &tip));
        let candidate = match made {
            Ok(candidate) => candidate,
            Err(error) => {
                go::clear(&room);
                return Err(error);
            }
        };
        let mut landing = self.record_of(id, source, (tip, candidate));
        store.transaction(|tx| tx.insert_landing(&landing)).map_err(LandError::from)?;
        self.apply(store, &mut landing, &room)?;
        self.settle_base(store, &source)?;
        let commits = git::count_commits(git, repo, &landing.before, &source).map_err(LandError::from)?;
        Ok(self.outcome(source, (landing.before, landing.candidate), commits))
    }

    fn apply(
        &self,
        store: &mut LocalStore,
        landing: &mut LandingRecord,
        room: &Room,
    ) -> Result<(), SyncError> {
        let (id, source) = (landing.id, landing.source);
        let mut remake = |store: &LocalStore, tip: &Oid| match self.make(store, (id, room), (&source, tip)) {
            Ok(commit) => Ok(Made::Commit(commit)),
            Err(SyncError::Land(error)) => Err(*error),
            // It is told once the index is free again.
            Err(_) => Err(LandError::Moved { target: self.branch.clone() }),
        };
        let applied = refs::keep(self.pool, id, &landing.candidate)
            .map_err(LandError::from)
            .and_then(|()| apply::somewhere(self.pool, store, landing, &self.place, &mut remake));
        applied
            .or_else(|error| go::settle(self.pool, store, landing, error))
            .map_err(|error| self.unfinished(error))
    }

    /// The commit that the branch will be at.
    fn make(
        &self,
        store: &LocalStore,
        (id, room): (LandingId, &Room),
        (source, tip): (&Oid, &Oid),
    ) -> Result<Oid, SyncError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let base = git::merge_base(git, repo, tip, source).map_err(LandError::from)?;
        if base.as_ref() == Some(tip) {
            return Ok(*source);
        }
        if base.is_none() {
            return Err(LandError::Unrelated { target: self.branch.clone(), source_oid: *source }.into());
        }
        let since =
            go::landed_last::<LandError>(self.pool, store, (&self.branch, tip), (&self.from, source))?;
        let made = match self.manner {
            SyncManner::Merge => self.merge(room, (source, tip), since.as_ref())?,
            SyncManner::Rebase => self.rebase(room, (source, tip), since.as_ref())?,
        };
        made.map_err(|(at, conflicts)| self.conflict(id, (source, tip), (since.or(base), at), conflicts))
    }

    fn merge(
        &self,
        room: &Room,
        (source, tip): (&Oid, &Oid),
        since: Option<&Oid>,
    ) -> Result<Tried, LandError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let request = MergeRequest { target: tip, source, base: since, room: &room.0 };
        let tree = match git::merge_trees(git, repo, &request)? {
            Merged::Clean(tree) => tree,
            Merged::Conflict(conflicts) => return Ok(Err((None, conflicts))),
        };
        let message = format!("Merge branch '{}' into {}", self.from, self.branch);
        let parents = [*tip, *source];
        let new = NewCommit { tree: &tree, parents: &parents, author: None, message: message.as_bytes() };
        Ok(Ok(git::write_commit(git, repo, &new)?))
    }

    fn rebase(
        &self,
        room: &Room,
        (source, tip): (&Oid, &Oid),
        since: Option<&Oid>,
    ) -> Result<Tried, LandError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let own = git::commits_between(git, repo, since.unwrap_or(source), tip)?;
        Ok(match git::rebase(git, repo, source, &own, &room.0)? {
            Rebased::Onto(commit, _) => Ok(commit),
            Rebased::Conflict { at, conflicts } => Err((Some(at), conflicts)),
        })
    }

    fn conflict(
        &self,
        id: LandingId,
        (source, tip): (&Oid, &Oid),
        (base, at): (Option<Oid>, Option<Oid>),
        conflicts: Conflicts,
    ) -> SyncError {
        let hunks = super::candidate::hunks(self.pool, &conflicts);
        SyncError::Conflict(Box::new(ConflictReport {
            id,
            strategy: self.strategy(),
            target: self.branch.clone(),
            target_oid: *tip,
            source: *source,
            branch: Some(self.from.clone()),
            worktree: Some(self.record.name.clone()),
            base,
            at,
            conflicts,
            hunks,
            prepared: None,
        }))
    }

    fn record_of(&self, id: LandingId, source: Oid, (before, candidate): (Oid, Oid)) -> LandingRecord {
        LandingRecord {
            id,
            key: None,
            state: LandingState::Candidate,
            strategy: self.strategy(),
            target: self.branch.clone(),
            source,
            branch: Some(self.from.clone()),
            worktree: Some(self.record.name.clone()),
            before,
            candidate,
            place: Some((self.place.root.clone(), self.place.admin.clone())),
            created_at: Pool::now(),
            ended_at: None,
            detail: String::new(),
        }
    }

    fn strategy(&self) -> LandStrategy {
        match self.manner {
            SyncManner::Merge => LandStrategy::Merge,
            SyncManner::Rebase => LandStrategy::Rebase,
        }
    }

    /// From here on the worktree's own work is what differs from the commits that came.
    fn settle_base(&self, store: &mut LocalStore, source: &Oid) -> Result<(), SyncError> {
        if self.record.target.as_ref() == Some(&self.from) {
            store
                .transaction(|tx| tx.set_base(self.record.id, source, Some(&self.from)))
                .map_err(LandError::from)?;
        }
        Ok(())
    }

    /// What is in progress there is the worktree's and not a target's.
    fn unfinished(&self, error: LandError) -> SyncError {
        match error {
            LandError::Overlaps { paths, .. } => {
                SyncError::Overlaps { name: self.record.name.clone(), paths }
            }
            error => error.into(),
        }
    }

    fn outcome(&self, source: Oid, (before, after): (Oid, Oid), commits: u64) -> Synced {
        Synced {
            name: self.record.name.clone(),
            branch: self.branch.clone(),
            from: self.from.clone(),
            source,
            manner: self.manner,
            before,
            after,
            commits,
        }
    }
}

/// A commit, or the commit of the work that does not fit and the conflicts.
type Tried = Result<Oid, (Option<Oid>, Conflicts)>;
