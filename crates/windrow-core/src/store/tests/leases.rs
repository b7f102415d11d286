//! Leases: one per worktree, one per key, and nothing without the current fence.

use std::time::Duration;

use windrow_model::{LeaseKey, SessionBond};

use super::*;

#[test]
fn a_lease_reads_back_with_every_kind_of_holder() {
    let mut fixture = fixture();
    let session = fixture.add_session(SessionBond::Process(process(9)));
    let holders = [
        Holder::Process(process(7)),
        Holder::Session(session.id),
        Holder::Remote("host-2/worker 9".to_owned()),
        Holder::Unbound,
    ];
    let mut written = Vec::new();
    for (number, holder) in (1_u64..).zip(holders) {
        let worktree = fixture.add(&format!("w-{number}"));
        let lease = LeaseRecord {
            holder,
            key: Some(format!("key-{number}").parse().unwrap()),
            expires_at: Some(at(100)),
            keep: Some(Duration::from_micros(1_800_000_001)),
            reaper: Some(process(8)),
            ..lease(&worktree, number)
        };
        fixture.run(|tx| tx.insert_lease(&lease));
        assert_eq!(fixture.store.lease(lease.id).unwrap().as_ref(), Some(&lease));
        assert_eq!(fixture.store.live_lease_of(worktree.id).unwrap().as_ref(), Some(&lease));
        let key = lease.key.clone().unwrap();
        assert_eq!(fixture.store.live_lease_with_key(&key).unwrap().as_ref(), Some(&lease));
        written.push(lease);
    }
    assert_eq!(fixture.store.leases().unwrap(), written);
}

#[test]
fn the_ends_of_the_calendar_are_instants_too() {
    let mut fixture = fixture();
    for (number, instant) in
        (1..).zip([Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH, at(-4_000_000_000)])
    {
        let worktree = fixture.add(&format!("w-{number}"));
        let lease = LeaseRecord { expires_at: Some(instant), ..lease(&worktree, number) };
        fixture.run(|tx| tx.insert_lease(&lease));
        let read = fixture.store.lease(lease.id).unwrap().unwrap().expires_at.unwrap();
        assert_eq!(read.as_microsecond(), instant.as_microsecond());
    }
}

#[test]
fn a_worktree_and_a_key_have_one_live_lease() {
    let mut fixture = fixture();
    let (one, two) = (fixture.add("one"), fixture.add("two"));
    let key: LeaseKey = "task-1".parse().unwrap();
    let first = LeaseRecord { key: Some(key.clone()), ..lease(&one, 1) };
    fixture.run(|tx| tx.insert_lease(&first));
    let mut refused =
        |lease: &LeaseRecord| fixture.store.transaction(|tx| tx.insert_lease(lease)).unwrap_err();
    assert!(matches!(refused(&lease(&one, 2)), StoreError::AlreadyLeased { lease, .. } if lease == first.id));
    let same_key = LeaseRecord { key: Some(key.clone()), ..lease(&two, 2) };
    assert!(matches!(refused(&same_key), StoreError::KeyTaken { lease, .. } if lease == first.id));
    let same_id = LeaseRecord { id: first.id, ..lease(&two, 2) };
    assert!(matches!(refused(&same_id), StoreError::LeaseExists(_)));
    assert!(matches!(refused(&lease(&worktree("nobody"), 2)), StoreError::NoSuchWorktree(_)));

    fixture.run(|tx| tx.end_lease(first.id, first.fence, at(3)));
    let stale = fixture.store.transaction(|tx| tx.insert_lease(&lease(&one, 1))).unwrap_err();
    assert!(matches!(stale, StoreError::Fenced { given: Fence(1), current: Fence(1) }));
    fixture.run(|tx| tx.insert_lease(&same_key));
    assert_eq!(fixture.store.last_lease_with_key(&key).unwrap(), Some(same_key));
    assert_eq!(fixture.store.last_lease_of(one.id).unwrap().unwrap().ended_at, Some(at(3)));
}

#[test]
fn the_indices_hold_even_without_the_questions() {
    let mut fixture = fixture();
    let (one, two) = (fixture.add("one"), fixture.add("two"));
    let first = LeaseRecord { key: Some("k".parse().unwrap()), ..lease(&one, 1) };
    let second = lease(&two, 2);
    fixture.run(|tx| tx.insert_lease(&first).and_then(|()| tx.insert_lease(&second)));
    for (column, value) in [("worktree", one.id.to_string()), ("key", "k".to_owned())] {
        let sql = format!("UPDATE leases SET {column} = ?1 WHERE id = ?2");
        let outcome = fixture.store.database().write("steal", &sql, [value, second.id.to_string()]);
        assert!(matches!(outcome, Err(StoreError::Sqlite { .. })), "{column}");
    }
}

