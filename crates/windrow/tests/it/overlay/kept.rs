//! Overlays that stay after their command, and what others do with them.

use std::fs;

use super::scene::{either, scenes};

#[test]
fn a_kept_one_goes_on_with_exec_and_run_and_is_looked_at_by_diff_and_show() {
    for scene in scenes() {
        let keep = ["--name", "fern", "--keep", "30m", "--", "sh", "-c", "echo one > one"];
        scene.run(&keep).run().assert_success();
        assert_eq!(scene.state("fern"), "kept", "{scene}");
        let path = scene.pool_root().join("fern");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "{scene}: seen from outside it is empty");
        let words = ["exec", "fern", "--", "sh", "-c", "cat one; echo two > two"];
        assert_eq!(scene.windrow(&words).run().assert_success().text(), "one", "{scene}");
        let script = "cat two; echo three > three; git status --short";
        let words = ["run", "--name", "fern", "--keep", "30m", "--", "sh", "-c", script];
        let ran = scene.windrow(&words).run().assert_success().text();
        assert_eq!(ran, "two\n?? one\n?? three\n?? two", "{scene}");
        assert_eq!(scene.state("fern"), "kept", "{scene}");
        let diff = scene.windrow(&["diff", "fern"]).run().assert_success().text();
        assert!(diff.contains("+three") && diff.contains("+one"), "{scene}: {diff}");
        let shown = scene.windrow(&["show", "fern", "--json"]).run().assert_success().json();
        assert_eq!(shown["uncommitted"], 3, "{scene}: {shown}");
        scene.windrow(&["release", "fern"]).run().assert_success();
        scene.assert_nothing_left();
        let path = scene.windrow(&["restore", "fern", "--name", "back"]).run().assert_success().text();
        assert_eq!(fs::read_to_string(format!("{path}/two")).unwrap(), "two\n", "{scene}");
        scene.windrow(&["release", "back", "--discard"]).run().assert_success();
    }
}

#[test]
fn whoever_could_only_be_told_its_path_is_told_why_not() {
    let Some(scene) = either() else { return };
    scene.run(&["--name", "fern", "--keep", "30m", "--", "true"]).run().assert_success();
    let refused = scene.windrow(&["acquire", "--name", "fern"]).run().assert_code(65);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the files of `fern` are an overlay"), "{scene}: {said}");
    assert_eq!(scene.state("fern"), "kept", "{scene}: it stays as it was");
    scene.windrow(&["exec", "fern", "--", "git", "status"]).run().assert_success();
    scene.windrow(&["release", "fern", "--discard"]).run().assert_success();
    scene.assert_nothing_left();
}

#[test]
fn git_outside_neither_prunes_nor_mistakes_it() {
    let Some(scene) = either() else { return };
    let keep = ["--name", "fern", "--keep", "30m", "--", "sh", "-c", "echo one > one"];
    scene.run(&keep).run().assert_success();
    scene.git(&["worktree", "prune", "--expire=now"]);
    scene.windrow(&["reconcile"]).run().assert_success();
    let listed = scene.git(&["worktree", "list", "--porcelain"]);
    assert!(listed.contains("repo.windrow/fern") && listed.contains("locked"), "{scene}: {listed}");
    scene.windrow(&["doctor"]).run().assert_success();
    scene.windrow(&["exec", "fern", "--", "cat", "one"]).run().assert_success();
    scene.windrow(&["prune", "--older-than", "0s"]).run().assert_success();
    scene.assert_nothing_left();
    let rescues = scene.windrow(&["rescue", "list", "--json"]).run().assert_success().json();
    // The rescue was of a worktree that went in the same moment, and is younger than that.
    assert_eq!(rescues["rescues"].as_array().unwrap().len(), 1, "{scene}: {rescues}");
}

#[test]
fn only_the_layer_counts_as_its_room() {
    let Some(scene) = either() else { return };
    scene.run(&["--name", "fern", "--keep", "30m", "--", "true"]).run().assert_success();
    let list = scene.windrow(&["list", "--du", "--json"]).run().assert_success().json();
    let usage = &list["worktrees"][0]["usage"];
    let unique = usage["unique"].as_u64().or_else(|| usage["unique_bytes"].as_u64()).expect("unique bytes");
    assert!(unique < 100 << 10, "{scene}: {usage}");
    scene.windrow(&["deinit", "--discard-rescues"]).run().assert_code(65);
    scene.windrow(&["release", "fern"]).run().assert_success();
    scene.windrow(&["deinit", "--discard-rescues"]).run().assert_success();
    assert!(!scene.pool_root().exists(), "{scene}");
}
