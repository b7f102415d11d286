//! The command line: what may be written, and its help. Raw arguments become requests once, in `request`.

mod command;
mod conflicts;
mod help;
mod hook;
mod land;
mod map;
mod pool;
mod prune;
mod push;
mod queue;
mod request;
mod session;
mod sync;
mod task;
#[cfg(test)]
mod tests;
mod value;
mod worktree;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser};

pub(crate) use self::{
    command::{
        AcquireArgs, AdoptArgs, Command, CompletionShell, ConfigArgs, DeinitArgs, DiffArgs, DoctorArgs,
        EventsArgs, ExecArgs, KeeperArgs, ListArgs, LogsArgs, ManArgs, OverlayCommand, OverlaySaveArgs,
        PathArgs, ReconcileArgs, ReleaseArgs, RenewArgs, RescueCommand, RestoreArgs, RunArgs, SchemasArgs,
        ShellArgs, ShellKind, ShowArgs, SweepArgs, WarmArgs,
    },
    conflicts::ConflictsArgs,
    hook::{ClaudeCommand, HookArgs, HookHarness, SettingsArgs},
    land::LandArgs,
    map::MapArgs,
    pool::PoolCommand,
    prune::PruneArgs,
    push::PushArgs,
    queue::{QueueCommand, ServeArgs},
    session::SessionCommand,
    sync::SyncArgs,
    task::{TaskClaimArgs, TaskCommand, TaskNewArgs, TaskSetArgs},
    value::ResultTarget,
    worktree::{CommandArgs, SelectorArgs, WorktreeArgs},
};
use crate::console::{Chatter, ColourMode};

/// Gives every coding agent its own git worktree, runs it there, and cleans up after it.
#[derive(Debug, Parser)]
#[command(name = "windrow", bin_name = "windrow", version, max_term_width = 100, after_help = help::AFTER)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Work on the repository at PATH instead of the one here
    #[arg(long, global = true, value_name = "PATH", value_hint = clap::ValueHint::DirPath)]
    pub(crate) repo: Option<std::path::PathBuf>,
    /// Set a configuration key for this command
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = value::key_value)]
    pub(crate) config: Vec<(String, String)>,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColourMode,
    /// Say nothing on standard error but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Tell what is done; twice tells more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl GlobalArgs {
    /// How much to say on standard error.
    pub(crate) fn chatter(&self) -> Chatter {
        if self.quiet { Chatter::Quiet } else { Chatter::Normal }
    }
}

/// How an answer is given on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Human,
    Json,
}

impl From<bool> for Form {
    /// Reads a `--json` flag.
    fn from(json: bool) -> Self {
        if json { Self::Json } else { Self::Human }
    }
}

/// The command line as clap knows it, with its commands in groups.
pub(crate) fn command() -> clap::Command {
    Cli::command().help_template(help::template())
}

/// Reads the arguments, the program's name first.
///
/// # Errors
/// What is wrong with them; also a request for help or the version, which is no failure.
pub(crate) fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args).map_err(harmless)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Writes the control characters of a refused value out, so that the message cannot steer the terminal.
fn harmless(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        if let Some(ContextValue::String(value)) = error.get(kind) {
            let shown = crate::render::safe(value);
            error.insert(kind, ContextValue::String(shown));
        }
    }
    error
}

/// The form of the answer, even when the arguments cannot be read.
pub(crate) fn form_of(args: &[OsString]) -> Form {
    args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json").into()
}
