//! Decisions over records, as tables: what a key gives, whether a lease still lives, what recovery does.

use jiff::Timestamp;

use crate::{BranchOrigin, DeleteBranch, HolderLiveness, WorktreeState};

/// What stands behind a key that somebody acquires with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySituation {
    /// The key was never used, or nothing of it is left.
    Unused,
    /// A live lease of the very caller.
    HeldByCaller,
    /// A live lease of somebody else who is alive, or whose death is not proven.
    HeldByOther,
    /// A lease whose holder is proven dead, the worktree still in place.
    HolderDead,
    /// The worktree is kept.
    Kept,
    /// The lease ended and its branch is still there.
    Released,
}

/// What acquiring with a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDecision {
    /// Make a new worktree and branch.
    New,
    /// Hand out the same lease again.
    Same,
    /// Refuse: try again later.
    Busy,
    /// Give the worktree to the caller under a new fence, files untouched.
    TakeOver,
    /// Give the kept worktree back, files untouched.
    Reattach,
    /// Make a new worktree on the key's branch.
    NewOnBranch,
}

/// Decides what acquiring with a key does.
#[must_use]
pub fn decide_key(situation: KeySituation) -> KeyDecision {
    match situation {
        KeySituation::Unused => KeyDecision::New,
        KeySituation::HeldByCaller => KeyDecision::Same,
        KeySituation::HeldByOther => KeyDecision::Busy,
        KeySituation::HolderDead => KeyDecision::TakeOver,
        KeySituation::Kept => KeyDecision::Reattach,
        KeySituation::Released => KeyDecision::NewOnBranch,
    }
}

/// What can be observed about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseSituation {
    /// The owner lock of a supervised command: `Some(true)` held, `Some(false)` free, `None` when the lease has no supervisor.
    pub supervised: Option<bool>,
    /// The holder.
    pub holder: HolderLiveness,
    /// When it ends by time alone.
    pub expires_at: Option<Timestamp>,
    /// Whether any process uses the worktree; what could not be read counts as use.
    pub occupied: bool,
}

/// What becomes of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseFate {
    /// It goes on.
    Lives,
    /// Its holder is gone but something still uses the worktree: wait, end nothing.
    Deferred,
    /// Its supervisor died: kill what it left behind, then rescue and release.
    Abandoned,
    /// Rescue and release.
    Ended,
}

/// Decides what becomes of a lease at `now`.
///
/// A live holder process means no expiry; without one the expiry decides; use of the worktree defers the end, except for a
/// supervised command, whose leftovers are ours to kill.
#[must_use]
pub fn lease_fate(situation: &LeaseSituation, now: Timestamp) -> LeaseFate {
    let expired = situation.expires_at.is_some_and(|end| end <= now);
    match (situation.supervised, situation.holder) {
        (Some(true), _) => LeaseFate::Lives,
        (Some(false), _) => LeaseFate::Abandoned,
        (None, HolderLiveness::Alive) => LeaseFate::Lives,
        (None, HolderLiveness::Unobservable) if !expired => LeaseFate::Lives,
        (None, _) if situation.occupied => LeaseFate::Deferred,
        (None, _) => LeaseFate::Ended,
    }
}

/// What recovery does with a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryAction {
    /// Nothing.
    Leave,
    /// Undo a creation that nobody saw finished.
    RollBack,
    /// Look at the lease's fate.
    Examine,
    /// Rescue and release a worktree whose time is over.
    Release,
    /// Finish what was begun.
    RollForward,
    /// Throw away a worktree that was held ready for longer than it is to be.
    Discard,
}

/// Decides what recovery does with a worktree that no live operation works on.
#[must_use]
pub fn recovery_action(
    state: WorktreeState,
    keep_until: Option<Timestamp>,
    now: Timestamp,
) -> RecoveryAction {
    match state {
        WorktreeState::Creating => RecoveryAction::RollBack,
        WorktreeState::Leased => RecoveryAction::Examine,
        WorktreeState::Releasing | WorktreeState::Removing => RecoveryAction::RollForward,
        WorktreeState::Kept if keep_until.is_some_and(|end| end <= now) => RecoveryAction::Release,
        WorktreeState::Idle if keep_until.is_some_and(|end| end <= now) => RecoveryAction::Discard,
        WorktreeState::Kept | WorktreeState::Idle | WorktreeState::Quarantined | WorktreeState::Gone => {
            RecoveryAction::Leave
        }
    }
}

/// What is known about a branch whose worktree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchDisposal {
    /// Who made it.
    pub origin: BranchOrigin,
    /// It points at the worktree's base, so that nothing was committed in this worktree.
    pub empty: bool,
    /// Its work is recorded as landed.
    pub landed: bool,
    /// The remote holds this very commit.
    pub pushed: bool,
}

