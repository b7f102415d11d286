//! Arguments in tables: what they ask for, and what is refused.

use std::{path::Path, time::Duration};

use clap::error::ErrorKind;
use windrow_core::ops::{
    AcquireRequest, BranchRequest, CarryRequest, CommandRequest, HolderRequest, OutputRequest,
    ReleaseRequest, RunRequest, Selector, Waiting, WorkPolicy,
};
use windrow_model::{Fence, LogMode};

use super::*;
use crate::args::value::Target;

fn read(line: &str) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = std::iter::once("windrow").chain(line.split(' ')).map(OsString::from).collect();
    parse(&args)
}

fn run_request(line: &str) -> RunRequest {
    match read(line).unwrap().command {
        Command::Run(args) => args.request(),
        other => panic!("{other:?}"),
    }
}

fn acquire_request(line: &str) -> AcquireRequest {
    match read(line).unwrap().command {
        Command::Acquire(args) => args.request(None),
        other => panic!("{other:?}"),
    }
}

fn caller() -> AcquireRequest {
    AcquireRequest { holder: HolderRequest::Caller, ..AcquireRequest::default() }
}

fn plain(program: &str) -> CommandRequest {
    CommandRequest::new(program.into(), Vec::new())
}

#[test]
fn the_definition_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_shown_command_stands_in_one_group() {
    let command = command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut shown: Vec<_> = shown.map(|command| command.get_name().to_owned()).collect();
    let mut grouped: Vec<_> =
        help::GROUPS.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect();
    shown.sort();
    grouped.sort();
    assert_eq!(shown, grouped);
}

#[test]
fn a_run_by_default_asks_for_nothing_special() {
    let expected = RunRequest {
        acquire: caller(),
        command: plain("make"),
        work: WorkPolicy::Rescue,
        land: None,
        push: None,
    };
    assert_eq!(run_request("run -- make"), expected);
}

#[test]
fn a_run_with_everything() {
    let line = "run --base origin/main --branch fix --name fern --key T-1 --wait 10m --keep 1h30m --timeout 90 \
                --log --no-carry --discard --json -- make -j 4 --json";
    let acquire = AcquireRequest {
        name: Some("fern".parse().unwrap()),
        key: Some("T-1".parse().unwrap()),
        base: Some("origin/main".to_owned()),
        branch: BranchRequest::Named("fix".parse().unwrap()),
        waiting: Waiting::For(Duration::from_secs(600)),
        keep: Some(Duration::from_secs(5_400)),
        carry: CarryRequest::Nothing,
        ..caller()
    };
    let command = CommandRequest {
        args: ["-j", "4", "--json"].map(OsString::from).to_vec(),
        timeout: Some(Duration::from_secs(90)),
        output: OutputRequest::ToStderr,
        log: Some(LogMode::Always),
        ..plain("make")
    };
    assert_eq!(
        run_request(line),
        RunRequest { acquire, command, work: WorkPolicy::Discard, land: None, push: None }
    );
}

#[test]
fn the_holder_of_an_acquire() {
    assert_eq!(acquire_request("acquire"), AcquireRequest::default());
    assert_eq!(acquire_request("acquire --pid 12").holder, HolderRequest::Process(12));
    assert_eq!(acquire_request("acquire --ttl 2h").ttl, Some(Duration::from_secs(7_200)));
    assert_eq!(acquire_request("acquire --detach").branch, BranchRequest::Detached);
}

#[test]
fn a_named_holder_counts_more_than_the_session_around() {
    let (named, around) = ("0192f0c0a1b27c3d8e4f5a6b7c8d9e0f", "0192f0c0a1b27c3d8e4f5a6b7c8d9e10");
    let around = around.parse().unwrap();
    let holder = |line: &str| match read(line).unwrap().command {
        Command::Acquire(args) => args.request(Some(around)).holder,
        Command::Restore(args) => args.request(Some(around)).acquire.holder,
        other => panic!("{other:?}"),
    };
    assert_eq!(holder("acquire"), HolderRequest::Session(around));
    assert_eq!(holder("restore fern-1a2b3c4d"), HolderRequest::Session(around));
    assert_eq!(holder("acquire --pid 12"), HolderRequest::Process(12));
    let line = format!("acquire --session {named}");
    assert_eq!(holder(&line), HolderRequest::Session(named.parse().unwrap()));
    assert!(read(&format!("{line} --pid 12")).is_err());
    assert!(read("acquire --session mine").is_err());
    assert!(read("session start --pid 12 --ttl 1h").is_err());
}

