//! What the tests of saved work share: lending a worktree, giving it back, bringing it back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_testkit::{Include, TestRepo, TreeSnapshot};

/// Leases a worktree that the test then works in like an agent.
#[track_caller]
pub(crate) fn lend(repo: &TestRepo, name: &str) -> PathBuf {
    repo.windrow(["acquire", "--name", name]).run().assert_success().text().into()
}

/// Gives a worktree back and tells what became of it.
#[track_caller]
pub(crate) fn give_back(repo: &TestRepo, name: &str) -> Value {
    give_back_with(repo, name, &[])
}

/// The same with further words on the command line.
#[track_caller]
pub(crate) fn give_back_with(repo: &TestRepo, name: &str, words: &[&str]) -> Value {
    let outcome = repo.windrow(["release", name, "--json"]).args(words).run();
    let released = outcome.json()["released"].take();
    let stayed = released["fate"]["kind"] == "quarantined";
    outcome.assert_code(i32::from(stayed));
    released
}

/// The id of the rescue of what was given back, which is gone.
#[track_caller]
pub(crate) fn rescue_of(released: &Value) -> String {
    assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
    let id = released["rescue"]["id"].as_str();
    id.unwrap_or_else(|| panic!("nothing was rescued: {released:#}")).to_owned()
}

/// The reason why a worktree stays in place.
#[track_caller]
pub(crate) fn doubt_of(released: &Value) -> String {
    assert_eq!(released["fate"]["kind"], "quarantined", "{released:#}");
    released["fate"]["doubt"].as_str().unwrap().to_owned()
}

/// Brings a rescue back in a new worktree.
#[track_caller]
pub(crate) fn bring_back(repo: &TestRepo, rescue: &str) -> PathBuf {
    repo.windrow(["restore", rescue]).run().assert_success().text().into()
}

/// Gives a worktree back, brings it back elsewhere, and checks that nothing is different but `dropped`.
#[track_caller]
pub(crate) fn there_and_back(repo: &TestRepo, name: &str, worktree: &Path, dropped: &[&str]) -> PathBuf {
    let before = files_of(worktree, dropped);
    let released = give_back(repo, name);
    let rescue = rescue_of(&released);
    assert!(!worktree.exists(), "{} is still there", worktree.display());
    assert_eq!(paths_of(&released["dropped"]), dropped);
    let back = bring_back(repo, &rescue);
    windrow_testkit::assert_same(&before, &files_of(&back, &[]));
    back
}

/// Every file of a worktree, but git's own link and these paths.
#[track_caller]
pub(crate) fn files_of(worktree: &Path, without: &[&str]) -> TreeSnapshot {
    TreeSnapshot::of(worktree, &Include::except([".git"].iter().chain(without).copied()))
}

/// The paths of a list of objects that have one.
pub(crate) fn paths_of(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect()
}

/// All rescues, in the order of the list.
#[track_caller]
pub(crate) fn rescues(repo: &TestRepo) -> Vec<String> {
    let list = repo.windrow(["rescue", "list", "--json"]).run().assert_success().json();
    let ids = list["rescues"].as_array().unwrap().iter();
    ids.map(|rescue| rescue["id"].as_str().unwrap().to_owned()).collect()
}

/// Writes a file with its directories.
#[track_caller]
pub(crate) fn put(worktree: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = worktree.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Sets permission bits.
#[track_caller]
pub(crate) fn mode(worktree: &Path, path: &str, mode: u32) {
    fs::set_permissions(worktree.join(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// What git says of index and files, without what changes with every checkout.
#[track_caller]
pub(crate) fn status(repo: &TestRepo, worktree: &Path) -> String {
    repo.git_in(worktree, ["status", "--porcelain=v2", "--untracked-files=all"])
}

/// Whether any object of the repository holds these bytes.
#[track_caller]
pub(crate) fn is_in_objects(repo: &TestRepo, content: &str) -> bool {
    let all = repo.git(["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let blobs = all.lines().filter_map(|line| line.strip_suffix(" blob"));
    blobs.into_iter().any(|oid| {
        repo.try_git(["cat-file", "blob", oid])
            .stdout
            .windows(content.len())
            .any(|part| part == content.as_bytes())
    })
}

/// Commits a file in a worktree and returns the commit.
#[track_caller]
pub(crate) fn commit(repo: &TestRepo, worktree: &Path, path: &str, content: &str) -> String {
    put(worktree, path, content);
    repo.commit_in(worktree, &format!("Write {path}"))
}
