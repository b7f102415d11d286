//! Rescues that somebody began to drop.

use std::fs;

use windrow_testkit::{Fault, inject};

use crate::pool::{acquire, nudge, repository, rescues, restore, windrow};

#[test]
fn h33_a_rescue_whose_dropping_was_killed_is_whole_or_goes() {
    let repo = repository();
    for nth in 1..=4 {
        let lease = acquire(&repo, &["--name", "fern"]);
        lease.write(".env", "ignored");
        lease.write("notes.txt", "untracked");
        windrow(&repo, &["release", "fern"]);
        let [id] = rescues(&repo, "fern").try_into().unwrap();
        let Some(killed) = inject(repo.windrow(["rescue", "drop", &id]), "unlink,unlinkat", Fault::Kill, nth)
        else {
            return;
        };
        killed.run();
        nudge(&repo);
        if rescues(&repo, "fern").is_empty() {
            let left = fs::read_dir(repo.git_dir().join("windrow/rescue")).unwrap().count();
            assert_eq!((left, repo.git(["for-each-ref", "refs/windrow"])), (0, String::new()), "at {nth}");
        } else {
            let back = restore(&repo, "fern");
            assert_eq!(fs::read(back.path.join(".env")).unwrap(), b"ignored", "at {nth}");
            windrow(&repo, &["release", &back.name, "--discard"]);
            windrow(&repo, &["rescue", "drop", &id]);
        }
    }
}
