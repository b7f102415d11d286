//! Ready worktrees against plain ones, measured in turn so that both see the same machine.

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::Value;
use windrow_testkit::{Include, TestRepo, TreeSnapshot};

use super::figures::{Comparison, Report, Series};
use super::lease::{git_add, git_place, git_remove, in_turn};
use super::measure::{Cost, measure};
use super::wait_until_quiet;
use crate::Result;

/// How a claim is measured.
#[derive(Args)]
pub(crate) struct Claiming {
    /// A repository whose HEAD is copied and measured on, instead of a generated one.
    #[arg(long, value_name = "REPOSITORY")]
    of: Option<std::path::PathBuf>,
    /// How many files differ between the commit of the ready worktree and the one asked for.
    #[arg(long, default_value_t = 0)]
    differing: usize,
}

/// Compares `windrow acquire` of a ready worktree, and its `release`, with `git worktree add` and `remove --force` of the same
/// commit. Filling the pool is not measured.
///
/// # Errors
///
/// Fails when a program does, or when a worktree does not hold what the commit does.
pub(super) fn claim(repo: &TestRepo, files: usize, runs: usize, claim: &Claiming) -> Result<Report> {
    let files = copy_of(repo, claim.of.as_deref())?.unwrap_or(files);
    let commits = [repo.oid("HEAD"), other_commit(repo, claim.differing)?];
    let names = ["windrow acquire", "windrow release", "git add", "git remove"];
    let mut series = names.map(Series::new);
    for round in 0..runs {
        in_turn(round, |ours| {
            let costs = if ours { ready(repo, round, &commits) } else { plain(repo, round, &commits[1]) }?;
            let rows = if ours { &mut series[..2] } else { &mut series[2..] };
            rows.iter_mut().zip(costs).for_each(|(row, cost)| row.costs.push(cost));
            wait_until_quiet(repo);
            Ok(())
        })?;
    }
    let ratios = vec![("git add", "windrow acquire"), ("git remove", "windrow release")];
    Ok(Report::Comparison(Comparison { bench: "claim", files, series: series.into(), ratios }))
}

/// Brings the commit of another repository over, with its objects; tells how many files it has.
fn copy_of(repo: &TestRepo, other: Option<&Path>) -> Result<Option<usize>> {
    let Some(other) = other else { return Ok(None) };
    let other = other.canonicalize()?;
    repo.git_invocation(repo.path())
        .args(["fetch", "--quiet"])
        .arg(&other)
        .arg("HEAD")
        .run()
        .assert_success();
    repo.git(["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    Ok(Some(repo.git(["ls-files"]).lines().count()))
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

fn ready(repo: &TestRepo, round: usize, [held, wanted]: &[String; 2]) -> Result<[Cost; 2]> {
    let name = format!("bench-{round}");
    repo.windrow(["pool", "warm", "1", "--wait"]).bound(LONG).run().assert_success();
    wait_until_quiet(repo);
    let mut words = vec!["acquire", "--name", &name, "--json"];
    if held != wanted {
        words.extend(["--base", wanted]);
    }
    let (begin, output) = measure(&repo.windrow(words))?;
    let answer: Value = serde_json::from_slice(&output)?;
    let path = answer["lease"]["path"].as_str().ok_or_else(|| format!("no `lease.path` in {answer}"))?;
    check(repo, Path::new(path), round, wanted)?;
    let (end, _) = measure(&repo.windrow(["release", &name]))?;
    Ok([begin, end])
}

fn plain(repo: &TestRepo, round: usize, wanted: &str) -> Result<[Cost; 2]> {
    let place = git_place(repo, round);
    let (begin, _) = measure(&git_add(repo, &place).arg(wanted))?;
    check(repo, &place, round, wanted)?;
    let (end, _) = measure(&git_remove(repo, &place))?;
    Ok([begin, end])
}

const LONG: std::time::Duration = std::time::Duration::from_secs(600);

/// A fast answer is worth nothing when the files are not there. `git status` is asked every time, and every byte compared in the
/// first round with what git makes of the commit. Done on both sides, since it fills the caches for the removal.
fn check(repo: &TestRepo, place: &Path, round: usize, wanted: &str) -> Result {
    let status = repo.git_in(place, ["status", "--porcelain", "--ignored"]);
    if !status.is_empty() {
        return Err(format!("git status is not clean:\n{status}").into());
    }
    if round > 0 {
        return Ok(());
    }
    let expected = tempfile::tempdir_in(repo.root())?;
    repo.git_invocation(repo.path())
        .arg("--work-tree")
        .arg(expected.path())
        .args(["checkout", "--quiet", wanted, "--", "."])
        .env("GIT_INDEX_FILE", repo.root().join("tmp/expected.index"))
        .bound(LONG)
        .run()
        .assert_success();
    let found = TreeSnapshot::of(place, &Include::without_git());
    let differences = TreeSnapshot::of(expected.path(), &Include::without_git()).differences(&found);
    let differences: Vec<_> = differences.into_iter().filter(|line| !line.starts_with("\"\"")).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("the worktree is not the commit:\n{}", differences.join("\n")).into())
}
