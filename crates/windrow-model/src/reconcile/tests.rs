//! The whole table, and what must hold in every row of it.

use super::*;

const REGISTRATIONS: [RegistrationSeen; 5] = [
    RegistrationSeen::Absent,
    RegistrationSeen::Ours,
    RegistrationSeen::OtherPath,
    RegistrationSeen::Foreign,
    RegistrationSeen::UserLocked,
];
const DISKS: [DiskSeen; 5] =
    [DiskSeen::Absent, DiskSeen::Ours, DiskSeen::Displaced, DiskSeen::Other, DiskSeen::OutOfSight];
const USES: [UseSeen; 3] = [UseSeen::Free, UseSeen::Leased, UseSeen::Working];

fn all() -> Vec<(ReconcileSituation, ReconcileAction)> {
    let records = WorktreeState::ALL.into_iter().map(Some).chain([None]);
    let mut rows = Vec::new();
    for record in records {
        for registration in REGISTRATIONS {
            for disk in DISKS {
                for used in USES {
                    let seen = ReconcileSituation { record, registration, disk, used };
                    rows.push((seen, reconcile_action(&seen)));
                }
            }
        }
    }
    rows
}

/// One letter for each action, the registrations downwards and the disks across, as declared.
fn table(record: Option<WorktreeState>) -> String {
    let letter = |registration, disk| {
        let seen = ReconcileSituation { record, registration, disk, used: UseSeen::Free };
        match reconcile_action(&seen) {
            ReconcileAction::Leave(_) => '.',
            ReconcileAction::Repair(_) => 'r',
            ReconcileAction::Finish => 'f',
            ReconcileAction::RollBack => 'b',
            ReconcileAction::Adopt => 'a',
            ReconcileAction::Quarantine(_) => 'q',
        }
    };
    let row = |registration| DISKS.map(|disk| letter(registration, disk)).iter().collect::<String>();
    REGISTRATIONS.map(row).join(" ")
}

#[test]
fn h40_the_table_is_this_one() {
    use WorktreeState as S;
    assert_eq!(table(Some(S::Idle)), "b..q. f.rq. qrrq. qqqq. .....");
    for settled in [S::Leased, S::Kept] {
        assert_eq!(table(Some(settled)), "fqqq. f.rq. qrrq. qqqq. .....", "{settled}");
    }
    for ending in [S::Releasing, S::Removing] {
        assert_eq!(table(Some(ending)), "fffq. ffrq. qrrq. qqqq. .....", "{ending}");
    }
    assert_eq!(table(Some(S::Quarantined)), "f.... f.r.. .rr.. ..... .....");
    assert_eq!(table(Some(S::Creating)), "bbbb. bbbb. bbbb. bbbb. .....");
    assert_eq!(table(Some(S::Gone)), ["....."; 5].join(" "));
    assert_eq!(table(None), "..... aaa.. .aa.. ..... .....");
}

#[test]
fn h40_whoever_works_is_not_disturbed_and_a_living_lease_sees_only_links_mended() {
    for (seen, action) in all() {
        match seen.used {
            UseSeen::Working => assert_eq!(action, ReconcileAction::Leave(LeaveReason::InUse)),
            UseSeen::Leased => {
                let calm = matches!(action, ReconcileAction::Leave(_) | ReconcileAction::Repair(_));
                assert!(calm, "{seen:?}: {action:?}");
            }
            UseSeen::Free => {}
        }
    }
}

#[test]
fn h40_a_leased_worktree_that_was_moved_is_linked_again_and_its_holder_keeps_it() {
    use {DiskSeen as D, RegistrationSeen as R};
    let seen = |registration, disk| {
        let record = Some(WorktreeState::Leased);
        reconcile_action(&ReconcileSituation { record, registration, disk, used: UseSeen::Leased })
    };
    assert_eq!(seen(R::OtherPath, D::Ours), ReconcileAction::Repair(Mending::Registration));
    assert_eq!(seen(R::Ours, D::Displaced), ReconcileAction::Repair(Mending::Files));
    assert_eq!(seen(R::OtherPath, D::Displaced), ReconcileAction::Repair(Mending::Both));
    assert_eq!(seen(R::Ours, D::Ours), ReconcileAction::Leave(LeaveReason::InOrder));
    assert_eq!(seen(R::UserLocked, D::Absent), ReconcileAction::Leave(LeaveReason::LockedByUser));
    assert_eq!(seen(R::Ours, D::Absent), ReconcileAction::Leave(LeaveReason::InUse));
}