#[test]
fn a_release_says_what_and_how() {
    let Command::Release(args) = read("release fern --fence 7 --keep 0 --discard").unwrap().command else {
        panic!("not a release");
    };
    let selector = args.selector.target.as_ref().unwrap().selector(Path::new("/here"));
    let expected = ReleaseRequest {
        selector: Selector::Name("fern".parse().unwrap()),
        fence: Some(Fence(7)),
        keep: Some(Duration::ZERO),
        work: WorkPolicy::Discard,
    };
    assert_eq!(args.request(selector), expected);
}

#[test]
fn a_target_is_a_name_a_lease_or_a_path() {
    let lease = "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f";
    for (word, expected) in [
        ("fern", Target::Name("fern".parse().unwrap())),
        (lease, Target::Lease(lease.parse().unwrap())),
        (".", Target::Path(".".into())),
        ("a/b", Target::Path("a/b".into())),
        ("/a", Target::Path("/a".into())),
    ] {
        let Command::Show(args) = read(&format!("show {word}")).unwrap().command else { panic!("{word}") };
        assert_eq!(args.selector.target, Some(expected), "{word}");
    }
    assert!(read("show Fern").is_err());
    let absolute = Target::Path("sub".into()).selector(Path::new("/here"));
    assert_eq!(absolute, Selector::Path("/here/sub".into()));
}

