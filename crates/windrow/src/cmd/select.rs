//! Which worktree is meant.

use windrow_core::ops::{self, Pool, QueryError, SelectError, Selector};

use crate::{
    args::SelectorArgs,
    environment::{Inherited, Surroundings},
    errors::Problem,
};

/// The worktree that was named, else the one we stand in, else the one that we were started in.
pub(super) fn selector(
    pool: &Pool,
    args: &SelectorArgs,
    surroundings: &Surroundings,
) -> Result<Selector, Problem> {
    match (&args.key, &args.target) {
        (Some(key), _) => Ok(Selector::Key(key.clone())),
        (None, Some(target)) => Ok(target.selector(&surroundings.current_dir)),
        (None, None) => standing(pool, surroundings),
    }
}

fn standing(pool: &Pool, surroundings: &Surroundings) -> Result<Selector, Problem> {
    let here = Selector::Path(surroundings.current_dir.clone());
    match ops::find(pool, &here) {
        Ok(_) => Ok(here),
        Err(QueryError::Select(SelectError::Unknown { .. })) => inherited(surroundings),
        Err(error) => Err(error.into()),
    }
}

fn inherited(surroundings: &Surroundings) -> Result<Selector, Problem> {
    let selector = match surroundings.inherited_worktree() {
        Some(Inherited::Lease(lease)) => lease.parse().ok().map(Selector::Lease),
        Some(Inherited::Name(name)) => name.parse().ok().map(Selector::Name),
        None => None,
    };
    let nowhere = || {
        Problem::usage("no worktree was named, and this directory is in none")
            .hint("name one of those that `windrow list` shows")
    };
    selector.ok_or_else(nowhere)
}
