//! `windrow conflicts`.

use windrow_core::ops::{self, Forecast};

use super::{Context, Form};
use crate::{
    args::ConflictsArgs,
    errors::{Exit, Problem},
    render,
    wire::ConflictsDocument,
};

/// Tells which work will not merge.
pub(super) fn conflicts(context: &mut Context, args: &ConflictsArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let forecast = ops::forecast(&pool, &args.request(&context.surroundings.current_dir))?;
    match Form::from(args.json) {
        Form::Json => context.document(&ConflictsDocument::from(&forecast))?,
        Form::Human => context.text(&render::forecast(&forecast))?,
    }
    Ok(exit_of(&forecast))
}

/// That nothing was found counts only when everything was looked at.
fn exit_of(forecast: &Forecast) -> Exit {
    match (forecast.collisions.is_empty(), forecast.unseen.is_empty()) {
        (false, _) => Exit::CONFLICT,
        (true, false) => Exit::FAILURE,
        (true, true) => Exit::OK,
    }
}
