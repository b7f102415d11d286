//! Filters that fail, conflicts, and settings that would have git do something else.

use std::fs;

use super::*;
use crate::repo;

#[test]
fn h47_a_smudge_filter_that_fails_changes_nothing() {
    let repo = repo();
    repo.git(["config", "filter.shout.clean", "tr A-Z a-z"]);
    repo.git(["config", "filter.shout.smudge", "tr a-z A-Z"]);
    repo.write("quiet.txt", "quiet\n");
    repo.commit("Before");
    agent(
        &repo,
        "fern",
        "echo '*.txt filter=shout' > .gitattributes; echo loud > new.txt; echo x > a; echo y > README.md",
    );
    repo.git(["config", "filter.shout.smudge", "grep never"]);
    let before = Everything::of(&repo);
    let error = refused(&repo, 1, &["fern"]);
    assert_eq!(error["code"], "GIT", "{error}");
    before.assert_same(&repo, "a filter that fails");
    repo.git(["config", "filter.shout.smudge", "tr a-z A-Z"]);
    land(&repo, &["fern"]);
    assert_eq!(repo.read("new.txt"), b"LOUD\n");
    assert_eq!(repo.git(["status", "--porcelain"]), "");
    // What lies there with other bytes than in git is not taken for a change.
    agent(&repo, "moss", "echo LOUDER > new.txt");
    land(&repo, &["moss"]);
    assert_eq!(repo.read("new.txt"), b"LOUDER\n");
    repo.write("new.txt", "MINE\n");
    agent(&repo, "reed", "echo again > new.txt");
    assert_eq!(in_the_way(&refused(&repo, 65, &["reed"]))["new.txt"], "changed");
    assert_eq!(repo.read("new.txt"), b"MINE\n");
}

#[test]
fn line_endings_are_those_of_a_checkout() {
    let repo = repo();
    agent(&repo, "fern", "echo '*.txt text eol=crlf' > .gitattributes; printf 'a\\nb\\n' > new.txt");
    land(&repo, &["fern"]);
    assert_eq!(repo.read("new.txt"), b"a\r\nb\r\n");
    assert_eq!(repo.git(["status", "--porcelain"]), "");
    nothing_left(&repo);
}

