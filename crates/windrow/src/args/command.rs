//! The commands and their own options.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;
use windrow_model::{
    BranchName, Fence, LeaseId, LeaseKey, RescueId, SessionId, WorktreeId, WorktreeName, parse_duration,
};

use super::{
    conflicts::ConflictsArgs,
    help,
    hook::HookArgs,
    land::{LandArg, LandArgs},
    map::MapArgs,
    pool::PoolArgs,
    prune::PruneArgs,
    push::PushArgs,
    queue::{QueueArgs, ServeArgs},
    session::SessionArgs,
    sync::SyncArgs,
    task::TaskArgs,
    value::{self, ResultTarget},
    worktree::{CommandArgs, SelectorArgs, WorkArgs, WorktreeArgs},
};
use crate::completion;

const RESULT: &str = "Result";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command in a worktree of its own
    #[command(after_help = help::RUN)]
    Run(RunArgs),
    /// Run a command in a worktree that is there
    Exec(ExecArgs),
    /// Open a shell in a worktree, or print the shell function for `windrow cd`
    #[command(after_help = help::SHELL)]
    Shell(ShellArgs),
    /// Lease a worktree and print its path
    #[command(after_help = help::ACQUIRE)]
    Acquire(AcquireArgs),
    /// Extend a lease
    Renew(RenewArgs),
    /// Give a worktree back; what is not committed goes into a rescue
    Release(ReleaseArgs),
    /// Let leases end together, with the process that runs the agents
    #[command(after_help = help::SESSION)]
    Session(SessionArgs),
    /// Hold worktrees ready, so that the next ones are handed out at once
    #[command(after_help = help::POOL)]
    Pool(PoolArgs),
    /// Run a command for each of many tasks, several at once, each in a worktree of its own
    #[command(after_help = help::MAP)]
    Map(Box<MapArgs>),
    /// Keep a list of what is to be done, which many may work on at once
    #[command(after_help = help::TASK)]
    Task(TaskArgs),
    /// Bring commits home: into the branch they began from, and the checkout that has it
    #[command(after_help = help::LAND)]
    Land(Box<LandArgs>),
    /// Bring commits to a remote, without overwriting anybody's
    #[command(after_help = help::PUSH)]
    Push(PushArgs),
    /// Tell which work in the worktrees will not merge, uncommitted work included
    #[command(after_help = help::CONFLICTS)]
    Conflicts(ConflictsArgs),
    /// Bring the target's new commits into a worktree
    #[command(after_help = help::SYNC)]
    Sync(SyncArgs),
    /// Look at the queue of landings, wait for one, or take one out
    #[command(after_help = help::QUEUE)]
    Queue(QueueArgs),
    /// List the worktrees, oldest first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Tell everything about a worktree
    Show(ShowArgs),
    /// Print the path of a worktree
    Path(PathArgs),
    /// Show what changed in a worktree since its base, uncommitted work included
    Diff(DiffArgs),
    /// Print the log of a worktree's commands
    Logs(LogsArgs),
    /// Take a worktree that was made by hand or by another tool into care
    #[command(after_help = help::ADOPT)]
    Adopt(AdoptArgs),
    /// List, show or drop saved work
    Rescue(RescueArgs),
    /// Bring saved work back in a new worktree
    #[command(after_help = help::RESTORE)]
    Restore(RestoreArgs),
    /// Remove what is old, too much or merged: kept worktrees, saved work, branches
    #[command(after_help = help::PRUNE)]
    Prune(PruneArgs),
    /// Tell what is wrong and what to do about it
    Doctor(DoctorArgs),
    /// Compare the records with git and the disk, and mend what differs
    #[command(after_help = help::RECONCILE)]
    Reconcile(ReconcileArgs),
    /// Leave the repository to plain git, without a trace but branches
    #[command(after_help = help::DEINIT)]
    Deinit(DeinitArgs),
    /// Print the history
    Events(EventsArgs),
    /// Print the configuration that holds here
    Config(ConfigArgs),
    /// Give worktrees to the sessions and subagents of Claude Code
    #[command(after_help = help::HOOK)]
    Hook(HookArgs),
    /// Print the code that makes a shell complete our arguments
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print or write the manual pages
    Man(ManArgs),
    /// Explains that only the shell function can change the directory.
    #[command(hide = true)]
    Cd {
        /// Whatever follows.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// Deletes what lies in the trash, in the background.
    #[command(name = windrow_core::ops::SWEEP_COMMAND, hide = true)]
    Sweep(SweepArgs),
    /// Keeps a pool, in the background.
    #[command(name = windrow_core::ops::KEEPER_COMMAND, hide = true)]
    Keeper(KeeperArgs),
    /// Fills a pool, in the background.
    #[command(name = windrow_core::ops::WARM_COMMAND, hide = true)]
    Warm(WarmArgs),
    /// Lands what is queued, in the background.
    #[command(name = windrow_core::ops::QUEUE_COMMAND, hide = true)]
    ServeQueue(ServeArgs),
    /// Works on an overlay, in a mount namespace.
    #[command(name = windrow_core::ops::OVERLAY_COMMAND, hide = true)]
    Overlay(OverlayArgs),
    /// Writes the JSON Schemas of every document.
    #[command(name = "__schemas", hide = true)]
    Schemas(SchemasArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) worktree: WorktreeArgs,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Land what the command committed if it succeeds
    #[arg(
        long,
        value_name = "STRATEGY",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "configured",
        help_heading = "Worktree"
    )]
    pub(crate) land: Option<LandArg>,
    /// Push what the command committed if it succeeds, to this remote or as `windrow push` does
    #[arg(
        long,
        value_name = "REMOTE",
        value_parser = value::remote,
        num_args = 0..=1,
        require_equals = true,
        conflicts_with = "land",
        help_heading = "Worktree"
    )]
    pub(crate) push: Option<Option<String>>,
    /// Also write the result as JSON to a file or an open descriptor
    #[arg(
        long,
        help_heading = RESULT,
        value_name = "FILE|fd:N",
        value_parser = value::result_target(),
        value_hint = ValueHint::FilePath
    )]
    pub(crate) result: Option<ResultTarget>,
    /// Print the result as JSON; the command's output goes to standard error
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
    /// Also write the result as JSON to a file or an open descriptor
    #[arg(
        long,
        help_heading = RESULT,
        value_name = "FILE|fd:N",
        value_parser = value::result_target(),
        value_hint = ValueHint::FilePath
    )]
    pub(crate) result: Option<ResultTarget>,
    /// Print the result as JSON; the command's output goes to standard error
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Arguments of `acquire`.
#[derive(Debug, Args)]
pub(crate) struct AcquireArgs {
    #[command(flatten)]
    pub(crate) worktree: WorktreeArgs,
    #[command(flatten)]
    pub(crate) holder: HolderArgs,
    /// Print the lease as JSON
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Who holds a lease that no command of ours holds.
#[derive(Debug, Default, Args)]
pub(crate) struct HolderArgs {
    /// End the lease when this process ends
    #[arg(long, value_name = "PID", help_heading = "Lease", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,
    /// End the lease with this session; without it with the one in WINDROW_SESSION
    #[arg(
        long,
        value_name = "ID",
        help_heading = "Lease",
        conflicts_with = "pid",
        add = ArgValueCandidates::new(completion::sessions)
    )]
    pub(crate) session: Option<SessionId>,
    /// End the lease after this time unless it is renewed
    #[arg(long, value_name = "TIME", help_heading = "Lease", value_parser = parse_duration)]
    pub(crate) ttl: Option<Duration>,
}

