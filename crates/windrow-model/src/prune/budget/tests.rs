//! What goes for a budget, in which order, and what never does.

use crate::{
    BudgetPlan, BudgetSeen, PrunableRescue, PrunableSpare, PrunableTemplate, PrunableTrash, PrunableWorktree,
    PruneItem, PrunePlan, PrunePolicy, PruneSnapshot, PruneStep, PruneVerdict, StayReason, plan_prune,
    prune::tests::{NOW, at, id, letters, rescue, worktree},
};

fn trash(unique: u64) -> PrunableTrash {
    PrunableTrash { path: "/pool/.trash".into(), unique: Some(unique) }
}

fn spare(number: u8, unique: u64) -> PrunableSpare {
    PrunableSpare {
        id: id(1_000 + u128::from(number)),
        name: format!("idle-{number}").parse().unwrap(),
        path: format!("/pool/.idle-{number}").into(),
        unique: Some(unique),
        since: at(100 * i64::from(number)),
        usable: true,
        obstacle: None,
    }
}

fn kept(number: u8, unique: u64) -> PrunableWorktree {
    PrunableWorktree { unique: Some(unique), ..worktree(number) }
}

fn saved(number: u8, unique: u64) -> PrunableRescue {
    PrunableRescue { unique: Some(unique), ..rescue(number, unique) }
}

/// One byte of trash, two spares of 10, two worktrees of 100 and two rescues of 1000, the newest first, and 5 in use.
fn example() -> PruneSnapshot {
    PruneSnapshot {
        worktrees: vec![kept(2, 100), kept(1, 100)],
        rescues: vec![saved(4, 1_000), saved(3, 1_000)],
        budget: Some(BudgetSeen {
            trash: vec![trash(1)],
            spares: vec![spare(8, 10), spare(7, 10)],
            templates: Vec::new(),
            fixed: 5,
            untold: 0,
        }),
        ..PruneSnapshot::default()
    }
}

fn to(limit: u64) -> PrunePolicy {
    PrunePolicy { to_budget: Some(limit), ..PrunePolicy::default() }
}

fn plan(found: PruneSnapshot, limit: u64) -> PrunePlan {
    plan_prune(found, to(limit), at(NOW))
}

#[test]
fn what_is_cheapest_to_lose_goes_first_of_each_kind_the_oldest_and_no_more_than_needed() {
    // Trash, spares, worktrees, rescues, each oldest first.
    for (limit, goes) in [
        (u64::MAX, "......."),
        (2_226, "......."),
        (2_225, "b......"),
        (2_224, "bb....."),
        (2_215, "bb....."),
        (2_214, "bbb...."),
        (2_204, "bbbb..."),
        (2_105, "bbbb..."),
        (2_104, "bbbbb.."),
        (2_004, "bbbbbb."),
        (1_005, "bbbbbb."),
        (1_004, "bbbbbbb"),
        (0, "bbbbbbb"),
    ] {
        assert_eq!(letters(example(), &to(limit)), goes, "{limit}");
        let budget = plan(example(), limit).budget.unwrap();
        assert_eq!((budget.limit, budget.held, budget.untold), (limit, 2_226, 0));
        assert_eq!(budget.is_met(), limit >= 5, "{limit}");
    }
    let items: Vec<_> = plan(example(), 0).steps.into_iter().map(|step| step.item).collect();
    let PruneItem::Trash { .. } = items[0] else { panic!("{items:?}") };
    let PruneItem::Spare { name, .. } = &items[1] else { panic!("{items:?}") };
    assert_eq!(name.as_str(), "idle-7");
}

#[test]
fn what_is_left_is_told_and_whether_it_fits() {
    let budget = |limit| plan(example(), limit).budget.unwrap();
    assert_eq!(budget(2_224), BudgetPlan { limit: 2_224, held: 2_226, left: 2_215, untold: 0 });
    assert_eq!(budget(5).left, 5);
    assert!(budget(5).is_met() && !budget(4).is_met());
    assert_eq!(plan_prune(example(), PrunePolicy::default(), at(NOW)).budget, None);
    assert!(!to(0).is_empty() && !plan(example(), 0).is_empty());
}

