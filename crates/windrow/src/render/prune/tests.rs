//! What people see of a plan and of what became of it.

use std::{path::Path, time::Duration};

use anstream::adapter::strip_str;
use jiff::{SignedDuration, Timestamp};
use windrow_model::GoingBytes;

use super::*;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn view() -> View<'static> {
    View { now: now(), home: Some(Path::new("/home/ada")) }
}

fn worktree(name: &str, verdict: PruneVerdict) -> PruneStep {
    let item = PruneItem::Worktree {
        id: "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        name: name.parse().unwrap(),
        path: format!("/home/ada/shop.windrow/{name}").into(),
    };
    let since = Some(now() - SignedDuration::from_secs(90_000));
    PruneStep { item, bytes: Some(5 << 20), unique: None, since, verdict }
}

fn rescue(verdict: PruneVerdict) -> PruneStep {
    let (id, worktree) = ("quiet-fern-7c8d9e0f".parse().unwrap(), "quiet-fern".parse().unwrap());
    let since = Some(now() - SignedDuration::from_secs(700_000));
    PruneStep { item: PruneItem::Rescue { id, worktree }, bytes: Some(2_048), unique: None, since, verdict }
}

fn branch(name: &str, verdict: PruneVerdict) -> PruneStep {
    let item = PruneItem::Branch {
        name: name.parse().unwrap(),
        tip: "b".repeat(40).parse().unwrap(),
        worktree: "quiet-fern".parse().unwrap(),
    };
    PruneStep { item, bytes: None, unique: None, since: None, verdict }
}

fn example() -> PrunePlan {
    let landed = Landed {
        way: LandingWay::NothingToAdd,
        side: LandingSide::Remote,
        into: "refs/remotes/origin/main".to_owned(),
    };
    let age = Some(Duration::from_secs(86_400));
    PrunePlan {
        policy: PrunePolicy {
            older_than: age,
            to_bytes: Some(1_024),
            merged: true,
            ..PrunePolicy::default()
        },
        steps: vec![
            worktree("old", PruneVerdict::Goes(GoReason::Old)),
            worktree("used", PruneVerdict::Stays(StayReason::InUse("vim (4711)".to_owned()))),
            worktree("young", PruneVerdict::Stays(StayReason::NotNamed)),
            rescue(PruneVerdict::Goes(GoReason::Budget)),
            branch("windrow/merged", PruneVerdict::Goes(GoReason::Landed(landed))),
            branch("windrow/hand", PruneVerdict::Stays(StayReason::CheckedOut("/home/ada/hand".into()))),
        ],
        going: GoingBytes { logs: Some(0), trash: Some(4_096) },
        budget: None,
    }
}