/// Arguments of `renew`.
#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Refuse unless this is the lease's current fence
    #[arg(long, value_name = "N", value_parser = value::fence)]
    pub(crate) fence: Option<Fence>,
    /// How long from now; the configured time without it
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) ttl: Option<Duration>,
    /// Print the lease as JSON
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Refuse unless this is the lease's current fence
    #[arg(long, value_name = "N", value_parser = value::fence)]
    pub(crate) fence: Option<Fence>,
    /// Leave the worktree in place for this long
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) keep: Option<Duration>,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Land what is committed first; what cannot be landed is not given back
    #[arg(
        long,
        value_name = "STRATEGY",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "configured"
    )]
    pub(crate) land: Option<LandArg>,
    /// Print what became of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Also tell what each takes on the disk, which takes a look at every file
    #[arg(long)]
    pub(crate) du: bool,
    /// Print the worktrees as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `path`.
#[derive(Debug, Args)]
pub(crate) struct PathArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Print it as JSON
    #[arg(long, conflicts_with = "to_file")]
    pub(crate) json: bool,
    /// Write the path, raw, into the file named by WINDROW_CD_FILE (for the shell function)
    #[arg(long, hide = true)]
    pub(crate) to_file: bool,
}

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The worktree: a live or kept one is entered, any other name makes a new one
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(completion::worktrees))]
    pub(crate) name: Option<WorktreeName>,
    /// Print the shell function that gives `windrow cd NAME` and `wcd NAME`
    #[arg(long, value_name = "SHELL", value_enum, exclusive = true)]
    pub(crate) init: Option<ShellKind>,
    /// Start from this branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// Use this branch; it is made when it does not exist
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<BranchName>,
    /// Leave the worktree in place for this long after the shell has ended
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) keep: Option<Duration>,
}

/// A shell for which there is a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellKind {
    Bash,
    Zsh,
    Fish,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Print the names of all log files, newest first, instead of the newest one's content
    #[arg(long)]
    pub(crate) list: bool,
    /// Print the names of all log files as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) selector: SelectorArgs,
    /// Print it inside a JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `rescue`.
