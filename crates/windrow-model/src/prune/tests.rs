//! The whole table, and what must hold whatever the policy.

use super::*;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(super) const NOW: i64 = 1_000;

pub(super) fn id(number: u128) -> WorktreeId {
    WorktreeId::new(uuid::Uuid::from_u128(number))
}

pub(super) fn worktree(number: u8) -> PrunableWorktree {
    PrunableWorktree {
        id: id(u128::from(number)),
        name: format!("w-{number}").parse().unwrap(),
        path: format!("/pool/w-{number}").into(),
        bytes: Some(10),
        unique: None,
        since: Some(at(100 * i64::from(number))),
        until: Some(at(5_000)),
        obstacle: None,
        landing: LandingSeen::NotAsked,
    }
}

pub(super) fn rescue(number: u8, bytes: u64) -> PrunableRescue {
    PrunableRescue {
        id: format!("r-{number}").parse().unwrap(),
        worktree: "w".parse().unwrap(),
        bytes,
        unique: None,
        since: at(100 * i64::from(number)),
        due: false,
        obstacle: None,
    }
}

fn branch(landing: LandingSeen) -> PrunableBranch {
    PrunableBranch {
        name: "windrow/b".parse().unwrap(),
        tip: "a".repeat(40).parse().unwrap(),
        worktree: "b".parse().unwrap(),
        there: None,
        obstacle: None,
        landing,
    }
}

fn landed(way: LandingWay, side: LandingSide) -> LandingSeen {
    LandingSeen::In(Landed { way, side, into: "refs/heads/main".to_owned() })
}

fn landings() -> Vec<LandingSeen> {
    let mut all = vec![
        LandingSeen::NotAsked,
        LandingSeen::Out,
        LandingSeen::Unsaved,
        LandingSeen::NoTarget,
        LandingSeen::Unchecked("why".to_owned()),
    ];
    for way in [LandingWay::Reached, LandingWay::NothingToAdd, LandingWay::SameChanges] {
        all.extend([LandingSide::Here, LandingSide::Remote].map(|side| landed(way, side)));
    }
    all
}

fn policies() -> Vec<PrunePolicy> {
    let ages = [None, Some(Duration::ZERO), Some(Duration::from_secs(850)), Some(Duration::MAX)];
    let sizes = [None, Some(0), Some(15), Some(u64::MAX)];
    let both = [false, true];
    let mut all = Vec::new();
    for older_than in ages {
        for to_bytes in sizes {
            for landed in both {
                let to_budget = None;
                all.extend(both.map(|merged| PrunePolicy {
                    older_than,
                    to_bytes,
                    to_budget,
                    landed,
                    merged,
                }));
            }
        }
    }
    all
}

fn obstacles() -> [StayReason; 7] {
    [
        StayReason::Quarantined,
        StayReason::AtWork,
        StayReason::InUse("vim (1)".to_owned()),
        StayReason::Here,
        StayReason::Unproven("why".to_owned()),
        StayReason::Unchecked("why".to_owned()),
        StayReason::CheckedOut("/x".into()),
    ]
}

/// One letter for each thing of a plan, in its order: why it goes, or a point.
pub(super) fn letters(found: PruneSnapshot, policy: &PrunePolicy) -> String {
    let plan = plan_prune(found, policy.clone(), at(NOW));
    let letter = |step: &PruneStep| match step.goes() {
        None => '.',
        Some(GoReason::Due) => 'd',
        Some(GoReason::Old) => 'o',
        Some(GoReason::Budget) => 'b',
        Some(GoReason::Landed(_)) => 'l',
    };
    plan.steps.iter().map(letter).collect()
}

#[test]
fn a_policy_that_names_anything_is_not_empty() {
    let empty: Vec<_> = policies().into_iter().filter(PrunePolicy::is_empty).collect();
    assert_eq!(empty, [PrunePolicy::default()]);
}

#[test]
fn what_stands_in_the_way_stands_whatever_the_policy() {
    for policy in policies() {
        for obstacle in obstacles() {
            for landing in landings() {
                let blocked = PrunableWorktree {
                    obstacle: Some(obstacle.clone()),
                    landing: landing.clone(),
                    ..worktree(1)
                };
                let held = PrunableRescue { obstacle: Some(obstacle.clone()), ..rescue(1, 10) };
                let used = PrunableBranch { obstacle: Some(obstacle.clone()), ..branch(landing) };
                let found = PruneSnapshot {
                    worktrees: vec![blocked],
                    rescues: vec![PrunableRescue { due: true, ..held.clone() }, held],
                    branches: vec![used],
                    ..PruneSnapshot::default()
                };
                assert_eq!(letters(found.clone(), &policy), "....", "{policy:?} {obstacle:?}");
                let plan = plan_prune(found, policy.clone(), at(NOW));
                let stays = PruneVerdict::Stays(obstacle.clone());
                assert!(plan.steps.iter().all(|step| step.verdict == stays), "{plan:?}");
            }
        }
    }
}

#[test]
fn the_end_of_its_time_waits_for_no_use_and_for_every_other_obstacle() {
    for obstacle in obstacles() {
        let uses = matches!(obstacle, StayReason::InUse(_) | StayReason::Here);
        for (until, over) in [(NOW - 1, true), (NOW, true), (NOW + 1, false)] {
            let one =
                PrunableWorktree { obstacle: Some(obstacle.clone()), until: Some(at(until)), ..worktree(1) };
            let verdict = prune_worktree(&one, &PrunePolicy::default(), at(NOW));
            assert_eq!(verdict == PruneVerdict::Goes(GoReason::Due), uses && over, "{obstacle:?} {until}");
        }
    }
}

