//! Many callers at once on one repository, while its user and plain git are at work in it.

use std::collections::BTreeSet;
use std::time::Duration;

use bstr::ByteSlice;
use windrow_testkit::{
    Binary, Include, RepoFingerprint, TestRepo, TreeSnapshot, assert_same, poll_until, processes_under,
};

/// A repository of some size, with uncommitted work of every kind in its main checkout.
fn busy_repo(files: usize) -> TestRepo {
    let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).files(files).build();
    repo.write("src/lib.rs", "//! Staged.\n");
    repo.git(["add", "src/lib.rs"]);
    repo.write("src/lib.rs", "//! Staged, then changed.\n");
    repo.write("README.md", "# Changed\n");
    repo.write("untracked.txt", "mine\n");
    repo.write("debug.log", "ignored\n");
    repo.git(["rm", "--quiet", "gen/00/000/file_000007.txt"]);
    repo
}

/// Background work gets its time; then there must be nothing.
fn assert_nothing_left(repo: &TestRepo) {
    repo.wait_for_sweepers();
    poll_until(Duration::from_secs(10), "the sweepers end", || processes_under(repo.root()).is_empty());
    assert_eq!(repo.pool_leftovers(), Vec::<String>::new());
    assert_eq!(
        repo.windrow(["list", "--json"]).run().assert_success().json()["worktrees"],
        serde_json::json!([])
    );
    assert_eq!(repo.git(["for-each-ref", "refs/windrow"]), "");
    let listed = repo.git(["worktree", "list", "--porcelain"]);
    assert_eq!(listed.matches("worktree ").count(), 1, "{listed}");
}

fn assert_sound(repo: &TestRepo) {
    let checked = repo.try_git(["fsck", "--full", "--no-dangling", "--no-progress"]).assert_success();
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty(), "{checked}");
}

#[test]
fn h22_forty_agents_at_once_all_succeed_and_disturb_nobody() {
    let repo = busy_repo(3_000);
    repo.add_remote();
    let base = repo.oid("HEAD");
    let before = RepoFingerprint::of(&repo).except_refs("refs/remotes/");
    let status = repo.git(["status", "--porcelain", "--ignored"]);
    let names: Vec<String> = (0..40).map(|number| format!("agent-{number}")).collect();

    let (ended, beside) = repo.beside_git(|| repo.agents(&names));

    let failed: Vec<_> = ended.iter().filter(|one| one.code != 0).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} of 40 failed:\n{}", failed.len(), failed.join("\n"));
    for outcome in &ended {
        assert!(outcome.stdout.is_empty(), "{outcome}");
        assert_eq!(outcome.stderr.lines().count(), 3, "removed, branch, next: {outcome}");
    }
    assert!(beside.lists > 0 && beside.fetches > 0 && beside.prunes > 0, "{beside:?}");
    let branches: BTreeSet<String> = names.iter().map(|name| format!("windrow/{name}")).collect();
    let found = repo.git(["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/windrow"]);
    assert_eq!(found.lines().map(str::to_owned).collect::<BTreeSet<_>>(), branches);
    names.iter().for_each(|name| assert_holds_one_commit(&repo, &base, name));

    before.assert_same(&RepoFingerprint::of(&repo).except_refs("refs/remotes/"));
    assert_eq!(repo.git(["status", "--porcelain", "--ignored"]), status);
    assert_nothing_left(&repo);
    assert_sound(&repo);
}

fn assert_holds_one_commit(repo: &TestRepo, base: &str, name: &str) {
    let branch = format!("windrow/{name}");
    assert_eq!(repo.git(["log", "--format=%P %s", &format!("{base}..{branch}")]), format!("{base} {name}"));
    let changed = repo.git(["diff", "--name-status", base, &branch]);
    assert_eq!(changed, format!("M\tREADME.md\nA\tagents/{name}"));
    assert_eq!(repo.git(["show", &format!("{branch}:README.md")]), name);
    let own = repo.git(["show", &format!("{branch}:agents/{name}")]);
    assert!(own.starts_with(&format!("by {name} under fence ")), "{own}");
}

