//! Agents that must not meet: concurrent creation, foreign places, former holders, inherited variables, one branch twice.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use windrow_testkit::{
    EntryKind, Include, Outcome, RepoFingerprint, Running, TestRepo, TreeSnapshot, assert_same,
};

use crate::leasing::{
    acquire, assert_nothing_left, branches, builder, listed, pool_directory, pool_entries, release,
    repository, wait_for_empty_trash,
};

const ROOMY: [&str; 2] = ["--config", "pool.max_worktrees=64"];

fn wait_all(running: Vec<Running>) -> Vec<Outcome> {
    running.into_iter().map(Running::wait).collect()
}

fn text(outcome: &Outcome, pointer: &str) -> String {
    let document = outcome.json();
    let value = document.pointer(pointer).and_then(|value| value.as_str());
    value.unwrap_or_else(|| panic!("no {pointer} in {outcome}")).to_owned()
}

fn distinct(mut values: Vec<String>) -> usize {
    values.sort();
    values.dedup();
    values.len()
}

#[test]
fn h22_concurrent_acquires_all_succeed_and_leave_nothing() {
    concurrent_acquires(&builder().files(200).build());
}

#[test]
fn h22_concurrent_acquires_all_succeed_on_reftable() {
    concurrent_acquires(&builder().files(20).reftable().build());
}

fn concurrent_acquires(repo: &TestRepo) {
    let before = RepoFingerprint::of(repo);
    let wanted = TreeSnapshot::of(repo.path(), &Include::without_git());
    let acquires: Vec<_> = (0..12).map(|_| repo.windrow(["acquire", "--json"]).args(ROOMY).spawn()).collect();
    let outcomes: Vec<_> = wait_all(acquires).into_iter().map(Outcome::assert_success).collect();
    let names: Vec<_> = outcomes.iter().map(|one| text(one, "/lease/name")).collect();
    assert_eq!(distinct(names.clone()), 12);
    assert_eq!(distinct(outcomes.iter().map(|one| text(one, "/lease/branch")).collect()), 12);
    for outcome in &outcomes {
        let path = text(outcome, "/lease/path");
        assert_same(&wanted, &TreeSnapshot::of(Path::new(&path), &Include::without_git()));
        assert_eq!(repo.git_in(Path::new(&path), ["status", "--porcelain", "--ignored"]), "");
    }
    let releases: Vec<_> = names.iter().map(|name| repo.windrow(["release", name]).spawn()).collect();
    for outcome in wait_all(releases) {
        outcome.assert_success();
    }
    assert_nothing_left(repo);
    repo.git(["fsck", "--strict", "--no-dangling"]);
    before.assert_unchanged(repo);
}

#[test]
fn h22_concurrent_runs_commit_on_their_own_branches_while_git_works_beside_them() {
    let repo = builder().files(50).build();
    repo.write("README.md", "dirty");
    repo.write("untracked", "mine");
    let before = RepoFingerprint::of(&repo);
    let script = "echo \"$1\" > \"file-$1\" && git add -A && git commit -qm \"Change $1\"";
    let run = |number: usize| {
        let (name, number) = (format!("agent-{number}"), number.to_string());
        let call = repo.windrow(["run", "--name", &name]).args(ROOMY).args(["--", "sh", "-ec", script, "-"]);
        call.arg(number).envs(identity()).spawn()
    };
    let mut runs: Vec<_> = (0..10).map(run).collect();
    while runs.iter_mut().any(Running::is_running) {
        repo.git(["worktree", "list", "--porcelain"]);
        repo.git(["worktree", "prune"]);
        repo.git(["fetch", "--quiet", "--no-write-fetch-head", "."]);
    }
    for outcome in wait_all(runs) {
        outcome.assert_success();
    }
    for number in 0..10 {
        let branch = format!("windrow/agent-{number}");
        assert_eq!(repo.git(["show", &format!("{branch}:file-{number}")]), number.to_string());
        assert_eq!(repo.git(["rev-list", "--count", &format!("main..{branch}")]), "1");
        let changed = repo.git(["diff", "--name-only", "main", &branch]);
        assert_eq!(changed, format!("file-{number}"), "nothing else was swept in");
    }
    assert_eq!(listed(&repo), Vec::<serde_json::Value>::new());
    assert_eq!(pool_entries(&pool_directory(&repo)), Vec::<String>::new());
    repo.git(["fsck", "--strict", "--no-dangling"]);
    before.assert_unchanged(&repo);
}

