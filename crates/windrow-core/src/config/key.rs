//! The table of every key: what it takes, its default and its meaning.

use windrow_model::Settings;

use super::field::{Field, UNLIMITED};

/// What every environment variable that sets a key begins with.
pub(super) const ENVIRONMENT_PREFIX: &str = "WINDROW_CONFIG__";

/// The table whose keys are names of variables, which nobody can list.
pub(super) const VARIABLES: &str = "env";

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A version, `1`, `1.2` or `1.2.3`.
    Version,
    /// A whole number from 0.
    Count,
    /// A whole number from 1, or `unlimited`.
    Limit,
    /// A number of bytes, as an integer or as text with a unit.
    Size,
    /// The same, or `unlimited`.
    SizeLimit,
    /// A number of seconds, as an integer or as text with units.
    Duration,
    /// A template of a directory, with `{name}` and perhaps `{repo}`.
    Directory,
    /// A template of a branch name, with `{name}` or `{key}`.
    BranchTemplate,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of patterns in gitignore syntax.
    Patterns,
    /// A list of directories relative to the top of the checkout.
    Directories,
    /// A range of ports.
    PortRange,
    /// A list of different words for the states of tasks.
    States,
    /// A line for a shell, or nothing.
    Command,
}

impl Kind {
    /// Says what is expected, as it continues "must be".
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Version => "a version such as \"1.2\"".to_owned(),
            Self::Count => "a whole number from 0".to_owned(),
            Self::Limit => format!("a whole number from 1, or \"{UNLIMITED}\""),
            Self::Size => "a size such as 4096, \"512MiB\" or \"2GiB\"".to_owned(),
            Self::SizeLimit => format!("a size such as 4096, \"512MiB\" or \"2GiB\", or \"{UNLIMITED}\""),
            Self::Duration => {
                "a duration such as 90, \"10m\", \"1h30m\" or \"14d\", of at most 100 years".to_owned()
            }
            Self::Directory => {
                "an absolute path or one that begins with {repo}, with {name} and without `..`".to_owned()
            }
            Self::BranchTemplate => "a branch name with {name} or {key}, and perhaps {user}".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Patterns => "a list of patterns such as [\".env\", \"*.local\"]".to_owned(),
            Self::Directories => {
                "a list of relative directories such as [\".claude\"], without `..`".to_owned()
            }
            Self::PortRange => "a range of ports from 1024 on, such as \"20000-29999\"".to_owned(),
            Self::Command => "a command for `sh -c`, or \"\" for none".to_owned(),
            Self::States => {
                "a list of different words of a-z, 0-9, - and _, such as [\"queued\", \"done\"]".to_owned()
            }
        }
    }
}

/// One key that configuration may set.
#[derive(Clone, Copy, Debug)]
pub struct KeyDoc {
    /// Dotted, `pool.ttl`.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default as TOML text.
    pub default: &'static str,
    /// What it means, one or two sentences.
    pub doc: &'static str,
    field: Option<FieldOf>,
}

type FieldOf = for<'a> fn(&'a mut Settings) -> Field<'a>;

impl KeyDoc {
    /// Where the key lies in the settings; `None` for `min_version`, which is about the file.
    pub(super) fn field(self, settings: &mut Settings) -> Option<Field<'_>> {
        self.field.map(|field| field(settings))
    }
}

/// Every key, in the order of the documentation.
#[must_use]
pub fn keys() -> &'static [KeyDoc] {
    KEYS
}

/// The environment variable that sets a key: `WINDROW_CONFIG__POOL__TTL` for `pool.ttl`.
#[must_use]
pub fn environment_name(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The key that a variable seems to mean.
pub(super) fn key_of_environment_name(name: &str) -> String {
    name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or(name).to_lowercase().replace("__", ".")
}

/// The row of a key.
pub(super) fn position(key: &str) -> Option<usize> {
    KEYS.iter().position(|doc| doc.key == key)
}

/// The tables of the file; a name comes once for each of its keys.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let named = KEYS.iter().filter_map(|doc| doc.key.split_once('.')).map(|(section, _)| section);
    named.chain([VARIABLES])
}

/// Keys by which a file can make programs run.
pub(super) const PRIVATE: [&str; 3] = ["land.verify", "push.hooks", "push.pr_command"];

