//! What goes on when the power is cut.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::BOUND;
use super::dice::Dice;
use super::work::Work;
use crate::{
    Binary, Cuttable, Include, Invocation, RepoFingerprint, Running, TestRepo, TreeSnapshot, poll_until,
};

/// The file systems are small.
const CONFIG: &str = "[pool]\nmin_free = \"1MiB\"\n";

/// What windrow is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SceneKind {
    /// `acquire`.
    Acquire,
    /// `run`, from the end of its command on.
    Run,
    /// `release`.
    Release,
    /// `restore`.
    Restore,
    /// `session end`.
    SessionEnd,
    /// Nothing that concerns the worktrees in place: one kept, one held by a process, one for a time.
    Standing,
}

impl SceneKind {
    /// All of them; those that save work more often.
    pub(super) const ALL: [Self; 9] = [
        Self::Acquire,
        Self::Run,
        Self::Run,
        Self::Release,
        Self::Release,
        Self::Release,
        Self::Restore,
        Self::SessionEnd,
        Self::Standing,
    ];
}

/// What must be so after the cut.
#[derive(Clone, Debug)]
pub(super) enum Promise {
    /// All of this work is somewhere: in its worktree, or on its branch and in a rescue.
    Saved(Work),
    /// This worktree is kept, with all its work in place.
    Kept(Work),
    /// This worktree is gone for good.
    Gone(String),
    /// This lease is on record, and no later one has a fence as low.
    Leased { name: String, lease: String, fence: u64 },
}

/// A repository with other people's things in it, and what is going on there.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) repo: TestRepo,
    /// Outside of what loses its power.
    pub(super) beside: tempfile::TempDir,
    pub(super) foreign: PathBuf,
    pub(super) main_before: RepoFingerprint,
    pub(super) foreign_before: TreeSnapshot,
    kind: SceneKind,
    works: Vec<Work>,
    /// What holds whether or not anything is acknowledged.
    promises: Vec<Promise>,
    keeps: bool,
    synced: bool,
    next: Next,
    /// Holds leases; lives on over the cut, as a process of another boot.
    holder: Running,
}

#[derive(Debug)]
enum Next {
    Start(Invocation),
    LetEnd(Running),
    Nothing,
}

/// What the cut interrupts.
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) since: Instant,
}

impl Scene {
    /// Sets the scene; what the user has is synced.
    pub(super) fn set(kind: SceneKind, dice: &mut Dice, cuttable: &Cuttable, binary: &Binary) -> Self {
        // No table of refs: git 2.47 writes the end of a compacted one after it has synced the rest, and a cut takes all refs.
        let repo = TestRepo::builder().inside(cuttable.path()).binary(binary.clone()).files(30).build();
        let config = repo.root().join("config/windrow");
        fs::create_dir(&config).expect("a directory can be made");
        fs::write(config.join("config.toml"), CONFIG).expect("the file can be written");
        let foreign = repo.root().join("foreign");
        repo.git(["worktree", "add", "--quiet", "-b", "foreign", "../foreign"]);
        fs::write(foreign.join("theirs"), "theirs").expect("the file can be written");
        repo.write("untracked.txt", "mine");
        repo.write("README.md", "mine");
        // A pool that was never used has no records yet.
        if dice.chance(80) {
            repo.windrow(["acquire", "--quiet", "--name", "first"]).run().assert_success();
            repo.windrow(["release", "--quiet", "first"]).run().assert_success();
        }
        cuttable.sync();
        let holder = repo.command("sleep", std::path::Path::new("/")).arg("600").spawn();
        let mut scene = Self {
            main_before: RepoFingerprint::of(&repo),
            foreign_before: TreeSnapshot::of(&foreign, &Include::Everything),
            beside: tempfile::tempdir().expect("a temporary directory can be made"),
            repo,
            foreign,
            kind,
            works: Vec::new(),
            promises: Vec::new(),
            keeps: dice.chance(25),
            synced: false,
            next: Next::Nothing,
            holder,
        };
        scene.prepare(dice);
        if matches!(kind, SceneKind::Restore | SceneKind::Standing) || dice.chance(50) {
            cuttable.sync();
            scene.promise_what_stands();
            scene.synced = true;
        }
        if scene.synced && scene.kind != SceneKind::Restore && dice.chance(30) {
            scene.go_on();
        }
        scene
    }

    /// Agents go on: nobody syncs what their git writes then, though it is about files that were synced.
    fn go_on(&mut self) {
        // Nobody works in one that is kept.
        for work in self.works.iter().filter(|work| work.name != "kept") {
            self.repo.git_in(&self.path_of(&work.name), ["add", "--all"]);
        }
        self.synced = self.works.is_empty();
    }

    /// Whether everything that anybody wrote had been synced when windrow began.
    pub(super) fn is_synced(&self) -> bool {
        self.synced && !matches!(self.kind, SceneKind::Acquire | SceneKind::Restore | SceneKind::Standing)
    }

