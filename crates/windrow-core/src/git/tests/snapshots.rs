//! Snapshots of worktrees in every state that a naive one would lose.

use std::{fs, os::unix::fs::PermissionsExt};

use bstr::BString;
use windrow_model::Oid;

use super::support::*;
use crate::git::*;

impl Worktree {
    pub(super) fn snapshot(&self, git: &Git) -> Snapshot {
        self.snapshot_without(git, &[])
    }

    pub(super) fn snapshot_without(&self, git: &Git, exclude: &[BString]) -> Snapshot {
        let (admin, worktree) = (self.admin.as_path(), self.root.as_path());
        let request = SnapshotRequest {
            admin,
            worktree,
            exclude,
            message: "rescue",
            extra_parents: &[],
            files: SnapshotFiles::There,
        };
        snapshot(git, &self.repo, &request).unwrap()
    }

    fn run(&self, fixture: &Fixture, args: &[&str]) {
        fixture.git_in(&self.root, args);
    }
}

/// The content of `path` in a tree or commit; `None` when it is not there.
pub(super) fn content(fixture: &Fixture, tree: &Oid, path: &str) -> Option<Vec<u8>> {
    let call = fixture.user_call(&fixture.root, &["cat-file", "blob", &format!("{tree}:{path}")]);
    call.run().ok()
}

fn text(fixture: &Fixture, tree: &Oid, path: &str) -> Option<String> {
    content(fixture, tree, path).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn staged_and_working_content_are_both_saved_and_nothing_is_touched() {
    for kind in KINDS {
        let fixture = Fixture::of(kind);
        let worktree = fixture.worktree("one");
        write(&worktree.root, "a.txt", "staged\n");
        worktree.run(&fixture, &["add", "a.txt"]);
        write(&worktree.root, "a.txt", "working\n");
        write(&worktree.root, "new/deep.txt", "untracked\n");
        fs::remove_file(worktree.root.join("dir/b.txt")).unwrap();
        let before = (
            fs::read(worktree.admin.join("index")).unwrap(),
            fixture.git_in(&worktree.root, &["status", "-z"]),
        );
        fs::write(worktree.admin.join("index.lock"), "held by somebody").unwrap();
        let saved = worktree.snapshot(&fixture.git);
        assert_eq!(text(&fixture, &saved.tree, "a.txt"), some("working\n"));
        assert_eq!(text(&fixture, &saved.index_tree, "a.txt"), some("staged\n"));
        assert_eq!(text(&fixture, &saved.index.unwrap(), "a.txt"), some("staged\n"));
        assert_eq!(text(&fixture, &saved.commit, "new/deep.txt"), some("untracked\n"));
        assert_eq!(text(&fixture, &saved.tree, "dir/b.txt"), None);
        let parents =
            fixture.git_in(&fixture.root, &["log", "-1", "--format=%P %an", &saved.commit.to_string()]);
        assert_eq!(parents.trim(), format!("{} {} Windrow", worktree.commit, saved.index.unwrap()));
        fs::remove_file(worktree.admin.join("index.lock")).unwrap();
        let after = (
            fs::read(worktree.admin.join("index")).unwrap(),
            fixture.git_in(&worktree.root, &["status", "-z"]),
        );
        assert_eq!(before, after);
        assert_eq!(fs::read_dir(worktree.repo.windrow_dir()).unwrap().count(), 0, "nothing left behind");
    }
}

#[test]
fn a_clean_worktree_has_nothing_to_save() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(Some(saved.tree), saved.head_tree);
    assert_eq!((saved.index, saved.unmerged), (None, None));
    assert!(saved.failed.is_empty() && saved.nested.is_empty());
}

#[test]
fn h12_edits_behind_assume_unchanged_and_skip_worktree_are_saved() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    worktree.run(&fixture, &["update-index", "--assume-unchanged", "a.txt"]);
    worktree.run(&fixture, &["update-index", "--skip-worktree", "dir/b.txt", "dir-x"]);
    write(&worktree.root, "a.txt", "hidden 1\n");
    write(&worktree.root, "dir/b.txt", "hidden 2\n");
    fs::remove_file(worktree.root.join("dir-x")).unwrap();
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "a.txt"), some("hidden 1\n"));
    assert_eq!(text(&fixture, &saved.tree, "dir/b.txt"), some("hidden 2\n"));
    assert!(text(&fixture, &saved.tree, "dir-x").is_some(), "skipped and absent means unchanged");
}

#[test]
fn intent_to_add_is_saved_even_when_ignored() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    write(&worktree.root, ".gitignore", "*.secret\n");
    write(&worktree.root, "x.secret", "wanted\n");
    write(&worktree.root, "y.secret", "not wanted\n");
    worktree.run(&fixture, &["add", "-f", "-N", "x.secret"]);
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "x.secret"), some("wanted\n"));
    assert_eq!(text(&fixture, &saved.tree, "y.secret"), None);
    assert_eq!(text(&fixture, &saved.index_tree, "x.secret"), None);
}

