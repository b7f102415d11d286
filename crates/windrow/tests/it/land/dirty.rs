//! A checkout that somebody works in: what a landing does not touch stays byte for byte, and whatever it would touch stops it.

use std::{fs, os::unix::fs::PermissionsExt, os::unix::fs::symlink};

use super::*;
use crate::repo;

const WORK: &str = "echo theirs > README.md; echo theirs > src/lib.rs; git rm -q bin/tool; ln -sfn other link
echo theirs > new.txt; echo theirs > build.log; mkdir -p dir deep/er; echo theirs > dir/inner; echo theirs > deep/er/file";

/// A way to have something where the landing would write, and under which path and kind it is told.
type State = (&'static str, fn(&TestRepo), &'static str, &'static str);

fn at(repo: &TestRepo, path: &str) -> std::path::PathBuf {
    repo.path().join(path)
}

const STATES: &[State] = &[
    (
        "staged",
        |repo| {
            repo.write("README.md", "mine");
            repo.git(["add", "README.md"]);
        },
        "README.md",
        "staged",
    ),
    ("changed", |repo| repo.write("README.md", "mine"), "README.md", "changed"),
    (
        "changed with the size and the time of before",
        |repo| {
            let path = at(repo, "README.md");
            let facts = fs::metadata(&path).unwrap();
            let length = usize::try_from(facts.len()).unwrap();
            fs::write(&path, "m".repeat(length)).unwrap();
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(facts.modified().unwrap())
                .unwrap();
        },
        "README.md",
        "changed",
    ),
    ("deleted", |repo| fs::remove_file(at(repo, "README.md")).unwrap(), "README.md", "deleted"),
    ("deleted and staged", |repo| drop(repo.git(["rm", "-q", "README.md"])), "README.md", "staged"),
    (
        "staged as deleted, file kept",
        |repo| drop(repo.git(["rm", "-q", "--cached", "README.md"])),
        "README.md",
        "staged",
    ),
    (
        "a directory in its place",
        |repo| {
            fs::remove_file(at(repo, "README.md")).unwrap();
            repo.write("README.md/inside", "mine");
        },
        "README.md",
        "replaced",
    ),
    (
        "a link in its place",
        |repo| {
            fs::remove_file(at(repo, "README.md")).unwrap();
            symlink("bin/tool", at(repo, "README.md")).unwrap();
        },
        "README.md",
        "replaced",
    ),
    (
        "a link in place of its directory",
        |repo| {
            fs::rename(at(repo, "src"), repo.root().join("src-elsewhere")).unwrap();
            symlink(repo.root().join("src-elsewhere"), at(repo, "src")).unwrap();
        },
        "src/lib.rs",
        "replaced",
    ),
    ("untracked", |repo| repo.write("new.txt", "mine"), "new.txt", "untracked"),
    ("untracked with the same bytes", |repo| repo.write("new.txt", "theirs\n"), "new.txt", "untracked"),
    ("ignored", |repo| repo.write("build.log", "mine"), "build.log", "untracked"),
    ("a directory where a file comes", |repo| repo.write("new.txt/mine", "mine"), "new.txt", "untracked"),
    (
        "an empty directory where a file comes",
        |repo| fs::create_dir(at(repo, "new.txt")).unwrap(),
        "new.txt",
        "untracked",
    ),
    ("a file where a directory comes", |repo| repo.write("dir", "mine"), "dir/inner", "replaced"),
    (
        "a link where a directory comes",
        |repo| symlink("src", at(repo, "deep")).unwrap(),
        "deep/er/file",
        "replaced",
    ),
    (
        "meant to be added",
        |repo| {
            repo.write("new.txt", "mine");
            repo.git(["add", "-N", "new.txt"]);
        },
        "new.txt",
        "staged",
    ),
    (
        "staged where a directory comes",
        |repo| {
            repo.write("deep", "mine");
            repo.git(["add", "deep"]);
            fs::remove_file(at(repo, "deep")).unwrap();
        },
        "deep/er/file",
        "staged",
    ),
    (
        "staged below where a file comes",
        |repo| {
            repo.write("new.txt/mine", "mine");
            repo.git(["add", "new.txt/mine"]);
            fs::remove_dir_all(at(repo, "new.txt")).unwrap();
        },
        "new.txt",
        "staged",
    ),
    (
        "assumed unchanged",
        |repo| {
            repo.write("README.md", "mine");
            repo.git(["update-index", "--assume-unchanged", "README.md"]);
        },
        "README.md",
        "changed",
    ),
    (
        "told to be skipped, and there",
        |repo| {
            repo.write("README.md", "mine");
            repo.git(["update-index", "--skip-worktree", "README.md"]);
        },
        "README.md",
        "hidden",
    ),
    (
        "made executable",
        |repo| {
            fs::set_permissions(at(repo, "README.md"), fs::Permissions::from_mode(0o755)).unwrap();
        },
        "README.md",
        "changed",
    ),
    ("changed where it would be deleted", |repo| repo.write("bin/tool", "mine"), "bin/tool", "changed"),
    (
        "a link that leads elsewhere",
        |repo| {
            fs::remove_file(at(repo, "link")).unwrap();
            symlink("mine", at(repo, "link")).unwrap();
        },
        "link",
        "changed",
    ),
];

#[test]
fn h45_whatever_is_in_the_way_stops_a_landing_and_stays() {
    let repo = repo();
    agent(&repo, "fern", WORK);
    for (what, make, path, kind) in STATES {
        make(&repo);
        let before = Everything::of(&repo);
        let error = refused(&repo, 65, &["fern"]);
        assert_eq!(error["code"], "BLOCKED", "{what}");
        assert_eq!(in_the_way(&error).get(*path).map(String::as_str), Some(*kind), "{what}: {error}");
        before.assert_same(&repo, what);
        clear(&repo);
    }
    // Nothing of it was in the work itself.
    land(&repo, &["fern"]);
    clean(&repo, repo.path());
}

fn clear(repo: &TestRepo) {
    for flag in ["--no-assume-unchanged", "--no-skip-worktree"] {
        repo.try_git(["update-index", flag, "README.md"]);
    }
    if at(repo, "src").is_symlink() {
        fs::remove_file(at(repo, "src")).unwrap();
        fs::rename(repo.root().join("src-elsewhere"), at(repo, "src")).unwrap();
    }
    repo.git(["reset", "-q", "--hard"]);
    repo.git(["clean", "-qfdx"]);
}

#[test]
fn h45_what_a_landing_does_not_touch_stays_byte_for_byte() {
    let repo = repo();
    for name in ["staged", "changed", "deleted", "unstaged", "executable", "kept", "was-file", "dir/x"] {
        repo.write(format!("user/{name}"), "before");
    }
    repo.commit("The user's files");
    agent(&repo, "fern", WORK);
    repo.write("user/staged", "staged");
    repo.git(["add", "user/staged"]);
    repo.write("user/staged", "and changed again");
    repo.write("user/changed", "changed");
    fs::remove_file(at(&repo, "user/deleted")).unwrap();
    repo.git(["rm", "-q", "--cached", "user/kept"]);
    repo.write("user/untracked", "untracked");
    repo.write("user/ignored.log", "ignored");
    repo.write(".env", "SECRET");
    fs::create_dir_all(at(&repo, "user/empty/directory")).unwrap();
    fs::remove_dir_all(at(&repo, "user/dir")).unwrap();
    symlink("/nonexistent", at(&repo, "user/dir")).unwrap();
    fs::set_permissions(at(&repo, "user/executable"), fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("user/meant", "meant");
    repo.git(["add", "-N", "user/meant"]);
    repo.git(["update-index", "--assume-unchanged", "user/unstaged"]);
    repo.write("user/unstaged", "hidden from git");
    let status = || repo.git(["status", "--porcelain", "--ignored"]);
    let (told, staged) = (status(), repo.git(["diff", "--cached"]));
    let snapshot = || TreeSnapshot::of(&at(&repo, "user"), &Include::Everything);
    let before = snapshot();
    for strategy in ["squash", "merge"] {
        land(&repo, &["fern", "--strategy", strategy, "--onto", "main"]);
        let differences = before.differences(&snapshot());
        assert!(differences.is_empty(), "{differences:#?}");
        assert_eq!((status(), repo.git(["diff", "--cached"])), (told.clone(), staged.clone()));
        assert_eq!(repo.git(["ls-files", "-v", "user/unstaged"]), "h user/unstaged");
        repo.git(["diff", "--exit-code", "main", "windrow/fern", "--", ".", ":!user"]);
    }
    assert_eq!(repo.read("README.md"), b"theirs\n");
    assert_eq!(repo.read(".env"), b"SECRET");
    nothing_left(&repo);
}

#[test]
fn files_become_directories_and_links_and_back() {
    let repo = repo();
    repo.write("a", "file");
    repo.write("b/one", "1");
    repo.write("b/two/three", "3");
    repo.write("c", "file");
    repo.commit("Before");
    let there = "rm a; mkdir a; echo x > a/x; rm -r b; echo b > b; rm c; ln -s a c; chmod +x README.md";
    agent(&repo, "fern", there);
    let back =
        "rm -r a b c; echo a > a; mkdir -p b/two; echo 3 > b/two/three; echo c > c; chmod -x README.md";
    land(&repo, &["fern"]);
    clean(&repo, repo.path());
    repo.git(["diff", "--exit-code", "windrow/fern"]);
    agent(&repo, "moss", back);
    land(&repo, &["moss"]);
    clean(&repo, repo.path());
    repo.git(["diff", "--exit-code", "windrow/moss"]);
    nothing_left(&repo);
}

#[test]
fn a_file_of_the_users_in_a_directory_that_becomes_a_file_stops_it() {
    let repo = repo();
    repo.write("b/one", "1");
    repo.commit("Before");
    agent(&repo, "fern", "rm -r b; echo b > b");
    repo.write("b/mine.log", "ignored");
    let before = Everything::of(&repo);
    assert_eq!(in_the_way(&refused(&repo, 65, &["fern"]))["b"], "untracked");
    before.assert_same(&repo, "an ignored file in a directory");
}

#[test]
fn h45_a_change_of_the_second_in_which_the_index_was_written_is_not_hidden() {
    let repo = repo();
    repo.git(["config", "core.trustctime", "false"]);
    repo.write("mine.txt", "1");
    repo.commit("The user's file");
    let second = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let date = |path: &std::path::Path| {
        fs::File::options().write(true).open(path).unwrap().set_modified(second).unwrap();
    };
    date(&at(&repo, "mine.txt"));
    repo.git(["update-index", "--refresh"]);
    date(&repo.git_dir().join("index"));
    // By its stat data, in whole seconds, it is the file that was staged.
    repo.write("mine.txt", "2");
    date(&at(&repo, "mine.txt"));
    agent(&repo, "fern", "echo new > new.txt");
    assert_eq!(land(&repo, &["fern"])["fate"], "landed");
    assert_eq!(repo.git(["status", "--porcelain"]), " M mine.txt");
    assert_eq!(repo.read("mine.txt"), b"2");
}
