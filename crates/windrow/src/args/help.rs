//! Help texts: the commands in groups, and examples.

/// Every command that is shown, in groups.
pub(super) const GROUPS: [(&str, &[&str]); 8] = [
    ("Run in a worktree", &["run", "exec", "shell"]),
    ("Lease a worktree", &["acquire", "renew", "release", "session", "adopt", "pool"]),
    ("Many at once", &["map", "task"]),
    ("Look", &["list", "show", "path", "diff", "logs", "events"]),
    ("Bring work home", &["conflicts", "land", "queue", "sync", "push"]),
    ("Saved work", &["rescue", "restore", "prune"]),
    ("Repair", &["doctor", "reconcile"]),
    ("Setting up", &["config", "hook", "completions", "man", "deinit"]),
];

pub(super) const AFTER: &str = "\
Run `windrow <COMMAND> --help` for options and examples.
Exit codes: 0 ok, 1 failure, 2 usage, 65 conflict, 69 pool exhausted, 70 internal, 75 try again,
78 configuration, 124 timeout, 126 not executable, 127 not found, 128+n signal n.";

pub(super) const RUN: &str = "\
The exit code is the command's own; 124 when --timeout ended it, 128+n when signal n did.
Commits stay on the worktree's branch. Other work goes into a rescue: see `windrow rescue list`.

Examples:
  windrow run -- claude                       an agent in a worktree of its own
  windrow run --base origin/main -- make      start from another commit
  windrow run --name fix --keep 1d -- codex   keep it for a day; the same line resumes in it
  windrow run --key TASK-42 --wait 10m -- ./agent.sh
  windrow run --result result.json -- ./agent.sh";

pub(super) const ACQUIRE: &str = "\
Prints the path and nothing else on standard output. The lease ends after --ttl (one hour unless
configured), or with the process named by --pid, or with its session, or by `windrow release`.

Examples:
  cd \"$(windrow acquire)\"
  windrow acquire --key TASK-42 --pid $$      the same key gives the same worktree again
  windrow acquire --json | jq -r .lease.id";

pub(super) const SESSION: &str = "\
Every `windrow acquire` and `windrow restore` with WINDROW_SESSION in its environment belongs to the
session. When the shell or program that started it ends, however it ends, each of its worktrees is
given back and what is not committed goes into a rescue; `session end` does it at once.
In a subshell that stays, name it: --pid $BASHPID.

Examples:
  export WINDROW_SESSION=$(windrow session start)
  windrow acquire --name fix
  windrow session end";

pub(super) const MAP: &str = "\
Placeholders in the command, --env and --stdin: {task}, {key}, {index}, {file} (of a directory), and
every field of a JSON line; {{name}} is the text {name}. The command also gets WINDROW_TASK,
WINDROW_TASK_KEY and WINDROW_TASK_INDEX, which a shell script can use without quoting trouble.
JSON lines: `task` (or `prompt`), `key` (or `id`), `depends_on`: the key of the task it continues, whose
branch it starts from; `readonly`: true has no branch and its changes go into a rescue; `timeout`.
The output of each command is in its worktree's log. Each task has one result, also after a crash:
--resume with the same tasks and command does those that have none.
The exit code is 0 when all succeeded, 1 when some did not, 128+n when signal n stopped it.

Examples:
  windrow map -j 8 --timeout 30m prompts/ --stdin '{task}' -- claude --print
  windrow map tasks.jsonl --retries 1 --results results.jsonl -- ./agent.sh '{task}' '{model}'
  git ls-files '*.py' | windrow map - -- sh -c 'black \"$WINDROW_TASK\" && git commit -qam style'
  windrow map -j 8 --resume tasks.jsonl --retries 1 --results results.jsonl -- ./agent.sh '{task}' '{model}'";

pub(super) const TASK: &str = "\
A task has an id that no other has, a state, free fields and a history. Its state changes only for
somebody who knows it: when it is no longer the one that --expect names, the exit code is 75 and the
message tells the state it is in. A claim gives a worker a task for a time; what is changed with the
claim's --fence fails once somebody else has it. States are those of `task.states`.

Examples:
  windrow task new 'Mend the fence' --field file=src/fence.rs
  windrow task set t-7k3f --expect queued --to running
  fence=$(windrow task claim t-7k3f --ttl 30m)
  windrow task set t-7k3f --expect running --to done --fence $fence --field commits=2";

