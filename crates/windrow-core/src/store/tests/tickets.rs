//! The queue of landings.

use std::time::Duration;

use windrow_model::{NewTicket, TicketEnd, TicketEvent, TicketNumber, TicketState};

use super::*;

fn wanted(target: &str, key: Option<&str>) -> NewTicket {
    NewTicket {
        target: target.parse().unwrap(),
        source: oid('a'),
        branch: Some("windrow/fern".parse().unwrap()),
        worktree: Some("fern".parse().unwrap()),
        strategy: windrow_model::LandStrategy::Squash,
        message: Some("Because".to_owned()),
        key: key.map(|key| key.parse().unwrap()),
        verify: Some("make test".to_owned()),
        verify_timeout: Duration::from_secs(60),
    }
}

#[test]
fn tickets_are_served_by_target_in_the_order_in_which_they_came() {
    let mut fixture = fixture();
    let queue = |fixture: &mut Fixture, target: &str| {
        fixture.run(|tx| tx.insert_ticket(&wanted(target, None), at(1))).number
    };
    let (one, other, two) =
        (queue(&mut fixture, "main"), queue(&mut fixture, "other"), queue(&mut fixture, "main"));
    let main = "main".parse().unwrap();
    let read = fixture.store.ticket(one).unwrap().unwrap();
    assert_eq!((&read.wanted, read.state, read.attempts), (&wanted("main", None), TicketState::Queued, 0));
    let open = |fixture: &Fixture| {
        let open = fixture.store.open_tickets_of(&main).unwrap();
        open.into_iter().map(|ticket| ticket.number).collect::<Vec<_>>()
    };
    assert_eq!(open(&fixture), [one, two]);
    let began = fixture.run(|tx| tx.advance_ticket(one, TicketEvent::Began, &TicketEnd::default(), at(2)));
    assert_eq!((began.state, began.attempts, began.ended_at), (TicketState::Landing, 1, None));
    let end = TicketEnd {
        landing: None,
        after: Some(oid('b')),
        log: Some("/log".into()),
        detail: "well".to_owned(),
    };
    let landed = fixture.run(|tx| tx.advance_ticket(one, TicketEvent::Landed, &end, at(3)));
    assert_eq!((landed.state, &landed.end, landed.ended_at), (TicketState::Landed, &end, Some(at(3))));
    assert_eq!(open(&fixture), [two]);
    let numbers: Vec<_> =
        fixture.store.open_tickets().unwrap().into_iter().map(|ticket| ticket.number).collect();
    assert_eq!(numbers, [other, two]);
    use EventKind::{LandingLeftQueue, LandingQueued};
    assert_eq!(fixture.kinds(), [LandingQueued, LandingQueued, LandingQueued, LandingLeftQueue]);
}

#[test]
fn whoever_comes_second_changes_nothing() {
    let mut fixture = fixture();
    let ticket = fixture.run(|tx| tx.insert_ticket(&wanted("main", None), at(1)));
    let none = TicketEnd::default();
    fixture.run(|tx| tx.advance_ticket(ticket.number, TicketEvent::Cancelled, &none, at(2)));
    for event in [TicketEvent::Began, TicketEvent::Cancelled, TicketEvent::Landed] {
        let late = fixture.store.transaction(|tx| tx.advance_ticket(ticket.number, event, &none, at(3)));
        assert!(matches!(late, Err(StoreError::IllegalTicket(_))), "{late:?}");
    }
    let unknown = TicketNumber(99);
    let late = fixture.store.transaction(|tx| tx.advance_ticket(unknown, TicketEvent::Began, &none, at(3)));
    assert!(matches!(late, Err(StoreError::NoSuchTicket(_))), "{late:?}");
    assert_eq!(fixture.store.ticket(ticket.number).unwrap().unwrap().ended_at, Some(at(2)));
}

#[test]
fn a_key_waits_once() {
    let mut fixture = fixture();
    let queue = |fixture: &mut Fixture| {
        fixture.run(|tx| tx.insert_ticket(&wanted("main", Some("effect-7")), at(1))).number
    };
    let first = queue(&mut fixture);
    assert_eq!(queue(&mut fixture), first);
    let none = TicketEnd::default();
    fixture.run(|tx| tx.advance_ticket(first, TicketEvent::Cancelled, &none, at(2)));
    assert!(queue(&mut fixture) > first);
}
