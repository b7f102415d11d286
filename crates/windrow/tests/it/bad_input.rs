//! Bad input: one clear error, a hint, its exit code, and nothing changed.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use windrow_testkit::{Invocation, RepoFingerprint, TestRepo, assert_same};

use crate::{
    refusal::{assert_refused, assert_told, assert_undone, everything, names_in, settle},
    repo,
};

fn with_value(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut argument = OsString::from(name);
    argument.push("=");
    argument.push(value);
    argument
}

#[test]
fn h54_bad_names_are_refused_before_anything_is_made() {
    let repo = repo();
    let long = "a".repeat(300);
    let names = [
        "../../x",
        "..",
        ".",
        "a/b",
        "/etc",
        "-x",
        "--help",
        "a\nb",
        "a\u{1b}[31mb",
        "a\u{7}",
        "",
        " ",
        "a b",
        ".git",
        ".trash",
        "x.lock",
        "HEAD",
        "CON",
        "@",
        "ünïcode",
        "a\u{202e}b",
        "x-",
        "-",
        long.as_str(),
    ];
    let no_text = OsString::from_vec(b"a\xff".to_vec());
    let names = names.iter().map(OsStr::new).chain([no_text.as_os_str()]);
    for name in names {
        for command in ["run", "acquire"] {
            let tail: &[&str] = if command == "run" { &["--", "true"] } else { &[] };
            let words = [OsString::from(command), with_value("--name", name)];
            let words = words.into_iter().chain(tail.iter().map(OsString::from));
            assert_refused(&repo, repo.windrow(words), 2, "");
        }
    }
}

#[test]
fn h54_bad_branches_and_keys_are_refused_before_anything_is_made() {
    let repo = repo();
    let long = "a".repeat(300);
    for branch in [
        "../../x",
        "-x",
        "a\nb",
        ".git",
        "a..b",
        "x.lock",
        "",
        "@{-1}",
        "HEAD",
        "a b",
        "/x",
        "x/",
        "a\u{1b}[31m",
        &long,
    ] {
        let words = ["run".into(), with_value("--branch", branch), "--".into(), "true".into()];
        assert_refused(&repo, repo.windrow(words), 2, "");
    }
    for key in ["", "a\nb", "a\u{1b}[31m", &long] {
        assert_refused(&repo, repo.windrow(["acquire".into(), with_value("--key", key)]), 2, "");
    }
}

#[test]
fn bad_input_unknown_worktrees_rescues_and_processes() {
    let repo = repo();
    for (words, error) in [
        (&["release", "nope"][..], "`nope`"),
        (&["renew", "nope"], "`nope`"),
        (&["show", "nope"], "`nope`"),
        (&["path", "nope"], "`nope`"),
        (&["diff", "nope"], "`nope`"),
        (&["exec", "nope", "--", "true"], "`nope`"),
        (&["restore", "nope"], "`nope`"),
        (&["rescue", "show", "nope"], "`nope`"),
        (&["rescue", "drop", "nope"], "`nope`"),
        (&["acquire", "--pid", "4194305"], "4194305"),
    ] {
        assert_refused(&repo, repo.windrow(words), 1, error);
    }
}

#[test]
fn bad_input_unknown_refs() {
    let repo = repo();
    repo.git(["tag", "both"]);
    repo.commit("Second");
    repo.git(["branch", "both"]);
    let blob = repo.oid("HEAD:README.md");
    let zeros = "0".repeat(40);
    for base in [
        "nope",
        "origin/main",
        "",
        "-x",
        "--all",
        "main..both",
        "HEAD~100",
        "deadbeef",
        "a\nb",
        "@{u}",
        &zeros,
    ] {
        assert_refused(&repo, repo.windrow(["acquire".into(), with_value("--base", base)]), 1, "names no");
    }
    for base in [blob.as_str(), "HEAD^{tree}", "HEAD:README.md"] {
        assert_refused(
            &repo,
            repo.windrow(["acquire".into(), with_value("--base", base)]),
            1,
            "names no commit",
        );
    }
    assert_refused(&repo, repo.windrow(["acquire", "--base", "both"]), 65, "both a branch and a tag");
    assert_refused(&repo, repo.windrow(["acquire", "--branch", "main"]), 65, "already checked out");
    assert_refused(
        &repo,
        repo.windrow(["acquire", "--branch", "both", "--base", "main"]),
        65,
        "exists already",
    );
}

