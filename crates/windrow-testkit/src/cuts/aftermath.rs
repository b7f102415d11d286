//! What is left after a power cut, and whether it is as it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::dice::Dice;
use super::scene::{Promise, Scene};
use super::work::Work;
use super::{BOUND, outlast};
use crate::poll::poll_quietly;
use crate::{Cuttable, Include, Invocation, Outcome, RepoFingerprint, TreeSnapshot};

/// Runs its other arguments as if the machine had been started anew.
const REBOOTED: [&str; 6] = [
    "unshare",
    "--mount",
    "--",
    "sh",
    "-c",
    r#"mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@""#,
];

/// How long work in the background may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found.
pub(super) struct Found {
    /// What is wrong, one line each.
    pub(super) wrong: Vec<String>,
    /// How many worktrees windrow leaves in place, because what nobody had synced is damaged.
    pub(super) set_aside: usize,
}

/// Lets windrow heal, then checks everything.
pub(super) fn look(scene: &Scene, answer: Option<&Value>, dice: &mut Dice, cuttable: &mut Cuttable) -> Found {
    let promises = scene.promises(answer);
    let mut aftermath = Aftermath { scene, wrong: Vec::new(), set_aside: 0, tried: 0, boot: PathBuf::new() };
    aftermath.reboot(dice);
    if dice.chance(25) {
        aftermath.cut_again(dice, cuttable);
    }
    aftermath.heal(dice, &promises);
    aftermath.check_others();
    aftermath.check_git();
    aftermath.check_leases();
    promises.iter().for_each(|promise| aftermath.check(promise));
    aftermath.use_again();
    aftermath.clear();
    Found { wrong: aftermath.wrong, set_aside: aftermath.set_aside }
}

struct Aftermath<'s> {
    scene: &'s Scene,
    wrong: Vec<String>,
    set_aside: usize,
    /// How many rescues were tried.
    tried: usize,
    /// The file with the boot id.
    boot: PathBuf,
}

