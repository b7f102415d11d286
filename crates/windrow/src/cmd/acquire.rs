//! `windrow acquire` and `windrow renew`.

use std::os::unix::ffi::OsStrExt;

use windrow_core::ops::{self, Leased};

use super::{Context, Form, select::selector};
use crate::{
    args::{AcquireArgs, RenewArgs},
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{AcquireDocument, RenewDocument},
};

/// Leases a worktree and prints its path.
pub(super) fn acquire(context: &mut Context, args: &AcquireArgs) -> Result<Exit, Problem> {
    let pool = context.open_with(args.worktree.config())?;
    let session = context.session()?;
    let mut progress = Progress::new(&mut context.console);
    let lease = ops::acquire(&pool, &args.request(session), &mut progress)?;
    let told = progress.finish();
    let leased = lease.detach();
    match Form::from(args.json) {
        Form::Json => context.document(&AcquireDocument::from(&leased))?,
        Form::Human => {
            let summary = render::acquired(&leased, &context.view());
            tell_path(context, &leased, &told, &summary)?;
        }
    }
    Ok(Exit::OK)
}

/// The path alone on standard output, raw, so that `$(…)` gets it; the rest on standard error.
pub(super) fn tell_path(
    context: &mut Context,
    leased: &Leased,
    told: &[String],
    summary: &str,
) -> Result<(), Problem> {
    context.notices(&leased.notices, told);
    context.console.say(summary);
    let mut line = leased.worktree.path.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    context.raw(&line)
}

/// Extends a lease.
pub(super) fn renew(context: &mut Context, args: &RenewArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let lease = ops::renew(&pool, &args.request(selector.clone()))?;
    let entry = ops::find(&pool, &selector)?;
    match Form::from(args.json) {
        Form::Json => context.document(&RenewDocument::new(&entry.worktree, &lease))?,
        Form::Human => {
            let text = render::renewed(&entry.worktree, &lease, &context.view());
            context.console.say(&text);
        }
    }
    Ok(Exit::OK)
}