#[test]
fn bad_input_is_told_to_programs_too() {
    let repo = repo();
    let before = everything(&repo);
    let told = repo.windrow(["run", "--json", "--base", "nope", "--", "true"]).run().assert_code(1).json();
    assert_eq!(told["error"]["code"], "NOT_FOUND", "{told}");
    assert_eq!(told["exit"]["origin"], "windrow", "{told}");
    assert!(told["error"]["hint"].is_string(), "{told}");
    assert_same(&before, &everything(&repo));
    let file = repo.root().join("result.json");
    let result = with_value("--result", &file);
    repo.windrow(["run".into(), result, "--base".into(), "nope".into(), "--".into(), "true".into()])
        .run()
        .assert_code(1);
    let written = fs::read(&file).expect("the failure is also where the result was to go");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).expect("JSON")["error"], told["error"]);
}

#[test]
fn bad_input_a_branch_in_the_way_of_all_of_ours() {
    let repo = repo();
    repo.git(["branch", "windrow"]);
    assert_undone(&repo, repo.windrow(["run", "--", "true"]), 65, "while `refs/heads/windrow` exists");
    let named = repo.windrow(["run", "--branch", "windrow/x", "--", "true"]);
    assert_undone(&repo, named, 65, "while `refs/heads/windrow` exists");
}

#[test]
fn bad_input_a_file_where_the_repository_should_be() {
    let repo = repo();
    for (path, error) in
        [("README.md", "is not a directory"), ("nope", "is not a directory"), ("link", "is not a directory")]
    {
        assert_refused(&repo, repo.windrow(["--repo", path, "run", "--", "true"]), 1, error);
    }
}

#[test]
fn bad_input_a_file_where_the_pool_should_be() {
    let repo = repo();
    let pool = repo.root().join("repo.windrow");
    fs::write(&pool, "somebody's").expect("written");
    assert_undone(&repo, repo.windrow(["run", "--", "true"]), 65, "repo.windrow` is not a directory");
    fs::remove_file(&pool).expect("ours");
    let elsewhere = repo.root().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::write(elsewhere.join("x"), "kept").expect("written");
    symlink(&elsewhere, &pool).expect("linked");
    assert_undone(&repo, repo.windrow(["run", "--", "true"]), 65, "repo.windrow` is not a directory");
    let below_a_file = "pool.directory=\"{repo}/README.md/pool/{name}\"";
    assert_undone(
        &repo,
        repo.windrow(["--config", below_a_file, "run", "--", "true"]),
        65,
        "is not a directory",
    );
}

#[test]
fn bad_input_something_where_the_worktree_should_be() {
    let repo = repo();
    let pool = repo.root().join("repo.windrow");
    fs::create_dir_all(pool.join("full")).expect("made");
    fs::create_dir_all(pool.join("empty")).expect("made");
    fs::write(pool.join("full/kept"), "kept").expect("written");
    fs::write(pool.join("file"), "kept").expect("written");
    symlink(repo.path(), pool.join("link")).expect("linked");
    symlink("nowhere", pool.join("dangling")).expect("linked");
    for name in ["full", "empty", "file", "link", "dangling"] {
        assert_undone(&repo, repo.windrow(["run", "--name", name, "--", "true"]), 65, "is already there");
    }
}

