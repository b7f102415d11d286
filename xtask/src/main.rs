//! Chores of this repository: `cargo xtask tidy | hazards | ci | bench | soak`.
#![expect(clippy::disallowed_methods, reason = "chores start cargo, git and the measured programs")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "chores talk to the person who runs them")]

mod bench;
mod ci;
#[cfg(target_os = "linux")]
mod faults;
mod git_tests;
mod hazards;
mod picture;
mod soak;
mod source;
#[cfg(target_os = "linux")]
mod strategy_tests;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a chore comes to; the error is for people.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks the rules of this code that no lint knows.
    Tidy,
    /// Writes docs/hazards.md: every hazard with the tests that bear its number.
    Hazards {
        /// Writes nothing; fails when a required hazard has no test or the page is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Runs git's own scripts about worktrees in repositories that hold one of ours.
    GitTests(git_tests::GitTests),
    /// Runs the core of the integration tests with one strategy, on an image of a file system.
    #[cfg(target_os = "linux")]
    StrategyTests(strategy_tests::StrategyTests),
    /// Runs everything that continuous integration runs.
    Ci,
    /// Draws docs/terminal.svg from a session with the release build.
    Picture,
    /// Measures the release build.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Puts the release build under load and checks what it leaves.
    #[command(subcommand)]
    Soak(soak::Soak),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Tidy => tidy::run(&root()),
        Chore::Hazards { check: false } => hazards::write(&root()),
        Chore::Hazards { check: true } => hazards::check(&root()),
        Chore::GitTests(args) => git_tests::run(&root(), &args),
        #[cfg(target_os = "linux")]
        Chore::StrategyTests(wanted) => strategy_tests::run(&root(), &wanted),
        Chore::Ci => ci::run(&root()),
        Chore::Picture => picture::write(&root()),
        Chore::Bench(bench) => bench::run(&root(), &bench),
        Chore::Soak(soak) => soak::run(&root(), &soak),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The top of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
