//! `windrow list`, `windrow show` and `windrow diff`.

use windrow_core::ops::{self, Colour};

use super::{Context, Form, select::selector};
use crate::{
    args::{DiffArgs, ListArgs, ShowArgs},
    errors::{Exit, Problem},
    render,
    wire::{DiffDocument, ListDocument, ShowDocument},
};

/// Lists the worktrees.
pub(super) fn list(context: &mut Context, args: &ListArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let entries = ops::list(&pool)?;
    let usage = args.du.then(|| ops::usage_of(&pool, &entries));
    match (Form::from(args.json), &usage) {
        (Form::Json, _) => context.document(&ListDocument::new(&entries, usage.as_deref()))?,
        (Form::Human, None) => context.text(&render::list(&entries, &context.view()))?,
        (Form::Human, Some(usage)) => context.text(&render::list_usage(&entries, usage, &context.view()))?,
    }
    Ok(Exit::OK)
}

/// Tells everything about a worktree.
pub(super) fn show(context: &mut Context, args: &ShowArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let details = ops::show(&pool, &selector)?;
    match Form::from(args.json) {
        Form::Json => context.document(&ShowDocument::from(&details))?,
        Form::Human => {
            let text = render::show(&details, &context.view());
            context.text(&text)?;
        }
    }
    Ok(Exit::OK)
}

/// Shows what changed in a worktree.
pub(super) fn diff(context: &mut Context, args: &DiffArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let form = Form::from(args.json);
    let coloured = form == Form::Human && context.console.out_coloured();
    let colour = if coloured { Colour::Always } else { Colour::Never };
    let diff = ops::diff(&pool, &selector, colour)?;
    match form {
        Form::Json => context.document(&DiffDocument::new(&diff))?,
        Form::Human => context.raw(&diff)?,
    }
    Ok(Exit::OK)
}
