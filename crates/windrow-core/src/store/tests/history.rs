//! Rescues, waiters, facts, events, and what may be forgotten.

use windrow_model::{NewEvent, RescueId, RescueRecord};

use super::{super::Forgotten, *};

fn rescue(worktree: &WorktreeRecord) -> RescueRecord {
    RescueRecord {
        id: RescueId::of(&worktree.name, &lease(worktree, 1).id),
        worktree: worktree.id,
        name: worktree.name.clone(),
        head: oid('d'),
        branch: Some("feature".parse().unwrap()),
        commit: Some(oid('e')),
        index_tree: Some(oid('d')),
        archive: Some("/repo/.git/windrow/rescue/x.tar.zst".into()),
        archive_bytes: 5,
        paths: 3,
        created_at: at(10),
    }
}

#[test]
fn rescues_are_kept_until_they_are_dropped() {
    let mut fixture = fixture();
    let worktree = fixture.add("saved");
    let full = rescue(&worktree);
    let bare =
        RescueRecord { branch: None, commit: None, archive: None, created_at: at(11), ..rescue(&worktree) };
    fixture.run(|tx| tx.insert_rescue(&full).and_then(|()| tx.insert_rescue(&bare)));
    assert_eq!(fixture.store.rescues().unwrap(), [full.clone(), bare]);
    assert_eq!(fixture.store.rescue(&full.id).unwrap().as_ref(), Some(&full));
    let twice = fixture.store.transaction(|tx| tx.insert_rescue(&full));
    assert!(matches!(twice, Err(StoreError::RescueExists(_))));
    fixture.run(|tx| tx.delete_rescue(&full.id, at(12)));
    let gone = fixture.store.transaction(|tx| tx.delete_rescue(&full.id, at(12)));
    assert!(matches!(gone, Err(StoreError::NoSuchRescue(_))));
    let told = fixture.store.events(3, 10).unwrap();
    assert_eq!((told.len(), told[0].event.kind), (1, EventKind::RescueDropped));
    assert_eq!(told[0].event.detail, full.id.to_string());
}

#[test]
fn a_count_that_does_not_fit_is_refused() {
    let mut fixture = fixture();
    let worktree = fixture.add("huge");
    let huge = RescueRecord { archive_bytes: u64::MAX, ..rescue(&worktree) };
    let outcome = fixture.store.transaction(|tx| tx.insert_rescue(&huge));
    assert!(matches!(outcome, Err(StoreError::TooLarge { .. })));
}

#[test]
fn waiters_keep_their_place_and_tickets_are_never_used_again() {
    let mut fixture = fixture();
    let (one, two) = fixture
        .run(|tx| Ok((tx.enqueue_waiter(&process(1), at(1))?, tx.enqueue_waiter(&process(2), at(1))?)));
    assert_eq!(fixture.run(|tx| tx.enqueue_waiter(&process(1), at(2))), one);
    assert_eq!(fixture.store.waiters().unwrap(), [one.clone(), two.clone()]);
    fixture.run(|tx| tx.remove_waiter(two.ticket, at(3)));
    fixture.run(|tx| tx.remove_waiter(two.ticket, at(3)));
    let again = fixture.run(|tx| tx.enqueue_waiter(&process(2), at(4)));
    assert!(again.ticket > two.ticket);
    assert_eq!(fixture.store.waiters().unwrap(), [one, again]);
    use EventKind::{WaitBegan, WaitEnded};
    assert_eq!(fixture.kinds(), [WaitBegan, WaitBegan, WaitEnded, WaitBegan]);
}

#[test]
fn facts_are_overwritten() {
    let mut fixture = fixture();
    assert_eq!(fixture.store.meta("common").unwrap(), None);
    fixture.run(|tx| tx.set_meta("common", "a").and_then(|()| tx.set_meta("common", "b")));
    assert_eq!(fixture.store.meta("common").unwrap().as_deref(), Some("b"));
}

#[test]
fn every_kind_of_event_is_read_back_in_order() {
    let mut fixture = fixture();
    for (kind, word) in EventKind::WORDS {
        let event = NewEvent { kind, worktree: None, lease: None, detail: format!("{word}\n'") };
        let seq = fixture.run(|tx| tx.append(&event, at(1)));
        let read = fixture.store.events(seq - 1, 10).unwrap();
        assert_eq!((read.len(), &read[0].event), (1, &event));
    }
    assert_eq!(
        fixture.store.events(2, 3).unwrap().iter().map(|event| event.seq).collect::<Vec<_>>(),
        [3, 4, 5]
    );
    assert!(fixture.store.events(u64::MAX, 10).unwrap().is_empty());
}

#[test]
fn the_lease_of_a_worktree_that_is_kept_for_long_is_not_forgotten() {
    let mut fixture = fixture();
    let kept = fixture.add_in("kept", WorktreeState::Kept);
    let ended = lease(&kept, 1);
    fixture.run(|tx| {
        tx.insert_lease(&ended)?;
        tx.end_lease(ended.id, ended.fence, at(3))
    });
    assert_eq!(fixture.run(|tx| tx.forget(at(50))).leases, 0);
    assert_eq!(fixture.store.last_lease_of(kept.id).unwrap().map(|lease| lease.id), Some(ended.id));
}

#[test]
fn only_what_is_over_and_old_is_forgotten() {
    let mut fixture = fixture();
    let gone = fixture.add("gone");
    let late = fixture.add("late");
    let here = fixture.add("here");
    let (ended, live) = (lease(&gone, 1), lease(&here, 2));
    fixture.run(|tx| {
        tx.insert_lease(&ended)?;
        tx.insert_lease(&live)?;
        tx.insert_rescue(&rescue(&gone))?;
        tx.end_lease(ended.id, ended.fence, at(3))?;
        tx.advance(gone.id, WorktreeEvent::RolledBack, at(4), "")?;
        tx.advance(late.id, WorktreeEvent::RolledBack, at(100), "")
    });
    let seq = fixture.store.events(0, 100).unwrap().last().unwrap().seq;
    assert_eq!(fixture.run(|tx| tx.forget(at(0))), Forgotten::default());
    let forgotten = fixture.run(|tx| tx.forget(at(50)));
    assert_eq!((forgotten.worktrees, forgotten.leases), (1, 1));
    assert_eq!(fixture.store.worktree(gone.id).unwrap(), None);
    assert!(fixture.store.worktree(late.id).unwrap().is_some());
    assert_eq!(fixture.store.leases().unwrap(), [live]);
    assert_eq!(fixture.store.rescues().unwrap().len(), 1);
    assert_eq!(fixture.store.events(0, 100).unwrap().len(), 1);
    fixture.run(|tx| tx.forget(at(500)));
    let event =
        NewEvent { kind: EventKind::CommandStarted, worktree: None, lease: None, detail: String::new() };
    assert!(fixture.run(|tx| tx.append(&event, at(501))) > seq, "a number is never used again");
}
