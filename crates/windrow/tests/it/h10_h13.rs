//! H10 to H13: work that git's own checks do not see.

use std::{fs, path::Path};

use windrow_testkit::{TestRepo, assert_same};

use crate::{
    repo,
    saving::{
        bring_back, commit, files_of, give_back, give_back_with, lend, mode, put, rescue_of, rescues, status,
        there_and_back,
    },
};

/// Checks that a commit survives the strictest collection of garbage.
#[track_caller]
fn assert_kept(repo: &TestRepo, oid: &str) {
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "--quiet", "--prune=now"]);
    assert_eq!(repo.git(["cat-file", "-t", oid]), "commit");
}

#[test]
fn h10_ignored_files_of_a_clean_worktree_come_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    put(&fern, ".env", "SECRET=1\n");
    mode(&fern, ".env", 0o600);
    put(&fern, "data.log/local.sqlite", [0, 159, 146, 150]);
    assert_eq!(status(&repo, &fern), "", "git calls it clean");
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn h10_ignored_files_survive_the_run_of_a_committed_change() {
    let repo = repo();
    let script = "echo x > a.txt && git add a.txt && git commit --quiet -m Work && echo SECRET=1 > .env";
    repo.windrow(["run", "--name", "fern", "--", "sh", "-c", script])
        .env("GIT_CONFIG_GLOBAL", repo.surroundings().git_config())
        .run()
        .assert_success();
    let [rescue] = &rescues(&repo)[..] else { panic!("one rescue") };
    let back = bring_back(&repo, rescue);
    assert_eq!(fs::read(back.join(".env")).unwrap(), b"SECRET=1\n");
    assert_eq!(repo.git_in(&back, ["branch", "--show-current"]), "windrow/fern", "on its own branch again");
}

#[test]
fn h11_detached_commits_stay_reachable() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["checkout", "--quiet", "--detach"]);
    let tip = commit(&repo, &fern, "a.txt", "detached");
    let before = files_of(&fern, &[]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    assert_kept(&repo, &tip);
    let back = bring_back(&repo, &rescue);
    assert_same(&before, &files_of(&back, &[]));
    assert_eq!(repo.git_in(&back, ["rev-parse", "HEAD"]), tip);
}

#[test]
fn h11_commits_that_only_the_reflog_remembers_stay_reachable() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["checkout", "--quiet", "--detach"]);
    let left = commit(&repo, &fern, "a.txt", "left behind");
    repo.git_in(&fern, ["checkout", "--quiet", "windrow/fern"]);
    let reset = commit(&repo, &fern, "b.txt", "reset away");
    repo.git_in(&fern, ["reset", "--quiet", "--hard", "HEAD~"]);
    let amended = commit(&repo, &fern, "c.txt", "amended");
    repo.git_in(&fern, ["commit", "--quiet", "--amend", "--message", "Another"]);
    assert_eq!(status(&repo, &fern), "");
    rescue_of(&give_back(&repo, "fern"));
    for oid in [&left, &reset, &amended] {
        assert_kept(&repo, oid);
    }
}

#[test]
fn h11_commits_of_a_branch_that_the_agent_deleted_stay_reachable() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    let tip = commit(&repo, &fern, "a.txt", "x");
    repo.git_in(&fern, ["update-ref", "-d", "refs/heads/windrow/fern"]);
    let before = files_of(&fern, &[]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    assert_kept(&repo, &tip);
    assert_same(&before, &files_of(&bring_back(&repo, &rescue), &[]));
}

#[test]
fn h11_work_on_an_orphan_branch_comes_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["checkout", "--quiet", "--orphan", "fresh"]);
    repo.git_in(&fern, ["rm", "--quiet", "-r", "--cached", "."]);
    put(&fern, "begin.txt", "nothing committed yet");
    repo.git_in(&fern, ["add", "begin.txt"]);
    let before = files_of(&fern, &[]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.git(["commit", "--quiet", "--amend", "--message", "The base is on no branch any more"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "--quiet", "--prune=now"]);
    assert_same(&before, &files_of(&bring_back(&repo, &rescue), &[]));
}

#[test]
fn h12_edits_behind_assume_unchanged_and_skip_worktree_come_back() {
    let repo = repo();
    repo.write("other.txt", "committed\n");
    repo.commit("More");
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["update-index", "--assume-unchanged", "README.md"]);
    repo.git_in(&fern, ["update-index", "--skip-worktree", "other.txt"]);
    put(&fern, "README.md", "hidden edit\n");
    put(&fern, "other.txt", "hidden edit\n");
    assert_eq!(status(&repo, &fern), "", "git calls it clean");
    there_and_back(&repo, "fern", &fern, &[]);
}

#[test]
fn h12_an_edit_of_the_same_size_and_time_comes_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    let reference = fern.join("src/lib.rs");
    let length = repo.read("README.md").len();
    put(&fern, "README.md", "y".repeat(length));
    repo.command("touch", &fern)
        .args(["-r".as_ref(), reference.as_os_str(), "README.md".as_ref()])
        .run()
        .assert_success();
    repo.git(["config", "core.trustctime", "false"]);
    there_and_back(&repo, "fern", &fern, &[]);
}

/// Two branches that change the same line, so that anything between them stops.
fn in_conflict(repo: &TestRepo, fern: &Path) {
    commit(repo, fern, "f.txt", "ours\n");
    repo.git_in(fern, ["checkout", "--quiet", "-b", "side", "HEAD~"]);
    commit(repo, fern, "f.txt", "theirs\n");
    repo.git_in(fern, ["checkout", "--quiet", "windrow/fern"]);
}