fn identity() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|key| (key.into(), "Agent".into())).into()
}

/// Whatever stops a creation, nothing of it stays, and the same request succeeds once the cause is gone.
#[track_caller]
fn assert_fails_without_a_trace(repo: &TestRepo, arguments: &[&str], code: i32) {
    let before = RepoFingerprint::of(repo);
    let failed = repo.windrow(["acquire", "--name", "fern"]).args(arguments).run().assert_code(code);
    assert!(failed.stderr_text().contains("error: "), "{failed}");
    assert_nothing_left(repo);
    before.assert_unchanged(repo);
    repo.windrow(["run", "--name", "fern", "--", "true"]).run().assert_success();
    assert_nothing_left(repo);
}

#[test]
fn h22_a_carry_that_fails_leaves_no_branch() {
    let repo = repository();
    repo.write(".agent/notes", [b'x'; 2048]);
    assert_fails_without_a_trace(&repo, &["--config", "carry.max_size=1KiB"], 78);
}

#[test]
fn h22_an_unknown_base_leaves_no_branch() {
    assert_fails_without_a_trace(&repository(), &["--base", "no-such-branch"], 1);
}

#[test]
fn h22_a_branch_below_another_leaves_no_worktree() {
    let repo = repository();
    repo.git(["branch", "topic"]);
    assert_fails_without_a_trace(&repo, &["--branch", "topic/one"], 65);
    assert_eq!(branches(&repo), ["main", "topic"]);
}

#[test]
fn h22_a_branch_named_windrow_gives_a_clear_error() {
    let repo = repository();
    repo.git(["branch", "windrow"]);
    let before = RepoFingerprint::of(&repo);
    let failed = repo.windrow(["run", "--", "true"]).run().assert_code(65);
    let said = failed.stderr_text();
    assert!(said.contains("refs/heads/windrow") && said.contains("hint: "), "{failed}");
    before.assert_unchanged(&repo);
    assert_nothing_left(&repo);
    repo.windrow(["run", "--branch", "other", "--", "true"]).run().assert_success();
}

#[test]
fn h22_a_missing_object_leaves_nothing() {
    let repo = repository();
    let blob = repo.oid("HEAD:src/lib.rs");
    let object = repo.git_dir().join("objects").join(&blob[..2]).join(&blob[2..]);
    let aside = repo.root().join("object");
    fs::rename(&object, &aside).expect("the object is loose");
    let before = RepoFingerprint::of(&repo);
    repo.windrow(["acquire", "--name", "fern"]).run().assert_code(1);
    assert_nothing_left(&repo);
    before.assert_unchanged(&repo);
    fs::rename(&aside, &object).expect("it goes back");
    acquire(&repo, &["--name", "fern"]);
    release(&repo, "fern");
}

/// Puts something where the worktree `fern` would go, in a pool that Windrow made.
fn with_something_in_the_way(place: impl FnOnce(&TestRepo, &Path)) -> TestRepo {
    let repo = repository();
    repo.windrow(["run", "--", "true"]).run().assert_success();
    wait_for_empty_trash(&repo);
    place(&repo, &pool_directory(&repo).join("fern"));
    repo
}

#[track_caller]
fn assert_the_place_is_left_alone(repo: &TestRepo) {
    let before = RepoFingerprint::of(repo);
    let everything = TreeSnapshot::of(&pool_directory(repo), &Include::except([".trash"]));
    let outcome = repo.windrow(["acquire", "--name", "fern"]).run().assert_code(65);
    let said = outcome.stderr_text();
    assert!(said.contains("repo.windrow/fern") && said.contains("hint: "), "{outcome}");
    repo.windrow(["run", "--name", "fern", "--discard", "--", "true"]).run().assert_code(65);
    repo.windrow(["release", "--discard", "fern"]).run().assert_code(1);
    assert_same(&everything, &TreeSnapshot::of(&pool_directory(repo), &Include::except([".trash"])));
    before.assert_unchanged(repo);
    assert_eq!(listed(repo), Vec::<serde_json::Value>::new());
    assert!(!branches(repo).contains(&"windrow/fern".to_owned()));
}

