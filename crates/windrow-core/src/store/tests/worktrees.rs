//! Worktrees: what was written is read back, every illegal transition and double use is refused.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use windrow_model::{CarriedFile, CarriedKind, DirectoryIdentity, WorktreeName};

use super::*;
use WorktreeEvent as E;

const EVENTS: [E; 9] = [
    E::Created,
    E::HandedOut,
    E::ReleaseBegan,
    E::WasKept,
    E::Scrubbed,
    E::RescueProven,
    E::Removed,
    E::RolledBack,
    E::Doubted,
];

#[test]
fn a_worktree_reads_back_as_it_was_written() {
    let mut fixture = fixture();
    let full = WorktreeRecord {
        path: Path::new("/pool").join(OsStr::from_bytes(b"new\nline-\xff")),
        identity: Some(DirectoryIdentity { filesystem: u64::MAX, inode: 1 << 63, born_nanos: Some(-5) }),
        base: "b".repeat(64).parse().unwrap(),
        checkout: Checkout::Branch { name: "old".parse().unwrap(), origin: BranchOrigin::Existing },
        keep_until: Some(at(9)),
        doubt: Some("odd".to_owned()),
        ..worktree("full")
    };
    let bare =
        WorktreeRecord { checkout: Checkout::Detached, target: None, created_at: at(1), ..worktree("bare") };
    fixture.run(|tx| tx.insert_worktree(&full).and_then(|()| tx.insert_worktree(&bare)));
    assert_eq!(fixture.store.worktrees().unwrap(), [full.clone(), bare.clone()]);
    assert_eq!(fixture.store.worktree_at(&full.path).unwrap().as_ref(), Some(&full));
    assert_eq!(fixture.store.worktree_named(&bare.name).unwrap().as_ref(), Some(&bare));
    let on_branch = fixture.store.live_worktree_on_branch(full.checkout.branch().unwrap()).unwrap();
    assert_eq!(on_branch.as_ref(), Some(&full));
    assert_eq!(fixture.kinds(), [EventKind::WorktreeCreating; 2]);
}

#[test]
fn every_transition_follows_the_model_and_a_refused_one_writes_nothing() {
    let mut fixture = fixture();
    for (number, from) in WorktreeState::ALL.into_iter().enumerate() {
        for (other, event) in EVENTS.into_iter().enumerate() {
            let before = fixture.add_in(&format!("w-{number}-{other}"), from);
            assert_eq!(before.state, from);
            let told = fixture.kinds().len();
            let outcome = fixture.store.transaction(|tx| tx.advance(before.id, event, at(3), "why"));
            let after = fixture.store.worktree(before.id).unwrap().unwrap();
            match from.after(event) {
                Ok(state) => assert_eq!((outcome.unwrap(), after.state), (state, state)),
                Err(_) => {
                    let error = outcome.unwrap_err();
                    assert!(matches!(error, StoreError::Illegal { .. }), "{error}");
                    assert_eq!((after, fixture.kinds().len()), (before, told));
                }
            }
        }
    }
}

#[test]
fn each_transition_tells_its_event_with_the_lease() {
    let mut fixture = fixture();
    let record = fixture.add_in("told", WorktreeState::Idle);
    let lease = lease(&record, 1);
    fixture.run(|tx| {
        tx.advance(record.id, E::HandedOut, at(2), "")?;
        tx.insert_lease(&lease)?;
        tx.advance(record.id, E::ReleaseBegan, at(3), "exit 0")?;
        tx.end_lease(lease.id, lease.fence, at(4))?;
        tx.advance(record.id, E::RescueProven, at(5), "")?;
        tx.advance(record.id, E::Removed, at(6), "")
    });
    use EventKind as K;
    let told = [K::WorktreeCreating, K::WorktreeIdle, K::LeaseAcquired, K::LeaseReleasing, K::LeaseReleased];
    assert_eq!(fixture.kinds(), [&told[..], &[K::WorktreeRemoving, K::WorktreeGone]].concat());
    let releasing = &fixture.store.events(3, 1).unwrap()[0];
    assert_eq!((releasing.seq, releasing.at, releasing.event.lease), (4, at(3), Some(lease.id)));
    assert_eq!(releasing.event.detail, "exit 0");
    assert!(fixture.store.worktrees().unwrap().is_empty());
}