#[test]
fn bad_input_a_file_where_a_directory_of_ours_or_gits_should_be() {
    for (path, code) in
        [("windrow", 65), ("windrow/locks", 65), ("windrow/rescue", 65), ("windrow/state.db", 1)]
    {
        let repo = repo();
        let place = repo.git_dir().join(path);
        match path {
            "windrow/state.db" => fs::create_dir_all(&place).expect("made"),
            _ => repo.write(Path::new(".git").join(path), "somebody's"),
        }
        let before = RepoFingerprint::of(&repo);
        let outcome = repo.windrow(["run", "--", "true"]).run().assert_code(code);
        assert_told(&outcome, path);
        before.assert_unchanged(&repo);
        assert!(!repo.root().join("repo.windrow").exists());
        match path {
            "windrow/state.db" => assert!(names_in(&place).is_empty()),
            _ => assert_eq!(fs::read(&place).expect("still there"), b"somebody's"),
        }
    }
    let repo = repo();
    repo.write(".git/worktrees", "somebody's");
    assert_undone(&repo, repo.windrow(["run", "--", "true"]), 1, ".git/worktrees");
    assert_eq!(repo.read(".git/worktrees"), b"somebody's");
}

#[test]
fn bad_input_a_state_that_cannot_be_looked_at_is_no_empty_pool() {
    let repo = repo();
    repo.write(".git/windrow", "somebody's");
    for words in [&["list"][..], &["show", "x"], &["release", "x"], &["rescue", "list"], &["events"]] {
        let outcome = repo.windrow(words).run();
        assert!(outcome.code != 0, "{outcome}");
        assert_told(&outcome, ".git/windrow");
    }
}

/// A directory with a program `git` in it.
fn fake_git(repo: &TestRepo, script: &str) -> PathBuf {
    let bin = repo.root().join("bin");
    fs::create_dir_all(&bin).expect("made");
    fs::write(bin.join("git"), script).expect("written");
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).expect("ours");
    bin
}

/// A call that finds programs in `first` before all others.
fn with_path<'a>(repo: &TestRepo, words: impl IntoIterator<Item = &'a str>, first: &Path) -> Invocation {
    let mut path = first.as_os_str().to_owned();
    path.push(":");
    path.push(&repo.surroundings().environment()[OsStr::new("PATH")]);
    repo.windrow(words).env("PATH", path)
}

#[test]
fn bad_input_a_git_that_is_too_old() {
    let repo = repo();
    // Like the real one in all but its age.
    let script = "#!/bin/sh\nfor word; do test \"$word\" = version && echo 'git version 2.39.5' && exit; done\n\
                  PATH=${PATH#*:}\nexec git \"$@\"\n";
    let bin = fake_git(&repo, script);
    let run = || with_path(&repo, ["run", "--", "true"], &bin);
    assert_refused(&repo, run(), 1, "git 2.39.5 is too old, 2.40.0 or newer is needed");
    repo.windrow(["run", "--", "true"]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    assert_undone(&repo, run(), 1, "git 2.39.5 is too old, 2.40.0 or newer is needed");
}

#[test]
fn bad_input_no_git_or_a_useless_one() {
    let repo = repo();
    let empty = repo.root().join("tmp");
    for words in [&["run", "--", "true"][..], &["acquire"], &["list"], &["release", "x"]] {
        assert_refused(&repo, repo.windrow(words).env("PATH", &empty), 1, "git was not found");
    }
    let bin = fake_git(&repo, "#!/bin/sh\n");
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o644)).expect("ours");
    assert_refused(&repo, repo.windrow(["run", "--", "true"]).env("PATH", &bin), 1, "cannot run `git`");
    let bin = fake_git(&repo, "#!/bin/sh\necho >&2 'fatal: out of order'; exit 128\n");
    assert_refused(&repo, with_path(&repo, ["run", "--", "true"], &bin), 1, "out of order");
    let bin = fake_git(&repo, "#!/bin/sh\nkill -9 $$\n");
    assert_refused(&repo, with_path(&repo, ["run", "--", "true"], &bin), 1, "");
    let bin = fake_git(&repo, "#!/bin/sh\necho hello\n");
    assert_refused(&repo, with_path(&repo, ["run", "--", "true"], &bin), 1, "cannot be read");
}