/// Runs git where it is expected to stop.
#[track_caller]
fn stops(repo: &TestRepo, worktree: &Path, words: &[&str]) {
    let outcome = repo.git_invocation(worktree).args(words).run();
    assert_ne!(outcome.code, 0, "{outcome}");
}

#[test]
fn h13_a_rebase_in_progress_goes_on_where_it_stopped() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    in_conflict(&repo, &fern);
    commit(&repo, &fern, "later.txt", "later\n");
    stops(&repo, &fern, &["rebase", "side"]);
    let (said, before) = (repo.git_in(&fern, ["status"]), status(&repo, &fern));
    let back = there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(status(&repo, &back), before);
    assert_eq!(repo.git_in(&back, ["status"]), said);
    put(&back, "f.txt", "both\n");
    repo.git_in(&back, ["add", "f.txt"]);
    repo.git_in(&back, ["rebase", "--continue"]);
    assert_eq!(repo.git_in(&back, ["branch", "--show-current"]), "windrow/fern");
    let subjects = repo.git_in(&back, ["log", "--format=%s", "side.."]);
    assert_eq!(subjects, "Write later.txt\nWrite f.txt");
    assert_eq!(repo.git_in(&back, ["show", "HEAD:f.txt"]), "both");
}

#[test]
fn h13_a_merge_in_progress_goes_on_where_it_stopped() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    in_conflict(&repo, &fern);
    put(&fern, "untracked.txt", "beside it");
    stops(&repo, &fern, &["merge", "side"]);
    put(&fern, "f.txt", "half resolved\n");
    let before = status(&repo, &fern);
    let stages = repo.git_in(&fern, ["ls-files", "--stage"]);
    let rescue = rescue_of(&give_back(&repo, "fern"));
    repo.git(["gc", "--quiet", "--prune=now"]);
    let back = bring_back(&repo, &rescue);
    assert_eq!((status(&repo, &back), repo.git_in(&back, ["ls-files", "--stage"])), (before, stages));
    repo.git_in(&back, ["add", "f.txt"]);
    repo.git_in(&back, ["merge", "--continue"]);
    assert_eq!(repo.git_in(&back, ["rev-parse", "HEAD^2"]), repo.oid("side"));
}

#[test]
fn h13_a_merge_in_progress_keeps_its_empty_branch_until_it_is_discarded_by_name() {
    let repo = repo();
    repo.git(["checkout", "--quiet", "-b", "side"]);
    repo.write("side.txt", "side\n");
    repo.commit("Side");
    repo.git(["checkout", "--quiet", "main"]);
    for (words, fate) in [(&[][..], "stays"), (&["--discard"], "deleted")] {
        let fern = lend(&repo, "fern");
        repo.git_in(&fern, ["merge", "--quiet", "--no-ff", "--no-commit", "side"]);
        let released = give_back_with(&repo, "fern", words);
        assert_eq!(released["branch"]["kind"], fate, "{released:#}");
        repo.try_git(["branch", "--quiet", "-D", "windrow/fern"]);
    }
}

#[test]
fn h13_a_cherry_pick_and_a_revert_in_progress_come_back() {
    for words in [["cherry-pick", "side"], ["revert", "side"]] {
        let repo = repo();
        let fern = lend(&repo, "fern");
        in_conflict(&repo, &fern);
        stops(&repo, &fern, &words);
        let said = repo.git_in(&fern, ["status", "--porcelain=v2"]);
        let back = there_and_back(&repo, "fern", &fern, &[]);
        assert_eq!(repo.git_in(&back, ["status", "--porcelain=v2"]), said);
        repo.git_in(&back, [words[0], "--abort"]);
        assert_eq!(status(&repo, &back), "");
    }
}

#[test]
fn h13_a_bisection_on_an_empty_branch_goes_on_where_it_stopped() {
    let repo = repo();
    for number in 0..8 {
        repo.write("n", format!("{number}\n"));
        repo.commit(&format!("Commit {number}"));
    }
    let fern = lend(&repo, "fern");
    repo.git_in(&fern, ["bisect", "start", "HEAD", "HEAD~7"]);
    let (log, here) = (repo.git_in(&fern, ["bisect", "log"]), repo.git_in(&fern, ["rev-parse", "HEAD"]));
    let released = give_back(&repo, "fern");
    assert_eq!(released["branch"]["kind"], "stays", "the bisection goes back to it: {released:#}");
    let rescue = rescue_of(&released);
    let back = bring_back(&repo, &rescue);
    assert_eq!(repo.git_in(&back, ["bisect", "log"]), log);
    assert_eq!(repo.git_in(&back, ["rev-parse", "HEAD"]), here);
    repo.git_in(&back, ["bisect", "good"]);
    repo.git_in(&back, ["bisect", "reset"]);
    assert_eq!(repo.git_in(&back, ["branch", "--show-current"]), "windrow/fern");
}

#[test]
fn h13_a_split_index_in_conflict_comes_back() {
    let repo = repo();
    let fern = lend(&repo, "fern");
    in_conflict(&repo, &fern);
    repo.git_in(&fern, ["update-index", "--split-index"]);
    stops(&repo, &fern, &["-c", "splitIndex.maxPercentChange=100", "merge", "side"]);
    let before = status(&repo, &fern);
    let back = there_and_back(&repo, "fern", &fern, &[]);
    assert_eq!(status(&repo, &back), before);
}
