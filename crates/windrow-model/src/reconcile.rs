//! Comparing the records with git's registrations and the disk: one table, and the plan that follows from it.

use std::path::PathBuf;

use crate::{RescueId, WorktreeId, WorktreeName, WorktreeState};

/// What git knows of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistrationSeen {
    /// There is no administrative directory.
    Absent,
    /// It carries the worktree's id and names the recorded path.
    Ours,
    /// It carries the worktree's id and names another path.
    OtherPath,
    /// What lies there carries another id, or belongs to another repository.
    Foreign,
    /// It is ours, and the user locked it with a reason of their own.
    UserLocked,
}

/// What lies where the files of a worktree should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskSeen {
    /// Nothing.
    Absent,
    /// The directory that was made, by identity and by its `.git`.
    Ours,
    /// The directory that was made, but at another path, or its `.git` is missing or names nothing.
    Displaced,
    /// Another directory, or one whose `.git` names something else.
    Other,
    /// The file system it was on cannot be seen from here.
    OutOfSight,
}

/// Whether somebody uses a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UseSeen {
    /// Nobody.
    Free,
    /// A lease of it lives.
    Leased,
    /// An operation or a supervisor works on it at this moment.
    Working,
}

/// Everything that decides about one worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReconcileSituation {
    /// The recorded state; `None` when no record is left.
    pub record: Option<WorktreeState>,
    /// What git knows.
    pub registration: RegistrationSeen,
    /// What is on disk.
    pub disk: DiskSeen,
    /// Whether somebody uses it.
    pub used: UseSeen,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// Everything agrees.
    InOrder,
    /// Somebody uses it.
    InUse,
    /// The user locked it.
    LockedByUser,
    /// Its file system is not there.
    OutOfSight,
    /// It was made by somebody else.
    NotOurs,
    /// It is quarantined already.
    SetAside,
}

/// Which side is brought in line with where the files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mending {
    /// The registration names another path.
    Registration,
    /// The directory was moved, or its `.git` file does not lead to the registration.
    Files,
    /// Both.
    Both,
}

/// What does not agree and has no one right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discrepancy {
    /// The registration belongs to something else.
    ForeignRegistration,
    /// Another directory lies at its path.
    OtherDirectory,
    /// The files are there, the registration is gone.
    RegistrationGone,
    /// The registration names a place where nothing is.
    NamesNothing,
}

/// What is done about one worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileAction {
    /// Nothing.
    Leave(LeaveReason),
    /// The link between files, registration and record is written anew; no file of the worktree is touched.
    Repair(Mending),
    /// What git still knows is saved, then what is left goes, and the record ends.
    Finish,
    /// A creation that nobody saw finished is undone.
    RollBack,
    /// A record is made from what is on disk.
    Adopt,
    /// It is set aside, in place, for a person.
    Quarantine(Discrepancy),
}

/// Decides what is done about one worktree.
///
/// Whoever works on it is never disturbed; while a lease lives only the links are mended.
#[must_use]
pub fn reconcile_action(seen: &ReconcileSituation) -> ReconcileAction {
    use ReconcileAction as Action;
    if seen.used == UseSeen::Working {
        return Action::Leave(LeaveReason::InUse);
    }
    let action = match seen.record {
        None => lost(seen.registration, seen.disk),
        Some(WorktreeState::Gone) => Action::Leave(LeaveReason::NotOurs),
        Some(WorktreeState::Creating) => unfinished(seen.registration, seen.disk),
        Some(WorktreeState::Releasing | WorktreeState::Removing) => ending(seen.registration, seen.disk),
        Some(WorktreeState::Quarantined) => match settled(seen.registration, seen.disk) {
            Action::Quarantine(_) => Action::Leave(LeaveReason::SetAside),
            action => action,
        },
        Some(WorktreeState::Idle) => spare(seen.registration, seen.disk),
        Some(WorktreeState::Leased | WorktreeState::Kept) => settled(seen.registration, seen.disk),
    };
    match action {
        Action::Leave(_) | Action::Repair(_) => action,
        _ if seen.used == UseSeen::Leased => Action::Leave(LeaveReason::InUse),
        _ => action,
    }
}

/// A worktree that should be there as a whole.
fn settled(registration: RegistrationSeen, disk: DiskSeen) -> ReconcileAction {
    use DiskSeen as D;
    use ReconcileAction as Action;
    use RegistrationSeen as R;
    match (registration, disk) {
        (R::UserLocked, _) => Action::Leave(LeaveReason::LockedByUser),
        (_, D::OutOfSight) => Action::Leave(LeaveReason::OutOfSight),
        (R::Foreign, _) => Action::Quarantine(Discrepancy::ForeignRegistration),
        (_, D::Other) => Action::Quarantine(Discrepancy::OtherDirectory),
        (R::Ours, D::Ours) => Action::Leave(LeaveReason::InOrder),
        (R::OtherPath, D::Ours) => Action::Repair(Mending::Registration),
        (R::Ours, D::Displaced) => Action::Repair(Mending::Files),
        (R::OtherPath, D::Displaced) => Action::Repair(Mending::Both),
        (R::OtherPath, D::Absent) => Action::Quarantine(Discrepancy::NamesNothing),
        (R::Ours | R::Absent, D::Absent) => Action::Finish,
        (R::Absent, D::Ours | D::Displaced) => Action::Quarantine(Discrepancy::RegistrationGone),
    }
}

