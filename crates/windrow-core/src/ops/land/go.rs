//! A landing from its request to its end.

use std::time::{Duration, Instant};

use windrow_model::{
    BranchDisposal, BranchName, Checkout, LandStrategy, LandingEvent, LandingId, LandingRecord, LandingState,
    LeaseKey, Oid, WorktreeState, branch_disposal,
};

use super::{
    apply::{self, Room},
    candidate::{self, Made, Wanted},
    check::Check,
    error::LandError,
    lay,
    outcome::{LandMode, LandRequest, Landed, LandedFate, OnConflict, Verified},
    place::{self, Place},
    queue, recover, refs,
    source::{self, Source},
    verify::Trial,
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

/// How often a target that moves while a landing is verified is followed at least.
const TRIALS: u32 = 10;

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
    let order = order(pool, &mut store, request, observer)?;
    // Whoever queues something from here on comes after us.
    let before_us = match order.mode {
        LandMode::Land | LandMode::NoCommit => queue::last_of(&store, &order.target)?,
        LandMode::DryRun => None,
    };
    let _lock = lock(pool, &order.target, Wait::Forever)?;
    // Whoever had it before may have died with it.
    recover::recover_under(pool, &mut store, &order.target, observer)?;
    queue::serve_before(pool, &mut store, (&order.target, before_us), observer)?;
    carry_out(pool, &mut store, &order, observer)
}

/// Everything about a landing that is known before its turn comes.
pub(super) struct Order {
    pub(super) source: Source,
    pub(super) target: BranchName,
    pub(super) strategy: LandStrategy,
    pub(super) message: Option<String>,
    pub(super) key: Option<LeaseKey>,
    pub(super) mode: LandMode,
    pub(super) on_conflict: OnConflict,
    pub(super) trial: Option<Trial>,
}

/// Brings the pool to order and finds out what is wanted.
pub(super) fn order(
    pool: &Pool,
    store: &mut LocalStore,
    request: &LandRequest,
    observer: &mut dyn Observer,
) -> Result<Order, LandError> {
    let spared = spare(store, request);
    before(pool, store, &spared, observer)?;
    let source = source::find(pool, store, request)?;
    let target = request.onto.clone().or_else(|| source.target.clone()).ok_or(LandError::NoTarget)?;
    if source.branch.as_ref() == Some(&target) {
        return Err(LandError::OnItself(target));
    }
    let order = Order {
        source,
        target,
        strategy: request.strategy.unwrap_or(pool.settings().land.strategy),
        message: request.message.clone(),
        key: request.key.clone(),
        mode: request.mode,
        on_conflict: request.on_conflict,
        trial: Trial::of(pool, request),
    };
    refuse_misuse(&order).map(|()| order)
}

fn refuse_misuse(order: &Order) -> Result<(), LandError> {
    if order.on_conflict == OnConflict::Prepare {
        lay::resolvable(&order.source)?;
    }
    let commits = matches!(order.strategy, LandStrategy::Rebase | LandStrategy::FastForward);
    if order.mode == LandMode::NoCommit && commits {
        return Err(LandError::NeedsCommits(order.strategy));
    }
    Ok(())
}

/// Lands what is wanted; the caller holds the landing lock.
pub(super) fn carry_out(
    pool: &Pool,
    store: &mut LocalStore,
    order: &Order,
    observer: &mut dyn Observer,
) -> Result<Landed, LandError> {
    let job = Job { pool, order, source: &order.source, target: &order.target, trial: order.trial.as_ref() };
    let mut landed = job.follow(store, observer).map_err(|error| job.on_conflict(store, error))?;
    if !matches!(landed.fate, LandedFate::WouldLand | LandedFate::Staged) {
        landed.branch_deleted = job.dispose_of_branch(store, &mut landed.notices);
    }
    Ok(landed)
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
    order: &'a Order,
    source: &'a Source,
    target: &'a BranchName,
    trial: Option<&'a Trial>,
}

