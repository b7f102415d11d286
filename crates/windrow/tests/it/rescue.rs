//! Saved work from the command line.

use std::{fs, path::PathBuf};

use crate::repo;

#[test]
fn unsaved_work_comes_back() {
    let repo = repo();
    let script = "echo changed > README.md; echo new > new.txt; echo key > .env; chmod 600 .env";
    let ran = repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script]).run().assert_success();
    let told = ran.stderr_text();
    let id = told.split_whitespace().last().unwrap();
    assert!(told.contains("rescued  3 paths  windrow restore fern-"), "{told}");
    let restored = repo.windrow(["restore", id]).run().assert_success();
    let back = PathBuf::from(restored.text());
    for (file, content) in [("README.md", "changed\n"), ("new.txt", "new\n"), (".env", "key\n")] {
        assert_eq!(fs::read_to_string(back.join(file)).unwrap(), content, "{file}");
    }
    assert!(restored.stderr_text().starts_with(&format!("restored 3 paths from {id}\n")), "{restored}");
    repo.windrow(["rescue", "drop", id]).run().assert_success();
    assert_eq!(repo.windrow(["rescue", "list"]).run().text(), "no saved work");
    let gone = repo.windrow(["restore", id]).run().assert_code(1);
    assert!(gone.stderr_text().contains("hint: `windrow rescue list`"), "{gone}");
}

#[test]
fn only_a_flag_discards() {
    let repo = repo();
    let outcome =
        repo.windrow(["run", "--name", "fern", "--discard", "--", "sh", "-c", "echo x > new.txt"]).run();
    let told = outcome.assert_success().stderr_text();
    assert!(told.starts_with("fern  removed"), "{told}");
    assert_eq!(repo.windrow(["rescue", "list"]).run().text(), "no saved work");
}
