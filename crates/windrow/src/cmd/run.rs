//! `windrow run` and `windrow exec`: the exit code is the command's own.

use windrow_core::{
    ops::{self, ExecRequest, Finished, Ran, RanLanding, RanPush},
    process,
};

use super::{Context, Form, result::ResultSink, select::selector};
use crate::{
    args::{ExecArgs, RunArgs},
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{self, ErrorDocument, ExecDocument, RunDocument},
};

/// Runs a command in a worktree of its own.
pub(super) fn run(context: &mut Context, args: &RunArgs) -> Result<Exit, Problem> {
    let mut sink = ResultSink::open(args.result.as_ref(), &context.surroundings.current_dir)?;
    let (ran, told) = or_tell(&mut sink, open_and_launch(context, args))?;
    let (ran, [land, push]) = apart(ran);
    let refused = land.as_ref().or(push.as_ref());
    let exit = refused.map_or_else(|| exit_of(&ran.finished), |problem| problem.exit);
    let ended = match refused {
        Some(problem) => wire::Exit::windrow(problem.exit.0),
        None => wire::Exit::child(&ran.finished, exit.0),
    };
    let told_apart = [&land, &push].map(|problem| problem.as_ref().map(Problem::wire));
    let document = RunDocument::new(&ran, told_apart, ended);
    sink.write(&document)?;
    match Form::from(args.json) {
        Form::Json => context.document(&document)?,
        Form::Human => summarise(context, &ran, &told),
    }
    if let (Form::Human, Some(problem)) = (Form::from(args.json), refused) {
        let text = render::problem(problem);
        context.console.say(&text);
    }
    Ok(exit)
}

/// Takes the reasons why nothing was landed or pushed out of a run.
fn apart(ran: Ran) -> (Ran, [Option<Problem>; 2]) {
    let Ran { landing, push, .. } = ran;
    let (landing, land) = match landing {
        RanLanding::Refused(error) => (RanLanding::NotAsked, Some(Problem::from(*error))),
        landing => (landing, None),
    };
    let (push, pushing) = match push {
        RanPush::Refused(error) => (RanPush::NotAsked, Some(Problem::from(*error))),
        push => (push, None),
    };
    (Ran { landing, push, ..ran }, [land, pushing])
}

fn open_and_launch(context: &mut Context, args: &RunArgs) -> Result<(Ran, Vec<String>), Problem> {
    let pool = context.open_with(args.worktree.config())?;
    launch(context, &pool, &args.request())
}

/// Runs the request; also gives back the notices that were told on the way.
pub(super) fn launch(
    context: &mut Context,
    pool: &ops::Pool,
    request: &ops::RunRequest,
) -> Result<(Ran, Vec<String>), Problem> {
    let mut progress = Progress::new(&mut context.console);
    let ran = ops::run(pool, request, &mut progress)?;
    Ok((ran, progress.finish()))
}

/// Tells people what a run left.
pub(super) fn summarise(context: &mut Context, ran: &Ran, told: &[String]) {
    context.notices(&ran.leased.notices, told);
    let text = render::ran(ran, &context.view());
    context.console.say(&text);
}

/// Runs a command in a worktree that is there.
pub(super) fn exec(context: &mut Context, args: &ExecArgs) -> Result<Exit, Problem> {
    let mut sink = ResultSink::open(args.result.as_ref(), &context.surroundings.current_dir)?;
    let finished = or_tell(&mut sink, enter(context, args))?;
    let exit = exit_of(&finished);
    let document = ExecDocument::new(&finished, wire::Exit::child(&finished, exit.0));
    sink.write(&document)?;
    match Form::from(args.json) {
        Form::Json => context.document(&document)?,
        Form::Human => tell_finished(context, &finished),
    }
    Ok(exit)
}

fn enter(context: &mut Context, args: &ExecArgs) -> Result<Finished, Problem> {
    let pool = context.open()?;
    let selector = selector(&pool, &args.selector, &context.surroundings)?;
    execute(context, &pool, &args.request(selector))
}

/// Runs the request.
pub(super) fn execute(
    context: &mut Context,
    pool: &ops::Pool,
    request: &ExecRequest,
) -> Result<Finished, Problem> {
    let mut progress = Progress::new(&mut context.console);
    Ok(ops::exec(pool, request, &mut progress)?)
}

/// Tells people what a command left.
pub(super) fn tell_finished(context: &mut Context, finished: &Finished) {
    let text = render::finished(finished, &context.view());
    context.console.say(&text);
}

/// A failure also goes where the result was to go.
fn or_tell<T>(sink: &mut ResultSink, outcome: Result<T, Problem>) -> Result<T, Problem> {
    outcome.inspect_err(|problem| {
        let document = ErrorDocument::new(problem.wire(), wire::Exit::windrow(problem.exit.0));
        // The failure itself is told in any case.
        let _ = sink.write(&document);
    })
}

/// The exit code that hands on how a command ended.
pub(super) fn exit_of(finished: &Finished) -> Exit {
    let code = |number: i32| Exit(u8::try_from(number).unwrap_or(Exit::FAILURE.0));
    match finished.exit {
        _ if finished.timed_out => Exit::TIMEOUT,
        process::Exit::Code(number) => code(number),
        process::Exit::Signal(signal) => code(signal.saturating_add(128)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn finished(exit: process::Exit) -> Finished {
        Finished {
            exit,
            timed_out: false,
            interrupted: None,
            stragglers: Vec::new(),
            elapsed: Duration::from_secs(1),
            log: None,
        }
    }

    #[test]
    fn the_exit_code_is_the_commands_own() {
        for (exit, expected) in [
            (process::Exit::Code(0), 0),
            (process::Exit::Code(255), 255),
            (process::Exit::Signal(9), 137),
            (process::Exit::Code(70_000), 1),
        ] {
            assert_eq!(exit_of(&finished(exit)), Exit(expected), "{exit:?}");
            let timed_out = Finished { timed_out: true, ..finished(exit) };
            assert_eq!(exit_of(&timed_out), Exit::TIMEOUT, "{exit:?}");
        }
    }
}
