//! H39: children of every kind, and none of them left, in a process namespace of their own.

use std::time::Duration;

use windrow_testkit::{Creature, TestRepo, pid_namespace, root_only, zoo};

use super::repo;

/// Runs the zoo under `windrow run` as process 2 of a namespace, does something to it, and prints who is still there when all
/// had their time, and at last what is on record.
const CAGE: &str = r#"
windrow=$1; script=$2; roll=$3; act=$4
: > "$roll"
"$windrow" --config run.grace=1s run --name fern -- bash -c 'echo work > work.txt; eval "$1"' zoo "$script" "$roll" > /dev/null 2>&1 &
run=$!
look() {
    left=
    for home in /proc/[1-9]*; do
        { read -r number name state rest < "$home/stat"; } 2> /dev/null || continue
        [ "$number" = $$ ] || [ "$state" = Z ] || left="$left $number$name"
    done
}
eval "$act"
turn=0
while look; [ -n "$left" ] && [ $turn -lt 150 ]; do turn=$((turn + 1)); sleep 0.1; done
echo "left:$left"
"$windrow" acquire --name next --detach > /dev/null && "$windrow" release next > /dev/null
"$windrow" list
"$windrow" rescue list --json
"#;

/// The script of the zoo gets the roll as its own first argument.
fn cage(creatures: &[Creature], then: &str, act: &str) -> Option<String> {
    let root = root_only("a process namespace for runaway processes")?;
    let repo: TestRepo = repo();
    let roll = repo.root().join("roll");
    let script = zoo(creatures, then).replace("roll=$1;", "roll=$2;");
    let waiting = format!(
        "turn=0; until [ \"$(wc -l < \"$roll\")\" -ge {} ] || [ $turn -gt 300 ]; do turn=$((turn + 1)); sleep 0.05; done; {act}",
        creatures.len()
    );
    let shell = repo.command("sh", repo.path()).args(["-c", CAGE, "cage"]);
    let shell = shell.arg(env!("CARGO_BIN_EXE_windrow")).arg(script).arg(&roll).arg(waiting);
    let outcome = pid_namespace(root, shell.bound(Duration::from_secs(50))).run().assert_success();
    let met = std::fs::read_to_string(&roll).unwrap();
    assert_eq!(met.lines().count(), creatures.len(), "not all were there: {met}");
    Some(outcome.text())
}

/// Nobody printed, nothing on record, the work in a rescue.
#[track_caller]
fn assert_empty(seen: &str) {
    assert!(seen.lines().any(|line| line == "left:"), "somebody lives: {seen}");
    assert!(seen.contains(r#""worktree":"fern""#), "the work is not saved: {seen}");
}

#[test]
fn h39_every_kind_of_child_dies_when_the_supervisor_is_killed() {
    let Some(seen) = cage(&Creature::ALL, "while :; do sleep 1; done", "kill -9 $run") else { return };
    assert_empty(&seen);
}

#[test]
fn h39_every_kind_of_child_ends_with_its_command() {
    let Some(seen) = cage(&Creature::ALL, "exit 0", "wait $run") else { return };
    assert_empty(&seen);
}

#[test]
fn h39_what_a_killed_reaper_left_is_ended_by_the_next_command() {
    // Who gave up every descriptor as well has no tie left to the run when both its supervisor and its reaper are dead.
    let tied: Vec<Creature> = Creature::ALL.into_iter().filter(|one| *one != Creature::Daemon).collect();
    let act = r#"pkill -9 -P "$run"; kill -9 $run; "$windrow" acquire --name after --detach > /dev/null; "$windrow" release after > /dev/null"#;
    let Some(seen) = cage(&tied, "while :; do sleep 1; done", act) else { return };
    assert_empty(&seen);
}
