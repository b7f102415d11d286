//! `windrow sync`.

use windrow_core::ops;

use super::{Context, Form, select::selector};
use crate::{
    args::SyncArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::SyncDocument,
};

/// Brings the target's new commits into a worktree.
pub(super) fn sync(context: &mut Context, args: &SyncArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let mut progress = Progress::new(&mut context.console);
    let synced = ops::sync(&pool, &args.request(selector), &mut progress)?;
    progress.finish();
    match Form::from(args.json) {
        Form::Json => context.document(&SyncDocument::from(&synced))?,
        Form::Human => {
            let text = render::synced(&synced);
            context.console.say(&text);
        }
    }
    Ok(Exit::OK)
}