#[test]
fn h23_a_directory_in_the_way_is_never_taken_or_removed() {
    let repo = with_something_in_the_way(|_, place| {
        fs::create_dir(place).expect("made");
        fs::write(place.join("work"), "somebody's").expect("written");
    });
    assert_the_place_is_left_alone(&repo);
}

#[test]
fn h23_an_empty_directory_in_the_way_is_never_taken() {
    let repo = with_something_in_the_way(|_, place| {
        fs::create_dir(place).expect("made");
        fs::set_permissions(place, fs::Permissions::from_mode(0o777)).expect("ours");
    });
    assert_the_place_is_left_alone(&repo);
}

#[test]
fn h23_a_file_or_a_link_in_the_way_is_never_taken_or_followed() {
    let repo = with_something_in_the_way(|_, place| fs::write(place, "a file").expect("written"));
    assert_the_place_is_left_alone(&repo);
    let repo = with_something_in_the_way(|repo, place| {
        fs::create_dir(repo.root().join("theirs")).expect("made");
        symlink(repo.root().join("theirs"), place).expect("linked");
    });
    assert_the_place_is_left_alone(&repo);
    assert!(TreeSnapshot::of(&repo.root().join("theirs"), &Include::Everything).paths().next().is_none());
    let repo = with_something_in_the_way(|repo, place| {
        symlink(repo.root().join("nowhere"), place).expect("linked");
    });
    assert_the_place_is_left_alone(&repo);
    assert!(!repo.root().join("nowhere").exists());
}

#[test]
fn h23_another_tools_worktree_in_the_way_stays_whole() {
    let repo = with_something_in_the_way(|repo, place| {
        let place = place.to_str().expect("UTF-8");
        repo.git(["worktree", "add", "--quiet", "-b", "theirs", place]);
        fs::write(Path::new(place).join("dirty"), "uncommitted").expect("written");
    });
    assert_the_place_is_left_alone(&repo);
    let place = pool_directory(&repo).join("fern");
    assert_eq!(repo.git_in(&place, ["status", "--porcelain"]), "?? dirty");
}

#[test]
fn h23_a_registration_of_the_same_name_is_not_touched() {
    let repo = repository();
    let theirs = repo.root().join("elsewhere/fern");
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", theirs.to_str().expect("UTF-8")]);
    let registration = repo.git_dir().join("worktrees/fern");
    let before = TreeSnapshot::of(&registration, &Include::Everything);
    let leased = acquire(&repo, &["--name", "fern"]);
    assert_eq!(repo.git_in(&leased.path, ["status", "--porcelain"]), "");
    assert_eq!(repo.git_in(&leased.path, ["branch", "--show-current"]), "windrow/fern");
    release(&repo, "fern");
    assert_same(&before, &TreeSnapshot::of(&registration, &Include::Everything));
    assert_eq!(repo.git_in(&theirs, ["branch", "--show-current"]), "theirs");
}

#[test]
fn h23_two_repositories_with_one_directory_do_not_take_each_others_worktrees() {
    let (one, two) = (repository(), repository());
    let shared = one.root().join("shared");
    let setting = format!("pool.directory={}/{{name}}", shared.display());
    let first = acquire(&one, &["--name", "fern", "--config", &setting]);
    fs::write(first.path.join("work"), "the first one's").expect("written");
    let tree = TreeSnapshot::of(&first.path, &Include::Everything);
    let refused = two.windrow(["acquire", "--name", "fern", "--config", &setting]).run().assert_code(65);
    assert!(refused.stderr_text().contains("shared/fern"), "{refused}");
    two.windrow(["run", "--config", &setting, "--", "true"]).run().assert_success();
    two.windrow(["release", "--discard"]).arg(&first.path).run().assert_code(1);
    assert_same(&tree, &TreeSnapshot::of(&first.path, &Include::Everything));
    assert_eq!(branches(&two), ["main"]);
    let saved = release(&one, "fern");
    assert_eq!(saved["released"]["rescue"]["paths"], 1, "{saved}");
}

