//! Leases and runs against plain worktrees, measured in turn so that both see the same machine.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use windrow_testkit::{Include, Invocation, TestRepo, TreeSnapshot};

use super::figures::{Comparison, Series};
use super::measure::{Cost, measure};
use super::report::Report;
use super::scene::Source;
use super::wait_until_quiet;
use super::way::Way;
use crate::Result;

/// Compares `windrow acquire` and `release` with `git worktree add` and `remove --force`.
///
/// # Errors
///
/// Fails when a program does, or when the leased worktree does not hold what the commit does.
pub(super) fn lease(repo: &TestRepo, files: usize, runs: usize) -> Result<Report> {
    let names = ["windrow acquire", "windrow release", "windrow both", "git add", "git remove", "git both"];
    let mut series = names.map(Series::new);
    let expected = TreeSnapshot::of(repo.path(), &Include::without_git());
    for round in 0..runs {
        in_turn(round, |ours| {
            let (begin, end) =
                if ours { windrow_lease(repo, round, &expected) } else { git_lease(repo, round, &expected) }?;
            let rows = if ours { &mut series[..3] } else { &mut series[3..] };
            rows.iter_mut().zip([begin, end, begin + end]).for_each(|(row, cost)| row.costs.push(cost));
            wait_until_quiet(repo);
            Ok(())
        })?;
    }
    let ratios =
        vec![("git add", "windrow acquire"), ("git remove", "windrow release"), ("git both", "windrow both")];
    Ok(Report::Comparison(Comparison::new("lease", files, series, ratios)))
}

/// How a run is measured.
#[derive(Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(super) source: Source,
    /// How windrow makes the worktree, as for `claim`; as it does by itself if absent.
    #[arg(long = "way", value_delimiter = ',')]
    ways: Vec<Way>,
    /// The command; `true` if none is given.
    #[arg(last = true)]
    command: Vec<String>,
}

/// Compares `windrow run` with the three commands it stands for, and with the first of them alone.
///
/// # Errors
///
/// Fails when a program does.
pub(super) fn run(repo: &TestRepo, files: usize, runs: usize, running: &Running) -> Result<Report> {
    let default = ["true".to_owned()];
    let command = if running.command.is_empty() { &default[..] } else { &running.command };
    let ways: Vec<_> = match running.ways.as_slice() {
        [] => vec![None],
        ways => ways.iter().map(Some).collect(),
    };
    let named =
        |way: &Option<&Way>| way.map_or("windrow run".to_owned(), |way| format!("windrow run ({way})"));
    let mut ours: Vec<_> = ways.iter().map(|way| Series::new(named(way))).collect();
    let [mut add, mut all] = ["git add", "git and command"].map(Series::new);
    for round in 0..runs {
        // Each begins in some round.
        for turn in 0..=ways.len() {
            match (round + turn) % (ways.len() + 1) {
                0 => {
                    let (begin, whole) = git_run(repo, round, command)?;
                    add.costs.push(begin);
                    all.costs.push(whole);
                }
                which => ours[which - 1].costs.push(windrow_run(repo, ways[which - 1], command)?),
            }
            wait_until_quiet(repo);
        }
    }
    let of = |git: &Series| ours.iter().map(|ours| (git.name.clone(), ours.name.clone())).collect::<Vec<_>>();
    let ratios = [of(&add), of(&all)].concat();
    ours.extend([add, all]);
    Ok(Report::Comparison(Comparison::new("run", files, ours, ratios)))
}

/// Measures both sides, in the other order in every second round.
pub(super) fn in_turn(round: usize, mut side: impl FnMut(bool) -> Result) -> Result {
    let ours_first = round.is_multiple_of(2);
    side(ours_first)?;
    side(!ours_first)
}

fn windrow_lease(repo: &TestRepo, round: usize, expected: &TreeSnapshot) -> Result<(Cost, Cost)> {
    let name = format!("bench-{round}");
    let (begin, output) = measure(&repo.windrow(["acquire", "--name", &name, "--json"]))?;
    let answer: Value = serde_json::from_slice(&output)?;
    let path = answer["lease"]["path"].as_str().ok_or_else(|| format!("no `lease.path` in {answer}"))?;
    check_files(Path::new(path), expected)?;
    let (end, _) = measure(&repo.windrow(["release", &name]))?;
    Ok((begin, end))
}

fn git_lease(repo: &TestRepo, round: usize, expected: &TreeSnapshot) -> Result<(Cost, Cost)> {
    let place = git_place(repo, round);
    let (begin, _) = measure(&git_add(repo, &place))?;
    check_files(&place, expected)?;
    let (end, _) = measure(&git_remove(repo, &place))?;
    Ok((begin, end))
}

