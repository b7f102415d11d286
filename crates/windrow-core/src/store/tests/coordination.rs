//! The conformance suite against SQLite, and what is SQLite's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use super::{
    super::{
        Clock, Coordination, CoordinationError, NewTask, SqliteCoordination, TaskId, TaskState,
        conformance::{self, Stand},
    },
    *,
};

#[derive(Clone, Debug)]
struct MovedClock(Arc<AtomicI64>);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

struct SqliteStand {
    dir: TempDir,
    clock: MovedClock,
}

impl SqliteStand {
    fn new() -> Self {
        let clock = MovedClock(Arc::new(AtomicI64::new(at(0).as_microsecond())));
        Self { dir: TempDir::new().unwrap(), clock }
    }
}

impl Stand for SqliteStand {
    type Store = SqliteCoordination;

    fn connect(&self) -> SqliteCoordination {
        let clock = Box::new(self.clock.clone());
        SqliteCoordination::with_clock(&state_dir(&self.dir), Access::ReadWrite, clock).unwrap()
    }

    fn advance(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

macro_rules! conforms {
    ($($check:ident),+ $(,)?) => {
        $(
            #[test]
            fn $check() {
                conformance::$check(&SqliteStand::new());
            }
        )+
    };
}

conforms!(
    increments_are_exact,
    one_of_many_wins_a_change_of_state,
    concurrent_creators_get_different_ids,
    tasks_are_found_and_listed_by_state,
    fields_change_with_the_state_or_not_at_all,
    an_unknown_task_is_refused,
    nothing_is_claimed_twice,
    an_expired_claim_gives_way_and_its_holder_is_shut_out,
    a_released_task_can_be_claimed_under_a_higher_fence,
    fences_grow_one_resource_at_a_time,
    landings_have_their_turn_in_order,
    a_lander_that_was_overtaken_finishes_nothing,
    concurrent_submitters_are_all_queued_once,
);

#[test]
fn both_databases_lie_in_one_directory_and_stay_apart() {
    let mut fixture = fixture();
    let shared = SqliteCoordination::open(&fixture.path(), Access::ReadWrite).unwrap();
    fixture.run(|tx| {
        tx.set_meta("a", "b")?;
        // A fence of the fleet is drawn while a local transaction is open.
        assert!(shared.next_fence("x").is_ok());
        Ok(())
    });
    let reader = SqliteCoordination::open(&fixture.path(), Access::ReadOnly).unwrap();
    assert_eq!(reader.current_fence("x").unwrap(), Fence(1));
    let refused = reader.next_fence("x").unwrap_err();
    assert!(matches!(refused, CoordinationError::Store(StoreError::NotWritable { .. })));
}

#[test]
fn the_production_clock_runs() {
    let dir = TempDir::new().unwrap();
    let store = SqliteCoordination::open(&state_dir(&dir), Access::ReadWrite).unwrap();
    let new = NewTask {
        title: String::new(),
        state: "open".parse().unwrap(),
        fields: super::super::Fields::new(),
        actor: String::new(),
    };
    let task = store.create_task(&new).unwrap();
    assert!(store.claim(&task.id, "me", Duration::MAX).unwrap().expires_at > store.now().unwrap());
}

#[test]
fn ids_and_states_are_plain_words() {
    for text in ["t-7k3f", "t-0123456789"] {
        assert_eq!(text.parse::<TaskId>().unwrap().as_str(), text);
    }
    for text in ["", "t-", "t-abc", "7k3f", "t-7k3F", "t-7k3i", "t-7k3f\n", "t-é000"] {
        assert!(text.parse::<TaskId>().is_err(), "{text:?}");
    }
    assert_eq!("in_review-2".parse::<TaskState>().unwrap().as_str(), "in_review-2");
    for text in ["", "In", "a b", "a\0", &"x".repeat(65)] {
        assert!(text.parse::<TaskState>().is_err(), "{text:?}");
    }
}
