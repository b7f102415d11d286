//! Leases from the command line.

use std::{fs, path::PathBuf};

use bstr::ByteSlice;
use windrow_testkit::{Binary, RepoFingerprint, TestRepo};

use crate::{repo, schema::assert_valid};

#[test]
fn acquire_prints_the_path_and_nothing_else() {
    let repo = repo();
    let outcome = repo.windrow(["acquire", "--name", "fern"]).run().assert_success();
    let path = PathBuf::from(outcome.text());
    assert!(path.is_absolute() && path.join("README.md").is_file(), "{}", path.display());
    insta::assert_snapshot!(outcome.stderr_text().replace(&repo.oid("HEAD")[..10], "[OID]"), @r"
    fern  made
      branch   windrow/fern  at [OID]
      expires  in 1h
      next     windrow release fern
    ");
    let silent = repo.windrow(["acquire", "--quiet"]).run().assert_success();
    assert_eq!(silent.stderr_text(), "");
}

#[test]
fn a_shell_can_capture_the_path_and_work_there() {
    let repo = repo();
    let script = r#"cd "$("$1" acquire --quiet)" && echo new > new.txt && pwd && "$1" release"#;
    let program = env!("CARGO_BIN_EXE_windrow");
    let shell = repo.command("sh", repo.path()).args(["-c", script, "sh", program]);
    let outcome = shell.run().assert_success();
    let name = PathBuf::from(outcome.text()).file_name().unwrap().to_str().unwrap().to_owned();
    let told = outcome.stderr_text();
    assert!(
        told.starts_with(&format!("{name}  removed\n  rescued  1 path  windrow restore {name}-")),
        "{told}"
    );
}

#[test]
fn a_path_of_any_bytes_is_printed_raw() {
    use std::os::unix::ffi::OsStrExt;
    let directory = std::ffi::OsStr::from_bytes(b"odd\n\xff name");
    let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).directory(directory).build();
    let outcome = repo.windrow(["acquire", "--name", "fern"]).run().assert_success();
    let mut expected = repo.path().as_os_str().as_bytes().to_vec();
    expected.extend(b".windrow/fern");
    assert_eq!(outcome.stdout, [expected.as_slice(), b"\n"].concat());
    let document = repo.windrow(["path", "fern", "--json"]).run().assert_success().json();
    assert_valid("path", &document);
    let digits: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(document["path"]["hex"], digits);
    let listed = repo.windrow(["list"]).run().assert_success();
    assert!(listed.stdout.lines().count() == 2, "{listed}");
}

#[test]
fn the_main_worktree_is_not_touched() {
    let repo = repo();
    repo.write("dirty.txt", "mine");
    let before = RepoFingerprint::of(&repo);
    repo.windrow(["run", "--", "sh", "-c", "echo x > README.md; git commit -qam x; git stash list"])
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.invalid")
        .env("GIT_COMMITTER_NAME", "A")
        .env("GIT_COMMITTER_EMAIL", "a@example.invalid")
        .run()
        .assert_success();
    before.assert_unchanged(&repo);
}

#[test]
fn the_same_key_gives_the_same_lease() {
    let repo = repo();
    let acquire = || repo.windrow(["acquire", "--key", "T-1", "--json"]).run().assert_success().json();
    let (first, second) = (acquire(), acquire());
    assert_eq!(first["provenance"], "created");
    assert_eq!(second["provenance"], "same");
    assert_eq!(first["lease"]["id"], second["lease"]["id"]);
}

#[test]
fn a_full_pool_refuses_or_makes_wait() {
    let repo = repo();
    let full = ["--config", "pool.max_worktrees=1"];
    repo.windrow(["acquire", "--name", "fern"]).args(full).run().assert_success();
    let refused = repo.windrow(["acquire", "--json"]).args(full).run().assert_code(69);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "POOL_EXHAUSTED");
    assert_eq!(error["retryable"], true);
    assert_eq!(error["details"]["holders"][0]["worktree"], "fern");
    let waiting = repo.windrow(["run", "--wait", "50s", "--", "echo", "mine"]).args([] as [&str; 0]);
    let waiting = waiting.env("WINDROW_CONFIG__POOL__MAX_WORKTREES", "1").spawn();
    windrow_testkit::poll_until(std::time::Duration::from_secs(20), "it says that it waits", || {
        waiting.stderr().contains_str("waiting for a worktree")
    });
    repo.windrow(["release", "fern"]).run().assert_success();
    assert_eq!(waiting.wait().assert_success().text(), "mine");
}

#[test]
fn the_default_is_where_one_stands_then_what_one_was_started_in() {
    let repo = repo();
    repo.windrow(["acquire", "--name", "fern"]).run().assert_success();
    let moss = repo.windrow(["acquire", "--name", "moss", "--json"]).run().assert_success().json();
    let fern = PathBuf::from(repo.windrow(["path", "fern"]).run().text());
    fs::create_dir(fern.join("sub")).unwrap();
    let lease = moss["lease"]["id"].as_str().unwrap();
    let standing = repo.windrow(["path"]).env("WINDROW_LEASE", lease).current_dir(fern.join("sub"));
    assert_eq!(standing.run().assert_success().text(), fern.to_str().unwrap());
    let inherited = repo.windrow(["path"]).env("WINDROW_LEASE", lease).env("WINDROW_NAME", "fern");
    assert_eq!(inherited.run().assert_success().text(), moss["lease"]["path"].as_str().unwrap());
    let nothing = repo.windrow(["path"]).run().assert_code(2);
    insta::assert_snapshot!(nothing.stderr_text(), @r"
    error: no worktree was named, and this directory is in none
    hint: name one of those that `windrow list` shows
    ");
}

#[test]
fn git_finds_the_program() {
    let repo = repo();
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_git-windrow"));
    let path = std::env::join_paths([bin.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let outcome = repo.command("git", repo.path()).env("PATH", path).args(["windrow", "list"]).run();
    assert_eq!(outcome.assert_success().text(), "no worktrees; make one with windrow run -- CMD");
}
