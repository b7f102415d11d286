//! Worktrees made by windrow in several ways, by plain git and by other tools, in turn so that all see the same machine.

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::Value;
use windrow_testkit::{Include, Invocation, TestRepo, TreeSnapshot};

use super::calls::{self, Calls};
use super::figures::{Comparison, Series};
use super::lease::{git_add, git_place, git_remove};
use super::measure::{Cost, measure};
use super::peers::{self, Commits, Peer};
use super::scene::{Source, Stage};
use super::wait_until_quiet;
use super::way::{LONG, Way};
use crate::Result;

/// How a claim is measured.
#[derive(Args)]
pub(crate) struct Claiming {
    #[command(flatten)]
    pub(super) source: Source,
    /// How many files differ between HEAD, which is held ready, and the commit asked for.
    #[arg(long, default_value_t = 0)]
    differing: usize,
    /// How windrow makes the worktree: `warm` (held ready), `fresh` (neither pool nor template), `template`, `strategy=NAME`.
    #[arg(long = "way", value_delimiter = ',', default_value = "warm")]
    ways: Vec<Way>,
}

/// What is asked of everyone.
pub(super) struct Task {
    /// The commit of HEAD and of what is held ready.
    held: String,
    /// The commit asked for.
    pub(super) wanted: String,
    expected: TreeSnapshot,
}

/// Starts a program, measured in one way or another, and returns what it printed.
pub(super) type Run<'a> = &'a mut dyn FnMut(&Invocation) -> Result<(Cost, Vec<u8>)>;

/// Who makes a worktree and gives it back.
enum Side {
    Windrow(Way),
    Git,
    Peer(&'static Peer),
}

struct Contender {
    side: Side,
    rows: [Series; 2],
    /// Why it is out of the race.
    out: Option<String>,
}

/// Compares `windrow acquire` and its `release` with `git worktree add` and `remove --force` of the same commit, and with the
/// other tools that are installed. What has to be ready beforehand is not measured.
///
/// # Errors
///
/// Fails when a program does, or when a worktree does not hold what the commit does; another tool is only left out then.
pub(super) fn claim(stage: &Stage, runs: usize, claiming: &Claiming) -> Result<Comparison> {
    let task = Task::new(stage, claiming.differing)?;
    let (peers, mut notes) = peers::installed(task.commits());
    let sides = claiming.ways.iter().cloned().map(Side::Windrow);
    let sides = sides.chain([Side::Git]).chain(peers.into_iter().map(Side::Peer));
    let mut contenders: Vec<Contender> = sides.map(Contender::new).collect();
    for round in 0..runs {
        for turn in 0..contenders.len() {
            let which = (round + turn) % contenders.len();
            contenders[which].race(stage, round, &task)?;
            wait_until_quiet(stage);
        }
    }
    let calls = count_calls(stage, runs, &task, &contenders)?;
    notes.extend(
        contenders
            .iter()
            .filter_map(|one| Some(format!("{} left out: {}", one.rows[0].name, one.out.as_ref()?))),
    );
    contenders.retain(|one| one.out.is_none());
    let ratios = ratios(&contenders);
    // What makes worktrees stands together, and what gives them back.
    let (mut series, ends): (Vec<Series>, Vec<Series>) =
        contenders.into_iter().map(|one| one.rows.into()).unzip();
    series.extend(ends);
    let mut comparison = Comparison::new("claim", stage.files, series, ratios);
    comparison.on = stage.on;
    match calls {
        Some(calls) => {
            notes.extend(calls.iter().map(|one| one.line(stage.files)));
            let calls = calls.iter().map(|one| one.json(stage.files)).collect();
            comparison.facts.insert("system_calls".to_owned(), calls);
        }
        None => notes.push("no system calls counted: `strace` is not on PATH".to_owned()),
    }
    comparison.notes = notes;
    Ok(comparison)
}

/// Everyone's with git's.
fn ratios(contenders: &[Contender]) -> Vec<(String, String)> {
    let [add, remove] = Side::Git.names();
    let others = contenders.iter().filter(|one| !matches!(one.side, Side::Git));
    others
        .flat_map(|one| {
            let [begin, end] = [&one.rows[0].name, &one.rows[1].name].map(Clone::clone);
            [(add.clone(), begin), (remove.clone(), end)]
        })
        .collect()
}

/// One more worktree of each, not timed; none where strace is not installed.
fn count_calls(
    stage: &Stage,
    round: usize,
    task: &Task,
    contenders: &[Contender],
) -> Result<Option<Vec<Calls>>> {
    if peers::on_path("strace").is_none() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for one in contenders.iter().filter(|one| !matches!(one.side, Side::Peer(_))) {
        let mut counts = Vec::new();
        one.side.once(stage, round, task, &mut |invocation| calls::traced(invocation, &mut counts))?;
        wait_until_quiet(stage);
        let names = one.side.names().into_iter();
        all.extend(names.zip(counts).map(|(of, counts)| Calls { of, counts }));
    }
    Ok(Some(all))
}

impl Contender {
    fn new(side: Side) -> Self {
        let rows = side.names().map(Series::new);
        Self { side, rows, out: None }
    }