pub(super) const POOL: &str = "\
A worktree that is held ready only has to be given its name and branch; at another commit the files
that differ are written. `[pool] warm = N` in the configuration keeps N ready for ever. Each takes the
room of a whole checkout; `[pool] max_bytes` bounds what everything takes together. They lie beside the
worktrees, and git does not list them.

Examples:
  windrow pool warm 4 --wait
  windrow pool status --du
  windrow pool resize 0";

pub(super) const LAND: &str = "\
The target is the branch that the work began from, unless --onto names another. If it is checked out,
that checkout changes with it: your staged, changed, untracked and ignored files stay as they are, and
when one of them is in the way nothing is landed and all of them are listed. What is not committed in
the worktree is not landed. The same commit lands once.
When both sides changed the same, nothing is changed. --prepare then leaves the merge of the target in
progress in the worktree, which has to be leased or kept: resolve it there, commit, and land again.
--verify runs a command on the merged files before anything moves. One that fails is run once more in a
fresh worktree; what it prints is kept as a log. Files that stood it need not again for a week.
Exit codes: 65 for a conflict, a verification that failed or something in the way, 75 when the target
moved or is in use.

Examples:
  windrow land fix                            by a merge commit, or as land.strategy says
  windrow land fix --squash --message 'Fix the parser'
  windrow land --branch topic --onto main --dry-run
  windrow land fix --verify 'make test' --verify-timeout 10m
  windrow land --rescue fix
  windrow land fix --no-commit && git diff --cached && git commit
  windrow land fix --prepare || git -C \"$(windrow path fix)\" status
  ticket=$(windrow land fix --queue)          returns at once; see `windrow queue --help`";

pub(super) const CONFLICTS: &str = "\
Merges the work of every worktree in use with its target, and every two with each other, as they are now:
what is not committed and not tracked counts, what is ignored does not. Nothing is changed. With names
only what concerns those worktrees is told.
Exit codes: 0 when everything merges, 65 when something does not, 1 when nothing was found but a worktree
could not be looked at.

Examples:
  windrow conflicts
  windrow conflicts fix --onto release
  windrow conflicts --json | jq -r '.conflicts[] | [.first, .second] | @tsv'";

pub(super) const PUSH: &str = "\
The branch at the remote has the name of the work's own, unless --to names another. It is changed only if
it is where it was just seen: commits that others pushed are fetched and merged with the work, and
what is in conflict refuses it. What fails on the way is tried again until push.timeout; first it is asked
whether the remote took it after all. Nobody is asked for a password: credentials come from git's helpers
and from ssh's agent. The branch here stays as it is, and goes with its worktree only when
branch.delete is \"pushed\" and the remote was heard to hold it.
Exit codes: 65 for a conflict or a refusal, 75 when the remote cannot be reached or moved each time.

Examples:
  windrow push fix
  windrow push fix --to main
  windrow push topic --remote upstream --pr";

pub(super) const SYNC: &str = "\
The commits are those of the branch that the work began from, unless --from names another. Files that are
not committed stay as they are; when one of them is in the way, nothing is changed and all of them are
listed. The worktree may be in use: its git waits for a moment. In conflict nothing is changed either:
merge there by hand, or hand the document of --json to the agent. Exit code 65 for both.

Examples:
  windrow sync fix                            by a merge commit
  windrow sync fix --rebase                   its own commits again, on top
  windrow sync fix --from release";

pub(super) const QUEUE: &str = "\
Each target has a queue; what came first is landed first, one after the other. The keeper of the pool
lands what is queued in the background; while there is none, whoever waits does, and so does whoever
lands on the same target without a ticket. A ticket that comes to nothing does not hold up the next.
Tickets are on record: they survive any kill, and each lands once. What was committed after `land
--queue` is not landed. States: queued, landing, then landed, conflict, verify-failed, refused or
cancelled. Exit codes of `wait`: 0 landed, 65 any other end, 75 not over in time.

Examples:
  ticket=$(windrow land fix --queue --verify 'make test')
  windrow queue list
  windrow queue wait $ticket --timeout 30m
  windrow queue cancel $ticket";

pub(super) const RESTORE: &str = "\
Makes a new worktree at the commit and on the branch where the work was, and puts every saved file
back: staged, unstaged, untracked and ignored ones. The rescue stays until it is dropped.

Examples:
  windrow rescue list
  cd \"$(windrow restore quiet-fern-1a2b3c4d)\"";

