//! The `windrow` command line: arguments become a request, one operation of the library runs, its outcome is rendered.
//!
//! Nothing but [`main()`] is public; programs use `windrow-core` or the JSON documents of `docs/schemas/`.

mod args;
mod claude;
mod cmd;
mod completion;
mod console;
mod environment;
mod errors;
mod progress;
mod render;
mod settle;
mod shell;
mod wire;

use std::{ffi::OsStr, process::ExitCode};

use crate::{
    args::{Cli, Form},
    console::{Chatter, ColourMode, Console},
    environment::Surroundings,
    errors::{Exit, Problem},
    wire::{Code, ErrorDocument},
};

/// Runs the program: reads the arguments and surroundings, does what is asked, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() == Some(OsStr::new(windrow_core::ops::REAPER_COMMAND)) {
        return windrow_core::process::reaper::main(args);
    }
    match Surroundings::read() {
        Ok(surroundings) => start(surroundings).into(),
        Err(error) => without_surroundings(&error).into(),
    }
}

/// Completions need no console and no tracing, so that nothing can disturb the shell.
fn start(surroundings: Surroundings) -> Exit {
    match completion::answer(&surroundings) {
        Ok(true) => return Exit::OK,
        Ok(false) => {}
        Err(error) => return misused(&error, &surroundings),
    }
    match args::parse(&surroundings.args) {
        Ok(cli) => execute(surroundings, cli),
        Err(error) => misused(&error, &surroundings),
    }
}

fn execute(surroundings: Surroundings, cli: Cli) -> Exit {
    let console = Console::new(&surroundings, cli.global.color, cli.global.chatter());
    trace(cli.global.verbose, &console);
    let form = args::form_of(&surroundings.args);
    let mut context = cmd::Context { surroundings, global: cli.global, console };
    match cmd::dispatch(&mut context, cli.command) {
        Ok(exit) => exit,
        Err(problem) => report(&mut context.console, &problem, form),
    }
}

/// Tells a failure: to people on standard error, or to programs on standard output.
fn report(console: &mut Console, problem: &Problem, form: Form) -> Exit {
    if problem.silent {
        return problem.exit;
    }
    let document = ErrorDocument::new(problem.wire(), wire::Exit::windrow(problem.exit.0));
    match wire::line(&document) {
        // Where the document cannot be written the failure is still told.
        Ok(line) if form == Form::Json && console.print_raw(line.as_bytes()).is_ok() => {}
        _ => console.complain(&render::problem(problem)),
    }
    problem.exit
}

/// Arguments that cannot be read, or a wish for help.
fn misused(error: &clap::Error, surroundings: &Surroundings) -> Exit {
    if error.use_stderr() && args::form_of(&surroundings.args) == Form::Json {
        let mut console = Console::new(surroundings, ColourMode::Auto, Chatter::Normal);
        return report(&mut console, &usage(&error.render().to_string()), Form::Json);
    }
    // A closed reader of the help is no failure.
    let _ = error.print();
    if error.use_stderr() { Exit::USAGE } else { Exit::OK }
}

/// The first paragraph of clap's text is what happened, the others are how to do it right.
fn usage(text: &str) -> Problem {
    let mut paragraphs =
        text.trim().split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let problem = Problem::told(Code::Usage, first.strip_prefix("error: ").unwrap_or(&first));
    match paragraphs.find(|part| part.starts_with("tip: ")) {
        Some(tip) => problem.hint(tip.trim_start_matches("tip: ")),
        None => problem.hint("`--help` shows the arguments"),
    }
}

fn without_surroundings(error: &std::io::Error) -> Exit {
    let problem = Problem::io("cannot tell where we are", error).hint("change into a directory that exists");
    // There is no console yet, and a closed standard error is no failure.
    let _ = std::io::Write::write_all(&mut anstream::stderr(), render::problem(&problem).as_bytes());
    problem.exit
}

/// Lets the library tell what it does, on standard error.
fn trace(verbose: u8, console: &Console) {
    let level = match verbose {
        0 => return,
        1 => "windrow_core=info",
        2 => "windrow_core=debug",
        _ => "windrow_core=trace",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(console.draws())
        .without_time()
        .with_target(false)
        .finish();
    // There is no other one: this is the only call.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misuse_becomes_a_message_and_a_hint() {
        let told = |line: &str| {
            let args: Vec<_> = line.split(' ').map(std::ffi::OsString::from).collect();
            let problem = usage(&args::parse(&args).unwrap_err().render().to_string());
            (problem.message, problem.hint.unwrap_or_default())
        };
        assert_eq!(
            told("windrow list --jsn"),
            (
                "unexpected argument '--jsn' found".to_owned(),
                "a similar argument exists: '--json'".to_owned()
            )
        );
        let (message, hint) = told("windrow run --keep soon -- make");
        assert!(message.starts_with("invalid value 'soon' for '--keep <TIME>'"), "{message}");
        assert_eq!(hint, "`--help` shows the arguments");
    }
}