#[test]
fn a_result_goes_to_a_file_or_a_descriptor() {
    for (word, expected) in [
        ("out.json", Some(ResultTarget::File("out.json".into()))),
        ("fd:3", Some(ResultTarget::Descriptor(3))),
        ("./fd:x", Some(ResultTarget::File("./fd:x".into()))),
        ("fd:0", None),
        ("fd:-1", None),
        ("fd:x", None),
    ] {
        let result = read(&format!("run --result {word} -- true")).ok().map(|cli| match cli.command {
            Command::Run(args) => args.result,
            other => panic!("{other:?}"),
        });
        assert_eq!(result, expected.map(Some), "{word}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (line, kind) in [
        ("run make", ErrorKind::UnknownArgument),
        ("run", ErrorKind::MissingRequiredArgument),
        ("run --branch a --detach -- make", ErrorKind::ArgumentConflict),
        ("run --keep soon -- make", ErrorKind::ValueValidation),
        ("run --name ../up -- make", ErrorKind::ValueValidation),
        ("acquire --pid 0", ErrorKind::ValueValidation),
        ("release fern --key T-1", ErrorKind::ArgumentConflict),
        ("shell --init tcsh", ErrorKind::InvalidValue),
        ("list --config pool.ttl", ErrorKind::ValueValidation),
        ("lands", ErrorKind::InvalidSubcommand),
        ("land --branch a fern", ErrorKind::ArgumentConflict),
        ("land --squash --strategy ff", ErrorKind::ArgumentConflict),
    ] {
        assert_eq!(read(line).unwrap_err().kind(), kind, "{line}");
    }
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["--repo /r --config a=b=c -q list", "list --repo /r --config a=b=c -q"] {
        let global = read(line).unwrap().global;
        assert_eq!(global.repo.as_deref(), Some(Path::new("/r")), "{line}");
        assert_eq!(global.config, [("a".to_owned(), "b=c".to_owned())], "{line}");
        assert_eq!(global.chatter(), Chatter::Quiet, "{line}");
    }
}

#[test]
fn json_is_seen_before_the_command_only() {
    let form = |line: &str| form_of(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert_eq!(form("windrow run --json -- make"), Form::Json);
    assert_eq!(form("windrow run -- make --json"), Form::Human);
}

#[test]
fn the_help_of_the_program() {
    insta::assert_snapshot!(command().render_help(), @r"
    Gives every coding agent its own git worktree, runs it there, and cleans up after it

    Usage: windrow [OPTIONS] <COMMAND>

    Run in a worktree:
      run         Run a command in a worktree of its own
      exec        Run a command in a worktree that is there
      shell       Open a shell in a worktree, or print the shell function for `windrow cd`

    Lease a worktree:
      acquire     Lease a worktree and print its path
      renew       Extend a lease
      release     Give a worktree back; what is not committed goes into a rescue
      session     Let leases end together, with the process that runs the agents
      adopt       Take a worktree that was made by hand or by another tool into care
      pool        Hold worktrees ready, so that the next ones are handed out at once

    Many at once:
      map         Run a command for each of many tasks, several at once, each in a worktree of its own
      task        Keep a list of what is to be done, which many may work on at once

    Look:
      list        List the worktrees, oldest first
      show        Tell everything about a worktree
      path        Print the path of a worktree
      diff        Show what changed in a worktree since its base, uncommitted work included
      logs        Print the log of a worktree's commands
      events      Print the history

    Bring work home:
      conflicts   Tell which work in the worktrees will not merge, uncommitted work included
      land        Bring commits home: into the branch they began from, and the checkout that has it
      queue       Look at the queue of landings, wait for one, or take one out
      sync        Bring the target's new commits into a worktree
      push        Bring commits to a remote, without overwriting anybody's

    Saved work:
      rescue      List, show or drop saved work
      restore     Bring saved work back in a new worktree
      prune       Remove what is old, too much or merged: kept worktrees, saved work, branches

    Repair:
      doctor      Tell what is wrong and what to do about it
      reconcile   Compare the records with git and the disk, and mend what differs

    Setting up:
      config      Print the configuration that holds here
      hook        Give worktrees to the sessions and subagents of Claude Code
      completions Print the code that makes a shell complete our arguments
      man         Print or write the manual pages
      deinit      Leave the repository to plain git, without a trace but branches

    Options:
          --repo <PATH>         Work on the repository at PATH instead of the one here
          --config <KEY=VALUE>  Set a configuration key for this command
          --color <WHEN>        When to use colour [default: auto] [possible values: auto, always,
                                never]
      -q, --quiet               Say nothing on standard error but errors
      -v, --verbose...          Tell what is done; twice tells more
      -h, --help                Print help
      -V, --version             Print version

    Run `windrow <COMMAND> --help` for options and examples.
    Exit codes: 0 ok, 1 failure, 2 usage, 65 conflict, 69 pool exhausted, 70 internal, 75 try again,
    78 configuration, 124 timeout, 126 not executable, 127 not found, 128+n signal n.
    ");
}

#[test]
fn the_help_of_run() {
    let mut command = command();
    command.build();
    let run = command.find_subcommand_mut("run").unwrap();
    insta::assert_snapshot!(run.render_help(), @r"
    Run a command in a worktree of its own

    Usage: windrow run [OPTIONS] -- <CMD>...

    Options:
      -h, --help  Print help (see more with '--help')

    Worktree:
          --base <REF>         Start from this branch, tag or commit instead of HEAD
          --branch <BRANCH>    Use this branch; it is made when it does not exist
          --detach             Use no branch
          --name <NAME>        Name the worktree; a kept one of that name is used again as it is
          --key <KEY>          Your own id for the task; the same key gives the same lease again
          --wait <TIME>        Wait for at most this long when the pool is full
          --keep <TIME>        Leave the worktree in place for this long afterwards
          --strategy <WAY>     Make its files in this way instead of the fastest, and take none that is
                               held ready [possible values: overlay, snapshot, clone, copy, checkout]
          --no-carry           Take no untracked files along
          --discard            Throw away at the end what is not committed, instead of rescuing it
          --land[=<STRATEGY>]  Land what the command committed if it succeeds [possible values: merge,
                               squash, rebase, ff]
          --push[=<REMOTE>]    Push what the command committed if it succeeds, to this remote or as
                               `windrow push` does

    Command:
          --timeout <TIME>  End the command after this time (exit code 124)
          --log             Also write the command's output to a log; it then sees pipes, no terminal
      <CMD>...              The command and its arguments

    Result:
          --result <FILE|fd:N>  Also write the result as JSON to a file or an open descriptor
          --json                Print the result as JSON; the command's output goes to standard error

    Global options:
          --repo <PATH>         Work on the repository at PATH instead of the one here
          --config <KEY=VALUE>  Set a configuration key for this command
          --color <WHEN>        When to use colour [default: auto] [possible values: auto, always,
                                never]
      -q, --quiet               Say nothing on standard error but errors
      -v, --verbose...          Tell what is done; twice tells more

    The exit code is the command's own; 124 when --timeout ended it, 128+n when signal n did.
    Commits stay on the worktree's branch. Other work goes into a rescue: see `windrow rescue list`.

    Examples:
      windrow run -- claude                       an agent in a worktree of its own
      windrow run --base origin/main -- make      start from another commit
      windrow run --name fix --keep 1d -- codex   keep it for a day; the same line resumes in it
      windrow run --key TASK-42 --wait 10m -- ./agent.sh
      windrow run --result result.json -- ./agent.sh
    ");
}