#[test]
fn h13_all_stages_of_a_conflict_and_the_half_resolved_file_are_saved() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    write(&worktree.root, "a.txt", "ours\n");
    worktree.run(&fixture, &["commit", "-qam", "ours"]);
    fixture.write("a.txt", "theirs\n");
    fixture.commit("theirs");
    assert!(fixture.user_call(&worktree.root, &["merge", "main"]).run().is_err());
    write(&worktree.root, "a.txt", "half resolved\n");
    let saved = worktree.snapshot(&fixture.git);
    let stages = saved.unmerged.unwrap();
    assert_eq!(text(&fixture, &saved.tree, "a.txt"), some("half resolved\n"));
    assert_eq!(text(&fixture, &stages, "1/a.txt"), some("a\n"));
    assert_eq!(text(&fixture, &stages, "2/a.txt"), some("ours\n"));
    assert_eq!(text(&fixture, &stages, "3/a.txt"), some("theirs\n"));
    fs::remove_file(worktree.root.join("a.txt")).unwrap();
    assert_eq!(text(&fixture, &worktree.snapshot(&fixture.git).tree, "a.txt"), None);
}

#[test]
fn h15_settings_that_hide_dirt_hide_nothing() {
    let fixture = Fixture::new();
    for (key, value) in [
        ("status.showUntrackedFiles", "no"),
        ("diff.ignoreSubmodules", "all"),
        ("core.fsmonitor", "true"),
        ("core.untrackedCache", "true"),
        ("core.splitIndex", "true"),
        ("add.ignoreErrors", "true"),
    ] {
        fixture.git_in(&fixture.root, &["config", key, value]);
    }
    let worktree = fixture.worktree("one");
    write(&worktree.root, "u", "untracked\n");
    worktree.run(&fixture, &["update-index", "--split-index"]);
    assert_eq!(text(&fixture, &worktree.snapshot(&fixture.git).tree, "u"), some("untracked\n"));
}

#[test]
fn modes_symlinks_and_changes_of_kind_are_saved() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let at = |name: &str| worktree.root.join(name);
    fs::set_permissions(at("a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(at("link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", at("link")).unwrap();
    fs::remove_dir_all(at("dir")).unwrap();
    std::os::unix::fs::symlink("/etc", at("dir")).unwrap();
    fs::remove_file(at("dir-x")).unwrap();
    write(&worktree.root, "dir-x/now-a-directory", "x\n");
    let saved = worktree.snapshot(&fixture.git);
    let listed = fixture.git_in(&fixture.root, &["ls-tree", "-r", &saved.tree.to_string()]);
    let modes: Vec<_> = listed.lines().map(|line| (&line[..6], line.split('\t').nth(1).unwrap())).collect();
    assert_eq!(
        modes,
        [("100755", "a.txt"), ("120000", "dir"), ("100644", "dir-x/now-a-directory"), ("120000", "link")]
    );
    assert_eq!(text(&fixture, &saved.tree, "link"), some("elsewhere"));
    assert!(saved.failed.is_empty());
}

#[test]
fn a_symlinked_directory_with_equal_files_behind_it_is_not_looked_through() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    fs::rename(worktree.root.join("dir"), fixture.base().join("moved")).unwrap();
    std::os::unix::fs::symlink(fixture.base().join("moved"), worktree.root.join("dir")).unwrap();
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "dir/b.txt"), None);
    assert!(text(&fixture, &saved.tree, "dir").is_some_and(|target| target.ends_with("moved")));
}

#[test]
fn normalised_line_endings_and_safecrlf_do_not_stop_it() {
    let fixture = Fixture::new();
    fixture.git_in(&fixture.root, &["config", "core.autocrlf", "input"]);
    fixture.git_in(&fixture.root, &["config", "core.safecrlf", "true"]);
    let worktree = fixture.worktree("one");
    write(&worktree.root, "crlf.txt", "one\r\ntwo\n");
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "crlf.txt"), some("one\ntwo\n"), "the caller compares raw bytes");
    assert!(saved.failed.is_empty());
}

