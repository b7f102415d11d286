//! Callers that compete for few worktrees and are killed at random moments, beside a user who works with plain git.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use windrow_testkit::{Arena, Binary, Contended, Contention as Wanted, TestRepo, Unrelated};

use crate::{Result, bench};

/// Of 10,000 git commands of the user's at most this many may fail.
const TOLERATED: f64 = 2.0;

/// How often to tell how far it is.
const STRIDE: u64 = 500;

/// How much of it.
#[derive(Args)]
pub(crate) struct Contention {
    /// Callers at the same time.
    #[arg(long, default_value_t = 100)]
    callers: usize,
    /// Leases to be held in sum.
    #[arg(long, default_value_t = 10_000)]
    leases: u64,
    /// The share of calls that are killed.
    #[arg(long, default_value_t = 0.05)]
    kills: f64,
    /// Minutes after which to stop, however many leases were held.
    #[arg(long, default_value_t = 120)]
    minutes: u64,
    /// Decides about wishes, work and deaths.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Worktrees that may exist at once.
    #[arg(long, default_value_t = 12)]
    places: usize,
    /// Seconds for which the user's git commands run alone first, to compare with.
    #[arg(long, default_value_t = 60)]
    control: u64,
    /// Files of the generated repository.
    #[arg(long, default_value_t = 200)]
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
/// Fails when a call fails, a lease is held twice, anything is left or lost, the main checkout changed, or the user's git failed
/// more often than tolerated.
pub(super) fn run(root: &Path, contention: &Contention) -> Result {
    let binary = contention.binary.clone().map_or_else(|| bench::build(root), Ok)?;
    let mut builder = TestRepo::builder().binary(Binary(binary.canonicalize()?)).files(contention.files);
    if let Some(parent) = &contention.inside {
        builder = builder.inside(parent);
    }
    let repo = builder.build();
    repo.write("README.md", "# Uncommitted\n");
    repo.write("untracked.txt", "mine\n");
    let arena = Arena::new(repo);
    let before = arena.fingerprint();
    let ((), control) = arena.beside(|| std::thread::sleep(Duration::from_secs(contention.control)));
    tell_git("without windrow", &control);
    let (contended, beside) = arena.beside(|| contend(&arena, contention));
    tell(&contended, contention);
    tell_git("beside windrow", &beside);
    let started = Instant::now();
    arena.settle();
    let settled = started.elapsed().as_secs_f64();
    let mut wrong = arena.violations(&before);
    tell_history(&arena);
    wrong.extend(contended.failures);
    if beside.rate() > TOLERATED {
        wrong.push("the user's git failed too often".to_owned());
    }
    if !wrong.is_empty() {
        return Err(format!("{} violations:\n{}", wrong.len(), wrong.join("\n")).into());
    }
    println!(
        "0 violations: no lease held twice, fences grew, no work lost, nothing left {settled:.1} s after the end, main \
         checkout unchanged, git fsck clean"
    );
    Ok(())
}

fn contend(arena: &Arena, contention: &Contention) -> Contended {
    let Contention { callers, leases, kills, seed, places, minutes, .. } = *contention;
    let (patience, limit) = (Duration::from_secs(600), Duration::from_secs(minutes * 60));
    let started = Instant::now();
    arena.contend(&Wanted { callers, leases, kills, seed, places, patience, limit }, |held| {
        if held.is_multiple_of(STRIDE) {
            eprintln!("{held} leases after {:.0} s", started.elapsed().as_secs_f64());
        }
    })
}

fn tell(contended: &Contended, contention: &Contention) {
    let seconds = contended.elapsed.as_secs_f64();
    println!(
        "{} leases held by {} callers on {} places in {seconds:.0} s: {:.1} leases/s, worst wait {:.1} s; seed {}",
        contended.held,
        contention.callers,
        contention.places,
        contended.held as f64 / seconds,
        contended.worst_wait.as_secs_f64(),
        contention.seed
    );
    println!(
        "killed: {} callers, {} supervisors; {} calls refused, {} failed",
        contended.killed_callers,
        contended.killed_supervisors,
        contended.refused,
        contended.failures.len()
    );
}

fn tell_git(when: &str, seen: &Unrelated) {
    println!(
        "the user's git {when}: {} commands, {} failed: {:.2} per 10,000",
        seen.commands,
        seen.failures.len(),
        seen.rate()
    );
    seen.failures.iter().for_each(|failure| println!("{failure}"));
}

fn tell_history(arena: &Arena) {
    let history = arena.history();
    let count = |kind: &str| history.iter().filter(|event| event["kind"] == kind).count();
    println!(
        "history: {} events, {} leases acquired, {} taken over, {} ended, {} waits, {} rescues; {} pieces of work written",
        history.len(),
        count("lease.acquired"),
        count("lease.taken_over"),
        count("lease.released"),
        count("wait.began"),
        count("rescue.created"),
        arena.written()
    );
}
