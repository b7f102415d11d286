//! `windrow rescue` and `windrow restore`.

use windrow_core::ops;
use windrow_model::RescueId;

use super::{Context, Form, acquire::tell_path};
use crate::{
    args::{RescueCommand, RestoreArgs},
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{RescueDocument, RescueDropDocument, RescueListDocument, RestoreDocument},
};

/// Lists, shows or drops saved work.
pub(super) fn rescue(context: &mut Context, command: &RescueCommand) -> Result<Exit, Problem> {
    match command {
        RescueCommand::List { json } => list(context, Form::from(*json)),
        RescueCommand::Show { rescue, json } => show(context, rescue, Form::from(*json)),
        RescueCommand::Drop { rescue, json } => drop(context, rescue, Form::from(*json)),
    }?;
    Ok(Exit::OK)
}

fn list(context: &mut Context, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let mut records = ops::rescues(&pool)?;
    records.reverse();
    let text = render::rescues(&records, &context.view());
    match form {
        Form::Json => context.document(&RescueListDocument::from(records.as_slice())),
        Form::Human => context.text(&text),
    }
}

fn show(context: &mut Context, rescue: &RescueId, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let details = ops::rescue_details(&pool, rescue)?;
    let text = render::rescue(&details, &context.view());
    match form {
        Form::Json => context.document(&RescueDocument::from(&details)),
        Form::Human => context.text(&text),
    }
}

fn drop(context: &mut Context, rescue: &RescueId, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let record = ops::drop_rescue(&pool, rescue)?;
    match form {
        Form::Json => context.document(&RescueDropDocument::from(&record)),
        Form::Human => {
            context.console.say(&render::rescue_dropped(&record));
            Ok(())
        }
    }
}

/// Brings saved work back in a new worktree and prints its path.
pub(super) fn restore(context: &mut Context, args: &RestoreArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let session = context.session()?;
    let mut progress = Progress::new(&mut context.console);
    let restored = ops::restore(&pool, &args.request(session), &mut progress)?;
    let told = progress.finish();
    match Form::from(args.json) {
        Form::Json => context.document(&RestoreDocument::from(&restored))?,
        Form::Human => {
            let summary = render::restored(&restored, &context.view());
            tell_path(context, &restored.leased, &told, &summary)?;
        }
    }
    Ok(Exit::OK)
}
