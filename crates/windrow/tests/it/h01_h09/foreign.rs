//! What Windrow did not make is not Windrow's to remove, whatever the records say.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use rusqlite::Connection;
use windrow_testkit::{Include, RepoFingerprint, TestRepo, TreeSnapshot, assert_same};

use crate::pool::{
    acquire, everything, holder, left_in_place, nudge, outlast, pool_root, put, refused, registered,
    repository, state, wait_for_empty_trash, windrow,
};

#[test]
fn h03_a_worktree_without_files_takes_nothing_else_along() {
    let repo = repository();
    repo.write(".env", "SECRET=1\n");
    repo.write("README.md", "the user's own change\n");
    let before = RepoFingerprint::of(&repo);
    for (name, ttl) in [("released", "1h"), ("expired", "1s")] {
        let lease = acquire(&repo, &["--name", name, "--ttl", ttl]);
        fs::remove_dir_all(&lease.path).unwrap();
    }
    windrow(&repo, &["release", "released"]);
    outlast(1);
    nudge(&repo);
    assert_eq!((state(&repo, "released"), state(&repo, "expired")), ("gone".into(), "gone".into()));
    assert_eq!(registered(&repo), [repo.path().to_str().unwrap()]);
    before.assert_unchanged(&repo);
}

#[test]
fn h03_a_worktree_without_files_and_registration_takes_nothing_else_along() {
    let repo = repository();
    repo.write(".env", "SECRET=1\n");
    let before = RepoFingerprint::of(&repo);
    let lease = acquire(&repo, &[]);
    repo.git(["worktree", "remove", "--force", "--force", lease.path.to_str().unwrap()]);
    windrow(&repo, &["release", &lease.name]);
    assert_eq!(state(&repo, &lease.name), "gone");
    before.assert_unchanged(&repo);
}

/// Writes something false into the record of a worktree, as a bug or a bad disk might.
fn falsify(repo: &TestRepo, column: &str, value: &Path) {
    let database = Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    let value = value.as_os_str().as_encoded_bytes();
    let sql = format!("UPDATE worktrees SET {column} = ?1 WHERE state = 'leased'");
    assert_eq!(database.execute(&sql, [value]).unwrap(), 1);
}

#[test]
fn h03_a_false_record_deletes_nothing() {
    for (column, below) in [("path", ""), ("path", "../repo"), ("path", "src"), ("admin", ".git")] {
        let repo = repository();
        repo.write(".env", "SECRET=1\n");
        let before = (RepoFingerprint::of(&repo), everything(&repo.path().join("src")));
        let lease = acquire(&repo, &[]);
        lease.write("work", "precious");
        let files = lease.files();
        let place = if below == "../repo" { repo.root().to_owned() } else { repo.path().join(below) };
        falsify(&repo, column, &place);
        left_in_place(&repo, &["release", &lease.name, "--discard"]);
        nudge(&repo);
        assert_eq!(state(&repo, &lease.name), "quarantined", "{column} {below}");
        before.0.assert_unchanged(&repo);
        assert_same(&before.1, &everything(&repo.path().join("src")));
        assert_same(&files, &lease.files());
    }
}

#[test]
fn h03_a_link_to_the_main_checkout_is_no_worktree() {
    let repo = repository();
    repo.write(".env", "SECRET=1\n");
    let before = RepoFingerprint::of(&repo);
    let lease = acquire(&repo, &["--ttl", "1s"]);
    fs::remove_dir_all(&lease.path).unwrap();
    symlink(repo.path(), &lease.path).unwrap();
    outlast(1);
    nudge(&repo);
    left_in_place(&repo, &["release", &lease.name, "--discard"]);
    assert_eq!(state(&repo, &lease.name), "quarantined");
    assert_eq!(fs::read_link(&lease.path).unwrap(), repo.path());
    before.assert_unchanged(&repo);
}

/// Worktrees of other tools and things made by hand, in every place where ours are.
struct Others {
    before: TreeSnapshot,
    places: Vec<String>,
}

