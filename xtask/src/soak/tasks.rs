//! Processes that create tasks and race for changes of their states.

use std::path::{Path, PathBuf};

use clap::Args;
use windrow_testkit::{Binary, TaskRace, TestRepo};

use crate::{Result, bench};

/// How much of it.
#[derive(Args)]
pub(crate) struct Tasks {
    /// Processes at the same time.
    #[arg(long, default_value_t = 100)]
    workers: usize,
    /// Tasks to be created in sum.
    #[arg(long, default_value_t = 1_000)]
    tasks: usize,
    /// Changes of state to be tried in sum.
    #[arg(long, default_value_t = 10_000)]
    tries: usize,
    /// The program; the release build of this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs it and prints what was counted.
///
/// # Errors
///
/// Fails when an id was given twice, an update was lost, or a loser was told a state that never was.
pub(super) fn run(root: &Path, tasks: &Tasks) -> Result {
    let binary = tasks.binary.clone().map_or_else(|| bench::build(root), Ok)?;
    let repo = TestRepo::with_binary(Binary(binary.canonicalize()?));
    let Tasks { workers, tasks, tries, .. } = *tasks;
    let raced = repo.race_tasks(&TaskRace { workers, tasks, tries });
    println!(
        "{tasks} tasks by {workers} workers, {} changes of state won, {} lost and told, {:.1} s",
        raced.won,
        raced.lost,
        raced.elapsed.as_secs_f64()
    );
    if !raced.wrong.is_empty() {
        return Err(raced.wrong.join("\n").into());
    }
    println!("0 violations: no id twice, no update lost, every loser told a state that was");
    Ok(())
}