#[test]
fn h23_a_pool_that_is_a_link_is_not_followed() {
    let repo = repository();
    let target = repo.root().join("target");
    fs::create_dir(&target).expect("made");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o777)).expect("ours");
    symlink(&target, pool_directory(&repo)).expect("linked");
    let before = RepoFingerprint::of(&repo);
    let refused = repo.windrow(["acquire", "--name", "fern"]).run().assert_code(65);
    assert!(refused.stderr_text().contains("hint: "), "{refused}");
    assert_eq!(pool_entries(&target), Vec::<String>::new());
    assert_eq!(fs::metadata(&target).expect("there").permissions().mode() & 0o777, 0o777);
    before.assert_unchanged(&repo);
    assert_eq!(branches(&repo), ["main"]);
}

#[test]
fn h23_a_directory_shared_with_others_is_not_closed() {
    let repo = builder().directory("projects/repo").build();
    let projects = repo.root().join("projects");
    fs::set_permissions(&projects, fs::Permissions::from_mode(0o755)).expect("ours");
    let setting = "pool.directory={repo}-{name}";
    let leased = acquire(&repo, &["--name", "fern", "--config", setting]);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&projects), 0o755, "the user's own directory");
    assert_eq!((leased.path.as_path(), mode(&leased.path)), (projects.join("repo-fern").as_path(), 0o700));
    release(&repo, "fern");
    assert_eq!(mode(&projects), 0o755);
    assert_eq!(pool_entries(&projects), ["repo"]);
    assert_eq!(branches(&repo), ["main"]);
}

