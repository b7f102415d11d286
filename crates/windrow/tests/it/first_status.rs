//! The first `git status` in a new worktree opens no tracked file, in whatever way the worktree was made: what its index says of the
//! files is right, and old enough for git to believe it.

use std::{fs, path::Path};

use windrow_testkit::{Binary, FileSystem, TestRepo, loop_fs, root_only};

use crate::{
    counted::traced,
    pool::{Lease, acquire, put, repository, windrow},
};

const FILES: usize = 40;

/// More than is copied where blocks can be shared.
const LARGE: usize = 300 << 10;

/// Adds files of every kind, and one commit more that changes some.
fn furnish(repo: &TestRepo) {
    for number in 0..FILES {
        repo.write(format!("gen/{}/file_{number}", number % 7), format!("file {number}\n"));
    }
    repo.write("large", vec![b'a'; LARGE]);
    repo.write("empty", "");
    repo.commit("furnished");
}

/// Changes what a template or a ready worktree holds.
fn move_on(repo: &TestRepo) {
    repo.write("gen/3/file_3", "file 3, changed\n");
    repo.write("gen/3/new", "new\n");
    fs::remove_file(repo.path().join("gen/4/file_4")).unwrap();
    repo.commit("moved on");
}

/// The tracked files that `git status` opens in a worktree; `None` where that cannot be traced.
///
/// Without what git reads for its own sake: the patterns in it say what is ignored.
fn opened_by_status(repo: &TestRepo, worktree: &Path) -> Option<Vec<String>> {
    let tracked = repo.git_in(worktree, ["ls-files"]);
    let status = repo.git_invocation(worktree).args(["status", "--porcelain"]).env("GIT_OPTIONAL_LOCKS", "1");
    let log = traced(repo, "open,openat,openat2", status)?;
    let is_opened = |path: &&str| log.contains(&format!("\"{path}\"")) && *path != ".gitignore";
    Some(tracked.lines().filter(is_opened).map(str::to_owned).collect())
}

fn index_of(repo: &TestRepo, lease: &Lease) -> Vec<u8> {
    fs::read(repo.git_dir().join("worktrees").join(&lease.name).join("index")).unwrap()
}

/// Looks at a worktree twice: git, which may, has nothing to write into its index after the first look. `None` where one cannot look.
#[track_caller]
fn assert_opens_nothing(repo: &TestRepo, lease: &Lease, how: &str) -> Option<()> {
    let before = index_of(repo, lease);
    let opened = opened_by_status(repo, &lease.path)?;
    assert_eq!(opened, Vec::<String>::new(), "{how}");
    assert_eq!(index_of(repo, lease), before, "{how}: the index was as git would write it");
    Some(())
}

/// Makes worktrees by one strategy: at the template's commit, and at the next one.
fn look_at(repo: &TestRepo, strategy: &str, place: &str) -> Option<()> {
    let words = |name| ["--name", name, "--detach", "--strategy", strategy];
    windrow(repo, &["pool", "template", "--config", &format!("pool.strategy={strategy}")]);
    let same = acquire(repo, &words("same"));
    assert_opens_nothing(repo, &same, &format!("{strategy} on {place}"))?;
    move_on(repo);
    let next = acquire(repo, &words("next"));
    assert_opens_nothing(repo, &next, &format!("{strategy} on {place}, at another commit"))?;
    windrow(repo, &["release", "same"]);
    windrow(repo, &["release", "next"]);
    Some(())
}

#[test]
fn the_first_status_opens_no_file_that_was_checked_out() {
    let repo = repository();
    furnish(&repo);
    let lease = acquire(&repo, &["--name", "fern", "--strategy", "checkout"]);
    let Some(()) = assert_opens_nothing(&repo, &lease, "a checkout") else { return };
    // The test sees what git opens, or nothing would be proven: a time that the index does not know.
    put(&lease.path.join("gen/3/file_3"), "file 3\n");
    assert_eq!(opened_by_status(&repo, &lease.path), Some(vec!["gen/3/file_3".to_owned()]));
}

#[test]
fn the_first_status_opens_no_file_of_a_ready_worktree() {
    let repo = repository();
    furnish(&repo);
    windrow(&repo, &["pool", "warm", "2", "--wait"]);
    let same = acquire(&repo, &["--name", "same"]);
    let Some(()) = assert_opens_nothing(&repo, &same, "one that was held ready") else { return };
    move_on(&repo);
    let next = acquire(&repo, &["--name", "next"]);
    assert_opens_nothing(&repo, &next, "one that was held ready, at another commit");
    // What its holder changed is written again.
    next.write("gen/5/file_5", "theirs");
    windrow(&repo, &["release", "same"]);
    windrow(&repo, &["--config", "pool.warm=1", "release", "next"]);
    windrow(&repo, &["pool", "warm", "1", "--wait"]);
    let again = acquire(&repo, &["--name", "again"]);
    assert_opens_nothing(&repo, &again, "one that was given back");
}

#[test]
fn the_first_status_opens_no_file_that_was_copied() {
    let repo = repository();
    furnish(&repo);
    look_at(&repo, "copy", "this file system");
}

#[test]
fn the_first_status_opens_no_file_that_shares_its_blocks() {
    let Some(root) = root_only("images of file systems") else { return };
    for (kind, strategies) in
        [(FileSystem::Xfs, &["clone"][..]), (FileSystem::Btrfs, &["snapshot", "clone"][..])]
    {
        for strategy in strategies {
            let Some(mounted) = loop_fs(root, kind, 4 << 30) else { continue };
            let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
            let repo = TestRepo::builder().binary(binary).inside(mounted.path()).build();
            furnish(&repo);
            let looked = look_at(&repo, strategy, kind.name());
            windrow(&repo, &["pool", "template", "--remove"]);
            let Some(()) = looked else { return };
        }
    }
}
