//! Questions about commits, and the wrapper itself.

use super::support::*;
use crate::git::*;

#[test]
fn counts_compares_and_shows() {
    let fixture = Fixture::new();
    let first = fixture.oid("HEAD");
    fixture.write("a.txt", "a\nb\n");
    fixture.write("bin", "\0\0");
    fixture.write("tab\tand\nnewline", "x\n");
    let second = fixture.commit("second");
    let (git, repo) = (&fixture.git, fixture.repo());
    assert_eq!(count_commits(git, &repo, &first, &second).unwrap(), 1);
    assert_eq!(count_commits(git, &repo, &second, &first).unwrap(), 0);
    assert!(is_ancestor(git, &repo, &first, &second).unwrap());
    assert!(!is_ancestor(git, &repo, &second, &first).unwrap());
    assert!(is_ancestor(git, &repo, &second.null_like(), &first).is_err());
    let changed = changed_files(git, &repo, &first, &second).unwrap();
    let paths: Vec<_> = changed.files.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(paths, ["a.txt", "bin", "tab\tand\nnewline"]);
    assert_eq!((changed.added(), changed.removed(), changed.files[1].added), (2, 0, None));
    let shown = |form, colour| diff(git, &repo, (&first, &second), form, colour).unwrap();
    assert!(shown(DiffForm::Patch, DiffColour::Always).contains(&0x1b));
    assert!(!shown(DiffForm::Patch, DiffColour::Never).contains(&0x1b));
    assert!(shown(DiffForm::Names, DiffColour::Never).starts_with(b"a.txt\nbin\n"));
}

#[test]
fn failures_carry_status_and_words_but_show_only_the_verb() {
    let git = plain_git();
    let error = git.call("rev-parse").arg("--verify").arg("nope").run().unwrap_err();
    assert_eq!(error.to_string(), "`git rev-parse` failed with exit status 128");
    assert!(
        matches!(error, GitError::Failed(failure) if failure.status == Some(128) && !failure.stderr.is_empty())
    );
    let missing = Git::new("/nonexistent/git".into(), plain_env());
    assert!(matches!(version(&missing), Err(GitError::NotFound { .. })));
    assert!(matches!(git.call("version").cwd("/nonexistent".as_ref()).run(), Err(GitError::Start { .. })));
    assert!(version(&git).unwrap() >= MINIMUM_VERSION);
}

#[test]
fn a_large_input_and_output_do_not_lock_up() {
    let fixture = Fixture::new();
    let oid = fixture.oid("HEAD");
    let input = format!("{oid}\n").repeat(50_000).into_bytes();
    let output =
        fixture.repo().call(&fixture.git, "cat-file").arg("--batch-check").input(input).run().unwrap();
    assert_eq!(output.iter().filter(|&&byte| byte == b'\n').count(), 50_000);
}
