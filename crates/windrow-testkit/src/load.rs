//! Many callers at once, with plain git at work beside them, and what they leave.

use std::fs::{self, File};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::{Outcome, Running, TestRepo, poll_for, processes_under};

/// How long one of many callers may take on a busy machine.
const BOUND: Duration = Duration::from_secs(110);

/// How long a background deleter may make no headway.
const STANDSTILL: Duration = Duration::from_secs(30);

/// The work of one agent: a change that all make differently, a file of its own, one commit.
const AGENT: &str = r#"set -e
test "$PWD" = "$WINDROW_PATH"
test "$(git symbolic-ref HEAD)" = "refs/heads/$WINDROW_BRANCH"
test -z "$(git status --porcelain --ignored)"
echo "$WINDROW_NAME" > README.md
mkdir agents && echo "by $WINDROW_NAME under fence $WINDROW_FENCE" > "agents/$WINDROW_NAME"
git add --all
git commit --quiet --message "$WINDROW_NAME"
"#;

/// How often plain git was called beside the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// `git worktree list`.
    pub lists: u64,
    /// `git fetch` that brought a new commit.
    pub fetches: u64,
    /// `git worktree prune`.
    pub prunes: u64,
}

impl TestRepo {
    /// Runs an agent for each name at once, with `windrow run --name NAME`, and returns how each ended, in order.
    #[track_caller]
    pub fn agents(&self, names: &[String]) -> Vec<Outcome> {
        let start = |name: &String| {
            self.windrow(["run", "--name", name, "--", "sh", "-c", AGENT]).bound(BOUND).spawn()
        };
        let running: Vec<Running> = names.iter().map(start).collect();
        running.into_iter().map(Running::wait).collect()
    }