/// A fast answer is worth nothing when the files are not there. Done on both sides, since reading the files also
/// makes their removal faster.
fn check_files(place: &Path, expected: &TreeSnapshot) -> Result {
    let differences = expected.differences(&TreeSnapshot::of(place, &Include::without_git()));
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("the worktree is not the commit:\n{}", differences.join("\n")).into())
}

/// What has to be ready beforehand is not measured.
fn windrow_run(repo: &TestRepo, way: Option<&Way>, command: &[String]) -> Result<Cost> {
    let settings = way.map_or_else(Vec::new, Way::words);
    if let Some(way) = way {
        way.prepare(repo);
        wait_until_quiet(repo);
    }
    Ok(measure(&repo.windrow(["run"]).args(settings).arg("--").args(command))?.0)
}

/// The first of the three commands alone, and all of them.
fn git_run(repo: &TestRepo, round: usize, command: &[String]) -> Result<(Cost, Cost)> {
    let place = git_place(repo, round);
    let (add, _) = measure(&git_add(repo, &place))?;
    let (work, _) = measure(&repo.command(&command[0], &place).args(&command[1..]))?;
    let (remove, _) = measure(&git_remove(repo, &place))?;
    Ok((add, add + work + remove))
}

pub(super) fn git_place(repo: &TestRepo, round: usize) -> PathBuf {
    repo.root().join(format!("plain-{round}"))
}

/// With a branch, as a lease has one.
pub(super) fn git_add(repo: &TestRepo, place: &Path) -> Invocation {
    let branch = place.file_name().expect("a place has a name");
    repo.git_invocation(repo.path()).args(["worktree", "add", "--quiet", "-b"]).arg(branch).arg(place)
}

pub(super) fn git_remove(repo: &TestRepo, place: &Path) -> Invocation {
    repo.git_invocation(repo.path()).args(["worktree", "remove", "--force"]).arg(place)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use windrow_testkit::{Binary, Surroundings};

    use super::*;

    /// A stand-in for the program, made of plain git.
    const STAND_IN: &str = r#"#!/bin/sh
set -e
case $1 in
acquire) git worktree add --quiet --detach "../$3" && printf '{"lease":{"path":"%s/../%s"}}' "$PWD" "$3" ;;
release) git worktree remove --force "../$2" ;;
run) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
config) exit 1 ;;
pool) ;;
esac
"#;

    fn scene(program: &str) -> (Surroundings, TestRepo) {
        let surroundings = Surroundings::new();
        let path = surroundings.root().join("windrow");
        fs::write(&path, program).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        let repo = TestRepo::builder().files(20).binary(Binary(path)).build();
        (surroundings, repo)
    }

    #[test]
    fn both_sides_are_measured_in_every_round() {
        let (_surroundings, repo) = scene(STAND_IN);
        let report = lease(&repo, 20, 2).expect("runs").json();
        assert_eq!(report["rows"].as_array().expect("rows").len(), 6);
        assert!(report["rows"].as_array().expect("rows").iter().all(|row| row["runs"] == 2));
        let (_surroundings, repo) = scene(STAND_IN);
        let running = |ways: &[&str]| Running {
            source: Source::default(),
            ways: ways.iter().map(|way| way.parse().expect("a way")).collect(),
            command: Vec::new(),
        };
        let report = run(&repo, 20, 2, &running(&[])).expect("runs").json();
        let names = |report: &Value| -> Vec<_> {
            let rows = report["rows"].as_array().expect("rows").iter();
            rows.map(|row| (row["name"].as_str().expect("a name").to_owned(), row["runs"].clone())).collect()
        };
        let expected = ["windrow run", "git add", "git and command"].map(|name| (name.to_owned(), 2.into()));
        assert_eq!(names(&report), expected);
        let (_surroundings, repo) = scene(STAND_IN);
        let report = run(&repo, 20, 1, &running(&["warm", "strategy=overlay"])).expect("runs").json();
        assert_eq!(names(&report)[1], ("windrow run (overlay)".to_owned(), 1.into()));
    }

    #[test]
    fn a_worktree_without_its_files_is_no_result() {
        let (_surroundings, repo) = scene(&STAND_IN.replace("add --quiet", "add --quiet --no-checkout"));
        let message = lease(&repo, 20, 1).err().expect("fails").to_string();
        assert!(message.contains("is not the commit"), "{message}");
    }
}
