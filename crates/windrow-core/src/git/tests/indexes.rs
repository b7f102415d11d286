//! Indexes that we write and git reads, and the other way round.

use std::fs;

use super::support::*;
use crate::git::*;

#[test]
fn git_reads_what_we_write_and_finds_nothing_to_do() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let worktree = fixture.worktree("one");
        let ours = fixture.git_bytes(&worktree.root, &["ls-files", "-s", "-z"]);
        assert_eq!(ours, fixture.git_bytes(&fixture.root, &["ls-files", "-s", "-z"]));
        fixture.git_in(&worktree.root, &["diff-files", "--exit-code"]);
        let flags = fixture.git_in(&worktree.root, &["ls-files", "--debug"]);
        assert!(flags.contains(&format!("ino: {}", stat_of(&worktree.root.join("a.txt")).ino & 0xffff_ffff)));
        let tree = fixture.git_in(&fixture.root, &["rev-parse", "HEAD^{tree}"]);
        assert_eq!(fixture.git_in(&worktree.root, &["write-tree"]), tree);
    }
}

#[test]
fn the_tree_cache_is_what_git_writes_itself() {
    let fixture = Fixture::new();
    for name in ["zz/1", "a/2", "longer/x/y/3", "a0/q"] {
        fixture.write(name, "x");
    }
    fixture.commit("more");
    let worktree = fixture.worktree("one");
    let read = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        let at = bytes.windows(4).position(|window| window == b"TREE").unwrap();
        bytes[at..bytes.len() - 20].to_vec()
    };
    let ours = read(&worktree.admin.join("index"));
    fixture.git_in(&worktree.root, &["read-tree", "HEAD"]);
    assert_eq!(ours, read(&worktree.admin.join("index")));
}

#[test]
fn we_read_what_git_writes_in_every_version() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let repo = fixture.repo();
        let path = fixture.root.join(".git/index");
        fixture.write("later", "x");
        fixture.git_in(&fixture.root, &["add", "-N", "later"]);
        fixture.git_in(&fixture.root, &["update-index", "--assume-unchanged", "a.txt"]);
        fixture.git_in(&fixture.root, &["update-index", "--skip-worktree", "dir/b.txt"]);
        for version in ["2", "4"] {
            fixture.git_in(&fixture.root, &["update-index", "--index-version", version]);
            let entries = read_index(&path, repo.object_format).unwrap();
            let flags = |name: &str| entries.iter().find(|entry| entry.path == name).unwrap().flags;
            assert_eq!(entries.len(), 6);
            assert!(flags("a.txt").assume_unchanged && flags("dir/b.txt").skip_worktree);
            assert!(flags("later").intent_to_add && !flags("dir-x").intent_to_add);
        }
        let before = fixture.git_in(&fixture.root, &["ls-files", "-s", "-t", "-v", "--debug"]);
        let entries = read_index(&path, repo.object_format).unwrap();
        write_entries(&path, repo.object_format, &entries).unwrap();
        assert_eq!(before, fixture.git_in(&fixture.root, &["ls-files", "-s", "-t", "-v", "--debug"]));
    }
}

#[test]
fn h35_a_lock_held_by_another_is_respected() {
    let fixture = Fixture::new();
    let path = fixture.base().join("index");
    fs::write(fixture.base().join("index.lock"), "theirs").unwrap();
    let result = write_index(&path, ObjectFormat::Sha1, &[], &[], None);
    assert!(matches!(result, Err(IndexError::Locked(_))));
    assert_eq!(fs::read(fixture.base().join("index.lock")).unwrap(), b"theirs");
}

#[test]
fn refuses_split_damaged_and_linked_indexes() {
    let fixture = Fixture::new();
    let path = fixture.root.join(".git/index");
    let read = || read_index(&path, ObjectFormat::Sha1);
    fixture.git_in(&fixture.root, &["update-index", "--split-index"]);
    assert!(matches!(read(), Err(IndexError::Split(_))));
    fixture.git_in(&fixture.root, &["update-index", "--no-split-index"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(read(), Err(IndexError::Damaged { .. })));
    fs::write(&path, "").unwrap();
    assert!(matches!(read(), Err(IndexError::Damaged { .. })));
    fs::remove_file(&path).unwrap();
    assert_eq!(read().unwrap(), []);
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    assert!(matches!(read(), Err(IndexError::Io { .. })));
}

#[test]
fn git_believes_our_stats_and_opens_no_file() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let path = worktree.admin.join("index");
    let mut entries = read_index(&path, ObjectFormat::Sha1).unwrap();
    // Were the file read, git would see that its content is not this one.
    entries.iter_mut().find(|entry| entry.path == "a.txt").unwrap().oid = fixture.oid("HEAD:dir/b.txt");
    write_entries(&path, ObjectFormat::Sha1, &entries).unwrap();
    let modified = || fixture.git_in(&worktree.root, &["ls-files", "-m"]);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(10);
    fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert_eq!(modified(), "", "not even racily clean");
    entries.iter_mut().for_each(|entry| entry.stat.ino += 1);
    write_entries(&path, ObjectFormat::Sha1, &entries).unwrap();
    assert_eq!(modified(), "a.txt\n", "so the test can fail");
}
