//! `windrow hook`: what other programs call when they want a worktree, and how they come to call us.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use windrow_core::ops::{
    self, AcquireRequest, HolderRequest, Pool, ReleaseRequest, Released, Selector, WorkPolicy, WorktreeFate,
};

use super::{Context, acquire::tell_path};
use crate::{
    args::{ClaudeCommand, HookArgs, HookHarness, SettingsArgs},
    claude::{self, CreateInput, RemoveInput},
    environment,
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::Code,
};

/// Answers a harness, or puts the answers into its settings.
pub(super) fn hook(context: &mut Context, args: &HookArgs) -> Result<Exit, Problem> {
    let HookHarness::Claude { command } = &args.harness;
    match command {
        ClaudeCommand::WorktreeCreate => create(context),
        ClaudeCommand::WorktreeRemove => remove(context),
        ClaudeCommand::Install(args) => change(context, args, claude::install),
        ClaudeCommand::Uninstall(args) => change(context, args, claude::uninstall),
    }
}

/// The path is all that standard output gets.
fn create(context: &mut Context) -> Result<Exit, Problem> {
    let input = CreateInput::read(io::stdin().lock())?;
    let pool = context.open_at(input.cwd.as_deref())?;
    let request = request(input)?;
    let mut progress = Progress::new(&mut context.console);
    let lease = ops::acquire(&pool, &request, &mut progress)?;
    let told = progress.finish();
    let leased = lease.detach();
    let summary = render::acquired(&leased, &context.view());
    tell_path(context, &leased, &told, &summary)?;
    Ok(Exit::OK)
}

/// The worktree ends with the program that runs the session. Where none can be seen it stays until it is given back: time says nothing
/// about a session.
fn request(input: CreateInput) -> Result<AcquireRequest, Problem> {
    let (holder, ttl) = match ops::ancestor_named(&claude::HARNESS)? {
        Some(pid) => (HolderRequest::Process(pid), None),
        None => (HolderRequest::Unbound, Some(Duration::MAX)),
    };
    Ok(AcquireRequest {
        name: Some(input.name),
        key: Some(input.key),
        base: input.base,
        holder,
        ttl,
        ..AcquireRequest::default()
    })
}

/// What is unsaved goes into a rescue; what cannot be saved stays, and that is a failure.
fn remove(context: &mut Context) -> Result<Exit, Problem> {
    let input = RemoveInput::read(io::stdin().lock())?;
    // We may stand in what is to go.
    environment::leave().map_err(|error| Problem::io("cannot leave the worktree", &error))?;
    let path = match input.path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(gone(context, &input)),
        Err(error) => return Err(Problem::io(format!("cannot look at `{}`", input.path.display()), &error)),
    };
    let pool = context.open_at(Some(&path))?;
    let selector = Selector::Path(path.clone());
    let entry = ops::find(&pool, &selector).map_err(|error| Problem::from(error).hint(NOT_OURS))?;
    if entry.worktree.path.canonicalize().ok().as_ref() != Some(&path) {
        let said = format!("`{}` lies in the worktree `{}`", path.display(), entry.worktree.name);
        return Err(Problem::told(Code::Conflict, said).hint(NOT_OURS));
    }
    let released = give_back(&pool, selector)?;
    let text = render::released(&released, &context.view());
    context.console.say(&text);
    Ok(match released.fate {
        WorktreeFate::Removed | WorktreeFate::Vanished => Exit::OK,
        WorktreeFate::Kept(_) | WorktreeFate::Quarantined(_) => Exit::FAILURE,
    })
}

const NOT_OURS: &str = "only worktrees of windrow are removed; `git worktree remove` removes others";

fn give_back(pool: &Pool, selector: Selector) -> Result<Released, Problem> {
    // Whoever asks for its removal does not want it kept.
    let keep = Some(Duration::ZERO);
    Ok(ops::release(pool, &ReleaseRequest { selector, fence: None, keep, work: WorkPolicy::Rescue })?)
}

/// It is gone already, which is what was asked for; its record ends here if it can be found, else by the next command.
fn gone(context: &mut Context, input: &RemoveInput) -> Exit {
    let ended = context
        .open_at(input.cwd.as_deref())
        .and_then(|pool| give_back(&pool, Selector::Path(input.path.clone())));
    let text = match ended {
        Ok(released) => render::released(&released, &context.view()),
        Err(_) => render::notice(&format!("`{}` is gone already", input.path.display())),
    };
    context.console.say(&text);
    Exit::OK
}

/// Shows what becomes of the settings, asks, and writes them.
fn change(
    context: &mut Context,
    args: &SettingsArgs,
    edit: fn(&str) -> Result<String, claude::SettingsError>,
) -> Result<Exit, Problem> {
    let path = settings_file(context, args)?;
    let before = read(&path)?;
    let after = edit(&before).map_err(|error| unusable(&path, error))?;
    let diff = claude::diff(&before, &after);
    if diff.is_empty() {
        context.console.say(&format!("nothing to change in {}\n", path.display()));
        return Ok(Exit::OK);
    }
    context.text(&format!("{}\n{}", path.display(), diff))?;
    if args.dry_run {
        return Ok(Exit::OK);
    }
    if !args.yes && !agrees(context)? {
        let refused = Problem::told(Code::Conflict, "nobody agreed, so nothing was changed");
        return Err(refused.hint("`--yes` agrees beforehand"));
    }
    write(&path, &after)
        .map_err(|error| Problem::io(format!("cannot write `{}`", path.display()), &error))?;
    context.console.say(&format!("wrote {}\n", path.display()));
    Ok(Exit::OK)
}

fn settings_file(context: &mut Context, args: &SettingsArgs) -> Result<PathBuf, Problem> {
    if args.user {
        let named = context.surroundings.variable("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        let usual = || context.surroundings.home().map(|home| home.join(".claude"));
        let none = || Problem::usage("there is no home directory").hint("set HOME or CLAUDE_CONFIG_DIR");
        return Ok(named.or_else(usual).ok_or_else(none)?.join("settings.json"));
    }
    let pool = context.open()?;
    let file = if args.project { "settings.json" } else { "settings.local.json" };
    Ok(pool.root().join(".claude").join(file))
}

fn unusable(path: &Path, error: claude::SettingsError) -> Problem {
    let problem = Problem::from(error);
    let message = format!("`{}` stays as it is: {}", path.display(), problem.message);
    Problem { message, ..problem }
}

fn read(path: &Path) -> Result<String, Problem> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| Problem::io(format!("cannot read `{}`", path.display()), &error)),
    }
}

/// Anything but a clear yes is a no; so is nobody who answers.
fn agrees(context: &mut Context) -> Result<bool, Problem> {
    context.console.complain("Write this? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Problem::io("cannot read the answer", &error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The whole file or none of it; a link stays one, and so do the permissions.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let around = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(around)?;
    let aside = around.join(format!(".windrow-settings-{}", std::process::id()));
    fs::write(&aside, text)?;
    let moved = match path.metadata() {
        Ok(facts) => fs::set_permissions(&aside, facts.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    moved.and_then(|()| fs::rename(&aside, &path)).inspect_err(|_| drop(fs::remove_file(&aside)))
}