    fn race(&mut self, stage: &Stage, round: usize, task: &Task) -> Result {
        if self.out.is_some() {
            return Ok(());
        }
        match self.side.once(stage, round, task, &mut measure) {
            Ok(costs) => self.rows.iter_mut().zip(costs).for_each(|(row, cost)| row.costs.push(cost)),
            Err(error) if matches!(self.side, Side::Peer(_)) => self.out = Some(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Side {
    fn names(&self) -> [String; 2] {
        match self {
            Self::Windrow(way) => ["acquire", "release"].map(|verb| format!("windrow {verb} ({way})")),
            Self::Git => ["git add", "git remove"].map(str::to_owned),
            Self::Peer(peer) => peer.names(),
        }
    }

    /// Makes a worktree, checks it, and gives it back.
    fn once(&self, stage: &Stage, round: usize, task: &Task, run: Run) -> Result<[Cost; 2]> {
        match self {
            Self::Windrow(way) => lease(stage, way, round, task, run),
            Self::Git => plain(stage, round, task, run),
            Self::Peer(peer) => peer.once(stage, round, task, run),
        }
    }
}

fn lease(stage: &Stage, way: &Way, round: usize, task: &Task, run: Run) -> Result<[Cost; 2]> {
    let name = format!("bench-{way}-{round}");
    way.prepare(stage);
    wait_until_quiet(stage);
    let settings = way.words();
    let mut acquire = stage.windrow(["acquire", "--name", &name, "--json"]).args(&settings);
    if task.held != task.wanted {
        acquire = acquire.args(["--base", &task.wanted]);
    }
    let (begin, output) = run(&acquire)?;
    let answer: Value = serde_json::from_slice(&output)?;
    let path = answer["lease"]["path"].as_str().ok_or_else(|| format!("no `lease.path` in {answer}"))?;
    task.check(stage, Path::new(path), round)?;
    let (end, _) = run(&stage.windrow(["release", &name]).args(&settings))?;
    Ok([begin, end])
}

fn plain(stage: &Stage, round: usize, task: &Task, run: Run) -> Result<[Cost; 2]> {
    let place = git_place(stage, round);
    let (begin, _) = run(&git_add(stage, &place).arg(&task.wanted))?;
    task.check(stage, &place, round)?;
    let (end, _) = run(&git_remove(stage, &place))?;
    Ok([begin, end])
}

impl Task {
    /// # Errors
    ///
    /// Fails when the files cannot be changed.
    pub(super) fn new(repo: &TestRepo, differing: usize) -> Result<Self> {
        let wanted = other_commit(repo, differing)?;
        Ok(Self { held: repo.oid("HEAD"), expected: expected(repo, &wanted)?, wanted })
    }

    fn commits(&self) -> Commits {
        if self.held == self.wanted { Commits::Default } else { Commits::Any }
    }

    /// A fast answer is worth nothing when the files are not there. `git status` is asked every time, and every byte compared in the
    /// first round with what git makes of the commit. Done on all sides, since it fills the caches for the removal.
    ///
    /// # Errors
    ///
    /// Fails when the worktree is not the commit.
    pub(super) fn check(&self, repo: &TestRepo, place: &Path, round: usize) -> Result {
        is_clean(repo, place)?;
        if round > 0 {
            return Ok(());
        }
        let found = TreeSnapshot::of(place, &Include::without_git());
        let differences = self.expected.differences(&found);
        let differences: Vec<_> = differences.into_iter().filter(|line| !line.starts_with("\"\"")).collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("the worktree is not the commit:\n{}", differences.join("\n")).into())
    }
}

/// Asks `git status`.
///
/// # Errors
///
/// Fails when it has anything to say.
pub(super) fn is_clean(repo: &TestRepo, place: &Path) -> Result {
    let status = repo.git_invocation(place).args(["status", "--porcelain", "--ignored"]);
    let status = status.bound(LONG).run().assert_success().text();
    if status.is_empty() { Ok(()) } else { Err(format!("git status is not clean:\n{status}").into()) }
}

/// A commit in which so many files, spread over the tree, have one line more; HEAD stays where it is.
fn other_commit(repo: &TestRepo, differing: usize) -> Result<String> {
    let head = repo.oid("HEAD");
    if differing == 0 {
        return Ok(head);
    }
    let listed = repo.git(["ls-files", "--stage"]);
    let plain: Vec<&str> = listed.lines().filter(|line| line.starts_with("100")).collect();
    let stride = (plain.len() / differing).max(1);
    for line in plain.iter().step_by(stride).take(differing) {
        let path = repo.path().join(line.split('\t').next_back().unwrap_or_default());
        let mut content = fs::read(&path)?;
        content.extend_from_slice(b"one line more\n");
        fs::write(&path, content)?;
    }
    repo.commit("Other");
    let other = repo.oid("HEAD");
    repo.git(["reset", "--quiet", "--hard", &head]);
    Ok(other)
}

/// What git makes of a commit.
fn expected(repo: &TestRepo, commit: &str) -> Result<TreeSnapshot> {
    let place = tempfile::tempdir_in(repo.root())?;
    repo.git_invocation(repo.path())
        .arg("--work-tree")
        .arg(place.path())
        .args(["checkout", "--quiet", commit, "--", "."])
        .env("GIT_INDEX_FILE", repo.root().join("tmp/expected.index"))
        .bound(LONG)
        .run()
        .assert_success();
    Ok(TreeSnapshot::of(place.path(), &Include::without_git()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use windrow_testkit::{Binary, Surroundings};

    use super::super::scene::Source;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        claiming: Claiming,
    }

    /// A stand-in for the program, made of plain git, which knows no templates.
    const STAND_IN: &str = r#"#!/bin/sh
set -e
base=HEAD
for word; do
    if [ "$before" = --base ]; then base=$word; fi
    before=$word
done
case $1 in
config) exit 1 ;;
pool) ;;
acquire) git worktree add --quiet --detach "../$3" "$base"
    printf '{"lease":{"path":"%s/../%s"}}' "$PWD" "$3" ;;
release) git worktree remove --force "../$2" ;;
esac
"#;