/// Tells whether a branch may be deleted with its worktree.
///
/// A branch that Windrow did not make is never deleted; an empty one may always go unless the policy says never. One that
/// is continued holds the commits of a former worktree, so it is never empty.
#[must_use]
pub fn branch_disposal(branch: &BranchDisposal, policy: DeleteBranch) -> bool {
    let empty = branch.empty && branch.origin == BranchOrigin::Created;
    let by_policy = match policy {
        DeleteBranch::Never => false,
        DeleteBranch::Empty => empty,
        DeleteBranch::Landed => empty || branch.landed,
        DeleteBranch::Pushed => empty || branch.landed || branch.pushed,
    };
    branch.origin != BranchOrigin::Existing && by_policy
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn every_situation() -> impl Iterator<Item = LeaseSituation> {
        let supervised = [None, Some(true), Some(false)];
        let holders = [HolderLiveness::Alive, HolderLiveness::Dead, HolderLiveness::Unobservable];
        let expiries = [None, Some(Timestamp::MIN), Some(Timestamp::MAX)];
        supervised.into_iter().flat_map(move |supervised| {
            holders.into_iter().flat_map(move |holder| {
                expiries.into_iter().flat_map(move |expires_at| {
                    [true, false].map(|occupied| LeaseSituation { supervised, holder, expires_at, occupied })
                })
            })
        })
    }

    #[test]
    fn a_lease_never_ends_while_anything_may_live_in_it() {
        for situation in every_situation() {
            let fate = lease_fate(&situation, NOW);
            let ends = matches!(fate, LeaseFate::Ended | LeaseFate::Abandoned);
            if situation.supervised == Some(true) {
                assert!(!ends, "{situation:?}");
            }
            if situation.supervised.is_none()
                && (situation.occupied || situation.holder == HolderLiveness::Alive)
            {
                assert!(!ends, "{situation:?}");
            }
            if ends && situation.holder == HolderLiveness::Unobservable && situation.supervised.is_none() {
                assert_eq!(situation.expires_at, Some(Timestamp::MIN), "{situation:?}");
            }
        }
    }

    #[test]
    fn what_is_over_does_end() {
        let over = LeaseSituation {
            supervised: None,
            holder: HolderLiveness::Unobservable,
            expires_at: Some(Timestamp::MIN),
            occupied: false,
        };
        assert_eq!(lease_fate(&over, NOW), LeaseFate::Ended);
        let dead = LeaseSituation { holder: HolderLiveness::Dead, expires_at: None, ..over };
        assert_eq!(lease_fate(&dead, NOW), LeaseFate::Ended);
        let abandoned = LeaseSituation { supervised: Some(false), occupied: true, ..over };
        assert_eq!(lease_fate(&abandoned, NOW), LeaseFate::Abandoned);
    }

    #[test]
    fn a_key_never_gives_a_second_worktree_while_the_first_is_in_place() {
        use KeySituation as S;
        for situation in [S::HeldByCaller, S::HeldByOther, S::HolderDead, S::Kept] {
            let decision = decide_key(situation);
            assert!(!matches!(decision, KeyDecision::New | KeyDecision::NewOnBranch), "{situation:?}");
        }
        assert_eq!(decide_key(S::Released), KeyDecision::NewOnBranch);
    }

    #[test]
    fn recovery_leaves_what_people_may_look_at() {
        use WorktreeState as W;
        for state in [W::Idle, W::Quarantined, W::Gone, W::Kept] {
            assert_eq!(recovery_action(state, None, NOW), RecoveryAction::Leave);
        }
        assert_eq!(recovery_action(W::Kept, Some(NOW), NOW), RecoveryAction::Release);
        assert_eq!(recovery_action(W::Idle, Some(NOW), NOW), RecoveryAction::Discard);
        let later = NOW + jiff::SignedDuration::from_secs(1);
        assert_eq!(recovery_action(W::Idle, Some(later), NOW), RecoveryAction::Leave);
        assert_eq!(recovery_action(W::Creating, None, NOW), RecoveryAction::RollBack);
        assert_eq!(recovery_action(W::Removing, None, NOW), RecoveryAction::RollForward);
    }

    #[test]
    fn a_branch_that_was_there_before_is_never_deleted() {
        let policies = [DeleteBranch::Never, DeleteBranch::Empty, DeleteBranch::Landed, DeleteBranch::Pushed];
        let theirs =
            BranchDisposal { origin: BranchOrigin::Existing, empty: true, landed: true, pushed: true };
        assert!(policies.iter().all(|policy| !branch_disposal(&theirs, *policy)));
        let ours =
            BranchDisposal { origin: BranchOrigin::Created, empty: false, landed: false, pushed: false };
        assert!(policies.iter().all(|policy| !branch_disposal(&ours, *policy)));
        let empty = BranchDisposal { empty: true, ..ours };
        assert_eq!(policies.map(|policy| branch_disposal(&empty, policy)), [false, true, true, true]);
        let continued = BranchDisposal { origin: BranchOrigin::Continued, ..empty };
        assert!(policies.iter().all(|policy| !branch_disposal(&continued, *policy)));
        let landed = BranchDisposal { landed: true, ..continued };
        assert_eq!(policies.map(|policy| branch_disposal(&landed, policy)), [false, false, true, true]);
    }
}
