//! What is everybody's is compared when a lease ends: it is told, and nothing is changed or refused.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::Value;
use windrow_testkit::{Binary, TestRepo};

use crate::pool::{acquire, everything, files, holder, nudge, put, repository, text, windrow};

/// Releases and gives what changed meanwhile.
#[track_caller]
fn release(repo: &TestRepo, name: &str) -> Value {
    windrow(repo, &["release", name, "--json"]).json()["released"].take()
}

/// The drift of a release, without notes.
fn drift(released: &Value) -> Vec<Value> {
    released["drift"].as_array().expect("a list").clone()
}

/// `(path, change)` of the files in a drift.
fn changed_files(released: &Value) -> Vec<(String, String)> {
    let files = drift(released).into_iter().filter(|one| one["kind"] == "file");
    files.map(|one| (text(&one["path"]), text(&one["change"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, change)| ((*path).to_owned(), (*change).to_owned())).collect()
}

/// The only value that changed: what, from, to.
#[track_caller]
fn only_value(released: &Value) -> (String, Value, Value) {
    let found = drift(released);
    let [one] = found.as_slice() else { panic!("not one change: {released:#}") };
    assert_eq!(one["kind"], "value", "{released:#}");
    (text(&one["what"]), one["from"].clone(), one["to"].clone())
}

/// A repository with files in directories.
fn with_files() -> TestRepo {
    let repo = repository();
    put(&repo.path().join("src/lib.rs"), "pub fn one() {}\n");
    put(&repo.path().join("src/two.rs"), "pub fn two() {}\n");
    put(&repo.path().join(".gitignore"), "*.log\n");
    repo.git(["add", "."]);
    repo.git(["commit", "-q", "-m", "Add files"]);
    repo
}

fn git_config(repo: &TestRepo) -> PathBuf {
    repo.path().join(".git/config")
}

#[test]
fn h26_nothing_is_told_when_nothing_changed() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    lease.write("src/lib.rs", "pub fn mine() {}\n");
    let released = release(&repo, &lease.name);
    assert_eq!(released["drift"], Value::Array(Vec::new()), "{released:#}");
    assert_eq!(released["meanwhile"], Value::Array(Vec::new()));
}

#[test]
fn h26_writes_into_the_main_checkout_are_told_and_stay() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let main = repo.path();
    put(&main.join("src/lib.rs"), "pub fn oops() {}\n");
    put(&main.join("src/new.rs"), "pub fn new() {}\n");
    put(&main.join("fresh/deep/file.txt"), "x");
    put(&main.join("noise.log"), "ignored");
    fs::remove_file(main.join("src/two.rs")).unwrap();
    let before = files(main);
    let released = release(&repo, &lease.name);
    let expected =
        [("src/lib.rs", "changed"), ("src/two.rs", "removed"), ("fresh/", "added"), ("src/new.rs", "added")];
    assert_eq!(changed_files(&released), pairs(&expected), "{released:#}");
    assert!(drift(&released)[0]["written_at"].is_string(), "{released:#}");
    windrow_testkit::assert_same(&before, &files(main));
}

#[test]
fn h26_an_agent_that_writes_by_absolute_path_is_told_in_the_summary_of_its_run() {
    let repo = with_files();
    let script = format!("echo wrong > '{}'", repo.path().join("src/lib.rs").display());
    let outcome = repo.windrow(["run", "--", "sh", "-c", &script]).run().assert_success();
    let summary = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(summary.contains("`src/lib.rs` in the main checkout was changed"), "{summary}");
}

#[test]
fn h26_a_run_tells_its_result_file() {
    let repo = with_files();
    let result = repo.root().join("result.json");
    let script = format!("echo wrong > '{}'", repo.path().join("src/lib.rs").display());
    let result_path = result.to_str().unwrap();
    repo.windrow(["run", "--result", result_path, "--", "sh", "-c", &script]).run().assert_success();
    let document: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    assert_eq!(changed_files(&document["released"]), pairs(&[("src/lib.rs", "changed")]), "{document:#}");
}