    fn prepare(&mut self, dice: &mut Dice) {
        let pid = self.holder.pid().to_string();
        match self.kind {
            SceneKind::Acquire => {
                let bond: &[&str] = if dice.chance(50) { &["--pid", &pid] } else { &["--ttl", "1h"] };
                let line = ["acquire", "--json", "--name", "agent", "--key", "task"];
                self.next = Next::Start(self.repo.windrow(line).args(bond));
            }
            SceneKind::Run => {
                let running = self.run();
                self.work("agent", dice);
                self.next = Next::LetEnd(running);
            }
            SceneKind::Release => {
                self.acquire(&["--name", "agent", "--pid", &pid]);
                self.work("agent", dice);
                self.next = Next::Start(self.repo.windrow(["release", "agent", "--json"]).args(self.keep()));
            }
            SceneKind::Restore => {
                self.acquire(&["--name", "agent", "--pid", &pid]);
                self.work("agent", dice);
                let released =
                    self.repo.windrow(["release", "agent", "--json"]).run().assert_success().json();
                self.next = match released["released"]["rescue"]["id"].as_str() {
                    Some(id) => Next::Start(self.repo.windrow(["restore", id, "--json"])),
                    None => Next::Start(self.repo.windrow(["acquire", "--json"])),
                };
            }
            SceneKind::SessionEnd => {
                let session = self.repo.windrow(["session", "start", "--pid", &pid]).run().assert_success();
                let session = session.text();
                for name in ["agent", "second"] {
                    self.acquire(&["--name", name, "--session", &session]);
                    self.work(name, dice);
                }
                self.next = Next::Start(self.repo.windrow(["session", "end", &session, "--json"]));
            }
            SceneKind::Standing => {
                self.acquire(&["--name", "held", "--pid", &pid]);
                self.acquire(&["--name", "kept"]);
                self.acquire(&["--name", "timed", "--ttl", "1h"]);
                for name in ["held", "kept", "timed"] {
                    self.work(name, dice);
                }
                let keep = ["release", "kept", "--keep", "1h", "--quiet"];
                self.repo.windrow(keep).run().assert_success();
                self.next = Next::Start(self.repo.windrow(["acquire", "--json", "--name", "agent"]));
            }
        }
    }

    fn promise_what_stands(&mut self) {
        let promise = |work: &Work| match work.name.as_str() {
            "kept" => Promise::Kept(work.clone()),
            _ => Promise::Saved(work.clone()),
        };
        self.promises = self.works.iter().map(promise).collect();
    }

    fn keep(&self) -> &'static [&'static str] {
        if self.keeps { &["--keep", "1h"] } else { &[] }
    }

    fn acquire(&self, arguments: &[&str]) {
        self.repo.windrow(["acquire", "--quiet"]).args(arguments).run().assert_success();
    }

    fn work(&mut self, name: &str, dice: &mut Dice) {
        let path = self.path_of(name);
        self.works.push(Work::at(&self.repo, name, &path, dice));
    }

    /// Where a worktree lies.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.pool().join(name)
    }

    /// Where all worktrees lie.
    pub(super) fn pool(&self) -> PathBuf {
        let mut pool = self.repo.path().as_os_str().to_owned();
        pool.push(".windrow");
        pool.into()
    }

    /// Starts a command that waits for its end.
    fn run(&self) -> Running {
        let (ready, end) = (self.beside.path().join("ready"), self.beside.path().join("end"));
        let script = r#": > "$0"; while ! [ -e "$1" ]; do sleep 0.01; done"#;
        let line = self.repo.windrow(["run", "--json", "--name", "agent"]).args(self.keep());
        let line = line.args(["--", "sh", "-c", script]).arg(&ready).arg(end).bound(BOUND);
        let running = line.spawn();
        poll_until(Duration::from_secs(30), "the command runs", || ready.exists());
        running
    }

    /// Begins what the cut shall interrupt.
    pub(super) fn start(&mut self) -> Started {
        let running = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Start(invocation) => invocation.bound(BOUND).spawn(),
            Next::LetEnd(running) => {
                fs::write(self.beside.path().join("end"), "").expect("the file can be made");
                running
            }
            Next::Nothing => unreachable!("a scene is started once"),
        };
        Started { running, since: Instant::now() }
    }

    /// What holds after the cut, given what was acknowledged before it.
    pub(super) fn promises(&self, answer: Option<&Value>) -> Vec<Promise> {
        let mut promises = self.promises.clone();
        let Some(answer) = answer else { return promises };
        match self.kind {
            SceneKind::Run | SceneKind::Release => {
                promises.extend(self.works.iter().map(|work| self.given_back(work)));
                promises.extend(self.works.iter().cloned().map(Promise::Saved));
            }
            SceneKind::SessionEnd => {
                promises.extend(self.works.iter().map(|work| Promise::Gone(work.name.clone())));
                promises.extend(self.works.iter().cloned().map(Promise::Saved));
            }
            SceneKind::Acquire | SceneKind::Restore | SceneKind::Standing => {
                let lease = &answer["lease"];
                let text = |key: &str| lease[key].as_str().unwrap_or_default().to_owned();
                let fence = lease["fence"].as_u64().unwrap_or_default();
                // Its holder died with the machine, unless it is held for a time.
                let unbound = lease["holder"]["kind"] == "unbound";
                let lease = if unbound { text("id") } else { String::new() };
                promises.push(Promise::Leased { name: text("name"), lease, fence });
            }
        }
        promises
    }

    fn given_back(&self, work: &Work) -> Promise {
        if self.keeps { Promise::Kept(work.clone()) } else { Promise::Gone(work.name.clone()) }
    }

    /// The names that anything here went by.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.works.iter().map(|work| work.name.clone());
        names.chain(["agent".to_owned()]).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}
