//! The end of a lease, however it comes, loses nothing that was not saved.

use std::fs;

use windrow_testkit::{RepoFingerprint, TestRepo, TreeSnapshot, assert_same, root_only};

use crate::pool::{
    Lease, acquire, everything, files, holder, left_in_place, nudge, outlast, pool_root, repository, rescues,
    restore, state, windrow,
};

/// Leaves a commit that is nowhere else, and changes of every kind.
fn work(repo: &TestRepo, lease: &Lease) -> (String, TreeSnapshot) {
    lease.write("landed-nowhere", "a commit");
    let tip = repo.commit_in(&lease.path, "Not pushed, not landed");
    lease.write("staged", "staged");
    repo.git_in(&lease.path, ["add", "staged"]);
    lease.write("README.md", "changed\n");
    fs::remove_file(lease.path.join("link")).unwrap();
    lease.write("deep/er/untracked", "untracked");
    lease.write(".env", "SECRET=1\n");
    lease.write("build.log", "ignored");
    (tip, lease.files())
}

#[track_caller]
fn assert_saved(repo: &TestRepo, lease: &Lease, tip: &str, before: &TreeSnapshot) {
    assert_eq!(state(repo, &lease.name), "gone");
    assert!(!lease.path.exists());
    assert_eq!(repo.oid(&format!("refs/heads/{}", lease.branch)), tip);
    let restored = restore(repo, &lease.name);
    assert_same(before, &restored.files());
    assert_eq!(repo.git_in(&restored.path, ["rev-parse", "HEAD"]), tip);
}

#[test]
fn h05_an_expired_lease_loses_nothing() {
    let repo = repository();
    let main = RepoFingerprint::of(&repo);
    let lease = acquire(&repo, &["--ttl", "1s"]);
    let (tip, before) = work(&repo, &lease);
    outlast(1);
    nudge(&repo);
    assert_saved(&repo, &lease, &tip, &before);
    main.assert_unchanged(&repo);
}

#[test]
fn h05_a_dead_holder_loses_nothing() {
    let repo = repository();
    let mut dead = holder(&repo);
    let lease = acquire(&repo, &["--pid", &dead.pid().to_string()]);
    let (tip, before) = work(&repo, &lease);
    dead.kill_alone();
    nudge(&repo);
    assert_saved(&repo, &lease, &tip, &before);
}

#[test]
fn h05_the_end_of_keeping_loses_nothing() {
    let repo = repository();
    let lease = acquire(&repo, &[]);
    let (tip, before) = work(&repo, &lease);
    windrow(&repo, &["release", &lease.name, "--keep", "1s"]);
    outlast(1);
    nudge(&repo);
    assert_saved(&repo, &lease, &tip, &before);
}

#[test]
fn h05_a_release_loses_nothing() {
    let repo = repository();
    let lease = acquire(&repo, &[]);
    let (tip, before) = work(&repo, &lease);
    windrow(&repo, &["release", &lease.name]);
    assert_saved(&repo, &lease, &tip, &before);
}

const SCRIPT: &str = "echo commit >new && git add new && git -c user.name=A -c user.email=a@b commit -qm Work && \
    echo changed >README.md && echo untracked >un && echo SECRET=1 >.env && echo ready && ";