#[test]
fn h26_what_the_user_had_changed_before_is_not_told() {
    let repo = with_files();
    put(&repo.path().join("src/lib.rs"), "pub fn users() {}\n");
    put(&repo.path().join("notes.txt"), "the user's");

    let lease = acquire(&repo, &[]);
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[]));
    let lease = acquire(&repo, &[]);
    put(&repo.path().join("src/lib.rs"), "pub fn users_and_more() {}\n");
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[("src/lib.rs", "changed")]));
}

#[test]
fn h26_a_touched_file_is_no_change() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let path = repo.path().join("src/lib.rs");
    let content = fs::read(&path).unwrap();
    fs::write(&path, content).unwrap();
    let released = release(&repo, &lease.name);
    assert_eq!(drift(&released), Vec::<Value>::new(), "{released:#}");
    let lease = acquire(&repo, &[]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[("src/lib.rs", "changed")]));
}

#[test]
fn h26_an_edit_of_the_same_size_and_time_is_told() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let path = repo.path().join("src/lib.rs");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "pub fn six() {}\n").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[("src/lib.rs", "changed")]));
}

#[test]
fn h26_a_commit_and_a_switch_in_the_main_checkout_are_told_as_what_they_are() {
    let repo = with_files();
    let before = repo.git(["rev-parse", "HEAD"]).trim().to_owned();
    let lease = acquire(&repo, &[]);
    repo.git(["switch", "-q", "-c", "elsewhere"]);
    put(&repo.path().join("src/lib.rs"), "pub fn committed() {}\n");
    repo.git(["commit", "-q", "-a", "-m", "Change"]);
    let after = repo.git(["rev-parse", "HEAD"]).trim().to_owned();
    let released = release(&repo, &lease.name);
    let found = drift(&released);
    assert_eq!(found.len(), 3, "{released:#}");
    assert_eq!((&found[0]["what"], &found[0]["to"]), (&"main_branch".into(), &"elsewhere".into()));
    assert_eq!((&found[1]["from"], &found[1]["to"]), (&before.into(), &after.into()));
    assert_eq!(found[2]["kind"], "index");
}

#[test]
fn h26_others_who_had_a_lease_are_named() {
    let repo = with_files();
    let holder = holder(&repo);
    let pid = holder.pid().to_string();
    let first = acquire(&repo, &["--name", "first"]);
    acquire(&repo, &["--name", "second", "--pid", &pid]);
    put(&repo.path().join("src/lib.rs"), "pub fn oops() {}\n");
    let released = release(&repo, &first.name);
    let others = released["meanwhile"].as_array().unwrap();
    assert_eq!(others.len(), 1, "{released:#}");
    assert_eq!(others[0]["worktree"], "second");
    assert_eq!(others[0]["holder"]["pid"].to_string(), pid);
    assert!(others[0]["until"].is_null());
}

#[test]
fn h26_a_lease_that_ended_meanwhile_is_named_and_one_from_before_is_not() {
    let repo = with_files();
    let before = acquire(&repo, &["--name", "before"]);
    release(&repo, &before.name);
    let lease = acquire(&repo, &["--name", "mine"]);
    let short = acquire(&repo, &["--name", "short"]);
    release(&repo, &short.name);
    put(&repo.path().join("src/lib.rs"), "pub fn oops() {}\n");
    let released = release(&repo, &lease.name);
    let names: Vec<_> =
        released["meanwhile"].as_array().unwrap().iter().map(|one| text(&one["worktree"])).collect();
    assert_eq!(names, ["short"], "{released:#}");
}

#[test]
fn h26_the_lease_of_a_dead_holder_is_compared_too() {
    let repo = with_files();
    let mut holder = holder(&repo);
    acquire(&repo, &["--name", "left", "--pid", &holder.pid().to_string()]);
    put(&repo.path().join("src/lib.rs"), "pub fn oops() {}\n");
    holder.kill_alone();
    let outcome = windrow(&repo, &["acquire", "--no-carry"]);
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(said.contains("`src/lib.rs` in the main checkout was changed"), "{said}");
}

#[test]
fn h26_a_kept_worktree_is_compared_from_its_new_lease_on() {
    let repo = with_files();
    acquire(&repo, &["--name", "kept"]);
    windrow(&repo, &["release", "kept", "--keep", "1h"]);
    put(&repo.path().join("src/lib.rs"), "pub fn between() {}\n");
    acquire(&repo, &["--name", "kept"]);
    put(&repo.path().join("src/two.rs"), "pub fn during() {}\n");
    assert_eq!(changed_files(&release(&repo, "kept")), pairs(&[("src/two.rs", "changed")]));
}

