//! The shell functions and completions, in the shells that are there.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

use windrow_testkit::{Binary, Invocation, TestRepo, skipped};

use crate::repo;

const LOAD: [(&str, &str); 3] = [
    ("bash", "eval \"$(windrow shell --init bash)\""),
    ("zsh", "eval \"$(windrow shell --init zsh)\""),
    ("fish", "windrow shell --init fish | source"),
];

/// A shell with the program on its PATH; `None` when it is not installed.
fn shell(repo: &TestRepo, name: &str, script: &str) -> Option<Invocation> {
    let bin = PathBuf::from(env!("CARGO_BIN_EXE_windrow"));
    let path = std::env::join_paths([bin.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let installed = ["/usr/bin", "/bin"].iter().any(|dir| PathBuf::from(dir).join(name).is_file());
    if !installed {
        skipped(&format!("{name} is not installed"));
        return None;
    }
    Some(repo.command(name, repo.path()).env("PATH", path).args(["-c", script]))
}

#[test]
fn the_function_changes_the_directory_whatever_it_is_called() {
    for (name, load) in LOAD {
        let directory = OsStr::from_bytes(b"odd $(touch pwned) `x`\n'\" name");
        let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
        let repo = TestRepo::builder().binary(binary).directory(directory).build();
        let path = repo.windrow(["acquire", "--name", "fern"]).run().assert_success().stdout;
        for line in ["wcd fern", "windrow cd fern"] {
            let script = format!("{load}\n{line} && /bin/pwd");
            let Some(shell) = shell(&repo, name, &script) else { continue };
            assert_eq!(shell.run().assert_success().stdout, path, "{name}: {line}");
        }
        let left = fs::read_dir(repo.root().join("tmp")).unwrap().count();
        assert_eq!(left, 0, "{name}: temporary files are left");
        assert!(!repo.path().join("pwned").exists());
    }
}

#[test]
fn the_function_stays_where_it_is_when_there_is_no_such_worktree() {
    let repo = repo();
    for (name, load) in LOAD {
        let status = if name == "fish" { "$status" } else { "$?" };
        let script = format!("{load}\nwcd fern; echo {status}; windrow list");
        let Some(shell) = shell(&repo, name, &script) else { continue };
        let outcome = shell.run().assert_success();
        assert_eq!(outcome.text(), "1\nno worktrees; make one with windrow run -- CMD", "{name}");
    }
}

#[test]
fn without_the_function_the_way_to_get_it_is_told() {
    let repo = repo();
    let outcome = repo.windrow(["cd", "fern"]).run().assert_code(2);
    assert!(outcome.stderr_text().contains("windrow shell --init bash"), "{outcome}");
}

#[test]
fn a_shell_is_run_in_a_new_worktree_or_beside_its_holder() {
    let repo = repo();
    let shell = |line: &[&str]| repo.windrow(line).env("SHELL", "/bin/sh").stdin("pwd\nexit 4\n").run();
    let new = shell(&["shell", "fern"]).assert_code(4);
    assert!(new.text().ends_with(".windrow/fern"), "{new}");
    repo.windrow(["acquire", "--name", "moss"]).run().assert_success();
    let beside = shell(&["shell", "moss"]).assert_code(4);
    assert!(beside.text().ends_with(".windrow/moss"), "{beside}");
    let listed = repo.windrow(["list", "--json"]).run().json();
    assert_eq!(listed["worktrees"][0]["name"], "moss");
    assert_eq!(listed["worktrees"][0]["state"], "leased");
}

#[test]
fn names_are_completed() {
    let repo = repo();
    repo.windrow(["acquire", "--name", "fern"]).run().assert_success();
    let ask = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let outcome = repo
            .windrow(["--"])
            .args(words)
            .env("WINDROW_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", index)
            .env("_CLAP_IFS", "\n")
            .run()
            .assert_success();
        outcome.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(ask(&["windrow", "release", ""]).contains(&"fern".to_owned()));
    assert!(ask(&["windrow", "config", "pool.t"]).contains(&"pool.ttl".to_owned()));
    assert_eq!(ask(&["windrow", "acq"]), ["acquire"]);
    let outside = repo.windrow(["--", "windrow", "release", ""]).current_dir(repo.root());
    let outside = outside.env("WINDROW_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").run();
    assert_eq!(outside.assert_success().stderr, "");
}

#[test]
fn bash_completes_with_the_code_that_is_printed() {
    let repo = repo();
    repo.windrow(["acquire", "--name", "fern"]).run().assert_success();
    let script = "source <(windrow completions bash); COMP_WORDS=(windrow path f); COMP_CWORD=2; COMP_TYPE=9\n\
                  _clap_complete_windrow windrow f path; echo \"${COMPREPLY[@]}\"";
    let Some(shell) = shell(&repo, "bash", script) else { return };
    assert_eq!(shell.run().assert_success().text().trim(), "fern");
}
