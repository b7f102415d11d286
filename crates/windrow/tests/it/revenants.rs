//! H38 and H42: holders that only seem to live or to be dead, and what a reboot leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use windrow_testkit::{
    Include, Invocation, RepoFingerprint, Root, Running, TestRepo, TreeSnapshot, assert_same, pid_namespace,
    poll_until, root_only, skipped,
};

use crate::repo;

/// The names of all worktrees on record.
fn names(repo: &TestRepo) -> Vec<String> {
    let list = repo.windrow(["list", "--json"]).run().assert_success().json();
    let worktrees = list["worktrees"].as_array().expect("an array").iter();
    worktrees.map(|worktree| worktree["name"].as_str().expect("a name").to_owned()).collect()
}

/// Runs any command that changes something, so that what is over ends.
#[track_caller]
fn another_command(repo: &TestRepo) -> String {
    repo.windrow(["run", "--", "true"]).run().assert_success().stderr_text()
}

fn acquire_for(repo: &TestRepo, name: &str, holder: &Running) -> PathBuf {
    let pid = holder.pid().to_string();
    let acquired = repo.windrow(["acquire", "--name", name, "--pid", &pid]).run().assert_success();
    PathBuf::from(acquired.text())
}

/// Everything that the rescue of a worktree holds of `file`.
#[track_caller]
fn rescued(repo: &TestRepo, name: &str, file: &str) -> String {
    let back = repo.windrow(["restore", name, "--name", "back"]).run().assert_success().text();
    let text = fs::read_to_string(Path::new(&back).join(file)).expect("restored");
    repo.windrow(["release", "back", "--discard"]).run().assert_success();
    text
}

#[test]
fn h38_a_number_given_again_does_not_keep_a_dead_holder_alive() {
    let Some(root) = root_only("a process number given again") else { return };
    let repo = repo();
    let script = r#"
        set -eu
        sleep 1000 >/dev/null 2>&1 & first=$!
        tree=$("$1" acquire --name fern --pid $first)
        echo work > "$tree/work.txt"
        "$1" run --name moss -- true 2>/dev/null
        test -e "$tree/work.txt"
        kill $first; wait $first || :
        echo $((first - 1)) > /proc/sys/kernel/ns_last_pid || exit 77
        sleep 1000 >/dev/null 2>&1 & second=$!
        test $first = $second || exit 77
        "$1" run -- true 2>&1
        kill -0 $second
        kill $second
    "#;
    let call = repo.command("sh", repo.path()).args(["-c", script, "sh", env!("CARGO_BIN_EXE_windrow")]);
    let outcome = pid_namespace(root, call).run();
    if outcome.code == 77 {
        return skipped("this kernel does not let us choose the next process number");
    }
    let told = outcome.assert_success().text();
    assert!(told.contains("gave back the abandoned worktree `fern`"), "{told}");
    assert_eq!(names(&repo), [""; 0]);
    assert_eq!(rescued(&repo, "fern", "work.txt"), "work\n");
}

#[test]
fn h38_a_live_holder_with_a_confusing_name_is_not_dead() {
    let repo = repo();
    // What a careless reader of /proc/PID/stat takes for the state, the parent and more.
    let program = repo.root().join("x) Z 1 1 (y");
    let sleep =
        repo.command("sh", repo.root()).args(["-c", "command -v sleep"]).run().assert_success().text();
    fs::copy(sleep, &program).expect("copied");
    let mut holder = repo.command(&program, repo.root()).arg("1000").spawn();
    let tree = acquire_for(&repo, "fern", &holder);
    fs::write(tree.join("work.txt"), "work").expect("ours");
    let before = TreeSnapshot::of(&tree, &Include::Everything);
    another_command(&repo);
    assert_eq!(names(&repo), ["fern"]);
    assert_same(&before, &TreeSnapshot::of(&tree, &Include::Everything));
    holder.kill_alone();
    assert!(another_command(&repo).contains("gave back the abandoned worktree `fern`"));
    assert_eq!(rescued(&repo, "fern", "work.txt"), "work");
}

