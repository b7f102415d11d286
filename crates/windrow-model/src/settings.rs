//! The resolved configuration, with every default.

use std::{collections::BTreeMap, time::Duration};

use crate::{BranchTemplate, LandStrategy, PortRange, SeedChoice, StrategyChoice};

/// Everything that configuration decides.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// Finding the repository.
    pub discovery: DiscoverySettings,
    /// The pool.
    pub pool: PoolSettings,
    /// Branches.
    pub branch: BranchSettings,
    /// Untracked files that come along.
    pub carry: CarrySettings,
    /// Build caches that come along.
    pub seed: SeedSettings,
    /// Saved work.
    pub rescue: RescueSettings,
    /// Running commands.
    pub run: RunSettings,
    /// Tasks.
    pub task: TaskSettings,
    /// Ports that worktrees have to themselves.
    pub ports: PortSettings,
    /// Variables for the commands in a worktree, by name; their values are templates.
    pub env: BTreeMap<String, String>,
    /// Submodules of new worktrees.
    pub submodules: Submodules,
    /// What is everybody's, compared when a lease ends.
    pub guard: GuardSettings,
    /// Bringing work home.
    pub land: LandSettings,
    /// Bringing work to a remote.
    pub push: PushSettings,
}

/// Bringing work to a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSettings {
    /// How long a push may take, all its attempts together; 5 minutes.
    pub timeout: Duration,
    /// Whether the user's `pre-push` hook runs; it does not.
    pub hooks: bool,
    /// What opens a pull request, for a shell; empty for nothing.
    pub pr_command: Option<String>,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(300), hooks: false, pr_command: None }
    }
}

/// Bringing work home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandSettings {
    /// How commits become part of their target; a merge.
    pub strategy: LandStrategy,
    /// What is run on the merged files before anything moves; `None` is nothing.
    pub verify: Option<String>,
    /// How long that may take; 30 min.
    pub verify_timeout: Duration,
}

impl Default for LandSettings {
    fn default() -> Self {
        Self { strategy: LandStrategy::default(), verify: None, verify_timeout: Duration::from_secs(30 * 60) }
    }
}

/// Looking at what is everybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// The main checkout's files are compared when it tracks at most so many; 50,000.
    pub max_files: u32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { max_files: 50_000 }
    }
}

/// Finding the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// How many levels of children are searched when nothing is found upwards; 1.
    pub depth: u32,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self { depth: 1 }
    }
}

/// The pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How many worktrees may be in use at once; `None` is no limit.
    pub max_worktrees: Option<u32>,
    /// Where worktrees lie; `{repo}` is the main worktree's path without a trailing slash, `{name}` the worktree's name.
    pub directory: String,
    /// Bytes to leave free on the file system; 1 GiB.
    pub min_free_bytes: u64,
    /// How long an `acquire` without a holder lasts; 1 h.
    pub ttl: Duration,
    /// Whether a process in the background ends what is over; true.
    pub keeper: bool,
    /// Whether that process runs git's maintenance when nobody works; true.
    pub maintenance: bool,
    /// How many worktrees are held ready; 0.
    pub warm: u32,
    /// How the files of a new worktree come to be; the fastest way there is.
    pub strategy: StrategyChoice,
    /// How many templates are kept; 1.
    pub templates: u32,
    /// How long a worktree is held ready while the pool is not filled anew; 7 d, zero is for ever.
    pub idle: Duration,
    /// How many unique bytes everything that is held may take before nothing more is made ready; `None` is no limit.
    pub max_bytes: Option<u64>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_worktrees: None,
            directory: "{repo}.windrow/{name}".to_owned(),
            min_free_bytes: 1 << 30,
            ttl: Duration::from_secs(3_600),
            keeper: true,
            maintenance: true,
            warm: 0,
            strategy: StrategyChoice::Auto,
            templates: 1,
            idle: Duration::from_secs(7 * 86_400),
            max_bytes: None,
        }
    }
}

/// When a branch that Windrow made goes with its worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeleteBranch {
    /// When it has no commit of its own.
    #[default]
    Empty,
    /// Also when its work has landed.
    Landed,
    /// Also when the remote holds that very commit.
    Pushed,
    /// Never.
    Never,
}

