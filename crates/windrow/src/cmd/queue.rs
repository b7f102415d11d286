//! `windrow queue`, and `windrow land --queue`.

use windrow_core::ops::{self, LandRequest, Pool, TicketScope};
use windrow_model::{TicketNumber, TicketRecord, TicketState};

use super::{Context, Form};
use crate::{
    args::{QueueCommand, ServeArgs},
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{QueueListDocument, TicketDocument},
};

/// Lists tickets, waits for one, or takes one out.
pub(super) fn queue(context: &mut Context, command: &QueueCommand) -> Result<Exit, Problem> {
    match command {
        QueueCommand::List { all, json } => {
            list(context, if *all { TicketScope::All } else { TicketScope::Open }, Form::from(*json))
        }
        QueueCommand::Wait { ticket, timeout, json } => wait(context, (*ticket, *timeout), Form::from(*json)),
        QueueCommand::Cancel { ticket, json } => cancel(context, *ticket, Form::from(*json)),
    }
}

/// Queues a landing: the ticket alone on standard output, so that `$(…)` gets it; the rest on standard error.
pub(super) fn enqueue(
    context: &mut Context,
    pool: &Pool,
    request: &LandRequest,
    form: Form,
) -> Result<Exit, Problem> {
    let mut progress = Progress::new(&mut context.console);
    let ticket = ops::enqueue(pool, request, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&TicketDocument::from(&ticket))?,
        Form::Human => {
            let text = render::ticket(&ticket, &context.view());
            context.console.say(&text);
            context.raw(format!("{}\n", ticket.number).as_bytes())?;
        }
    }
    Ok(Exit::OK)
}

fn list(context: &mut Context, scope: TicketScope, form: Form) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let tickets = ops::tickets(&pool, scope)?;
    match form {
        Form::Json => context.document(&QueueListDocument::from(tickets.as_slice()))?,
        Form::Human => {
            let text = render::tickets(&tickets, &context.view());
            context.text(&text)?;
        }
    }
    Ok(Exit::OK)
}

fn wait(
    context: &mut Context,
    (number, limit): (TicketNumber, Option<std::time::Duration>),
    form: Form,
) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let mut progress = Progress::new(&mut context.console);
    let ticket = ops::wait_for_ticket(&pool, number, limit, &mut progress)?;
    progress.finish();
    tell(context, &ticket, form)?;
    Ok(exit_of(&ticket))
}

fn cancel(context: &mut Context, number: TicketNumber, form: Form) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let ticket = ops::cancel_ticket(&pool, number)?;
    tell(context, &ticket, form)?;
    Ok(Exit::OK)
}

fn tell(context: &mut Context, ticket: &TicketRecord, form: Form) -> Result<(), Problem> {
    match form {
        Form::Json => context.document(&TicketDocument::from(ticket)),
        Form::Human => {
            let text = render::ticket(ticket, &context.view());
            context.console.say(&text);
            Ok(())
        }
    }
}

/// As the landing itself would have ended.
fn exit_of(ticket: &TicketRecord) -> Exit {
    match ticket.state {
        TicketState::Landed => Exit::OK,
        TicketState::Queued | TicketState::Landing => Exit::TRY_AGAIN,
        TicketState::Conflict | TicketState::VerifyFailed | TicketState::Refused | TicketState::Cancelled => {
            Exit::CONFLICT
        }
    }
}

/// The process in the background that lands what is queued: it speaks to nobody.
pub(super) fn serve(context: &Context, args: &ServeArgs) -> Exit {
    let request = ops::ServeRequest {
        common_dir: args.pool.common_dir.clone(),
        root: args.pool.root.clone(),
        target: args.target.clone(),
    };
    match ops::serve_queue(context.surroundings.for_core(&[]), &request) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::FAILURE,
    }
}
