//! `windrow prune`.

use windrow_core::ops;

use super::{Context, Form};
use crate::{
    args::PruneArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::PruneDocument,
};

/// Removes by policy what nobody needs any more, or tells what would go.
pub(super) fn prune(context: &mut Context, args: &PruneArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let policy = args.policy(pool.settings().pool.max_bytes).ok_or_else(no_budget)?;
    let plan = ops::plan_prune(&pool, policy)?;
    let form = Form::from(args.json);
    if args.dry_run {
        match form {
            Form::Json => context.document(&PruneDocument::from(&plan))?,
            Form::Human => context.text(&render::prune_plan(&plan, &context.view()))?,
        }
        return Ok(Exit::OK);
    }
    let mut progress = Progress::new(&mut context.console);
    let done = ops::execute_prune(&pool, plan, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&PruneDocument::from(&done))?,
        Form::Human => context.text(&render::pruned(&done, &context.view()))?,
    }
    Ok(if done.is_complete() && done.is_within_budget() { Exit::OK } else { Exit::FAILURE })
}

fn no_budget() -> Problem {
    Problem::usage("no budget is configured")
        .hint("name one, as in `windrow prune --to-budget 20GiB`, or set `pool.max_bytes`")
}