/// Branches.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BranchSettings {
    /// How new branches are named; `windrow/{name}`.
    pub template: BranchTemplate,
    /// When they are deleted.
    pub delete: DeleteBranch,
}

/// Untracked files that come along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrySettings {
    /// Patterns in gitignore syntax of untracked files to copy, ignored or not.
    pub include: Vec<String>,
    /// Patterns of untracked files and directories to link to.
    pub link: Vec<String>,
    /// Patterns of what is never taken.
    pub exclude: Vec<String>,
    /// Directories of agents' own context, taken when git does not track them.
    pub context: Vec<String>,
    /// How much may be carried in all, in bytes; 512 MiB.
    pub max_bytes: u64,
}

impl Default for CarrySettings {
    fn default() -> Self {
        let context = [
            ".agent",
            ".agents",
            ".claude",
            ".codex",
            ".cursor",
            ".gemini",
            ".aider",
            ".windsurf",
            ".continue",
        ];
        Self {
            include: Vec::new(),
            link: Vec::new(),
            exclude: Vec::new(),
            context: context.map(str::to_owned).into(),
            max_bytes: 512 << 20,
        }
    }
}

/// Build caches that come along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedSettings {
    /// Whether `target/` of cargo comes along.
    pub cargo: SeedChoice,
    /// How many bytes may be copied for one worktree where files cannot share blocks; 2 GiB.
    pub max_bytes: u64,
    /// How long a build that is under way in the main worktree is waited for; 5 s.
    pub wait: Duration,
    /// Whether all worktrees build into the main worktree's `target/`, which is wrong; false.
    pub shared_target: bool,
    /// Whether Go leaves paths out of what it compiles, so that its cache serves all worktrees; false.
    pub go_trimpath: bool,
}

impl Default for SeedSettings {
    fn default() -> Self {
        Self {
            cargo: SeedChoice::Auto,
            max_bytes: 2 << 30,
            wait: Duration::from_secs(5),
            shared_target: false,
            go_trimpath: false,
        }
    }
}

/// Saved work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescueSettings {
    /// How long a rescue is kept; 14 days.
    pub keep: Duration,
    /// The largest rescue in bytes; a worktree that needs more is not removed. 2 GiB.
    pub max_bytes: u64,
    /// How many bytes of archives are kept in all before the oldest go; 20 GiB.
    pub total_bytes: u64,
    /// Patterns in gitignore syntax of ignored files that may be dropped.
    pub disposable: Vec<String>,
}

impl Default for RescueSettings {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(14 * 86_400),
            max_bytes: 2 << 30,
            total_bytes: 20 << 30,
            disposable: Vec::new(),
        }
    }
}

/// When a command's output is also written to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogMode {
    /// Never.
    #[default]
    Never,
    /// Always; the command then sees pipes instead of a terminal.
    Always,
}

/// Running commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// Between TERM and KILL for what a command leaves behind; 5 s.
    pub grace: Duration,
    /// Output logs.
    pub log: LogMode,
    /// Size in bytes at which a log is rotated; 10 MiB.
    pub log_bytes: u64,
    /// For how long a worktree stays after a run; zero.
    pub keep: Duration,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(5), log: LogMode::Never, log_bytes: 10 << 20, keep: Duration::ZERO }
    }
}

/// Ports that worktrees have to themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// How many each worktree has; 10, zero is none.
    pub count: u32,
    /// Where they are taken from.
    pub range: PortRange,
}

impl Default for PortSettings {
    fn default() -> Self {
        Self { count: 10, range: PortRange::DEFAULT }
    }
}

/// Tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// The states that a task may be set to; the first is that of a new one.
    pub states: Vec<String>,
}

impl Default for TaskSettings {
    fn default() -> Self {
        let states = ["queued", "running", "review", "done", "failed", "cancelled"];
        Self { states: states.map(str::to_owned).into() }
    }
}

/// What is done about submodules in a new worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Submodules {
    /// They stay empty, as git leaves them.
    #[default]
    None,
    /// Populated, one level.
    Populate,
    /// Populated, with their own.
    Recursive,
}
