//! H14 to H18: repositories in repositories, hidden dirt, half deleted trees, and branches that are not ours.

use std::{fs, os::unix::fs::symlink, path::Path};

use windrow_testkit::{RepoFingerprint, TestRepo, assert_same};

use crate::{
    repo,
    saving::{
        bring_back, commit, doubt_of, files_of, give_back, give_back_with, lend, mode, put, rescue_of,
        rescues, there_and_back,
    },
};

/// Something that an agent does in its worktree.
type Act = fn(&TestRepo, &Path);

#[test]
fn h14_a_nested_repository_comes_back_whole() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    let nested = fern.join("vendor/nested");
    repo.git_in(&fern, ["init", "--quiet", "vendor/nested"]);
    let tip = commit(&repo, &nested, "a.txt", "committed");
    put(&nested, "a.txt", "changed");
    repo.git_in(&nested, ["stash", "--quiet"]);
    put(&nested, "b.txt", "untracked");
    let inner = nested.join("inner");
    repo.git_in(&nested, ["init", "--quiet", "inner"]);
    commit(&repo, &inner, "deep.txt", "nested twice");
    let back = there_and_back(&repo, "fern", &fern, &[]).join("vendor/nested");
    assert_eq!(repo.git_in(&back, ["rev-parse", "HEAD"]), tip);
    repo.git_in(&back, ["stash", "pop", "--quiet"]);
    assert_eq!(fs::read(back.join("a.txt")).unwrap(), b"changed");
}

#[test]
fn h14_what_no_rescue_can_hold_stays_until_it_is_discarded_by_name() {
    let build: [(&str, Act); 3] = [
        ("linked", |repo, fern| {
            drop(repo.git_in(fern, ["worktree", "add", "--quiet", "--detach", "linked"]))
        }),
        ("embedded", |repo, fern| {
            repo.git_in(fern, ["init", "--quiet", "embedded"]);
            commit(repo, &fern.join("embedded"), "a.txt", "only here");
            repo.git_in(fern, ["add", "--all"]);
        }),
        ("borrowing", |repo, fern| {
            let path = repo.path().as_os_str();
            let words =
                ["clone".as_ref(), "--quiet".as_ref(), "--shared".as_ref(), path, "borrowing".as_ref()];
            repo.git_in(fern, words);
        }),
    ];
    for (name, make) in build {
        let repo = repo();
        let fern = lend(&repo, "fern");
        make(&repo, &fern);
        let before = files_of(&fern, &[]);
        let doubt = doubt_of(&give_back(&repo, "fern"));
        assert!(doubt.contains(name), "{doubt}");
        assert_same(&before, &files_of(&fern, &[]));
        let listed = repo.windrow(["list"]).run().assert_success().text();
        assert!(listed.contains("quarantined"), "{listed}");
        let released = give_back_with(&repo, "fern", &["--discard"]);
        assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
        assert!(!fern.exists());
    }
}

#[test]
fn h14_a_link_that_leads_nowhere_is_a_file_like_others() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "fixture/.git", "not what git writes\n");
    put(&fern, "fixture/a.txt", "x");
    put(&fern, "left.log/.git", "gitdir: /nowhere/at/all\n");
    put(&fern, "left.log/b.txt", "x");
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn h14_a_repository_made_around_tracked_files_comes_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["init", "--quiet", "src"]);
    commit(&repo, &fern.join("src"), "new.txt", "in the inner one");
    put(&fern, "src/lib.rs", "changed");
    let back = there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(repo.git_in(&back.join("src"), ["log", "--format=%s"]), "Write new.txt");
}

