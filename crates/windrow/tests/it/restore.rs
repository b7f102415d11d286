//! Everything that an agent leaves behind comes back byte for byte, or the worktree stays, with the reason.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use windrow_testkit::{RepoFingerprint, assert_same};

use crate::{
    repo,
    saving::{
        bring_back, files_of, give_back, is_in_objects, lend, mode, put, rescue_of, rescues, status,
        there_and_back,
    },
};

/// What the second demand of the issue names, in one worktree.
const AGENT: &str = r#"
set -e
echo more >> README.md
rm -r bin
echo new > notes/new.txt
echo log > a.log
echo SECRET=agent > .env
echo edited > .agent/plan.md
git checkout --quiet --detach
echo lost > lost.txt; git add lost.txt; git commit --quiet -m "Only here"
git rev-parse HEAD > "$KEEP/detached"
git checkout --quiet -
git init --quiet nested
(cd nested; echo a > a; git add a; git commit --quiet -m Nested; echo b >> a; echo c > c; git stash --quiet)
mkdir target; echo binary > target/out
cp -a . "$KEEP/copy"; rm -r "$KEEP/copy/target"
"#;

#[test]
fn h10_everything_but_the_build_output_comes_back_byte_for_byte() {
    let repo = repo();
    repo.write("Cargo.toml", "[package]\nname = \"x\"\n");
    repo.write(".worktreeinclude", ".env\nlocal.log\n");
    repo.write("notes/.keep", "");
    repo.commit("Prepare");
    repo.write(".env", "SECRET=user\n");
    repo.write("local.log", "as it was brought\n");
    repo.write(".agent/plan.md", "the plan\n");
    repo.write(".agent/context.md", "the context\n");
    let before = RepoFingerprint::of(&repo);
    let keep = repo.root().join("keep");
    fs::create_dir(&keep).unwrap();
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", AGENT]).env("KEEP", &keep);
    let told = run.run().assert_success().stderr_text();
    assert!(told.contains("dropped  target/"), "{told}");
    before.assert_unchanged(&repo);
    assert!(!repo.path().with_extension("windrow").join("fern").exists());
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "--quiet", "--prune=now"]);
    let before = RepoFingerprint::of(&repo);
    let [rescue] = &rescues(&repo)[..] else { panic!("one rescue") };
    let back = bring_back(&repo, rescue);
    assert_same(&files_of(&keep.join("copy"), &[]), &files_of(&back, &[]));
    let detached = fs::read_to_string(keep.join("detached")).unwrap();
    assert_eq!(repo.git(["log", "-1", "--format=%s", detached.trim()]), "Only here");
    repo.git(["merge-base", "--is-ancestor", detached.trim(), &format!("refs/windrow/rescue/{rescue}")]);
    assert_eq!(repo.git_in(&back.join("nested"), ["stash", "list"]).lines().count(), 1);
    repo.git_in(&back.join("nested"), ["fsck", "--strict"]);
    before.assert_unchanged(&repo);
}

#[test]
fn what_was_ignored_or_carried_never_enters_the_object_database() {
    let repo = repo();
    repo.write(".worktreeinclude", ".env\n");
    repo.commit("Prepare");
    repo.write(".env", "SECRET=carried-and-kept\n");
    repo.write(".agent/plan.md", "context-as-it-was\n");
    let fern = lend(&repo, "fern");
    put(&fern, "own.log", "SECRET=ignored\n");
    put(&fern, ".agent/plan.md", "context-as-changed\n");
    // Now git no longer ignores what was ignored when it was carried.
    put(&fern, ".gitignore", "*.log\n");
    put(&fern, ".env", "SECRET=carried-and-changed\n");
    let rescue = rescue_of(&give_back(&repo, "fern"));
    for secret in ["SECRET=", "context-as-"] {
        assert!(!is_in_objects(&repo, secret), "{secret}");
    }
    let directory = repo.git_dir().join("windrow/rescue");
    let mode = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode(&directory) & 0o777, 0o700);
    let archive = directory.read_dir().unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&archive) & 0o777, 0o600);
    let back = bring_back(&repo, &rescue);
    assert_eq!(fs::read_to_string(back.join(".env")).unwrap(), "SECRET=carried-and-changed\n");
}

#[test]
fn restored_context_is_not_swept_into_a_commit() {
    let repo = repo();
    repo.write(".agent/plan.md", "as it was\n");
    repo.write(".agent/context.md", "as it was\n");
    let fern = lend(&repo, "fern");
    put(&fern, ".agent/plan.md", "changed\n");
    put(&fern, "work.txt", "work\n");
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.windrow(["restore", &rescue, "--name", "moss"]).run().assert_success();
    let commit = "git add --all && git commit --quiet -m Work && git show --format= --name-only";
    let swept = repo.windrow(["exec", "moss", "--", "sh", "-c", commit]).run().assert_success();
    assert_eq!(swept.text(), "work.txt");
    let again = rescue_of(&give_back(&repo, "moss"));
    let shown = repo.windrow(["rescue", "show", &again, "--json"]).run().assert_success().json();
    assert!(shown.to_string().contains(".agent/plan.md"), "{shown:#}");
}

