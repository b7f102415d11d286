//! Leaving a repository to plain git: what stands in the way, and what is done otherwise.

use std::path::PathBuf;

use crate::{Oid, RecordsSeen, UseSeen, WorktreeId, WorktreeName, WorktreeState};

/// Who made a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorktreeMaker {
    /// Windrow.
    Windrow,
    /// Somebody else; Windrow only took it into its care.
    Adopted,
}

/// Whether a worktree holds anything that is on no branch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WorkSeen {
    /// Nothing.
    Saved,
    /// Something: so many paths, or a commit or an operation in progress.
    Unsaved(u64),
    /// It could not be told; the reason, for people.
    Unknown(String),
}

/// Everything that decides about one worktree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeinitSituation {
    /// The recorded state; `None` when git knows a worktree with our mark that is on no record.
    pub record: Option<WorktreeState>,
    /// Who made it.
    pub maker: WorktreeMaker,
    /// Whether somebody uses it.
    pub used: UseSeen,
    /// What it holds.
    pub work: WorkSeen,
}

/// What is done about one worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeinitAction {
    /// Our marks are taken off; the worktree stays as it is.
    HandBack,
    /// It is given back as `release` does.
    Release,
    /// What a dead command began is finished or undone.
    Finish,
}

/// Why nothing can be done about one worktree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeinitObstacle {
    /// An operation or a supervisor works on it at this moment.
    Working,
    /// A lease of it lives.
    Leased,
    /// It holds work that is on no branch: so many paths.
    Unsaved(u64),
    /// What it holds cannot be told; the reason, for people.
    Unchecked(String),
    /// It is quarantined.
    Quarantined,
    /// It bears our mark and is on no record.
    NoRecord,
}

/// Decides what is done about one worktree.
///
/// # Errors
/// What stands in the way, for a person to settle.
pub fn deinit_worktree(seen: &DeinitSituation) -> Result<DeinitAction, DeinitObstacle> {
    use DeinitObstacle as Obstacle;
    use WorktreeState as State;
    match seen.used {
        UseSeen::Working => return Err(Obstacle::Working),
        UseSeen::Leased => return Err(Obstacle::Leased),
        UseSeen::Free => {}
    }
    match (seen.record, seen.maker) {
        // Ended here, and still there: somebody brought it back.
        (Some(State::Gone), _) => Ok(DeinitAction::HandBack),
        (None | Some(State::Kept | State::Quarantined), WorktreeMaker::Adopted) => Ok(DeinitAction::HandBack),
        (None, WorktreeMaker::Windrow) => Err(Obstacle::NoRecord),
        (Some(State::Quarantined), WorktreeMaker::Windrow) => Err(Obstacle::Quarantined),
        (Some(State::Creating | State::Releasing | State::Removing), _) => Ok(DeinitAction::Finish),
        (Some(State::Idle | State::Leased | State::Kept), _) => match &seen.work {
            WorkSeen::Saved => Ok(DeinitAction::Release),
            WorkSeen::Unsaved(paths) => Err(Obstacle::Unsaved(*paths)),
            WorkSeen::Unknown(why) => Err(Obstacle::Unchecked(why.clone())),
        },
    }
}

/// What becomes of saved work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RescuePolicy {
    /// It stands in the way.
    #[default]
    Refuse,
    /// Each rescue becomes a branch, and what a commit cannot hold is unpacked beside the repository.
    Branches,
    /// It is thrown away; the user said so by name.
    Discard,
}

/// Work that is kept by Windrow alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedWork {
    /// The rescue's id, or what comes closest to one where there is no record.
    pub id: String,
    /// The ref that holds it, and its commit.
    pub commit: Option<(String, Oid)>,
    /// The archive of what the commit cannot hold.
    pub archive: Option<PathBuf>,
}

/// What is done about saved work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RescueFate {
    /// It stands in the way.
    Obstructs,
    /// It becomes a branch, and its archive a directory.
    Kept {
        /// The branch, when there is a commit.
        branch: Option<String>,
        /// The directory, when there is an archive.
        directory: Option<PathBuf>,
    },
    /// It is thrown away.
    Discarded,
}