#[test]
fn h49_a_conflict_changes_nothing_and_is_told_whole() {
    let repo = repo();
    repo.write("f", "1\n2\n3\n");
    let base = repo.commit("Before");
    let source =
        agent(&repo, "fern", "printf '1\\ntheirs\\n3\\n' > f; git rm -q bin/tool; echo clean > other");
    repo.write("f", "1\nmine\n3\n");
    repo.write("bin/tool", "mine");
    let target = repo.commit("Mine");
    for strategy in ["merge", "squash", "rebase"] {
        let before = Everything::of(&repo);
        let error = refused(&repo, 65, &["fern", "--strategy", strategy]);
        before.assert_same(&repo, strategy);
        assert_eq!(error["code"], "CONFLICT");
        let conflict = &error["details"]["conflict"];
        assert_eq!((&conflict["status"], &conflict["strategy"]), (&"conflict".into(), &strategy.into()));
        assert_eq!(
            (&conflict["target"], &conflict["source"], &conflict["base"]),
            (&target.as_str().into(), &source.as_str().into(), &base.as_str().into())
        );
        assert_eq!(conflict["at_commit"].is_null(), strategy != "rebase");
        let paths: Vec<_> = conflict["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
        assert_eq!(paths, ["bin/tool", "f"]);
        assert!(conflict["files"][0]["stages"]["3"].is_null(), "{conflict}");
        let kinds: Vec<_> =
            conflict["conflicts"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
        assert_eq!(kinds, ["CONFLICT (modify/delete)", "CONFLICT (contents)"]);
    }
    let page = repo.windrow(["land", "fern"]).run().assert_code(65).stderr_text();
    for line in ["<<<<<<< ", "mine", "theirs", "hint: nothing was changed"] {
        assert!(page.contains(line), "{page}");
    }
    // Both ways on lead home.
    repo.windrow(["run", "--name", "again", "--branch", "windrow/fern", "--", "sh", "-c", "git merge -q -X ours main || { git checkout -q --theirs bin/tool; git add .; git commit -qm merged; }"])
        .run()
        .assert_success();
    land(&repo, &["--branch", "windrow/fern"]);
    clean(&repo, repo.path());
}

#[test]
fn h49_of_two_that_conflict_exactly_one_lands() {
    let repo = repo();
    agent(&repo, "fern", "echo fern > README.md");
    agent(&repo, "moss", "echo moss > README.md");
    let running: Vec<_> =
        ["fern", "moss"].map(|name| repo.windrow(["land", name, "--squash"]).spawn()).into();
    let mut codes: Vec<_> = running.into_iter().map(|one| one.wait().code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 65]);
    clean(&repo, repo.path());
}

#[test]
fn h52_the_users_settings_do_not_steer_a_landing() {
    let repo = repo();
    repo.write("data.txt", "1\n2\n3\n");
    repo.commit("Before");
    for (key, value) in [
        ("rebase.autoStash", "true"),
        ("merge.autoStash", "true"),
        ("merge.ff", "only"),
        ("merge.verifySignatures", "true"),
        ("branch.main.mergeOptions", "--no-commit -s ours"),
        ("pull.rebase", "true"),
        ("commit.template", "/nonexistent"),
        ("core.hooksPath", ".hooks"),
        ("core.editor", "false"),
        ("commit.verbose", "true"),
        ("i18n.commitEncoding", "latin1"),
        ("diff.noprefix", "true"),
        ("status.showUntrackedFiles", "no"),
        ("core.ignoreStat", "true"),
    ] {
        repo.git(["config", key, value]);
    }
    repo.write(".hooks/reference-transaction", "#!/bin/sh\nexit 1\n");
    let hook = repo.path().join(".hooks/reference-transaction");
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.git(["-c", "core.hooksPath=/dev/null", "update-index", "--refresh"]);
    let script = "printf '1\\n2\\n3\\n4 ü\\n' > data.txt; git -c core.hooksPath=/dev/null add data.txt; git -c core.hooksPath=/dev/null commit -qm Four";
    repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    // Not committed, so it is not how the target is merged: by it both sides would be joined.
    repo.write("data.txt", "0\n1\n2\n3\n");
    repo.git(["-c", "core.hooksPath=/dev/null", "commit", "-qam", "Zero"]);
    repo.write(".gitattributes", "* merge=union\n*.txt -text filter=nothing\n");
    let before = TreeSnapshot::of(repo.path(), &Include::except([".git", "data.txt"]));
    let landed = land(&repo, &["fern", "--message", "Mit Umlaut ü"]);
    assert_eq!(landed["fate"], "landed");
    assert_eq!(repo.read("data.txt"), "0\n1\n2\n3\n4 ü\n".as_bytes());
    assert_eq!(repo.git(["-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%s"]), "Mit Umlaut ü");
    let after = TreeSnapshot::of(repo.path(), &Include::except([".git", "data.txt"]));
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(repo.git(["stash", "list"]), "");
    nothing_left(&repo);
}

#[test]
fn h52_an_uncommitted_attribute_does_not_turn_a_conflict_into_a_union() {
    let repo = repo();
    repo.write("f", "1\n");
    repo.commit("Before");
    agent(&repo, "fern", "echo theirs > f");
    repo.write("f", "mine\n");
    repo.commit("Mine");
    repo.write(".gitattributes", "* merge=union\n");
    let before = Everything::of(&repo);
    assert_eq!(refused(&repo, 65, &["fern"])["code"], "CONFLICT");
    before.assert_same(&repo, "an uncommitted attribute");
}
