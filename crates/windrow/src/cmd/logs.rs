//! `windrow logs`.

use std::{fs::File, io, os::unix::ffi::OsStrExt, path::Path};

use windrow_core::ops;

use super::{Context, Form, select::selector};
use crate::{
    args::LogsArgs,
    errors::{Exit, Problem},
    wire::{Code, LogsDocument},
};

/// Prints the newest log of a worktree's commands, or the names of all.
pub(super) fn logs(context: &mut Context, args: &LogsArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let logs = ops::logs(&pool, &selector)?;
    match Form::from(args.json) {
        Form::Json => context.document(&LogsDocument::from(logs.as_slice()))?,
        Form::Human if args.list => {
            let lines: Vec<_> = logs.iter().map(|log| [log.as_os_str().as_bytes(), b"\n"].concat()).collect();
            context.raw(&lines.concat())?;
        }
        Form::Human => print(logs.first().ok_or_else(none)?)?,
    }
    Ok(Exit::OK)
}

fn none() -> Problem {
    Problem::told(Code::NotFound, "no command of this worktree was logged")
        .hint("`windrow run --log` writes one; `run.log = \"always\"` does so always")
}

fn print(log: &Path) -> Result<(), Problem> {
    let unreadable = |error: io::Error| Problem::io(format!("cannot read `{}`", log.display()), &error);
    let mut file = File::open(log).map_err(unreadable)?;
    io::copy(&mut file, &mut io::stdout().lock()).map_err(|error| Problem::output(&error))?;
    Ok(())
}