/// A worktree that nobody saw finished: nothing was ever done in it, but what the user locked, or what cannot be seen, stays.
fn unfinished(registration: RegistrationSeen, disk: DiskSeen) -> ReconcileAction {
    match (registration, disk) {
        (RegistrationSeen::UserLocked, _) => ReconcileAction::Leave(LeaveReason::LockedByUser),
        (_, DiskSeen::OutOfSight) => ReconcileAction::Leave(LeaveReason::OutOfSight),
        _ => ReconcileAction::RollBack,
    }
}

/// A worktree that is held ready: git does not know it, and it has no `.git` yet.
fn spare(registration: RegistrationSeen, disk: DiskSeen) -> ReconcileAction {
    use DiskSeen as D;
    use RegistrationSeen as R;
    match (registration, disk) {
        (R::Absent, D::Ours | D::Displaced) => ReconcileAction::Leave(LeaveReason::InOrder),
        (R::Absent, D::Absent) => ReconcileAction::RollBack,
        (registration, disk) => settled(registration, disk),
    }
}

/// A worktree that was on its way out: whatever is in order or half gone goes on its way.
fn ending(registration: RegistrationSeen, disk: DiskSeen) -> ReconcileAction {
    match settled(registration, disk) {
        ReconcileAction::Leave(LeaveReason::InOrder)
        | ReconcileAction::Quarantine(Discrepancy::RegistrationGone) => ReconcileAction::Finish,
        action => action,
    }
}

/// A registration with our mark of which no record is left.
fn lost(registration: RegistrationSeen, disk: DiskSeen) -> ReconcileAction {
    use DiskSeen as D;
    use RegistrationSeen as R;
    match (registration, disk) {
        (R::UserLocked, _) => ReconcileAction::Leave(LeaveReason::LockedByUser),
        (_, D::OutOfSight) => ReconcileAction::Leave(LeaveReason::OutOfSight),
        (R::Ours | R::OtherPath, D::Ours | D::Displaced) | (R::Ours, D::Absent) => ReconcileAction::Adopt,
        (R::Absent | R::Foreign, _) | (_, D::Other) | (R::OtherPath, D::Absent) => {
            ReconcileAction::Leave(LeaveReason::NotOurs)
        }
    }
}

/// One worktree as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeSeen {
    /// Its id.
    pub id: WorktreeId,
    /// Its name.
    pub name: WorktreeName,
    /// The recorded path, or the one that the registration names.
    pub path: PathBuf,
    /// Where its files were found.
    pub found: Option<PathBuf>,
    /// Its administrative directory.
    pub admin: Option<PathBuf>,
    /// What decides about it.
    pub situation: ReconcileSituation,
}

/// The condition of the records as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsSeen {
    /// They can be read and are this repository's.
    Whole,
    /// There are none.
    Missing,
    /// They cannot be read; the reason, for people.
    Damaged(String),
    /// They came here with a copy of another repository.
    Copied,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileSnapshot {
    /// The records as a whole.
    pub records: RecordsSeen,
    /// Every worktree with a record or with our mark.
    pub worktrees: Vec<WorktreeSeen>,
    /// Rescues without a record.
    pub rescues: Vec<RescueId>,
    /// Rescues whose archive lies elsewhere than recorded.
    pub archives: Vec<RescueId>,
}

/// What is done about the records as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsAction {
    /// Nothing.
    Keep,
    /// What is there is moved aside, and new records are made from what is on disk.
    Rebuild(RecordsSeen),
}

/// What is to be done about one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileStep {
    /// The worktree.
    pub worktree: WorktreeSeen,
    /// What is done.
    pub action: ReconcileAction,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcilePlan {
    /// About the records as a whole, first.
    pub records: RecordsAction,
    /// About each worktree, in the order found; those in order included.
    pub steps: Vec<ReconcileStep>,
    /// Rescues that are recorded again.
    pub rescues: Vec<RescueId>,
    /// Rescues whose archive's new place is recorded.
    pub archives: Vec<RescueId>,
}

impl ReconcilePlan {
    /// Tells whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rests = |step: &ReconcileStep| matches!(step.action, ReconcileAction::Leave(_));
        self.records == RecordsAction::Keep
            && self.rescues.is_empty()
            && self.archives.is_empty()
            && self.steps.iter().all(rests)
    }
}

/// Decides what is done about everything that was found.
#[must_use]
pub fn plan_reconcile(snapshot: ReconcileSnapshot) -> ReconcilePlan {
    let nothing = snapshot.worktrees.is_empty() && snapshot.rescues.is_empty();
    let records = match snapshot.records {
        RecordsSeen::Whole => RecordsAction::Keep,
        RecordsSeen::Missing if nothing => RecordsAction::Keep,
        seen => RecordsAction::Rebuild(seen),
    };
    let step =
        |worktree: WorktreeSeen| ReconcileStep { action: reconcile_action(&worktree.situation), worktree };
    let steps = snapshot.worktrees.into_iter().map(step).collect();
    ReconcilePlan { records, steps, rescues: snapshot.rescues, archives: snapshot.archives }
}

#[cfg(test)]
mod tests;