#[test]
fn h38_a_holder_that_became_another_program_is_not_dead() {
    let repo = repo();
    let script = "until test -e go; do sleep 0.02; done; exec sleep 1000";
    let mut holder = repo.command("sh", repo.root()).args(["-c", script]).spawn();
    let tree = acquire_for(&repo, "fern", &holder);
    fs::write(repo.root().join("go"), "").expect("ours");
    let name = PathBuf::from(format!("/proc/{}/comm", holder.pid()));
    poll_until(Duration::from_secs(10), "the holder runs another program", || {
        fs::read(&name).is_ok_and(|name| name == b"sleep\n")
    });
    another_command(&repo);
    assert!(tree.join("README.md").exists());
    assert_eq!(names(&repo), ["fern"]);
    holder.kill_alone();
    another_command(&repo);
    assert_eq!(names(&repo), [""; 0]);
}

#[test]
fn h38_a_zombie_holds_nothing() {
    let repo = repo();
    // A parent that never waits for its child.
    let script = "sleep 1000 & echo $!; exec sleep 1000";
    let mut parent = repo.command("sh", repo.root()).args(["-c", script]).spawn();
    parent.wait_for_stdout("\n");
    let child = parent.stdout().to_string().trim().to_owned();
    repo.windrow(["acquire", "--name", "fern", "--pid", &child]).run().assert_success();
    another_command(&repo);
    assert_eq!(names(&repo), ["fern"]);
    repo.command("kill", repo.root()).args(["-KILL", &child]).run().assert_success();
    let state = format!("/proc/{child}/stat");
    poll_until(Duration::from_secs(10), "a zombie", || {
        fs::read_to_string(&state).is_ok_and(|text| text.contains(") Z "))
    });
    another_command(&repo);
    assert_eq!(names(&repo), [""; 0]);
    parent.kill_alone();
}

/// Runs a call as if the machine had been started anew since: with another boot id.
fn rebooted(_root: Root, repo: &TestRepo, call: Invocation) -> Invocation {
    let boot_id = repo.root().join("boot_id");
    fs::write(&boot_id, "00000000-1111-4222-8333-444444444444\n").expect("ours");
    let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift && exec \"$@\"";
    let wrapper = ["unshare", "--mount", "--", "sh", "-c", script, "sh"].map(Into::into).to_vec();
    call.wrapped_in(wrapper.into_iter().chain([boot_id.into_os_string()]))
}

#[test]
fn h38_after_a_reboot_the_same_number_is_another_process() {
    let Some(root) = root_only("another boot id") else { return };
    let repo = repo();
    let mut holder = repo.command("sleep", repo.root()).arg("1000").spawn();
    let tree = acquire_for(&repo, "fern", &holder);
    fs::write(tree.join("work.txt"), "work").expect("ours");
    another_command(&repo);
    assert_eq!(names(&repo), ["fern"]);
    let told =
        rebooted(root, &repo, repo.windrow(["run", "--", "true"])).run().assert_success().stderr_text();
    assert!(told.contains("gave back the abandoned worktree `fern`"), "{told}");
    assert!(holder.is_running());
    assert_eq!(names(&repo), [""; 0]);
    assert_eq!(rescued(&repo, "fern", "work.txt"), "work");
}

