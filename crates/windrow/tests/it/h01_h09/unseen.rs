//! A worktree that cannot be seen from here is not gone.

use std::fs;

use windrow_testkit::{Binary, FileSystem, TestRepo, assert_same, loop_fs, root_only};

use crate::pool::{
    Lease, acquire, everything, expire, nudge, outlast, pool_root, registered, repository, restore, state,
    windrow,
};

/// A commit that only the worktree's HEAD remembers, and something staged.
fn work(repo: &TestRepo, lease: &Lease) -> String {
    repo.git_in(&lease.path, ["checkout", "--quiet", "--detach"]);
    lease.write("committed", "remembered by HEAD alone");
    let tip = repo.commit_in(&lease.path, "Detached");
    lease.write("staged", "remembered by the index alone");
    repo.git_in(&lease.path, ["add", "staged"]);
    tip
}

#[test]
fn h09_pruning_where_the_paths_are_missing_drops_no_registration() {
    let repo = repository();
    let lease = acquire(&repo, &[]);
    let tip = work(&repo, &lease);
    let status = || repo.git_in(&lease.path, ["status", "--porcelain=v2", "--branch"]);
    let admin = repo.git_dir().join("worktrees").join(&lease.name);
    let before = (everything(&admin), registered(&repo), status());
    let away = repo.root().join("away");
    fs::rename(pool_root(&repo), &away).unwrap();
    repo.git(["worktree", "prune", "--expire=now"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "--quiet", "--prune=now"]);
    assert_eq!(state(&repo, &lease.name), "leased");
    fs::rename(&away, pool_root(&repo)).unwrap();
    assert_eq!(before.1, registered(&repo));
    assert_eq!(before.2, status());
    assert_eq!(before.0.get("index"), everything(&admin).get("index"));
    assert_eq!(repo.git_in(&lease.path, ["rev-parse", "HEAD"]), tip);
    repo.git_in(&lease.path, ["fsck", "--strict"]);
    let files = lease.files();
    windrow(&repo, &["release", &lease.name]);
    assert_same(&files, &restore(&repo, &lease.name).files());
}

#[test]
fn h09_our_own_clean_up_drops_nothing_that_it_cannot_see() {
    if root_only("a mount that hides the pool").is_none() {
        return;
    }
    let repo = repository();
    let leases = ["expired", "kept"].map(|name| acquire(&repo, &["--name", name]));
    leases.iter().for_each(|lease| drop(work(&repo, lease)));
    windrow(&repo, &["release", "kept", "--keep", "1s"]);
    let admins = repo.git_dir().join("worktrees");
    let before = (everything(&admins), everything(&pool_root(&repo)), registered(&repo));
    expire(&repo, &[&leases[0]]);
    // As in a container that sees the repository alone: another file system lies where the pool is.
    let script =
        "set -e; mount -t tmpfs none \"$1\"; \"$2\" acquire --detach --name inside; \"$2\" release inside";
    let unshare = repo.command("unshare", repo.path()).args(["--mount", "sh", "-c", script, "sh"]);
    unshare.arg(pool_root(&repo)).arg(env!("CARGO_BIN_EXE_windrow")).run().assert_success();
    assert_same(&before.0, &everything(&admins));
    assert_same(&before.1, &everything(&pool_root(&repo)));
    assert_eq!(before.2, registered(&repo));
    // Where they can be seen the next command saves and ends them.
    for lease in &leases {
        let files = lease.files();
        assert_eq!(state(&repo, &lease.name), "quarantined");
        windrow(&repo, &["release", &lease.name]);
        assert_same(&files, &restore(&repo, &lease.name).files());
    }
}

#[test]
fn h09_a_worktree_that_was_moved_by_hand_is_not_deleted() {
    let repo = repository();
    let lease = acquire(&repo, &["--ttl", "1s"]);
    let tip = work(&repo, &lease);
    let moved = repo.root().join("moved");
    fs::rename(&lease.path, &moved).unwrap();
    let before = everything(&moved);
    outlast(1);
    nudge(&repo);
    assert_same(&before, &everything(&moved));
    assert_eq!(repo.git(["cat-file", "-t", &tip]), "commit");
}

/// The file system around a snapshot is another one by its id, so that alone does not tell whether it can be seen.
#[test]
fn h09_a_snapshot_is_not_gone_where_another_directory_of_its_file_system_hides_the_pool() {
    let Some(root) = root_only("an image of btrfs") else { return };
    let Some(mounted) = loop_fs(root, FileSystem::Btrfs, 4 << 30) else { return };
    let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
    let repo = TestRepo::builder().binary(binary).inside(mounted.path()).build();
    windrow(&repo, &["pool", "template"]);
    let lease = acquire(&repo, &["--name", "fern", "--strategy", "snapshot", "--ttl", "1s"]);
    let tip = work(&repo, &lease);
    let admins = repo.git_dir().join("worktrees");
    let before = (everything(&admins), everything(&lease.path));
    let (other, hidden) = (repo.root().join("other"), pool_root(&repo));
    fs::create_dir(&other).unwrap();
    outlast(1);
    // The second time there is a trash in it.
    let script = "set -e; mount --bind \"$3\" \"$1\"; for name in one two; do \
                  \"$2\" acquire --detach --strategy checkout --name $name; \"$2\" release $name; done";
    let unshare = repo.command("unshare", repo.path()).args(["--mount", "sh", "-c", script, "sh"]);
    unshare.arg(&hidden).arg(env!("CARGO_BIN_EXE_windrow")).arg(&other).run().assert_success();
    assert!(other.join(".trash").is_dir(), "it was used as the pool");
    assert_same(&before.0, &everything(&admins));
    assert_same(&before.1, &everything(&lease.path));
    // Where it can be seen that it is gone, what only its registration remembers is saved.
    fs::remove_dir_all(&lease.path).unwrap();
    windrow(&repo, &["release", "fern"]);
    assert_eq!(state(&repo, "fern"), "gone");
    let kept = repo.git(["for-each-ref", "--contains", &tip, "--format=%(refname)"]);
    assert!(kept.starts_with("refs/windrow/rescue/fern"), "{kept}");
    windrow(&repo, &["pool", "template", "--remove"]);
}