#[test]
fn what_changes_while_it_is_saved_refuses_removal() {
    let repo = repo();
    repo.write(".gitattributes", "*.mut filter=mutating\n");
    repo.commit("Filter");
    let fern = lend(&repo, "fern");
    repo.git(["config", "filter.mutating.clean", "echo late >> other.log; cat"]);
    put(&fern, "other.log", "early\n");
    put(&fern, "new.mut", "x");
    let doubt = doubt_of(&give_back(&repo, "fern"));
    assert!(doubt.contains("changed while"), "{doubt}");
    assert_eq!(repo.git(["for-each-ref", "refs/windrow/rescue"]), "");
    assert_eq!(repo.git_dir().join("windrow/rescue").read_dir().unwrap().count(), 0);
    assert_eq!(fs::read_to_string(fern.join("new.mut")).unwrap(), "x");
    repo.git(["config", "filter.mutating.clean", "cat"]);
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn a_worktree_that_git_cannot_read_stays_until_it_is_discarded_by_name() {
    for file in ["index", "HEAD"] {
        let repo = repo();
        let fern = lend(&repo, "fern");
        put(&fern, "new.txt", "x");
        fs::write(repo.git_dir().join("worktrees/fern").join(file), "junk").unwrap();
        let before = files_of(&fern, &[]);
        doubt_of(&give_back(&repo, "fern"));
        assert_same(&before, &files_of(&fern, &[]));
        let released = give_back_with(&repo, "fern", &["--discard"]);
        assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
        assert_ne!(released["unsaved"], 0, "every file may have been work");
        assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
    }
}

/// A repository with a submodule `sub`, whose own remote is beside it.
fn with_submodule() -> TestRepo {
    let repo = repo();
    let upstream = repo.root().join("upstream");
    repo.git_in(repo.root(), ["init", "--quiet", "upstream"]);
    put(&upstream, ".gitignore", "*.log\n");
    commit(&repo, &upstream, "s.txt", "submodule");
    repo.git(["submodule", "--quiet", "add", "../upstream", "sub"]);
    repo.commit("Submodule");
    repo
}

#[test]
fn h14_unpushed_commits_and_changes_in_a_submodule_refuse_removal() {
    let changes: [(&str, Act); 4] = [
        ("unpushed", |repo, sub| drop(commit(repo, sub, "new.txt", "unpushed"))),
        ("changes", |_, sub| put(sub, "s.txt", "changed")),
        ("changes", |_, sub| put(sub, "u.txt", "untracked")),
        ("ignored", |_, sub| put(sub, "u.log", "ignored")),
    ];
    for (reason, change) in changes {
        let repo = with_submodule();
        let fern = lend(&repo, "fern");
        repo.git_in(&fern, ["submodule", "--quiet", "update", "--init"]);
        change(&repo, &fern.join("sub"));
        for (key, value) in [("submodule.sub.ignore", "all"), ("diff.ignoreSubmodules", "all")] {
            repo.git(["config", key, value]);
        }
        let before = files_of(&fern, &[]);
        let doubt = doubt_of(&give_back(&repo, "fern"));
        assert!(doubt.contains("sub") && doubt.contains(reason), "{doubt}");
        assert_same(&before, &files_of(&fern, &[]));
        assert_eq!(repo.git_in(&fern.join("sub"), ["rev-parse", "--is-inside-work-tree"]), "true");
    }
}

#[test]
fn h14_an_unchanged_submodule_is_no_hindrance() {
    let repo = with_submodule();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["submodule", "--quiet", "update", "--init"]);
    let released = give_back(&repo, "fern");
    assert_eq!(released["fate"]["kind"], "removed", "{released:#}");
    assert!(released["rescue"].is_null(), "{released:#}");
}

#[test]
fn h15_settings_that_hide_dirt_hide_nothing() {
    let repo = repo();
    let excludes = repo.root().join("excludes");
    fs::write(&excludes, "*\n").unwrap();
    let excludes = excludes.to_str().unwrap();
    for (key, value) in [
        ("status.showUntrackedFiles", "no"),
        ("core.excludesFile", excludes),
        ("core.fileMode", "false"),
        ("core.checkStat", "minimal"),
        ("core.trustctime", "false"),
        ("core.ignoreStat", "true"),
        ("core.untrackedCache", "true"),
        ("core.fsmonitor", "true"),
        ("core.symlinks", "false"),
        ("core.autocrlf", "input"),
    ] {
        repo.git(["config", key, value]);
    }
    let fern = lend(&repo, "fern");
    put(&fern, "untracked.txt", "a\r\n");
    put(&fern, "README.md", "changed\n");
    mode(&fern, "src/lib.rs", 0o755);
    fs::create_dir(fern.join("empty")).unwrap();
    symlink("README.md", fern.join("new-link")).unwrap();
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn h16_a_deletion_is_saved_as_what_it_is_and_reaches_no_branch() {
    let repo = TestRepo::builder()
        .binary(windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into()))
        .files(300)
        .build();
    let fern = lend(&repo, "fern");
    fs::remove_dir_all(fern.join("gen/00/000")).unwrap();
    fs::remove_dir_all(fern.join("gen/00/001")).unwrap();
    let tip = repo.oid("windrow/fern");
    let before = files_of(&fern, &[]);
    let released = give_back(&repo, "fern");
    assert_eq!(released["branch"]["oid"], tip, "nothing was committed to the branch");
    let back = bring_back(&repo, &rescue_of(&released));
    assert_same(&before, &files_of(&back, &[]));
    repo.git_in(&back, ["checkout", "--quiet", "--", "."]);
    assert_same(&files_of(repo.path(), &[]), &files_of(&back, &[]));
}

#[test]
fn h16_a_worktree_that_somebody_deleted_is_no_deletion_of_all_files() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    let tip = commit(&repo, &fern, "a.txt", "committed");
    fs::remove_dir_all(&fern).unwrap();
    give_back(&repo, "fern");
    assert_eq!(rescues(&repo), Vec::<String>::new());
    assert_eq!(repo.oid("windrow/fern"), tip);
    assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
}

#[test]
fn h16_every_file_deleted_comes_back_as_every_file_deleted() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    for entry in fern.read_dir().unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap().is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false if path.ends_with(".git") => {}
            false => fs::remove_file(path).unwrap(),
        }
    }
    let before = repo.oid("main");
    there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(repo.oid("main"), before);
}

