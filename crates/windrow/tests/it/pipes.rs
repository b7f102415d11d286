//! H56: a pipe where git looks for a file of its own keeps no command waiting.

use std::path::Path;

use windrow_testkit::TestRepo;

use crate::pool::{acquire, left_in_place, refused, repository, state, text, windrow};

fn make_pipe(repo: &TestRepo, path: &Path) {
    repo.command("mkfifo", repo.root()).arg(path).run().assert_success();
}

#[test]
fn h56_show_and_diff_name_the_pipe_that_git_would_wait_on() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("src/deep/new.txt", "new");
    for name in [".gitignore", ".gitattributes"] {
        let pipe = lease.path.join("src/deep").join(name);
        make_pipe(&repo, &pipe);
        for verb in ["show", "diff"] {
            let told = repo.windrow([verb, "fern"]).run().assert_code(1).stderr_text();
            assert!(told.contains("git would wait for ever") && told.contains(name), "{told}");
        }
        assert!(text(&refused(&repo, 1, &["show", "fern"])["message"]).contains("git would wait"));
        std::fs::remove_file(pipe).unwrap();
    }
    // Git looks for none of its files in there.
    repo.git(["init", "-q", lease.path.join("nested").to_str().unwrap()]);
    make_pipe(&repo, &lease.path.join("nested/.gitignore"));
    make_pipe(&repo, &lease.path.join("pipe"));
    let shown = windrow(&repo, &["diff", "fern"]).text();
    assert!(shown.contains("src/deep/new.txt"), "{shown}");
}

#[test]
fn h56_a_release_does_not_wait_on_a_pipe_where_files_are_converted() {
    let repo = repository();
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("a.txt", "one\n");
    repo.commit("Convert");
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("a.txt", "two\r\n");
    std::fs::remove_file(lease.path.join(".gitattributes")).unwrap();
    make_pipe(&repo, &lease.path.join(".gitattributes"));
    let told = left_in_place(&repo, &["release", "fern"]).stderr_text();
    assert_eq!(state(&repo, "fern"), "quarantined", "{told}");
    assert_eq!(std::fs::read(lease.path.join("a.txt")).unwrap(), b"two\r\n");
    windrow(&repo, &["release", "fern", "--discard"]);
    assert!(!lease.path.exists());
}

#[test]
fn h56_a_pipe_among_build_output_does_not_keep_a_release_waiting() {
    let repo = repository();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("draft.txt", "draft");
    lease.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    lease.write("target/object", "o");
    make_pipe(&repo, &lease.path.join("target/.gitignore"));
    left_in_place(&repo, &["release", "fern"]);
    assert_eq!(std::fs::read(lease.path.join("draft.txt")).unwrap(), b"draft");
}
