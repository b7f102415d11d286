//! A path that was ours is no proof that what lies there now is ours.

use std::{fs, path::Path};

use windrow_testkit::{RepoFingerprint, TestRepo, assert_same};

use crate::pool::{
    Lease, acquire, everything, holder, left_in_place, nudge, outlast, pool_root, put, refused, registered,
    repository, restore, state, windrow,
};

/// Ends the lease in every way there is; the worktree must be quarantined with its place untouched.
#[track_caller]
fn assert_nothing_goes(repo: &TestRepo, lease: &Lease) {
    let before = (everything(&lease.path), registered(repo), RepoFingerprint::of(repo));
    outlast(1);
    nudge(repo);
    assert_eq!(state(repo, &lease.name), "quarantined");
    left_in_place(repo, &["release", &lease.name]);
    left_in_place(repo, &["release", &lease.name, "--discard"]);
    assert_eq!(state(repo, &lease.name), "quarantined");
    assert_same(&before.0, &everything(&lease.path));
    assert_eq!(before.1, registered(repo));
    before.2.assert_unchanged(repo);
}

fn copy(repo: &TestRepo, from: &Path, to: &Path) {
    repo.command("cp", repo.root()).arg("-a").args([from, to]).run().assert_success();
}

#[test]
fn h08_a_directory_made_by_hand_at_the_path_stays() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    fs::remove_dir_all(&lease.path).unwrap();
    put(&lease.path.join("notes"), "somebody else's");
    assert_nothing_goes(&repo, &lease);
}

#[test]
fn h08_a_copy_at_the_path_is_not_the_worktree() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    lease.write("work", "precious");
    let aside = repo.root().join("aside");
    fs::rename(&lease.path, &aside).unwrap();
    copy(&repo, &aside, &lease.path);
    assert_nothing_goes(&repo, &lease);
    // The real one brought back is known again.
    fs::remove_dir_all(&lease.path).unwrap();
    fs::rename(&aside, &lease.path).unwrap();
    let before = lease.files();
    windrow(&repo, &["release", &lease.name]);
    assert_same(&before, &restore(&repo, &lease.name).files());
}

#[test]
fn h08_another_worktree_at_the_path_stays() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    let path = lease.path.to_str().unwrap();
    repo.git(["worktree", "remove", "--force", "--force", path]);
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", path]);
    lease.write("work", "somebody else's");
    assert_nothing_goes(&repo, &lease);
    assert_eq!(repo.git_in(&lease.path, ["branch", "--show-current"]), "theirs");
}

#[test]
fn h08_another_registration_of_the_name_stays() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    repo.git(["worktree", "remove", "--force", "--force", lease.path.to_str().unwrap()]);
    let theirs = repo.root().join("elsewhere").join(&lease.name);
    repo.git(["worktree", "add", "--quiet", "-b", "theirs", theirs.to_str().unwrap()]);
    put(&theirs.join("work"), "somebody else's");
    let before = everything(&theirs);
    assert_nothing_goes(&repo, &lease);
    assert_same(&before, &everything(&theirs));
    assert_eq!(repo.git_in(&theirs, ["branch", "--show-current"]), "theirs");
}

#[test]
fn h08_a_worktree_whose_git_file_names_another_repository_stays() {
    let repo = repository();
    let other = repo.root().join("other");
    repo.git(["clone", "--quiet", ".", other.to_str().unwrap()]);
    let lease = acquire(&repo, &["--ttl", "1s"]);
    lease.write("work", "whose?");
    fs::write(lease.path.join(".git"), format!("gitdir: {}/.git\n", other.display())).unwrap();
    let before = everything(&other);
    assert_nothing_goes(&repo, &lease);
    assert_same(&before, &everything(&other));
}

#[test]
fn h08_a_copied_repository_owns_no_worktrees() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "mine", "--ttl", "1s"]);
    lease.write("work", "precious");
    let place = repo.root().join("copies");
    fs::create_dir(&place).unwrap();
    copy(&repo, repo.path(), &place);
    copy(&repo, &pool_root(&repo), &place);
    let before = (everything(&lease.path), everything(&place.join("repo.windrow")));
    outlast(1);
    let copied = place.join("repo");
    for arguments in
        [["release", "mine", "--discard"].as_slice(), &["acquire", "--detach"], &["release", "mine"]]
    {
        let outcome = repo.windrow(arguments).current_dir(&copied).run();
        assert_ne!(outcome.code, 0, "{outcome}");
    }
    assert_same(&before.0, &everything(&lease.path));
    assert_same(&before.1, &everything(&place.join("repo.windrow")));
    assert_eq!(state(&repo, "mine"), "leased");
}

/// Puts somebody else's directory at the path of a worktree that its key or name could give back.
#[track_caller]
fn assert_not_handed_out(repo: &TestRepo, lease: &Lease, wanted: &[&str]) {
    fs::rename(&lease.path, repo.root().join("aside")).unwrap();
    put(&lease.path.join("notes"), "somebody else's");
    let before = everything(&lease.path);
    let error = refused(repo, 75, &[["acquire"].as_slice(), wanted].concat());
    assert!(error["message"].as_str().unwrap().contains(&lease.name) || wanted[0] == "--name", "{error}");
    assert_same(&before, &everything(&lease.path));
    repo.windrow(["exec", &lease.name, "--", "touch", "touched"]).run();
    assert_same(&before, &everything(&lease.path));
}

#[test]
fn h08_a_reused_path_is_not_handed_out_again() {
    for (keep, wanted) in [("0s", ["--key", "T-1"]), ("1h", ["--key", "T-1"]), ("1h", ["--name", "mine"])] {
        let repo = repository();
        let mut dead = holder(&repo);
        let lease = acquire(&repo, &["--key", "T-1", "--name", "mine", "--pid", &dead.pid().to_string()]);
        if keep == "1h" {
            windrow(&repo, &["release", "mine", "--keep", keep]);
        }
        dead.kill_alone();
        assert_not_handed_out(&repo, &lease, &wanted);
    }
}

#[test]
fn h08_a_live_key_is_not_given_a_reused_path() {
    let repo = repository();
    let lease = acquire(&repo, &["--key", "T-1"]);
    assert_not_handed_out(&repo, &lease, &["--key", "T-1"]);
}

#[test]
fn h08_a_key_whose_worktree_was_deleted_starts_anew_on_its_branch() {
    for keep in ["0s", "1h"] {
        let repo = repository();
        let mut dead = holder(&repo);
        let lease = acquire(&repo, &["--key", "T-1", "--pid", &dead.pid().to_string()]);
        lease.write("work", "committed");
        repo.commit_in(&lease.path, "Work");
        if keep == "1h" {
            windrow(&repo, &["release", "--key", "T-1", "--keep", keep]);
        }
        dead.kill_alone();
        fs::remove_dir_all(&lease.path).unwrap();
        let next = acquire(&repo, &["--key", "T-1"]);
        assert_eq!((&next.branch, &next.provenance[..]), (&lease.branch, "created"));
        assert_eq!(fs::read_to_string(next.path.join("work")).unwrap(), "committed");
    }
}