    /// Lets `count` callers acquire and release at once; returns for each the lease and how its release ended.
    ///
    /// # Panics
    ///
    /// Panics when a call fails or does not print what it should.
    #[track_caller]
    pub fn callers(&self, count: usize) -> Vec<(Value, Value)> {
        thread::scope(|scope| {
            let callers: Vec<_> = (0..count).map(|_| scope.spawn(|| self.call())).collect();
            callers
                .into_iter()
                .map(|caller| caller.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    }

    fn call(&self) -> (Value, Value) {
        let leased = self.windrow(["acquire", "--json"]).bound(BOUND).run().assert_success().json();
        let id = leased["lease"]["id"].as_str().expect("a lease has an id").to_owned();
        let released = self.windrow(["release", "--json", &id]).bound(BOUND).run().assert_success().json();
        (leased, released)
    }

    /// Does `work` while `git worktree list`, `git fetch` of new commits from the [`remote`](Self::add_remote) and
    /// `git worktree prune` loop beside it.
    ///
    /// # Panics
    ///
    /// Panics when a call fails or complains.
    #[track_caller]
    pub fn beside_git<T>(&self, work: impl FnOnce() -> T) -> (T, Beside) {
        let remote = self.remote();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let lists =
                scope.spawn(|| repeat(&over, |_| self.quiet_git(&["worktree", "list", "--porcelain", "-z"])));
            let fetches = scope.spawn(|| repeat(&over, |number| self.fetch(&remote, number)));
            let prunes =
                scope.spawn(|| repeat(&over, |_| self.quiet_git(&["worktree", "prune", "--expire", "now"])));
            let stop = Stop(&over);
            let done = work();
            drop(stop);
            let [lists, fetches, prunes] =
                [lists, fetches, prunes].map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            (done, Beside { lists, fetches, prunes })
        })
    }

    fn remote(&self) -> PathBuf {
        self.root().join("remote.git")
    }

    /// Clones the repository and makes the clone its remote `origin`.
    #[track_caller]
    pub fn add_remote(&self) {
        self.git(["clone", "--quiet", "--bare", ".", "../remote.git"]);
        self.git(["remote", "add", "origin", "../remote.git"]);
        self.quiet_git(&["fetch", "--quiet", "--no-write-fetch-head", "origin"]);
    }

    fn fetch(&self, remote: &Path, number: u64) {
        let message = format!("Upstream {number}");
        let made = self.git_in(remote, ["commit-tree", "main^{tree}", "-p", "main", "-m", &message]);
        self.git_in(remote, ["update-ref", "refs/heads/main", &made]);
        self.quiet_git(&["fetch", "--quiet", "--no-write-fetch-head", "origin"]);
        assert_eq!(self.oid("refs/remotes/origin/main"), made);
    }

    fn quiet_git(&self, arguments: &[&str]) {
        let outcome = self.try_git(arguments).assert_success();
        assert!(outcome.stderr.is_empty(), "git complains: {outcome}");
    }

    /// Waits until everything that removed worktrees left in the trash is deleted, for as long as that goes on.
    ///
    /// # Panics
    ///
    /// Panics when nothing of it goes for half a minute.
    #[track_caller]
    pub fn wait_for_sweepers(&self) {
        let entries = || children(&self.pool().join(".trash"), &["sweep.lock"]).len();
        let mut left = entries();
        while left > 0 {
            left =
                poll_for(STANDSTILL, "the trash becomes less", || Some(entries()).filter(|now| *now < left));
        }
    }

    /// Describes everything that worktrees left, one line each: registrations, directories, trash, locks, exclusions,
    /// logs, rescues, processes. Empty when there is nothing.
    pub fn pool_leftovers(&self) -> Vec<String> {
        let state = self.git_dir().join("windrow");
        let mut left = children(&self.git_dir().join("worktrees"), &[]);
        left.extend(children(&self.pool(), &[".trash"]));
        left.extend(children(&self.pool().join(".trash"), &["sweep.lock"]));
        left.extend(children(
            &state.join("locks"),
            &["coordination.lock", "landing", "repository", "store.lock", "template", "warm"],
        ));
        left.extend(children(&state.join("logs"), &["_keeper.log"]));
        // A note that none is to be made for now.
        left.extend(children(&state.join("templates"), &["none"]));
        for directory in ["excludes", "land", "rescue", "scratch", "warm"] {
            left.extend(children(&state.join(directory), &[]));
        }
        left.extend(children(&state, &STATE));
        left.extend(processes_under(self.root()));
        left
    }

    /// Lets what a killed command left look old: by design it stays for a day. The next command that changes something removes it.
    ///
    /// # Panics
    ///
    /// Panics when the system's clock is before 1971.
    pub fn age_leftovers(&self) {
        let state = self.git_dir().join("windrow");
        let old = SystemTime::now().checked_sub(LONG_AGO).expect("an old system time");
        let below = ["locks", "excludes", "land", "rescue", "scratch"].map(|name| state.join(name));
        for directory in below.into_iter().chain([state.clone()]) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let records = STATE.iter().any(|kept| name == *kept);
                let opened = (!records).then(|| File::open(entry.path()).ok()).flatten();
                // It may have gone meanwhile; then it needs no age.
                let _ = opened.map(|file| file.set_modified(old));
            }
        }
    }

    /// Where the worktrees lie by default.
    fn pool(&self) -> PathBuf {
        let mut pool = self.path().as_os_str().to_owned();
        pool.push(".windrow");
        pool.into()
    }
}

/// So long ago that nobody comes back for it.
const LONG_AGO: Duration = Duration::from_secs(400 * 86_400);

/// What the state directory holds when no worktree is there.
const STATE: [&str; 12] = [
    "excludes",
    "land",
    "locks",
    "logs",
    "rescue",
    "reserve",
    "scratch",
    "state.db",
    "state.db-shm",
    "state.db-wal",
    "templates",
    "warm",
];

fn children(directory: &Path, expected: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let unexpected = entries.filter(|entry| !expected.iter().any(|name| entry.file_name() == *name));
    unexpected.map(|entry| entry.path().display().to_string()).collect()
}

/// Ends the loops, also when the work panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn repeat(over: &AtomicBool, mut act: impl FnMut(u64)) -> u64 {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        act(count);
        count += 1;
    }
    count
}
