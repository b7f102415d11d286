//! What happens while something lands: the user commits, rebases or bisects, the target moves, the agent goes on.

use std::{
    fs,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use windrow_testkit::{Running, poll_until};

use super::*;
use crate::repo;

const BOUND: Duration = Duration::from_secs(100);

#[test]
fn h46_a_checkout_in_the_middle_of_something_is_left_alone() {
    let repo = repo();
    repo.write("f", "1");
    repo.commit("One");
    repo.write("f", "2");
    repo.commit("Two");
    repo.git(["checkout", "-q", "-b", "side", "HEAD^"]);
    repo.write("f", "other");
    repo.commit("Side");
    repo.git(["checkout", "-q", "main"]);
    agent(&repo, "fern", "echo theirs > new.txt");
    let begin: [(&str, &[&str], &[&str]); 4] = [
        ("a merge", &["merge", "side"], &["merge", "--abort"]),
        ("a rebase", &["rebase", "side"], &["rebase", "--abort"]),
        ("a cherry-pick", &["cherry-pick", "side"], &["cherry-pick", "--abort"]),
        ("a bisect", &["bisect", "start", "main", "main~2"], &["bisect", "reset"]),
    ];
    for (what, begin, abort) in begin {
        repo.try_git(begin);
        let before = Everything::of(&repo);
        let error = refused(&repo, 75, &["fern"]);
        assert_eq!(error["code"], "BUSY", "{what}: {error}");
        before.assert_same(&repo, what);
        repo.git(abort);
    }
    land(&repo, &["fern"]);
    clean(&repo, repo.path());
}

/// Holds the index as the user's git does, so that a landing waits behind it.
fn held(repo: &TestRepo, arguments: &[&str]) -> Running {
    fs::write(repo.git_dir().join("index.lock"), "").unwrap();
    let waiting = repo.windrow(["land", "--json"]).args(arguments).bound(BOUND).spawn();
    let kept = || !repo.git(["for-each-ref", "refs/windrow/cand"]).is_empty();
    poll_until(BOUND, "the landing to wait for the index", kept);
    waiting
}

fn let_go(repo: &TestRepo) {
    fs::remove_file(repo.git_dir().join("index.lock")).unwrap();
}

#[test]
fn h48_a_target_that_moved_is_landed_on_where_it_is() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let waiting = held(&repo, &["fern"]);
    let moved = repo.git(["commit-tree", "-p", "main", "-m", "Meanwhile", "main^{tree}"]);
    repo.git(["update-ref", "refs/heads/main", &moved]);
    let_go(&repo);
    let document = waiting.wait().assert_success().json();
    assert_eq!(document["landing"]["before"], moved);
    assert_eq!(repo.oid("main^1"), moved);
    clean(&repo, repo.path());
    nothing_left(&repo);
}

#[test]
fn h51_what_the_agent_commits_later_stays_on_its_branch() {
    let repo = repo();
    repo.write(".git/windrow/config.toml", "[branch]\ndelete = \"landed\"\n");
    let first = agent(&repo, "fern", "echo theirs > new.txt");
    let waiting = held(&repo, &["fern"]);
    let later = repo.git(["commit-tree", "-p", "windrow/fern", "-m", "Later", "windrow/fern^{tree}"]);
    repo.git(["update-ref", "refs/heads/windrow/fern", &later]);
    let_go(&repo);
    let document = waiting.wait().assert_success().json();
    assert_eq!(document["landing"]["source"], first);
    assert_eq!((repo.oid("main^2"), repo.oid("windrow/fern")), (first, later));
    assert_eq!(document["landing"]["branch_deleted"], false);
}

