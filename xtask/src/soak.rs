//! Many callers at once on a real program: the full size of what the tests do smaller, with counts.

mod contention;
mod power;
mod tasks;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use windrow_testkit::{Binary, RepoFingerprint, TestRepo};

use crate::{Result, bench};

/// What can be soaked.
#[derive(Subcommand)]
pub(crate) enum Soak {
    /// Agents that run and commit while plain git works beside them, then callers that acquire and release.
    Leases(Leases),
    /// Callers that compete for few worktrees and are killed at random, while a user's git works beside them.
    Contention(contention::Contention),
    /// Processes that create tasks and race for changes of their states.
    Tasks(tasks::Tasks),
    /// Power cuts while windrow works, on images of ext4, xfs and btrfs; needs root.
    Power(power::Power),
    /// Death and errors at every state-changing system call of every operation.
    #[cfg(target_os = "linux")]
    Faults(crate::faults::Faults),
}

/// How much of it.
#[derive(Args)]
pub(crate) struct Leases {
    /// Concurrent `windrow run`.
    #[arg(long, default_value_t = 40)]
    runs: usize,
    /// Concurrent callers of `windrow acquire` and `release`.
    #[arg(long, default_value_t = 100)]
    callers: usize,
    /// How often all of it.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Files of the generated repository.
    #[arg(long, default_value_t = 3_000)]
    files: usize,
    /// Where to put it; the system's temporary directory if absent.
    #[arg(long = "in", value_name = "DIRECTORY")]
    inside: Option<PathBuf>,
    /// The program; the release build of this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs it and prints what was counted.
///
/// # Errors
///
/// Fails when one call of all fails, anything is left, or the main checkout changed.
pub(crate) fn run(root: &Path, soak: &Soak) -> Result {
    match soak {
        Soak::Leases(wanted) => leases(root, wanted),
        Soak::Contention(wanted) => contention::run(root, wanted),
        Soak::Tasks(wanted) => tasks::run(root, wanted),
        Soak::Power(power) => power::run(root, power),
        #[cfg(target_os = "linux")]
        Soak::Faults(wanted) => crate::faults::run(root, wanted),
    }
}

fn leases(root: &Path, leases: &Leases) -> Result {
    let binary = leases.binary.clone().map_or_else(|| bench::build(root), Ok)?;
    let mut builder = TestRepo::builder().binary(Binary(binary.canonicalize()?)).files(leases.files);
    if let Some(parent) = &leases.inside {
        builder = builder.inside(parent);
    }
    let repo = builder.build();
    repo.add_remote();
    repo.write("README.md", "# Uncommitted\n");
    repo.write("untracked.txt", "mine\n");
    for round in 1..=leases.rounds {
        let before = fingerprint(&repo);
        agents(&repo, leases, round)?;
        callers(&repo, leases)?;
        settle(&repo, &before)?;
    }
    Ok(())
}

/// Everything of the user's; the loops beside fetch, and the agents' branches stay.
fn fingerprint(repo: &TestRepo) -> RepoFingerprint {
    RepoFingerprint::of(repo).except_refs("refs/remotes/")
}

fn agents(repo: &TestRepo, leases: &Leases, round: usize) -> Result {
    let names: Vec<String> = (1..=leases.runs).map(|number| format!("agent-{round}-{number}")).collect();
    let started = Instant::now();
    let (ended, beside) = repo.beside_git(|| repo.agents(&names));
    let elapsed = started.elapsed().as_secs_f64();
    let failed: Vec<String> = ended.iter().filter(|one| one.code != 0).map(ToString::to_string).collect();
    let pattern = format!("refs/heads/windrow/agent-{round}-*");
    let branches = repo.git(["for-each-ref", &pattern]).lines().count();
    println!(
        "round {round}: {} of {} agents succeeded, {branches} branches, {elapsed:.1} s; beside them {} lists, \
         {} fetches, {} prunes",
        names.len() - failed.len(),
        names.len(),
        beside.lists,
        beside.fetches,
        beside.prunes
    );
    match failed.first() {
        Some(first) => Err(format!("an agent failed: {first}").into()),
        None if branches != names.len() => Err("branches are missing".into()),
        None => Ok(()),
    }
}

fn callers(repo: &TestRepo, leases: &Leases) -> Result {
    let started = Instant::now();
    let answers = repo.callers(leases.callers);
    let removed = answers.iter().filter(|(_, released)| released["released"]["fate"]["kind"] == "removed");
    let (removed, elapsed) = (removed.count(), started.elapsed().as_secs_f64());
    println!("         {removed} of {} callers acquired and released, {elapsed:.1} s", leases.callers);
    if removed == answers.len() { Ok(()) } else { Err("a worktree was not removed".into()) }
}

fn settle(repo: &TestRepo, before: &RepoFingerprint) -> Result {
    let started = Instant::now();
    repo.wait_for_sweepers();
    bench::wait_until_quiet(repo);
    let swept = started.elapsed().as_secs_f64();
    let mut wrong = repo.pool_leftovers();
    wrong.extend(before.differences(&fingerprint(repo)));
    let checked = repo.try_git(["fsck", "--full", "--no-dangling", "--no-progress"]);
    if checked.code != 0 || !checked.stderr.is_empty() || !checked.stdout.is_empty() {
        wrong.push(checked.to_string());
    }
    if !wrong.is_empty() {
        return Err(format!("something is left or changed:\n{}", wrong.join("\n")).into());
    }
    println!(
        "         nothing left, main checkout unchanged, git fsck clean; trash deleted within {swept:.1} s"
    );
    Ok(())
}
