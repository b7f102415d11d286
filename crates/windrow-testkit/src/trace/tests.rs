//! The tracer on small programs.

use std::time::Duration;

use super::*;
use crate::Surroundings;

fn shell(surroundings: &Surroundings, script: &str) -> Invocation {
    Invocation::new("sh", &surroundings.home(), surroundings).args(["-c", script])
}

fn strike(at: usize, effect: Effect, side: Side) -> Option<Strike> {
    Some(Strike { at, effect, side })
}

/// What three directories made by three processes come to.
fn three(strike: Option<Strike>) -> (Traced, [bool; 3]) {
    let surroundings = Surroundings::new();
    let traced = trace(&shell(&surroundings, "mkdir a; (mkdir b); mkdir c"), Watch::Changes, strike);
    let made = ["a", "b", "c"].map(|name| surroundings.home().join(name).exists());
    (traced, made)
}

#[test]
fn changes_of_all_processes_are_counted_in_order() {
    let (traced, made) = three(None);
    assert_eq!(made, [true; 3]);
    let names: Vec<_> = traced
        .points
        .iter()
        .map(|point| (point.number, point.paths[0].file_name().unwrap_or_default()))
        .collect();
    assert_eq!(names, [(1, "a".as_ref()), (2, "b".as_ref()), (3, "c".as_ref())]);
    assert!(traced.points.iter().all(|point| point.call.starts_with("mkdir") && point.program == "mkdir"));
    assert_eq!((traced.outcome.code, traced.struck), (0, None));
}

#[test]
fn the_tree_dies_before_or_after_the_call() {
    let (traced, made) = three(strike(2, Effect::KillTree, Side::Before));
    assert_eq!((traced.outcome.signal, made), (Some(9), [true, false, false]));
    assert_eq!(traced.struck.map(|point| point.number), Some(2));
    let (_, made) = three(strike(2, Effect::KillTree, Side::After));
    assert_eq!(made, [true, true, false]);
}

#[test]
fn one_process_dies_and_the_others_go_on() {
    let (traced, made) = three(strike(2, Effect::KillProcess, Side::Before));
    assert_eq!((traced.outcome.code, made), (0, [true, false, true]));
    let (traced, made) = three(strike(2, Effect::KillProgram, Side::Before));
    assert_eq!((traced.outcome.signal, made), (Some(9), [true, true, false]));
}

#[test]
fn a_call_fails_and_has_no_effect() {
    if !can_inject_errors() {
        return crate::skipped("no errors can be injected on this architecture");
    }
    let (traced, made) = three(strike(2, Effect::Fail(Errno::ENOSPC), Side::Before));
    assert_eq!((traced.outcome.code, made), (0, [true, false, true]));
    assert!(traced.outcome.stderr.ends_with(b"No space left on device\n"), "{}", traced.outcome);
}

#[test]
fn a_strike_that_is_never_reached_changes_nothing() {
    let (traced, made) = three(strike(4, Effect::KillTree, Side::Before));
    assert_eq!((traced.outcome.code, traced.struck, made), (0, None, [true; 3]));
}

#[test]
fn files_elsewhere_pipes_and_reads_do_not_count() {
    let surroundings = Surroundings::new();
    let script = "echo x | cat > /dev/null; cat .gitconfig; echo out; echo y > file; cat < file";
    let traced = trace(&shell(&surroundings, script), Watch::Changes, None);
    let calls: Vec<_> = traced.points.iter().map(|point| point.call).collect();
    assert_eq!(calls, ["openat", "write"], "{:?}", traced.points);
    assert!(traced.outcome.stdout.ends_with(b"out\ny\n"));
}

#[test]
fn descriptors_are_counted_instead() {
    let surroundings = Surroundings::new();
    let traced = trace(&shell(&surroundings, "cat .gitconfig | cat"), Watch::Descriptors, None);
    let calls: Vec<_> = traced.points.iter().map(|point| point.call).collect();
    assert!(calls.iter().any(|call| call.starts_with("pipe")) && calls.contains(&"openat"), "{calls:?}");
}

#[test]
fn what_lives_too_long_is_killed_and_named() {
    let surroundings = Surroundings::new();
    let script = "trap '' TERM; (setsid sleep 300 &); sleep 300";
    let invocation = shell(&surroundings, script).bound(Duration::from_millis(500));
    let traced = trace(&invocation, Watch::Changes, None);
    assert_eq!(traced.outcome.signal, Some(9));
    let sleeping = traced.overran.iter().filter(|line| line.contains("sleep 300 ")).count();
    assert!(sleeping >= 2, "{:?}", traced.overran);
}