impl Aftermath<'_> {
    fn reboot(&mut self, dice: &mut Dice) {
        let id = format!("{:08x}-0000-4000-8000-{:012x}\n", dice.below(1 << 32), dice.below(1 << 48));
        self.boot = self.scene.beside.path().join(format!("boot-{}", id.trim_end()));
        fs::write(&self.boot, id).expect("the file can be written");
    }

    fn windrow(&self, line: &[&str]) -> Invocation {
        let wrapper = REBOOTED.iter().map(PathBuf::from).chain([self.boot.clone()]);
        self.scene.repo.windrow(line).wrapped_in(wrapper).bound(BOUND)
    }

    /// Runs windrow, which has to succeed.
    fn call(&mut self, line: &[&str]) -> Option<Value> {
        let outcome = self.windrow(line).run();
        if outcome.code != 0 {
            self.wrong.push(format!("windrow fails after the cut: {outcome}"));
            return None;
        }
        Some(serde_json::from_slice(&outcome.stdout).unwrap_or(Value::Null))
    }

    /// Healing may be interrupted too.
    fn cut_again(&mut self, dice: &mut Dice, cuttable: &mut Cuttable) {
        let since = Instant::now();
        let running = self.windrow(&["acquire", "--json", "--name", "interrupted"]).spawn();
        outlast(since + dice.share_of(Duration::from_millis(300)));
        cuttable.cut();
        drop(running);
        cuttable.power_on();
        self.reboot(dice);
    }

    /// Any command that changes something heals.
    fn heal(&mut self, dice: &mut Dice, promises: &[Promise]) {
        if dice.chance(25) {
            self.call(&["reconcile", "--json"]);
        }
        let lease = self.call(&["acquire", "--json", "--name", "probe", "--detach"]);
        let fence = lease.map_or(u64::MAX, |lease| lease["lease"]["fence"].as_u64().unwrap_or_default());
        for promise in promises {
            if let Promise::Leased { name, fence: before, .. } = promise
                && fence <= *before
            {
                self.wrong.push(format!("fence {fence} was given to `{name}` as {before} before"));
            }
        }
        self.call(&["release", "--json", "probe"]);
    }

    fn check_others(&mut self) {
        let repo = &self.scene.repo;
        let differences = self.scene.main_before.differences(&RepoFingerprint::of(repo));
        self.wrong.extend(differences.into_iter().map(|line| format!("main checkout: {line}")));
        let foreign = TreeSnapshot::of(&self.scene.foreign, &Include::Everything);
        let differences = self.scene.foreign_before.differences(&foreign);
        self.wrong.extend(differences.into_iter().map(|line| format!("foreign worktree: {line}")));
    }

    /// Plain git has nothing to complain of, and knows of no other worktrees than windrow.
    fn check_git(&mut self) {
        // What an agent's own git wrote and nobody synced may be damaged.
        let others = ["for-each-ref", "refs/heads/main", "refs/heads/foreign", "refs/windrow"];
        let refs = if self.scene.is_synced() { &others[..1] } else { &others };
        let calls: [&[&str]; 4] = [
            refs,
            &["status", "--porcelain"],
            &["worktree", "list", "--porcelain"],
            &["-C", "../foreign", "status", "--porcelain"],
        ];
        for call in calls {
            let outcome = self.scene.repo.try_git(call);
            self.expect_quiet(&outcome);
        }
        let saved = self.scene.repo.git(["for-each-ref", "--format=%(refname)", "refs/windrow"]);
        for name in saved.lines() {
            self.check_objects(name);
        }
        let known = self.worktrees().into_values().map(|one| text(&one["path"]));
        let own = [&self.scene.foreign, self.scene.repo.path()];
        let known: BTreeSet<String> = known.chain(own.map(|path| path.display().to_string())).collect();
        let listed = self.scene.repo.git(["worktree", "list", "--porcelain"]);
        for path in listed.lines().filter_map(|line| line.strip_prefix("worktree ")) {
            if !known.contains(path) {
                self.wrong.push(format!("git lists {path}, windrow does not"));
            }
        }
    }

    fn expect_quiet(&mut self, outcome: &Outcome) {
        if outcome.code != 0 || !outcome.stderr.is_empty() {
            self.wrong.push(format!("git complains: {outcome}"));
        }
    }

    fn check_objects(&mut self, name: &str) {
        let walk = ["rev-list", "--objects", "--quiet", name];
        let outcome = self.scene.repo.try_git(walk);
        self.expect_quiet(&outcome);
    }

    /// Every worktree that windrow knows, by name.
    fn worktrees(&mut self) -> BTreeMap<String, Value> {
        let listed = self.call(&["list", "--json"]).unwrap_or_default();
        let all = listed["worktrees"].as_array().cloned().unwrap_or_default();
        all.into_iter().map(|one| (text(&one["name"]), one)).collect()
    }

    /// The log of events knows at most one lease of each worktree at any time.
    fn check_leases(&mut self) {
        let logged = self.call(&["events", "--json"]).unwrap_or_default();
        let mut held = BTreeMap::new();
        for event in logged["events"].as_array().into_iter().flatten() {
            let (worktree, lease) = (text(&event["worktree"]), text(&event["lease"]));
            match event["kind"].as_str() {
                Some("lease.acquired") => {
                    if let Some(other) = held.insert(worktree.clone(), lease.clone()) {
                        self.wrong.push(format!("`{worktree}` is held twice: {other} and {lease}"));
                    }
                }
                Some("lease.released" | "lease.taken_over" | "worktree.gone") => {
                    held.remove(&worktree);
                }
                _ => {}
            }
        }
    }

    fn check(&mut self, promise: &Promise) {
        let worktrees = self.worktrees();
        let wrong = match promise {
            Promise::Saved(work) => self.lost(work, &worktrees),
            Promise::Kept(work) => match worktrees.get(&work.name) {
                Some(one) if one["state"] == "kept" => {
                    work.difference(&self.scene.repo, &self.scene.path_of(&work.name))
                }
                other => Some(format!("it is not kept: {other:?}")),
            }
            .map(|what| format!("`{}` was kept: {what}", work.name)),
            Promise::Gone(name) => {
                let there = worktrees.get(name).map(ToString::to_string);
                let there = there.or_else(|| {
                    self.scene.path_of(name).exists().then(|| "its directory is there".to_owned())
                });
                there.map(|what| format!("`{name}` was given back: {what}"))
            }
            Promise::Leased { name, lease, .. } if !lease.is_empty() => {
                let found = worktrees.get(name).map(|one| text(&one["lease"]["id"]));
                (found.as_ref() != Some(lease)).then(|| format!("`{name}` was leased as {lease}: {found:?}"))
            }
            Promise::Leased { .. } => None,
        };
        self.wrong.extend(wrong);
    }

    /// Says that work is lost, if it is neither in its worktree nor on its branch and in a rescue.
    fn lost(&mut self, work: &Work, worktrees: &BTreeMap<String, Value>) -> Option<String> {
        let repo = &self.scene.repo;
        let mut tried = Vec::new();
        if let Some(one) = worktrees.get(&work.name) {
            let difference = work.difference(repo, &self.scene.path_of(&work.name))?;
            tried.push(format!("worktree {one}: {difference}"));
        }
        if work.committed {
            let branch = format!("refs/heads/windrow/{}", work.name);
            self.check_objects(&branch);
            let found = repo.try_git(["rev-parse", &branch]);
            if found.code != 0 || found.text() != work.head {
                tried.push(format!("branch: {found}"));
                return Some(format!("work of `{}` is lost: {}", work.name, tried.join("\n")));
            }
        }
        if !work.unsaved {
            return None;
        }
        let rescues = self.call(&["rescue", "list", "--json"]).unwrap_or_default();
        for rescue in rescues["rescues"].as_array().into_iter().flatten() {
            if rescue["worktree"] == *work.name {
                let difference = self.restored(work, &text(&rescue["id"]))?;
                tried.push(format!("rescue {rescue}: {difference}"));
            }
        }
        Some(format!("work of `{}` is lost: {}", work.name, tried.join("\n")))
    }

    /// Brings a rescue back and says how it differs from the work, if it does.
    fn restored(&mut self, work: &Work, id: &str) -> Option<String> {
        self.tried += 1;
        let name = format!("tried-{}", self.tried);
        let branch = format!("windrow/{name}");
        let restored = self.call(&["restore", id, "--json", "--name", &name, "--branch", &branch]);
        let Some(restored) = restored else { return Some("it cannot be restored".to_owned()) };
        let path = PathBuf::from(text(&restored["lease"]["path"]));
        let difference = work.difference(&self.scene.repo, &path);
        self.call(&["release", "--json", "--discard", &name]);
        difference
    }

    /// The names can be had again, and what is had again is whole.
    fn use_again(&mut self) {
        for name in self.scene.names() {
            let state = self.worktrees().get(&name).map(|one| text(&one["state"]));
            if matches!(state.as_deref(), None | Some("kept")) {
                // Its own branch stays where it is, with the commits on it.
                let branch = format!("windrow/again-{name}");
                let line = ["acquire", "--json", "--name", &name, "--branch", &branch];
                let Some(lease) = self.call(&line[..if state.is_some() { 4 } else { 6 }]) else { continue };
                let path = text(&lease["lease"]["path"]);
                let outcome = self.scene.repo.try_git(["-C", &path, "status", "--porcelain"]);
                self.expect_quiet(&outcome);
            }
        }
    }

    /// Gives everything back and looks for what nobody needs.
    fn clear(&mut self) {
        for (name, one) in self.worktrees() {
            if one["state"] != "quarantined" {
                let outcome = self.windrow(&["release", "--json", &name]).run();
                let expected =
                    outcome.code == 0 || outcome.json()["released"]["fate"]["kind"] == "quarantined";
                self.wrong.extend((!expected).then(|| format!("it cannot be given back: {outcome}")));
            }
        }
        for one in self.worktrees().into_values() {
            self.set_aside += 1;
            if self.scene.is_synced() {
                self.wrong.push(format!("nothing of it can be damaged, and it is set aside: {one}"));
            }
        }
        self.scene.repo.wait_for_sweepers();
        if self.set_aside == 0 {
            let look = || {
                let mut left = self.scene.repo.pool_leftovers();
                left.retain(|line| !self.may_be_left(line));
                left
            };
            // A sweeper that has done its work takes a moment to end.
            poll_quietly(PATIENCE, || look().is_empty().then_some(()));
            let left = look();
            self.wrong.extend(left.iter().map(|line| format!("left behind: {line}{}", contents(line))));
        }
    }

    /// Rescues, what is not ours, and young leftovers that the next day takes care of.
    fn may_be_left(&self, line: &str) -> bool {
        const PARTS: [&str; 5] =
            ["/windrow/rescue/", "/windrow/old-", "/windrow/new-", "/windrow/tmp-", "/windrow/locks/"];
        let foreign = self.scene.repo.git_dir().join("worktrees/foreign");
        line == foreign.display().to_string() || PARTS.iter().any(|part| line.contains(part))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a directory that was left holds, with the lengths by which a cut shows.
fn contents(directory: &str) -> String {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let one = |entry: std::fs::DirEntry| {
        let length = entry.metadata().map_or(0, |facts| facts.len());
        format!("\n    {} {length}", entry.file_name().display())
    };
    entries.map(one).collect()
}