#[test]
fn h26_too_many_files_are_left_out_with_a_note() {
    let repo = with_files();
    repo.git(["config", "user.email", "before@example.com"]);
    fs::create_dir_all(repo.path().join(".git/windrow")).unwrap();
    let limit = |files: u32| {
        put(&repo.path().join(".git/windrow/config.toml"), format!("[guard]\nmax_files = {files}\n"));
    };
    limit(1);
    let lease = acquire(&repo, &[]);
    put(&repo.path().join("src/lib.rs"), "pub fn oops() {}\n");
    let released = release(&repo, &lease.name);
    let found = drift(&released);
    assert_eq!(found.len(), 1, "{released:#}");
    assert!(text(&found[0]["why"]).contains("more than `guard.max_files` = 1"), "{released:#}");
    limit(0);
    let lease = acquire(&repo, &[]);
    put(&repo.path().join("src/two.rs"), "pub fn oops() {}\n");
    assert_eq!(drift(&release(&repo, &lease.name)), Vec::<Value>::new());
}

#[test]
fn h26_a_pool_inside_of_the_main_checkout_is_no_change() {
    let repo = with_files();
    let directory = "--config=pool.directory='{repo}/.trees/{name}'";
    let lease = acquire(&repo, &[directory]);
    let other = acquire(&repo, &[directory]);
    other.write("src/lib.rs", "pub fn theirs() {}\n");
    let released = release(&repo, &lease.name);
    assert_eq!(drift(&released), Vec::<Value>::new(), "{released:#}");
}

#[test]
fn h27_core_bare_is_told_from_what_to_what_and_stays() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    repo.git(["config", "core.bare", "true"]);
    let config = fs::read(git_config(&repo)).unwrap();
    let released = release(&repo, &lease.name);
    assert_eq!(only_value(&released), ("core_bare".to_owned(), "false".into(), "true".into()));
    assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
    assert_eq!(fs::read(git_config(&repo)).unwrap(), config);
}

#[test]
fn h27_a_git_init_in_a_borrowed_git_dir_is_told() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let admin = repo.path().join(".git/worktrees").join(&lease.name);
    let command = repo.command("git", &lease.path).args(["init", "-q"]).env("GIT_DIR", &admin);
    command.run().assert_success();
    let released = release(&repo, &lease.name);
    assert_eq!(only_value(&released), ("core_bare".to_owned(), "false".into(), "true".into()));
}

#[test]
fn h27_core_worktree_is_told_although_it_leads_elsewhere() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    repo.git(["config", "core.worktree", lease.path.to_str().unwrap()]);
    let released = release(&repo, &lease.name);
    let path: Value = lease.path.to_str().unwrap().into();
    assert_eq!(only_value(&released), ("core_worktree".to_owned(), Value::Null, path));
}

#[test]
fn h27_core_hooks_path_is_told_and_its_hooks_are_not_mixed_up() {
    let repo = with_files();
    put(&repo.root().join("hooks/pre-commit"), "#!/bin/sh\n");
    let lease = acquire(&repo, &[]);
    let path = repo.root().join("hooks").to_str().unwrap().to_owned();
    repo.git(["config", "core.hooksPath", &path]);
    let released = release(&repo, &lease.name);
    assert_eq!(only_value(&released), ("core_hooks_path".to_owned(), Value::Null, path.clone().into()));
    let lease = acquire(&repo, &[]);
    put(&repo.root().join("hooks/pre-commit"), "#!/bin/sh\nevil\n");
    let found = drift(&release(&repo, &lease.name));
    assert_eq!((found.len(), text(&found[0]["change"])), (1, "changed".to_owned()));
    assert_eq!(text(&found[0]["path"]), format!("{path}/pre-commit"));
}

