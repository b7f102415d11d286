//! What is rescued and what is dropped, the limits, and the list of rescues: shown, dropped, expired.

use std::{fs, os::unix::fs::symlink};

use windrow_testkit::assert_same;

use crate::{
    repo,
    saving::{
        bring_back, doubt_of, files_of, give_back, give_back_with, lend, mode, paths_of, put, rescue_of,
        rescues, there_and_back,
    },
};

#[test]
fn h33_the_archive_of_an_attempt_that_was_killed_goes_with_the_next() {
    let repo = repo();
    let lease = repo.windrow(["acquire", "--name", "fern", "--json"]).run().assert_success().json();
    let lease = lease["lease"]["id"].as_str().unwrap();
    put(&repo.path().with_file_name("repo.windrow/fern"), ".env", "SECRET=kept");
    let archives = repo.git_dir().join("windrow/rescue");
    fs::create_dir_all(&archives).unwrap();
    let id = format!("fern-{}", &lease[lease.len() - 8..]);
    // Of another rescue, though its name begins alike.
    let other = archives.join(format!("{id}-fern-00000000.tar.zst"));
    let orphan = archives.join(format!("{id}-00000000.tar.zst"));
    for path in [&other, &orphan] {
        fs::write(path, "cut short").unwrap();
    }
    assert_eq!(rescue_of(&give_back(&repo, "fern")), id);
    assert!(other.exists() && !orphan.exists());
    assert_eq!(fs::read_dir(&archives).unwrap().count(), 2);
    bring_back(&repo, &id);
}

#[test]
fn outputs_of_build_tools_do_not_wedge_removal() {
    let repo = repo();
    for path in ["Cargo.toml", "web/package.json", "native/CMakeLists.txt", "py/pyproject.toml", "py/a.py"] {
        repo.write(path, "\n");
    }
    repo.commit("Manifests");
    let fern = lend(&repo, "fern");
    let outputs = ["native/build", "py/.venv", "py/__pycache__", "tagged", "target", "web/node_modules"];
    for output in outputs {
        put(&fern, &format!("{output}/deep/file"), vec![b'x'; 100_000]);
        symlink("file", fern.join(output).join("deep/link")).unwrap();
    }
    put(&fern, "tagged/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# cache\n");
    mode(&fern, "web/node_modules/deep", 0o555);
    put(&fern, "docs/target/mine.txt", "no manifest beside it");
    put(&fern, "native/notes.txt", "mine");
    let limit = ["--config", "rescue.max_size=10KiB"];
    let before = files_of(&fern, &outputs);
    let released = give_back_with(&repo, "fern", &limit);
    assert_eq!(paths_of(&released["dropped"]), outputs);
    let back = bring_back(&repo, &rescue_of(&released));
    assert_same(&before, &files_of(&back, &[]));
}

#[test]
fn only_build_outputs_need_no_rescue_and_are_told() {
    let repo = repo();
    repo.write("Cargo.toml", "\n");
    repo.commit("Manifest");
    let run = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", "mkdir target && echo x > target/x"]);
    let told = run.run().assert_success().stderr_text();
    assert!(told.contains("dropped  target/"), "{told}");
    assert_eq!(rescues(&repo), Vec::<String>::new());
}