#[test]
fn h23_worktrees_never_go_where_everybody_may_write() {
    let repo = builder().directory("open/repo").build();
    let open = repo.root().join("open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).expect("ours");
    let outcome = repo.windrow(["acquire", "--json"]).run().assert_success();
    let path = text(&outcome, "/lease/path");
    assert!(Path::new(&path).starts_with(repo.root().join("data/windrow")), "{path}");
    let notices = outcome.json()["notices"].to_string();
    assert!(notices.contains("can be written by everybody"), "{notices}");
    assert_eq!(pool_entries(&open), ["repo"]);
    release(&repo, &text(&outcome, "/lease/name"));
}

#[test]
fn h23_the_pool_and_the_state_are_closed_to_others() {
    let repo = repository();
    acquire(&repo, &["--name", "fern"]);
    let pool = pool_directory(&repo);
    let state = repo.git_dir().join("windrow");
    for directory in [pool, state.clone(), state.join("rescue"), state.join("logs"), state.join("locks")] {
        let mode = fs::metadata(&directory).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", directory.display());
    }
    release(&repo, "fern");
}

const SECRET: &str = "hunter2-of-the-former-holder";

/// Leaves secrets of all kinds behind: ignored, untracked, staged, in a cache, in the stash of its own index.
const LEAVE_SECRETS: &str = "
    echo $S > .env; echo $S > app.log; mkdir -p target node_modules/.cache local
    echo '{}' > package.json; echo $S > target/cached; echo $S > node_modules/.cache/token
    echo $S > local/untracked; echo $S > staged; git add staged; echo $S >> README.md
    mkdir -p .agent; echo $S > .agent/session; echo $S > carried.log";

#[test]
fn h24_the_next_holder_of_a_name_sees_nothing_of_the_former_one() {
    let repo = repository();
    repo.write(".worktreeinclude", ".env\ncarried.log\n");
    repo.commit("Carry");
    repo.write(".env", "PORT=1\n");
    repo.write("carried.log", "from main\n");
    let fresh = acquire(&repo, &["--name", "fern"]);
    let wanted = TreeSnapshot::of(&fresh.path, &Include::without_git());
    release(&repo, "fern");
    let before = RepoFingerprint::of(&repo);
    let dirty = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", LEAVE_SECRETS]).env("S", SECRET);
    dirty.run().assert_success();
    let next = acquire(&repo, &["--name", "fern"]);
    assert_same(&wanted, &TreeSnapshot::of(&next.path, &Include::without_git()));
    assert_eq!(repo.git_in(&next.path, ["status", "--porcelain"]), "");
    let registration = repo.git_in(&next.path, ["rev-parse", "--absolute-git-dir"]);
    assert_no_secret(Path::new(&registration));
    before.assert_unchanged(&repo);
    release(&repo, "fern");
}

/// Reads every file below `directory`.
#[track_caller]
fn assert_no_secret(directory: &Path) {
    for path in TreeSnapshot::of(directory, &Include::Everything).paths() {
        let bytes = fs::read(directory.join(path)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{}", path.display());
    }
}

#[test]
fn h24_ignored_secrets_of_a_rescue_never_enter_the_object_database() {
    let repo = repository();
    let script = "echo $S > .env; echo $S > app.log; echo plain > untracked";
    let run = repo.windrow(["run", "--json", "--", "sh", "-ec", script]).env("S", SECRET);
    let document = run.run().assert_success().json();
    let archive = document["released"]["rescue"]["archive"].as_str();
    let archive = archive.unwrap_or_else(|| panic!("no archive in {document}"));
    assert_eq!(fs::metadata(archive).expect("there").permissions().mode() & 0o777, 0o600);
    let objects = repo.try_git(["cat-file", "--batch-all-objects", "--batch"]).assert_success().stdout;
    let objects = String::from_utf8_lossy(&objects).into_owned();
    assert!(objects.contains("plain"), "the untracked file is in the snapshot");
    assert!(!objects.contains(SECRET));
}

#[test]
fn h24_a_kept_worktree_is_not_handed_to_another_task() {
    let repo = repository();
    let leave = repo.windrow(["run", "--name", "fern", "--key", "ONE", "--keep", "1h", "--", "sh", "-ec"]);
    leave.arg("echo $S > .env").env("S", SECRET).run().assert_success();
    let kept = pool_directory(&repo).join("fern");
    let before = TreeSnapshot::of(&kept, &Include::Everything);
    repo.windrow(["acquire", "--name", "fern", "--key", "TWO"]).run().assert_code(75);
    let other = acquire(&repo, &["--key", "TWO"]);
    assert_ne!(other.path, kept);
    assert!(!other.path.join(".env").exists());
    assert_same(&before, &TreeSnapshot::of(&kept, &Include::Everything));
    let same = acquire(&repo, &["--key", "ONE"]);
    assert_eq!(same.path, kept, "its own task gets it back");
    assert_eq!(fs::read_to_string(kept.join(".env")).expect("kept"), format!("{SECRET}\n"));
    release(&repo, &other.name);
    repo.windrow(["release", "--keep", "0s", "fern"]).run().assert_success();
}

#[test]
fn h24_a_worktree_restored_from_a_rescue_holds_only_that_rescue() {
    let repo = repository();
    let leave = |name: &str, file: &str| {
        let script = format!("echo {name} > {file}");
        let run = repo.windrow(["run", "--json", "--name", name, "--", "sh", "-ec", &script]).run();
        text(&run.assert_success(), "/released/rescue/id")
    };
    let (one, two) = (leave("one", "one.log"), leave("two", "two.log"));
    for (id, mine, theirs) in [(&one, "one.log", "two.log"), (&two, "two.log", "one.log")] {
        let restored = repo.windrow(["restore", "--json", id]).run().assert_success();
        let path = text(&restored, "/lease/path");
        assert!(Path::new(&path).join(mine).exists(), "{restored}");
        assert!(!Path::new(&path).join(theirs).exists());
        release(&repo, &text(&restored, "/lease/name"));
    }
}

/// Every variable by which git would choose another repository, pointing to one that must not be touched.
fn steer_to(other: &TestRepo) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let git_dir = other.git_dir();
    let paths = [
        ("GIT_DIR", git_dir.clone()),
        ("GIT_COMMON_DIR", git_dir.clone()),
        ("GIT_WORK_TREE", other.path().to_owned()),
        ("GIT_INDEX_FILE", git_dir.join("index")),
        ("GIT_OBJECT_DIRECTORY", git_dir.join("objects")),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", git_dir.join("objects")),
        ("GIT_SHALLOW_FILE", git_dir.join("HEAD")),
        ("GIT_GRAFT_FILE", git_dir.join("HEAD")),
        ("GIT_CONFIG", git_dir.join("config")),
    ];
    let mut variables: Vec<_> = paths.map(|(key, path)| (key.into(), path.into())).into();
    let words = [
        ("GIT_PREFIX", "src/"),
        ("GIT_NAMESPACE", "theirs"),
        ("GIT_QUARANTINE_PATH", "/nowhere"),
        ("GIT_CONFIG_PARAMETERS", "'core.bare'='true'"),
        ("GIT_ATTR_SOURCE", "0000000000000000000000000000000000000000"),
        ("GIT_REPLACE_REF_BASE", "refs/heads/"),
    ];
    variables.extend(words.map(|(key, value)| (key.into(), value.into())));
    variables
}

#[test]
fn h28_inherited_variables_steer_neither_us_nor_the_command() {
    let (repo, other) = (repository(), repository());
    let (before, theirs) = (RepoFingerprint::of(&repo), RepoFingerprint::of(&other));
    let script = "git rev-parse --path-format=absolute --git-common-dir --show-toplevel
        echo work > work && git add work && git commit -qm Work";
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-ec", script]).envs(steer_to(&other));
    let outcome = run.run().assert_success();
    let wanted = [repo.git_dir(), pool_directory(&repo).join("fern")];
    assert_eq!(outcome.text(), wanted.map(|path| path.display().to_string()).join("\n"));
    assert_eq!(repo.git(["show", "windrow/fern:work"]), "work");
    theirs.assert_unchanged(&other);
    before.assert_unchanged(&repo);
    assert!(!other.git_dir().join("windrow").exists(), "no state was made in the other repository");
    assert_eq!(branches(&other), ["main"]);
}

#[test]
fn h28_all_variables_that_git_calls_local_are_cleared() {
    let repo = repository();
    let local = repo.git(["rev-parse", "--local-env-vars"]);
    assert!(local.lines().any(|name| name == "GIT_INDEX_FILE"));
    let run = repo.windrow(["run", "--", "env", "-0"]);
    let run = local.lines().fold(run, |run, name| run.env(name, "steered"));
    let environment = run.run().assert_success().text();
    let left: Vec<_> = environment.split('\0').filter(|line| line.contains("steered")).collect();
    assert_eq!(left, Vec::<&str>::new());
}

#[test]
fn h28_acquire_tells_what_to_unset() {
    let (repo, other) = (repository(), repository());
    let theirs = RepoFingerprint::of(&other);
    let outcome = repo.windrow(["acquire", "--json"]).envs(steer_to(&other)).run().assert_success();
    let document = outcome.json();
    let unset: Vec<_> = document["env_unset"].as_array().expect("a list").iter().collect();
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS"] {
        assert!(unset.iter().any(|one| *one == name), "{name} in {unset:?}");
    }
    assert!(Path::new(&text(&outcome, "/lease/path")).starts_with(pool_directory(&repo)));
    let name = text(&outcome, "/lease/name");
    repo.windrow(["release", &name]).envs(steer_to(&other)).run().assert_success();
    theirs.assert_unchanged(&other);
    assert_nothing_left(&repo);
}

