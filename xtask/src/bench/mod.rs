//! Measurements of the release build against plain git, on generated repositories.

mod claim;
mod figures;
mod keeper;
mod lease;
mod measure;
mod memory;
mod reconcile;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use windrow_testkit::{Binary, TestRepo, processes_under};

use crate::{Result, ci};

/// How long background work between two measurements may take.
const QUIET_BOUND: Duration = Duration::from_secs(120);

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// `windrow acquire` and `release` against `git worktree add` and `remove --force`.
    Lease {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
    },
    /// `windrow acquire` of a ready worktree, and its release, against `git worktree add` and `remove --force`.
    Claim {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        #[command(flatten)]
        claim: claim::Claiming,
    },
    /// `windrow run -- COMMAND` against `git worktree add`, the command, and `git worktree remove --force`.
    Run {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        /// The command; `true` if none is given.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// How soon the keeper clears away what is over; its wake-ups and memory while nothing is due.
    Keeper {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        #[command(flatten)]
        keeping: keeper::Keeping,
    },
    /// `windrow reconcile` over many kept worktrees against `git worktree list`.
    Reconcile {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        /// How many worktrees.
        #[arg(long, default_value_t = 1_000)]
        worktrees: usize,
    },
    /// The highest anonymous memory of `windrow acquire`.
    Memory {
        #[command(flatten)]
        scene: Scene,
    },
}

/// The repository to measure on.
#[derive(Args)]
pub(crate) struct Scene {
    /// Files of the generated repository [default: 5000; reconcile: 1000; memory: 80000].
    #[arg(long)]
    files: Option<usize>,
    /// Where to put it; the system's temporary directory if absent.
    #[arg(long = "in", value_name = "DIRECTORY")]
    inside: Option<PathBuf>,
    /// The program to measure; built from this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

/// How often to measure.
#[derive(Args)]
pub(crate) struct Runs {
    /// Rounds; each measures both sides.
    #[arg(long, default_value_t = 9)]
    runs: usize,
}

/// Runs a measurement and prints its figures.
///
/// # Errors
///
/// Fails when the build or a measured program does.
pub(crate) fn run(root: &Path, bench: &Bench) -> Result {
    let (Bench::Lease { scene, .. }
    | Bench::Claim { scene, .. }
    | Bench::Run { scene, .. }
    | Bench::Keeper { scene, .. }
    | Bench::Reconcile { scene, .. }
    | Bench::Memory { scene }) = bench;
    let binary = scene.binary.clone().map_or_else(|| build(root), Ok)?;
    let files = scene.files.unwrap_or(match bench {
        Bench::Memory { .. } => 80_000,
        Bench::Reconcile { .. } => 1_000,
        _ => 5_000,
    });
    let mut builder = TestRepo::builder().binary(Binary(binary.canonicalize()?)).files(files);
    if let Some(parent) = &scene.inside {
        builder = builder.inside(parent);
    }
    let repo = builder.build();
    let report = match bench {
        Bench::Lease { runs, .. } => lease::lease(&repo, files, runs.runs)?,
        Bench::Claim { runs, claim, .. } => claim::claim(&repo, files, runs.runs, claim)?,
        Bench::Run { runs, command, .. } => lease::run(&repo, files, runs.runs, command)?,
        Bench::Keeper { runs, keeping, .. } => keeper::keeper(&repo, files, runs.runs, keeping)?,
        Bench::Reconcile { runs, worktrees, .. } => {
            reconcile::reconcile(&repo, files, *worktrees, runs.runs)?
        }
        Bench::Memory { .. } => memory::memory(&repo, files)?,
    };
    if scene.json {
        println!("{:#}", report.json())
    } else {
        println!("{report}")
    }
    Ok(())
}

/// Builds the release binary and returns its path.
///
/// # Errors
///
/// Fails when cargo does.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    // On standard error, since standard output may have to be one JSON document.
    eprintln!("building the release binary");
    ci::run_cargo(
        root,
        &["build", "--release", "--locked", "--package", "windrow", "--bin", "windrow"],
        &[],
    )?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(root.join(target).join("release/windrow"))
}

/// Waits, untimed, until no process uses the repository or anything beside it.
pub(crate) fn wait_until_quiet(repo: &TestRepo) {
    windrow_testkit::poll_until(QUIET_BOUND, "background work ends", || {
        processes_under(repo.root()).is_empty()
    });
}