#[test]
fn name_path_and_branch_are_unique_until_the_worktree_is_gone() {
    let mut fixture = fixture();
    let first = fixture.add("first");
    let same_name = WorktreeRecord { name: first.name.clone(), ..worktree("second") };
    let same_path = WorktreeRecord { path: first.path.clone(), ..worktree("second") };
    let same_branch = WorktreeRecord { checkout: first.checkout.clone(), ..worktree("second") };
    let same_id = WorktreeRecord { id: first.id, ..worktree("second") };
    let mut refused =
        |record: &WorktreeRecord| fixture.store.transaction(|tx| tx.insert_worktree(record)).unwrap_err();
    assert!(matches!(refused(&same_name), StoreError::NameTaken(name) if name == first.name));
    assert!(matches!(refused(&same_path), StoreError::PathTaken(path) if path == first.path));
    assert!(
        matches!(refused(&same_branch), StoreError::BranchTaken { worktree, .. } if worktree == first.name)
    );
    assert!(matches!(refused(&same_id), StoreError::WorktreeExists(id) if id == first.id));
    let idle = WorktreeRecord { state: WorktreeState::Idle, ..worktree("second") };
    assert!(matches!(refused(&idle), StoreError::NotCreating(WorktreeState::Idle)));
    assert_eq!(fixture.kinds(), [EventKind::WorktreeCreating]);

    fixture.run(|tx| tx.advance(first.id, E::RolledBack, at(1), ""));
    let again =
        WorktreeRecord { name: first.name, path: first.path, checkout: first.checkout, ..worktree("x") };
    fixture.run(|tx| tx.insert_worktree(&again));
    assert_eq!(fixture.store.worktrees().unwrap(), [again]);
}

#[test]
fn the_indices_hold_even_without_the_questions() {
    let mut fixture = fixture();
    let record = fixture.add("first");
    let other = fixture.add("second");
    let steal = |column: &str| {
        format!(
            "UPDATE worktrees SET {column} = (SELECT {column} FROM worktrees WHERE id = ?1) WHERE id = ?2"
        )
    };
    for column in ["name", "path", "branch"] {
        let ids = [record.id.to_string(), other.id.to_string()];
        let outcome = fixture.store.database().write("steal", &steal(column), ids);
        assert!(matches!(outcome, Err(StoreError::Sqlite { .. })), "{column}");
    }
}

#[test]
fn facts_about_a_worktree_change_one_by_one() {
    let mut fixture = fixture();
    let record = fixture.add("facts");
    let other = fixture.add("other");
    let identity = DirectoryIdentity { filesystem: 7, inode: 8, born_nanos: None };
    fixture.run(|tx| {
        tx.set_identity(record.id, &identity)?;
        tx.set_checkout(record.id, &record.checkout)?;
        tx.set_checkout(record.id, &Checkout::Detached)?;
        tx.set_base(record.id, &oid('c'), None)?;
        tx.set_keep_until(record.id, Some(at(60)))?;
        tx.set_doubt(record.id, Some("moved"))?;
        tx.set_boot_id(record.id, "boot-2")
    });
    let expected = WorktreeRecord {
        identity: Some(identity),
        checkout: Checkout::Detached,
        base: oid('c'),
        target: None,
        keep_until: Some(at(60)),
        doubt: Some("moved".to_owned()),
        boot_id: "boot-2".to_owned(),
        ..record.clone()
    };
    assert_eq!(fixture.store.worktree(record.id).unwrap(), Some(expected));
    let taken = fixture.store.transaction(|tx| tx.set_checkout(record.id, &other.checkout));
    assert!(matches!(taken, Err(StoreError::BranchTaken { .. })));
}