#[test]
fn what_may_not_go_counts_and_stays_however_small_the_budget() {
    for obstacle in [StayReason::Quarantined, StayReason::AtWork, StayReason::NotGone, StayReason::Here] {
        let mut found = example();
        let blocked = || Some(obstacle.clone());
        found.worktrees.iter_mut().for_each(|one| one.obstacle = blocked());
        found.rescues.iter_mut().for_each(|one| one.obstacle = blocked());
        let seen = found.budget.as_mut().unwrap();
        seen.spares.iter_mut().for_each(|one| one.obstacle = blocked());
        assert_eq!(letters(found.clone(), &to(0)), "b......");
        let plan = plan(found, 0);
        assert_eq!(plan.budget.unwrap().left, 2_225);
        let stays = PruneVerdict::Stays(obstacle);
        assert!(plan.steps[1..].iter().all(|step| step.verdict == stays), "{plan:?}");
    }
}

#[test]
fn a_spare_that_cannot_be_handed_out_goes_before_older_ones_that_can() {
    let mut found = example();
    found.budget.as_mut().unwrap().spares[0].usable = false;
    let steps = plan(found, 2_224).steps;
    let PruneItem::Spare { name, .. } = &steps[1].item else { panic!("{steps:?}") };
    assert_eq!((name.as_str(), steps[1].goes().is_some(), steps[2].goes()), ("idle-8", true, None));
}

#[test]
fn templates_that_serve_nobody_go_before_what_is_ready_and_the_others_before_anybodys_work() {
    let template = |number: u8, serves| PrunableTemplate {
        commit: format!("{number:040x}").parse().unwrap(),
        path: format!("/pool/.template-{number}").into(),
        unique: Some(50),
        since: at(i64::from(number)),
        serves,
    };
    let mut found = example();
    let templates = vec![template(4, true), template(3, false), template(2, true), template(1, false)];
    found.budget.as_mut().unwrap().templates = templates;
    // Trash, two that serve nobody, two that are ready, two that serve, two kept, two rescues.
    for (limit, goes) in [
        (2_426, "..........."),
        (2_425, "b.........."),
        (2_424, "bb........."),
        (2_374, "bbb........"),
        (2_324, "bbbb......."),
        (2_314, "bbbbb......"),
        (2_304, "bbbbbb....."),
        (2_254, "bbbbbbb...."),
        (2_204, "bbbbbbbb..."),
    ] {
        assert_eq!(letters(found.clone(), &to(limit)), goes, "{limit}");
    }
    let steps = plan(found, 0).steps;
    let path = |step: &PruneStep| match &step.item {
        PruneItem::Template { path, .. } => path.to_str().unwrap().to_owned(),
        _ => String::new(),
    };
    let paths: Vec<_> = steps.iter().map(path).filter(|path| !path.is_empty()).collect();
    assert_eq!(paths, ["/pool/.template-1", "/pool/.template-3", "/pool/.template-2", "/pool/.template-4"]);
}

#[test]
fn what_goes_anyway_is_freed_first() {
    let mut found = example();
    found.worktrees[0].until = Some(at(NOW));
    found.rescues[0].due = true;
    assert_eq!(letters(found.clone(), &to(1_126)), "....d.d");
    assert_eq!(letters(found, &to(1_125)), "b...d.d");
}

#[test]
fn what_holds_nothing_of_its_own_frees_nothing_and_stays() {
    let mut found = example();
    found.worktrees.iter_mut().for_each(|one| one.unique = Some(0));
    found.budget.as_mut().unwrap().trash = vec![trash(0)];
    assert_eq!(letters(found, &to(0)), ".bb..bb");
}

#[test]
fn what_cannot_be_told_stays_is_said_and_counted() {
    let mut found = example();
    found.worktrees[0].unique = None;
    found.worktrees[1].since = None;
    let seen = found.budget.as_mut().unwrap();
    (seen.trash[0].unique, seen.untold) = (None, 2);
    let plan = plan(found, 0);
    let why = |place: usize| match &plan.steps[place].verdict {
        PruneVerdict::Stays(StayReason::Unchecked(why)) => why.as_str(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [why(0), why(3), why(4)],
        ["its size cannot be told", "nothing tells since when it is kept", "its size cannot be told"]
    );
    assert_eq!(plan.budget.unwrap(), BudgetPlan { limit: 0, held: 2_125, left: 105, untold: 4 });
}

#[test]
fn both_limits_hold_together() {
    let policy = PrunePolicy { to_bytes: Some(1_010), ..to(2_226) };
    // Of 10 + 10 + 1000 + 1000 apparent bytes the oldest three make room.
    assert_eq!(letters(example(), &policy), "...bbb.");
    let budget = plan_prune(example(), policy, at(NOW)).budget.unwrap();
    assert_eq!(budget.left, 2_226 - 1_200);
}