#[test]
fn h42_a_reboot_that_empties_the_place_of_the_worktrees() {
    let Some(root) = root_only("another boot id") else { return };
    let repo = repo();
    let place = repo.root().join("tmp/volatile");
    repo.write(".git/windrow/config.toml", format!("[pool]\ndirectory = \"{}/{{name}}\"\n", place.display()));
    fs::create_dir(&place).expect("made");
    let foreign = place.join("foreign");
    repo.git(["worktree", "add", "--quiet", "-b", "foreign", foreign.to_str().expect("UTF-8")]);
    let mut holder = repo.command("sleep", repo.root()).arg("1000").spawn();
    let tree = acquire_for(&repo, "fern", &holder);
    fs::write(tree.join("committed.txt"), "committed").expect("ours");
    let commit = repo.commit_in(&tree, "Work");
    fs::write(tree.join("unsaved.txt"), "unsaved").expect("ours");
    let keep =
        ["run", "--name", "moss", "--keep", "1h", "--", "git", "commit", "-q", "--allow-empty", "-m", "Moss"];
    repo.windrow(keep).run().assert_success();
    let unbound = ["acquire", "--name", "reed", "--ttl", "1h"];
    repo.windrow(unbound).run().assert_success();
    let before = RepoFingerprint::of(&repo);
    fs::remove_dir_all(&place).expect("ours");
    holder.kill_alone();

    let told =
        rebooted(root, &repo, repo.windrow(["run", "--", "true"])).run().assert_success().stderr_text();
    assert!(told.contains("`fern`") && told.contains("files are gone"), "{told}");
    assert!(!told.contains("nothing in it was unsaved"), "nobody can know that: {told}");
    assert_eq!(repo.oid("windrow/fern"), commit, "commits are in the repository, which was not emptied");
    assert_eq!(repo.oid("windrow/moss~1"), repo.oid("main"));
    assert!(repo.git_dir().join("worktrees/foreign/HEAD").exists(), "not ours to forget");
    before.assert_unchanged(&repo);
    repo.windrow(["release", "reed"]).run().assert_success();
    repo.windrow(["release", "moss"]).run().assert_success();
    assert_eq!(names(&repo), [""; 0]);
    repo.git(["fsck", "--strict", "--no-dangling"]);
    repo.windrow(["run", "--name", "fern", "--branch", "windrow/fern", "--", "test", "-e", "committed.txt"])
        .run()
        .assert_success();
}

#[test]
fn h42_files_that_vanish_while_the_holder_lives() {
    let repo = repo();
    let mut holder = repo.command("sleep", repo.root()).arg("1000").spawn();
    let tree = acquire_for(&repo, "fern", &holder);
    fs::write(tree.join("committed.txt"), "committed").expect("ours");
    let commit = repo.commit_in(&tree, "Work");
    fs::remove_dir_all(&tree).expect("ours");
    another_command(&repo);
    assert_eq!(names(&repo), ["fern"], "its holder lives");
    let told = repo.windrow(["release", "fern"]).run().assert_success().stderr_text();
    assert!(told.contains("fern"), "{told}");
    assert_eq!(repo.oid("windrow/fern"), commit);
    assert_eq!(names(&repo), [""; 0]);
    assert!(!repo.git_dir().join("worktrees").exists());
    holder.kill_alone();
}

#[test]
fn h42_what_git_knows_of_vanished_files_is_saved() {
    let repo = repo();
    let detached = repo.windrow(["acquire", "--name", "fern", "--detach"]).run().assert_success().text();
    let tree = Path::new(&detached);
    fs::write(tree.join("committed.txt"), "committed").expect("ours");
    let commit = repo.commit_in(tree, "On no branch");
    fs::write(tree.join("staged.txt"), "staged").expect("ours");
    repo.git_in(tree, ["add", "staged.txt"]);
    fs::remove_dir_all(tree).expect("ours");
    let told = repo.windrow(["release", "fern"]).run().assert_success().stderr_text();
    assert!(told.contains("its files were gone already") && told.contains("rescued"), "{told}");
    assert_eq!(names(&repo), [""; 0]);
    assert_ne!(repo.git(["for-each-ref", "--contains", &commit]), "", "the commit is kept");
    let back =
        PathBuf::from(repo.windrow(["restore", "fern", "--name", "back"]).run().assert_success().text());
    assert_eq!(repo.git_in(&back, ["rev-parse", "HEAD"]), commit);
    assert_eq!(repo.git_in(&back, ["status", "--porcelain"]), "A  staged.txt");
    assert_eq!(fs::read(back.join("staged.txt")).expect("restored"), b"staged");
    repo.windrow(["release", "back", "--discard"]).run().assert_success();
}
