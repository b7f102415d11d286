//! The forecast: the same conflicts as by merging every pair with plain git, and nothing left of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_testkit::{Include, TestRepo, TreeSnapshot};

use crate::{repo, schema::assert_valid};

/// What each worktree does, in its directory; what follows `commit` stays uncommitted.
const WORKS: [(&str, &str); 14] = [
    ("moves-dir", "git mv d e; commit"),
    ("adds-in-dir", "echo new > d/new; echo new > d/deep/new"),
    ("deletes", "git rm -q x; commit"),
    ("edits", "sed -i s/line/LINE/ x"),
    ("file", "echo file > p"),
    ("directory", "mkdir p; echo q > p/q; commit"),
    ("renames", "git mv y z; echo end >> z; commit"),
    ("stages", "sed -i 1s/line/LINE/ y; git add y"),
    ("renames-too", "mv y w"),
    ("alone", "echo alone > alone; commit; echo more > 'more of it'"),
    ("moves-into-dir", "git mv other d/other; commit"),
    ("moves-deep", "git mv d/deep g; commit"),
    ("replaces", "rm -r src; echo src > src"),
    ("all-below", "mkdir sub; git mv README.md x y other d sub/; commit"),
];

/// A repository with something to move, rename and delete.
fn scene() -> TestRepo {
    let repo = repo();
    let text = |name: &str| (1..20).map(|line| format!("line {line} of {name}\n")).collect::<String>();
    for path in ["x", "y", "other", "d/one", "d/two", "d/three", "d/deep/four", "d/deep/five"] {
        repo.write(path, text(path));
    }
    repo.commit("Something");
    repo
}

/// Acquires a worktree and does something in it.
#[track_caller]
fn worktree(repo: &TestRepo, name: &str, script: &str) -> PathBuf {
    let path = PathBuf::from(repo.windrow(["acquire", "--name", name]).run().assert_success().text());
    work(repo, &path, script);
    path
}

#[track_caller]
fn work(repo: &TestRepo, path: &Path, script: &str) {
    let commit = "commit() { git add -A; git commit -qm Work; }";
    repo.command("sh", path).args(["-ec", &format!("{commit}\n{script}")]).run().assert_success();
}

/// The forecast as a document.
#[track_caller]
fn forecast(repo: &TestRepo, code: i32, arguments: &[&str]) -> Value {
    let document = repo.windrow(["conflicts", "--json"]).args(arguments).run().assert_code(code).json();
    assert_valid("conflicts", &document);
    document
}

type Sets = BTreeMap<(String, String), BTreeSet<String>>;

/// The paths of each pair that is in conflict.
fn sets(document: &Value) -> Sets {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |one: &Value| {
        let second = if one["second"].is_null() { &one["target"] } else { &one["second"] };
        let paths = one["paths"].as_array().unwrap().iter().map(|path| without_commit(&text(path))).collect();
        ((text(&one["first"]), text(second)), paths)
    };
    document["conflicts"].as_array().unwrap().iter().map(pair).collect()
}

/// A file that must give way to a directory is named after its commit, which here is one of each merge's own.
fn without_commit(path: &str) -> String {
    path.split_once('~').map_or(path, |(path, _)| path).to_owned()
}

/// A commit of everything in a worktree, by plain git.
fn committed(repo: &TestRepo, path: &Path) -> String {
    let copy = repo.root().join("copied-index");
    fs::copy(repo.git_in(path, ["rev-parse", "--absolute-git-dir"]) + "/index", &copy).unwrap();
    let git = |words: &[&str]| {
        let call = repo.git_invocation(path).args(words).env("GIT_INDEX_FILE", &copy);
        call.run().assert_success().text()
    };
    git(&["add", "-A"]);
    let tree = git(&["write-tree"]);
    git(&["commit-tree", "-p", "HEAD", "-m", "All", &tree])
}

/// Merges every pair by plain git, and each with `main`.
fn by_git(repo: &TestRepo, paths: &[(&str, PathBuf)]) -> Sets {
    let commits: Vec<(&str, String)> =
        paths.iter().map(|(name, path)| (*name, committed(repo, path))).collect();
    let mut sets = Sets::new();
    let mut merge = |(one, other): (&str, &str), target: &str, source: &str| {
        let words = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", target, source];
        let outcome = repo.try_git(words);
        if outcome.code == 1 {
            let text = outcome.stdout.to_string();
            let paths = text.split('\0').skip(1).filter(|path| !path.is_empty()).map(without_commit);
            sets.insert((one.to_owned(), other.to_owned()), paths.collect());
        }
    };
    for (at, (one, commit)) in commits.iter().enumerate() {
        merge((one, "main"), "main", commit);
        for (other, source) in &commits[at + 1..] {
            merge((one, other), commit, source);
        }
    }
    sets
}

