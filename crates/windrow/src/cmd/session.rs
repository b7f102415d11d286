//! `windrow session`.

use windrow_core::ops::{self, EndedSession, Released, SessionRequest, WorktreeFate};
use windrow_model::{SessionId, WorktreeName};

use super::{Context, Form};
use crate::{
    args::SessionCommand,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{SessionDocument, SessionEndDocument, SessionListDocument, SessionStartDocument},
};

/// Starts, lists, shows or ends a session.
pub(super) fn session(context: &mut Context, command: &SessionCommand) -> Result<Exit, Problem> {
    match command {
        SessionCommand::Start { pid, ttl, json } => {
            let request = match (pid, ttl) {
                (Some(pid), _) => SessionRequest::Process(*pid),
                (None, Some(ttl)) => SessionRequest::For(*ttl),
                (None, None) => SessionRequest::Caller,
            };
            start(context, request, Form::from(*json))
        }
        SessionCommand::List { json } => list(context, Form::from(*json)),
        SessionCommand::Show { session, json } => show(context, *session, Form::from(*json)),
        SessionCommand::End { session, json } => end(context, *session, Form::from(*json)),
    }
}

/// The id alone on standard output, so that `$(…)` gets it; the rest on standard error.
fn start(context: &mut Context, request: SessionRequest, form: Form) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let session = ops::start_session(&pool, request)?;
    match form {
        Form::Json => context.document(&SessionStartDocument::from(&session))?,
        Form::Human => {
            let text = render::session_started(&session, &context.view());
            context.console.say(&text);
            context.raw(format!("{}\n", session.id).as_bytes())?;
        }
    }
    Ok(Exit::OK)
}

fn list(context: &mut Context, form: Form) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let sessions = ops::sessions(&pool)?;
    match form {
        Form::Json => context.document(&SessionListDocument::from(sessions.as_slice()))?,
        Form::Human => {
            let text = render::sessions(&sessions, &context.view());
            context.text(&text)?;
        }
    }
    Ok(Exit::OK)
}

fn show(context: &mut Context, session: Option<SessionId>, form: Form) -> Result<Exit, Problem> {
    let id = meant(context, session)?;
    let pool = context.open()?;
    let details = ops::session_details(&pool, id)?;
    match form {
        Form::Json => context.document(&SessionDocument::from(&details))?,
        Form::Human => {
            let text = render::session(&details, &context.view());
            context.text(&text)?;
        }
    }
    Ok(Exit::OK)
}

/// A worktree that has to be left in place, or that is still in use, is a failure; the others are given back all the same.
fn end(context: &mut Context, session: Option<SessionId>, form: Form) -> Result<Exit, Problem> {
    let id = meant(context, session)?;
    let pool = context.open()?;
    let mut progress = Progress::new(&mut context.console);
    let EndedSession { session, leases } = ops::end_session(&pool, id, &mut progress)?;
    progress.finish();
    let (mut released, mut failed) = (Vec::new(), Vec::new());
    for lease in leases {
        match lease.released {
            Ok(one) => released.push(one),
            Err(error) => failed.push((lease.name, Problem::from(error))),
        }
    }
    match form {
        Form::Json => context.document(&SessionEndDocument::new(&session, &released, &failed))?,
        Form::Human => {
            let text = render::session_ended(&session, &released, &failed, &context.view());
            context.console.say(&text);
        }
    }
    Ok(exit_of(&released, &failed))
}

fn exit_of(released: &[Released], failed: &[(WorktreeName, Problem)]) -> Exit {
    let left = released.iter().any(|one| matches!(one.fate, WorktreeFate::Quarantined(_)));
    match failed.first() {
        _ if left => Exit::FAILURE,
        Some((_, problem)) => problem.exit,
        None => Exit::OK,
    }
}

/// The session that was named, else the one that we were started in.
fn meant(context: &Context, named: Option<SessionId>) -> Result<SessionId, Problem> {
    let session = match named {
        Some(named) => Some(named),
        None => context.session()?,
    };
    let none = || {
        Problem::usage("no session was named, and `WINDROW_SESSION` names none")
            .hint("name one of those that `windrow session list` shows")
    };
    session.ok_or_else(none)
}
