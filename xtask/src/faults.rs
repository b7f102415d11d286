//! Death and errors at every state-changing system call: the full size of what the tests sample, with counts.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use windrow_testkit::{
    Backend, Binary, FileSystem, Mode, Mounted, Scenario, Sweep, Tally, Violation, loop_fs, root_only,
};

use crate::{Result, bench};

/// How many double deaths there are in all, unless something else is asked for.
const DOUBLE_KILLS: usize = 500;

/// How many violations are told in full.
const TOLD: usize = 3;

/// What to strike at, and how.
#[derive(Args)]
pub(crate) struct Faults {
    /// Chooses where the strikes fall that are not made everywhere; the same seed makes the same ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these operations: acquire, run, release, restore, records-lost, files-gone, session-end, prune, claim, warm, template,
    /// from-template, land.
    #[arg(long, value_parser = scenario, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Where git keeps refs.
    #[arg(long, default_value = "both")]
    backend: Backends,
    /// The kind of strikes.
    #[arg(long, default_value = "all")]
    mode: Modes,
    /// Strikes only at every so many calls.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Strikes only at this call.
    #[arg(long)]
    at: Option<usize>,
    /// How many double deaths over all operations.
    #[arg(long, default_value_t = DOUBLE_KILLS)]
    double: usize,
    /// On an image of this file system; needs root.
    #[arg(long, value_name = "FILE SYSTEM")]
    on: Option<Image>,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// The program; the release build of this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backends {
    Files,
    Reftable,
    Both,
}

#[derive(Clone, Copy, ValueEnum)]
enum Image {
    Ext4,
    Btrfs,
    Xfs,
}

impl Image {
    /// Makes and mounts it, with room for what windrow leaves free.
    fn mount(self) -> Result<Mounted> {
        let kind = match self {
            Self::Ext4 => FileSystem::Ext4,
            Self::Btrfs => FileSystem::Btrfs,
            Self::Xfs => FileSystem::Xfs,
        };
        let mounted = root_only("images of file systems").and_then(|root| loop_fs(root, kind, 8 << 30));
        mounted.ok_or_else(|| "there is no such file system here".into())
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Modes {
    /// Every process dies.
    Kill,
    /// One process dies.
    Process,
    /// The call fails.
    Errno,
    /// Everything dies, and the recovery too.
    Double,
    All,
}

fn scenario(name: &str) -> std::result::Result<Scenario, String> {
    Scenario::of_name(name).ok_or_else(|| format!("no operation `{name}`"))
}

/// Makes the strikes and prints what was counted.
///
/// # Errors
///
/// Fails when an invariant did not hold.
pub(crate) fn run(root: &Path, faults: &Faults) -> Result {
    let binary = faults.binary.clone().map_or_else(|| bench::build(root), Ok)?;
    let binary = Binary(binary.canonicalize()?);
    // A broken assertion is a violation, which is told at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let mut sum = Tally::default();
    println!("scenario      backend   strikes  points  struck  missed  violations  seconds");
    let mounted = faults.on.map(Image::mount).transpose()?;
    for sweep in sweeps(faults, &binary, mounted.as_ref().map(Mounted::path)) {
        let run = std::panic::catch_unwind(|| sweep.run());
        let tally = run.map_err(|panic| format!("{}: {}", sweep.scenario, message(&*panic)))?;
        println!(
            "{:<13} {:<9} {:<8} {:>6}  {:>6}  {:>6}  {:>10}  {:>7.0}",
            sweep.scenario.name(),
            sweep.backend.to_string(),
            sweep.mode.to_string(),
            tally.points,
            tally.struck,
            tally.missed,
            tally.violations.len(),
            tally.elapsed.as_secs_f64()
        );
        for violation in tally.violations.iter().take(TOLD) {
            println!("\nVIOLATION {violation}\n{}\n", repetition(faults, &sweep, violation));
        }
        sum.struck += tally.struck;
        sum.violations.extend(tally.violations);
    }
    println!("{} strikes, {} violations, seed {}", sum.struck, sum.violations.len(), faults.seed);
    if sum.violations.is_empty() { Ok(()) } else { Err("an invariant did not hold".into()) }
}

/// What a broken assertion before any strike said.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it failed and did not say why")
}

fn repetition(faults: &Faults, sweep: &Sweep, violation: &Violation) -> String {
    format!(
        "repeat: cargo xtask soak faults --seed {} --scenario {} --backend {} --mode {} --at {}",
        faults.seed, sweep.scenario, sweep.backend, sweep.mode, violation.strike.at
    )
}

fn sweeps(faults: &Faults, binary: &Binary, inside: Option<&Path>) -> Vec<Sweep> {
    let scenarios = if faults.scenario.is_empty() { Scenario::ALL.to_vec() } else { faults.scenario.clone() };
    let backends = match faults.backend {
        Backends::Files => vec![Backend::Files],
        Backends::Reftable => vec![Backend::Reftable],
        Backends::Both => vec![Backend::Files, Backend::Reftable],
    };
    let modes = match faults.mode {
        Modes::Kill => vec![Mode::Kill],
        Modes::Process => vec![Mode::Process],
        Modes::Errno => vec![Mode::Error],
        Modes::Double => vec![Mode::Double],
        Modes::All => vec![Mode::Kill, Mode::Process, Mode::Error, Mode::Double],
    };
    let each = faults.double.div_ceil(scenarios.len() * backends.len());
    let mut sweeps = Vec::new();
    for mode in modes {
        for scenario in &scenarios {
            sweeps.extend(backends.iter().map(|backend| Sweep {
                binary: binary.clone(),
                scenario: *scenario,
                backend: *backend,
                mode,
                seed: faults.seed,
                every: if mode == Mode::Double {
                    1
                } else {
                    usize::try_from(faults.every).unwrap_or(usize::MAX)
                },
                limit: (mode == Mode::Double).then_some(each),
                only: faults.at,
                jobs: faults.jobs,
                inside: inside.map(Path::to_owned),
            }));
        }
    }
    sweeps
}
