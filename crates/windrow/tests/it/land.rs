//! Landing: what comes home, how, and what of the user's stays as it is.

mod dirty;
mod hostile;
#[cfg(target_os = "linux")]
mod killed;
mod meanwhile;
mod prepared;
mod queue;
mod staged;
mod strategies;
mod sync;
mod verify;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use windrow_testkit::{Include, Outcome, TestRepo, TreeSnapshot};

use crate::schema::assert_valid;

/// Runs an agent that commits what a script does; returns its commit.
#[track_caller]
fn agent(repo: &TestRepo, name: &str, script: &str) -> String {
    let script =
        format!("set -e\n{script}\ngit add --all --force .\ngit commit --quiet --message 'By {name}'\n");
    repo.windrow(["run", "--name", name, "--", "sh", "-c", &script]).run().assert_success();
    repo.oid(&format!("windrow/{name}"))
}

/// Lands and returns the document.
#[track_caller]
fn land(repo: &TestRepo, arguments: &[&str]) -> Value {
    let outcome = repo.windrow(["land", "--json"]).args(arguments).run().assert_success();
    let document = outcome.json();
    assert_valid("land", &document);
    document["landing"].clone()
}

/// Lands in vain and returns the error.
#[track_caller]
fn refused(repo: &TestRepo, code: i32, arguments: &[&str]) -> Value {
    let outcome = repo.windrow(["land", "--json"]).args(arguments).run().assert_code(code);
    let document = outcome.json();
    assert_valid("error", &document);
    document["error"].clone()
}

/// Everything of the user's: the files, the index byte for byte, and where every branch is.
#[derive(Debug, PartialEq)]
struct Everything {
    files: TreeSnapshot,
    index: Vec<u8>,
    refs: String,
}

impl Everything {
    #[track_caller]
    fn of(repo: &TestRepo) -> Self {
        Self {
            files: TreeSnapshot::of(repo.path(), &Include::without_git()),
            index: fs::read(repo.git_dir().join("index")).unwrap(),
            refs: repo.git(["for-each-ref"]),
        }
    }

    #[track_caller]
    fn assert_same(&self, repo: &TestRepo, what: &str) {
        let now = Self::of(repo);
        let differences = self.files.differences(&now.files);
        assert!(differences.is_empty(), "{what}: {differences:#?}");
        assert!(self.index == now.index, "{what}: the index is another one");
        assert_eq!(self.refs, now.refs, "{what}");
        nothing_left(repo);
    }
}

/// No lock, no room and no ref of a landing is left.
#[track_caller]
fn nothing_left(repo: &TestRepo) {
    let rooms = repo.git_dir().join("windrow/land");
    let left = if rooms.is_dir() { fs::read_dir(rooms).unwrap().count() } else { 0 };
    assert_eq!(left, 0, "something is left in `land`");
    assert!(!repo.git_dir().join("index.lock").exists(), "a lock is left");
    assert_eq!(repo.git(["for-each-ref", "refs/windrow/cand"]), "");
}

/// The paths in the way, with what is there.
fn in_the_way(error: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let paths = error["details"]["paths"].as_array().cloned().unwrap_or_default();
    paths.iter().map(|one| (text(&one["path"]), text(&one["kind"]))).collect()
}

/// The checkout is exactly what its commit says.
#[track_caller]
fn clean(repo: &TestRepo, at: &Path) {
    assert_eq!(repo.git_in(at, ["status", "--porcelain"]), "");
    assert_eq!(repo.git_in(at, ["diff-files", "--name-only"]), "");
}

fn code(outcome: &Outcome) -> i32 {
    outcome.code
}
