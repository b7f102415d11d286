//! Many claims at the same moment from a pool of as many ready worktrees, with plain git at work beside them, and what the
//! worktrees take of the disk.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use windrow_testkit::{Beside, TestRepo, poll_until, processes_under};

use super::claim::is_clean;
use super::figures::{Comparison, Series};
use super::ground::Ground;
use super::lease::{git_add, git_place, git_remove};
use super::measure::{Cost, measure};
use super::scene::{Source, Stage};
use super::space::{Space, that_fit};
use super::way::{LONG, Way};
use crate::Result;

/// How many at once.
#[derive(Args)]
pub(crate) struct Gathering {
    #[command(flatten)]
    pub(super) source: Source,
    /// Claims at once; fewer where the disk cannot hold so many.
    #[arg(long, default_value_t = 30)]
    claims: usize,
    /// How the ready worktrees are made: `warm` (as windrow chooses) or `strategy=NAME`.
    #[arg(long, default_value = "warm")]
    way: Way,
    /// Rounds; each makes the pool anew.
    #[arg(long, default_value_t = 3)]
    pub(super) runs: usize,
}

/// What the worktrees take of the disk, in bytes.
#[derive(Debug, Default)]
struct Disk {
    /// One of plain git's.
    plain: u64,
    /// All that are held ready, with what they are made from.
    ready: u64,
    /// The same after they were handed out, and before anything was changed in them.
    claimed: u64,
}

/// What several rounds came to.
struct Tally {
    claims: usize,
    series: [Series; 2],
    beside: Beside,
    disk: Disk,
}

/// Hands out as many ready worktrees as wanted at once, next to one `git worktree add`.
///
/// # Errors
///
/// Fails when a claim does, or a command of git beside them, or when a worktree is not clean.
pub(super) fn together(ground: &Ground, stage: &Stage, wanted: &Gathering) -> Result<Comparison> {
    stage.add_remote();
    let settings = settings(&wanted.way)?;
    let names = ["all claims together", "git add"];
    let mut tally = Tally {
        claims: wanted.claims,
        series: names.map(Series::new),
        beside: Beside::default(),
        disk: Disk::default(),
    };
    for round in 0..wanted.runs {
        round_of(ground, stage, &settings, round, &mut tally)?;
    }
    Ok(tally.comparison(stage, wanted.claims))
}

/// The pool is what is claimed from, so only the strategy can be another one.
fn settings(way: &Way) -> Result<Vec<String>> {
    match way {
        Way::Warm => Ok(Vec::new()),
        Way::Strategy(name) => Ok(vec!["--config".to_owned(), format!("pool.strategy={name}")]),
        Way::Fresh | Way::Template => Err("only `warm` and `strategy=NAME` hold worktrees ready".into()),
    }
}

fn round_of(ground: &Ground, stage: &Stage, settings: &[String], round: usize, tally: &mut Tally) -> Result {
    let place = git_place(stage, round);
    let empty = Space::of(stage.root())?;
    let (plain, _) = measure(&git_add(stage, &place))?;
    let before = Space::of(stage.root())?;
    if round == 0 {
        tally.claims = fill_up(ground, stage, settings, tally.claims)?;
    } else {
        fill(stage, settings, tally.claims);
    }
    if ready(stage) != tally.claims {
        return Err(format!("{} worktrees are ready, not {}", ready(stage), tally.claims).into());
    }
    let filled = Space::of(stage.root())?;
    let (claims, beside) = stage.beside_git(|| claim_all(stage, settings, tally.claims));
    let (cost, paths) = claims?;
    let claimed = Space::of(stage.root())?;
    if ready(stage) != 0 {
        return Err("worktrees are still ready: something else was measured".into());
    }
    paths.iter().try_for_each(|path| is_clean(stage, path))?;
    tally.series.iter_mut().zip([cost, plain]).for_each(|(row, cost)| row.costs.push(cost));
    tally.beside.lists += beside.lists;
    tally.beside.fetches += beside.fetches;
    tally.beside.prunes += beside.prunes;
    if round == 0 {
        let more = |space: Space| space.used.saturating_sub(before.used);
        tally.disk = Disk {
            plain: before.used.saturating_sub(empty.used),
            ready: more(filled),
            claimed: more(claimed),
        };
    }
    measure(&git_remove(stage, &place))?;
    give_back(stage, tally.claims);
    Ok(())
}

/// Makes as many ready as there is room for, judged by the second one: the first may bring along what all are made from.
fn fill_up(ground: &Ground, stage: &Stage, settings: &[String], wanted: usize) -> Result<usize> {
    fill(stage, settings, wanted.min(1));
    let one = Space::of(stage.root())?;
    fill(stage, settings, wanted.min(2));
    let two = Space::of(stage.root())?;
    // An image may promise more room than there is around it.
    let around = ground.host().map(Space::of).transpose()?.map_or(u64::MAX, |host| host.available);
    let each = two.used.saturating_sub(one.used);
    let claims = that_fit(wanted, each, two.available.min(around));
    fill(stage, settings, claims);
    Ok(claims)
}

fn fill(stage: &TestRepo, settings: &[String], count: usize) {
    let warm = stage.windrow(["pool", "warm", &count.to_string(), "--wait"]).args(settings);
    warm.bound(LONG).run().assert_success();
    settle(stage);
}