/// Installs a hook of the repository.
fn hook(repo: &TestRepo, name: &str, script: &str) {
    let path = format!(".git/hooks/{name}");
    repo.write(&path, format!("#!/bin/sh\nset -e\n{script}\n"));
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repo.path().join(path), executable).expect("our own file");
}

fn windrow_path() -> &'static str {
    env!("CARGO_BIN_EXE_windrow")
}

#[test]
fn h28_a_hook_that_changes_directory_works_in_the_repository_it_went_to() {
    let (outer, inner) = (repository(), repository());
    let theirs = RepoFingerprint::of(&inner);
    let agent = "echo work > work; git add work; git commit -qm Work";
    let script = format!(
        "test -n \"$GIT_INDEX_FILE\"; cd '{}'; '{}' run --name fern -- sh -ec '{agent}' >&2",
        inner.path().display(),
        windrow_path(),
    );
    hook(&outer, "pre-commit", &script);
    outer.write("mine", "mine");
    outer.git(["add", "mine"]);
    outer.git(["commit", "--quiet", "-m", "Mine"]);
    assert_eq!(outer.git(["diff", "--name-only", "HEAD~", "HEAD"]), "mine");
    assert_eq!(outer.git(["status", "--porcelain"]), "");
    assert_eq!(branches(&outer), ["main"]);
    assert_eq!(inner.git(["show", "windrow/fern:work"]), "work");
    assert_eq!(inner.git(["diff", "--name-only", "main", "windrow/fern"]), "work");
    assert!(!outer.git_dir().join("windrow").exists());
    theirs.assert_unchanged(&inner);
}