#[test]
fn a_failing_filter_and_an_unreadable_file_cost_only_themselves() {
    let fixture = Fixture::new();
    fixture.git_in(&fixture.root, &["config", "filter.bad.clean", "false"]);
    fixture.git_in(&fixture.root, &["config", "filter.bad.required", "true"]);
    let worktree = fixture.worktree("one");
    write(&worktree.root, ".gitattributes", "*.bad filter=bad\n");
    for number in 0..9 {
        write(&worktree.root, &format!("good{number}"), "good\n");
        write(&worktree.root, &format!("odd\n{number}"), "good\n");
    }
    write(&worktree.root, "x.bad", "lost?\n");
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(saved.failed, ["x.bad"]);
    for number in 0..9 {
        assert_eq!(text(&fixture, &saved.tree, &format!("good{number}")), some("good\n"));
        assert_eq!(text(&fixture, &saved.tree, &format!("odd\n{number}")), some("good\n"));
    }
}

#[test]
fn h14_nested_repositories_are_named_and_left_out() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    fs::create_dir(worktree.root.join("nested")).unwrap();
    fixture.git_in(&worktree.root.join("nested"), &["init", "-q"]);
    write(&worktree.root, "nested/precious", "x");
    write(&worktree.root, "empty-nested/x", "x");
    fixture.git_in(&worktree.root.join("empty-nested"), &["init", "-q"]);
    fixture.git_in(&worktree.root.join("empty-nested"), &["commit", "-q", "--allow-empty", "-m", "x"]);
    write(&worktree.root, "z", "saved");
    let saved = worktree.snapshot(&fixture.git);
    let mut nested = saved.nested.clone();
    nested.extend(saved.failed.clone());
    nested.sort();
    assert!(
        nested.contains(&"nested".into()) || nested.iter().any(|path| path.starts_with(b"nested")),
        "{nested:?}"
    );
    assert!(nested.contains(&"empty-nested".into()), "{nested:?}");
    assert_eq!(text(&fixture, &saved.tree, "z"), some("saved"));
}

#[test]
fn excluded_paths_are_left_out_but_only_when_untracked() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    for name in ["carried", "build/out", "builder", "dir/b.txt"] {
        write(&worktree.root, name, "changed\n");
    }
    let exclude = ["carried", "build/", "dir/b.txt"].map(BString::from);
    let saved = worktree.snapshot_without(&fixture.git, &exclude);
    assert_eq!(text(&fixture, &saved.tree, "carried"), None);
    assert_eq!(text(&fixture, &saved.tree, "build/out"), None);
    assert_eq!(text(&fixture, &saved.tree, "builder"), some("changed\n"));
    assert_eq!(text(&fixture, &saved.tree, "dir/b.txt"), some("changed\n"));
}

#[test]
fn an_edit_in_the_same_second_with_the_same_size_is_seen() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    worktree.run(&fixture, &["update-index", "--refresh"]);
    for round in 0..10 {
        let now = format!("{}\n", char::from(b'b' + round));
        write(&worktree.root, "a.txt", &now);
        assert_eq!(text(&fixture, &worktree.snapshot(&fixture.git).tree, "a.txt"), Some(now.clone()));
        worktree.run(&fixture, &["add", "a.txt"]);
    }
}

#[test]
fn an_unborn_head_and_a_missing_index_are_no_hindrance() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    worktree.run(&fixture, &["checkout", "-q", "--orphan", "fresh"]);
    write(&worktree.root, "a.txt", "unborn\n");
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!((saved.head.oid, saved.head_tree), (None, None));
    assert_eq!(text(&fixture, &saved.tree, "a.txt"), some("unborn\n"));
    fs::remove_file(worktree.admin.join("index")).unwrap();
    assert_eq!(worktree.snapshot(&fixture.git).tree, saved.tree);
}

#[test]
fn sparse_and_split_indexes_are_read() {
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    worktree.run(&fixture, &["sparse-checkout", "set", "--cone", "--sparse-index", "none"]);
    assert!(matches!(
        read_index(&worktree.admin.join("index"), ObjectFormat::Sha1),
        Err(IndexError::Sparse(_))
    ));
    write(&worktree.root, "a.txt", "edited\n");
    let saved = worktree.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "a.txt"), some("edited\n"));
    assert_eq!(
        text(&fixture, &saved.tree, "dir/b.txt"),
        some("b\n"),
        "what is not checked out is not deleted"
    );
}

#[test]
fn h17_the_snapshot_stays_in_its_own_repository() {
    let outer = Fixture::new();
    let fixture = Fixture::new();
    let worktree = fixture.worktree("one");
    let inside = outer.root.join("inside");
    fs::rename(&worktree.root, &inside).unwrap();
    fs::remove_file(inside.join(".git")).unwrap();
    write(&inside, "x", "x\n");
    let head = outer.oid("HEAD");
    let moved = Worktree { root: inside, ..worktree };
    let saved = moved.snapshot(&fixture.git);
    assert_eq!(text(&fixture, &saved.tree, "x"), some("x\n"));
    assert_eq!(outer.oid("HEAD"), head);
    assert!(content(&outer, &saved.tree, "x").is_none());
}
