//! `windrow reconcile`.

use windrow_core::ops;

use super::{Context, Form};
use crate::{
    args::ReconcileArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::ReconcileDocument,
};

/// Compares records and disk and mends what differs, or tells what would be done.
pub(super) fn reconcile(context: &mut Context, args: &ReconcileArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let plan = ops::plan_reconcile(&pool)?;
    let form = Form::from(args.json);
    if args.dry_run {
        match form {
            Form::Json => context.document(&ReconcileDocument::from(&plan))?,
            Form::Human => context.text(&render::reconcile_plan(&plan, &context.view()))?,
        }
        return Ok(Exit::OK);
    }
    let mut progress = Progress::new(&mut context.console);
    let done = ops::execute_reconcile(&pool, plan, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&ReconcileDocument::from(&done))?,
        Form::Human => context.text(&render::reconciled(&done, &context.view()))?,
    }
    Ok(if done.is_complete() { Exit::OK } else { Exit::FAILURE })
}
