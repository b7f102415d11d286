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

#[test]
fn h33_a_dropping_that_failed_half_way_is_finished_by_a_command_that_lets_another_one_expire() {
    let repo = repository();
    let [old, new] = ["old", "new"].map(|name| {
        acquire(&repo, &["--name", name]).write(".env", "ignored");
        windrow(&repo, &["release", name]);
        let [id] = rescues(&repo, name).try_into().unwrap();
        id
    });
    let all = repo.git_dir().join("windrow/rescue");
    let archives = || fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().path());
    let of_new =
        archives().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&new)).unwrap();
    // A directory cannot be deleted like a file; the ref has gone by then.
    fs::remove_file(&of_new).unwrap();
    fs::create_dir(&of_new).unwrap();
    repo.windrow(["rescue", "drop", &new]).run().assert_code(1);
    fs::remove_dir(&of_new).unwrap();
    assert_eq!((rescues(&repo, "old"), rescues(&repo, "new")), (vec![old], vec![new]));
    // The newest archive is within every budget.
    windrow(&repo, &["--config", "rescue.total_size=1B", "acquire", "--name", "other"]);
    assert_eq!((rescues(&repo, "old"), rescues(&repo, "new")), (vec![], vec![]));
    assert_eq!((archives().count(), repo.git(["for-each-ref", "refs/windrow"])), (0, String::new()));
}