fn ready(stage: &TestRepo) -> usize {
    let status = stage.windrow(["pool", "status", "--json"]).run().assert_success().json();
    let spares = status["spares"].as_array().map_or(&[][..], Vec::as_slice);
    spares.iter().filter(|spare| spare["usable"] == true).count()
}

/// From before the first is started until the last has ended; the processor time is that of all.
fn claim_all(stage: &TestRepo, settings: &[String], count: usize) -> Result<(Cost, Vec<PathBuf>)> {
    let start = Instant::now();
    let answers: Vec<std::result::Result<(Cost, PathBuf), String>> = thread::scope(|scope| {
        let claims: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn(move || claim(stage, settings, number).map_err(|error| error.to_string()))
            })
            .collect();
        claims
            .into_iter()
            .map(|claim| claim.join().unwrap_or_else(|_| Err("it panicked".to_owned())))
            .collect()
    });
    let wall = start.elapsed();
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    if let Some(first) = failed.first() {
        return Err(format!("{} of {count} claims failed, the first: {first}", failed.len()).into());
    }
    let (costs, paths): (Vec<Cost>, Vec<PathBuf>) = answers.into_iter().flatten().unzip();
    Ok((Cost { wall, cpu: costs.iter().map(|cost| cost.cpu).sum() }, paths))
}

fn claim(stage: &TestRepo, settings: &[String], number: usize) -> Result<(Cost, PathBuf)> {
    let name = format!("together-{number}");
    let (cost, output) = measure(&stage.windrow(["acquire", "--name", &name, "--json"]).args(settings))?;
    let answer: Value = serde_json::from_slice(&output)?;
    let path = answer["lease"]["path"].as_str().ok_or_else(|| format!("no `lease.path` in {answer}"))?;
    Ok((cost, Path::new(path).to_owned()))
}

fn give_back(stage: &TestRepo, count: usize) {
    for number in 0..count {
        stage.windrow(["release", &format!("together-{number}")]).bound(LONG).run().assert_success();
    }
    settle(stage);
}

/// Deleting so many takes longer than what is left in the background usually does.
fn settle(stage: &TestRepo) {
    poll_until(LONG, "background work ends", || processes_under(stage.root()).is_empty());
}

impl Tally {
    fn comparison(self, stage: &Stage, wanted: usize) -> Comparison {
        let Self { claims, series, beside, disk } = self;
        let files = stage.files;
        let mut comparison = Comparison::new("together", files, series, [("git add", "all claims together")]);
        comparison.on = stage.on;
        if claims < wanted {
            comparison.notes.push(format!("{claims} claims instead of {wanted}: the disk holds no more"));
        }
        let Beside { lists, fetches, prunes } = beside;
        comparison.notes.push(format!(
            "{claims} claims at once, 0 failed; beside them {lists} `git worktree list`, {fetches} `git fetch`, {prunes} \
             `git worktree prune`, 0 failed"
        ));
        comparison.notes.push(disk.line(claims));
        let beside = json!({ "lists": lists, "fetches": fetches, "prunes": prunes, "failed": 0 });
        let facts = [
            ("claims", json!({ "wanted": wanted, "made": claims, "failed": 0 })),
            ("beside", beside),
            ("disk_bytes", disk.json()),
        ];
        comparison.facts.extend(facts.map(|(key, fact)| (key.to_owned(), fact)));
        comparison
    }
}

impl Disk {
    /// As multiples of one plain worktree.
    fn multiples(&self) -> (f64, f64) {
        let multiple = |bytes: u64| bytes as f64 / self.plain.max(1) as f64;
        (multiple(self.ready), multiple(self.claimed))
    }

    fn line(&self, claims: usize) -> String {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (ready, claimed) = self.multiples();
        format!(
            "disk: one of git's {:.1} MiB; {claims} held ready {:.1} MiB = {ready:.2} of one, handed out {:.1} MiB = \
             {claimed:.2} of one",
            mebibytes(self.plain),
            mebibytes(self.ready),
            mebibytes(self.claimed)
        )
    }

    fn json(&self) -> Value {
        let (ready, claimed) = self.multiples();
        json!({ "plain": self.plain, "ready": self.ready, "claimed": self.claimed,
            "ready_multiple": ready, "claimed_multiple": claimed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_is_told_as_a_multiple_of_one() {
        let disk = Disk { plain: 4 << 20, ready: 1 << 20, claimed: 6 << 20 };
        let shown = "disk: one of git's 4.0 MiB; 3 held ready 1.0 MiB = 0.25 of one, handed out 6.0 MiB = 1.50 of one";
        assert_eq!(disk.line(3), shown);
        assert_eq!(disk.json()["claimed_multiple"], 1.5);
    }

    #[test]
    fn only_a_pool_can_be_claimed_from() {
        assert_eq!(settings(&Way::Warm).expect("a pool"), Vec::<String>::new());
        let clone = settings(&Way::Strategy("clone".to_owned())).expect("a pool");
        assert_eq!(clone, ["--config", "pool.strategy=clone"]);
        assert!(settings(&Way::Fresh).is_err());
    }
}
