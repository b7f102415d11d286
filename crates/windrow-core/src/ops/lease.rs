//! A lease in the hands of a caller.

use windrow_model::WorktreeEvent;

use super::{
    error::ReleaseError,
    keeper,
    outcome::{EnvironmentChange, Leased, Released},
    pool::{Pool, WorktreeLock},
    release,
    request::{ReleaseRequest, Selector, WorkPolicy},
};

/// The exclusive right to use a worktree.
///
/// [`Lease::release`] does the work of giving it back and tells what happened. A lease that is merely dropped is marked as
/// releasing, so that the next command of any process rescues its work and removes it.
#[derive(Debug)]
pub struct Lease<'p> {
    pool: &'p Pool,
    leased: Leased,
    lock: Option<WorktreeLock>,
    on_drop: OnDrop,
}

#[derive(Debug, PartialEq, Eq)]
enum OnDrop {
    MarkReleasing,
    Nothing,
}

impl<'p> Lease<'p> {
    pub(super) fn new(pool: &'p Pool, leased: Leased, lock: Option<WorktreeLock>) -> Self {
        Self { pool, leased, lock, on_drop: OnDrop::MarkReleasing }
    }

    /// Where the worktree is, who holds it, and what to set for commands in it.
    #[must_use]
    pub fn leased(&self) -> &Leased {
        &self.leased
    }

    pub(super) fn set_environment(&mut self, environment: EnvironmentChange) {
        self.leased.environment = environment;
    }

    pub(super) fn pool(&self) -> &'p Pool {
        self.pool
    }

    /// Leaves the worktree leased when this value goes: its holder or its expiry decides.
    #[must_use]
    pub fn detach(mut self) -> Leased {
        self.on_drop = OnDrop::Nothing;
        self.lock = None;
        self.leased.clone()
    }

    /// Rescues what is unsaved and gives the worktree back.
    ///
    /// # Errors
    /// The state could not be changed; what cannot be proven or saved is no error but a quarantined worktree.
    pub fn release(self) -> Result<Released, ReleaseError> {
        self.release_with(WorkPolicy::Rescue)
    }

    pub(super) fn release_with(mut self, work: WorkPolicy) -> Result<Released, ReleaseError> {
        self.on_drop = OnDrop::Nothing;
        let request = ReleaseRequest {
            selector: Selector::Lease(self.leased.lease.id),
            fence: Some(self.leased.lease.fence),
            keep: None,
            work,
        };
        release::release_locked(self.pool, &request, self.lock.take())
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Nothing {
            return;
        }
        let id = self.leased.worktree.id;
        let marked = self.pool.store().map_err(|error| error.to_string()).and_then(|mut store| {
            let why = "the lease was dropped without a release";
            let mark = store.transaction(|tx| tx.advance(id, WorktreeEvent::ReleaseBegan, Pool::now(), why));
            mark.map_err(|error| error.to_string())
        });
        match marked {
            Ok(_) => keeper::on_demand(self.pool),
            Err(error) => {
                tracing::warn!(worktree = %self.leased.worktree.name, %error, "cannot mark a dropped lease");
            }
        }
    }
}