#[test]
fn keeping_and_doubt_end_with_their_states() {
    let mut fixture = fixture();
    let record = fixture.add_in("kept", WorktreeState::Kept);
    fixture.run(|tx| {
        tx.set_keep_until(record.id, Some(at(60)))?;
        tx.advance(record.id, E::HandedOut, at(4), "")?;
        tx.advance(record.id, E::Doubted, at(5), "its inode changed")
    });
    let doubted = fixture.store.worktree(record.id).unwrap().unwrap();
    assert_eq!((doubted.keep_until, doubted.doubt.as_deref()), (None, Some("its inode changed")));
    fixture.run(|tx| tx.advance(record.id, E::Doubted, at(6), ""));
    assert_eq!(fixture.store.worktree(record.id).unwrap().unwrap().doubt, doubted.doubt);
    fixture.run(|tx| tx.advance(record.id, E::ReleaseBegan, at(6), ""));
    assert_eq!(fixture.store.worktree(record.id).unwrap().unwrap().doubt, None);
}

#[test]
fn what_is_not_there_is_not_changed() {
    let mut fixture = fixture();
    let id = worktree("nobody").id;
    let mut missing = |change: &mut dyn FnMut(&mut super::super::Tx<'_>) -> Result<(), StoreError>| {
        let outcome = fixture.store.transaction(|tx| change(tx));
        assert!(matches!(outcome, Err(StoreError::NoSuchWorktree(missing)) if missing == id));
    };
    missing(&mut |tx| tx.advance(id, E::Created, at(1), "").map(drop));
    missing(&mut |tx| tx.set_doubt(id, None));
    missing(&mut |tx| tx.set_keep_until(id, None));
    missing(&mut |tx| tx.set_boot_id(id, "b"));
    missing(&mut |tx| tx.set_base(id, &oid('a'), None));
    missing(&mut |tx| tx.set_checkout(id, &Checkout::Detached));
    missing(&mut |tx| tx.set_carried(id, &[]));
    assert!(fixture.store.worktree_named(&"nobody".parse::<WorktreeName>().unwrap()).unwrap().is_none());
}

#[test]
fn carried_files_are_replaced_as_a_whole() {
    let mut fixture = fixture();
    let record = fixture.add("carry");
    let file = |path: &[u8], kind| CarriedFile {
        path: path.into(),
        kind,
        hash: "00".repeat(32),
        mode: 0o100_600,
        size: 12,
    };
    let all = [
        file(b".env\n\xff", CarriedKind::File),
        file(b"a", CarriedKind::Symlink),
        file(b"b", CarriedKind::Directory),
        file(b"c", CarriedKind::Link),
    ];
    fixture.run(|tx| tx.set_carried(record.id, &all));
    assert_eq!(fixture.store.carried(record.id).unwrap(), all);
    fixture.run(|tx| tx.set_carried(record.id, &all[..1]));
    assert_eq!(fixture.store.carried(record.id).unwrap(), all[..1]);
}

#[test]
fn the_last_worktree_of_a_branch_is_the_one_that_is_there_or_the_youngest() {
    let mut fixture = fixture();
    let on = |name: &str, branch: &str, created_at| {
        let checkout = Checkout::Branch { name: branch.parse().unwrap(), origin: BranchOrigin::Created };
        WorktreeRecord { checkout, created_at, ..worktree(name) }
    };
    let [first, second] = [on("first", "a", at(1)), on("second", "a", at(2))];
    let [here, undone] = [on("here", "b", at(1)), on("undone", "c", at(1))];
    let gone = |fixture: &mut Fixture, record: &WorktreeRecord| {
        fixture.run(|tx| tx.insert_worktree(record));
        fixture.run(|tx| tx.advance(record.id, E::RolledBack, at(9), ""));
    };
    gone(&mut fixture, &second);
    gone(&mut fixture, &first);
    gone(
        &mut fixture,
        &WorktreeRecord { checkout: here.checkout.clone(), created_at: at(5), ..undone.clone() },
    );
    fixture.run(|tx| tx.insert_worktree(&here));
    let last: Vec<_> = fixture.store.last_on_branches().unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(last, [here.id, second.id]);
    for (branch, id) in [("a", Some(second.id)), ("b", Some(here.id)), ("c", None)] {
        let found = fixture.store.last_on_branch(&branch.parse().unwrap()).unwrap();
        assert_eq!(found.map(|one| one.id), id, "{branch}");
    }
    let makers: Vec<_> = fixture.store.made_branch(&"a".parse().unwrap()).unwrap();
    assert_eq!(makers.iter().map(|one| one.id).collect::<Vec<_>>(), [first.id, second.id]);
}
