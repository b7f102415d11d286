//! What callers ask for: one request type per operation, each with sensible defaults.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use windrow_model::{BranchName, Fence, LandStrategy, LeaseId, LeaseKey, RescueId, SessionId, WorktreeName};

use crate::process::Cancel;

/// Where to look for the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locate {
    /// From the current directory: upwards, then among its children.
    FromHere,
    /// From this path (`--repo`).
    At(PathBuf),
}

/// What HEAD of a new worktree is set to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum BranchRequest {
    /// A new branch named by the template.
    #[default]
    Template,
    /// This branch: checked out if it exists, else made at the base.
    Named(BranchName),
    /// No branch.
    Detached,
}

/// Who will hold the lease.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum HolderRequest {
    /// Nobody who can be watched; the lease ends by time.
    #[default]
    Unbound,
    /// The calling process; the lease ends with it.
    Caller,
    /// This process; the lease ends with it.
    Process(u32),
    /// This session, which must be there; the lease ends with it.
    Session(SessionId),
    /// Somebody on another machine; the lease ends by time.
    Remote(String),
}

/// What a new session ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SessionRequest {
    /// The process that started ours: the shell or the program that runs the agents. A subshell that will end soon counts as its
    /// shell.
    #[default]
    Caller,
    /// This process.
    Process(u32),
    /// Nobody who could be watched: it ends after this time.
    For(Duration),
}

/// What to do when `max_worktrees` is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Waiting {
    /// Fail at once.
    #[default]
    Refuse,
    /// Wait in line for at most this long.
    For(Duration),
}

/// Whether untracked files come along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CarryRequest {
    /// As the configuration says.
    #[default]
    Configured,
    /// Nothing.
    Nothing,
}

/// Asks for a worktree.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AcquireRequest {
    /// Its name; `None` makes one.
    pub name: Option<WorktreeName>,
    /// The caller's task or effect id.
    pub key: Option<LeaseKey>,
    /// A branch, remote branch, tag or object name; `None` is HEAD of the worktree one stands in.
    pub base: Option<String>,
    /// What HEAD is set to.
    pub branch: BranchRequest,
    /// Who will hold it.
    pub holder: HolderRequest,
    /// How long the lease lasts without a renewal; `None` is the configured time for holders that cannot be watched, and
    /// no limit for those that can.
    pub ttl: Option<Duration>,
    /// What to do when the pool is full.
    pub waiting: Waiting,
    /// For how long the worktree stays after the lease; `None` is the configured time.
    pub keep: Option<Duration>,
    /// Whether untracked files come along.
    pub carry: CarryRequest,
}

/// Asks to take a worktree that somebody else made into care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptRequest {
    /// Its root; a relative path is taken from the current directory.
    pub path: PathBuf,
    /// Its name; `None` is that of its directory, or an invented one.
    pub name: Option<WorktreeName>,
    /// For how long it stays; `None` is the configured time, or else a week.
    pub keep: Option<Duration>,
}

/// Names a lease or worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By the worktree's name.
    Name(WorktreeName),
    /// By the lease.
    Lease(LeaseId),
    /// By the caller's key.
    Key(LeaseKey),
    /// By a path: the worktree that it lies in.
    Path(PathBuf),
}

/// What happens to uncommitted, untracked and ignored work at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WorkPolicy {
    /// It goes into a rescue.
    #[default]
    Rescue,
    /// It is discarded; the user said so by name.
    Discard,
}

/// Gives a worktree back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// Which one.
    pub selector: Selector,
    /// The fence of the lease, when the caller has it; a stale one is refused.
    pub fence: Option<Fence>,
    /// For how long the worktree stays; `None` is what was said at acquire.
    pub keep: Option<Duration>,
    /// What happens to unsaved work.
    pub work: WorkPolicy,
}

/// Moves a lease's expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewRequest {
    /// Which one.
    pub selector: Selector,
    /// The fence of the lease, when the caller has it.
    pub fence: Option<Fence>,
    /// How long from now; `None` is the configured time.
    pub ttl: Option<Duration>,
}

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutputRequest {
    /// Where ours goes.
    #[default]
    Inherit,
    /// Both streams to our standard error, because our standard output carries a document.
    ToStderr,
    /// Both streams to the worktree's log alone, because many commands run at once.
    ToLog,
}

/// What a command gets on standard input.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum InputRequest {
    /// Ours.
    #[default]
    Inherit,
    /// Nothing.
    Nothing,
    /// This text.
    Text(Vec<u8>),
}

/// A command to supervise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// The program, looked up on the caller's PATH.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// When to end it.
    pub timeout: Option<Duration>,
    /// Where its output goes.
    pub output: OutputRequest,
    /// Whether its output is also written to a log; `None` is as configured.
    pub log: Option<windrow_model::LogMode>,
    /// Variables for it besides those of the worktree, which they replace where they have one's name.
    pub env: Vec<(OsString, OsString)>,
    /// What it gets on standard input.
    pub input: InputRequest,
    /// What ends it from outside.
    pub cancel: Option<Cancel>,
}

/// Runs a command in a worktree of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// The worktree; its holder is always the caller.
    pub acquire: AcquireRequest,
    /// The command.
    pub command: CommandRequest,
    /// What happens to unsaved work.
    pub work: WorkPolicy,
    /// How its commits are landed when the command succeeds; `None` leaves them on their branch.
    pub land: Option<RunLanding>,
    /// Whether its commits are pushed when the command succeeds.
    pub push: Option<RunPush>,
}

/// How the commits of a run are pushed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RunPush {
    /// Where to; `None` is as git is configured, else `origin`.
    pub remote: Option<String>,
}

/// How the commits of a run are landed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RunLanding {
    /// How; `None` is as configured.
    pub strategy: Option<LandStrategy>,
    /// Where; `None` is the branch that the work began from.
    pub onto: Option<BranchName>,
}

impl CommandRequest {
    /// A command without a time limit, whose output goes where ours goes.
    #[must_use]
    pub fn new(program: OsString, args: Vec<OsString>) -> Self {
        let (output, input) = (OutputRequest::Inherit, InputRequest::Inherit);
        Self { program, args, timeout: None, output, log: None, env: Vec::new(), input, cancel: None }
    }
}

impl RunRequest {
    /// A command in a new worktree of HEAD, everything as configured.
    #[must_use]
    pub fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self {
            acquire: AcquireRequest::default(),
            command: CommandRequest::new(program, args),
            work: WorkPolicy::Rescue,
            land: None,
            push: None,
        }
    }
}

/// Runs a command in a worktree that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Which one.
    pub selector: Selector,
    /// The command.
    pub command: CommandRequest,
}

/// Brings a rescue back in a new worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    /// Which one; the name of a worktree stands for its newest.
    pub rescue: RescueId,
    /// Name, holder and time of the new worktree; base and branch are the rescue's unless a branch is named here.
    pub acquire: AcquireRequest,
}
