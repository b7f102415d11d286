//! `windrow land`.

use windrow_core::ops::{self, LandSource, Landed, Pool, Selector};

use super::{Context, Form, queue, select::selector};
use crate::{
    args::LandArgs,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::LandDocument,
};

/// Brings commits home.
pub(super) fn land(context: &mut Context, args: &LandArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let source = source(context, &pool, args)?;
    let request = args.request(source);
    if args.queue {
        return queue::enqueue(context, &pool, &request, Form::from(args.json));
    }
    let landed = carry_out(context, &pool, &request)?;
    match Form::from(args.json) {
        Form::Json => context.document(&LandDocument::from(&landed))?,
        Form::Human => {
            let text = render::landed(&landed, &context.view());
            context.console.say(&text);
        }
    }
    Ok(Exit::OK)
}

fn source(context: &Context, pool: &Pool, args: &LandArgs) -> Result<LandSource, Problem> {
    Ok(match (&args.branch, &args.rescue) {
        (Some(branch), _) => LandSource::Branch(branch.clone()),
        (None, Some(rescue)) => LandSource::Rescue(rescue.clone()),
        (None, None) => LandSource::Worktree(selector(pool, &args.selector, &context.surroundings)?),
    })
}

/// Lands what `release --land` gives back.
pub(super) fn before_release(
    context: &mut Context,
    pool: &Pool,
    (selector, strategy): (&Selector, Option<windrow_model::LandStrategy>),
) -> Result<Landed, Problem> {
    let source = LandSource::Worktree(selector.clone());
    carry_out(context, pool, &ops::LandRequest { strategy, ..ops::LandRequest::new(source) })
}

fn carry_out(context: &mut Context, pool: &Pool, request: &ops::LandRequest) -> Result<Landed, Problem> {
    let mut progress = Progress::new(&mut context.console);
    let landed = ops::land(pool, request, &mut progress)?;
    progress.finish();
    Ok(landed)
}