impl Others {
    fn settle(repo: &TestRepo) -> Self {
        let root = pool_root(repo);
        let add = |place: &str, branch: &str| repo.git(["worktree", "add", "--quiet", "-b", branch, place]);
        let inside = root.join("theirs");
        let hidden = repo.root().join("elsewhere/agent-1");
        let vanished = repo.root().join("elsewhere/vanished");
        for (place, branch) in [(&inside, "theirs"), (&hidden, "windrow/agent-1"), (&vanished, "vanished")] {
            add(place.to_str().unwrap(), branch);
            put(&place.join("dirty"), "their work");
        }
        repo.git(["worktree", "lock", "--reason", "claude agent 1", hidden.to_str().unwrap()]);
        fs::remove_dir_all(&vanished).unwrap();
        put(&root.join("by-hand/notes"), "my notes");
        put(&root.join(".trash/by-hand/notes"), "not thrown away by windrow");
        put(&root.join(".new-thing/notes"), "looks like one of ours");
        symlink(repo.path(), root.join("a-link")).unwrap();
        Self { before: Self::in_the_pool(repo), places: registered(repo) }
    }

    fn in_the_pool(repo: &TestRepo) -> TreeSnapshot {
        TreeSnapshot::of(&pool_root(repo), &Include::except([".trash/sweep.lock"]))
    }

    #[track_caller]
    fn assert_there(&self, repo: &TestRepo) {
        assert_same(&self.before, &Self::in_the_pool(repo));
        assert_eq!(self.places, registered(repo));
        let elsewhere = repo.root().join("elsewhere/agent-1");
        assert_eq!(fs::read_to_string(elsewhere.join("dirty")).unwrap(), "their work");
        assert_eq!(repo.git_in(&elsewhere, ["branch", "--show-current"]), "windrow/agent-1");
    }
}

#[test]
fn h04_worktrees_and_directories_of_others_survive_every_clean_up() {
    let repo = repository();
    nudge(&repo);
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    let others = Others::settle(&repo);
    let before = RepoFingerprint::of(&repo);
    let mut dead = holder(&repo);
    acquire(&repo, &["--pid", &dead.pid().to_string()]);
    acquire(&repo, &["--ttl", "1s"]);
    windrow(&repo, &["run", "--", "sh", "-c", "echo x >untracked"]);
    let mut run = repo.windrow(["run", "--", "sh", "-c", "echo ready; sleep 300"]).spawn();
    run.wait_for_stdout("ready");
    run.kill_alone();
    dead.kill_alone();
    outlast(1);
    nudge(&repo);
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    others.assert_there(&repo);
    before.assert_unchanged(&repo);
}

#[test]
fn h04_a_name_that_somebody_else_uses_harms_nobody() {
    let repo = repository();
    nudge(&repo);
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    let others = Others::settle(&repo);
    for name in ["theirs", "by-hand"] {
        refused(&repo, 65, &["acquire", "--name", name]);
        assert_eq!(state(&repo, name), "gone");
        others.assert_there(&repo);
    }
    // Git's own directory of that name is taken by a worktree elsewhere, the place and the branch are free.
    let lease = acquire(&repo, &["--name", "vanished"]);
    lease.write("work", "ours");
    assert_eq!(registered(&repo).len(), others.places.len() + 1);
    windrow(&repo, &["release", "vanished"]);
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    others.assert_there(&repo);
}

#[test]
fn h04_the_users_own_directories_keep_their_mode_and_content() {
    let repo = repository();
    let around = repo.root().join("around");
    let (trash, home) = (around.join(".trash"), around.join("project"));
    put(&trash.join("mine"), "the user's own trash");
    repo.git(["clone", "--quiet", ".", home.to_str().unwrap()]);
    for directory in [&around, &trash] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let template = ["--config", "pool.directory=\"{repo}-{name}\""];
    let call = |arguments: &[&str]| {
        repo.windrow([&template, arguments].concat()).current_dir(&home).run().assert_success()
    };
    let path = call(&["acquire", "--name", "one"]).text();
    assert_eq!(path, home.with_file_name("project-one").to_str().unwrap());
    assert_eq!(
        fs::metadata(&path).unwrap().mode() & 0o777,
        0o700,
        "others cannot get in by way of the parent"
    );
    call(&["release", "one"]);
    wait_for_empty_trash(&trash);
    assert_eq!(fs::read_to_string(trash.join("mine")).unwrap(), "the user's own trash");
    for directory in [&around, &trash] {
        assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o755, "{}", directory.display());
    }
}