#[test]
fn a_file_that_was_only_touched_or_written_again_as_it_was_is_no_work() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.command("touch", &fern).args(["README.md", "bin/tool"]).run().assert_success();
    let content = fs::read(fern.join("src/lib.rs")).unwrap();
    fs::remove_file(fern.join("src/lib.rs")).unwrap();
    put(&fern, "src/lib.rs", content);
    let released = give_back(&repo, "fern");
    assert_eq!((&released["unsaved"], &released["rescue"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn what_the_snapshot_holds_byte_for_byte_is_not_archived_as_well() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "README.md", "changed");
    put(&fern, "new.txt", "new");
    put(&fern, "new.sh", "new");
    mode(&fern, "new.sh", 0o755);
    symlink("new.txt", fern.join("new-link")).unwrap();
    let released = give_back(&repo, "fern");
    assert_eq!(released["rescue"]["archive"], serde_json::Value::Null, "{released:#}");
    bring_back(&repo, &rescue_of(&released));
}

#[test]
fn without_an_index_all_is_saved() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "new.txt", "new");
    put(&fern, ".env", "SECRET=1\n");
    fs::remove_file(repo.git_dir().join("worktrees/fern/index")).unwrap();
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn a_mode_that_was_changed_alone_is_work() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    mode(&fern, "bin/tool", 0o644);
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn tracked_files_are_no_build_output() {
    let repo = repo();
    repo.write("CMakeLists.txt", "\n");
    repo.write("build/kept.txt", "tracked\n");
    repo.commit("A tracked directory with the name of an output");
    let fern = lend(&repo, "fern");
    put(&fern, "build/kept.txt", "changed\n");
    put(&fern, "build/new.txt", "new\n");
    let moss = lend(&repo, "moss");
    repo.git_in(&moss, ["rm", "--quiet", "--cached", "-r", "build"]);
    put(&moss, "build/kept.txt", "changed, and out of the index\n");
    there_and_back(&repo, "fern", &fern, &[]);
    there_and_back(&repo, "moss", &moss, &[]);
}

#[test]
fn the_users_own_patterns_are_dropped_and_told() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "cache/big", "x");
    put(&fern, "trace.log", "x");
    put(&fern, "kept.txt", "x");
    let released = give_back_with(&repo, "fern", &["--config", "rescue.disposable=[\"cache/\", \"*.log\"]"]);
    assert_eq!(paths_of(&released["dropped"]), ["cache", "trace.log"]);
    let back = bring_back(&repo, &rescue_of(&released));
    assert!(back.join("kept.txt").exists() && !back.join("cache").exists());
}

#[test]
fn more_than_the_limit_refuses_removal_until_the_limit_is_raised() {
    for path in ["ignored.log", "untracked.dat", "README.md"] {
        let repo = repo();
        let fern = lend(&repo, "fern");
        put(&fern, path, vec![b'x'; 200_000]);
        let before = files_of(&fern, &[]);
        let limit = ["--config", "rescue.max_size=100KiB"];
        let doubt = doubt_of(&give_back_with(&repo, "fern", &limit));
        assert!(doubt.contains("rescue.max_size"), "{doubt}");
        assert_same(&before, &files_of(&fern, &[]));
        assert_eq!(rescues(&repo), Vec::<String>::new());
        let shown = repo.windrow(["show", "fern"]).run().assert_success().text();
        assert!(shown.contains("rescue.max_size"), "{shown}");
        there_and_back(&repo, "fern", &fern, &[]);
    }
}

#[test]
fn a_nested_repository_above_the_limit_refuses_removal() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["init", "--quiet", "nested"]);
    put(&fern, "nested/big", vec![b'x'; 200_000]);
    let before = files_of(&fern, &[]);
    let doubt = doubt_of(&give_back_with(&repo, "fern", &["--config", "rescue.max_size=100KiB"]));
    assert!(doubt.contains("limit"), "{doubt}");
    assert_same(&before, &files_of(&fern, &[]));
    let left = repo.git_dir().join("windrow/rescue").read_dir().unwrap().count();
    assert_eq!(left, 0, "a refused archive leaves nothing behind");
    assert_eq!(repo.git(["for-each-ref", "refs/windrow/rescue"]), "");
}

