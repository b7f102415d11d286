//! Measurements of the release build against plain git, on generated repositories.

mod calls;
mod claim;
mod conflicts;
mod figures;
mod ground;
mod held;
mod interrupt;
mod keeper;
mod lease;
mod measure;
mod memory;
mod peers;
mod plot;
mod reconcile;
mod report;
mod scene;
mod space;
mod together;
mod way;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use windrow_testkit::{Binary, TestRepo, processes_under};

use crate::{Result, ci};
use figures::Comparison;
use ground::{Ground, Grounds, Measured, on_each};
pub(crate) use interrupt::Alone;
use report::Report;
use scene::{Scene, Stage};

/// How long background work between two measurements may take.
const QUIET_BOUND: Duration = Duration::from_secs(600);

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
    /// `windrow acquire` of a ready worktree or in other ways, and its release, against `git worktree add` and `remove --force`,
    /// and against other tools on PATH.
    Claim {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        grounds: Grounds,
        #[command(flatten)]
        runs: Runs,
        #[command(flatten)]
        claim: claim::Claiming,
    },
    /// Many `windrow acquire` at once from a pool of as many ready worktrees, beside plain git, against one `git worktree add`; and
    /// what so many take of the disk.
    Together {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        grounds: Grounds,
        #[command(flatten)]
        together: together::Gathering,
    },
    /// `windrow run -- COMMAND`, in one way or several, against `git worktree add`, the command, and `git worktree remove --force`.
    Run {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        #[command(flatten)]
        running: lease::Running,
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
    /// `windrow conflicts` over many worktrees against merging every pair with `git merge-tree`; both find the same.
    Conflicts {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        runs: Runs,
        #[command(flatten)]
        forecasting: conflicts::Forecasting,
    },
    /// What many worktrees take of the disk, as a multiple of one of git's: for each strategy on each file system.
    Space {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        grounds: Grounds,
        #[command(flatten)]
        holding: held::Holding,
    },
    /// The highest anonymous memory of `windrow acquire`.
    Memory {
        #[command(flatten)]
        scene: Scene,
        #[command(flatten)]
        memory: memory::Remembering,
    },
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
    let scene = bench.scene();
    let binary = scene.binary.clone().map_or_else(|| build(root), Ok)?;
    let Measured { results: reports, failures } = bench.reports(&Binary(binary.canonicalize()?))?;
    if reports.is_empty() {
        return Err(failures.join("\n").into());
    }
    if let Some(file) = &scene.plot {
        let comparisons: Vec<&Comparison> = reports.iter().filter_map(Report::comparison).collect();
        if comparisons.is_empty() {
            return Err("this measurement has no medians to draw".into());
        }
        fs::write(file, plot::svg(&comparisons))?;
    }
    if scene.json {
        println!("{:#}", report::document(&reports));
    } else {
        let shown: Vec<String> = reports.iter().map(ToString::to_string).collect();
        println!("{}", shown.join("\n\n"));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

impl Bench {
    fn scene(&self) -> &Scene {
        let (Self::Lease { scene, .. }
        | Self::Claim { scene, .. }
        | Self::Together { scene, .. }
        | Self::Run { scene, .. }
        | Self::Keeper { scene, .. }
        | Self::Reconcile { scene, .. }
        | Self::Conflicts { scene, .. }
        | Self::Space { scene, .. }
        | Self::Memory { scene, .. }) = self;
        scene
    }

    fn files(&self) -> usize {
        self.scene().files.unwrap_or(match self {
            Self::Memory { .. } => 80_000,
            Self::Reconcile { .. } => 1_000,
            Self::Conflicts { .. } => 20_000,
            _ => 5_000,
        })
    }

    /// One report for each file system that is measured on.
    fn reports(&self, binary: &Binary) -> Result<Measured<Report>> {
        let (scene, files) = (self.scene(), self.files());
        let repo = || scene.generate(binary, files);
        let report = match self {
            Self::Claim { grounds, runs, claim, .. } => {
                return self.on_grounds(grounds, |ground| {
                    let stage = Stage::build(ground, binary, files, &claim.source)?;
                    claim::claim(&stage, runs.runs, claim)
                });
            }
            Self::Together { grounds, together, .. } => {
                return self.on_grounds(grounds, |ground| {
                    let stage = Stage::build(ground, binary, files, &together.source)?;
                    together::together(ground, &stage, together)
                });
            }
            Self::Space { grounds, holding, .. } => {
                let held = held::held(grounds, &scene.directory(), (binary, files), holding)?;
                return Ok(held.map(Report::Held));
            }
            Self::Lease { runs, .. } => lease::lease(&repo(), files, runs.runs)?,
            Self::Run { runs, running, .. } => {
                let stage = Stage::here(&scene.directory(), binary, files, &running.source)?;
                lease::run(&stage, stage.files, runs.runs, running)?
            }
            Self::Keeper { runs, keeping, .. } => keeper::keeper(&repo(), files, runs.runs, keeping)?,
            Self::Reconcile { runs, worktrees, .. } => {
                reconcile::reconcile(&repo(), files, *worktrees, runs.runs)?
            }
            Self::Conflicts { runs, forecasting, .. } => {
                Report::Comparison(conflicts::conflicts(&repo(), files, runs.runs, forecasting)?)
            }
            Self::Memory { memory, .. } => {
                let stage = Stage::here(&scene.directory(), binary, files, &memory.source)?;
                memory::memory(&stage, stage.files, memory)?
            }
        };
        Ok(Measured { results: vec![report], failures: Vec::new() })
    }

    fn on_grounds(
        &self,
        grounds: &Grounds,
        mut measure: impl FnMut(&Ground) -> Result<Comparison>,
    ) -> Result<Measured<Report>> {
        on_each(grounds, &self.scene().directory(), |ground| Ok(Report::Comparison(measure(ground)?)))
    }
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
