//! Sessions: what they end with, what holds leases, and records of the time before there were any.

use std::time::Duration;

use super::*;
use crate::store::{local::SCHEMA, open, open::Schema};

#[test]
fn a_session_reads_back_and_ends_once() {
    let mut fixture = fixture();
    let bound = fixture.add_session(SessionBond::Process(process(u32::MAX)));
    let timed = fixture.add_session(SessionBond::Until(at(60)));
    assert_eq!(fixture.store.sessions().unwrap(), [bound.clone(), timed.clone()]);
    fixture.run(|tx| tx.end_session(bound.id, at(5)));
    fixture.run(|tx| tx.end_session(bound.id, at(9)));
    let ended = SessionRecord { ended_at: Some(at(5)), ..bound.clone() };
    assert_eq!(fixture.store.session(bound.id).unwrap(), Some(ended));
    assert_eq!(fixture.store.sessions().unwrap(), std::slice::from_ref(&timed));
    use EventKind as E;
    assert_eq!(fixture.kinds(), [E::SessionStarted, E::SessionStarted, E::SessionEnded]);
    let again = fixture.store.transaction(|tx| tx.insert_session(&timed)).unwrap_err();
    assert!(matches!(again, StoreError::SessionExists(_)), "{again}");
}

#[test]
fn only_a_session_that_is_there_takes_leases() {
    let mut fixture = fixture();
    let session = fixture.add_session(SessionBond::Process(process(1)));
    let (one, two) = (fixture.add("one"), fixture.add("two"));
    let of = |id, worktree: &WorktreeRecord, fence| LeaseRecord {
        holder: Holder::Session(id),
        ..lease(worktree, fence)
    };
    let held = of(session.id, &one, 1);
    fixture.run(|tx| tx.insert_lease(&held));
    fixture.run(|tx| tx.insert_lease(&lease(&two, 2)));
    assert_eq!(fixture.store.leases_of_session(session.id).unwrap(), std::slice::from_ref(&held));
    let unknown = SessionId::new(uuid::Uuid::now_v7());
    let taken = |fixture: &mut Fixture, id| {
        let moved = |tx: &mut crate::store::Tx<'_>| {
            tx.take_over(held.id, &Holder::Session(id), Fence(9), None, at(3))
        };
        fixture.store.transaction(moved).unwrap_err()
    };
    assert!(matches!(taken(&mut fixture, unknown), StoreError::NoSuchSession(_)));
    fixture.run(|tx| tx.end_session(session.id, at(3)));
    assert!(matches!(taken(&mut fixture, session.id), StoreError::SessionEnded(_)));
    let three = fixture.add("three");
    let late = fixture.store.transaction(|tx| tx.insert_lease(&of(session.id, &three, 3)));
    assert!(matches!(late.unwrap_err(), StoreError::SessionEnded(_)));
    // What it held is held until somebody has saved it.
    assert_eq!(fixture.store.leases_of_session(session.id).unwrap(), [held]);
}

#[test]
fn an_ended_session_is_forgotten_after_its_leases() {
    let mut fixture = fixture();
    let (empty, live) = (SessionBond::Until(at(9)), SessionBond::Process(process(1)));
    let (empty, live) = (fixture.add_session(empty), fixture.add_session(live));
    let holding = fixture.add_session(SessionBond::Process(process(2)));
    let worktree = fixture.add("one");
    let held = LeaseRecord { holder: Holder::Session(holding.id), ..lease(&worktree, 1) };
    fixture.run(|tx| {
        tx.insert_lease(&held)?;
        tx.end_session(empty.id, at(3))?;
        tx.end_session(holding.id, at(3))
    });
    assert_eq!(fixture.run(|tx| tx.forget(at(50))).sessions, 1);
    let known = [&empty, &live, &holding].map(|one| fixture.store.session(one.id).unwrap().is_some());
    assert_eq!(known, [false, true, true]);
}

#[test]
fn sleep_postpones_the_end_of_a_session() {
    let mut fixture = fixture();
    let session = fixture.add_session(SessionBond::Until(at(60)));
    fixture.run(|tx| tx.postpone(Duration::from_secs(30)));
    let found = fixture.store.session(session.id).unwrap().unwrap();
    assert_eq!(found.bond, SessionBond::Until(at(90)));
}

#[test]
fn records_from_before_sessions_are_kept_when_sessions_come() {
    const FIRST: Schema = Schema { version: 1, migrations: &[SCHEMA.migrations[0]], ..SCHEMA };
    let dir = TempDir::new().unwrap();
    let (connection, _) = open::open(&state_dir(&dir), Access::ReadWrite, &FIRST).unwrap();
    connection.execute("INSERT INTO meta (key, value) VALUES ('mood', 'fine')", []).unwrap();
    drop(connection);
    let mut store = LocalStore::open(&state_dir(&dir), Access::ReadWrite).unwrap();
    assert_eq!(store.meta("mood").unwrap().as_deref(), Some("fine"));
    let id = SessionId::new(uuid::Uuid::now_v7());
    let session = SessionRecord { id, bond: SessionBond::Until(at(1)), started_at: at(0), ended_at: None };
    store.transaction(|tx| tx.insert_session(&session)).unwrap();
    assert_eq!(store.sessions().unwrap(), [session]);
}