pub(super) const MIN_VERSION: KeyDoc = KeyDoc {
    key: "min_version",
    kind: Kind::Version,
    default: "\"0\"",
    doc: "The oldest Windrow that may use this file; an older one stops and says so. Only in files.",
    field: None,
};

const fn row(
    key: &'static str,
    kind: Kind,
    default: &'static str,
    field: FieldOf,
    doc: &'static str,
) -> KeyDoc {
    KeyDoc { key, kind, default, doc, field: Some(field) }
}

static KEYS: &[KeyDoc] = &[
    MIN_VERSION,
    row(
        "discovery.depth",
        Kind::Count,
        "1",
        |settings| Field::Count(&mut settings.discovery.depth),
        "How many levels of children are searched for a repository when none is found upwards. No effect in the \
         files of a repository, which is found by then.",
    ),
    row(
        "pool.max_worktrees",
        Kind::Limit,
        "\"unlimited\"",
        |settings| Field::Limit(&mut settings.pool.max_worktrees),
        "How many worktrees of one repository may be in use at once.",
    ),
    row(
        "pool.directory",
        Kind::Directory,
        "\"{repo}.windrow/{name}\"",
        |settings| Field::Directory(&mut settings.pool.directory),
        "Where worktrees lie; `{repo}` is the path of the main checkout, `{name}` the name of the worktree. In the \
         committed file only places beside the checkout.",
    ),
    row(
        "pool.min_free",
        Kind::Size,
        "\"1GiB\"",
        |settings| Field::Size(&mut settings.pool.min_free_bytes),
        "What a new worktree must leave free on its file system.",
    ),
    row(
        "pool.ttl",
        Kind::Duration,
        "\"1h\"",
        |settings| Field::Duration(&mut settings.pool.ttl),
        "How long a lease without a holder process lasts when it is not renewed.",
    ),
    row(
        "pool.keeper",
        Kind::Switch,
        "true",
        |settings| Field::Switch(&mut settings.pool.keeper),
        "Whether a process in the background ends what is over: the leases of dead processes, expired ones, kept \
         worktrees. Without it the next command does so.",
    ),
    row(
        "pool.maintenance",
        Kind::Switch,
        "true",
        |settings| Field::Switch(&mut settings.pool.maintenance),
        "Whether that process lets git pack loose objects and join small packs once nobody has worked for a while and there are \
         more loose objects than git's `gc.auto` says. Nothing is ever dropped. `gc.auto = 0` and `maintenance.auto = false` \
         in git's own configuration switch it off as well.",
    ),
    row(
        "pool.warm",
        Kind::Count,
        "0",
        |settings| Field::Count(&mut settings.pool.warm),
        "How many worktrees are held ready, so that the next ones are handed out in milliseconds. Each costs the disk of a \
         whole checkout.",
    ),
    row(
        "pool.strategy",
        Kind::Choice(&["auto", "overlay", "snapshot", "clone", "copy", "checkout"]),
        "\"auto\"",
        |settings| Field::Strategy(&mut settings.pool.strategy),
        "How the files of a new worktree come to be. `auto` takes one that is held ready, else the fastest way that the file \
         system offers; `windrow doctor --strategies` tells which. With any other none that is held ready is taken. `overlay` \
         shows the files of a worktree to `run`, `exec` and `shell` alone.",
    ),
    row(
        "pool.templates",
        Kind::Count,
        "1",
        |settings| Field::Count(&mut settings.pool.templates),
        "How many templates of recent commits are kept, from which worktrees are made by snapshot, clone or copy. Made in the \
         background where files can share blocks (btrfs, xfs) and the tree has 2,000 files or more; elsewhere by \
         `windrow pool template`, for the disk of one whole checkout.",
    ),
    row(
        "pool.idle",
        Kind::Duration,
        "\"7d\"",
        |settings| Field::Duration(&mut settings.pool.idle),
        "How long a worktree is held ready when no other is handed out or given back meanwhile; then it is thrown away. Zero holds \
         them for ever.",
    ),
    row(
        "pool.max_bytes",
        Kind::SizeLimit,
        "\"unlimited\"",
        |settings| Field::SizeLimit(&mut settings.pool.max_bytes),
        "The budget for the unique bytes of all worktrees, those held ready, templates, rescues and trash: what other files \
         share does not count. No worktree is made ready and no template made in the background beyond it, and `windrow \
         prune --to-budget` keeps to it. None that somebody asks for is refused for its sake: measuring takes too long for \
         that.",
    ),
    row(
        "branch.template",
        Kind::BranchTemplate,
        "\"windrow/{name}\"",
        |settings| Field::BranchTemplate(&mut settings.branch.template),
        "How new branches are named, from `{name}`, `{key}` and `{user}`.",
    ),
    row(
        "branch.delete",
        Kind::Choice(&["empty", "landed", "pushed", "never"]),
        "\"empty\"",
        |settings| Field::Delete(&mut settings.branch.delete),
        "When a branch that Windrow made goes with its worktree: without a commit of its own, also when landed, \
         also when the remote holds that very commit, or never.",
    ),
    row(
        "carry.include",
        Kind::Patterns,
        "[]",
        |settings| Field::Patterns(&mut settings.carry.include),
        "Untracked files to copy into new worktrees, ignored or not.",
    ),
    row(
        "carry.link",
        Kind::Patterns,
        "[]",
        |settings| Field::Patterns(&mut settings.carry.link),
        "Untracked files and directories to link to instead.",
    ),
    row(
        "carry.exclude",
        Kind::Patterns,
        "[]",
        |settings| Field::Patterns(&mut settings.carry.exclude),
        "What is never taken along.",
    ),
    row(
        "carry.context",
        Kind::Directories,
        "[\".agent\", \".agents\", \".claude\", \".codex\", \".cursor\", \".gemini\", \".aider\", \".windsurf\", \
         \".continue\"]",
        |settings| Field::Directories(&mut settings.carry.context),
        "Directories of agents' own context, taken along when git does not track them.",
    ),
    row(
        "carry.max_size",
        Kind::Size,
        "\"512MiB\"",
        |settings| Field::Size(&mut settings.carry.max_bytes),
        "How much may be carried into one worktree.",
    ),
    row(
        "seed.cargo",
        Kind::Choice(&["auto", "off"]),
        "\"auto\"",
        |settings| Field::Seed(&mut settings.seed.cargo),
        "Whether `target/` of the main checkout comes along, so that the first build compiles only what differs.",
    ),
    row(
        "seed.max_bytes",
        Kind::Size,
        "\"2GiB\"",
        |settings| Field::Size(&mut settings.seed.max_bytes),
        "How much may be copied for one worktree where files cannot share blocks; 0 copies nothing there.",
    ),
    row(
        "seed.wait",
        Kind::Duration,
        "\"5s\"",
        |settings| Field::Duration(&mut settings.seed.wait),
        "How long a build under way in the main checkout is waited for before the worktree goes without its cache.",
    ),
    row(
        "seed.shared_target",
        Kind::Switch,
        "false",
        |settings| Field::Switch(&mut settings.seed.shared_target),
        "Has all worktrees build into the main checkout's `target/`: they wait for each other and run each other's programs, so it warns.",
    ),
    row(
        "seed.go_trimpath",
        Kind::Switch,
        "false",
        |settings| Field::Switch(&mut settings.seed.go_trimpath),
        "Adds `-trimpath` to `GOFLAGS`, so that Go's cache serves all worktrees; tests that find files by `runtime.Caller` fail with it.",
    ),
    row(
        "rescue.keep",
        Kind::Duration,
        "\"14d\"",
        |settings| Field::Duration(&mut settings.rescue.keep),
        "How long saved work is kept.",
    ),
    row(
        "rescue.max_size",
        Kind::Size,
        "\"2GiB\"",
        |settings| Field::Size(&mut settings.rescue.max_bytes),
        "The largest single rescue; a worktree that needs more stays where it is.",
    ),
    row(
        "rescue.total_size",
        Kind::Size,
        "\"20GiB\"",
        |settings| Field::Size(&mut settings.rescue.total_bytes),
        "How much saved work is kept in all before the oldest goes.",
    ),
    row(
        "rescue.disposable",
        Kind::Patterns,
        "[]",
        |settings| Field::Patterns(&mut settings.rescue.disposable),
        "Ignored files that need not be saved, beside the build outputs that Windrow knows.",
    ),
    row(
        "run.grace",
        Kind::Duration,
        "\"5s\"",
        |settings| Field::Duration(&mut settings.run.grace),
        "Time between TERM and KILL for what a command leaves behind; at most two seconds when Windrow itself was killed.",
    ),
    row(
        "run.log",
        Kind::Choice(&["never", "always"]),
        "\"never\"",
        |settings| Field::Log(&mut settings.run.log),
        "Whether a command's output is also written to a log; the command then sees pipes instead of a terminal.",
    ),
    row(
        "run.log_size",
        Kind::Size,
        "\"10MiB\"",
        |settings| Field::Size(&mut settings.run.log_bytes),
        "The size at which a log is rotated.",
    ),
    row(
        "run.keep",
        Kind::Duration,
        "\"0s\"",
        |settings| Field::Duration(&mut settings.run.keep),
        "How long a worktree stays after a run.",
    ),
    row(
        "task.states",
        Kind::States,
        "[\"queued\", \"running\", \"review\", \"done\", \"failed\", \"cancelled\"]",
        |settings| Field::States(&mut settings.task.states),
        "The states that a task may be set to; the first is that of a new task.",
    ),
    row(
        "ports.count",
        Kind::Count,
        "10",
        |settings| Field::Count(&mut settings.ports.count),
        "How many network ports in a row each worktree has to itself: `WINDROW_PORT`, `WINDROW_PORT_1` and so on. Zero gives none.",
    ),
    row(
        "ports.range",
        Kind::PortRange,
        "\"20000-29999\"",
        |settings| Field::Ports(&mut settings.ports.range),
        "Where these are taken from. No port is given that somebody listens on, or that another live worktree of the repository has.",
    ),
    row(
        "guard.max_files",
        Kind::Count,
        "50000",
        |settings| Field::Count(&mut settings.guard.max_files),
        "The files of the main checkout are compared before and after a lease when it tracks at most so many; 0 leaves \
         them out.",
    ),
    row(
        "land.strategy",
        Kind::Choice(&["merge", "squash", "rebase", "ff"]),
        "\"merge\"",
        |settings| Field::Land(&mut settings.land.strategy),
        "How commits become part of their target: by a merge commit, as one commit, the same commits again on top of it, or the very \
         same commits where the target has no others.",
    ),
    row(
        "land.verify",
        Kind::Command,
        "\"\"",
        |settings| Field::Command(&mut settings.land.verify),
        "What `sh -c` runs on the merged files, in a worktree of its own, before anything moves; what fails does not land. Refused in \
         the committed file.",
    ),
    row(
        "land.verify_timeout",
        Kind::Duration,
        "\"30m\"",
        |settings| Field::Duration(&mut settings.land.verify_timeout),
        "How long that may take before it is ended and counts as failed.",
    ),
    row(
        "push.timeout",
        Kind::Duration,
        "\"5m\"",
        |settings| Field::Duration(&mut settings.push.timeout),
        "How long a push may take, with all that is tried again.",
    ),
    row(
        "push.hooks",
        Kind::Switch,
        "false",
        |settings| Field::Switch(&mut settings.push.hooks),
        "Whether git's `pre-push` hook runs, as Git LFS needs it. Whoever can write the hooks of the repository can then make a push run \
         anything. Not in the committed file.",
    ),
    row(
        "push.pr_command",
        Kind::Command,
        "\"\"",
        |settings| Field::Command(&mut settings.push.pr_command),
        "What `push --pr` runs in the main checkout, such as `gh pr create --fill --head \"$WINDROW_PUSH_BRANCH\"`; it is also told \
         `WINDROW_PUSH_REMOTE`, `WINDROW_PUSH_COMMIT` and `WINDROW_PUSH_URL`. Without it the address that the remote offers is printed. Not \
         in the committed file.",
    ),
    row(
        "submodules.populate",
        Kind::Choice(&["none", "direct", "recursive"]),
        "\"none\"",
        |settings| Field::Submodules(&mut settings.submodules),
        "Which submodules new worktrees get: none, those of the repository, or also theirs.",
    ),
];