#[derive(Debug, Args)]
pub(crate) struct RescueArgs {
    #[command(subcommand)]
    pub(crate) command: RescueCommand,
}

/// What to do with saved work.
#[derive(Debug, Subcommand)]
pub(crate) enum RescueCommand {
    /// List saved work, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a rescue holds
    Show {
        /// Its id, or a worktree's name for the newest one of it
        #[arg(value_name = "RESCUE", add = ArgValueCandidates::new(completion::rescues))]
        rescue: RescueId,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a rescue for ever
    Drop {
        /// Its id, in full
        #[arg(value_name = "RESCUE", add = ArgValueCandidates::new(completion::rescues))]
        rescue: RescueId,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Its id, or a worktree's name for the newest one of it
    #[arg(value_name = "RESCUE", add = ArgValueCandidates::new(completion::rescues))]
    pub(crate) rescue: RescueId,
    /// Name the new worktree
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<WorktreeName>,
    /// Use this branch instead of the one the work was on
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<BranchName>,
    /// Your own id for the lease; the same key gives the same lease again
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<LeaseKey>,
    /// Wait for at most this long when the pool is full
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
    #[command(flatten)]
    pub(crate) holder: HolderArgs,
    /// Print the lease as JSON
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Tell in which ways worktrees can be made here, and why not in others
    #[arg(long, conflicts_with_all = ["fix", "dry_run"])]
    pub(crate) strategies: bool,
    /// Also do what has one right answer
    #[arg(long)]
    pub(crate) fix: bool,
    /// Only tell what --fix would do
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// Only tell what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// The root of the worktree
    #[arg(value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,
    /// Name it; without it the name of its directory, or an invented one
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<WorktreeName>,
    /// Leave it in place for this long; the configured time or 7 days without it
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) keep: Option<Duration>,
    /// Print the worktree as JSON
    #[arg(long, help_heading = RESULT)]
    pub(crate) json: bool,
}

/// Arguments of `deinit`.
#[derive(Debug, Args)]
pub(crate) struct DeinitArgs {
    /// Only tell what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Make every rescue a plain branch, and unpack its ignored files beside the repository
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) rescues: Option<RescuesInto>,
    /// Throw every rescue away
    #[arg(long, conflicts_with = "rescues")]
    pub(crate) discard_rescues: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What saved work is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RescuesInto {
    /// Branches `rescue/<id>`
    Branches,
}

/// Arguments of `events`.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on printing what happens, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only events with a higher number
    #[arg(long, value_name = "N", default_value_t)]
    pub(crate) after: u64,
    /// Print JSON: one document, or with --follow one for each event
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Print only the value of this key
    #[arg(value_name = "KEY", add = ArgValueCandidates::new(completion::config_keys))]
    pub(crate) key: Option<String>,
    /// Also tell where each value comes from
    #[arg(long)]
    pub(crate) show_origin: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: CompletionShell,
}

/// A shell that can complete our arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the page of every command into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

/// Arguments of `__sweep`.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The trash directory.
    pub(crate) trash: PathBuf,
}

/// Arguments of `__keeper`.
#[derive(Debug, Args)]
pub(crate) struct KeeperArgs {
    /// The git common directory.
    pub(crate) common_dir: PathBuf,
    /// The path that stands for the repository.
    pub(crate) root: PathBuf,
}

/// Arguments of `__warm`.
#[derive(Debug, Args)]
pub(crate) struct WarmArgs {
    /// How many worktrees are to be ready.
    pub(crate) count: u32,
    /// The branch moved; nobody asked.
    #[arg(long)]
    pub(crate) moved: bool,
    /// Start a keeper afterwards.
    #[arg(long)]
    pub(crate) keeper: bool,
    #[command(flatten)]
    pub(crate) pool: KeeperArgs,
}

/// Arguments of `__overlay`.
#[derive(Debug, Args)]
pub(crate) struct OverlayArgs {
    #[command(subcommand)]
    pub(crate) command: OverlayCommand,
}

/// What is done to overlays.
#[derive(Debug, Subcommand)]
pub(crate) enum OverlayCommand {
    /// Tries one.
    Try {
        /// The trash directory beside which it is tried.
        trash: PathBuf,
    },
    /// Saves what one holds.
    Save(OverlaySaveArgs),
}

/// Arguments of `__overlay save`.
#[derive(Debug, Args)]
pub(crate) struct OverlaySaveArgs {
    #[command(flatten)]
    pub(crate) pool: KeeperArgs,
    /// The worktree.
    pub(crate) worktree: WorktreeId,
    /// The lease that the rescue is named by.
    pub(crate) lease: LeaseId,
    /// Save nothing.
    #[arg(long)]
    pub(crate) discard: bool,
}

/// Arguments of `__schemas`.
#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// Where to write them.
    pub(crate) dir: PathBuf,
}
