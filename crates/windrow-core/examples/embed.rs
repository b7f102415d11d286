//! A program that embeds Windrow: it runs a command in a worktree of its own and tells what came of it.
//!
//! `cargo run --example embed -- REPOSITORY COMMAND [ARG…]`
//!
//! A program that embeds the library can be its own helper: it only has to hand two hidden subcommands on before it does
//! anything else.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]
#![expect(clippy::disallowed_methods, reason = "a program, unlike the library, reads its own environment")]

use std::{env, error::Error, ffi::OsString, path::PathBuf, process::ExitCode};

use windrow_core::{
    ops::{self, Environment, Locate, Observer, Pool, RunRequest},
    process::reaper,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    match first.to_str() {
        Some(ops::REAPER_COMMAND) => return Ok(reaper::main(arguments)),
        Some(ops::SWEEP_COMMAND) => {
            ops::sweep(&PathBuf::from(arguments.next().unwrap_or_default()))?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    run(PathBuf::from(first), arguments.collect())
}

/// Shows what the user should know.
struct Notices;

impl Observer for Notices {
    fn notice(&mut self, text: &str) {
        println!("note: {text}");
    }
}

fn run(repository: PathBuf, mut command: Vec<OsString>) -> Result<ExitCode, Box<dyn Error>> {
    if command.is_empty() {
        return Err("usage: embed REPOSITORY COMMAND [ARG…]".into());
    }
    let environment = Environment {
        variables: env::vars_os().collect(),
        current_dir: env::current_dir()?,
        helper: env::current_exe()?,
        config_flags: Vec::new(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        keeper: windrow_core::ops::KeeperMode::Never,
        overlays: windrow_core::ops::OverlayMode::Never,
    };
    let pool = Pool::open(environment, &Locate::At(repository))?;
    let request = RunRequest::new(command.remove(0), command);
    let ran = ops::run(&pool, &request, &mut Notices)?;
    println!("{}: {:?}, {:?}", ran.leased.worktree.name, ran.finished.exit, ran.released.work);
    if let Some(rescue) = &ran.released.rescue {
        println!("unsaved work is in rescue {}", rescue.id);
    }
    println!("{:?} {:?}", ran.released.fate, ran.released.branch);
    Ok(ExitCode::SUCCESS)
}