#[test]
fn h22_callers_of_acquire_and_release_at_once_never_fail() {
    const CALLERS: usize = 40;
    let repo = busy_repo(300);
    let before = RepoFingerprint::of(&repo);
    let answers = repo.callers(CALLERS);
    for field in ["id", "fence", "path", "name", "branch"] {
        let values: BTreeSet<String> =
            answers.iter().map(|(leased, _)| leased["lease"][field].to_string()).collect();
        assert_eq!(values.len(), CALLERS, "`{field}` is not unique: {values:?}");
    }
    for (leased, released) in &answers {
        assert_eq!(leased["provenance"], "created");
        assert_eq!(released["released"]["fate"]["kind"], "removed", "{released}");
        assert_eq!(released["released"]["branch"]["kind"], "deleted", "{released}");
        assert_eq!(released["released"]["unsaved"], 0, "{released}");
    }
    before.assert_unchanged(&repo);
    assert_eq!(repo.git(["for-each-ref", "refs/heads/windrow"]), "");
    assert_nothing_left(&repo);
    assert_sound(&repo);
}

#[test]
fn h22_leases_held_at_once_are_whole_and_apart() {
    const HELD: usize = 8;
    let repo = busy_repo(300);
    let expected = TreeSnapshot::of(&checkout_of_head(&repo), &Include::without_git());
    let started: Vec<_> = (0..HELD).map(|_| repo.windrow(["acquire", "--json"]).spawn()).collect();
    let leases: Vec<_> = started.into_iter().map(|one| one.wait().assert_success().json()).collect();
    for lease in &leases {
        let path = lease["lease"]["path"].as_str().expect("a path");
        assert_same(&expected, &TreeSnapshot::of(path.as_ref(), &Include::without_git()));
    }
    let releases = leases.iter().map(|lease| lease["lease"]["id"].as_str().expect("an id"));
    let releases: Vec<_> = releases.map(|id| repo.windrow(["release", id]).spawn()).collect();
    releases.into_iter().for_each(|one| drop(one.wait().assert_success()));
    assert_nothing_left(&repo);
}

fn checkout_of_head(repo: &TestRepo) -> std::path::PathBuf {
    let place = repo.root().join("expected");
    repo.git(["clone", "--quiet", ".", "../expected"]);
    place
}

#[test]
fn h22_one_lease_released_by_many_is_released_once() {
    let repo = busy_repo(300);
    let lease = repo.windrow(["acquire", "--json"]).run().assert_success().json();
    let id = lease["lease"]["id"].as_str().expect("an id");
    let started: Vec<_> = (0..6).map(|_| repo.windrow(["release", id]).spawn()).collect();
    let ended: Vec<_> = started.into_iter().map(windrow_testkit::Running::wait).collect();
    let codes: Vec<i32> = ended.iter().map(|one| one.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    for outcome in ended.iter().filter(|one| one.code != 0) {
        assert!(outcome.code == 1 && outcome.stderr_text().contains("no worktree"), "{outcome}");
    }
    assert_nothing_left(&repo);
}

#[test]
fn h29_one_key_asked_for_by_many_gives_one_lease() {
    let repo = busy_repo(300);
    let started: Vec<_> =
        (0..8).map(|_| repo.windrow(["acquire", "--key", "T-1", "--json"]).spawn()).collect();
    let ended: Vec<_> = started.into_iter().map(windrow_testkit::Running::wait).collect();
    let (given, refused): (Vec<_>, Vec<_>) = ended.iter().partition(|one| one.code == 0);
    let leases: BTreeSet<String> = given.iter().map(|one| one.json()["lease"]["id"].to_string()).collect();
    assert_eq!(leases.len(), 1, "{leases:?}");
    for outcome in refused {
        assert_eq!(outcome.code, 75, "{outcome}");
        assert_eq!(outcome.json()["error"]["retryable"], true, "{outcome}");
    }
    let id = leases.first().expect("one lease").trim_matches('"').to_owned();
    repo.windrow(["release", &id]).run().assert_success();
    assert_nothing_left(&repo);
}

#[test]
fn h29_one_branch_asked_for_by_many_goes_to_one() {
    let repo = busy_repo(300);
    repo.git(["branch", "topic"]);
    let start = |_| {
        repo.windrow(["run", "--branch", "topic", "--json", "--", "git", "branch", "--show-current"]).spawn()
    };
    let started: Vec<_> = (0..8).map(start).collect();
    let ended: Vec<_> = started.into_iter().map(windrow_testkit::Running::wait).collect();
    assert!(ended.iter().any(|one| one.code == 0), "{}", ended[0]);
    for outcome in &ended {
        match outcome.code {
            0 => assert_eq!(outcome.stderr_text(), "topic\n"),
            _ => assert_eq!(outcome.json()["error"]["code"], "CONFLICT", "{outcome}"),
        }
    }
    assert_nothing_left(&repo);
}