#[test]
fn h21_work_that_is_not_wholly_in_its_target_never_counts_as_landed() {
    for policy in policies() {
        for landing in landings() {
            let counts = match &landing {
                LandingSeen::In(one) => {
                    policy.merged
                        || (policy.landed && one.way == LandingWay::Reached && one.side == LandingSide::Here)
                }
                _ => false,
            };
            let only = PrunePolicy { older_than: None, to_bytes: None, ..policy.clone() };
            let one = PrunableWorktree { landing: landing.clone(), ..worktree(1) };
            let goes = |verdict: PruneVerdict| matches!(verdict, PruneVerdict::Goes(GoReason::Landed(_)));
            assert_eq!(goes(prune_worktree(&one, &only, at(NOW))), counts, "{only:?} {landing:?}");
            assert_eq!(
                goes(prune_branch(&branch(landing.clone()), &policy)),
                counts,
                "{policy:?} {landing:?}"
            );
        }
    }
}

#[test]
fn a_branch_goes_for_its_commits_alone() {
    for policy in policies() {
        let verdict = prune_branch(&branch(LandingSeen::Out), &policy);
        assert!(matches!(verdict, PruneVerdict::Stays(_)), "{policy:?}");
    }
}

#[test]
fn a_branch_goes_only_after_its_worktree() {
    let landing = landed(LandingWay::Reached, LandingSide::Here);
    let on = |number| PrunableBranch { there: Some(id(number)), ..branch(landing.clone()) };
    let of = |policy: &PrunePolicy, unsaved| {
        let landing = if unsaved { LandingSeen::Unsaved } else { landing.clone() };
        let worktrees = vec![PrunableWorktree { landing, ..worktree(1) }];
        letters(PruneSnapshot { worktrees, branches: vec![on(1)], ..PruneSnapshot::default() }, policy)
    };
    let landed = PrunePolicy { landed: true, ..PrunePolicy::default() };
    assert_eq!(of(&landed, false), "ll");
    assert_eq!(of(&landed, true), ".");
    assert_eq!(of(&PrunePolicy { older_than: Some(Duration::ZERO), ..landed.clone() }, true), "ol");
    assert_eq!(of(&PrunePolicy { to_bytes: Some(0), ..landed }, true), "bl");
}

#[test]
fn age_counts_from_when_it_was_kept_or_made_and_includes_the_limit() {
    let of = |seconds: u64| {
        let worktrees = vec![worktree(2), worktree(1), PrunableWorktree { since: None, ..worktree(3) }];
        let found = PruneSnapshot {
            worktrees,
            rescues: vec![rescue(2, 0), rescue(1, 0)],
            ..PruneSnapshot::default()
        };
        let older_than = Some(Duration::from_secs(seconds));
        letters(found, &PrunePolicy { older_than, ..PrunePolicy::default() })
    };
    // Those of which nothing tells the age come first.
    assert_eq!(
        (of(901), of(900), of(800), of(0)),
        (".....".into(), ".o.o.".into(), ".oooo".into(), ".oooo".into())
    );
    let ahead = PrunableRescue { since: at(NOW + 1), ..rescue(1, 0) };
    let policy = PrunePolicy { older_than: Some(Duration::ZERO), ..PrunePolicy::default() };
    assert_eq!(prune_rescue(&ahead, &policy, at(NOW)), PruneVerdict::Stays(StayReason::NotNamed));
}

#[test]
fn the_oldest_go_until_the_rest_fits() {
    let of = |bytes| {
        let found = PruneSnapshot {
            worktrees: vec![worktree(2), worktree(4)],
            rescues: vec![rescue(1, 0), rescue(3, 7), rescue(5, 5)],
            ..PruneSnapshot::default()
        };
        letters(found, &PrunePolicy { to_bytes: Some(bytes), ..PrunePolicy::default() })
    };
    assert_eq!(of(32), ".....");
    assert_eq!(of(31), "b....");
    assert_eq!(of(22), "b....");
    assert_eq!(of(21), "b..b.");
    assert_eq!(of(14), "bb.b.");
    assert_eq!(of(0), "bb.bb", "what holds nothing stays");
}

#[test]
fn what_goes_anyway_or_may_not_go_does_not_count() {
    let found = PruneSnapshot {
        worktrees: vec![
            PrunableWorktree { until: Some(at(NOW)), ..worktree(1) },
            PrunableWorktree { obstacle: Some(StayReason::Quarantined), bytes: Some(1 << 40), ..worktree(2) },
            PrunableWorktree { bytes: None, ..worktree(3) },
        ],
        rescues: vec![rescue(4, 10), PrunableRescue { due: true, ..rescue(5, 1 << 40) }],
        ..PruneSnapshot::default()
    };
    let of = |bytes| letters(found.clone(), &PrunePolicy { to_bytes: Some(bytes), ..PrunePolicy::default() });
    assert_eq!(of(10), "d...d");
    assert_eq!(of(9), "d..bd");
}

#[test]
fn without_a_policy_only_what_has_had_its_time_goes() {
    let found = PruneSnapshot {
        worktrees: vec![worktree(1), PrunableWorktree { until: Some(at(NOW)), ..worktree(2) }],
        rescues: vec![rescue(1, 10), PrunableRescue { due: true, ..rescue(2, 10) }],
        branches: vec![branch(landed(LandingWay::Reached, LandingSide::Here))],
        ..PruneSnapshot::default()
    };
    assert_eq!(letters(found.clone(), &PrunePolicy::default()), ".d.d.");
    assert!(!plan_prune(found, PrunePolicy::default(), at(NOW)).is_empty());
    assert!(plan_prune(PruneSnapshot::default(), PrunePolicy::default(), at(NOW)).is_empty());
}
