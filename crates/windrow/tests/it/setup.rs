//! Completions and manual pages.

use crate::repo;

#[test]
fn every_shell_gets_code_that_names_our_variable() {
    let repo = repo();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = repo.windrow(["completions", shell]).current_dir("/").run().assert_success();
        assert!(outcome.text().contains("WINDROW_COMPLETE"), "{shell}");
    }
    repo.windrow(["completions", "tcsh"]).run().assert_code(2);
}

#[test]
fn the_manual_needs_no_repository() {
    let repo = repo();
    let page = repo.windrow(["man"]).current_dir("/").run().assert_success();
    assert!(page.text().contains(".TH windrow 1"), "{page}");
    repo.windrow(["man", "--out", "pages"]).current_dir(repo.root()).run().assert_success();
    assert!(repo.root().join("pages/windrow-run.1").is_file());
}
