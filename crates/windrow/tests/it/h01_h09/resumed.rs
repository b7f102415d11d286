//! Who comes back finds the worktree that was left, as it was left.

use std::fs;

use windrow_testkit::{TestRepo, TreeSnapshot, assert_same};

use crate::pool::{Lease, acquire, everything, holder, nudge, repository, windrow};

/// Leaves every kind of unfinished work: on a branch of its own, staged, changed, deleted, untracked, ignored, stashed,
/// and a merge in progress.
fn leave_a_mess(repo: &TestRepo, lease: &Lease) {
    let git = |words: &[&str]| repo.git_in(&lease.path, words);
    lease.write("src/lib.rs", "//! Theirs.\n");
    git(&["checkout", "--quiet", "-b", "theirs"]);
    repo.commit_in(&lease.path, "Theirs");
    git(&["checkout", "--quiet", "-b", "drifted", "HEAD~"]);
    lease.write("src/lib.rs", "//! Mine.\n");
    repo.commit_in(&lease.path, "Mine");
    assert_ne!(repo.git_invocation(&lease.path).args(["merge", "--quiet", "theirs"]).run().code, 0);
    lease.write("staged", "staged");
    git(&["add", "staged"]);
    lease.write("staged", "changed again");
    lease.write("README.md", "changed\n");
    fs::remove_file(lease.path.join("bin/tool")).unwrap();
    lease.write("notes/untracked", "untracked");
    lease.write(".env", "SECRET=1\n");
}

/// Everything that makes up a worktree: its files, and what git knows of it.
#[derive(Debug)]
struct Whole {
    files: TreeSnapshot,
    admin: TreeSnapshot,
    status: String,
}

impl Whole {
    fn of(repo: &TestRepo, lease: &Lease) -> Self {
        let admin = repo.git_dir().join("worktrees").join(&lease.name);
        let status = repo.git_in(&lease.path, ["status", "--porcelain=v2", "--branch", "--ignored"]);
        Self { files: everything(&lease.path), admin: everything(&admin), status }
    }

    #[track_caller]
    fn assert_same(&self, repo: &TestRepo, lease: &Lease) {
        let now = Self::of(repo, lease);
        assert_same(&self.files, &now.files);
        assert_same(&self.admin, &now.admin);
        assert_eq!(self.status, now.status);
    }
}

#[test]
fn h02_the_heir_of_a_dead_holder_finds_everything_as_it_was() {
    let repo = repository();
    let (mut dead, heir) = (holder(&repo), holder(&repo));
    let former = acquire(&repo, &["--key", "T-1", "--pid", &dead.pid().to_string()]);
    leave_a_mess(&repo, &former);
    let whole = Whole::of(&repo, &former);
    repo.commit("The main branch moves on");
    dead.kill_alone();
    let lease = acquire(&repo, &["--key", "T-1", "--pid", &heir.pid().to_string()]);
    assert_eq!((&lease.path, &lease.id), (&former.path, &former.id));
    whole.assert_same(&repo, &lease);
}

#[test]
fn h02_a_kept_worktree_is_taken_up_as_it_was() {
    let repo = repository();
    for (name, again) in [("one", ["--key", "one"]), ("two", ["--name", "two"])] {
        let former = acquire(&repo, &["--key", name, "--name", name]);
        leave_a_mess(&repo, &former);
        let whole = Whole::of(&repo, &former);
        windrow(&repo, &["release", name, "--keep", "1h"]);
        nudge(&repo);
        repo.commit("The main branch moves on");
        let lease = acquire(&repo, &again);
        assert_eq!((&lease.path, &lease.provenance[..]), (&former.path, "reattached"));
        assert!(lease.fence > former.fence);
        whole.assert_same(&repo, &lease);
        repo.git_in(&lease.path, ["reset", "--quiet", "--hard"]);
        repo.git_in(&lease.path, ["checkout", "--quiet", "--detach"]);
        repo.git(["branch", "-D", "theirs", "drifted"]);
    }
}

#[test]
fn h02_the_same_holder_gets_the_same_worktree_untouched() {
    let repo = repository();
    let me = holder(&repo);
    let pid = me.pid().to_string();
    for arguments in [["--key", "T-1"].as_slice(), &["--key", "T-2", "--pid", &pid]] {
        let first = acquire(&repo, arguments);
        lease_and_compare(&repo, &first, arguments);
    }
}

fn lease_and_compare(repo: &TestRepo, first: &Lease, arguments: &[&str]) {
    first.write("untracked", "work");
    first.write("README.md", "changed\n");
    let whole = Whole::of(repo, first);
    let again = acquire(repo, arguments);
    assert_eq!((&again.path, &again.id, again.fence), (&first.path, &first.id, first.fence));
    assert_eq!(again.provenance, "same");
    whole.assert_same(repo, &again);
}

#[test]
fn h02_a_second_run_of_a_name_goes_on_where_the_first_stopped() {
    let repo = repository();
    let run = |script: &str| {
        windrow(&repo, &["run", "--name", "fix", "--keep", "1h", "--", "sh", "-c", script]).text()
    };
    run(
        "echo one >>log; echo secret >.env; git checkout -q -b other; echo changed >README.md; git add README.md",
    );
    let seen = run("cat log .env; git branch --show-current; git diff --cached --name-only; echo two >>log");
    assert_eq!(seen, "one\nsecret\nother\nREADME.md");
    assert_eq!(windrow(&repo, &["exec", "fix", "--", "cat", "log"]).text(), "one\ntwo");
}