#[test]
fn rescues_are_listed_newest_first_shown_and_dropped() {
    let repo = repo();
    for name in ["fern", "moss"] {
        let worktree = lend(&repo, name);
        put(&worktree, "new.txt", "1234");
        put(&worktree, "new.log", "12345678");
        fs::remove_file(worktree.join("src/lib.rs")).unwrap();
        give_back(&repo, name);
    }
    let [moss, fern] = &rescues(&repo)[..] else { panic!("two rescues") };
    assert!(moss.starts_with("moss-") && fern.starts_with("fern-"), "{moss} {fern}");
    let shown = repo.windrow(["rescue", "show", fern, "--json"]).run().assert_success().json();
    let text = shown.to_string();
    for path in ["new.txt", "new.log", "src/lib.rs"] {
        assert!(text.contains(&format!("\"path\":\"{path}\"")), "{shown:#}");
    }
    let archives = || repo.git_dir().join("windrow/rescue").read_dir().unwrap().count();
    assert_eq!(archives(), 2);
    repo.windrow(["rescue", "drop", fern]).run().assert_success();
    assert_eq!((rescues(&repo), archives()), (vec![moss.clone()], 1));
    assert_eq!(
        repo.git(["for-each-ref", "--format=%(refname)", "refs/windrow/rescue"]),
        format!("refs/windrow/rescue/{moss}")
    );
    for words in [["rescue", "drop", fern], ["rescue", "show", fern]] {
        repo.windrow(words).run().assert_code(1);
    }
    bring_back(&repo, moss);
    bring_back(&repo, moss);
}

#[test]
fn a_rescue_stays_on_record_as_long_as_its_archive_cannot_be_deleted() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, ".env", "SECRET=1\n");
    let released = give_back(&repo, "fern");
    let (id, archive) = (rescue_of(&released), released["rescue"]["archive"].as_str().unwrap());
    fs::remove_file(archive).unwrap();
    put(archive.as_ref(), "in-the-way", "no file");
    repo.windrow(["rescue", "drop", &id]).run().assert_code(1);
    assert_eq!(rescues(&repo), std::slice::from_ref(&id));
    fs::remove_dir_all(archive).unwrap();
    repo.windrow(["rescue", "drop", &id]).run().assert_success();
    assert_eq!(rescues(&repo), Vec::<String>::new());
}

#[test]
fn rescues_expire_by_age_and_by_bytes() {
    let repo = repo();
    for name in ["one", "two", "three"] {
        let worktree = lend(&repo, name);
        let noise: Vec<u8> =
            (0..20_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
        put(&worktree, "noise.log", noise);
        give_back(&repo, name);
    }
    assert_eq!(rescues(&repo).len(), 3);
    let worktree = |name: &str, setting: &str| {
        repo.windrow(["--config", setting, "run", "--name", name, "--", "true"]).run().assert_success();
        rescues(&repo)
    };
    let left = worktree("by-bytes", "rescue.total_size=200KiB");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|id| !id.starts_with("one-")), "the oldest goes first: {left:?}");
    let left = worktree("newest-stays", "rescue.total_size=1KiB");
    assert!(matches!(&left[..], [id] if id.starts_with("three-")), "{left:?}");
    let left = worktree("by-age", "rescue.keep=0s");
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(repo.git(["for-each-ref", "refs/windrow/rescue"]), "");
    assert_eq!(repo.git_dir().join("windrow/rescue").read_dir().unwrap().count(), 0);
}

#[test]
fn a_damaged_archive_restores_nothing_and_leaves_no_worktree() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "new.txt", "new");
    put(&fern, "new.log", "x".repeat(10_000));
    let rescue = rescue_of(&give_back(&repo, "fern"));
    let directory = repo.git_dir().join("windrow/rescue");
    let archive = directory.read_dir().unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    let failed = repo.windrow(["restore", &rescue]).run().assert_code(1);
    assert!(failed.stderr_text().contains("damaged"), "{failed}");
    assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
    assert_eq!(repo.git(["branch", "--list", "windrow/*"]), "");
    fs::write(&archive, whole).unwrap();
    assert_eq!(fs::read(bring_back(&repo, &rescue).join("new.txt")).unwrap(), b"new");
}

#[test]
fn a_restore_into_a_name_that_is_taken_changes_nothing() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, "new.txt", "new");
    let rescue = rescue_of(&give_back(&repo, "fern"));
    let moss = lend(&repo, "moss");
    put(&moss, "mine.txt", "mine");
    let before = files_of(&moss, &[]);
    let refused = repo.windrow(["restore", &rescue, "--name", "moss"]).run();
    assert_ne!(refused.code, 0, "{refused}");
    assert_same(&before, &files_of(&moss, &[]));
    assert_eq!(rescues(&repo), [rescue]);
}
