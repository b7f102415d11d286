//! `windrow release`.

use windrow_core::ops::{self, WorktreeFate};

use super::{Context, Form, select::selector};
use crate::{
    args::ReleaseArgs,
    errors::{Exit, Problem},
    render,
    wire::ReleaseDocument,
};

/// Gives a worktree back; one that has to be left in place, because its work could not be saved, is a failure.
pub(super) fn release(context: &mut Context, args: &ReleaseArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    let landed = match args.land {
        Some(land) => Some(super::land::before_release(context, &pool, (&selector, land.strategy()))?),
        None => None,
    };
    let released = ops::release(&pool, &args.request(selector))?;
    match Form::from(args.json) {
        Form::Json => context.document(&ReleaseDocument::new(&released, landed.as_ref()))?,
        Form::Human => {
            if let Some(landed) = &landed {
                let text = render::landed(landed, &context.view());
                context.console.say(&text);
            }
            let text = render::released(&released, &context.view());
            context.console.say(&text);
        }
    }
    Ok(match released.fate {
        WorktreeFate::Quarantined(_) => Exit::FAILURE,
        WorktreeFate::Removed | WorktreeFate::Vanished | WorktreeFate::Kept(_) => Exit::OK,
    })
}
