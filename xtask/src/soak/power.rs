//! Power cuts on file systems of their own: what was acknowledged before, and what is left after.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use windrow_testkit::{Binary, Cuttable, FileSystem, Moment, PowerCuts, root_only};

use crate::{Result, bench};

/// How often, and where.
#[derive(Args)]
pub(crate) struct Power {
    /// Cuts on each file system.
    #[arg(long, default_value_t = 100)]
    cuts: u64,
    /// The first of the seeds; each cut has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file system.
    #[arg(long, value_enum, default_value_t = Kinds::All)]
    fs: Kinds,
    /// The program; the release build of this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kinds {
    Ext4,
    Xfs,
    Btrfs,
    All,
}

impl Kinds {
    fn list(self) -> &'static [FileSystem] {
        match self {
            Self::Ext4 => &[FileSystem::Ext4],
            Self::Xfs => &[FileSystem::Xfs],
            Self::Btrfs => &[FileSystem::Btrfs],
            Self::All => &[FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs],
        }
    }
}

/// Cuts the power again and again and prints what was hit and what was broken.
///
/// # Errors
///
/// Fails when anything was broken, or nothing could be tried.
pub(super) fn run(root: &Path, power: &Power) -> Result {
    let binary = power.binary.clone().map_or_else(|| bench::build(root), Ok)?;
    let binary = Binary(binary.canonicalize()?);
    let mut broken = 0;
    for kind in power.fs.list() {
        broken += on(*kind, power, &binary)?;
    }
    if broken == 0 { Ok(()) } else { Err(format!("{broken} cuts broke something").into()) }
}

/// Returns how many cuts broke something.
fn on(kind: FileSystem, power: &Power, binary: &Binary) -> Result<usize> {
    let proof = root_only("power cuts").ok_or("only root can mount")?;
    let cuttable = Cuttable::new(proof, kind).ok_or("no such file system here")?;
    let mut cuts = PowerCuts::new(cuttable, binary.clone());
    let started = Instant::now();
    let (mut hit, mut broken, mut violations, mut set_aside) = ([0; 3], 0, 0, 0);
    for seed in power.seed..power.seed.saturating_add(power.cuts) {
        let cut = cuts.next(seed);
        hit[match cut.moment {
            Moment::Before => 0,
            Moment::At => 1,
            Moment::After => 2,
        }] += 1;
        set_aside += cut.set_aside;
        if cut.violations.is_empty() {
            // To be seen going on; standard output is for the result.
            eprintln!("{}: {cut}", kind.name());
        } else {
            println!("{}: {cut}", kind.name());
            broken += 1;
            violations += cut.violations.len();
        }
    }
    let [before, at, after] = hit;
    println!(
        "{}: {} cuts from seed {}: {before} before, {at} at and {after} after the answer; {set_aside} unsynced \
         worktrees set aside; {violations} violations in {broken} cuts; {:.1} s",
        kind.name(),
        power.cuts,
        power.seed,
        started.elapsed().as_secs_f64()
    );
    Ok(broken)
}