#[test]
fn h40_nothing_of_others_is_touched() {
    let theirs = |seen: &ReconcileSituation| {
        matches!(seen.registration, RegistrationSeen::Foreign | RegistrationSeen::UserLocked)
            || matches!(seen.disk, DiskSeen::Other | DiskSeen::OutOfSight)
    };
    // Undoing a creation takes nothing without our mark.
    let undone = |seen: &ReconcileSituation| {
        seen.record == Some(WorktreeState::Creating)
            && seen.registration != RegistrationSeen::UserLocked
            && seen.disk != DiskSeen::OutOfSight
    };
    for (seen, action) in all().into_iter().filter(|(seen, _)| theirs(seen) && !undone(seen)) {
        // A quarantine is a word in our own records.
        let harmless = matches!(action, ReconcileAction::Leave(_) | ReconcileAction::Quarantine(_));
        assert!(harmless, "{seen:?}: {action:?}");
    }
}

#[test]
fn a_pool_without_records_and_without_worktrees_is_in_order() {
    let mut snapshot = ReconcileSnapshot {
        records: RecordsSeen::Missing,
        worktrees: Vec::new(),
        rescues: Vec::new(),
        archives: Vec::new(),
    };
    assert!(plan_reconcile(snapshot.clone()).is_empty());
    snapshot.rescues.push("fern-1".parse().unwrap());
    assert_eq!(plan_reconcile(snapshot.clone()).records, RecordsAction::Rebuild(RecordsSeen::Missing));
    snapshot.records = RecordsSeen::Copied;
    assert_eq!(plan_reconcile(snapshot).records, RecordsAction::Rebuild(RecordsSeen::Copied));
}

fn worktree(disk: DiskSeen) -> WorktreeSeen {
    let situation = ReconcileSituation {
        record: Some(WorktreeState::Kept),
        registration: RegistrationSeen::Ours,
        disk,
        used: UseSeen::Free,
    };
    WorktreeSeen {
        id: WorktreeId::new(uuid::Uuid::nil()),
        name: "fern".parse().unwrap(),
        path: PathBuf::from("/pool/fern"),
        found: None,
        admin: None,
        situation,
    }
}

#[test]
fn each_single_thing_to_do_makes_a_plan_that_is_not_empty() {
    let whole = || ReconcileSnapshot {
        records: RecordsSeen::Whole,
        worktrees: vec![worktree(DiskSeen::Ours)],
        rescues: Vec::new(),
        archives: Vec::new(),
    };
    assert!(plan_reconcile(whole()).is_empty());
    let rescue = || vec!["fern-1".parse().unwrap()];
    for more in [
        ReconcileSnapshot { records: RecordsSeen::Damaged("torn".to_owned()), ..whole() },
        ReconcileSnapshot {
            worktrees: vec![worktree(DiskSeen::Ours), worktree(DiskSeen::Displaced)],
            ..whole()
        },
        ReconcileSnapshot { rescues: rescue(), ..whole() },
        ReconcileSnapshot { archives: rescue(), ..whole() },
    ] {
        assert!(!plan_reconcile(more.clone()).is_empty(), "{more:?}");
    }
}

#[test]
fn records_that_went_while_a_worktree_is_there_are_made_anew() {
    let snapshot = ReconcileSnapshot {
        records: RecordsSeen::Missing,
        worktrees: vec![worktree(DiskSeen::Ours)],
        rescues: Vec::new(),
        archives: Vec::new(),
    };
    assert_eq!(plan_reconcile(snapshot).records, RecordsAction::Rebuild(RecordsSeen::Missing));
}
