//! `windrow shell`.

use windrow_core::ops::{self, Pool, QueryError, SelectError, Selector};
use windrow_model::{WorktreeName, WorktreeState};

use super::{
    Context,
    run::{execute, exit_of, launch, summarise, tell_finished},
};
use crate::{
    args::ShellArgs,
    errors::{Exit, Problem},
    render,
    shell::function,
};

/// Opens the user's shell in a worktree, or prints the shell function.
pub(super) fn shell(context: &mut Context, args: &ShellArgs) -> Result<Exit, Problem> {
    if let Some(kind) = args.init {
        context.raw(function(kind).as_bytes())?;
        return Ok(Exit::OK);
    }
    let pool = context.open()?;
    match &args.name {
        Some(name) if is_leased(&pool, name)? => join(context, &pool, args, name),
        _ => own(context, &pool, args),
    }
}

fn is_leased(pool: &Pool, name: &WorktreeName) -> Result<bool, Problem> {
    match ops::find(pool, &Selector::Name(name.clone())) {
        Ok(entry) => Ok(entry.worktree.state == WorktreeState::Leased),
        Err(QueryError::Select(SelectError::Unknown { .. })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A shell beside whoever holds the worktree.
fn join(context: &mut Context, pool: &Pool, args: &ShellArgs, name: &WorktreeName) -> Result<Exit, Problem> {
    context
        .console
        .say(&render::notice(&format!("`{name}` belongs to its holder; leaving the shell changes nothing")));
    let request = args.exec_request(Selector::Name(name.clone()), context.surroundings.shell());
    let finished = execute(context, pool, &request)?;
    tell_finished(context, &finished);
    Ok(exit_of(&finished))
}

/// A shell that holds the worktree.
fn own(context: &mut Context, pool: &Pool, args: &ShellArgs) -> Result<Exit, Problem> {
    context.console.say(&render::notice("leaving the shell gives the worktree back"));
    let request = args.run_request(context.surroundings.shell());
    let (ran, told) = launch(context, pool, &request)?;
    summarise(context, &ran, &told);
    Ok(exit_of(&ran.finished))
}
