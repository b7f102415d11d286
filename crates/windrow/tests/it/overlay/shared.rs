//! Several overlays on one template, and templates that change.

use std::fs;

use super::scene::either;

#[test]
fn two_at_once_see_the_template_and_nothing_of_each_other() {
    let Some(scene) = either() else { return };
    let before = scene.template();
    let gate = scene.outside("gate");
    let script = "echo mine > $1; echo $1 >> README.md; echo here; until test -e \"$2\"; do sleep 0.02; done; \
                      ls; cat README.md";
    let start = |name: &str| {
        let run = scene.run(&["--name", name, "--", "sh", "-c", script, "both", name]).arg(&gate);
        let mut running = run.spawn();
        running.wait_for_stdout("here");
        running
    };
    let (fern, moss) = (start("fern"), start("moss"));
    let read = scene.windrow(&["exec", "fern", "--", "cat", "fern"]).run().assert_success();
    assert_eq!(read.text(), "mine", "{scene}: a command beside the holder's sees what it does");
    let shown = scene.windrow(&["diff", "moss"]).run().assert_success().text();
    assert!(shown.contains("+moss") && !shown.contains("+fern"), "{scene}: {shown}");
    fs::write(&gate, "").unwrap();
    for (name, other, running) in [("fern", "moss", fern), ("moss", "fern", moss)] {
        let text = running.wait().assert_success().text();
        assert!(text.lines().any(|line| line == name), "{scene}: {text}");
        assert!(!text.contains(other), "{scene}: {text}");
    }
    assert_eq!(scene.template(), before, "{scene}");
    scene.assert_nothing_left();
}

#[test]
fn a_name_is_used_again_and_begins_anew() {
    let Some(scene) = either() else { return };
    scene.run(&["--name", "fern", "--", "sh", "-c", "echo old > old; rm README.md"]).run().assert_success();
    let ran = scene.run(&["--name", "fern", "--", "ls"]).run().assert_success().text();
    assert!(ran.contains("README.md") && !ran.contains("old"), "{scene}: {ran}");
    scene.assert_nothing_left();
}

#[test]
fn a_template_that_an_overlay_needs_stays_as_it_is_until_it_is_given_back() {
    let Some(scene) = either() else { return };
    let [first] = &scene.templates()[..] else { panic!("one template") };
    let keep = ["--name", "fern", "--keep", "30m", "--", "sh", "-c", "echo one > one"];
    scene.run(&keep).run().assert_success();
    scene.commit("later");
    let second = scene.make_template();
    assert_ne!(second, *first, "{scene}: a new one is made beside");
    let words = ["exec", "fern", "--", "ls"];
    let listed = scene.windrow(&words).run().assert_success().text();
    assert!(listed.contains("one") && !listed.contains("later"), "{scene}: {listed}");
    let ran = scene.run(&["--", "cat", "later"]).run().assert_success();
    assert_eq!(ran.text(), "later", "{scene}");
    scene.windrow(&["pool", "template", "--remove"]).run().assert_success();
    assert_eq!(scene.templates(), std::slice::from_ref(first), "{scene}: the one that is needed stays");
    let listed = scene.windrow(&words).run().assert_success().text();
    assert!(listed.contains("one"), "{scene}: {listed}");
    scene.windrow(&["release", "fern"]).run().assert_success();
    scene.windrow(&["pool", "template", "--remove"]).run().assert_success();
    assert_eq!(scene.templates().len(), 0, "{scene}: nobody needs it any more");
}

#[test]
fn at_another_commit_what_differs_is_changed_in_the_layer_alone() {
    let Some(scene) = either() else { return };
    let before = scene.template();
    scene.commit("later");
    let script = "cat later; git status --porcelain; git log --oneline | wc -l";
    let ran = scene.run(&["--config", "pool.templates=1", "--name", "fern", "--", "sh", "-c", script]).run();
    assert_eq!(ran.assert_success().text().split_whitespace().collect::<Vec<_>>(), ["later2"], "{scene}");
    assert_eq!(scene.template(), before, "{scene}");
}