pub(super) const PRUNE: &str = "\
Without a policy only what has had its configured time goes, as it does by itself. Policies add up:
whatever one of them names goes. Unsaved work of a kept worktree goes into a rescue first. What stays,
and does not count for --to-bytes: worktrees in use, locked or quarantined. Branches that Windrow did
not make, or that are checked out, stay as well. A worktree with uncommitted work is neither landed nor
merged. Remote branches count as they were last fetched. --to-budget counts everything that is held,
worktrees in use included, by the bytes that nothing else holds, and looks at every file for it. Ready
worktrees that went are made again at the next hand-out, unless `pool.max_bytes` leaves no room; a
template after a day.
The exit code is 1 when something that was to go could not go, or the budget is not met.

Examples:
  windrow prune --older-than 7d --dry-run
  windrow prune --landed                      also deletes the branches
  windrow prune --merged --older-than 30d     after `git fetch`: merged, squashed, rebased, or old
  windrow prune --to-bytes 2GiB
  windrow prune --to-budget 20GiB --dry-run";

pub(super) const RECONCILE: &str = "\
For what other commands do not heal by themselves: worktrees or the repository were moved, records are
lost or damaged, or came with a copy of the repository. Unusable records are moved aside, never deleted.
What others made, what the user locked, what is in use and what is not mounted is left alone.
The exit code is 1 when something that was to be done could not be done.

Examples:
  windrow reconcile --dry-run
  windrow reconcile";

pub(super) const ADOPT: &str = "\
The worktree stays where it is and as it is; from now on `list`, `show`, `run --name`, `release` and
all others know it. It is kept for a time, then what it holds goes into a rescue and it is removed, as
by `release`; its branch is never deleted. `windrow deinit` hands it back as it is.
Refused: the main worktree, other repositories' worktrees, locked ones, ones whose links are broken.

Examples:
  windrow adopt ../hotfix
  windrow adopt ../hotfix --name fix --keep 30d
  windrow run --name fix --keep 30d -- claude   go on in it";

pub(super) const DEINIT: &str = "\
Worktrees that windrow made and that hold nothing unsaved are removed, adopted ones handed back as they
are, the keeper ended, records, logs, refs and empty directories removed. Branches stay, and so does
what others put among it (and `submodule.*` settings that git wrote at `submodules = ...`).
Live leases, unsaved or quarantined work and rescues stand in the way: they are listed, with the
commands that settle each, nothing is removed, and the exit code is 65.
--rescues=branches turns each rescue into a branch `rescue/<id>` (tracked and untracked files) and
unpacks what git does not hold into `<repository>.rescues/<id>/`, readable by you alone.

Examples:
  windrow deinit --dry-run
  windrow deinit
  windrow deinit --rescues=branches";

pub(super) const HOOK: &str = "\
With the hooks in its settings, or with the plugin of `plugins/claude-code`, Claude Code asks windrow for
the worktrees of `claude --worktree NAME` and of isolated subagents. They start from HEAD of where the
session is, get what `.worktreeinclude` names, and end with Claude Code, however that ends. What is not
committed goes into a rescue when one is removed; what cannot be saved stays.
`install` writes `.claude/settings.local.json` of this project unless told otherwise.

Examples:
  windrow hook claude install --dry-run
  windrow hook claude install
  windrow hook claude uninstall --yes";

pub(super) const SHELL: &str = "\
The function goes into the start-up file of your shell:
  bash   eval \"$(windrow shell --init bash)\"        in ~/.bashrc
  zsh    eval \"$(windrow shell --init zsh)\"         in ~/.zshrc
  fish   windrow shell --init fish | source         in ~/.config/fish/config.fish";

pub(super) const COMPLETIONS: &str = "\
Worktree and rescue names are completed too. Put one of these into a start-up file:
  bash   source <(windrow completions bash)
  zsh    source <(windrow completions zsh)
  fish   windrow completions fish | source";

/// The template of `windrow --help`; clap itself can show commands in one group only.
pub(super) fn template() -> clap::builder::StyledStr {
    use std::fmt::Write;
    let styles = clap::builder::Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = clap::builder::StyledStr::new();
    let about = |name: &str| summary_of(name).unwrap_or_default();
    // Writing into a string cannot fail.
    let _ = write!(text, "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n");
    for (title, names) in GROUPS {
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for name in names {
            let _ = writeln!(text, "  {literal}{name:<12}{literal:#}{}", about(name));
        }
    }
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    text
}

/// The one-line description of a command.
fn summary_of(name: &str) -> Option<String> {
    use clap::CommandFactory;
    super::Cli::command().find_subcommand(name)?.get_about().map(ToString::to_string)
}
