//! What comes of commits, by strategy, and from where.

use std::fs;

use super::*;
use crate::repo;

const WORK: &str = "echo new > new.txt; echo more >> README.md; git rm -q bin/tool; ln -sfn elsewhere link";

#[test]
fn a_merge_comes_with_its_checkout() {
    let repo = repo();
    let tip = agent(&repo, "fern", WORK);
    let landed = land(&repo, &["fern"]);
    assert_eq!((landed["fate"].as_str(), landed["files"].as_u64()), (Some("landed"), Some(4)));
    assert_eq!(repo.oid("main^2"), tip);
    assert_eq!(repo.git(["log", "-1", "--format=%s"]), "Merge branch 'windrow/fern'");
    assert_eq!(repo.git(["diff", "main", "windrow/fern"]), "");
    clean(&repo, repo.path());
    nothing_left(&repo);
    assert!(!repo.path().join("bin").exists(), "an empty directory stays");
    assert_eq!(repo.git(["reflog", "-1", "--format=%gs"]), "windrow land windrow/fern: merge");
}

#[test]
fn a_squash_keeps_author_date_and_words() {
    let repo = repo();
    let one = "echo 1 > a; git add a; GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@x git commit -qm 'First thing

With a body.'";
    let two = "echo 2 > b; git add b; GIT_AUTHOR_DATE='@1700000000 +0230' git commit -qm 'Second thing'";
    repo.windrow(["run", "--name", "fern", "--", "sh", "-c", &format!("{one}; {two}")])
        .run()
        .assert_success();
    repo.windrow(["run", "--name", "moss", "--", "sh", "-c", one]).run().assert_success();
    land(&repo, &["fern", "--squash"]);
    assert_eq!(
        repo.git(["log", "-1", "--format=%B%n%ad", "--date=raw"]),
        "First thing\n\n* First thing\n* Second thing\n\nCo-authored-by: Ann <ann@x>\n\n1700000000 +0230"
    );
    assert_eq!(repo.git(["rev-list", "--count", "--parents", "-1", "main"]), "1");
    // The other one only repeats it.
    let again = land(&repo, &["moss", "--squash"]);
    assert_eq!(again["fate"], "nothing_to_add");
    clean(&repo, repo.path());
}

#[test]
fn a_message_is_taken_as_it_is() {
    let repo = repo();
    agent(&repo, "fern", WORK);
    land(&repo, &["fern", "--squash", "--message", "Words of mine"]);
    assert_eq!(repo.git(["log", "-1", "--format=%B"]).trim_end(), "Words of mine");
}

#[test]
fn a_rebase_writes_each_commit_again_and_drops_what_became_empty() {
    let repo = repo();
    let script = "set -e
echo a > a; git add a; git commit -qm A
echo b > b; git add b; GIT_AUTHOR_NAME=Ann git commit -qm B
echo c > c; git add c; git commit -qm C";
    repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    repo.write("a", "a\n");
    let before = repo.commit("The same, by the user");
    let landed = land(&repo, &["fern", "--strategy", "rebase"]);
    assert_eq!(landed["commits"], 2);
    assert_eq!(
        repo.git(["log", "--format=%an %s", &format!("{before}..main")]),
        "Test C\nAnn B".replace("Test", &repo.git(["log", "-1", "--format=%an", "windrow/fern"]))
    );
    clean(&repo, repo.path());
}

#[test]
fn a_fast_forward_moves_to_the_very_commit_or_says_no() {
    let repo = repo();
    let tip = agent(&repo, "fern", WORK);
    agent(&repo, "moss", "echo moss > moss");
    land(&repo, &["fern", "--strategy", "ff"]);
    assert_eq!(repo.oid("main"), tip);
    clean(&repo, repo.path());
    let before = Everything::of(&repo);
    let error = refused(&repo, 65, &["moss", "--strategy", "ff"]);
    assert_eq!(error["code"], "CONFLICT");
    before.assert_same(&repo, "no fast-forward");
}

#[test]
fn a_target_without_a_checkout_moves_alone() {
    let repo = repo();
    repo.git(["branch", "release"]);
    agent(&repo, "fern", WORK);
    let before = TreeSnapshot::of(repo.path(), &Include::without_git());
    let landed = land(&repo, &["fern", "--onto", "release"]);
    assert!(landed["place"].is_null());
    assert_eq!(repo.git(["log", "-1", "--format=%s", "release"]), "Merge branch 'windrow/fern' into release");
    assert_eq!(before, TreeSnapshot::of(repo.path(), &Include::without_git()));
    clean(&repo, repo.path());
    nothing_left(&repo);
}

#[test]
fn a_target_in_another_worktree_comes_with_that_one() {
    let repo = repo();
    let other = repo.root().join("other");
    repo.git(["worktree", "add", "-q", "-b", "release", other.to_str().unwrap()]);
    fs::write(other.join("notes"), "mine").unwrap();
    agent(&repo, "fern", WORK);
    let landed = land(&repo, &["fern", "--onto", "release"]);
    assert_eq!(landed["place"], other.to_str().unwrap());
    assert_eq!(repo.git_in(&other, ["status", "--porcelain"]), "?? notes");
    assert_eq!(fs::read_to_string(other.join("new.txt")).unwrap(), "new\n");
}