#[test]
fn h50_one_effect_lands_once() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    assert_eq!(land(&repo, &["fern", "--squash"])["fate"], "landed");
    for strategy in ["squash", "merge", "rebase"] {
        assert_eq!(land(&repo, &["fern", "--strategy", strategy])["fate"], "already_there");
    }
    assert_eq!(repo.git(["rev-list", "--count", "main"]), "2");
    // A key lands once, also when the agent did it again and differently.
    agent(&repo, "moss", "echo once > moss.txt");
    let done = land(&repo, &["moss", "--land-key", "effect-7"]);
    agent(&repo, "reed", "echo twice > moss.txt");
    let again = land(&repo, &["reed", "--land-key", "effect-7"]);
    assert_eq!((&again["fate"], &again["id"]), (&"already_there".into(), &done["id"]));
    assert_eq!(repo.read("moss.txt"), b"once\n");
}

#[test]
fn h50_two_that_land_the_same_at_once_land_it_once() {
    let repo = repo();
    agent(&repo, "fern", "echo theirs > new.txt");
    let running: Vec<Running> =
        (0..4).map(|_| repo.windrow(["land", "--json", "--squash", "fern"]).bound(BOUND).spawn()).collect();
    let fates: Vec<_> = running
        .into_iter()
        .map(|one| one.wait().assert_success().json()["landing"]["fate"].clone())
        .collect();
    assert_eq!(fates.iter().filter(|fate| **fate == "landed").count(), 1, "{fates:?}");
    assert_eq!(repo.git(["rev-list", "--count", "main"]), "2");
}

/// How often the user commits.
const RATE: Duration = Duration::from_millis(200);

/// Tells somebody that it is over.
#[derive(Default)]
struct Over(Mutex<bool>, Condvar);

impl Over {
    /// Waits for the end, but not for longer.
    fn within(&self, time: Duration) -> bool {
        let over = self.0.lock().unwrap();
        *self.1.wait_timeout_while(over, time, |over| !*over).unwrap().0
    }
}

/// Tells it in any case.
struct Ends<'a>(&'a Over);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[test]
fn h46_agents_land_together_while_the_user_commits() {
    const AGENTS: usize = 10;
    let repo = repo();
    repo.write("user.txt", "0");
    repo.commit("The user's file");
    repo.write("untracked", "mine");
    repo.write(".env", "SECRET");
    repo.write("staged", "staged");
    repo.git(["add", "staged"]);
    let (over, commits) = (Over::default(), AtomicU32::new(0));
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.within(RATE) {
                let number = commits.load(Ordering::Relaxed) + 1;
                repo.write("user.txt", number.to_string());
                let committed = repo.try_git(["commit", "-q", "-m", "By the user", "--", "user.txt"]);
                if committed.code == 0 {
                    commits.store(number, Ordering::Relaxed);
                } else {
                    let said = committed.stderr_text();
                    assert!(said.contains("index.lock"), "the user's git was refused otherwise: {said}");
                }
            }
        });
        let _over = Ends(&over);
        let script = "echo $WINDROW_NAME > agent-$WINDROW_NAME; git add .; git commit -qm $WINDROW_NAME";
        let run = |name: String| {
            let words = ["run", "--name", &name, "--land=squash", "--json", "--", "sh", "-c", script];
            repo.windrow(words).bound(BOUND).spawn()
        };
        let running: Vec<Running> = (0..AGENTS).map(|number| run(format!("agent-{number}"))).collect();
        running.into_iter().map(Running::wait).collect()
    });
    for outcome in outcomes {
        outcome.assert_success();
    }
    let subjects = repo.git(["log", "--format=%s"]);
    for number in 0..AGENTS {
        let name = format!("agent-{number}");
        assert_eq!(subjects.lines().filter(|line| *line == name).count(), 1, "{name}");
        assert_eq!(repo.read(format!("agent-{name}")), format!("{name}\n").as_bytes());
    }
    let by_user = subjects.lines().filter(|line| *line == "By the user").count();
    assert_eq!(u32::try_from(by_user).unwrap(), commits.load(Ordering::Relaxed));
    let status = repo.git(["status", "--porcelain"]);
    let status: Vec<_> = status.lines().filter(|line| !line.ends_with("user.txt")).collect();
    assert_eq!(status, ["A  staged", "?? untracked"]);
    assert_eq!((repo.read("untracked"), repo.read(".env")), (b"mine".to_vec(), b"SECRET".to_vec()));
    nothing_left(&repo);
}