#[test]
fn a_restored_worktree_with_nothing_but_carried_files_is_clean() {
    let repo = repo();
    repo.write(".agent/context.md", "as it was\n");
    let fern = lend(&repo, "fern");
    put(&fern, "work.txt", "work\n");
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.windrow(["restore", &rescue, "--name", "moss"]).run().assert_success();
    let moss = repo.path().with_extension("windrow").join("moss");
    fs::remove_file(moss.join("work.txt")).unwrap();
    let released = give_back(&repo, "moss");
    assert!(released["rescue"].is_null(), "{released:#}");
}

#[test]
fn the_index_comes_back_as_it_was_staged() {
    let repo = repo();
    repo.write("a", "1\n2\n3\n");
    repo.write("gone", "x\n");
    repo.write("untold", "x\n");
    repo.commit("More");
    let fern = lend(&repo, "fern");
    put(&fern, "a", "staged\n2\n3\n");
    put(&fern, "added", "staged\n");
    repo.git_in(&fern, ["add", "a", "added"]);
    put(&fern, "a", "staged\n2\nnot staged\n");
    put(&fern, "added", "not staged\n");
    repo.git_in(&fern, ["rm", "--quiet", "gone"]);
    repo.git_in(&fern, ["rm", "--quiet", "--cached", "untold"]);
    repo.git_in(&fern, ["mv", "bin/tool", "bin/renamed"]);
    repo.git_in(&fern, ["update-index", "--chmod=+x", "README.md"]);
    let (said, staged) = (status(&repo, &fern), repo.git_in(&fern, ["diff", "--cached"]));
    let back = there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(status(&repo, &back), said);
    assert_eq!(repo.git_in(&back, ["diff", "--cached"]), staged);
}

#[test]
fn staged_content_that_no_file_holds_any_more_comes_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "README.md", "only in the index\n");
    put(&fern, "intended", "added with intent\n");
    repo.git_in(&fern, ["add", "README.md"]);
    repo.git_in(&fern, ["add", "--intent-to-add", "intended"]);
    put(&fern, "README.md", "# A test\n");
    let said = status(&repo, &fern);
    let back = there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(status(&repo, &back), said);
    assert_eq!(repo.git_in(&back, ["show", ":README.md"]), "only in the index");
}

#[test]
fn what_is_only_staged_is_counted_as_unsaved() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["rm", "--quiet", "--cached", "README.md"]);
    put(&fern, "new.txt", "staged, then deleted");
    repo.git_in(&fern, ["add", "new.txt"]);
    fs::remove_file(fern.join("new.txt")).unwrap();
    let released = give_back(&repo, "fern");
    assert_eq!(released["unsaved"], 2, "{released:#}");
    let back = bring_back(&repo, &rescue_of(&released));
    assert_eq!(repo.git_in(&back, ["show", ":new.txt"]), "staged, then deleted");
}