#[test]
fn a_live_worktree_lands_what_it_committed_and_goes_on() {
    let repo = repo();
    let path = repo.windrow(["acquire", "--name", "fern"]).run().assert_success().text();
    let path = Path::new(&path);
    fs::write(path.join("one"), "1").unwrap();
    let error = refused(&repo, 65, &["fern"]);
    assert_eq!(
        (error["code"].as_str(), error["details"]["paths"][0]["path"].as_str()),
        (Some("BLOCKED"), Some("one"))
    );
    repo.commit_in(path, "One");
    land(&repo, &["fern", "--squash"]);
    fs::write(path.join("one"), "1 and more").unwrap();
    repo.commit_in(path, "More");
    let second = land(&repo, &["fern", "--squash"]);
    assert_eq!((second["commits"].as_u64(), second["files"].as_u64()), (Some(1), Some(1)));
    assert_eq!(repo.git(["log", "-1", "--format=%s"]), "More");
    fs::write(path.join("two"), "2").unwrap();
    let third = land(&repo, &["fern", "--include-uncommitted"]);
    assert_eq!(third["fate"], "landed");
    assert_eq!(repo.read("two"), b"2");
    assert_eq!(repo.git_in(path, ["status", "--porcelain"]), "?? two");
    let released = repo.windrow(["release", "--json", "fern"]).run().assert_success().json();
    // What we changed in the main checkout ourselves is no drift.
    assert_eq!(released["released"]["drift"], serde_json::json!([]));
}

#[test]
fn a_rescue_lands_once() {
    let repo = repo();
    repo.windrow(["run", "--name", "fern", "--", "sh", "-c", "echo draft > notes.txt"])
        .run()
        .assert_success();
    let landed = land(&repo, &["--rescue", "fern"]);
    assert_eq!(landed["fate"], "landed");
    assert_eq!(repo.read("notes.txt"), b"draft\n");
    assert_eq!(land(&repo, &["--rescue", "fern"])["fate"], "already_there");
}

#[test]
fn a_run_lands_what_a_command_that_succeeds_committed() {
    let repo = repo();
    let commit = "echo x > $WINDROW_NAME; git add .; git commit -qm $WINDROW_NAME";
    let good = repo.windrow(["run", "--name", "fern", "--land=squash", "--json", "--", "sh", "-c", commit]);
    let good = good.run().assert_success().json();
    assert_valid("run", &good);
    assert_eq!(good["landing"]["fate"], "landed");
    assert_eq!(good["released"]["drift"], serde_json::json!([]));
    let failed = format!("{commit}; exit 3");
    let bad = repo.windrow(["run", "--name", "moss", "--land", "--json", "--", "sh", "-c", &failed]);
    let bad = bad.run().assert_code(3).json();
    assert!(bad["landing"].is_null() && bad["landing_error"].is_null());
    assert!(repo.path().join("fern").exists() && !repo.path().join("moss").exists());
    let left = format!("{commit}; echo left > behind");
    let open = repo.windrow(["run", "--name", "reed", "--land", "--json", "--", "sh", "-c", &left]);
    let open = open.run().assert_code(65).json();
    assert_valid("run", &open);
    assert_eq!(open["landing_error"]["code"], "BLOCKED");
    assert_eq!(open["exit"]["origin"], "windrow");
    clean(&repo, repo.path());
}

#[test]
fn releasing_lands_first_and_stays_when_it_cannot() {
    let repo = repo();
    let path = repo.windrow(["acquire", "--name", "fern"]).run().assert_success().text();
    fs::write(Path::new(&path).join("one"), "1").unwrap();
    let refused = repo.windrow(["release", "fern", "--land"]).run();
    assert_eq!(code(&refused), 65, "{refused}");
    assert!(Path::new(&path).exists());
    repo.commit_in(Path::new(&path), "One");
    let released = repo.windrow(["release", "fern", "--land", "--json"]).run().assert_success().json();
    assert_valid("release", &released);
    assert_eq!(released["landing"]["fate"], "landed");
    assert_eq!(repo.read("one"), b"1");
}

#[test]
fn h21_a_branch_goes_when_its_very_commit_landed_and_the_target_still_holds_it() {
    let repo = repo();
    repo.write(".git/windrow/config.toml", "[branch]\ndelete = \"landed\"\n");
    agent(&repo, "fern", WORK);
    let landed = land(&repo, &["fern", "--squash"]);
    assert_eq!(landed["branch_deleted"], true);
    assert_eq!(repo.try_git(["rev-parse", "--verify", "-q", "windrow/fern"]).code, 1);
    // In a live worktree it goes with it, but not when the target was taken back meanwhile.
    for (name, back) in [("moss", false), ("reed", true)] {
        let path = repo.windrow(["acquire", "--name", name]).run().assert_success().text();
        fs::write(Path::new(&path).join(name), name).unwrap();
        repo.commit_in(Path::new(&path), name);
        land(&repo, &[name, "--squash"]);
        if back {
            repo.git(["reset", "-q", "--hard", "HEAD^"]);
        }
        repo.windrow(["release", name]).run().assert_success();
        let there = repo.try_git(["rev-parse", "--verify", "-q", &format!("windrow/{name}")]).code == 0;
        assert_eq!(there, back, "{name}");
    }
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let repo = repo();
    agent(&repo, "fern", WORK);
    let before = Everything::of(&repo);
    let told = land(&repo, &["fern", "--dry-run"]);
    assert_eq!((told["fate"].as_str(), told["files"].as_u64()), (Some("would_land"), Some(4)));
    before.assert_same(&repo, "a dry run");
    repo.write("new.txt", "mine");
    let before = Everything::of(&repo);
    assert_eq!(in_the_way(&refused(&repo, 65, &["fern", "--dry-run"]))["new.txt"], "untracked");
    before.assert_same(&repo, "a dry run in vain");
}