#[test]
fn every_change_needs_the_current_fence_and_a_live_lease() {
    let mut fixture = fixture();
    let worktree = fixture.add("fenced");
    let held = lease(&worktree, 5);
    fixture.run(|tx| tx.insert_lease(&held));
    let told = fixture.kinds().len();
    for wrong in [Fence(4), Fence(6)] {
        let mut refused = |change: &mut dyn FnMut(&mut super::super::Tx<'_>) -> Result<(), StoreError>| {
            let outcome = fixture.store.transaction(|tx| change(tx));
            assert!(
                matches!(outcome, Err(StoreError::Fenced { given, current: Fence(5) }) if given == wrong)
            );
        };
        refused(&mut |tx| tx.renew_lease(held.id, wrong, None, at(3)));
        refused(&mut |tx| tx.end_lease(held.id, wrong, at(3)));
        refused(&mut |tx| tx.set_reaper(held.id, wrong, None));
    }
    assert_eq!(fixture.store.lease(held.id).unwrap(), Some(held.clone()));
    assert_eq!(fixture.kinds().len(), told);

    fixture.run(|tx| tx.end_lease(held.id, held.fence, at(4)));
    let mut ended = |change: &mut dyn FnMut(&mut super::super::Tx<'_>) -> Result<(), StoreError>| {
        let outcome = fixture.store.transaction(|tx| change(tx));
        assert!(matches!(outcome, Err(StoreError::LeaseEnded(id)) if id == held.id));
    };
    ended(&mut |tx| tx.renew_lease(held.id, held.fence, None, at(5)));
    ended(&mut |tx| tx.end_lease(held.id, held.fence, at(5)));
    ended(&mut |tx| tx.set_reaper(held.id, held.fence, None));
    ended(&mut |tx| tx.take_over(held.id, &Holder::Unbound, Fence(9), None, at(5)));
    let nobody = lease(&worktree, 1).id;
    let missing = fixture.store.transaction(|tx| tx.end_lease(nobody, Fence(1), at(5)));
    assert!(matches!(missing, Err(StoreError::NoSuchLease(id)) if id == nobody));
}

#[test]
fn a_takeover_shuts_the_old_holder_out() {
    let mut fixture = fixture();
    let worktree = fixture.add("passed-on");
    let old = LeaseRecord { key: Some("k".parse().unwrap()), ..lease(&worktree, 1) };
    fixture.run(|tx| tx.insert_lease(&old));
    fixture.run(|tx| tx.set_reaper(old.id, old.fence, Some(&process(99))));
    let holder = Holder::Remote("elsewhere".to_owned());
    let low = fixture.store.transaction(|tx| tx.take_over(old.id, &holder, Fence(1), None, at(3)));
    assert!(matches!(low, Err(StoreError::Fenced { .. })));
    fixture.run(|tx| tx.take_over(old.id, &holder, Fence(2), Some(at(50)), at(3)));
    let expected = LeaseRecord { holder, fence: Fence(2), expires_at: Some(at(50)), ..old.clone() };
    assert_eq!(fixture.store.lease(old.id).unwrap(), Some(expected));
    let late = fixture.store.transaction(|tx| tx.renew_lease(old.id, old.fence, None, at(4)));
    assert!(matches!(late, Err(StoreError::Fenced { current: Fence(2), .. })));
    fixture.run(|tx| tx.renew_lease(old.id, Fence(2), None, at(4)));
    assert_eq!(fixture.store.lease(old.id).unwrap().unwrap().expires_at, None);
    let told = fixture.kinds();
    assert_eq!(told[told.len() - 2..], [EventKind::LeaseTakenOver, EventKind::LeaseRenewed]);
}

#[test]
fn fences_only_grow_and_a_failed_transaction_keeps_none() {
    let mut fixture = fixture();
    assert_eq!(fixture.run(|tx| tx.next_fence()), Fence(1));
    let undone = fixture.store.transaction(|tx| {
        tx.next_fence()?;
        Err::<(), _>(StoreError::NoSuchWorktree(worktree("x").id))
    });
    undone.unwrap_err();
    assert_eq!(fixture.run(|tx| Ok((tx.next_fence()?, tx.next_fence()?))), (Fence(2), Fence(3)));
    let mut again = LocalStore::open(&fixture.path(), Access::ReadWrite).unwrap();
    assert_eq!(again.transaction(|tx| tx.next_fence()).unwrap(), Fence(4));
}
