//! `windrow map`.

mod list;
mod live;
mod template;

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use windrow_core::{
    ops::{
        self, CommandRequest, InputRequest, Mapped, OutputRequest, Turn, Unobserved, batch_named_by, judge,
    },
    process::{Cancel, Interruption},
};
use windrow_model::{BatchId, BatchTask, LogMode, TaskEnd, Verdict};

use self::{list::Listed, live::Live};
use super::{Context, Form, result::ResultSink};
use crate::{
    args::MapArgs,
    errors::{Exit, Problem},
    render,
    wire::MapDocument,
};

/// Runs a command for each of many tasks, each in a worktree of its own.
pub(super) fn map(context: &mut Context, args: &MapArgs) -> Result<Exit, Problem> {
    let listed = list::read(&args.tasks, &context.surroundings.current_dir)?;
    listed.iter().try_for_each(|one| command(args, one, None).map(drop))?;
    let mut sink = ResultSink::open(args.results.as_ref(), &context.surroundings.current_dir)?;
    let pool = context.open_with(args.config())?;
    let failed = |error| Problem::io("cannot watch for signals", &error);
    let cancel = Cancel::new().map_err(failed)?;
    let interruption = Interruption::watch(cancel.clone()).map_err(failed)?;
    let batch = args.batch.clone().unwrap_or_else(|| name_of(args, &listed));
    let tasks = listed.iter().map(|one| one.task.clone()).collect();
    let request = args.request(batch.clone(), tasks, cancel);
    let form = Form::from(args.json);
    let live = Live::new(&mut context.console, form, batch, &listed);
    let mapped = ops::map(&pool, &request, &|turn| work(args, &listed[turn.place], turn), &live);
    let told = live.finish();
    let mapped = mapped?;
    let documents = documents(&mapped, &listed);
    sink.write_lines(&documents)?;
    match form {
        Form::Json => {
            // The others were printed as they came.
            for (_, document) in documents.iter().enumerate().filter(|(place, _)| !told.contains(place)) {
                context.document(document)?;
            }
        }
        Form::Human => {
            let keys: Vec<_> = listed.iter().map(|one| one.task.key.as_str()).collect();
            context.text(&render::mapped(&mapped, &keys))?;
        }
    }
    Ok(exit_of(&mapped, interruption.end()))
}

/// Runs the command of one task.
fn work(args: &MapArgs, listed: &Listed, turn: &Turn<'_, '_>) -> Verdict {
    match command(args, listed, Some(turn.cancel)) {
        Ok(command) => judge(&turn.lease.run(&command, &mut Unobserved)),
        // It was tried for every task before anything began.
        Err(problem) => Verdict {
            end: TaskEnd::Refused,
            exit: None,
            detail: problem.message,
            elapsed: std::time::Duration::ZERO,
        },
    }
}

/// The command of one task, its placeholders filled.
fn command(args: &MapArgs, listed: &Listed, cancel: Option<&Cancel>) -> Result<CommandRequest, Problem> {
    let fill = |text: &OsString| template::fill(text, &listed.values).map_err(|name| unknown(&name, listed));
    let mut words = args.command.iter().map(fill).collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut env = vec![
        ("WINDROW_TASK".into(), listed.values["task"].clone()),
        ("WINDROW_TASK_KEY".into(), listed.task.key.clone().into()),
        ("WINDROW_TASK_INDEX".into(), listed.values["index"].clone()),
    ];
    for (name, value) in &args.env {
        env.push((name.into(), fill(&value.into())?));
    }
    let input = match &args.stdin {
        Some(text) => InputRequest::Text(fill(text)?.into_vec()),
        None => InputRequest::Nothing,
    };
    let program = words.next().unwrap_or_default();
    Ok(CommandRequest {
        timeout: listed.timeout.or(args.timeout),
        output: OutputRequest::ToLog,
        log: Some(LogMode::Always),
        env,
        input,
        cancel: cancel.cloned(),
        ..CommandRequest::new(program, words.collect())
    })
}

fn unknown(name: &str, listed: &Listed) -> Problem {
    let known: Vec<_> = listed.values.keys().map(|name| format!("{{{name}}}")).collect();
    Problem::usage(format!("`{{{name}}}` stands for nothing in task `{}`", render::safe(&listed.task.key)))
        .hint(format!("there are {}; write `{{{{{name}}}}}` for the text itself", known.join(", ")))
}

/// The same name for the same tasks and command, so that the same line with `--resume` finds its batch.
fn name_of(args: &MapArgs, listed: &[Listed]) -> BatchId {
    let words = args.command.iter().map(|word| word.as_bytes());
    let tasks = listed.iter().flat_map(|one| [one.task.key.as_bytes(), one.values["task"].as_bytes()]);
    batch_named_by(words.chain([&b""[..]]).chain(tasks))
}

/// The results in order.
fn documents(mapped: &Mapped, listed: &[Listed]) -> Vec<MapDocument> {
    let document = |(place, task): (usize, &Option<BatchTask>)| {
        MapDocument::new(&mapped.batch, place, &listed[place].task.key, task.as_ref())
    };
    mapped.tasks.iter().enumerate().map(document).collect()
}

fn exit_of(mapped: &Mapped, signal: Option<i32>) -> Exit {
    let good =
        |task: &Option<BatchTask>| task.as_ref().is_some_and(|task| task.verdict.end == TaskEnd::Succeeded);
    match signal.map(|signal| u8::try_from(128 + signal)) {
        Some(Ok(code)) if !mapped.tasks.iter().all(Option::is_some) => Exit(code),
        _ if mapped.tasks.iter().all(good) => Exit::OK,
        _ => Exit::FAILURE,
    }
}