/// One worktree as it was found, or with what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeinitWorktree<D> {
    /// Its id.
    pub id: WorktreeId,
    /// Its name.
    pub name: WorktreeName,
    /// Where it is.
    pub path: PathBuf,
    /// What was found, or decided.
    pub decision: D,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeinitSnapshot {
    /// The records as a whole.
    pub records: RecordsSeen,
    /// Every worktree with a record or with our mark.
    pub worktrees: Vec<DeinitWorktree<DeinitSituation>>,
    /// All saved work.
    pub rescues: Vec<SavedWork>,
    /// Where archives are unpacked.
    pub unpacked: PathBuf,
    /// The number of the pool's keeper.
    pub keeper: Option<u32>,
    /// What is ours and goes.
    pub goes: Vec<PathBuf>,
    /// What lies among it and is not ours.
    pub stays: Vec<PathBuf>,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeinitPlan {
    /// The condition of the records, where that stands in the way.
    pub records: Option<RecordsSeen>,
    /// The number of the keeper that is told to go.
    pub keeper: Option<u32>,
    /// What is done about each worktree, or what stands in the way.
    pub worktrees: Vec<DeinitWorktree<Result<DeinitAction, DeinitObstacle>>>,
    /// What is done about saved work.
    pub rescues: Vec<(SavedWork, RescueFate)>,
    /// What is removed.
    pub goes: Vec<PathBuf>,
    /// What is left, because it is not ours.
    pub stays: Vec<PathBuf>,
}

impl DeinitPlan {
    /// Tells whether something stands in the way.
    #[must_use]
    pub fn is_obstructed(&self) -> bool {
        self.records.is_some()
            || self.worktrees.iter().any(|worktree| worktree.decision.is_err())
            || self.rescues.iter().any(|(_, fate)| *fate == RescueFate::Obstructs)
    }

    /// Tells whether nothing of ours is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_none()
            && self.keeper.is_none()
            && self.worktrees.is_empty()
            && self.rescues.is_empty()
            && self.goes.is_empty()
    }
}

