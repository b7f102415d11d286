//! `windrow adopt`.

use windrow_core::ops;

use super::{Context, Form};
use crate::{
    args::AdoptArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::AdoptDocument,
};

/// Takes a worktree that somebody else made into care.
pub(super) fn adopt(context: &mut Context, args: &AdoptArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let mut progress = Progress::new(&mut context.console);
    let adopted = ops::adopt(&pool, &args.request(), &mut progress)?;
    let told = progress.finish();
    match Form::from(args.json) {
        Form::Json => context.document(&AdoptDocument::from(&adopted))?,
        Form::Human => {
            context.notices(&adopted.notices, &told);
            let text = render::adopted(&adopted, &context.view());
            context.console.say(&text);
        }
    }
    Ok(Exit::OK)
}