#[test]
fn what_would_go_and_why_the_rest_stays() {
    insta::assert_snapshot!(strip_str(&prune_plan(&example(), &view())), @r"
    WHAT      NAME                 SIZE     AGE    OUTCOME
    worktree  old                  5.0 MiB  1d 1h  would go: old enough
    worktree  used                 5.0 MiB  1d 1h  kept: in use by vim (4711)
    rescue    quiet-fern-7c8d9e0f  2.0 KiB  8d 2h  would go: the oldest of too much
    branch    windrow/merged       -        -      would go: its changes are in origin/main
    branch    windrow/hand         -        -      kept: checked out in ~/hand
    1 worktree, 1 rescue, 1 branch (5.0 MiB) would go, 3 stay
    by itself: 4.0 KiB of trash
    next: windrow prune --older-than 1d --to-bytes 1024 --merged
    ");
}

#[test]
fn what_went_and_where_its_work_is() {
    let fates = vec![
        PruneFate::Done { rescue: Some("old-7c8d9e0f".parse().unwrap()) },
        PruneFate::Rested,
        PruneFate::Rested,
        PruneFate::Skipped("it changed meanwhile".to_owned()),
        PruneFate::Done { rescue: None },
        PruneFate::Rested,
    ];
    let done = Pruned { plan: example(), fates, held: None };
    assert!(!done.is_complete());
    insta::assert_snapshot!(strip_str(&pruned(&done, &view())), @r"
    WHAT      NAME                 SIZE     AGE    OUTCOME
    worktree  old                  5.0 MiB  1d 1h  gone: old enough; saved as old-7c8d9e0f
    worktree  used                 5.0 MiB  1d 1h  kept: in use by vim (4711)
    rescue    quiet-fern-7c8d9e0f  2.0 KiB  8d 2h  left as it is: it changed meanwhile
    branch    windrow/merged       -        -      gone: its changes are in origin/main; it was at bbbbbbbbbb
    branch    windrow/hand         -        -      kept: checked out in ~/hand
    1 worktree, 1 branch (5.0 MiB) went, 4 stay
    by itself: 4.0 KiB of trash
    next: windrow rescue list
    ");
}

/// A plan for a budget of 6 MiB, which leaves `left`.
fn for_a_budget(left: u64) -> PrunePlan {
    let trash = PruneItem::Trash { path: "/home/ada/shop.windrow/.trash".into() };
    let spare = PruneItem::Spare {
        id: "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        name: "idle-7c8d9e0f".parse().unwrap(),
        path: "/home/ada/shop.windrow/.idle-x".into(),
    };
    let goes = || PruneVerdict::Goes(GoReason::Budget);
    let step =
        |item, unique, since| PruneStep { item, bytes: None, unique: Some(unique), since, verdict: goes() };
    let since = Some(now() - SignedDuration::from_secs(3_600));
    let steps = vec![
        step(trash, 4 << 20, None),
        step(spare, 3 << 20, since),
        PruneStep { unique: Some(1 << 20), ..worktree("kept", PruneVerdict::Stays(StayReason::Here)) },
    ];
    let budget = Some(BudgetPlan { limit: 6 << 20, held: 12 << 20, left, untold: 1 });
    let policy = PrunePolicy { to_budget: Some(6 << 20), ..PrunePolicy::default() };
    PrunePlan { policy, steps, going: GoingBytes { logs: Some(1_024), trash: Some(4 << 20) }, budget }
}

#[test]
fn what_would_go_for_a_budget() {
    insta::assert_snapshot!(strip_str(&prune_plan(&for_a_budget(5 << 20), &view())), @r"
    WHAT      NAME                   SIZE     AGE    OUTCOME
    trash     ~/shop.windrow/.trash  4.0 MiB  -      would go: thrown away already
    ready     idle-7c8d9e0f          3.0 MiB  1h     would go: the oldest of too much
    worktree  kept                   1.0 MiB  1d 1h  kept: you are in it
    1 trash directory, 1 ready worktree (7.0 MiB) would go, 1 stays
    12.0 MiB are held, 5.0 MiB would be left; the budget is 6.0 MiB; the size of 1 thing cannot be told
    by itself: 1.0 KiB of old logs
    next: windrow prune --to-budget 6291456
    ");
}

#[test]
fn a_budget_that_is_not_met_is_told() {
    let fates = vec![PruneFate::Done { rescue: None }, PruneFate::Done { rescue: None }, PruneFate::Rested];
    let done = Pruned { plan: for_a_budget(5 << 20), fates, held: Some(7 << 20) };
    assert!(done.is_complete() && !done.is_within_budget());
    insta::assert_snapshot!(strip_str(&pruned(&done, &view())), @r"
    WHAT      NAME                   SIZE     AGE    OUTCOME
    trash     ~/shop.windrow/.trash  4.0 MiB  -      gone: thrown away already
    ready     idle-7c8d9e0f          3.0 MiB  1h     gone: the oldest of too much
    worktree  kept                   1.0 MiB  1d 1h  kept: you are in it
    1 trash directory, 1 ready worktree (7.0 MiB) went, 1 stays
    12.0 MiB were held, 7.0 MiB are left; the budget is 6.0 MiB; the size of 1 thing cannot be told
    the budget is not met: what is left is in use, saved or must not go
    by itself: 1.0 KiB of old logs
    ");
}

#[test]
fn a_time_is_written_in_the_unit_that_leaves_no_rest() {
    let all = [(0, "0s"), (90, "90s"), (5_400, "90m"), (7_200, "2h"), (604_800, "7d")];
    for (seconds, text) in all {
        assert_eq!(exact(seconds), text);
    }
}
