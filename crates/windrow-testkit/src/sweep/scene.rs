//! The repository that strikes fall on, with everything in it that must never change.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Backend, Found, work::Work};
use crate::poll::poll_quietly;
use crate::{Binary, Include, Invocation, Outcome, RepoFingerprint, TestRepo, TreeSnapshot};

/// How long a command may take before it counts as hanging.
const BOUND: Duration = Duration::from_secs(40);

/// How long work in the background may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a worktree may be left in place with a doubt; what could not be read or written for a moment is reason enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    Allowed,
}

/// A repository with work of others in and around it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) repo: TestRepo,
    /// Where agents note what they did; outside, so that it is not part of what is counted.
    diaries: tempfile::TempDir,
    number: Cell<u64>,
    main: RepoFingerprint,
    foreign: Vec<(PathBuf, TreeSnapshot)>,
    /// What doctor says of the untouched scene.
    known: BTreeSet<String>,
    /// The files of a new worktree.
    pub(super) fresh: TreeSnapshot,
}

impl Scene {
    /// Makes the repository and everything around it.
    #[track_caller]
    pub(super) fn new(binary: &Binary, backend: Backend, inside: Option<&Path>) -> Self {
        let builder = TestRepo::builder().binary(binary.clone());
        let builder = match inside {
            Some(place) => builder.inside(place),
            None => builder,
        };
        let repo = match backend {
            Backend::Files => builder.build(),
            Backend::Reftable => builder.reftable().build(),
        };
        let foreign = furnish(&repo);
        let mut scene = Self {
            main: RepoFingerprint::of(&repo),
            foreign: foreign.into_iter().map(|path| (path.clone(), everything(&path))).collect(),
            repo,
            diaries: tempfile::tempdir().expect("a temporary directory can be made"),
            number: Cell::new(0),
            known: BTreeSet::new(),
            fresh: TreeSnapshot::of(Path::new("/nonexistent"), &Include::Everything),
        };
        let path = scene.acquire(&["--name", "fern"]);
        scene.fresh = without_link(&path);
        scene.call(&["release", "fern"]).assert_success();
        scene.known = scene.findings().into_iter().collect();
        scene
    }

    /// Gives a number that no other point of this scene has.
    pub(super) fn next(&self) -> u64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// A place for the notes of an agent.
    pub(super) fn diary(&self) -> PathBuf {
        self.diaries.path().join(self.next().to_string())
    }

