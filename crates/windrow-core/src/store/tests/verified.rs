//! What is remembered of verifications.

use windrow_model::LandingId;

use super::*;

#[test]
fn what_stood_is_remembered_by_tree_and_command_for_a_time() {
    let mut fixture = fixture();
    let log = Path::new("/logs/one.log");
    fixture.run(|tx| tx.set_verified(&oid('a'), "make", Some(log), at(10)));
    let known = |fixture: &Fixture, tree, command: &str, since| {
        fixture.store.verified(&oid(tree), command, at(since)).unwrap()
    };
    assert_eq!(known(&fixture, 'a', "make", 10), Some(Some(log.to_owned())));
    for (tree, command, since) in [('a', "make", 11), ('a', "make test", 0), ('b', "make", 0)] {
        assert_eq!(known(&fixture, tree, command, since), None);
    }
    fixture.run(|tx| tx.set_verified(&oid('a'), "make", None, at(20)));
    assert_eq!(known(&fixture, 'a', "make", 11), Some(None));
    fixture.run(|tx| tx.forget(at(50)));
    assert_eq!(known(&fixture, 'a', "make", 0), None);
}

#[test]
fn a_trial_is_a_lease_and_not_its_worktree() {
    let mut fixture = fixture();
    let worktree = fixture.add("verify");
    let (first, next) = (lease(&worktree, 1), lease(&worktree, 2));
    let landing = LandingId::new(uuid::Uuid::now_v7());
    fixture.run(|tx| {
        tx.insert_lease(&first)?;
        tx.mark_trial(first.id, landing)
    });
    assert_eq!(fixture.store.live_trials().unwrap(), [first.id]);
    fixture.run(|tx| {
        tx.end_lease(first.id, first.fence, at(3))?;
        tx.insert_lease(&next)
    });
    assert!(fixture.store.live_trials().unwrap().is_empty());
    assert!(fixture.store.is_trial(first.id).unwrap() && !fixture.store.is_trial(next.id).unwrap());
}
