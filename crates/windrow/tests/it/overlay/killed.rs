//! Overlays whose processes were killed.

use std::{fs, path::Path};

use windrow_testkit::{Effect, Point, Watch, trace_until};

use super::scene::{either, scenes};

#[test]
fn h33_what_a_killed_run_leaves_is_saved_by_the_next_command() {
    for scene in scenes() {
        let before = scene.template();
        let script = "echo precious > work; rm README.md; echo ready; exec sleep 300";
        let mut running = scene.run(&["--name", "fern", "--", "sh", "-c", script]).spawn();
        running.wait_for_stdout("ready");
        running.kill_alone();
        scene.windrow(&["--config", "pool.keeper=false", "run", "--", "true"]).run().assert_success();
        windrow_testkit::poll_until(crate::pool::SOON, "the keeper or that command", || {
            scene.state("fern") == "gone"
        });
        let path = scene.windrow(&["restore", "fern", "--name", "back"]).run().assert_success().text();
        assert_eq!(fs::read(format!("{path}/work")).unwrap(), b"precious\n", "{scene}");
        assert!(!Path::new(&path).join("README.md").exists(), "{scene}");
        scene.windrow(&["release", "back", "--discard"]).run().assert_success();
        assert_eq!(scene.template(), before, "{scene}");
        scene.assert_nothing_left();
    }
}

#[test]
fn h33_one_that_was_killed_before_git_knew_it_is_undone() {
    let Some(scene) = either() else { return };
    let run = scene.run(&["--name", "fern", "--", "true"]);
    let is_it = |point: &Point| point.paths.iter().any(|path| path.ends_with("upper/.git"));
    let traced = trace_until(&run, Watch::Changes, Effect::KillTree, &is_it);
    assert!(traced.struck.is_some(), "{scene}: {}", traced.outcome);
    assert_eq!((scene.state("fern"), scene.layers().len()), ("creating".to_owned(), 1), "{scene}");
    scene.windrow(&["run", "--", "true"]).run().assert_success();
    assert_eq!(scene.state("fern"), "gone", "{scene}");
    scene.assert_nothing_left();
}

#[test]
fn a_killed_run_is_taken_over_by_its_key() {
    let Some(scene) = either() else { return };
    let script = "echo precious > work; echo ready; exec sleep 300";
    let words = ["--name", "fern", "--key", "k", "--", "sh", "-c", script];
    let off = ("WINDROW_CONFIG__POOL__KEEPER", "false");
    let mut running = scene.run(&words).env(off.0, off.1).spawn();
    running.wait_for_stdout("ready");
    running.kill_alone();
    let words = ["--key", "k", "--", "cat", "work"];
    let ran = scene.run(&words).env(off.0, off.1).run().assert_success();
    assert_eq!(ran.text(), "precious", "{scene}: {ran}");
    scene.assert_nothing_left();
}

#[test]
fn h38_a_process_that_outlived_its_run_keeps_nothing_mounted() {
    let Some(scene) = either() else { return };
    let script = "setsid sh -c 'exec 0<&- 1<&- 2<&-; exec sleep 300' & echo work > work";
    scene.run(&["--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    scene.assert_nothing_left();
}