/// Decides what is done about everything that was found.
#[must_use]
pub fn plan_deinit(snapshot: DeinitSnapshot, policy: RescuePolicy) -> DeinitPlan {
    let decided = |worktree: DeinitWorktree<DeinitSituation>| DeinitWorktree {
        decision: deinit_worktree(&worktree.decision),
        id: worktree.id,
        name: worktree.name,
        path: worktree.path,
    };
    let unpacked = snapshot.unpacked;
    let fated = |work: SavedWork| {
        let fate = match policy {
            RescuePolicy::Refuse => RescueFate::Obstructs,
            RescuePolicy::Discard => RescueFate::Discarded,
            RescuePolicy::Branches => RescueFate::Kept {
                branch: work.commit.as_ref().map(|_| format!("rescue/{}", work.id)),
                directory: work.archive.as_ref().map(|_| unpacked.join(&work.id)),
            },
        };
        (work, fate)
    };
    let in_the_way = |records: &RecordsSeen| match records {
        RecordsSeen::Whole | RecordsSeen::Missing => false,
        RecordsSeen::Damaged(_) | RecordsSeen::Copied => true,
    };
    DeinitPlan {
        records: Some(snapshot.records).filter(in_the_way),
        keeper: snapshot.keeper,
        worktrees: snapshot.worktrees.into_iter().map(decided).collect(),
        rescues: snapshot.rescues.into_iter().map(fated).collect(),
        goes: snapshot.goes,
        stays: snapshot.stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKERS: [WorktreeMaker; 2] = [WorktreeMaker::Windrow, WorktreeMaker::Adopted];

    fn works() -> [WorkSeen; 3] {
        [WorkSeen::Saved, WorkSeen::Unsaved(3), WorkSeen::Unknown("why".to_owned())]
    }

    fn all() -> Vec<DeinitSituation> {
        let records = WorktreeState::ALL.into_iter().map(Some).chain([None]);
        let mut all = Vec::new();
        for record in records {
            for maker in MAKERS {
                for used in [UseSeen::Free, UseSeen::Leased, UseSeen::Working] {
                    let one = |work| DeinitSituation { record, maker, used, work };
                    all.extend(works().map(one));
                }
            }
        }
        all
    }

    #[test]
    fn nothing_is_done_about_what_somebody_uses() {
        for seen in all().iter().filter(|seen| seen.used != UseSeen::Free) {
            let why =
                if seen.used == UseSeen::Leased { DeinitObstacle::Leased } else { DeinitObstacle::Working };
            assert_eq!(deinit_worktree(seen), Err(why), "{seen:?}");
        }
    }

    #[test]
    fn only_what_holds_nothing_unsaved_is_given_back() {
        for seen in all().iter().filter(|seen| deinit_worktree(seen) == Ok(DeinitAction::Release)) {
            assert_eq!(seen.work, WorkSeen::Saved, "{seen:?}");
            assert!(matches!(
                seen.record,
                Some(WorktreeState::Idle | WorktreeState::Leased | WorktreeState::Kept)
            ));
        }
    }

    #[test]
    fn what_others_made_is_handed_back_whatever_it_holds() {
        use WorktreeState as State;
        for seen in all().iter().filter(|seen| seen.used == UseSeen::Free) {
            let adopted = seen.maker == WorktreeMaker::Adopted
                && matches!(seen.record, None | Some(State::Kept | State::Quarantined));
            let back = adopted || seen.record == Some(State::Gone);
            assert_eq!(deinit_worktree(seen) == Ok(DeinitAction::HandBack), back, "{seen:?}");
        }
    }

    #[test]
    fn every_obstacle_has_its_case() {
        let seen = |record, work| DeinitSituation {
            record,
            maker: WorktreeMaker::Windrow,
            used: UseSeen::Free,
            work,
        };
        let [saved, unsaved, unknown] = works();
        let kept = Some(WorktreeState::Kept);
        let cases = [
            (seen(kept, unsaved), DeinitObstacle::Unsaved(3)),
            (seen(kept, unknown), DeinitObstacle::Unchecked("why".to_owned())),
            (seen(Some(WorktreeState::Quarantined), saved.clone()), DeinitObstacle::Quarantined),
            (seen(None, saved.clone()), DeinitObstacle::NoRecord),
        ];
        for (seen, obstacle) in cases {
            assert_eq!(deinit_worktree(&seen), Err(obstacle), "{seen:?}");
        }
        for state in [WorktreeState::Creating, WorktreeState::Releasing, WorktreeState::Removing] {
            assert_eq!(deinit_worktree(&seen(Some(state), saved.clone())), Ok(DeinitAction::Finish));
        }
    }

    fn snapshot(records: RecordsSeen, rescues: Vec<SavedWork>) -> DeinitSnapshot {
        DeinitSnapshot {
            records,
            worktrees: Vec::new(),
            rescues,
            unpacked: "/x/repo.rescues".into(),
            keeper: None,
            goes: Vec::new(),
            stays: Vec::new(),
        }
    }

    #[test]
    fn saved_work_obstructs_unless_the_user_says_what_becomes_of_it() {
        let oid = "1".repeat(40).parse().unwrap();
        let work = SavedWork {
            id: "fern-1".to_owned(),
            commit: Some(("refs/windrow/rescue/fern-1".to_owned(), oid)),
            archive: Some("/x/a.tar.zst".into()),
        };
        let plan = |policy| plan_deinit(snapshot(RecordsSeen::Whole, vec![work.clone()]), policy);
        assert!(plan(RescuePolicy::Refuse).is_obstructed());
        assert!(!plan(RescuePolicy::Discard).is_obstructed());
        let kept = plan(RescuePolicy::Branches);
        assert!(!kept.is_obstructed());
        let fate = RescueFate::Kept {
            branch: Some("rescue/fern-1".to_owned()),
            directory: Some("/x/repo.rescues/fern-1".into()),
        };
        assert_eq!(kept.rescues, [(work, fate)]);
    }

    #[test]
    fn records_that_cannot_be_used_obstruct_and_none_are_none() {
        let plan = |records| plan_deinit(snapshot(records, Vec::new()), RescuePolicy::Discard);
        assert!(plan(RecordsSeen::Damaged("why".to_owned())).is_obstructed());
        assert!(plan(RecordsSeen::Copied).is_obstructed());
        assert!(plan(RecordsSeen::Missing).is_empty());
        assert!(plan(RecordsSeen::Whole).is_empty());
    }
}