#[test]
fn h28_a_hook_of_the_same_repository_gets_a_worktree_and_keeps_its_index() {
    let repo = repository();
    let run =
        |name: &str, check: &str| format!("'{}' run --name {name} -- sh -ec '{check}' >&2", windrow_path());
    hook(&repo, "pre-commit", &run("before", "test ! -e mine; test -z \"$(git status --porcelain)\""));
    hook(&repo, "post-commit", &run("after", "test -e mine; test -z \"$(git status --porcelain)\""));
    repo.write("mine", "mine");
    repo.write("README.md", "unstaged");
    repo.git(["add", "mine"]);
    repo.git(["commit", "--quiet", "-m", "Mine"]);
    repo.git(["commit", "--quiet", "--all", "-m", "All", "--no-verify"]);
    assert_eq!(repo.git(["diff", "--name-only", "HEAD~", "HEAD"]), "README.md");
    assert_eq!(repo.git(["status", "--porcelain"]), "");
    assert_eq!(repo.git(["fsck", "--no-dangling"]), "");
    assert_nothing_left(&repo);
}

#[test]
fn h28_variables_of_a_worktree_around_us_do_not_leak_into_another() {
    let (outer, inner) = (repository(), repository());
    let script = format!("cd '{}'; '{}' run -- env -0", inner.path().display(), windrow_path());
    let run = outer.windrow(["run", "--name", "outer-one", "--key", "OUTER", "--", "sh", "-ec", &script]);
    let environment = run.run().assert_success().text();
    let leaked: Vec<_> = environment.split('\0').filter(|line| line.contains("outer-one")).collect();
    assert_eq!(leaked.iter().filter(|line| !line.starts_with("OLDPWD=")).count(), 0, "{leaked:?}");
    assert!(environment.split('\0').any(|line| line == "WINDROW_KEY="), "{environment:?}");
}

#[test]
fn h29_a_branch_is_leased_once() {
    let repo = repository();
    let first = acquire(&repo, &["--branch", "topic"]);
    fs::write(first.path.join("work"), "the first one's").expect("written");
    let tree = TreeSnapshot::of(&first.path, &Include::Everything);
    let (head, count) = (repo.oid("topic"), listed(&repo).len());
    let second = repo.windrow(["acquire", "--branch", "topic"]).run().assert_code(65);
    let said = second.stderr_text();
    assert!(said.contains("topic") && said.contains(&first.name) && said.contains("hint: "), "{second}");
    repo.windrow(["run", "--branch", "topic", "--", "true"]).run().assert_code(65);
    assert_same(&tree, &TreeSnapshot::of(&first.path, &Include::Everything));
    assert_eq!((repo.oid("topic"), listed(&repo).len()), (head, count));
    assert_eq!(pool_entries(&pool_directory(&repo)), [first.name.as_str()]);
    release(&repo, &first.name);
}

#[test]
fn h29_of_many_who_want_a_branch_at_once_one_gets_it() {
    let repo = builder().files(50).build();
    repo.git(["branch", "old"]);
    for branch in ["old", "new"] {
        let call = || repo.windrow(["acquire", "--json", "--branch", branch]).args(ROOMY).spawn();
        let outcomes = wait_all((0..8).map(|_| call()).collect());
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|one| one.code == 0);
        assert_eq!(won.len(), 1, "{branch}");
        assert!(lost.iter().all(|one| one.code == 65), "{lost:?}");
        let name = text(&won[0], "/lease/name");
        assert_eq!(pool_entries(&pool_directory(&repo)), [name.as_str()]);
        let path = text(&won[0], "/lease/path");
        assert_eq!(repo.git_in(Path::new(&path), ["branch", "--show-current"]), branch);
        release(&repo, &name);
    }
    assert_nothing_left(&repo);
    assert_eq!(branches(&repo), ["main", "old"], "a branch that was there stays, an empty new one goes");
}

#[test]
fn h29_of_many_with_one_key_one_worktree_is_made() {
    let repo = repository();
    let call = || repo.windrow(["acquire", "--json", "--key", "TASK 1/2"]).args(ROOMY).spawn();
    let outcomes = wait_all((0..8).map(|_| call()).collect());
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|one| one.code == 0);
    assert!(lost.iter().all(|one| one.code == 75), "{lost:?}");
    assert_eq!(distinct(won.iter().map(|one| text(one, "/lease/id")).collect()), 1);
    assert_eq!(listed(&repo).len(), 1);
    assert_eq!(pool_entries(&pool_directory(&repo)).len(), 1);
    release(&repo, &text(&won[0], "/lease/name"));
    assert_nothing_left(&repo);
}

