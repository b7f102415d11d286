//! Saving what a worktree holds before it ends.

use windrow_model::{BranchName, LeaseId, WorktreeRecord};

use super::{Ending, Manner, Stopped, pack_early};
use crate::{
    git::SnapshotFiles,
    ops::{
        error::chain,
        leaving, overlay,
        pool::Pool,
        request::WorkPolicy,
        rescue::{self, Rescued},
        saved::Saved,
    },
    store::LocalStore,
};

impl Ending<'_> {
    /// Saves what is unsaved in the files that are there, wherever they are seen.
    pub(super) fn save(&self, store: &LocalStore) -> Result<Saved, Stopped> {
        let lease = self.last_lease(store).map_err(Stopped::Refused)?;
        if overlay::is_overlaid(self.worktree) {
            return overlay::save(self.pool, store, self.worktree, lease, self.work)?
                .map_err(Stopped::Refused);
        }
        match self.look_aside(store).map_err(Stopped::Refused)? {
            Some(clean) => self.make_durable(store, clean),
            None => self.save_as(store, lease, SnapshotFiles::There),
        }
        .map_err(Stopped::Refused)
    }

    /// Saves what git still knows of files that are gone.
    pub(super) fn save_without_files(&self, store: &LocalStore) -> Result<Saved, Stopped> {
        let lease = self.last_lease(store).map_err(Stopped::Refused)?;
        self.save_as(store, lease, SnapshotFiles::Gone).map_err(Stopped::Refused)
    }

    /// The lease that a rescue is named by.
    fn last_lease(&self, store: &LocalStore) -> Result<LeaseId, String> {
        if let Some(lease) = self.lease {
            return Ok(lease.id);
        }
        let last = store.last_lease_of(self.worktree.id).map_err(|error| chain(&error))?;
        last.map(|lease| lease.id).ok_or_else(|| "no lease of it is on record".to_owned())
    }

    /// Looks whether nothing is unsaved, with the files standing aside, where somebody waits for them to leave.
    fn look_aside(&self, store: &LocalStore) -> Result<Option<Rescued>, String> {
        if self.work != WorkPolicy::Rescue || self.manner == Manner::Unawaited {
            return Ok(None);
        }
        let meanwhile = |branch: Option<&BranchName>, tip| pack_early(self.pool, self.worktree, branch, tip);
        let clean = leaving::look_aside(self.pool, store, self.worktree, &meanwhile)?;
        Ok(clean.map(|survey| Rescued { survey, record: None }))
    }

    fn save_as(&self, store: &LocalStore, lease: LeaseId, files: SnapshotFiles) -> Result<Saved, String> {
        let rescued = match self.work {
            WorkPolicy::Discard if files == SnapshotFiles::There => {
                rescue::discard(self.pool, store, self.worktree)
            }
            // Nobody has seen what is left when the files are gone, so nobody can mean it.
            WorkPolicy::Rescue | WorkPolicy::Discard => {
                rescue::rescue(self.pool, store, self.worktree, &lease, files)
            }
        };
        self.make_durable(store, rescued.map_err(|error| chain(&error))?)
    }

    /// Reads back what was saved, and syncs if there was anything of the agent's at all.
    fn make_durable(&self, store: &LocalStore, rescued: Rescued) -> Result<Saved, String> {
        let worked = rescued.record.is_some() || rescued.survey.head != Some(self.worktree.base);
        if worked && self.work == WorkPolicy::Rescue {
            rescue::prove_readable(self.pool, self.worktree, &rescued)
                .inspect_err(|_| rescue::withdraw(self.pool, store, &rescued))
                .map_err(|error| chain(&error))?;
        }
        if worked {
            rescue::sync(self.pool).map_err(|error| chain(&error))?;
        }
        Ok(rescued.into())
    }
}

/// Saves what is unsaved in an overlay that is shown to us.
pub(in crate::ops) fn save_shown(
    pool: &Pool,
    store: &LocalStore,
    worktree: &WorktreeRecord,
    lease: LeaseId,
    work: WorkPolicy,
) -> Result<Saved, String> {
    let ending = Ending { pool, worktree, lease: None, work, manner: Manner::Unawaited };
    ending.save_as(store, lease, SnapshotFiles::There)
}
