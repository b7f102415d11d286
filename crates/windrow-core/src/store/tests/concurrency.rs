//! Many writers at once: exact counts, nobody turned away.

use std::{os::unix::fs::PermissionsExt, thread};

use super::*;

#[test]
fn sixteen_connections_lose_no_increment() {
    let dir = TempDir::new().unwrap();
    let path = state_dir(&dir);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut store = LocalStore::open(&path, Access::ReadWrite).unwrap();
                for _ in 0..50 {
                    store.transaction(increment).unwrap();
                }
            });
        }
    });
    let mut store = LocalStore::open(&path, Access::ReadWrite).unwrap();
    assert_eq!(store.meta("count").unwrap().as_deref(), Some("800"));
    assert_eq!(store.transaction(|tx| tx.next_fence()).unwrap(), Fence(801));
    assert_eq!(store.problems().unwrap(), Vec::<String>::new());
}

fn increment(tx: &mut super::super::Tx<'_>) -> Result<(), StoreError> {
    let count: u64 = tx.meta("count")?.map_or(0, |text| text.parse().unwrap());
    assert_eq!(tx.next_fence()?, Fence(count + 1));
    tx.set_meta("count", &(count + 1).to_string())
}

#[test]
fn one_of_many_gets_the_only_worktree() {
    let mut fixture = fixture();
    let worktree = fixture.add_in("only", WorktreeState::Idle);
    let path = fixture.path();
    let won = thread::scope(|scope| {
        let racers: Vec<_> = (1..=8)
            .map(|fence| {
                scope.spawn({
                    let (path, worktree) = (&path, &worktree);
                    move || {
                        let mut store = LocalStore::open(path, Access::ReadWrite).unwrap();
                        let lease = lease(worktree, fence);
                        store
                            .transaction(|tx| {
                                tx.advance(worktree.id, WorktreeEvent::HandedOut, at(1), "")?;
                                tx.insert_lease(&lease)
                            })
                            .is_ok()
                    }
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!((won, fixture.store.leases().unwrap().len()), (1, 1));
}

#[test]
fn a_reader_sees_one_instant_while_writers_go_on() {
    let mut fixture = fixture();
    fixture.add("first");
    let reader = LocalStore::open(&fixture.path(), Access::ReadOnly).unwrap();
    reader
        .snapshot(|records| {
            assert_eq!(records.worktrees()?.len(), 1);
            fixture.add("second");
            assert_eq!(records.worktrees()?.len(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(reader.worktrees().unwrap().len(), 2);
}

#[test]
fn a_panic_inside_a_transaction_undoes_it_and_frees_the_turn() {
    let mut fixture = fixture();
    let path = fixture.path();
    let panicked = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut store = LocalStore::open(&path, Access::ReadWrite).unwrap();
            store.transaction(|tx| -> Result<(), StoreError> {
                tx.set_meta("half", "done")?;
                panic!("expected by the test")
            })
        });
        other.join().is_err()
    });
    assert!(panicked);
    fixture.run(|tx| tx.set_meta("after", "yes"));
    assert_eq!(fixture.store.meta("half").unwrap(), None);
}

#[test]
fn everything_is_private() {
    let mut fixture = fixture();
    fixture.add("secret");
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    let path = fixture.path();
    for directory in [path.clone(), path.join("locks")] {
        assert_eq!(mode(directory), 0o700);
    }
    for file in ["state.db", "state.db-wal", "state.db-shm", "reserve", "locks/store.lock"] {
        assert_eq!(mode(path.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_store_can_move_to_another_thread() {
    fn movable<T: Send>(value: T) -> T {
        value
    }
    let Fixture { dir: _kept, store } = fixture();
    let mut store = movable(store);
    let fence = thread::spawn(move || store.transaction(|tx| tx.next_fence()).unwrap());
    assert_eq!(fence.join().unwrap(), Fence(1));
}