#[test]
fn h29_a_branch_somebody_works_on_is_refused() {
    let repo = repository();
    let by_hand = repo.root().join("by-hand");
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", by_hand.to_str().expect("UTF-8")]);
    let before = RepoFingerprint::of(&repo);
    for branch in ["main", "theirs"] {
        let refused = repo.windrow(["acquire", "--branch", branch]).run().assert_code(65);
        assert!(refused.stderr_text().contains("already checked out"), "{refused}");
    }
    before.assert_unchanged(&repo);
    assert_nothing_left_but(&repo, "by-hand");
}

#[track_caller]
fn assert_nothing_left_but(repo: &TestRepo, registration: &str) {
    assert_eq!(pool_entries(&repo.git_dir().join("worktrees")), [registration]);
    assert_eq!(pool_entries(&pool_directory(repo)), Vec::<String>::new());
    assert_eq!(listed(repo), Vec::<serde_json::Value>::new());
}

#[test]
fn h29_a_branch_that_is_being_rebased_is_refused() {
    let repo = repository();
    let by_hand = repo.root().join("by-hand");
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", by_hand.to_str().expect("UTF-8")]);
    fs::write(by_hand.join("README.md"), "theirs").expect("written");
    repo.commit_in(&by_hand, "Theirs");
    repo.write("README.md", "ours");
    repo.commit("Ours");
    repo.git_invocation(&by_hand).args(["rebase", "main"]).run().assert_code(1);
    assert_eq!(repo.git_in(&by_hand, ["branch", "--show-current"]), "", "HEAD is detached meanwhile");
    let refused = repo.windrow(["acquire", "--branch", "theirs"]).run().assert_code(65);
    assert!(refused.stderr_text().contains("theirs"), "{refused}");
    assert_nothing_left_but(&repo, "by-hand");
    repo.git_in(&by_hand, ["rebase", "--abort"]);
    assert_eq!(repo.git_in(&by_hand, ["branch", "--show-current"]), "theirs");
}

#[test]
fn h29_two_keys_that_make_one_branch_do_not_share_it() {
    let repo = repository();
    let template = ["--config", "branch.template=pilot/GH-{key}"];
    let first = acquire(&repo, &["--key", "a b", template[0], template[1]]);
    assert_eq!(first.branch, "pilot/GH-a-b");
    let refused = repo.windrow(["acquire", "--key", "a-b"]).args(template).run().assert_code(65);
    assert!(refused.stderr_text().contains("pilot/GH-a-b"), "{refused}");
    assert_eq!(listed(&repo).len(), 1);
    release(&repo, &first.name);
}

#[test]
fn h29_a_key_goes_on_on_its_branch() {
    let repo = repository();
    let first = acquire(&repo, &["--key", "TASK"]);
    fs::write(first.path.join("work"), "one").expect("written");
    let tip = repo.commit_in(&first.path, "One");
    release(&repo, &first.name);
    let second = acquire(&repo, &["--key", "TASK"]);
    assert_eq!(second.branch, first.branch);
    assert_eq!(repo.git_in(&second.path, ["rev-parse", "HEAD"]), tip);
    let same = acquire(&repo, &["--key", "TASK"]);
    assert_eq!(same.document["lease"]["id"], second.document["lease"]["id"]);
    assert_eq!(same.document["provenance"], "same");
    release(&repo, &second.name);
    assert_eq!(repo.oid(&first.branch), tip, "a branch that holds commits stays");
}

#[test]
fn h29_a_branch_that_was_there_is_used_and_never_deleted() {
    let repo = repository();
    repo.git(["branch", "theirs"]);
    let leased = acquire(&repo, &["--branch", "theirs"]);
    let tree = TreeSnapshot::of(&leased.path, &Include::without_git());
    assert!(matches!(tree.get("README.md").map(|entry| &entry.kind), Some(EntryKind::File { .. })));
    let released = release(&repo, &leased.name);
    assert_eq!(released["released"]["branch"]["kind"], "stays", "{released}");
    assert_eq!(branches(&repo), ["main", "theirs"]);
}
