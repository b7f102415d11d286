//! Worktrees that are overlays: what is done in one is as safe as in any other, and the template below never changes.

mod kept;
mod killed;
mod scene;
mod shared;

use std::fs;

use windrow_testkit::{Include, TreeSnapshot, assert_same};

use self::scene::{Scene, either, scenes};

/// Tells whether whoever runs the tests can have overlays, and says loudly when not.
pub(crate) fn can_be_had() -> bool {
    Scene::as_we_are().can_mount()
}

/// Work of every kind that can be lost; the last thing it does is to copy all of it to where the first argument says.
const WORK: &str = r#"
    set -e
    git status --porcelain --ignored > "$1.status"
    printf 'committed\n' > committed.txt
    git add committed.txt
    git commit --quiet --message 'From inside'
    printf 'changed\n' >> README.md
    printf 'staged\n' > staged.txt
    git add staged.txt
    printf 'untracked\n' > untracked.txt
    printf 'secret\n' > .env
    printf 'odd' > 'odd
name'
    rm src/lib.rs
    ln -s nowhere dangling
    chmod 600 untracked.txt
    chmod 644 bin/tool
    rm link
    mkdir link
    printf 'now a directory\n' > link/inside
    mv gen moved
    mkdir -p gen/00/000
    printf 'in place of another\n' > gen/00/000/file_000001.txt
    cp -a . "$1"
"#;

fn files(directory: &std::path::Path) -> TreeSnapshot {
    TreeSnapshot::of(directory, &Include::without_git())
}

#[test]
fn work_of_every_kind_is_saved_and_comes_back_byte_for_byte() {
    for scene in scenes() {
        let before = scene.template();
        let copy = scene.outside("copy");
        let words = ["--name", "fern", "--", "sh", "-c", WORK, "work"];
        let ran = scene.run(&words).arg(&copy).run().assert_success();
        assert_eq!(fs::read_to_string(copy.with_extension("status")).unwrap(), "", "{scene}");
        assert_eq!(scene.git(&["show", "windrow/fern:committed.txt"]), "committed", "{scene}: {ran}");
        let path = scene.windrow(&["restore", "fern", "--name", "back"]).run().assert_success().text();
        assert_same(&files(&copy), &files(path.as_ref()));
        let status = scene.windrow(&["exec", "back", "--", "git", "status", "--porcelain"]).run().text();
        assert!(status.contains("A  staged.txt") && status.contains(" D src/lib.rs"), "{scene}: {status}");
        scene.windrow(&["release", "back", "--discard"]).run().assert_success();
        assert_eq!(scene.template(), before, "{scene}: the template is as it was");
        scene.assert_nothing_left();
    }
}

#[test]
fn a_run_that_does_nothing_leaves_nothing_and_hashes_nothing() {
    let Some(scene) = either() else { return };
    let copy = scene.outside("index");
    let script = "cp \"$(git rev-parse --git-path index)\" \"$1\"; git status --porcelain; \
                      cmp \"$(git rev-parse --git-path index)\" \"$1\"";
    let ran = scene.run(&["--name", "fern", "--", "sh", "-c", script, "look"]).arg(&copy).run();
    let ran = ran.assert_success();
    assert_eq!(ran.text(), "", "{scene}: clean, and the index as git would write it");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("nothing was changed in it"), "{scene}: {ran}");
    assert!(!scene.try_git(&["rev-parse", "--verify", "windrow/fern"]), "{scene}: the branch went");
    scene.assert_nothing_left();
}

#[test]
fn a_file_that_only_changed_its_mode_and_one_that_is_hidden_from_status_are_saved() {
    let Some(scene) = either() else { return };
    let script = "chmod +x README.md; git update-index --assume-unchanged src/lib.rs; echo hidden > src/lib.rs; \
                      git status --porcelain";
    let ran = scene.run(&["--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    assert_eq!(ran.text(), " M README.md", "{scene}: status does not see the other");
    let path = scene.windrow(&["restore", "fern", "--name", "back"]).run().assert_success().text();
    assert_eq!(fs::read_to_string(format!("{path}/src/lib.rs")).unwrap(), "hidden\n", "{scene}");
    scene.windrow(&["release", "back", "--discard"]).run().assert_success();
    scene.assert_nothing_left();
}

#[test]
fn h15_a_change_that_only_the_index_or_head_holds_is_saved() {
    let Some(scene) = either() else { return };
    // Nothing lies in the layer afterwards but what git itself needs.
    let script = "echo staged > new; git add new; rm new";
    scene.run(&["--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    let path = scene.windrow(&["restore", "fern", "--name", "back"]).run().assert_success().text();
    assert_eq!(scene.git_in(path.as_ref(), &["show", ":new"]), "staged", "{scene}");
    scene.windrow(&["release", "back", "--discard"]).run().assert_success();
    let script = "git checkout --quiet --detach; git commit --quiet --allow-empty --message orphan; \
                      git rev-parse HEAD; git checkout --quiet windrow/moss";
    let ran = scene.run(&["--name", "moss", "--", "sh", "-c", script]).run().assert_success();
    let found = scene.git(&["for-each-ref", "--contains", &ran.text(), "--format=%(refname)"]);
    assert!(found.starts_with("refs/windrow/rescue/moss"), "{scene}: {found}");
    scene.assert_nothing_left();
}

#[test]
fn a_replaced_dot_git_leaves_the_worktree_in_place() {
    let Some(scene) = either() else { return };
    let script = "echo work > work; echo 'gitdir: /tmp' > .git";
    scene.run(&["--name", "fern", "--", "sh", "-c", script]).run();
    assert_eq!(scene.state("fern"), "quarantined", "{scene}");
    let layers = scene.layers();
    assert_eq!(fs::read(layers[0].join("upper/work")).unwrap(), b"work\n", "{scene}");
}

#[test]
fn what_cannot_be_an_overlay_is_said_in_one_line() {
    let scene = Scene::as_we_are();
    let acquired =
        scene.windrow(&["acquire", "--name", "fern", "--strategy", "overlay"]).run().assert_success();
    let said = String::from_utf8_lossy(&acquired.stderr).into_owned();
    assert_eq!(said.matches("no overlay, ").count(), 1, "{said}");
    assert!(said.contains("only `windrow run`, `exec` and `shell` show one"), "{said}");
    assert!(fs::exists(format!("{}/README.md", acquired.text())).unwrap());
    scene.windrow(&["release", "fern"]).run().assert_success();
    scene.windrow(&["pool", "template", "--remove"]).run().assert_success();
    let ran = scene.run(&["--name", "moss", "--", "true"]).run().assert_success();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("no overlay, it needs a template and there is none yet"), "{said}");
}

#[test]
fn every_strategy_is_told_with_a_reason() {
    let scene = Scene::as_we_are();
    let told = scene.windrow(&["doctor", "--strategies", "--json"]).run().assert_success().json();
    let ways = told["strategies"].as_array().unwrap();
    let overlay = ways.iter().find(|way| way["strategy"] == "overlay").unwrap();
    assert_eq!(overlay["possible"] == true, overlay["reason"].is_null(), "{told}");
}
