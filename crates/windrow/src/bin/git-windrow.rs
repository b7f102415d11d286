//! The `windrow` command under the name by which git finds it: `git windrow …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    windrow_cli::main()
}
