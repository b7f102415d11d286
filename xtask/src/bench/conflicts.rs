//! A forecast of conflicts against merging every pair by plain git.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use windrow_testkit::{Invocation, TestRepo};

use super::figures::{Comparison, Series};
use super::measure::{Cost, measure};
use super::wait_until_quiet;
use super::way::LONG;
use crate::Result;

const OURS: &str = "windrow conflicts";
const MERGES: &str = "git merge-tree of every pair";
const ALL: &str = "the same, and the commits for it";

/// What forecasts are made of.
#[derive(Args)]
pub(crate) struct Forecasting {
    /// How many worktrees.
    #[arg(long, default_value_t = 30)]
    worktrees: usize,
    /// How many files each of them changes.
    #[arg(long, default_value_t = 20)]
    changes: usize,
}

/// The paths of each pair in conflict, `main` standing for the target.
type Sets = BTreeMap<(usize, String), BTreeSet<String>>;

/// Measures in turn and compares what both sides found.
///
/// # Errors
///
/// Fails when a program does, or when the sets of conflicts differ.
pub(super) fn conflicts(repo: &TestRepo, files: usize, runs: usize, of: &Forecasting) -> Result<Comparison> {
    let worktrees = fill(repo, files, of);
    repo.git_invocation(repo.path()).args(["repack", "-adq"]).bound(LONG).run().assert_success();
    wait_until_quiet(repo);
    let mut series = [OURS, MERGES, ALL].map(Series::new);
    let (mut pairs, mut last) = ((0, 0), Sets::new());
    for round in 0..runs {
        let (ours, git) = match round % 2 {
            0 => (forecast(repo)?, by_git(repo, &worktrees)?),
            _ => {
                let git = by_git(repo, &worktrees)?;
                (forecast(repo)?, git)
            }
        };
        if ours.sets != git.sets {
            return Err(format!("the sets differ:\n{:#?}\n{:#?}", ours.sets, git.sets).into());
        }
        series[0].costs.push(ours.cost);
        series[1].costs.push(git.merges);
        series[2].costs.push(git.merges + git.commits);
        (pairs, last) = (ours.pairs, ours.sets);
    }
    let mut comparison = Comparison::new("conflicts", files, series, [(MERGES, OURS), (ALL, OURS)]);
    comparison.notes.push(format!(
        "{} worktrees, {} of {} pairs merged, {} in conflict; the same sets on both sides",
        worktrees.len(),
        pairs.1,
        pairs.0,
        last.len()
    ));
    let facts =
        [("worktrees", worktrees.len()), ("pairs", pairs.0), ("merged", pairs.1), ("conflicts", last.len())];
    comparison.facts.extend(facts.map(|(name, fact)| (name.to_owned(), json!(fact))));
    Ok(comparison)
}

/// Worktrees with work that is not committed: files of their own, every third also one that its neighbour changes, every tenth a
/// directory that is moved, and the one after it a new file in there.
fn fill(repo: &TestRepo, files: usize, of: &Forecasting) -> Vec<PathBuf> {
    let path = |number: usize| {
        let number = number % files.max(1);
        format!("gen/{:02}/{:03}/file_{number:06}.txt", number / 10_000, number / 100)
    };
    let make = |at: usize| {
        let acquire = repo.windrow(["acquire", "--ttl", "1d", "--name", &format!("bench-{at}")]);
        let root = PathBuf::from(acquire.bound(LONG).run().assert_success().text());
        let edit = |path: String| {
            let path = root.join(path);
            let text = std::fs::read_to_string(&path).expect("a generated file");
            std::fs::write(&path, format!("by {at}\n{text}")).expect("it can be written");
        };
        let own = 200 + at * of.changes;
        (own..own + of.changes).map(path).for_each(&edit);
        if at % 3 < 2 {
            edit(path(100 + at / 3));
        }
        match at % 10 {
            0 => std::fs::rename(root.join(directory(at)), root.join(format!("moved-{at}"))).expect("a move"),
            1 => std::fs::write(root.join(directory(at - 1)).join("new"), "new\n").expect("a new file"),
            _ => {}
        }
        root
    };
    (0..of.worktrees).map(make).collect()
}

/// The last directories, which nobody edits.
fn directory(at: usize) -> String {
    format!("gen/{:02}/{:03}", 0, 90 - at / 10)
}

struct Forecast {
    cost: Cost,
    sets: Sets,
    pairs: (usize, usize),
}

fn forecast(repo: &TestRepo) -> Result<Forecast> {
    // That something is in conflict is no failure here.
    let ours = repo.windrow(["conflicts", "--json"]).command();
    let call = shell(repo, r#""$@" || test $? -eq 65"#, repo.path());
    let (cost, stdout) = measure(&call.arg(ours.get_program()).args(ours.get_args()))?;
    let document: Value = serde_json::from_slice(&stdout)?;
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0);
    let pairs = (number(&document["pairs"]), number(&document["pairs_merged"]));
    let told = document["conflicts"].as_array().into_iter().flatten();
    let sets = told.map(|one| {
        let second = one["second"].as_str().map_or_else(|| "main".to_owned(), |name| place(name).to_string());
        let first = place(one["first"].as_str().unwrap_or_default());
        let paths = one["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
        ((first, second), paths.map(str::to_owned).collect())
    });
    let sets = sets.collect();
    Ok(Forecast { cost, sets, pairs })
}

/// The number in `bench-7`.
fn place(name: &str) -> usize {
    name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

struct ByGit {
    commits: Cost,
    merges: Cost,
    sets: Sets,
}

/// A commit of everything in each worktree, made with a copy of its index, as a tool would that leaves the agent alone.
const COMMITS: &str = r#"
for root; do
    cd "$root"
    git_dir=$(git rev-parse --absolute-git-dir)
    cp -p "$git_dir/index" "$git_dir/bench-index"
    export GIT_INDEX_FILE="$git_dir/bench-index"
    git add -A
    git commit-tree -p HEAD -m All "$(git write-tree)"
    rm "$GIT_INDEX_FILE"
    unset GIT_INDEX_FILE
done"#;

/// Every pair, and each with `main`; one line for each path in conflict.
const MERGE: &str = r#"
pair() {
    found=$(git merge-tree --write-tree --name-only --no-messages "$3" "$4") && return
    echo "$found" | sed "1d; s|^|$1 $2 |"
}
at=0
while [ $# -gt 0 ]; do
    one=$1; shift
    pair $at main main "$one"
    other=$at
    for commit; do
        other=$((other + 1))
        pair $at $other "$one" "$commit"
    done
    at=$((at + 1))
done"#;

fn by_git(repo: &TestRepo, worktrees: &[PathBuf]) -> Result<ByGit> {
    let (commits, stdout) = measure(&shell(repo, COMMITS, repo.path()).args(worktrees))?;
    let text = String::from_utf8(stdout)?;
    let (merges, stdout) = measure(&shell(repo, MERGE, repo.path()).args(text.lines()))?;
    let mut sets = Sets::new();
    for line in String::from_utf8(stdout)?.lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let pair = (word().parse()?, word());
        sets.entry(pair).or_default().insert(word());
    }
    Ok(ByGit { commits, merges, sets })
}

fn shell(repo: &TestRepo, script: &str, directory: &Path) -> Invocation {
    repo.command("sh", directory).args(["-ec", script, "sh"]).bound(LONG)
}