/// Every file of the git directory but the records and locks.
fn git_files(repo: &TestRepo) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![repo.git_dir()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let records = name.ends_with(".db-wal") || name.ends_with(".db-shm") || name == "keeper.log";
            match path.is_dir() {
                true => waiting.push(path),
                false if records => {}
                false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    files
}

#[test]
fn every_pair_is_told_that_plain_git_would_not_merge_and_nothing_is_left() {
    let repo = scene();
    repo.write(".git/windrow/config.toml", "[pool]\nkeeper = false\n");
    let paths: Vec<_> = WORKS.iter().map(|(name, script)| (*name, worktree(&repo, name, script))).collect();
    let files = |path: &Path| TreeSnapshot::of(path, &Include::without_git());
    let before: Vec<_> = paths.iter().map(|(_, path)| files(path)).collect();
    let git_before = git_files(&repo);
    let document = forecast(&repo, 65, &[]);
    let git_after = git_files(&repo);
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&git_before), names(&git_after), "an object, a ref or a directory came or went");
    assert!(git_before == git_after, "an index or something else was written");
    for ((name, path), before) in paths.iter().zip(before) {
        assert_eq!(before, files(path), "{name}");
    }
    let expected = by_git(&repo, &paths);
    assert!(expected.len() >= 12, "the scene has become peaceful: {expected:#?}");
    assert_eq!(sets(&document), expected);
    let pairs = WORKS.len() * (WORKS.len() - 1) / 2;
    assert_eq!(document["pairs"], pairs);
    assert!(document["pairs_merged"].as_u64().unwrap() < pairs as u64, "{}", document["pairs_merged"]);
    assert_eq!(document["unseen"], serde_json::json!([]));
}

#[test]
fn the_target_counts_as_it_is_now() {
    let repo = scene();
    worktree(&repo, "edits", "sed -i 1s/line/LINE/ x");
    worktree(&repo, "adds", "echo new > d/new");
    worktree(&repo, "same", "sed -i 1s/line/Line/ x; commit");
    assert_eq!(forecast(&repo, 65, &[])["conflicts"].as_array().unwrap().len(), 1);
    repo.git(["mv", "d", "moved"]);
    repo.write("x", "the user's own\n");
    repo.commit("By the user");
    let document = forecast(&repo, 65, &[]);
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    let told: Vec<_> = sets(&document).into_keys().collect();
    assert_eq!(
        told,
        [pair("adds", "main"), pair("edits", "main"), pair("edits", "same"), pair("same", "main")]
    );
    // Another target, another answer; a name tells only of it.
    repo.git(["branch", "before", "HEAD^"]);
    let document = forecast(&repo, 65, &["--onto", "before"]);
    assert_eq!(sets(&document).into_keys().collect::<Vec<_>>(), [pair("edits", "same")]);
    assert_eq!(document["worktrees"][0]["target"], "before");
    let document = forecast(&repo, 0, &["adds", "--onto", "before"]);
    assert_eq!((document["pairs"].as_u64(), document["pairs_merged"].as_u64()), (Some(2), Some(0)));
    let outcome = repo.windrow(["conflicts", "--onto", "nowhere", "--json"]).run().assert_code(1);
    assert_eq!(outcome.json()["error"]["code"], "NOT_FOUND");
    repo.windrow(["conflicts", "nobody"]).run().assert_code(1);
}

#[test]
fn work_that_goes_on_from_other_work_is_merged_from_there() {
    let repo = scene();
    let below = worktree(&repo, "below", "sed -i 1s/line/LINE/ x; commit");
    let tip = repo.git_in(&below, ["rev-parse", "HEAD"]);
    let path = repo.windrow(["acquire", "--name", "above", "--base", &tip]).run().assert_success().text();
    work(&repo, Path::new(&path), "sed -i 1s/LINE/lines/ x; commit");
    assert_eq!(sets(&forecast(&repo, 0, &["--onto", "main"])), Sets::new());
    // The one takes back what the other changes further: seen only from where both began.
    work(&repo, &below, "git checkout -q HEAD^ -- x; commit");
    let document = forecast(&repo, 65, &["--onto", "main"]);
    assert_eq!(sets(&document).into_keys().collect::<Vec<_>>(), [("below".to_owned(), "above".to_owned())]);
}

#[test]
fn work_that_was_squashed_onto_the_target_does_not_count_again() {
    let repo = scene();
    repo.write(".git/windrow/config.toml", "[land]\nstrategy = \"squash\"\n");
    let path = worktree(&repo, "fern", "sed -i 1s/line/LINE/ x; commit");
    repo.windrow(["land", "fern"]).run().assert_success();
    assert_eq!(forecast(&repo, 0, &[])["worktrees"][0]["files"], 0);
    work(&repo, &path, "sed -i 1s/LINE/lines/ x");
    let document = forecast(&repo, 0, &[]);
    assert_eq!(document["worktrees"][0]["files"], 1);
    assert_eq!(document["worktrees"][0]["uncommitted"], true);
}

#[test]
fn people_get_a_table_and_are_told_what_was_not_looked_at() {
    let repo = scene();
    let empty = repo.windrow(["conflicts"]).run().assert_success();
    assert_eq!(empty.text(), "nothing in conflict  0 worktrees and 0 pairs looked at");
    worktree(&repo, "fern", "sed -i 1s/line/LINE/ x; sed -i 1s/line/LINE/ y");
    worktree(&repo, "moss", "rm x; sed -i 1s/line/Line/ y");
    let head = repo.oid("HEAD");
    repo.windrow(["acquire", "--name", "lost", "--base", &head]).run().assert_success();
    let table = repo.windrow(["conflicts"]).run().assert_code(65);
    assert_eq!(
        table.text(),
        "WORK  AGAINST  KIND                     PATHS
fern  moss     contents, modify/delete  x, y
not looked at: lost: no target is on record; name one with `--onto`
1 pair in conflict  2 worktrees and 1 pair looked at"
    );
    repo.windrow(["release", "moss"]).run().assert_success();
    let quiet = repo.windrow(["conflicts"]).run().assert_code(1);
    assert!(quiet.text().contains("not looked at: lost"), "{quiet}");
    repo.windrow(["conflicts", "--onto", "main"]).run().assert_success();
}