    fn compare(program: &str, words: &[&str]) -> Result<Comparison> {
        let surroundings = Surroundings::new();
        let path = surroundings.root().join("windrow");
        fs::write(&path, program).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        let line = Line::try_parse_from([&["claim"], words].concat()).expect("options");
        let source = Source::default();
        let stage = Stage::here(surroundings.root(), &Binary(path), 20, &source).expect("generated");
        claim(&stage, 2, &line.claiming)
    }

    #[test]
    fn every_side_is_measured_in_every_round() {
        let comparison =
            compare(STAND_IN, &["--way", "warm,fresh,template", "--way", "strategy=checkout"]).expect("runs");
        let document = comparison.json();
        let rows = document["rows"].as_array().expect("rows");
        let ours: Vec<_> =
            rows.iter().filter_map(|row| row["name"].as_str()?.strip_prefix("windrow acquire ")).collect();
        assert_eq!(ours, ["(warm)", "(fresh)", "(template)", "(checkout)"]);
        assert!(rows.len() >= 10 && rows.iter().all(|row| row["runs"] == 2), "{document}");
        let ratio = &document["ratios_of_medians"][1];
        assert_eq!((&ratio["of"], &ratio["to"]), (&"git remove".into(), &"windrow release (warm)".into()));
    }

    #[test]
    fn another_commit_than_the_one_asked_for_is_no_result() {
        compare(STAND_IN, &["--differing", "3"]).expect("runs");
        let program = STAND_IN.replace("base=$word", "base=HEAD");
        let message = compare(&program, &["--differing", "3"]).expect_err("fails").to_string();
        assert!(message.contains("is not the commit"), "{message}");
    }

    #[test]
    fn a_worktree_without_its_files_is_no_result() {
        let program = STAND_IN.replace("add --quiet", "add --quiet --no-checkout");
        let message = compare(&program, &[]).expect_err("fails").to_string();
        assert!(message.contains("git status is not clean"), "{message}");
    }
}
