//! Leasing worktrees through the real binary, and what must hold afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windrow_testkit::{Binary, TestRepo, TestRepoBuilder, is_template_of_the_kit, poll_until};

/// A worktree that somebody leased.
pub(crate) struct Leased {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) branch: String,
    pub(crate) document: serde_json::Value,
}

pub(crate) fn binary() -> Binary {
    Binary(env!("CARGO_BIN_EXE_windrow").into())
}

pub(crate) fn repository() -> TestRepo {
    TestRepo::with_binary(binary())
}

pub(crate) fn builder() -> TestRepoBuilder {
    TestRepo::builder().binary(binary())
}

/// Leases a worktree and reads the document about it.
#[track_caller]
pub(crate) fn acquire(repo: &TestRepo, arguments: &[&str]) -> Leased {
    let outcome = repo.windrow(["acquire", "--json"]).args(arguments).run().assert_success();
    let document = outcome.json();
    let text = |key: &str| document["lease"][key].as_str().unwrap_or_default().to_owned();
    Leased { path: text("path").into(), name: text("name"), branch: text("branch"), document }
}

/// Gives a worktree back and reads the document about it.
#[track_caller]
pub(crate) fn release(repo: &TestRepo, name: &str) -> serde_json::Value {
    repo.windrow(["release", "--json", name]).run().assert_success().json()
}

/// The worktrees that are there.
#[track_caller]
pub(crate) fn listed(repo: &TestRepo) -> Vec<serde_json::Value> {
    let document = repo.windrow(["list", "--json"]).run().assert_success().json();
    document["worktrees"].as_array().expect("a list").clone()
}

/// The directory around the worktrees.
pub(crate) fn pool_directory(repo: &TestRepo) -> PathBuf {
    let mut name = repo.path().as_os_str().to_owned();
    name.push(".windrow");
    name.into()
}

/// What lies in the pool, but for trash on its way out and a template that the kit made.
#[track_caller]
pub(crate) fn pool_entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.map(|entry| entry.expect("a listed entry").file_name());
    let names = names.filter(|name| !is_template_of_the_kit(name));
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name != ".trash");
    names.sort();
    names
}

/// The branches, one name each.
#[track_caller]
pub(crate) fn branches(repo: &TestRepo) -> Vec<String> {
    let listed = repo.git(["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    listed.lines().map(str::to_owned).collect()
}

/// Checks that no worktree is left: not on disk, not in git's registry, not in Windrow's records, and no branch of one.
#[track_caller]
pub(crate) fn assert_nothing_left(repo: &TestRepo) {
    assert_eq!(pool_entries(&pool_directory(repo)), Vec::<String>::new(), "files in the pool");
    let registry = repo.git_dir().join("worktrees");
    assert_eq!(pool_entries(&registry), Vec::<String>::new(), "registrations");
    assert_eq!(listed(repo), Vec::<serde_json::Value>::new(), "records");
    let ours: Vec<_> = branches(repo).into_iter().filter(|name| name.starts_with("windrow/")).collect();
    assert_eq!(ours, Vec::<String>::new(), "branches");
    let prepared = fs::read_dir(repo.git_dir().join("windrow")).into_iter().flatten().flatten();
    let aside = prepared.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let aside: Vec<_> = aside.filter(|name| name.starts_with("new-") || name.starts_with("old-")).collect();
    assert_eq!(aside, Vec::<String>::new(), "prepared directories");
}

/// Waits until the trash is empty, so that a look at everything below the pool sees what stays.
#[track_caller]
pub(crate) fn wait_for_empty_trash(repo: &TestRepo) {
    let trash = pool_directory(repo).join(".trash");
    poll_until(Duration::from_secs(10), "an empty trash", || {
        pool_entries(&trash).iter().all(|name| name == "sweep.lock")
    });
}
