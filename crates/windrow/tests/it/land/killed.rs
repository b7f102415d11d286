//! A command that is killed at any of its system calls, and what the next command makes of it.

use std::fmt::Debug;

use windrow_testkit::{Effect, Invocation, Side, Strike, TestRepo, Watch, trace};

/// How many calls are struck at.
const STRIKES: usize = 14;

/// Kills a command at calls all over its way, each time in a scene of its own: once the next command is through, everything is as it
/// was, as `state` tells, or wholly `done`.
#[track_caller]
pub(super) fn everywhere<S: Debug + PartialEq>(
    scene: &dyn Fn() -> TestRepo,
    state: &dyn Fn(&TestRepo) -> S,
    command: &dyn Fn(&TestRepo) -> Invocation,
    done: &dyn Fn(&TestRepo),
) {
    let repo = scene();
    let calls = trace(&command(&repo), Watch::Changes, None).points.len();
    done(&repo);
    let (mut went_back, mut went_on) = (0, 0);
    for strike in 0..STRIKES {
        let repo = scene();
        let before = state(&repo);
        let at = calls * (strike + 1) / (STRIKES + 1);
        let strike = Strike { at, effect: Effect::KillTree, side: Side::After };
        let traced = trace(&command(&repo), Watch::Changes, Some(strike));
        let told = format!("{:?}", traced.struck);
        repo.windrow(["run", "--name", "next", "--", "true"]).run().assert_success();
        assert!(!repo.git_dir().join("index.lock").exists(), "a lock is left: {told}");
        if state(&repo) == before {
            went_back += 1;
        } else {
            done(&repo);
            went_on += 1;
        }
    }
    assert!(went_back > 0 && went_back + went_on == STRIKES, "{went_back} went back, {went_on} on");
}
