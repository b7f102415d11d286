//! `windrow push`.

use windrow_core::ops::{self, PullRequest, PushSource, Pushed};

use super::{Context, Form, select::selector};
use crate::{
    args::{PushArgs, SelectorArgs},
    errors::{Exit, Problem},
    render,
    wire::PushDocument,
};

/// Brings commits to a remote.
pub(super) fn push(context: &mut Context, args: &PushArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let source = match args.source(&context.surroundings.current_dir) {
        Some(source) => source,
        None => PushSource::Worktree(selector(&pool, &SelectorArgs::default(), &context.surroundings)?),
    };
    let pushed = ops::push(&pool, &args.request(source))?;
    match Form::from(args.json) {
        Form::Json => context.document(&PushDocument::from(&pushed))?,
        Form::Human => tell(context, &pushed)?,
    }
    Ok(exit_of(&pushed))
}

/// The address of a pull request is what was asked for, so it goes to standard output.
fn tell(context: &mut Context, pushed: &Pushed) -> Result<(), Problem> {
    let text = render::pushed(pushed);
    context.console.say(&text);
    match &pushed.pull_request {
        Some(PullRequest::Offered(url)) => context.text(&format!("{}\n", render::safe(url))),
        _ => Ok(()),
    }
}

/// The work is there; a pull request that was wished for may be not.
fn exit_of(pushed: &Pushed) -> Exit {
    match &pushed.pull_request {
        None | Some(PullRequest::Offered(_) | PullRequest::Command(0)) => Exit::OK,
        Some(PullRequest::Command(_) | PullRequest::Nothing) => Exit::FAILURE,
    }
}
