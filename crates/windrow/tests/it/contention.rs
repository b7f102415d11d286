//! Callers that compete for few worktrees and die at random: the small sister of `cargo xtask soak contention`.

use std::time::Duration;

use windrow_testkit::{Arena, Contention};

use crate::leasing::builder;

#[test]
fn h22_no_lease_is_held_twice_and_nothing_is_left_however_callers_die() {
    let repo = builder().files(20).build();
    repo.write("README.md", "# Uncommitted\n");
    let arena = Arena::new(repo);
    let before = arena.fingerprint();
    let wanted = Contention {
        callers: 8,
        leases: 16,
        kills: 0.3,
        seed: 3,
        places: 4,
        patience: Duration::from_secs(60),
        limit: Duration::from_secs(60),
    };
    let (contended, beside) = arena.beside(|| arena.contend(&wanted, |_| ()));
    arena.settle();
    assert_eq!(contended.failures, Vec::<String>::new());
    assert_eq!(beside.failures, Vec::<String>::new());
    assert!(contended.held >= wanted.leases, "{contended:?}");
    assert!(contended.killed_callers + contended.killed_supervisors > 0, "{contended:?}");
    assert_eq!(arena.violations(&before), Vec::<String>::new());
}
