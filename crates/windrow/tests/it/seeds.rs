//! Build caches that come along: the first build compiles what differs and nothing else, and is never of other sources.

mod histories;
mod kit;
mod refused;

use std::{collections::BTreeSet, fs, path::PathBuf, thread};

use serde_json::Value;
use windrow_testkit::{TestRepo, assert_same};

use self::kit::{build_main, cargo, compiled, expected, printed, workspace};
use crate::pool::{everything, put, windrow};

/// A worktree with what became of its only seed.
#[track_caller]
fn seeded(repo: &TestRepo, arguments: &[&str]) -> (PathBuf, Value) {
    let document = windrow(repo, &[&["acquire", "--json"], arguments].concat()).json();
    let seeds = document["seeds"].as_array().unwrap().clone();
    assert_eq!(seeds.len(), 1, "{seeds:?}");
    (document["lease"]["path"].as_str().unwrap().into(), seeds[0]["fate"].clone())
}

/// A worktree whose seed was taken along.
#[track_caller]
fn taken(repo: &TestRepo, arguments: &[&str]) -> PathBuf {
    let (path, fate) = seeded(repo, arguments);
    assert_eq!(fate["kind"], "taken", "{fate}");
    path
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_first_build_compiles_nothing_but_what_holds_the_path() {
    let repo = workspace();
    build_main(&repo);
    let before = everything(&repo.path().join("target"));
    let (path, fate) = seeded(&repo, &["--name", "warm"]);
    assert_eq!((&fate["changed"], &fate["left_behind"]), (&Value::from(0), &Value::from(1)), "{fate}");
    let index = || fs::read(repo.git_dir().join("worktrees/warm/index")).unwrap();
    let written = index();
    assert_eq!(repo.git_in(&path, ["status", "--porcelain"]), "");
    assert_eq!(index(), written, "git looked into no file");
    assert_eq!(compiled(&repo, &path, &["build"]), names(&[]));
    assert_eq!(compiled(&repo, &path, &["test", "--no-run"]), names(&["paths"]));
    assert_eq!(printed(&repo, &path), expected(&path));
    assert_same(&before, &everything(&repo.path().join("target")));

    put(&path.join("quiet/data/one"), "one 1\n");
    assert_eq!(compiled(&repo, &path, &["build"]), names(&["quiet", "app"]));
    let released = windrow(&repo, &["release", "warm", "--json", "--discard"]).json();
    let dropped = released.to_string();
    assert!(dropped.contains("\"target\"") && dropped.contains("cache_tag"), "{dropped}");
}

#[test]
fn what_is_compiled_in_of_a_place_is_the_worktrees_own() {
    let repo = workspace();
    build_main(&repo);
    let told = |directory: &std::path::Path| {
        let call = cargo(&repo, directory, &["test", "--quiet", "--test", "paths", "--", "--nocapture"]);
        let text = call.run().assert_success().text();
        let paths = text.lines().filter_map(|line| line.split_once("path=")).map(|(_, path)| path.to_owned());
        paths.collect::<Vec<_>>()
    };
    let path = taken(&repo, &["--name", "own"]);
    for place in [repo.path(), &path] {
        let inside = told(place);
        let all = inside.iter().all(|one| std::path::Path::new(one).starts_with(place));
        assert!(inside.len() == 3 && all, "{}: {inside:?}", place.display());
    }
    // What depends on something that holds a path is compiled anew as well.
    put(&repo.path().join("lib/src/lib.rs"), "pub const HOME: &str = env!(\"CARGO_MANIFEST_DIR\");\n");
    put(&repo.path().join("app/src/main.rs"), "fn main() { print!(\"{}\", lib::HOME); }\n");
    repo.commit("a path for others");
    cargo(&repo, repo.path(), &["build"]).run().assert_success();
    let path = taken(&repo, &["--name", "deep"]);
    assert_eq!(printed(&repo, &path), path.join("lib").to_str().unwrap());
}

#[test]
fn each_of_many_builds_its_own() {
    let repo = workspace();
    build_main(&repo);
    let paths: Vec<_> = (0..4).map(|number| taken(&repo, &["--name", &format!("agent-{number}")])).collect();
    for (number, path) in paths.iter().enumerate() {
        put(&path.join("lib/words.txt"), format!("words of {number}\n"));
    }
    let repo = &repo;
    thread::scope(|scope| {
        let run = |path: &PathBuf| (printed(repo, path), expected(path));
        let all: Vec<_> = paths.iter().map(|path| scope.spawn(move || run(path))).collect();
        for one in all {
            let (printed, expected) = one.join().unwrap();
            assert_eq!(printed, expected);
        }
    });
}

#[test]
fn caches_of_another_checkout_are_not_inherited() {
    let repo = crate::pool::repository();
    let environment = repo.surroundings().environment();
    let path = environment.get(std::ffi::OsStr::new("PATH")).unwrap().to_str().unwrap().to_owned();
    let call = |shared: &str| {
        let call =
            repo.windrow(["acquire", "--json", "--config", shared]).env("CARGO_TARGET_DIR", "/elsewhere");
        let call = call.env("VIRTUAL_ENV", "/venv").env("PATH", format!("/venv/bin:{path}"));
        call.env("CARGO_BUILD_TARGET_DIR", "relative").run().assert_success()
    };
    let document = call("seed.shared_target=false").json();
    let unset: Vec<_> =
        document["env_unset"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(unset, ["CARGO_TARGET_DIR", "VIRTUAL_ENV"]);
    let set = &document["env_set"];
    assert_eq!((set["PATH"].as_str(), set["CCACHE_NOHASHDIR"].as_str()), (Some(path.as_str()), Some("1")));
    assert_eq!(set["CCACHE_BASEDIR"], document["lease"]["path"]);
    let notices = document["notices"].to_string();
    assert!(notices.contains("`CARGO_TARGET_DIR` is not passed on"), "{notices}");

    let shared = call("seed.shared_target=true").json();
    assert_eq!(
        shared["env_set"]["CARGO_TARGET_DIR"].as_str().unwrap(),
        repo.path().join("target").to_str().unwrap()
    );
    assert!(shared["notices"].to_string().contains("run each other's programs"), "{shared}");
}
