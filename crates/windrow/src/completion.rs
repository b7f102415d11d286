//! Completion of names: reads the records, changes nothing, and is silent about everything that is wrong.

use clap_complete::{CompleteEnv, engine::CompletionCandidate, env::Shells};
use windrow_core::{
    config::{self, KeyDoc},
    ops::{self, Entry, Locate, Pool, SessionDetails, TaskDetails},
};
use windrow_model::RescueRecord;

use crate::{args, environment, render};

/// Answers a shell that asks for completions; tells whether this was such a call.
///
/// # Errors
/// The shell is not known or the answer cannot be written.
pub(crate) fn answer(surroundings: &environment::Surroundings) -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(args::command)
        .var(environment::COMPLETE)
        .try_complete(surroundings.args.clone(), Some(&surroundings.current_dir))
}

/// The code that makes a shell ask us.
///
/// # Errors
/// The shell is not known.
pub(crate) fn registration(shell: &str) -> std::io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| std::io::Error::other("unknown shell"))?;
    let mut text = Vec::new();
    shell.write_registration(environment::COMPLETE, "windrow", "windrow", "windrow", &mut text)?;
    Ok(text)
}

/// The names of the worktrees here.
pub(crate) fn worktrees() -> Vec<CompletionCandidate> {
    let entries = pool().and_then(|pool| ops::list(&pool).ok()).unwrap_or_default();
    let candidate = |entry: &Entry| {
        let branch = entry.worktree.checkout.branch().map_or("detached", |branch| branch.as_str());
        let help = format!("{}, {branch}", entry.worktree.state);
        CompletionCandidate::new(entry.worktree.name.as_str()).help(Some(help.into()))
    };
    entries.iter().map(candidate).collect()
}

/// The rescues here.
pub(crate) fn rescues() -> Vec<CompletionCandidate> {
    let records = pool().and_then(|pool| ops::rescues(&pool).ok()).unwrap_or_default();
    let candidate = |record: &RescueRecord| {
        CompletionCandidate::new(record.id.as_str()).help(Some(format!("{} paths", record.paths).into()))
    };
    records.iter().map(candidate).collect()
}

/// The sessions here.
pub(crate) fn sessions() -> Vec<CompletionCandidate> {
    let sessions = pool().and_then(|pool| ops::sessions(&pool).ok()).unwrap_or_default();
    let candidate = |details: &SessionDetails| {
        let help = format!("{} leases", details.entries.len());
        CompletionCandidate::new(details.session.id.to_string()).help(Some(help.into()))
    };
    sessions.iter().map(candidate).collect()
}

/// The tasks here.
pub(crate) fn tasks() -> Vec<CompletionCandidate> {
    let tasks = pool().and_then(|pool| ops::tasks(&pool, None).ok()).unwrap_or_default();
    let candidate = |details: &TaskDetails| {
        let help = format!("{}, {}", details.task.state, render::safe(&details.task.title));
        CompletionCandidate::new(details.task.id.as_str()).help(Some(help.into()))
    };
    tasks.iter().map(candidate).collect()
}

/// The keys of the configuration.
pub(crate) fn config_keys() -> Vec<CompletionCandidate> {
    let candidate = |key: &KeyDoc| CompletionCandidate::new(key.key).help(Some(key.doc.into()));
    config::keys().iter().map(candidate).collect()
}

/// The pool here; opening it and asking it changes nothing.
fn pool() -> Option<Pool> {
    let surroundings = environment::Surroundings::read().ok()?;
    Pool::open(surroundings.for_core(&[]), &Locate::FromHere).ok()
}
