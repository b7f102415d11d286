//! A landing from its request to its end.

use std::time::{Duration, Instant};

use windrow_model::{
    BranchDisposal, BranchName, Checkout, LandStrategy, LandingEvent, LandingId, LandingRecord, LandingState,
    Oid, WorktreeState, branch_disposal,
};

use super::{
    apply::{self, Room},
    candidate::{self, Made, Wanted},
    check::Check,
    error::LandError,
    lay,
    outcome::{LandMode, LandRequest, Landed, LandedFate, OnConflict},
    place::{self, Place},
    recover, refs,
    source::{self, Source},
};
use crate::{
    fs::{self, Swap},
    git::{self, Expect, GitError, Objects, RefChange},
    ops::{
        error::{StateError, chain},
        observer::Observer,
        outcome::WorkSummary,
        pool::Pool,
        recover::{Spare, before},
    },
    process::{FileLock, Wait},
    store::{LocalStore, StoreError},
};

/// How long a target that moves all the time is followed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to land on one target.
#[derive(Debug)]
pub(super) struct LandingLock(#[expect(dead_code, reason = "held for its drop")] FileLock);

/// Takes the lock of a target; those who wait are served in the order in which they came.
pub(super) fn lock(pool: &Pool, target: &BranchName, wait: Wait) -> Result<Option<LandingLock>, StateError> {
    let name = blake3::hash(target.as_str().as_bytes()).to_hex();
    let directory = pool.locks().join("landing");
    fs::private_dir(&directory)?;
    let path = directory.join(&name.as_str()[..16]);
    Ok(FileLock::acquire(&path, wait)?.map(LandingLock))
}

/// Lands work on its target, wholly or not at all, and with the checkout that has the target.
///
/// The same commit lands once on the same target, and the same key once altogether: asking again tells what became of it.
///
/// # Errors
/// Nothing was landed, and target and checkouts are as they were; see [`LandError`].
pub fn land(pool: &Pool, request: &LandRequest, observer: &mut dyn Observer) -> Result<Landed, LandError> {
    let mut store = pool.store()?;
    let spared = spare(&store, request);
    before(pool, &mut store, &spared, observer)?;
    let source = source::find(pool, &store, request)?;
    let target = request.onto.clone().or_else(|| source.target.clone()).ok_or(LandError::NoTarget)?;
    if source.branch.as_ref() == Some(&target) {
        return Err(LandError::OnItself(target));
    }
    let job = Job { pool, request, source: &source, target: &target, strategy: strategy(pool, request) };
    job.refuse_misuse()?;
    let lock = lock(pool, &target, Wait::Forever)?;
    // Whoever had it before may have died with it.
    recover::recover_under(pool, &mut store, &target, observer)?;
    let mut landed = job.follow(&mut store).map_err(|error| job.on_conflict(&mut store, error))?;
    drop(lock);
    if !matches!(landed.fate, LandedFate::WouldLand | LandedFate::Staged) {
        landed.branch_deleted = job.dispose_of_branch(&store, &mut landed.notices);
    }
    Ok(landed)
}

fn strategy(pool: &Pool, request: &LandRequest) -> LandStrategy {
    request.strategy.unwrap_or(pool.settings().land.strategy)
}

/// What is to be landed is not given back by the very command that lands it.
fn spare(store: &LocalStore, request: &LandRequest) -> Spare {
    let found = match &request.source {
        super::LandSource::Worktree(selector) => {
            crate::ops::select::find(store, selector).ok().map(|entry| entry.worktree)
        }
        super::LandSource::Branch(branch) => store.live_worktree_on_branch(branch).ok().flatten(),
        super::LandSource::Rescue(_) => None,
    };
    found.map_or(Spare::Nothing, |worktree| Spare::Worktree(worktree.id))
}

struct Job<'a> {
    pool: &'a Pool,
    request: &'a LandRequest,
    source: &'a Source,
    target: &'a BranchName,
    strategy: LandStrategy,
}

