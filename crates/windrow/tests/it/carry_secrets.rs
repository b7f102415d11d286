//! What was carried never reaches the object database, whatever becomes of the records and however often it is rescued.

use std::{fs, path::Path};

use windrow_testkit::TestRepo;

use crate::pool::{Lease, acquire, repository, restore, windrow};

const SECRET: &str = ".claude/secret";

/// A repository whose main checkout has a secret that git neither tracks nor ignores.
fn with_secret() -> TestRepo {
    let repo = repository();
    repo.write(SECRET, "carried-secret-bytes");
    repo
}

/// No blob, commit or tag holds any of the texts.
#[track_caller]
fn assert_in_no_object(repo: &TestRepo, texts: &[&str]) {
    let listed = repo.git(["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let mut blobs = 0;
    for line in listed.lines().filter(|line| !line.ends_with(" tree")) {
        let (oid, kind) = line.split_once(' ').unwrap();
        let content = repo.git(["cat-file", kind, oid]);
        blobs += usize::from(kind == "blob");
        for text in texts {
            assert!(!content.contains(text), "`{text}` is in {kind} {oid}");
        }
    }
    assert!(blobs > 0);
}

fn lose_records(repo: &TestRepo) {
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::remove_file(repo.git_dir().join("windrow").join(name)).unwrap();
    }
}

#[track_caller]
fn assert_secret(root: &Path, expected: &str) {
    assert_eq!(fs::read_to_string(root.join(SECRET)).unwrap(), expected);
}

fn release(repo: &TestRepo, lease: &Lease) {
    windrow(repo, &["release", &lease.name]);
    assert!(!lease.path.exists());
}

#[test]
fn h10_a_carried_secret_stays_out_of_git_when_the_records_are_lost() {
    let repo = with_secret();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("draft.txt", "draft");
    lose_records(&repo);
    windrow(&repo, &["reconcile"]);
    release(&repo, &lease);
    assert_in_no_object(&repo, &["carried-secret"]);
    let back = restore(&repo, "fern");
    assert_secret(&back.path, "carried-secret-bytes");
    assert_eq!(fs::read(back.path.join("draft.txt")).unwrap(), b"draft");
}

#[test]
fn h10_a_changed_one_comes_back_and_stays_out_of_git_again_and_again() {
    let repo = with_secret();
    let mut lease = acquire(&repo, &["--name", "fern"]);
    let mut texts = Vec::new();
    for (round, name) in ["fern", "moss", "reed"].into_iter().enumerate() {
        let text = format!("changed-{round}-bytes");
        lease.write(SECRET, &text);
        if round != 1 {
            lose_records(&repo);
            windrow(&repo, &["reconcile"]);
        }
        release(&repo, &lease);
        texts.push(text.clone());
        assert_in_no_object(&repo, &["carried-secret", "changed-"]);
        let next = ["moss", "reed", "sage"][round];
        let id = crate::pool::rescues(&repo, name).remove(0);
        windrow(&repo, &["restore", &id, "--name", next]);
        let path = lease.path.with_file_name(next);
        assert_secret(&path, &text);
        lease = Lease { name: next.to_owned(), path, ..lease };
    }
    // Nobody changed it since, and still it is somebody's work.
    release(&repo, &lease);
    assert_in_no_object(&repo, &["carried-secret", "changed-"]);
    assert_secret(&restore(&repo, "sage").path, texts.last().unwrap());
}

#[test]
fn h40_a_list_that_cannot_be_read_leaves_the_worktree_alone() {
    let repo = with_secret();
    let lease = acquire(&repo, &["--name", "fern"]);
    let list = repo.git_dir().join("worktrees/fern/windrow-carried");
    fs::write(&list, "something else").unwrap();
    lose_records(&repo);
    let outcome = repo.windrow(["reconcile"]).run().assert_code(1);
    assert!(outcome.text().contains("not a list of carried files"), "{outcome:?}");
    assert_secret(&lease.path, "carried-secret-bytes");
    fs::remove_file(&list).unwrap();
    windrow(&repo, &["reconcile"]);
    assert_secret(&lease.path, "carried-secret-bytes");
}
