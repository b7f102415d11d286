//! Pushing to a real `git daemon` on the loopback, through a relay that stalls, moves the remote's branch, or drops the answer.

mod relay;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use windrow_testkit::{TestRepo, poll_until};

use self::relay::{Relay, Trick};
use crate::{repo, schema::assert_valid};

const BOUND: Duration = Duration::from_secs(60);

/// A bare repository behind a daemon that takes pushes, reached through a relay as `origin`.
struct Remote {
    path: PathBuf,
    daemon: Child,
    relay: Relay,
}

impl Remote {
    fn of(repo: &TestRepo) -> Self {
        let path = repo.root().join("remote/work.git");
        repo.git(["clone", "-q", "--bare", repo.path().to_str().unwrap(), path.to_str().unwrap()]);
        let (daemon, at) = daemon(repo, &repo.root().join("remote"));
        let relay = Relay::to(at);
        repo.git(["remote", "add", "origin", &format!("git://{}/work.git", relay.address)]);
        Self { path, daemon, relay }
    }

    /// Where a branch is there; empty when it is not.
    fn at(&self, repo: &TestRepo, branch: &str) -> String {
        let words = ["--git-dir", self.path.to_str().unwrap(), "rev-parse", "-q", "--verify"];
        repo.try_git(words.into_iter().chain([format!("refs/heads/{branch}").as_str()])).text()
    }

