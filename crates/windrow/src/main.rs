//! The `windrow` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    windrow_cli::main()
}
