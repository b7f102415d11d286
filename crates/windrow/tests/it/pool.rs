//! A repository with a pool, and what the tests of leases and removals say to it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::Value;
use windrow_testkit::{Binary, Include, Outcome, Running, TestRepo, TreeSnapshot, poll_until};

/// How long anything may take that should happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A repository whose `windrow` is the binary under test.
pub(crate) fn repository() -> TestRepo {
    TestRepo::with_binary(Binary(env!("CARGO_BIN_EXE_windrow").into()))
}

/// What `acquire --json` gave.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) branch: String,
    pub(crate) id: String,
    pub(crate) fence: u64,
    pub(crate) provenance: String,
}

impl Lease {
    #[track_caller]
    pub(crate) fn of(document: &Value) -> Self {
        let lease = &document["lease"];
        Self {
            name: text(&lease["name"]),
            path: text(&lease["path"]).into(),
            branch: lease["branch"].as_str().unwrap_or_default().to_owned(),
            id: text(&lease["id"]),
            fence: lease["fence"].as_u64().expect("a fence is a number"),
            provenance: text(&document["provenance"]),
        }
    }

    /// Puts a file into the worktree, with its directories.
    #[track_caller]
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        put(&self.path.join(path), bytes);
    }

    /// Everything in the worktree but its `.git` file.
    #[track_caller]
    pub(crate) fn files(&self) -> TreeSnapshot {
        files(&self.path)
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).to_owned()
}

/// Writes a file, with its directories.
#[track_caller]
pub(crate) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a file has a parent")).expect("the parent can be made");
    fs::write(path, bytes).expect("the file can be written");
}

/// Everything below a directory but its `.git`.
#[track_caller]
pub(crate) fn files(directory: &Path) -> TreeSnapshot {
    TreeSnapshot::of(directory, &Include::without_git())
}

/// Everything below a directory.
#[track_caller]
pub(crate) fn everything(directory: &Path) -> TreeSnapshot {
    TreeSnapshot::of(directory, &Include::Everything)
}

/// Acquires and reads the lease.
#[track_caller]
pub(crate) fn acquire(repo: &TestRepo, arguments: &[&str]) -> Lease {
    Lease::of(&windrow(repo, &[&["acquire", "--json"], arguments].concat()).json())
}

/// Runs `windrow`, which must succeed.
#[track_caller]
pub(crate) fn windrow(repo: &TestRepo, arguments: &[&str]) -> Outcome {
    repo.windrow(arguments).run().assert_success()
}

/// Runs a `windrow release` that has to leave the worktree in place, which is a failure.
#[track_caller]
pub(crate) fn left_in_place(repo: &TestRepo, arguments: &[&str]) -> Outcome {
    repo.windrow(arguments).run().assert_code(1)
}

/// Runs `windrow … --json`, which must fail with this exit code, and returns the error's code.
#[track_caller]
pub(crate) fn refused(repo: &TestRepo, code: i32, arguments: &[&str]) -> Value {
    let document = repo.windrow(arguments).arg("--json").run().assert_code(code).json();
    document["error"].clone()
}

/// The record of a worktree that is not gone, or null.
#[track_caller]
pub(crate) fn record(repo: &TestRepo, name: &str) -> Value {
    let list = windrow(repo, &["list", "--json"]).json();
    let worktrees = list["worktrees"].as_array().expect("a list").clone();
    worktrees.into_iter().find(|one| one["name"] == name).unwrap_or_default()
}

/// The state of a worktree; `gone` when it is not listed.
#[track_caller]
pub(crate) fn state(repo: &TestRepo, name: &str) -> String {
    let record = record(repo, name);
    if record.is_null() { "gone".to_owned() } else { text(&record["state"]) }
}

/// The ids of all rescues of a worktree.
#[track_caller]
pub(crate) fn rescues(repo: &TestRepo, name: &str) -> Vec<String> {
    let list = windrow(repo, &["rescue", "list", "--json"]).json();
    let rescues = list["rescues"].as_array().expect("a list").iter();
    rescues.filter(|one| one["worktree"] == name).map(|one| text(&one["id"])).collect()
}

/// Restores the only rescue of a worktree.
#[track_caller]
pub(crate) fn restore(repo: &TestRepo, name: &str) -> Lease {
    let rescues = rescues(repo, name);
    let [id] = rescues.as_slice() else { panic!("`{name}` has {} rescues", rescues.len()) };
    let mut document = windrow(repo, &["restore", "--json", id]).json();
    document["provenance"] = "restored".into();
    Lease::of(&document)
}

/// A process that holds leases until it is killed, outside of every worktree.
pub(crate) fn holder(repo: &TestRepo) -> Running {
    repo.command("sleep", repo.root()).arg("300").spawn()
}

/// Makes every worktree look as a kill leaves it before its record says that it is made.
pub(crate) fn cut_short(repo: &TestRepo) {
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).expect("records");
    let sql = "UPDATE worktrees SET state = 'creating', filesystem = NULL, inode = NULL, born_nanos = NULL";
    database.execute(sql, []).expect("they can be written");
}

/// Has the pool look after itself: any command that changes something does.
#[track_caller]
pub(crate) fn nudge(repo: &TestRepo) {
    let lease = acquire(repo, &["--detach", "--no-carry"]);
    windrow(repo, &["release", &lease.name]);
}

/// Lets leases end by time. Shortened late, so that no command before ends them on a slow machine; renewing ends none.
#[track_caller]
pub(crate) fn expire(repo: &TestRepo, leases: &[&Lease]) {
    for lease in leases {
        windrow(repo, &["renew", &lease.name, "--ttl", "1s"]);
    }
    outlast(1);
}

/// Waits until a lease of `seconds` that was given before this call is over.
pub(crate) fn outlast(seconds: u64) {
    let end = SystemTime::now() + Duration::from_millis(seconds * 1000 + 20);
    poll_until(SOON, "the end of the lease", || SystemTime::now() >= end);
}

/// All registrations, as git lists them.
#[track_caller]
pub(crate) fn registered(repo: &TestRepo) -> Vec<String> {
    let list = repo.git(["worktree", "list", "--porcelain"]);
    list.lines().filter_map(|line| line.strip_prefix("worktree ").map(str::to_owned)).collect()
}

/// Waits until everything that was thrown away is deleted.
#[track_caller]
pub(crate) fn wait_for_empty_trash(trash: &Path) {
    let ours = |entry: fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"windrow-");
    let entries = || fs::read_dir(trash).into_iter().flatten().flatten();
    poll_until(SOON, "an empty trash", || !entries().any(ours));
}

/// The directory that holds the worktrees by default.
pub(crate) fn pool_root(repo: &TestRepo) -> PathBuf {
    repo.path().with_file_name("repo.windrow")
}