#[test]
fn h05_a_run_loses_nothing_however_it_ends() {
    for (ending, code) in [("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("sleep 300", 137)] {
        let repo = repository();
        let main = RepoFingerprint::of(&repo);
        let script = format!("{SCRIPT}{ending}");
        let mut run = repo.windrow(["run", "--name", "job", "--", "sh", "-c", &script]).spawn();
        run.wait_for_stdout("ready");
        if ending == "sleep 300" {
            run.kill_alone();
            nudge(&repo);
        } else {
            run.wait().assert_code(code);
        }
        assert!(!pool_root(&repo).join("job").exists(), "{ending}");
        assert_eq!(repo.git(["show", "windrow/job:new"]), "commit");
        let restored = restore(&repo, "job");
        let found =
            ["README.md", "un", ".env"].map(|path| fs::read_to_string(restored.path.join(path)).unwrap());
        assert_eq!(found, ["changed\n", "untracked\n", "SECRET=1\n"], "{ending}");
        main.assert_unchanged(&repo);
    }
}

#[test]
fn h05_what_cannot_be_saved_stays_where_it_is() {
    let repo = repository();
    let limit = ["--config", "rescue.max_size=\"10B\""];
    let lease = acquire(&repo, &["--ttl", "1s"]);
    lease
        .write(".env", "more than ten bytes of secrets that no compression makes small: 0xd1e5ba11 c0ffee\n");
    let before = everything(&lease.path);
    outlast(1);
    windrow(&repo, &[&limit, ["acquire", "--detach"].as_slice()].concat());
    assert_eq!(state(&repo, &lease.name), "quarantined");
    left_in_place(&repo, &[&limit, ["release", &lease.name].as_slice()].concat());
    assert_eq!(state(&repo, &lease.name), "quarantined");
    assert_same(&before, &everything(&lease.path));
    assert_eq!(rescues(&repo, &lease.name), Vec::<String>::new());
    windrow(&repo, &["release", &lease.name]);
    let restored = restore(&repo, &lease.name);
    assert_same(&files(&restored.path), &restored.files());
    assert_eq!(restored.files().get(".env"), before.get(".env"));
}

#[test]
fn h06_files_that_appear_during_the_release_are_not_eaten() {
    let repo = repository();
    // A filter of the user's runs while the rescue is made, and stands for anybody who still writes.
    repo.write(".gitattributes", "*.filtered filter=late\n");
    repo.commit("Use a filter");
    let late = repo.root().join("late");
    repo.git([
        "config",
        "filter.late.clean",
        &format!("sh -c 'test ! -e {0} || cp {0} \"$(cat {0})\"; cat'", late.display()),
    ]);
    let lease = acquire(&repo, &[]);
    lease.write("a.filtered", "filtered");
    fs::write(&late, lease.path.join("late-work").to_str().unwrap()).unwrap();
    left_in_place(&repo, &["release", &lease.name]);
    assert!(lease.path.join("late-work").exists(), "the filter ran while the rescue was made");
    assert_eq!(state(&repo, &lease.name), "quarantined");
    fs::remove_file(&late).unwrap();
    let before = lease.files();
    windrow(&repo, &["release", &lease.name]);
    assert_same(&before, &restore(&repo, &lease.name).files());
}

#[test]
fn h06_a_directory_that_cannot_go_is_not_forced() {
    if root_only("a file system mounted inside a worktree").is_none() {
        return;
    }
    let repo = repository();
    let lease = acquire(&repo, &[]);
    lease.write("untracked", "mine");
    fs::create_dir(lease.path.join("mounted")).unwrap();
    let script = "set -e; mount -t tmpfs none \"$1/mounted\"; echo precious >\"$1/mounted/file\"
        \"$2\" release \"$3\" || [ $? = 1 ]; cat \"$1/untracked\" \"$1/mounted/file\"; \"$2\" list";
    let unshare = repo.command("unshare", repo.path()).args(["--mount", "sh", "-c", script, "sh"]);
    let outcome = unshare.arg(&lease.path).arg(env!("CARGO_BIN_EXE_windrow")).arg(&lease.name).run();
    let seen = outcome.assert_success().text();
    assert!(seen.starts_with("mineprecious\n"), "{seen}");
    assert!(seen.contains("quarantined"), "{seen}");
    assert_eq!(fs::read_to_string(lease.path.join("untracked")).unwrap(), "mine");
}

#[test]
fn h06_directories_closed_to_their_owner_are_saved_or_stay() {
    use std::os::unix::fs::PermissionsExt;
    let repo = repository();
    let lease = acquire(&repo, &[]);
    lease.write("closed/file", "mine");
    lease.write("read-only/file", "mine too");
    let chmod = |path: &str, mode| {
        fs::set_permissions(lease.path.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    let before = lease.files();
    chmod("closed", 0o000);
    chmod("read-only", 0o555);
    windrow(&repo, &["release", &lease.name]);
    if state(&repo, &lease.name) == "quarantined" {
        // Without root's rights nobody can look into it.
        chmod("closed", 0o755);
        chmod("read-only", 0o755);
        return assert_same(&before, &lease.files());
    }
    let restored = restore(&repo, &lease.name);
    let content = |path: &str| fs::read_to_string(restored.path.join(path)).unwrap();
    assert_eq!((content("closed/file"), content("read-only/file")), ("mine".into(), "mine too".into()));
}