#[test]
fn h17_nothing_lands_in_a_repository_around_ours() {
    let outer = TestRepo::new();
    let repo = TestRepo::builder()
        .binary(windrow_testkit::Binary(env!("CARGO_BIN_EXE_windrow").into()))
        .inside(outer.path())
        .build();
    let (around, objects) = (RepoFingerprint::of(&outer), objects_of(&outer));
    let own = RepoFingerprint::of(&repo);
    let fern = lend(&repo, "fern");
    put(&fern, "new.txt", "x");
    fs::remove_file(fern.join(".git")).unwrap();
    let before = files_of(&fern, &[]);
    let doubt = doubt_of(&give_back(&repo, "fern"));
    assert!(doubt.contains(".git"), "{doubt}");
    assert_same(&before, &files_of(&fern, &[]));
    let moss = lend(&repo, "moss");
    put(&moss, "new.txt", "x");
    give_back(&repo, "moss");
    own.assert_unchanged(&repo);
    assert_eq!(objects_of(&outer), objects);
    for line in around.differences(&RepoFingerprint::of(&outer)) {
        assert!(line.contains("windrow-test-"), "{line}");
    }
}

/// How many objects a repository has.
fn objects_of(repo: &TestRepo) -> String {
    repo.git(["count-objects", "-v"])
}

#[test]
fn h17_a_git_link_to_another_repository_is_not_followed() {
    let repo = repo();
    let victim = TestRepo::new();
    let before = RepoFingerprint::of(&victim);
    let fern = lend(&repo, "fern");
    put(&fern, "new.txt", "x");
    fs::write(fern.join(".git"), format!("gitdir: {}\n", victim.git_dir().display())).unwrap();
    doubt_of(&give_back(&repo, "fern"));
    before.assert_unchanged(&victim);
    assert_eq!(victim.git(["for-each-ref", "refs/windrow"]), "");
    assert!(fern.join("new.txt").exists());
}

#[test]
fn h18_the_branch_that_a_worktree_drifted_to_is_not_deleted() {
    let repo = repo();
    repo.git(["branch", "users"]);
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["checkout", "--quiet", "users"]);
    let released = give_back(&repo, "fern");
    assert_eq!(released["branch"]["name"], "windrow/fern", "{released:#}");
    assert_eq!(repo.oid("users"), repo.oid("main"));
    let moss = lend(&repo, "moss");
    repo.git_in(&moss, ["checkout", "--quiet", "-b", "own"]);
    let tip = commit(&repo, &moss, "a.txt", "on another branch");
    give_back(&repo, "moss");
    assert_eq!(repo.oid("own"), tip);
    let branches = repo.git(["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert_eq!(branches, "main\nown\nusers");
}

#[test]
fn h18_main_survives_a_worktree_that_drifted_to_it() {
    let repo = repo();
    let before = RepoFingerprint::of(&repo);
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["symbolic-ref", "HEAD", "refs/heads/main"]);
    give_back(&repo, "fern");
    let moss = lend(&repo, "moss");
    repo.git_in(&moss, ["checkout", "--quiet", "--ignore-other-worktrees", "main"]);
    repo.windrow(["release", "moss", "--discard"]).run().assert_success();
    before.assert_unchanged(&repo);
}

#[test]
fn h18_a_branch_that_was_there_before_is_never_deleted() {
    let repo = repo();
    repo.git(["branch", "users"]);
    repo.windrow(["run", "--branch", "users", "--", "true"]).run().assert_success();
    repo.windrow(["run", "--branch", "users", "--discard", "--", "true"]).run().assert_success();
    assert_eq!(repo.oid("users"), repo.oid("main"));
}

#[test]
fn h18_a_renamed_branch_breaks_neither_removal_nor_the_next_run() {
    let repo = repo();
    let script = "git branch -m renamed && echo x > a.txt && git add a.txt && git commit --quiet -m Work && echo y > b.txt";
    for attempt in 0..2 {
        let run = repo.windrow(["run", "--key", "task", "--", "sh", "-c", script]);
        let script_result = run.run();
        // The second time the name `renamed` is taken, and the command says so itself.
        assert_eq!(script_result.code == 0, attempt == 0, "{script_result}");
        assert_eq!(repo.windrow(["list"]).run().text().matches("quarantined").count(), 0);
    }
    assert_eq!(repo.git(["show", "renamed:a.txt"]), "x");
    let [rescue] = &rescues(&repo)[..] else { panic!("one rescue") };
    let back = bring_back(&repo, rescue);
    assert_eq!(repo.git_in(&back, ["branch", "--show-current"]), "renamed");
    assert_eq!(fs::read(back.join("b.txt")).unwrap(), b"y\n");
}

#[test]
fn h18_a_branch_that_moved_since_keeps_its_commits_at_restore() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    commit(&repo, &fern, "a.txt", "first");
    put(&fern, "b.txt", "unsaved");
    let before = files_of(&fern, &[]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.git(["checkout", "--quiet", "windrow/fern"]);
    repo.write("c.txt", "later");
    let later = repo.commit("Later");
    repo.git(["checkout", "--quiet", "main"]);
    let back = bring_back(&repo, &rescue);
    assert_same(&before, &files_of(&back, &[]));
    assert_eq!(repo.oid("windrow/fern"), later);
}
