//! What keeps a build cache from coming along is told, and does no harm.

use std::{
    fs::{self, File},
    time::Duration,
};

use windrow_testkit::{Binary, FileSystem, TestRepo, loop_fs, poll_until, root_only};

use super::{kit::workspace, seeded, taken};
use crate::{
    leasing::{assert_nothing_left, wait_for_empty_trash},
    pool::{pool_root, put, windrow},
};

/// Something that looks as if cargo had built it, without the time that takes.
fn pretend_built(repo: &TestRepo, files: usize, length: usize) {
    let target = repo.path().join("target");
    put(&target.join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    put(&target.join("debug/.cargo-lock"), "");
    fs::create_dir_all(target.join("debug/.fingerprint")).unwrap();
    for number in 0..files {
        put(&target.join(format!("debug/deps/libx-{number:016x}.rlib")), vec![b'x'; length]);
    }
}

#[track_caller]
fn left(repo: &TestRepo, arguments: &[&str]) -> String {
    let (path, fate) = seeded(repo, arguments);
    assert_eq!(fate["kind"], "left", "{fate}");
    assert!(!path.join("target").exists(), "{fate}");
    fate["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_build_under_way_is_not_waited_for_for_ever() {
    let repo = workspace();
    pretend_built(&repo, 1, 1);
    let lock = File::open(repo.path().join("target/debug/.cargo-lock")).unwrap();
    lock.lock().unwrap();
    let why = left(&repo, &["--config", "seed.wait=\"0s\""]);
    assert!(why.contains("a build is under way"), "{why}");
    lock.unlock().unwrap();
    taken(&repo, &["--name", "later"]);
    lock.try_lock().expect("it is held no longer than needed");
}

#[test]
fn what_git_would_show_or_is_not_known_does_not_come_along() {
    let repo = workspace();
    pretend_built(&repo, 1, 1);
    fs::remove_dir(repo.path().join("target/debug/.fingerprint")).unwrap();
    let why = left(&repo, &["--name", "layout"]);
    assert!(why.contains("laid out"), "{why}");
    put(&repo.path().join(".gitignore"), "*.log\n");
    repo.git(["commit", "--quiet", "--message", "ignore less", ".gitignore"]);
    let why = left(&repo, &["--name", "shown"]);
    assert!(why.contains("does not ignore"), "{why}");
    let told = repo.windrow(["acquire", "--name", "told"]).run().assert_success().stderr_text();
    assert!(told.contains("no seed") && told.contains("does not ignore"), "{told}");
    let off = windrow(&repo, &["acquire", "--json", "--config", "seed.cargo=\"off\""]).json();
    assert_eq!(off["seeds"].as_array().unwrap().len(), 0);
}

#[test]
fn a_disk_without_room_keeps_it_out_and_nothing_of_it() {
    let Some(root) = root_only("a small file system") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Ext4, 64 << 20) else { return };
    let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).inside(mounted.path()).build();
    super::kit::furnish(&repo);
    pretend_built(&repo, 25, 1 << 20);
    let small = ["--config", "pool.min_free=0", "--config", "seed.max_bytes=\"1MiB\""];
    let why = left(&repo, &small);
    assert!(why.contains("seed.max_bytes"), "{why}");
    // It fits into what is free, but not into what has to stay free.
    let why = left(&repo, &["--config", "pool.min_free=\"20MiB\""]);
    assert!(why.contains("no room"), "{why}");
    wait_for_empty_trash(&repo);
}

#[test]
fn h33_a_killed_copy_leaves_nothing() {
    let repo = workspace();
    pretend_built(&repo, 3_000, 20 << 10);
    let mut running = repo.windrow(["acquire", "--name", "cut"]).spawn();
    let trash = pool_root(&repo).join(".trash");
    poll_until(Duration::from_secs(20), "a copy under way", || {
        let entries = fs::read_dir(&trash).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("target/debug/deps")).any(|path| path.exists())
    });
    running.kill_alone();
    windrow(&repo, &["list"]);
    windrow(&repo, &["run", "--config", "seed.cargo=\"off\"", "--", "true"]);
    wait_for_empty_trash(&repo);
    assert_nothing_left(&repo);
}