    /// Somebody else commits on a branch there.
    fn commit(&self, repo: &TestRepo, branch: &str, file: &str, text: &str) -> String {
        let other = repo.root().join("other");
        if !other.exists() {
            repo.git(["clone", "-q", self.path.to_str().unwrap(), other.to_str().unwrap()]);
        }
        repo.git_in(&other, ["fetch", "-q"]);
        repo.git_in(&other, ["checkout", "-q", "-B", branch, &format!("origin/{branch}")]);
        fs::write(other.join(file), text).unwrap();
        let commit = repo.commit_in(&other, "By somebody else");
        repo.git_in(&other, ["push", "-q", "origin", branch]);
        commit
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Starts the daemon itself, so that ending this one process ends it; the wrapper `git` would leave it behind.
fn daemon(repo: &TestRepo, base: &Path) -> (Child, SocketAddr) {
    let program = PathBuf::from(repo.git(["--exec-path"])).join("git-daemon");
    for _ in 0..20 {
        // Free a moment ago; somebody else may be quicker, then it says so and another is tried.
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let plain =
            ["--verbose", "--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1"];
        let places = [format!("--port={}", at.port()), format!("--base-path={}", base.display())];
        let mut command = repo.command(&program, base).args(plain).args(places).arg(base).command();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if line.contains("Ready to rumble") {
            // What it says later must not stop it.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return (child, at);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("no port for the daemon");
}

/// Runs an agent that commits what a script does; returns its commit.
#[track_caller]
fn agent(repo: &TestRepo, name: &str, script: &str) -> String {
    let script = format!("set -e\n{script}\ngit add --all .\ngit commit --quiet --message 'By {name}'\n");
    repo.windrow(["run", "--name", name, "--", "sh", "-c", &script]).run().assert_success();
    repo.oid(&format!("windrow/{name}"))
}

/// Pushes and returns the document.
#[track_caller]
fn push(repo: &TestRepo, arguments: &[&str]) -> Value {
    let document =
        repo.windrow(["push", "--json"]).args(arguments).bound(BOUND).run().assert_success().json();
    assert_valid("push", &document);
    document["push"].clone()
}

/// Pushes in vain and returns the error.
#[track_caller]
fn refused(repo: &TestRepo, code: i32, arguments: &[&str]) -> Value {
    let document =
        repo.windrow(["push", "--json"]).args(arguments).bound(BOUND).run().assert_code(code).json();
    assert_valid("error", &document);
    document["error"].clone()
}

#[test]
fn work_comes_to_the_remote_and_goes_on_there() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo 1 > one");
    let heads = repo.git(["for-each-ref", "refs/heads"]);
    let pushed = push(&repo, &["fern"]);
    assert_eq!((pushed["fate"].as_str(), pushed["after"].as_str()), (Some("pushed"), Some(&*tip)));
    assert!(pushed["before"].is_null());
    assert_eq!(remote.at(&repo, "windrow/fern"), tip);
    assert_eq!(push(&repo, &["windrow/fern"])["fate"], "already_there");
    assert_eq!(repo.git(["for-each-ref", "refs/heads"]), heads);
    let path =
        repo.windrow(["acquire", "--name", "more", "--branch", "windrow/fern"]).run().assert_success().text();
    fs::write(Path::new(&path).join("two"), "2").unwrap();
    let more = repo.commit_in(Path::new(&path), "More");
    fs::write(Path::new(&path).join("open"), "open").unwrap();
    let pushed = push(&repo, &["more"]);
    assert_eq!((pushed["before"].as_str(), pushed["after"].as_str()), (Some(&*tip), Some(&*more)));
    assert_eq!(pushed["notices"][0], "1 paths of worktree `more` are not committed, so not pushed");
    for (code, words) in
        [(1, ["nobody"].as_slice()), (1, &["fern", "--remote", "nowhere"]), (2, &["fern", "--remote=-x"])]
    {
        refused(&repo, code, words);
    }
}

#[test]
fn h53_commits_of_others_are_merged_and_conflicts_told() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo mine > mine");
    let theirs = remote.commit(&repo, "main", "theirs", "theirs");
    let pushed = push(&repo, &["fern", "--to", "main"]);
    assert_eq!((pushed["before"].as_str(), pushed["source"].as_str()), (Some(&*theirs), Some(&*tip)));
    let merged = remote.at(&repo, "main");
    assert_eq!(pushed["after"], merged.as_str());
    assert_eq!((repo.oid(&format!("{merged}^1")), repo.oid(&format!("{merged}^2"))), (theirs, tip));
    assert_eq!(push(&repo, &["fern", "--to", "main"])["fate"], "already_there");
    let other = agent(&repo, "moss", "echo mine > README.md");
    let theirs = remote.commit(&repo, "main", "README.md", "theirs");
    let error = refused(&repo, 65, &["moss", "--to", "main"]);
    assert_eq!(
        (error["code"].as_str(), error["details"]["conflict"]["files"][0]["path"].as_str()),
        (Some("CONFLICT"), Some("README.md"))
    );
    assert_eq!((remote.at(&repo, "main"), repo.oid("windrow/moss")), (theirs, other));
}

#[test]
fn h53_a_branch_that_moves_during_the_push_is_followed() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo mine > mine");
    let path = remote.path.clone();
    let commit = repo.git(["commit-tree", "-p", "main", "-m", "Meanwhile", "main^{tree}"]);
    // Its objects are there before; the branch moves when the push has begun.
    repo.git(["push", "-q", path.to_str().unwrap(), &format!("{commit}:refs/keep/it")]);
    let moved = commit.clone();
    remote.relay.next_push(Trick::Before(Box::new(move || {
        fs::write(path.join("refs/heads/main"), format!("{moved}\n")).unwrap();
    })));
    let pushed = push(&repo, &["fern", "--to", "main"]);
    assert_eq!((pushed["attempts"].as_u64(), pushed["before"].as_str()), (Some(2), Some(&*commit)));
    let merged = remote.at(&repo, "main");
    assert_eq!((repo.oid(&format!("{merged}^1")), repo.oid(&format!("{merged}^2"))), (commit, tip));
}

#[test]
fn h53_a_fetch_in_the_background_does_not_make_the_condition_void() {
    let repo = repo();
    let remote = Remote::of(&repo);
    agent(&repo, "fern", "echo mine > mine");
    let theirs = remote.commit(&repo, "main", "theirs", "theirs");
    repo.git(["fetch", "-q", "origin"]);
    let pushed = push(&repo, &["fern", "--to", "main"]);
    assert_eq!(repo.oid(&format!("{}^1", pushed["after"].as_str().unwrap())), theirs);
}

#[test]
fn h53_an_answer_that_was_lost_is_not_pushed_for_twice() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo mine > mine");
    remote.relay.next_push(Trick::DropAnswer);
    let pushed = push(&repo, &["fern"]);
    assert_eq!((pushed["fate"].as_str(), pushed["attempts"].as_u64()), (Some("pushed"), Some(1)));
    assert_eq!((remote.at(&repo, "windrow/fern"), remote.relay.pushes()), (tip, 1));
    // The same of a merge, whose commit nobody else has.
    remote.commit(&repo, "main", "theirs", "theirs");
    remote.relay.next_push(Trick::DropAnswer);
    let pushed = push(&repo, &["fern", "--to", "main"]);
    assert_eq!(
        (pushed["attempts"].as_u64(), pushed["after"].as_str()),
        (Some(1), Some(&*remote.at(&repo, "main")))
    );
}

#[test]
fn h53_a_connection_that_breaks_is_tried_again() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo mine > mine");
    remote.relay.next_push(Trick::Break);
    let pushed = push(&repo, &["fern"]);
    assert_eq!((pushed["fate"].as_str(), pushed["attempts"].as_u64()), (Some("pushed"), Some(2)));
    assert_eq!(remote.at(&repo, "windrow/fern"), tip);
}