impl Job<'_> {
    /// Lays a conflict out in the worktree, if that is wanted.
    fn on_conflict(&self, store: &mut LocalStore, error: LandError) -> LandError {
        match error {
            LandError::Conflict(mut report) if self.order.on_conflict == OnConflict::Prepare => {
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

    /// Tries until the target stands still for long enough; while it is verified it may move a few times.
    fn follow(&self, store: &mut LocalStore, observer: &mut dyn Observer) -> Result<Landed, LandError> {
        let until = Instant::now() + PATIENCE;
        let mut trials = self.trial.map_or(0, |_| TRIALS);
        loop {
            let outcome = self.attempt(store, observer);
            if !matches!(outcome, Err(LandError::Moved { .. })) || (trials == 0 && Instant::now() >= until) {
                return outcome;
            }
            trials = trials.saturating_sub(1);
        }
    }

    fn attempt(&self, store: &mut LocalStore, observer: &mut dyn Observer) -> Result<Landed, LandError> {
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
        if self.order.mode == LandMode::DryRun {
            let looked = place.as_ref().map_or(Ok(()), |place| self.look(place, (&tip, &commit), &room));
            clear(&room);
            looked?;
            let mut landed = self.outcome(None, LandedFate::WouldLand, (tip, commit), place.as_ref());
            landed.work = self.work(&tip, &commit)?;
            return Ok(landed);
        }
        if self.order.mode == LandMode::NoCommit {
            return self.stage(store, id, (tip, commit), place);
        }
        self.apply(store, id, (tip, commit), place.as_ref(), observer)
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
            key: self.order.key.clone(),
            state: LandingState::Candidate,
            strategy: self.order.strategy,
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
            strategy: self.order.strategy,
            target: self.target,
            before: tip,
            source: self.source,
            since: match &self.source.branch {
                Some(branch) => landed_last::<LandError>(
                    self.pool,
                    store,
                    (branch, &self.source.tip),
                    (self.target, tip),
                )?,
                None => None,
            },
            message: self.order.message.as_deref(),
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
        observer: &mut dyn Observer,
    ) -> Result<Landed, LandError> {
        let mut landing = self.record(id, (before, candidate), place);
        store.transaction(|tx| tx.insert_landing(&landing))?;
        let verified = match self.verify(store, &landing, observer) {
            Ok(verified) => verified,
            Err(error) => return Err(self.not_verified(store, &landing, error)?),
        };
        let room = Room::of(self.pool, id);
        let mut remake = |store: &LocalStore, tip: &Oid| self.remake(store, id, tip, &room);
        let applied = match place {
            Some(place) => apply::somewhere(self.pool, store, &mut landing, place, &mut remake),
            None => apply::nowhere(self.pool, store, &landing),
        };
        if let Err(error) = applied {
            settle(self.pool, store, &landing, error)?;
        }
        let (before, candidate) = (landing.before, landing.candidate);
        let mut landed = self.outcome(Some(id), LandedFate::Landed, (before, candidate), place);
        landed.work = self.work(&before, &candidate)?;
        landed.verified = verified;
        Ok(landed)
    }

    /// Keeps the commit, and has it stand its trial.
    fn verify(
        &self,
        store: &mut LocalStore,
        landing: &LandingRecord,
        observer: &mut dyn Observer,
    ) -> Result<Option<Verified>, LandError> {
        refs::keep(self.pool, landing.id, &landing.candidate)?;
        self.trial.map(|trial| trial.stand(self.pool, store, landing, observer)).transpose()
    }

    /// Makes the commit anew while the target cannot move; one that has not stood its trial gives the target free again.
    fn remake(&self, store: &LocalStore, id: LandingId, tip: &Oid, room: &Room) -> Result<Made, LandError> {
        let made = self.make(store, id, tip, room)?;
        match (self.trial, &made) {
            (Some(trial), Made::Commit(commit)) if trial.stood(self.pool, store, commit)?.is_none() => {
                Err(LandError::Moved { target: self.target.clone() })
            }
            _ => Ok(made),
        }
    }

    /// Ends a landing for which nothing has moved yet; gives the error back.
    fn not_verified(
        &self,
        store: &mut LocalStore,
        landing: &LandingRecord,
        error: LandError,
    ) -> Result<LandError, LandError> {
        let event = match &error {
            LandError::VerifyFailed(_) => LandingEvent::VerifyFailed,
            _ => LandingEvent::TakenBack,
        };
        recover::abandon(self.pool, store, landing, (event, &chain(&error)))?;
        Ok(error)
    }

    /// The landing of the same key that is done.
    fn with_key(&self, store: &LocalStore) -> Result<Option<LandingRecord>, LandError> {
        let Some(key) = &self.order.key else { return Ok(None) };
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
            strategy: self.order.strategy,
            target: self.target.clone(),
            before,
            after,
            source: self.source.tip,
            branch: self.source.branch.clone(),
            worktree: self.source.worktree.clone(),
            work: WorkSummary::default(),
            place: place.map(|place| place.root.clone()),
            verified: None,
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

pub(super) fn clear(room: &Room) {
    if let Err(error) = room.clear() {
        tracing::debug!(%error, "what a landing needed stays for now");
    }
}
