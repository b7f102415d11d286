//! The commands: each turns its arguments into a request, calls one operation and renders the outcome.

mod acquire;
mod adopt;
mod config;
mod conflicts;
mod deinit;
mod doctor;
mod events;
mod hook;
mod land;
mod list;
mod logs;
mod man;
mod map;
mod overlay;
mod path;
mod pool;
mod prune;
mod push;
mod queue;
mod reconcile;
mod release;
mod rescue;
mod result;
mod run;
mod schemas;
mod select;
mod session;
mod shell;
mod sync;
mod task;

use jiff::Timestamp;
use serde::Serialize;
use windrow_core::ops::{Locate, Pool};
use windrow_model::{IdError, SessionId};

use crate::args::Form;
use crate::{
    args::{Command, GlobalArgs},
    completion,
    console::Console,
    environment::{self, Surroundings},
    errors::{Exit, Problem},
    render::{self, View},
    wire::{self, Code},
};

/// What every command works with.
pub(crate) struct Context {
    pub(crate) surroundings: Surroundings,
    pub(crate) global: GlobalArgs,
    pub(crate) console: Console,
}

impl Context {
    /// Opens the pool and tells what it has to say.
    fn open(&mut self) -> Result<Pool, Problem> {
        self.open_with(Vec::new())
    }

    /// The same, with what else is said on the command line.
    fn open_with(&mut self, config: Vec<(String, String)>) -> Result<Pool, Problem> {
        self.open_located(self.locate(), config)
    }

    /// Opens the pool of the repository at a path, unless the command line names another.
    fn open_at(&mut self, path: Option<&std::path::Path>) -> Result<Pool, Problem> {
        let locate = match (self.locate(), path) {
            (Locate::FromHere, Some(path)) => Locate::At(path.to_owned()),
            (named, _) => named,
        };
        self.open_located(locate, Vec::new())
    }

    fn locate(&self) -> Locate {
        match &self.global.repo {
            Some(path) => Locate::At(self.surroundings.current_dir.join(path)),
            None => Locate::FromHere,
        }
    }

    fn open_located(&mut self, locate: Locate, config: Vec<(String, String)>) -> Result<Pool, Problem> {
        let config = [self.global.config.clone(), config].concat();
        let pool = Pool::open(self.surroundings.for_core(&config), &locate)?;
        for warning in &pool.loaded_config().warnings {
            self.console.say(&render::notice(&warning.to_string()));
        }
        Ok(pool)
    }

    /// The session that we were started in.
    fn session(&self) -> Result<Option<SessionId>, Problem> {
        let unreadable = |error: IdError| {
            Problem::usage(format!("cannot read `{}`: {error}", environment::SESSION))
                .hint(format!("export {}=$(windrow session start)", environment::SESSION))
        };
        self.surroundings.session().map_err(unreadable)
    }

    fn view(&self) -> View<'_> {
        View { now: Timestamp::now(), home: self.surroundings.home() }
    }

    /// Prints a document.
    fn document<T: Serialize>(&mut self, document: &T) -> Result<(), Problem> {
        let line = encode(document)?;
        self.console.print_raw(line.as_bytes()).map_err(|error| Problem::output(&error))
    }

    /// Prints rendered text.
    fn text(&mut self, text: &str) -> Result<(), Problem> {
        self.console.print(text).map_err(|error| Problem::output(&error))
    }

    /// Prints bytes as they are.
    fn raw(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.console.print_raw(bytes).map_err(|error| Problem::output(&error))
    }

    /// Tells notices that were not told yet.
    fn notices(&mut self, notices: &[String], told: &[String]) {
        for notice in notices.iter().filter(|notice| !told.contains(notice)) {
            self.console.say(&render::notice(notice));
        }
    }
}

/// A document as a line.
fn encode<T: Serialize>(document: &T) -> Result<String, Problem> {
    wire::line(document).map_err(|error| Problem::new(Code::Internal, &error))
}

/// Does what was asked.
pub(crate) fn dispatch(context: &mut Context, command: Command) -> Result<Exit, Problem> {
    match command {
        Command::Run(args) => run::run(context, &args),
        Command::Exec(args) => run::exec(context, &args),
        Command::Shell(args) => shell::shell(context, &args),
        Command::Acquire(args) => acquire::acquire(context, &args),
        Command::Renew(args) => acquire::renew(context, &args),
        Command::Release(args) => release::release(context, &args),
        Command::Session(args) => session::session(context, &args.command),
        Command::Pool(args) => pool::pool(context, &args.command),
        Command::Map(args) => map::map(context, &args),
        Command::Task(args) => task::task(context, &args.command),
        Command::Land(args) => land::land(context, &args),
        Command::Push(args) => push::push(context, &args),
        Command::Conflicts(args) => conflicts::conflicts(context, &args),
        Command::Sync(args) => sync::sync(context, &args),
        Command::Queue(args) => queue::queue(context, &args.command),
        Command::List(args) => list::list(context, &args),
        Command::Show(args) => list::show(context, &args),
        Command::Path(args) => path::path(context, &args),
        Command::Diff(args) => list::diff(context, &args),
        Command::Logs(args) => logs::logs(context, &args),
        Command::Adopt(args) => adopt::adopt(context, &args),
        Command::Rescue(args) => rescue::rescue(context, &args.command),
        Command::Restore(args) => rescue::restore(context, &args),
        Command::Prune(args) => prune::prune(context, &args),
        Command::Doctor(args) => doctor::doctor(context, &args),
        Command::Reconcile(args) => reconcile::reconcile(context, &args),
        Command::Deinit(args) => deinit::deinit(context, &args),
        Command::Events(args) => events::events(context, &args),
        Command::Config(args) => config::config(context, &args),
        Command::Hook(args) => hook::hook(context, &args),
        Command::Completions(args) => completions(context, args.shell),
        Command::Man(args) => man::man(context, &args),
        Command::Cd { .. } => Err(path::no_function()),
        Command::Sweep(args) => Ok(sweep(&args)),
        Command::Keeper(args) => Ok(keep(context, &args)),
        Command::Warm(args) => Ok(pool::fill_in_background(context, &args)),
        Command::ServeQueue(args) => Ok(queue::serve(context, &args)),
        Command::Overlay(args) => overlay::overlay(context, &args.command),
        Command::Schemas(args) => schemas::schemas(&args),
    }
}

fn completions(context: &mut Context, shell: crate::args::CompletionShell) -> Result<Exit, Problem> {
    use clap::ValueEnum;
    let name = shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let code =
        completion::registration(&name).map_err(|error| Problem::io("cannot make the code", &error))?;
    context.raw(&code)?;
    Ok(Exit::OK)
}

/// The background deleter: it speaks to nobody.
fn sweep(args: &crate::args::SweepArgs) -> Exit {
    match windrow_core::ops::sweep(&args.trash) {
        Ok(_) => Exit::OK,
        Err(_) => Exit::FAILURE,
    }
}

/// The keeper in the background: what it has to say is in its log.
fn keep(context: &Context, args: &crate::args::KeeperArgs) -> Exit {
    let request =
        windrow_core::ops::KeepRequest { common_dir: args.common_dir.clone(), root: args.root.clone() };
    match windrow_core::ops::keep(context.surroundings.for_core(&[]), &request) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::FAILURE,
    }
}