impl Job<'_> {
    fn refuse_misuse(&self) -> Result<(), LandError> {
        if self.request.on_conflict == OnConflict::Prepare {
            lay::resolvable(self.source)?;
        }
        let commits = matches!(self.strategy, LandStrategy::Rebase | LandStrategy::FastForward);
        if self.request.mode == LandMode::NoCommit && commits {
            return Err(LandError::NeedsCommits(self.strategy));
        }
        Ok(())
    }

    /// Lays a conflict out in the worktree, if that is wanted.
    fn on_conflict(&self, store: &mut LocalStore, error: LandError) -> LandError {
        match error {
            LandError::Conflict(mut report) if self.request.on_conflict == OnConflict::Prepare => {
                match lay::prepare(self.pool, store, self.source, &report) {
                    Ok(root) => {
                        report.prepared = Some(root);
                        LandError::Conflict(report)
                    }
                    Err(error) => error,
                }
            }
            error => error,
        }
    }

    /// Tries until the target stands still for long enough.
    fn follow(&self, store: &mut LocalStore) -> Result<Landed, LandError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.attempt(store) {
                Err(LandError::Moved { .. }) if Instant::now() < until => {}
                outcome => return outcome,
            }
        }
    }

    fn attempt(&self, store: &mut LocalStore) -> Result<Landed, LandError> {
        let pool = self.pool;
        if let Some(done) = self.with_key(store)? {
            return self.landed_before(&done);
        }
        let tip = git::read_ref(&pool.git, pool.repository(), &self.target.full())?;
        let tip = tip.ok_or_else(|| LandError::UnknownBranch(self.target.clone()))?;
        if let Some(fate) = self.already(store, &tip)? {
            return Ok(self.outcome(None, fate, (tip, tip), None));
        }
        let place = place::of(pool, store, self.target)?;
        let id = LandingId::new(uuid::Uuid::now_v7());
        let room = Room::of(pool, id);
        room.make(pool)?;
        let made = self.make(store, id, &tip, &room);
        let commit = match made {
            Ok(Made::Commit(commit)) => commit,
            Ok(Made::NothingToAdd) => {
                clear(&room);
                return Ok(self.outcome(None, LandedFate::NothingToAdd, (tip, tip), None));
            }
            Err(error) => {
                clear(&room);
                return Err(error);
            }
        };
        if self.request.mode == LandMode::DryRun {
            let looked = place.as_ref().map_or(Ok(()), |place| self.look(place, (&tip, &commit), &room));
            clear(&room);
            looked?;
            let mut landed = self.outcome(None, LandedFate::WouldLand, (tip, commit), place.as_ref());
            landed.work = self.work(&tip, &commit)?;
            return Ok(landed);
        }
        if self.request.mode == LandMode::NoCommit {
            return self.stage(store, id, (tip, commit), place);
        }
        self.apply(store, id, (tip, commit), place.as_ref())
    }

    fn stage(
        &self,
        store: &mut LocalStore,
        id: LandingId,
        (before, candidate): (Oid, Oid),
        place: Option<Place>,
    ) -> Result<Landed, LandError> {
        let room = Room::of(self.pool, id);
        let Some(place) = place else {
            clear(&room);
            return Err(LandError::NotCheckedOut(self.target.clone()));
        };
        let landing = self.record(id, (before, candidate), Some(&place));
        lay::stage(self.pool, store, &landing, &place).inspect_err(|_| {
            // A landing that is on record and not over needs its room.
            if store.landing(id).is_ok_and(|landing| landing.is_none()) {
                clear(&room);
            }
        })?;
        let mut landed = self.outcome(None, LandedFate::Staged, (before, before), Some(&place));
        landed.work = self.work(&before, &candidate)?;
        Ok(landed)
    }

    fn record(&self, id: LandingId, (before, candidate): (Oid, Oid), place: Option<&Place>) -> LandingRecord {
        LandingRecord {
            id,
            key: self.request.key.clone(),
            state: LandingState::Candidate,
            strategy: self.strategy,
            target: self.target.clone(),
            source: self.source.tip,
            branch: self.source.branch.clone(),
            worktree: self.source.worktree.clone(),
            before,
            candidate,
            place: place.map(|place| (place.root.clone(), place.admin.clone())),
            created_at: Pool::now(),
            ended_at: None,
            detail: String::new(),
        }
    }

    fn make(&self, store: &LocalStore, id: LandingId, tip: &Oid, room: &Room) -> Result<Made, LandError> {
        let wanted = Wanted {
            id,
            strategy: self.strategy,
            target: self.target,
            before: tip,
            source: self.source,
            since: self.since(store, tip)?,
            message: self.request.message.as_deref(),
            room: &room.0,
        };
        candidate::make(self.pool, &wanted)
    }

    fn apply(
        &self,
        store: &mut LocalStore,
        id: LandingId,
        (before, candidate): (Oid, Oid),
        place: Option<&Place>,
    ) -> Result<Landed, LandError> {
        let mut landing = self.record(id, (before, candidate), place);
        store.transaction(|tx| tx.insert_landing(&landing))?;
        let room = Room::of(self.pool, id);
        let mut remake = |store: &LocalStore, tip: &Oid| self.make(store, id, tip, &room);
        let applied =
            refs::keep(self.pool, id, &candidate).map_err(LandError::from).and_then(|()| match place {
                Some(place) => apply::somewhere(self.pool, store, &mut landing, place, &mut remake),
                None => apply::nowhere(self.pool, store, &landing),
            });
        if let Err(error) = applied {
            settle(self.pool, store, &landing, error)?;
        }
        let (before, candidate) = (landing.before, landing.candidate);
        let mut landed = self.outcome(Some(id), LandedFate::Landed, (before, candidate), place);
        landed.work = self.work(&before, &candidate)?;
        Ok(landed)
    }

    /// The landing of the same key that is done.
    fn with_key(&self, store: &LocalStore) -> Result<Option<LandingRecord>, LandError> {
        let Some(key) = &self.request.key else { return Ok(None) };
        Ok(store.landing_with_key(key)?)
    }

    fn landed_before(&self, done: &LandingRecord) -> Result<Landed, LandError> {
        let mut landed =
            self.outcome(Some(done.id), LandedFate::AlreadyThere, (done.before, done.candidate), None);
        (landed.target, landed.strategy, landed.source) = (done.target.clone(), done.strategy, done.source);
        Ok(landed)
    }

    /// Whether the target holds the work already, as it is or by an earlier landing of the same commit.
    fn already(&self, store: &LocalStore, tip: &Oid) -> Result<Option<LandedFate>, LandError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        if git::is_ancestor(git, repo, &self.source.tip, tip)? {
            return Ok(Some(LandedFate::AlreadyThere));
        }
        for done in store.landings_of_commit(&self.source.tip)? {
            if done.target == *self.target && git::is_ancestor(git, repo, &done.candidate, tip)? {
                return Ok(Some(LandedFate::AlreadyThere));
            }
        }
        Ok(None)
    }

    fn since(&self, store: &LocalStore, tip: &Oid) -> Result<Option<Oid>, LandError> {
        let Some(branch) = &self.source.branch else { return Ok(None) };
        landed_last(self.pool, store, (branch, &self.source.tip), (self.target, tip))
    }

    /// Looks for what is in the way, for nothing but to tell.
    fn look(&self, place: &Place, (before, commit): (&Oid, &Oid), room: &Room) -> Result<(), LandError> {
        place.look_again(self.pool, self.target)?;
        let swap = Swap::open(&place.root, &room.0).map_err(|source| apply::io_error(&room.0, source))?;
        let index = place.admin.join("index");
        let entries = git::read_index(&index, self.pool.repository().object_format)?;
        let objects = Objects::open(self.pool.repository());
        let differences = git::tree_differences(&objects, before, commit)?;
        let check = Check {
            pool: self.pool,
            root: &place.root,
            swap: &swap,
            entries: &entries,
            differences: &differences,
        };
        check.plan().map(drop)
    }

    fn work(&self, before: &Oid, after: &Oid) -> Result<WorkSummary, LandError> {
        let (git, repo) = (&self.pool.git, self.pool.repository());
        let changes = git::changed_files(git, repo, before, after)?;
        Ok(WorkSummary {
            commits: git::count_commits(git, repo, before, after)?,
            files: changes.files.len() as u64,
            added: changes.added(),
            deleted: changes.removed(),
        })
    }

    fn outcome(
        &self,
        id: Option<LandingId>,
        fate: LandedFate,
        (before, after): (Oid, Oid),
        place: Option<&Place>,
    ) -> Landed {
        Landed {
            id,
            fate,
            strategy: self.strategy,
            target: self.target.clone(),
            before,
            after,
            source: self.source.tip,
            branch: self.source.branch.clone(),
            worktree: self.source.worktree.clone(),
            work: WorkSummary::default(),
            place: place.map(|place| place.root.clone()),
            branch_deleted: false,
            notices: Vec::new(),
        }
    }

    /// Deletes the branch of a worktree that is gone, if the policy says so and it is where it was; that of another goes with its
    /// worktree.
    fn dispose_of_branch(&self, store: &LocalStore, notices: &mut Vec<String>) -> bool {
        let (Some(branch), Some(record)) = (&self.source.branch, &self.source.record) else { return false };
        let Checkout::Branch { name, origin } = &record.checkout else { return false };
        let facts = BranchDisposal { origin: *origin, empty: false, landed: true, pushed: false };
        if name != branch
            || record.state != WorktreeState::Gone
            || !branch_disposal(&facts, self.pool.settings().branch.delete)
        {
            return false;
        }
        match self.delete_branch(store, branch) {
            Ok(deleted) => deleted,
            Err(error) => {
                notices.push(format!("branch `{branch}` stays: {}", chain(&error)));
                false
            }
        }
    }

    fn delete_branch(&self, store: &LocalStore, branch: &BranchName) -> Result<bool, LandError> {
        let _lock = self.pool.lock_repository()?;
        let (git, repo) = (&self.pool.git, self.pool.repository());
        if store.live_worktree_on_branch(branch)?.is_some() || repo.branch_in_use(git, branch)?.is_some() {
            return Ok(false);
        }
        let change = RefChange { name: branch.full(), new: None, old: Expect::Is(self.source.tip) };
        match git::update_refs(git, repo, &[change], "windrow: landed branch deleted") {
            // Somebody went on with it.
            Err(error) if error.moved() => Ok(false),
            deleted => Ok(deleted.map(|()| true)?),
        }
    }
}