#[test]
fn h27_hooks_are_compared_by_name_mode_and_content() {
    let repo = with_files();
    let hooks = repo.path().join(".git/hooks");
    for name in ["changed", "mode", "removed"] {
        put(&hooks.join(name), "#!/bin/sh\n");
    }
    std::os::unix::fs::symlink("/bin/true", hooks.join("link")).unwrap();
    let lease = acquire(&repo, &[]);
    put(&hooks.join("changed"), "#!/bin/sh\n# other\n");
    put(&hooks.join("added"), "#!/bin/sh\n");
    put(&hooks.join("unused.sample"), "#!/bin/sh\n");
    fs::set_permissions(hooks.join("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(hooks.join("removed")).unwrap();
    fs::remove_file(hooks.join("link")).unwrap();
    std::os::unix::fs::symlink("/bin/false", hooks.join("link")).unwrap();
    let before = everything(&hooks);
    let released = release(&repo, &lease.name);
    let name = |one: &Value| text(&one["path"]).rsplit('/').next().unwrap().to_owned();
    let found: Vec<_> = drift(&released).iter().map(|one| (name(one), text(&one["change"]))).collect();
    let expected = [
        ("added", "added"),
        ("changed", "changed"),
        ("link", "changed"),
        ("mode", "changed"),
        ("removed", "removed"),
    ];
    assert_eq!(found, pairs(&expected), "{released:#}");
    windrow_testkit::assert_same(&before, &everything(&hooks));
}

#[test]
fn h27_other_keys_are_named_without_their_values() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    repo.git(["config", "http.extraHeader", "Authorization: sesame"]);
    repo.git(["config", "alias.x", "!true"]);
    let outcome = windrow(&repo, &["release", &lease.name, "--json"]);
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains("sesame"));
    let released = outcome.json()["released"].take();
    let expected = serde_json::json!([{"kind": "config", "keys": ["alias.x", "http.extraheader"]}]);
    assert_eq!(released["drift"], expected);
}

#[test]
fn h27_a_configuration_that_git_cannot_read_is_a_note() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let config = fs::read(git_config(&repo)).unwrap();
    put(&repo.path().join("src/lib.rs"), "pub fn oops() {}\n");
    let broken = format!("[include]\n\tpath = {}\n", repo.root().join("broken").display());
    put(&repo.root().join("broken"), "[core\n");
    fs::write(git_config(&repo), [config.as_slice(), broken.as_bytes()].concat()).unwrap();
    // Git itself works in no such repository, so there is nothing to release; the user mends it.
    assert_ne!(repo.windrow(["release", &lease.name]).run().code, 0);
    fs::write(git_config(&repo), config).unwrap();
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[("src/lib.rs", "changed")]));
}

#[test]
fn h27_nothing_is_told_of_what_windrow_does_itself() {
    let repo = with_files();
    let lease = acquire(&repo, &["--name", "mine"]);
    let other = acquire(&repo, &["--name", "other"]);
    other.write("dirt.txt", "x");
    release(&repo, &other.name);
    nudge(&repo);
    assert_eq!(release(&repo, &lease.name)["drift"], Value::Array(Vec::new()));
}

#[test]
fn h27_pipes_in_place_of_files_do_not_hang_us() {
    let repo = with_files();
    let lease = acquire(&repo, &[]);
    let pipe = |path: PathBuf| {
        let _ = fs::remove_file(&path);
        repo.command("mkfifo", repo.root()).arg(path).run().assert_success();
    };
    pipe(repo.path().join(".git/hooks/pre-commit"));
    pipe(repo.path().join(".git/index"));
    pipe(repo.path().join("src/lib.rs"));
    let released = release(&repo, &lease.name);
    let kinds: Vec<_> = drift(&released).iter().map(|one| text(&one["kind"])).collect();
    assert_eq!(kinds, ["hook", "unchecked"], "{released:#}");
    assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
}

#[test]
fn h26_reftable_and_sparse_repositories_are_compared() {
    let repo = TestRepo::builder().reftable().binary(Binary(env!("CARGO_BIN_EXE_windrow").into())).build();
    repo.write("in/a.txt", "a\n");
    repo.write("out/b.txt", "b\n");
    repo.commit("Add files");
    repo.git(["sparse-checkout", "set", "in"]);
    let lease = acquire(&repo, &[]);
    repo.write("in/a.txt", "other\n");
    assert_eq!(changed_files(&release(&repo, &lease.name)), pairs(&[("in/a.txt", "changed")]));
}
