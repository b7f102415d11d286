//! `windrow events`.

use std::io;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    stdio::stdout,
};
use windrow_core::ops::{self, Pool};
use windrow_model::Event;

use super::{Context, Form, encode};
use crate::{
    args::EventsArgs,
    errors::{Exit, Problem},
    render,
    wire::{EventDocument, EventsDocument},
};

/// How long after an event a follower may see it.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };

/// Prints the history, and with `--follow` goes on until a signal ends the program or its reader is gone.
pub(super) fn events(context: &mut Context, args: &EventsArgs) -> Result<Exit, Problem> {
    let pool = context.open()?;
    let form = Form::from(args.json);
    if args.follow {
        return follow(context, &pool, args.after, form);
    }
    let events = ops::events(&pool, args.after)?;
    match form {
        Form::Json => context.document(&EventsDocument::from(events.as_slice()))?,
        Form::Human => context.text(&events.iter().map(render::event).collect::<String>())?,
    }
    Ok(Exit::OK)
}

fn follow(context: &mut Context, pool: &Pool, mut after: u64, form: Form) -> Result<Exit, Problem> {
    loop {
        for event in ops::events(pool, after)? {
            after = event.seq;
            tell(context, &event, form)?;
        }
        pause().map_err(|error| Problem::output(&error))?;
    }
}

/// Waits for the next look; ends early, with an error, when nobody reads any more.
fn pause() -> io::Result<()> {
    let mut output = [PollFd::from_borrowed_fd(stdout(), PollFlags::empty())];
    match poll(&mut output, Some(&POLL)) {
        Ok(0) | Err(Errno::INTR) => Ok(()),
        Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => Err(error.into()),
    }
}

fn tell(context: &mut Context, event: &Event, form: Form) -> Result<(), Problem> {
    match form {
        Form::Json => context.raw(encode(&EventDocument::from(event))?.as_bytes()),
        Form::Human => context.text(&render::event(event)),
    }
}
