//! The refs of a landing: the one that keeps its commit, and the target.

use windrow_model::{LandingId, LandingRecord, Oid, TicketNumber};

use crate::{
    git::{self, Expect, GitError, RefChange, RefError},
    ops::{error::StateError, pool::Pool},
};

/// Keeps the commit of a landing that is not over.
fn candidate_ref(id: LandingId) -> String {
    format!("refs/windrow/cand/{id}")
}

/// Why refs were not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Ref(#[from] RefError),
}

/// Keeps a commit.
pub(super) fn keep(pool: &Pool, id: LandingId, commit: &Oid) -> Result<(), ChangeError> {
    let change = RefChange { name: candidate_ref(id), new: Some(*commit), old: Expect::Any };
    change_refs(pool, &[change], "windrow: to be landed")
}

/// Moves the target from where it was to the commit, or not at all.
///
/// One ref only: with files as refs a git that is killed can have written some refs of a transaction and not the others.
pub(super) fn move_target(pool: &Pool, landing: &LandingRecord) -> Result<(), ChangeError> {
    let target = RefChange {
        name: landing.target.full(),
        new: Some(landing.candidate),
        old: Expect::Is(landing.before),
    };
    let from = landing.branch.as_ref().map_or_else(|| landing.source.short(), ToString::to_string);
    change_refs(pool, &[target], &format!("windrow land {from}: {}", landing.strategy))
}

/// Whether the target holds the commit; before the landing it did not.
pub(super) fn has_moved(pool: &Pool, landing: &LandingRecord) -> Result<bool, GitError> {
    let (git, repo) = (&pool.git, pool.repository());
    match git::read_ref(git, repo, &landing.target.full())? {
        Some(tip) => git::is_ancestor(git, repo, &landing.candidate, &tip),
        None => Ok(false),
    }
}

/// Lets go of the commit of a landing that is over.
pub(super) fn forget(pool: &Pool, id: LandingId) -> Result<(), ChangeError> {
    drop_ref(pool, candidate_ref(id))
}

/// Keeps the commit of a ticket.
pub(super) fn keep_ticket(pool: &Pool, number: TicketNumber, commit: &Oid) -> Result<(), ChangeError> {
    let change = RefChange { name: ticket_ref(number), new: Some(*commit), old: Expect::Any };
    change_refs(pool, &[change], "windrow: queued to be landed")
}

/// Lets go of the commit of a ticket that is over.
pub(super) fn forget_ticket(pool: &Pool, number: TicketNumber) -> Result<(), ChangeError> {
    drop_ref(pool, ticket_ref(number))
}

/// The tickets whose commits are kept.
pub(super) fn kept_tickets(pool: &Pool) -> Result<Vec<TicketNumber>, GitError> {
    let kept = git::list_refs(&pool.git, pool.repository(), TICKETS)?;
    let number = |name: &[u8]| {
        let text = std::str::from_utf8(name.strip_prefix(TICKETS.as_bytes())?).ok()?;
        text.strip_prefix('/')?.parse().ok()
    };
    Ok(kept.iter().filter_map(|(name, _)| number(name)).collect())
}

/// Where the commits of tickets are kept.
const TICKETS: &str = "refs/windrow/cand/ticket";

fn ticket_ref(number: TicketNumber) -> String {
    format!("{TICKETS}/{number}")
}

fn drop_ref(pool: &Pool, name: String) -> Result<(), ChangeError> {
    let kept = git::read_ref(&pool.git, pool.repository(), &name).map_err(RefError::from)?;
    let Some(oid) = kept else { return Ok(()) };
    change_refs(pool, &[RefChange { name, new: None, old: Expect::Is(oid) }], "windrow: landing over")
}

fn change_refs(pool: &Pool, changes: &[RefChange], message: &str) -> Result<(), ChangeError> {
    let _lock = pool.lock_repository()?;
    Ok(git::update_refs(&pool.git, pool.repository(), changes, message)?)
}

impl From<ChangeError> for super::LandError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::State(error) => error.into(),
            ChangeError::Ref(error) => error.into(),
        }
    }
}