#[test]
fn modes_links_pipes_and_empty_directories_come_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    for (path, bits) in
        [("key", 0o600), ("key.log", 0o400), ("read", 0o444), ("run", 0o755), ("own", 0o700), ("odd", 0o640)]
    {
        put(&fern, path, path);
        mode(&fern, path, bits);
    }
    put(&fern, "README.md", "changed\n");
    mode(&fern, "README.md", 0o600);
    mode(&fern, "bin/tool", 0o644);
    fs::create_dir_all(fern.join("empty/deeper")).unwrap();
    fs::create_dir_all(fern.join("ignored.log/empty")).unwrap();
    symlink("/nowhere/at all", fern.join("dangling")).unwrap();
    symlink("src", fern.join("to-directory")).unwrap();
    fs::remove_file(fern.join("src/lib.rs")).unwrap();
    repo.command("mkfifo", &fern).arg("pipe").run().assert_success();
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn directories_closed_to_others_stay_closed() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "private/inner/key", "k");
    put(&fern, "private.log/key", "k");
    put(&fern, "src/deep/new", "n");
    mode(&fern, "private", 0o700);
    mode(&fern, "private/inner", 0o750);
    mode(&fern, "private.log", 0o700);
    mode(&fern, "src", 0o711);
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn names_of_any_bytes_come_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    let long = "n".repeat(255);
    let names: [&[u8]; 7] =
        [b"new\nline", b"\xff\xfe", b"-rf", b" ", b"a\\b\"c'*?[x]", b".git-not", long.as_bytes()];
    for name in names {
        let name = OsStr::from_bytes(name);
        fs::write(fern.join(name), name.as_bytes()).unwrap();
        let ignored = fern.join("deep.log").join(name);
        fs::create_dir_all(ignored.parent().unwrap()).unwrap();
        fs::write(ignored, name.as_bytes()).unwrap();
    }
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn files_directories_and_links_that_changed_places_come_back() {
    let repo = repo();
    for path in ["one/a", "one/b", "two", "three/a", "four/a/b"] {
        repo.write(path, path);
    }
    repo.commit("More");
    let fern = lend(&repo, "fern");
    fs::remove_dir_all(fern.join("one")).unwrap();
    put(&fern, "one", "now a file");
    fs::remove_file(fern.join("two")).unwrap();
    put(&fern, "two/now/a", "directory");
    fs::remove_dir_all(fern.join("three")).unwrap();
    symlink("../../repo", fern.join("three")).unwrap();
    fs::remove_dir_all(fern.join("four/a")).unwrap();
    symlink("../src", fern.join("four/a")).unwrap();
    fs::remove_file(fern.join("link")).unwrap();
    put(&fern, "link/x.log", "was a link");
    let before = RepoFingerprint::of(&repo);
    there_and_back(&repo, "fern", &fern, &[]);
    before.assert_unchanged(&repo);
}

#[test]
fn h07_restoring_never_goes_through_a_link_that_was_replaced() {
    let repo = repo();
    symlink("../../repo", repo.path().join("away")).unwrap();
    repo.commit("A link to the main checkout");
    let before = RepoFingerprint::of(&repo);
    let fern = lend(&repo, "fern");
    fs::remove_file(fern.join("away")).unwrap();
    put(&fern, "away/README.md", "in place of the link");
    put(&fern, "away/src/lib.rs", "in place of the link");
    put(&fern, "away/own.log", "in place of the link");
    there_and_back(&repo, "fern", &fern, &[]);
    before.assert_unchanged(&repo);
}

#[test]
fn converted_files_come_back_as_bytes_and_unchanged_ones_need_no_rescue() {
    let repo = repo();
    repo.git(["config", "filter.pointer.clean", "sed s/^/pointer:/"]);
    repo.git(["config", "filter.pointer.smudge", "sed s/^pointer://"]);
    repo.git(["config", "filter.pointer.required", "true"]);
    repo.write(".gitattributes", "*.txt text eol=crlf\n*.bin filter=pointer\n*.id ident\n*.lf text\n");
    repo.write("a.txt", "a\r\nb\r\n");
    repo.write("b.bin", "large\n");
    repo.write("c.id", "$Id$\n");
    repo.commit("Convert");
    assert_eq!(repo.git(["cat-file", "blob", "HEAD:b.bin"]), "pointer:large");
    for attempt in 0..3 {
        let clean = lend(&repo, &format!("clean-{attempt}"));
        repo.command("touch", &clean).args(["a.txt", "b.bin", "c.id"]).run().assert_success();
        let released = give_back(&repo, &format!("clean-{attempt}"));
        assert!(released["rescue"].is_null(), "nothing was changed: {released:#}");
    }
    let fern = lend(&repo, "fern");
    put(&fern, "a.txt", "a\r\nb\n");
    put(&fern, "b.bin", "larger\n");
    put(&fern, "mixed.txt", "a\nb\r\nc\r");
    put(&fern, "new.bin", "pointer:by hand\n");
    put(&fern, "new.lf", "a\r\n");
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn an_ending_that_git_calls_equal_is_a_change() {
    let repo = repo();
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("a.txt", "a\r\n");
    repo.commit("Convert");
    let fern = lend(&repo, "fern");
    put(&fern, "a.txt", "a\n");
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn a_filter_that_fails_costs_nothing() {
    let repo = repo();
    repo.write("a.bin", "as committed\n");
    repo.commit("Before the filter");
    repo.write(".gitattributes", "*.bin filter=broken\n");
    repo.commit("Filter");
    let fern = lend(&repo, "fern");
    repo.git(["config", "filter.broken.smudge", "cat"]);
    repo.git(["config", "filter.broken.clean", "exit 1"]);
    repo.git(["config", "filter.broken.required", "true"]);
    put(&fern, "a.bin", "changed\n");
    put(&fern, "b.bin", "new\n");
    put(&fern, "c.txt", "plain\n");
    let before = files_of(&fern, &[]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.git(["config", "filter.broken.clean", "cat"]);
    assert_same(&before, &files_of(&bring_back(&repo, &rescue), &[]));
}