#[test]
fn h19_h53_a_push_that_stalls_ends_in_time_and_the_branch_stays() {
    let repo = repo();
    let remote = Remote::of(&repo);
    remote.relay.always(Trick::Stall);
    repo.write(".git/windrow/config.toml", "[branch]\ndelete = \"pushed\"\n[push]\ntimeout = \"3s\"\n");
    let begun = Instant::now();
    let script = "echo mine > mine; git add .; git commit -qm Mine";
    let run =
        repo.windrow(["run", "--name", "fern", "--push", "--json", "--", "sh", "-c", script]).bound(BOUND);
    let document = run.run().assert_code(75).json();
    assert_valid("run", &document);
    assert_eq!(document["push_error"]["code"], "UNREACHABLE");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let tip = repo.oid("windrow/fern");
    assert_eq!(repo.git(["show", &format!("{tip}:mine")]), "mine");
    assert_eq!(remote.at(&repo, "windrow/fern"), "");
    poll_until(BOUND, "everything that was started to end", || {
        windrow_testkit::processes_under(repo.path()).is_empty()
    });
}

#[test]
fn h19_a_branch_goes_only_when_the_remote_was_heard_to_hold_it() {
    let repo = repo();
    let remote = Remote::of(&repo);
    repo.write(".git/windrow/config.toml", "[branch]\ndelete = \"pushed\"\n");
    let run = |name: &str, code: i32| {
        let script = "echo $WINDROW_NAME > $WINDROW_NAME; git add .; git commit -qm Mine";
        let words = ["run", "--name", name, "--push", "--json", "--", "sh", "-c", script];
        repo.windrow(words).bound(BOUND).run().assert_code(code).json()
    };
    let there = |branch: &str| repo.try_git(["rev-parse", "-q", "--verify", branch]).code == 0;
    // A remote that says no.
    let hook = remote.path.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho 'not today' >&2; exit 1\n").unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let document = run("fern", 65);
    assert_eq!(document["push_error"]["code"], "PUSH_REFUSED", "{document}");
    assert!(there("windrow/fern"), "the branch of a push that failed is gone");
    let page = repo.windrow(["push", "windrow/fern"]).run().assert_code(65).stderr_text();
    assert!(page.contains("not today"), "{page}");
    fs::remove_file(&hook).unwrap();
    // One whose answer is lost, but who has it.
    remote.relay.next_push(Trick::DropAnswer);
    let document = run("moss", 0);
    assert_valid("run", &document);
    assert_eq!(document["push"]["after"], remote.at(&repo, "windrow/moss").as_str());
    assert!(!there("windrow/moss"), "the branch stays although the remote has it");
    // A command that fails pushes nothing.
    let document = repo
        .windrow(["run", "--name", "reed", "--push", "--json", "--", "false"])
        .run()
        .assert_code(1)
        .json();
    assert!(document["push"].is_null() && document["push_error"].is_null());
}

#[test]
fn a_pull_request_is_offered_or_opened() {
    let repo = repo();
    let remote = Remote::of(&repo);
    agent(&repo, "fern", "echo mine > mine");
    let hook = remote.path.join("hooks/post-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(
        &hook,
        "#!/bin/sh\necho 'Create a pull request by visiting:'; echo '  https://host.invalid/pull/new/fern'\n",
    )
    .unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let offered = repo.windrow(["push", "fern", "--pr"]).run().assert_success();
    assert_eq!(offered.text(), "https://host.invalid/pull/new/fern");
    let command =
        "echo \"$WINDROW_PUSH_REMOTE $WINDROW_PUSH_BRANCH $WINDROW_PUSH_URL\" > ../asked; exit ${CODE:-0}";
    repo.write(".git/windrow/config.toml", format!("[push]\npr_command = '{command}'\n"));
    agent(&repo, "moss", "echo mine > moss");
    let document = push(&repo, &["moss", "--pr"]);
    assert_eq!(document["pull_request"]["command_exit"], 0);
    let asked = fs::read_to_string(repo.root().join("asked")).unwrap();
    assert_eq!(asked, "origin windrow/moss https://host.invalid/pull/new/fern\n");
    let failed = repo.windrow(["push", "moss", "--pr"]).env("CODE", "3").run().assert_code(1);
    assert!(failed.stderr_text().contains("ended with 3"), "{failed}");
}

#[test]
fn files_of_lfs_are_not_pushed_without_their_hook() {
    let repo = repo();
    let remote = Remote::of(&repo);
    let tip = agent(&repo, "fern", "echo '*.bin filter=lfs diff=lfs' > .gitattributes");
    assert_eq!(refused(&repo, 78, &["fern"])["code"], "CONFIG");
    assert_eq!(remote.at(&repo, "windrow/fern"), "");
    let hook = "#!/bin/sh\ncat > \"$GIT_DIR/../../pushed\"\n";
    repo.write(".git/hooks/pre-push", hook);
    fs::set_permissions(
        repo.path().join(".git/hooks/pre-push"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    repo.write(".git/windrow/config.toml", "[push]\nhooks = true\n");
    push(&repo, &["fern"]);
    let told = fs::read_to_string(repo.root().join("pushed")).unwrap();
    assert!(told.contains(&tip) && told.contains("refs/heads/windrow/fern"), "{told}");
}
