//! `windrow deinit`.

use windrow_core::ops::{self, DeinitFate};

use super::{Context, Form};
use crate::{
    args::DeinitArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::DeinitDocument,
};

/// Leaves the repository to plain git, or tells what would be done.
pub(super) fn deinit(context: &mut Context, args: &DeinitArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let form = Form::from(args.json);
    if args.dry_run {
        let plan = ops::plan_deinit(&pool, args.policy())?;
        match form {
            Form::Json => context.document(&DeinitDocument::planned(&plan))?,
            Form::Human => context.text(&render::deinit_plan(&plan, &context.view()))?,
        }
        return Ok(Exit::OK);
    }
    let mut progress = Progress::new(&mut context.console);
    let done = ops::execute_deinit(&pool, args.policy(), &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&DeinitDocument::from(&done))?,
        Form::Human => context.text(&render::deinited(&done, &context.view()))?,
    }
    Ok(match done.fate {
        DeinitFate::Done => Exit::OK,
        DeinitFate::Obstructed => Exit::CONFLICT,
    })
}
