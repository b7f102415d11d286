//! `windrow task`.

use windrow_core::{
    ops::{self, TaskDetails},
    store::{TaskId, TaskState},
};
use windrow_model::Fence;

use super::{Context, Form};
use crate::{
    args::{TaskClaimArgs, TaskCommand, TaskNewArgs, TaskSetArgs},
    errors::{Exit, Problem},
    render,
    wire::{ClaimDocument, TaskDocument, TaskListDocument, TaskLogDocument, TaskReleaseDocument},
};

/// Creates, lists, shows, changes, claims or releases tasks.
pub(super) fn task(context: &mut Context, command: &TaskCommand) -> Result<Exit, Problem> {
    match command {
        TaskCommand::New(args) => create(context, args),
        TaskCommand::List { state, json } => list(context, state.as_ref(), Form::from(*json)),
        TaskCommand::Show { task, json } => show(context, task, Form::from(*json)),
        TaskCommand::Set(args) => set(context, args),
        TaskCommand::Claim(args) => claim(context, args),
        TaskCommand::Release { task, fence, json } => release(context, task, *fence, Form::from(*json)),
        TaskCommand::Log { task, json } => log(context, task, Form::from(*json)),
    }?;
    Ok(Exit::OK)
}

/// The id alone on standard output, so that `$(…)` gets it.
fn create(context: &mut Context, args: &TaskNewArgs) -> Result<(), Problem> {
    let pool = context.open()?;
    let task = ops::create_task(&pool, &args.request(context.surroundings.actor()))?;
    match Form::from(args.json) {
        Form::Json => context.document(&TaskDocument::from(&TaskDetails { task, claim: None })),
        Form::Human => context.raw(format!("{}\n", task.id).as_bytes()),
    }
}

fn list(context: &mut Context, state: Option<&TaskState>, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let tasks = ops::tasks(&pool, state)?;
    match form {
        Form::Json => context.document(&TaskListDocument::from(tasks.as_slice())),
        Form::Human => {
            let text = render::tasks(&tasks, &context.view());
            context.text(&text)
        }
    }
}

fn show(context: &mut Context, id: &TaskId, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let details = ops::task_details(&pool, id)?;
    match form {
        Form::Json => context.document(&TaskDocument::from(&details)),
        Form::Human => {
            let text = render::task(&details, &context.view());
            context.text(&text)
        }
    }
}

fn set(context: &mut Context, args: &TaskSetArgs) -> Result<(), Problem> {
    let pool = context.open()?;
    let task = ops::edit_task(&pool, &args.task, &args.request(context.surroundings.actor()))?;
    match Form::from(args.json) {
        Form::Json => {
            let claim = ops::task_details(&pool, &args.task)?.claim;
            context.document(&TaskDocument::from(&TaskDetails { task, claim }))
        }
        Form::Human => {
            context.console.say(&render::task_edited(&task));
            Ok(())
        }
    }
}

/// The fence alone on standard output, so that `$(…)` gets it; the rest on standard error.
fn claim(context: &mut Context, args: &TaskClaimArgs) -> Result<(), Problem> {
    let pool = context.open()?;
    let claim = ops::claim_task(&pool, &args.request(context.surroundings.actor()))?;
    match Form::from(args.json) {
        Form::Json => context.document(&ClaimDocument::from(&claim)),
        Form::Human => {
            let text = render::task_claimed(&claim, &context.view());
            context.console.say(&text);
            context.raw(format!("{}\n", claim.fence).as_bytes())
        }
    }
}

fn release(context: &mut Context, id: &TaskId, fence: Fence, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    ops::release_task(&pool, id, fence)?;
    match form {
        Form::Json => context.document(&TaskReleaseDocument::from(id)),
        Form::Human => Ok(()),
    }
}

fn log(context: &mut Context, id: &TaskId, form: Form) -> Result<(), Problem> {
    let pool = context.open()?;
    let changes = ops::task_history(&pool, id)?;
    match form {
        Form::Json => context.document(&TaskLogDocument::new(id, &changes)),
        Form::Human => {
            let text = render::task_changes(&changes, &context.view());
            context.text(&text)
        }
    }
}
