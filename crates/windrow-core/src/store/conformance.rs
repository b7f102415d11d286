//! What every implementation of [`Coordination`] must do; each function is one test over a [`Stand`].

use std::{collections::BTreeSet, thread, time::Duration};

use serde_json::json;
use windrow_model::{BranchName, Fence, Oid};

use super::{
    Coordination, CoordinationError as E, Fields, FieldsChange, Landing, LandingOutcome, NewTask,
    StateChange, Task, TaskId, TaskState, Ticket, landing_resource,
};

/// A place with one fresh, shared store and a clock that the test moves.
pub(super) trait Stand: Sync {
    /// The implementation.
    type Store: Coordination;

    /// Connects as one more client.
    fn connect(&self) -> Self::Store;

    /// Moves the store's clock forward.
    fn advance(&self, by: Duration);
}

const TTL: Duration = Duration::from_secs(60);

pub(super) fn increments_are_exact(stand: &impl Stand) {
    let task = new_task(&stand.connect());
    in_parallel(100, |worker| {
        let store = stand.connect();
        let mut seen = store.task(&task.id).unwrap().unwrap();
        loop {
            let count = seen.fields["count"].as_u64().unwrap() + 1;
            let change = FieldsChange {
                rev: seen.rev,
                fields: fields(count),
                actor: format!("worker {worker}"),
                fence: None,
            };
            match store.set_fields(&task.id, &change) {
                Ok(_) => return,
                Err(E::Lost { current }) => seen = *current,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let store = stand.connect();
    let end = store.task(&task.id).unwrap().unwrap();
    assert_eq!((end.rev, &end.fields), (101, &fields(100)));
    let history = store.history(&task.id).unwrap();
    let counts: Vec<_> = history.iter().map(|change| (change.rev, change.fields["count"].as_u64())).collect();
    assert_eq!(counts, (0..=100).map(|count| (count + 1, Some(count))).collect::<Vec<_>>());
    let actors: BTreeSet<_> = history.iter().map(|change| &change.actor).collect();
    assert_eq!(actors.len(), 101, "each worker won once");
}

pub(super) fn one_of_many_wins_a_change_of_state(stand: &impl Stand) {
    let task = new_task(&stand.connect());
    let won = in_parallel(20, |worker| {
        match stand.connect().set_state(&task.id, &state_change("open", "running", &worker.to_string())) {
            Ok(after) => after.state == state("running"),
            Err(E::Lost { current }) if current.state == state("running") => false,
            Err(error) => panic!("{error}"),
        }
    });
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

pub(super) fn concurrent_creators_get_different_ids(stand: &impl Stand) {
    let ids = in_parallel(20, |_| {
        let store = stand.connect();
        (0..10).map(|_| new_task(&store).id).collect::<Vec<_>>()
    });
    let ids: BTreeSet<_> = ids.into_iter().flatten().collect();
    assert_eq!(ids.len(), 200);
    assert!(ids.iter().all(|id| id.as_str().parse::<TaskId>().is_ok()));
    assert_eq!(stand.connect().tasks(None).unwrap().len(), 200);
}

pub(super) fn tasks_are_found_and_listed_by_state(stand: &impl Stand) {
    let store = stand.connect();
    let (one, two) = (new_task(&store), new_task(&store));
    assert_eq!((one.rev, one.title.as_str(), one.state.as_str()), (1, "Mend the fence", "open"));
    assert_eq!(store.task(&one.id).unwrap().as_ref(), Some(&one));
    stand.advance(TTL);
    let done = store.set_state(&one.id, &state_change("open", "done", "me")).unwrap();
    assert_eq!((done.rev, done.updated_at), (2, store.now().unwrap()));
    assert_eq!(store.tasks(Some(&state("done"))).unwrap(), std::slice::from_ref(&done));
    assert_eq!(store.tasks(Some(&state("open"))).unwrap(), std::slice::from_ref(&two));
    assert_eq!(store.tasks(None).unwrap(), [done, two]);
    let lost = store.set_state(&one.id, &state_change("open", "failed", "me"));
    assert!(matches!(lost, Err(E::Lost { current }) if current.rev == 2));
    assert_eq!(store.history(&one.id).unwrap().len(), 2);
}

pub(super) fn fields_change_with_the_state_or_not_at_all(stand: &impl Stand) {
    let store = stand.connect();
    let task = new_task(&store);
    let change = json!({ "count": null, "result": [1, { "a": null }] }).as_object().unwrap().clone();
    let running = StateChange { fields: change, ..state_change("open", "running", "me") };
    let after = store.set_state(&task.id, &running).unwrap();
    let expected = json!({ "note": "ü\n\"", "result": [1, { "a": null }] });
    assert_eq!((after.rev, &after.fields), (2, expected.as_object().unwrap()));
    let late = StateChange { fields: fields(9), ..state_change("open", "running", "other") };
    assert!(matches!(store.set_state(&task.id, &late), Err(E::Lost { current }) if *current == after));
    assert_eq!(store.task(&task.id).unwrap(), Some(after));
}

pub(super) fn an_unknown_task_is_refused(stand: &impl Stand) {
    let store = stand.connect();
    let id: TaskId = "t-0000000000".parse().unwrap();
    assert_eq!(store.task(&id).unwrap(), None);
    assert_eq!(store.claim_of(&id).unwrap(), None);
    let fields_change = FieldsChange { rev: 1, fields: Fields::new(), actor: String::new(), fence: None };
    let refusals = [
        store.set_state(&id, &state_change("open", "done", "me")).map(drop),
        store.set_fields(&id, &fields_change).map(drop),
        store.history(&id).map(drop),
        store.claim(&id, "me", TTL).map(drop),
    ];
    assert!(
        refusals.into_iter().all(|refusal| matches!(refusal, Err(E::NoSuchTask(missing)) if missing == id))
    );
    assert!(matches!(store.renew(&id, Fence(1), TTL), Err(E::NotClaimed(_))));
    assert!(matches!(store.release(&id, Fence(1)), Err(E::NotClaimed(_))));
}

pub(super) fn nothing_is_claimed_twice(stand: &impl Stand) {
    let task = new_task(&stand.connect());
    let claims =
        in_parallel(20, |worker| match stand.connect().claim(&task.id, &format!("w{worker}"), TTL) {
            Ok(claim) => Some(claim),
            Err(E::Claimed { .. }) => None,
            Err(error) => panic!("{error}"),
        });
    let won: Vec<_> = claims.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(stand.connect().claim_of(&task.id).unwrap().as_ref(), won.first());
}

pub(super) fn an_expired_claim_gives_way_and_its_holder_is_shut_out(stand: &impl Stand) {
    let store = stand.connect();
    let task = new_task(&store);
    let first = store.claim(&task.id, "first", TTL).unwrap();
    stand.advance(TTL - Duration::from_secs(1));
    let busy = store.claim(&task.id, "second", TTL);
    assert!(
        matches!(busy, Err(E::Claimed { holder, expires_at, .. }) if holder == "first" && expires_at == first.expires_at)
    );
    let renewed = store.renew(&task.id, first.fence, TTL).unwrap();
    assert!(renewed.expires_at > first.expires_at && renewed.fence == first.fence);
    stand.advance(TTL);
    assert_eq!(store.claim_of(&task.id).unwrap(), None);
    let late = store.renew(&task.id, first.fence, TTL).unwrap();
    assert_eq!(late.fence, first.fence, "nobody had taken it over");
    stand.advance(TTL);

    let second = store.claim(&task.id, "second", TTL).unwrap();
    assert!(second.fence > first.fence);
    let stale = StateChange { fence: Some(first.fence), ..state_change("open", "done", "first") };
    let stale_fields =
        FieldsChange { rev: 1, fields: fields(9), actor: "first".into(), fence: Some(first.fence) };
    let refusals = [
        store.renew(&task.id, first.fence, TTL).map(drop),
        store.release(&task.id, first.fence),
        store.set_state(&task.id, &stale).map(drop),
        store.set_fields(&task.id, &stale_fields).map(drop),
    ];
    assert!(
        refusals
            .into_iter()
            .all(|refusal| matches!(refusal, Err(E::Fenced { current, .. }) if current == second.fence))
    );
    assert_eq!(store.task(&task.id).unwrap(), Some(task.clone()));
    let current = StateChange { fence: Some(second.fence), ..state_change("open", "done", "second") };
    assert_eq!(store.set_state(&task.id, &current).unwrap().state, state("done"));
}

pub(super) fn a_released_task_can_be_claimed_under_a_higher_fence(stand: &impl Stand) {
    let store = stand.connect();
    let task = new_task(&store);
    let mut last = Fence(0);
    for _ in 0..5 {
        let claim = store.claim(&task.id, "same", TTL).unwrap();
        assert!(claim.fence > last);
        assert!(matches!(store.claim(&task.id, "same", TTL), Err(E::Claimed { .. })));
        store.release(&task.id, claim.fence).unwrap();
        assert!(matches!(store.release(&task.id, claim.fence), Err(E::NotClaimed(_))));
        last = claim.fence;
    }
}

pub(super) fn fences_grow_one_resource_at_a_time(stand: &impl Stand) {
    assert_eq!(stand.connect().current_fence("a").unwrap(), Fence(0));
    let drawn = in_parallel(20, |_| {
        let store = stand.connect();
        let mine: Vec<_> = (0..5).map(|_| store.next_fence("a").unwrap()).collect();
        assert!(mine.is_sorted());
        mine
    });
    let drawn: BTreeSet<_> = drawn.into_iter().flatten().collect();
    let store = stand.connect();
    assert_eq!(drawn.len(), 100);
    assert_eq!(store.current_fence("a").unwrap(), *drawn.last().unwrap());
    assert!(store.next_fence("b").unwrap() < *drawn.last().unwrap());
}

pub(super) fn landings_have_their_turn_in_order(stand: &impl Stand) {
    let store = stand.connect();
    let (main, other) = (branch("main"), branch("other"));
    assert_eq!(store.head(&main).unwrap(), None);
    let tickets: Vec<_> = (0..3).map(|number| store.enqueue(&main, &landing(number)).unwrap()).collect();
    let elsewhere = store.enqueue(&other, &landing(9)).unwrap();
    assert!(tickets.is_sorted());
    assert_eq!(tickets_of(&store, &main), tickets);
    assert_eq!(store.head(&other).unwrap().unwrap().ticket, elsewhere);
    assert_eq!(store.head(&main).unwrap().unwrap().landing, landing(0));

    let fence = store.next_fence(&landing_resource(&main)).unwrap();
    let landed = LandingOutcome::Landed(oid(7));
    let early = store.finish(tickets[1], fence, &landed);
    assert!(matches!(early, Err(E::NotHead { head, .. }) if head == tickets[0]));
    store.finish(tickets[0], fence, &landed).unwrap();
    let twice = store.finish(tickets[0], fence, &landed);
    assert!(matches!(twice, Err(E::Finished { outcome, .. }) if outcome == landed));
    store.cancel(tickets[1]).unwrap();
    assert!(matches!(store.cancel(tickets[1]), Err(E::Finished { outcome: LandingOutcome::Cancelled, .. })));
    let refused = LandingOutcome::Refused("conflict in `a`".to_owned());
    store.finish(tickets[2], fence, &refused).unwrap();
    assert_eq!(store.landing(tickets[2]).unwrap().unwrap().outcome, Some(refused));
    assert!(tickets_of(&store, &main).is_empty());
    assert_eq!(tickets_of(&store, &other), [elsewhere]);
    let none = Ticket(elsewhere.0 + 1);
    assert_eq!(store.landing(none).unwrap(), None);
    assert!(matches!(store.cancel(none), Err(E::NoSuchTicket(_))));
}

pub(super) fn a_lander_that_was_overtaken_finishes_nothing(stand: &impl Stand) {
    let store = stand.connect();
    let main = branch("main");
    let ticket = store.enqueue(&main, &landing(0)).unwrap();
    let landed = LandingOutcome::Landed(oid(7));
    let resource = landing_resource(&main);
    let (slow, fast) = (store.next_fence(&resource).unwrap(), store.next_fence(&resource).unwrap());
    let stale = store.finish(ticket, slow, &landed);
    assert!(matches!(stale, Err(E::Fenced { given, current }) if given == slow && current == fast));
    assert_eq!(store.head(&main).unwrap().unwrap().ticket, ticket);
    store.finish(ticket, fast, &landed).unwrap();
}

pub(super) fn concurrent_submitters_are_all_queued_once(stand: &impl Stand) {
    let main = branch("main");
    in_parallel(20, |worker| stand.connect().enqueue(&main, &landing(worker)).unwrap());
    let store = stand.connect();
    let fence = store.next_fence(&landing_resource(&main)).unwrap();
    let mut order = Vec::new();
    while let Some(head) = store.head(&main).unwrap() {
        store.finish(head.ticket, fence, &LandingOutcome::Cancelled).unwrap();
        order.push((head.ticket, head.landing.submitter));
    }
    assert!(order.is_sorted_by_key(|(ticket, _)| *ticket));
    assert_eq!(order.into_iter().map(|(_, submitter)| submitter).collect::<BTreeSet<_>>().len(), 20);
}

/// Runs `work` in `count` threads at once; each is given its number.
fn in_parallel<T: Send>(count: u8, work: impl Fn(u8) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn new_task(store: &impl Coordination) -> Task {
    let new = NewTask {
        title: "Mend the fence".to_owned(),
        state: state("open"),
        fields: fields(0),
        actor: "creator".to_owned(),
    };
    store.create_task(&new).unwrap()
}

fn state_change(expected: &str, next: &str, actor: &str) -> StateChange {
    let (expected, next) = (state(expected), state(next));
    StateChange { expected, next, fields: Fields::new(), actor: actor.to_owned(), fence: None }
}

fn state(text: &str) -> TaskState {
    text.parse().unwrap()
}

fn fields(count: u64) -> Fields {
    json!({ "count": count, "note": "ü\n\"" }).as_object().unwrap().clone()
}

fn landing(number: u8) -> Landing {
    Landing {
        head: oid(number),
        branch: number.is_multiple_of(2).then(|| branch("windrow/x")),
        submitter: format!("worker {number}"),
        task: number.is_multiple_of(3).then(|| "t-7k3f".parse().unwrap()),
    }
}

fn tickets_of(store: &impl Coordination, target: &BranchName) -> Vec<Ticket> {
    store.queue(target).unwrap().into_iter().map(|entry| entry.ticket).collect()
}

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

fn oid(number: u8) -> Oid {
    Oid::from_bytes(&[number; 20]).unwrap()
}