    /// Prepares a call of the program.
    pub(super) fn windrow(&self, words: &[&str]) -> Invocation {
        self.repo.windrow(words).bound(BOUND)
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(super) fn call(&self, words: &[&str]) -> Outcome {
        self.windrow(words).run()
    }

    /// Leases a worktree and returns where it is.
    #[track_caller]
    pub(super) fn acquire(&self, words: &[&str]) -> PathBuf {
        self.call(&[&["acquire"], words].concat()).assert_success().text().into()
    }

    /// The worktrees that are on record.
    #[track_caller]
    pub(super) fn worktrees(&self) -> Vec<Value> {
        let list = self.call(&["list", "--json"]).assert_success().json();
        list["worktrees"].as_array().expect("a list").clone()
    }

    /// The worktree of a name.
    #[track_caller]
    pub(super) fn worktree(&self, name: &str) -> Option<Value> {
        self.worktrees().into_iter().find(|worktree| worktree["name"] == name)
    }

    /// Holds worktrees ready.
    #[track_caller]
    pub(super) fn ready(&self, count: u32) {
        self.call(&["pool", "warm", &count.to_string(), "--wait"]).assert_success();
    }

    /// Makes a template of another commit than the main checkout's.
    #[track_caller]
    pub(super) fn template_of_another_commit(&self) {
        self.call(&["pool", "template", "--base", BEFORE]).assert_success();
    }

    /// Makes a template that overlays can be laid over.
    #[track_caller]
    pub(super) fn template_for_overlays(&self) {
        self.call(&["pool", "template", "--config", "pool.strategy=\"overlay\""]).assert_success();
    }

    /// The rescues of a worktree, oldest first.
    #[track_caller]
    pub(super) fn rescues(&self, name: Option<&str>) -> Vec<String> {
        let list = self.call(&["rescue", "list", "--json"]).assert_success().json();
        let all = list["rescues"].as_array().expect("a list").clone();
        let wanted = all.into_iter().filter(|rescue| name.is_none_or(|name| rescue["worktree"] == name));
        wanted.map(|rescue| text(&rescue["id"])).collect()
    }

    /// Checks that work is where its owner finds it: in its worktree, or in a rescue that brings it back.
    pub(super) fn find(&self, work: &Work) -> Found {
        if let Some(head) = &work.head {
            let branch = format!("refs/heads/windrow/{}", work.name);
            let there = self.repo.try_git(["merge-base", "--is-ancestor", head, &branch]);
            if there.code != 0 {
                return Err(format!("commit {head} is not on {branch}: {there}"));
            }
        }
        if let Some(worktree) = self.worktree(&work.name) {
            work.missing_in(Path::new(&text(&worktree["path"])))?;
            let released = self.call(&["release", &work.name]);
            if released.code != 0 {
                return Err(format!("`{}` cannot be released: {released}", worktree["name"]));
            }
        }
        if work.is_committed() { Ok(()) } else { self.bring_back(work) }
    }

    fn bring_back(&self, work: &Work) -> Found {
        let rescues = self.rescues(Some(&work.name));
        let Some(rescue) = rescues.last() else {
            return Err(format!("work lost: `{}` has no worktree and no rescue", work.name));
        };
        let name = format!("back-{}", self.next());
        let restored = self.call(&["restore", rescue, "--name", &name]);
        if restored.code != 0 {
            return Err(format!("the rescue cannot be restored: {restored}"));
        }
        let place = PathBuf::from(restored.text());
        work.missing_in(&place)?;
        let staged = self.repo.git_in(&place, ["diff", "--cached", "--name-only"]);
        let wanted = work.files.iter().any(|(path, _)| path == Path::new("staged.txt"));
        if wanted && staged != "staged.txt" {
            return Err(format!("work lost: {staged:?} is staged instead of `staged.txt`"));
        }
        Ok(())
    }

    /// Checks everything that holds at every moment between two commands.
    pub(super) fn check(&self, doubt: Doubt) -> Found {
        let mut wrong = self.main.differences(&RepoFingerprint::of(&self.repo));
        for (path, before) in &self.foreign {
            let lines = before.differences(&everything(path)).into_iter();
            wrong.extend(lines.map(|line| format!("of others: {}: {line}", path.display())));
        }
        wrong.extend(self.disagreements(doubt));
        let findings = self.findings().into_iter().filter(|finding| !self.known.contains(finding));
        let findings = findings.filter(|finding| doubt == Doubt::None || !finding.contains("is quarantined"));
        wrong.extend(findings.map(|finding| format!("doctor: {finding}")));
        wrong.extend(self.locks());
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Where the list of windrow and that of git differ.
    fn disagreements(&self, doubt: Doubt) -> Vec<String> {
        let listed = self.repo.git(["worktree", "list", "--porcelain"]);
        let own = [self.repo.path().to_owned(), self.foreign_worktree(), self.desk()];
        let git: BTreeSet<PathBuf> = listed
            .lines()
            .filter_map(|line| line.strip_prefix("worktree "))
            .map(PathBuf::from)
            .filter(|path| !own.contains(path))
            .collect();
        let worktrees = self.worktrees();
        let ours = worktrees.iter().map(|worktree| PathBuf::from(text(&worktree["path"]))).collect();
        let mut wrong: Vec<String> = git
            .symmetric_difference(&ours)
            .map(|path| format!("only one lists {}", path.display()))
            .collect();
        let unsettled = |worktree: &&Value| {
            let doubted = worktree["state"] == "quarantined" && doubt == Doubt::Allowed;
            !doubted && !["leased", "kept", "idle"].iter().any(|state| worktree["state"] == *state)
        };
        wrong.extend(worktrees.iter().filter(unsettled).map(|worktree| format!("not settled: {worktree}")));
        wrong
    }

    fn findings(&self) -> Vec<String> {
        let document = self.call(&["doctor", "--json"]).json();
        let findings = document["findings"].as_array().expect("a list").iter();
        // Notes say what goes by itself.
        findings.filter(|one| one["severity"] == "problem").map(|one| text(&one["text"])).collect()
    }

    /// Lock files of git that nobody holds any more, and what else stops the next git.
    fn locks(&self) -> Vec<String> {
        let mut found = Vec::new();
        let skipped = [self.repo.git_dir().join("windrow"), self.repo.git_dir().join("worktrees/foreign")];
        collect_locks(&self.repo.git_dir(), &skipped, &mut found);
        found.into_iter().map(|path| format!("a stale lock: {}", path.display())).collect()
    }

    pub(super) fn foreign_worktree(&self) -> PathBuf {
        self.repo.root().join("foreign")
    }

    /// Where a checkout lies that a landing may change.
    pub(super) fn desk(&self) -> PathBuf {
        self.repo.root().join("desk")
    }

    /// Gives everything back that is left, as its owner would, and checks that nothing else is.
    pub(super) fn clear(&self) -> Found {
        for worktree in self.worktrees() {
            self.finish(&["release", &text(&worktree["name"]), "--discard"])?;
        }
        self.finish(&["pool", "resize", "0"])?;
        self.finish(&["pool", "template", "--remove"])?;
        for rescue in self.rescues(None) {
            self.finish(&["rescue", "drop", &rescue])?;
        }
        let branches = self.repo.git(["for-each-ref", "--format=delete %(refname)", "refs/heads/windrow"]);
        if !branches.is_empty() {
            let deleted = self.repo.git_invocation(self.repo.path()).args(["update-ref", "--stdin"]);
            let deleted = deleted.stdin(branches + "\n").run();
            if deleted.code != 0 {
                return Err(format!("a branch cannot be deleted: {deleted}"));
            }
        }
        self.repo.age_leftovers();
        self.nudge()?;
        self.repo.wait_for_sweepers();
        let expected = [self.repo.git_dir().join("worktrees/foreign"), pool(&self.repo).join("notes.txt")];
        let expected = expected.map(|path| path.display().to_string());
        let look = || {
            let mut left = self.repo.pool_leftovers();
            left.retain(|line| !expected.contains(line));
            left
        };
        // A sweeper that has done its work takes a moment to end.
        poll_quietly(PATIENCE, || look().is_empty().then_some(()));
        let mut left = look();
        let refs = self.repo.git(["for-each-ref", "refs/windrow", "refs/heads/windrow"]);
        left.extend(refs.lines().map(str::to_owned));
        if left.is_empty() { Ok(()) } else { Err(format!("left behind:\n{}", left.join("\n"))) }
    }

    /// Checks the objects.
    pub(super) fn fsck(&self) -> Found {
        let checked = self.repo.try_git(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]);
        if checked.code == 0 { Ok(()) } else { Err(format!("git fsck: {checked}")) }
    }

    /// Any command that changes something.
    pub(super) fn nudge(&self) -> Found {
        let acquired = self.call(&["acquire", "--name", "nudge", "--detach", "--no-carry"]);
        if acquired.code != 0 {
            return Err(format!("the next command fails: {acquired}"));
        }
        self.finish(&["release", "nudge"])
    }

    pub(super) fn finish(&self, words: &[&str]) -> Found {
        let outcome = self.call(words);
        if outcome.code == 0 { Ok(()) } else { Err(format!("a command fails afterwards: {outcome}")) }
    }
}

/// A branch at a commit that has nothing in common with the main checkout's but some files.
const BEFORE: &str = "refs/heads/before";

/// Puts the work of others in and around a repository; returns the places.
#[track_caller]
fn furnish(repo: &TestRepo) -> Vec<PathBuf> {
    repo.write(".claude/notes.md", "carried\n");
    repo.write("README.md", "# Stashed\n");
    repo.git(["stash"]);
    repo.write("README.md", "# Changed\n");
    repo.write("src/staged.rs", "//! Staged.\n");
    repo.git(["add", "src/staged.rs"]);
    repo.write(".env", "SECRET=mine\n");
    let before = repo.git(["commit-tree", "-m", "Before", "HEAD:src"]);
    repo.git(["update-ref", BEFORE, &before]);
    let place = repo.root().join("foreign");
    repo.git(["worktree", "add", "--quiet", "-b", "foreign", place.to_str().expect("UTF-8")]);
    repo.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n");
    fs::write(place.join("uncommitted.txt"), "of somebody\n").expect("written");
    let admin = repo.git_dir().join("worktrees/foreign");
    fs::write(admin.join("index.lock"), "").expect("written");
    let notes = pool(repo).join("notes.txt");
    fs::create_dir(pool(repo)).expect("made");
    fs::write(&notes, "mine\n").expect("written");
    vec![place, admin]
}

fn pool(repo: &TestRepo) -> PathBuf {
    repo.path().with_file_name("repo.windrow")
}

fn everything(path: &Path) -> TreeSnapshot {
    TreeSnapshot::of(path, &Include::Everything)
}

/// All of a worktree but the file that names its administrative directory.
pub(super) fn without_link(worktree: &Path) -> TreeSnapshot {
    TreeSnapshot::of(worktree, &Include::without_git())
}

fn collect_locks(directory: &Path, skipped: &[PathBuf], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if skipped.contains(&path) {
            continue;
        }
        if path.is_dir() {
            collect_locks(&path, skipped, found);
        } else if path.extension().is_some_and(|extension| extension == "lock")
            || path.ends_with("packed-refs.new")
        {
            found.push(path);
        }
    }
}

#[track_caller]
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).to_owned()
}