/// The commit of a branch that landed last, if the branch goes on from it and the target still holds what came of it: by a squash
/// the target does not know that commit.
pub(in crate::ops) fn landed_last<E: From<StoreError> + From<GitError>>(
    pool: &Pool,
    store: &LocalStore,
    (branch, source): (&BranchName, &Oid),
    (target, at): (&BranchName, &Oid),
) -> Result<Option<Oid>, E> {
    let (git, repo) = (&pool.git, pool.repository());
    for done in store.landings_of(branch, target)? {
        let squashed = matches!(done.strategy, LandStrategy::Squash | LandStrategy::Rebase);
        // Work that merged its target since has what landed from there.
        if squashed
            && git::is_ancestor(git, repo, &done.source, source)?
            && git::is_ancestor(git, repo, &done.candidate, at)?
            && !git::is_ancestor(git, repo, &done.candidate, source)?
        {
            return Ok(Some(done.source));
        }
    }
    Ok(None)
}

/// Takes back a landing that failed, or finishes one that went through in spite of the error.
pub(super) fn settle(
    pool: &Pool,
    store: &mut LocalStore,
    landing: &LandingRecord,
    error: LandError,
) -> Result<(), LandError> {
    let before = store.landing(landing.id)?.map(|landing| landing.state);
    let blocked =
        matches!(error, LandError::Overlaps { .. } | LandError::Occupied { .. } | LandError::IndexLocked(_));
    if blocked && before != Some(LandingState::Applying) {
        let why = chain(&error);
        recover::abandon(pool, store, landing, (LandingEvent::Blocked, &why))?;
        return Err(error);
    }
    match recover::settle(pool, store, landing)? {
        recover::Settled::Landed | recover::Settled::LaidOut => Ok(()),
        recover::Settled::Undone(_) => Err(error),
    }
}

fn clear(room: &Room) {
    if let Err(error) = room.clear() {
        tracing::debug!(%error, "what a landing needed stays for now");
    }
}