#[test]
fn bad_input_a_git_that_goes_on_after_an_error_of_the_system() {
    let repo = repo();
    repo.write(".claude/notes.md", "carried");
    // What the real one does when it may open no more files.
    let script = "#!/bin/sh\nfor word; do test \"$word\" = ls-files && \
                  echo >&2 \"warning: could not open directory '.': Too many open files\" && exit; done\n\
                  PATH=${PATH#*:}\nexec git \"$@\"\n";
    let bin = fake_git(&repo, script);
    repo.windrow(["run", "--", "true"]).run().assert_success();
    settle(&repo.root().join("repo.windrow"));
    assert_undone(&repo, with_path(&repo, ["run", "--", "true"], &bin), 1, "Too many open files");
}

#[test]
fn bad_input_a_git_whose_listing_passes_over_a_ref() {
    let repo = repo();
    repo.git(["branch", "feature"]);
    // What the real one does when it cannot open the directory of the ref.
    let script = "#!/bin/sh\nfor word; do test \"$word\" = refs/heads/feature && \
                  case \"$*\" in *for-each-ref*) exit;; esac; done\n\
                  PATH=${PATH#*:}\nexec git \"$@\"\n";
    let bin = fake_git(&repo, script);
    let acquired = with_path(&repo, ["acquire", "--branch", "feature"], &bin).run().assert_success();
    let checked_out = repo.git_in(Path::new(&acquired.text()), ["rev-parse", "--abbrev-ref", "HEAD"]);
    assert_eq!(checked_out.trim(), "feature");
}

#[test]
fn bad_input_not_a_repository() {
    let repo = repo();
    let plain = repo.root().join("home/plain");
    fs::create_dir_all(&plain).expect("made");
    for words in [&["run", "--", "true"][..], &["acquire"], &["list"]] {
        assert_refused(&repo, repo.windrow(words).current_dir(&plain), 1, "is not in a git repository");
    }
    fs::write(plain.join(".git"), "gitdir: /nonexistent\n").expect("written");
    assert_refused(&repo, repo.windrow(["run", "--", "true"]).current_dir(&plain), 1, "cannot be read");
    fs::remove_file(plain.join(".git")).expect("ours");
    fs::create_dir(plain.join(".git")).expect("made");
    assert_refused(&repo, repo.windrow(["run", "--", "true"]).current_dir(&plain), 1, "cannot be read");
}

#[test]
fn bad_input_several_repositories_below_are_listed() {
    let repo = repo();
    repo.git_in(repo.root(), ["clone", "--quiet", "repo", "second"]);
    repo.git_in(repo.root(), ["clone", "--quiet", "--bare", "repo", "third.git"]);
    for words in [&["run", "--", "true"][..], &["acquire"], &["list"]] {
        let call = || repo.windrow(words).current_dir(repo.root());
        assert_refused(&repo, call(), 1, "holds several git repositories");
        let told = call().run().stderr_text();
        for name in ["repo", "second", "third.git"] {
            assert!(told.contains(&format!("`{}`", repo.root().join(name).display())), "{told}");
        }
    }
    let told = repo.windrow(["list", "--json"]).current_dir(repo.root()).run().assert_code(1).json();
    assert_eq!(told["error"]["code"], "AMBIGUOUS_REPOSITORY", "{told}");
    assert_eq!(told["error"]["details"]["repositories"].as_array().map(Vec::len), Some(3), "{told}");
    repo.windrow(["--repo", "second", "run", "--", "true"]).current_dir(repo.root()).run().assert_success();
}

#[test]
fn bad_input_a_repository_of_somebody_else() {
    if windrow_testkit::root_only("a repository of another user").is_none() {
        return;
    }
    let repo = repo();
    repo.command("chown", repo.root()).args(["-R", "65534", "repo"]).run().assert_success();
    assert_refused(&repo, repo.windrow(["run", "--", "true"]), 78, "git does not trust the repository");
}

#[test]
fn bad_input_a_configuration_that_cannot_be_read() {
    for (file, text) in [("windrow.toml", "bogus"), ("windrow.toml", "[pool]\nmax_worktrees = \"many\"\n")] {
        let repo = repo();
        repo.write(file, text);
        let before = everything(&repo);
        let outcome = repo.windrow(["run", "--", "true"]).run().assert_code(78);
        assert!(outcome.stderr_text().starts_with("error: `"), "{outcome}");
        assert_same(&before, &everything(&repo));
    }
}
