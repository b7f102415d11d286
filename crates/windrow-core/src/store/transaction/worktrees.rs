//! Changes to worktrees.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{ToSql, params};
use windrow_model::{
    BranchName, CarriedFile, Checkout, DirectoryIdentity, EventKind, NewEvent, Oid, WorktreeEvent,
    WorktreeId, WorktreeRecord, WorktreeState,
};

use super::Tx;
use crate::store::{StoreError, rows};

impl Tx<'_> {
    /// Records a worktree whose creation begins; its state must be creating.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::PathTaken`], [`StoreError::BranchTaken`] by a worktree that is not gone;
    /// [`StoreError::NotCreating`], [`StoreError::WorktreeExists`]; the database failed.
    pub fn insert_worktree(&mut self, worktree: &WorktreeRecord) -> Result<(), StoreError> {
        self.require_room_for(worktree)?;
        self.write_worktree(worktree)?;
        let event = NewEvent {
            kind: EventKind::WorktreeCreating,
            worktree: Some(worktree.name.clone()),
            lease: None,
            detail: String::new(),
        };
        self.append(&event, worktree.created_at).map(drop)
    }

    /// Takes a worktree that is held ready and records what it is to become: its name, path, commit, target and checkout.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::PathTaken`], [`StoreError::BranchTaken`] by a worktree that is not gone;
    /// [`StoreError::Illegal`] when it is no longer ready, [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn take_spare(&mut self, becomes: &WorktreeRecord) -> Result<(), StoreError> {
        if self.worktree_named(&becomes.name)?.is_some_and(|other| other.id != becomes.id) {
            return Err(StoreError::NameTaken(becomes.name.clone()));
        }
        self.set_place(becomes.id, &becomes.path, &becomes.admin)?;
        self.set_base(becomes.id, &becomes.base, becomes.target.as_ref())?;
        self.set_checkout(becomes.id, &becomes.checkout)?;
        let sql = "UPDATE worktrees SET name = ?2, created_at = ?3 WHERE id = ?1";
        let created = becomes.created_at.as_microsecond();
        self.set(becomes.id, sql, params![becomes.id.to_string(), becomes.name.as_str(), created])?;
        self.advance(becomes.id, WorktreeEvent::Taken, becomes.created_at, "").map(drop)
    }

    /// Lets `event` happen to a worktree; returns the state after it.
    ///
    /// Appends the matching event with `detail`, except for [`WorktreeEvent::HandedOut`], which the lease's own event tells. The
    /// time of keeping is dropped with the state kept or idle; with [`WorktreeEvent::Doubted`] a `detail` becomes the doubt, which goes
    /// with the state quarantined.
    ///
    /// # Errors
    /// [`StoreError::Illegal`] when the model refuses it, [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn advance(
        &mut self,
        id: WorktreeId,
        event: WorktreeEvent,
        now: Timestamp,
        detail: &str,
    ) -> Result<WorktreeState, StoreError> {
        let before = self.worktree(id)?.ok_or(StoreError::NoSuchWorktree(id))?;
        let illegal = |illegal| StoreError::Illegal { worktree: before.name.clone(), illegal };
        let after = before.state.after(event).map_err(illegal)?;
        self.write_state(id, after, now)?;
        if event == WorktreeEvent::Doubted && !detail.is_empty() {
            self.set_doubt(id, Some(detail))?;
        }
        if let Some(kind) = kind_of(event) {
            let lease = self.live_lease_of(id)?.map(|lease| lease.id);
            let event = NewEvent { kind, worktree: Some(before.name), lease, detail: detail.to_owned() };
            self.append(&event, now)?;
        }
        Ok(after)
    }

    /// Records where git registered a worktree, and the identity of its root, once both are made.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_made(&mut self, made: &WorktreeRecord) -> Result<(), StoreError> {
        if let Some(identity) = &made.identity {
            self.set_identity(made.id, identity)?;
        }
        let sql = "UPDATE worktrees SET admin = ?2 WHERE id = ?1";
        self.set(made.id, sql, params![made.id.to_string(), rows::path_column(&made.admin)])
    }

    /// Records where the files of a worktree lie and where git registered it.
    ///
    /// # Errors
    /// [`StoreError::PathTaken`] by another worktree that is not gone, [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_place(&mut self, id: WorktreeId, path: &Path, admin: &Path) -> Result<(), StoreError> {
        if self.worktree_at(path)?.is_some_and(|other| other.id != id) {
            return Err(StoreError::PathTaken(path.to_owned()));
        }
        let sql = "UPDATE worktrees SET path = ?2, admin = ?3 WHERE id = ?1";
        self.set(id, sql, params![id.to_string(), rows::path_column(path), rows::path_column(admin)])
    }

    /// Records the identity of a worktree's root.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_identity(&mut self, id: WorktreeId, identity: &DirectoryIdentity) -> Result<(), StoreError> {
        let (filesystem, inode) = (identity.filesystem.cast_signed(), identity.inode.cast_signed());
        let sql = "UPDATE worktrees SET filesystem = ?2, inode = ?3, born_nanos = ?4 WHERE id = ?1";
        self.set(id, sql, params![id.to_string(), filesystem, inode, identity.born_nanos])
    }

    /// Records what HEAD is set to.
    ///
    /// # Errors
    /// [`StoreError::BranchTaken`] by another worktree that is not gone, [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_checkout(&mut self, id: WorktreeId, checkout: &Checkout) -> Result<(), StoreError> {
        self.require_free_branch(id, checkout)?;
        let (branch, origin) = rows::checkout_columns(checkout);
        let sql = "UPDATE worktrees SET branch = ?2, branch_origin = ?3 WHERE id = ?1";
        self.set(id, sql, params![id.to_string(), branch, origin])
    }

    /// Records the commit a worktree is at from now on, and the branch that its work lands on: for one handed out again.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_base(
        &mut self,
        id: WorktreeId,
        base: &Oid,
        target: Option<&BranchName>,
    ) -> Result<(), StoreError> {
        let target = target.map(|branch| branch.as_str());
        let sql = "UPDATE worktrees SET base = ?2, target = ?3 WHERE id = ?1";
        self.set(id, sql, params![id.to_string(), base.as_bytes(), target])
    }

    /// Records until when a kept worktree stays.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_keep_until(&mut self, id: WorktreeId, until: Option<Timestamp>) -> Result<(), StoreError> {
        let until = until.map(Timestamp::as_microsecond);
        self.set(id, "UPDATE worktrees SET keep_until = ?2 WHERE id = ?1", params![id.to_string(), until])
    }

    /// Records why a worktree is not trusted.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_doubt(&mut self, id: WorktreeId, doubt: Option<&str>) -> Result<(), StoreError> {
        self.set(id, "UPDATE worktrees SET doubt = ?2 WHERE id = ?1", params![id.to_string(), doubt])
    }

    /// Records the boot under which a worktree's files were last verified.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; the database failed.
    pub fn set_boot_id(&mut self, id: WorktreeId, boot_id: &str) -> Result<(), StoreError> {
        self.set(id, "UPDATE worktrees SET boot_id = ?2 WHERE id = ?1", params![id.to_string(), boot_id])
    }

    /// Replaces the list of what was carried into a worktree.
    ///
    /// # Errors
    /// [`StoreError::NoSuchWorktree`]; a path occurs twice; the database failed.
    pub fn set_carried(&mut self, id: WorktreeId, files: &[CarriedFile]) -> Result<(), StoreError> {
        self.worktree(id)?.ok_or(StoreError::NoSuchWorktree(id))?;
        let worktree = id.to_string();
        self.database().write(
            "forget carried files",
            "DELETE FROM carried WHERE worktree = ?1",
            [&worktree],
        )?;
        let sql =
            "INSERT INTO carried (worktree, path, kind, hash, mode, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        for file in files {
            let size = rows::signed("size", file.size)?;
            let (path, kind) = (file.path.as_slice(), file.kind.as_str());
            let values = params![worktree, path, kind, file.hash, file.mode, size];
            self.database().write("record carried files", sql, values)?;
        }
        Ok(())
    }

    fn set(&self, id: WorktreeId, sql: &str, values: &[&dyn ToSql]) -> Result<(), StoreError> {
        match self.database().write("change a worktree", sql, values)? {
            0 => Err(StoreError::NoSuchWorktree(id)),
            _ => Ok(()),
        }
    }

    /// The unique indices say the same; asking first tells which one it was without reading SQLite's text.
    fn require_room_for(&self, worktree: &WorktreeRecord) -> Result<(), StoreError> {
        if worktree.state != WorktreeState::Creating {
            return Err(StoreError::NotCreating(worktree.state));
        }
        if self.worktree(worktree.id)?.is_some() {
            return Err(StoreError::WorktreeExists(worktree.id));
        }
        if self.worktree_named(&worktree.name)?.is_some() {
            return Err(StoreError::NameTaken(worktree.name.clone()));
        }
        if self.worktree_at(&worktree.path)?.is_some() {
            return Err(StoreError::PathTaken(worktree.path.clone()));
        }
        self.require_free_branch(worktree.id, &worktree.checkout)
    }

    fn require_free_branch(&self, id: WorktreeId, checkout: &Checkout) -> Result<(), StoreError> {
        let Some(branch) = checkout.branch() else { return Ok(()) };
        match self.live_worktree_on_branch(branch)? {
            Some(other) if other.id != id => {
                Err(StoreError::BranchTaken { branch: branch.clone(), worktree: other.name })
            }
            _ => Ok(()),
        }
    }

    fn write_worktree(&self, worktree: &WorktreeRecord) -> Result<(), StoreError> {
        let (branch, origin) = rows::checkout_columns(&worktree.checkout);
        let identity = worktree.identity.as_ref();
        let sql = "INSERT INTO worktrees (id, name, path, admin, filesystem, inode, born_nanos, state, base, target,
                branch, branch_origin, created_at, keep_until, doubt, boot_id)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        let values = params![
            worktree.id.to_string(),
            worktree.name.as_str(),
            rows::path_column(&worktree.path),
            rows::path_column(&worktree.admin),
            identity.map(|identity| identity.filesystem.cast_signed()),
            identity.map(|identity| identity.inode.cast_signed()),
            identity.and_then(|identity| identity.born_nanos),
            worktree.state.as_str(),
            worktree.base.as_bytes(),
            worktree.target.as_ref().map(|branch| branch.as_str()),
            branch,
            origin,
            worktree.created_at.as_microsecond(),
            worktree.keep_until.map(Timestamp::as_microsecond),
            worktree.doubt,
            worktree.boot_id,
        ];
        self.database().write("record a worktree", sql, values).map(drop)
    }

    fn write_state(&self, id: WorktreeId, after: WorktreeState, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE worktrees SET
                state = ?2,
                keep_until = CASE WHEN state IN ('kept', 'idle') THEN NULL ELSE keep_until END,
                doubt = CASE WHEN state = 'quarantined' AND ?2 <> state THEN NULL ELSE doubt END,
                gone_at = CASE ?2 WHEN 'gone' THEN ?3 END
            WHERE id = ?1";
        self.set(id, sql, params![id.to_string(), after.as_str(), now.as_microsecond()])
    }
}

fn kind_of(event: WorktreeEvent) -> Option<EventKind> {
    match event {
        WorktreeEvent::Created | WorktreeEvent::Scrubbed => Some(EventKind::WorktreeIdle),
        WorktreeEvent::HandedOut => None,
        WorktreeEvent::Taken => Some(EventKind::WorktreeCreating),
        WorktreeEvent::ReleaseBegan => Some(EventKind::LeaseReleasing),
        WorktreeEvent::WasKept => Some(EventKind::WorktreeKept),
        WorktreeEvent::RescueProven => Some(EventKind::WorktreeRemoving),
        WorktreeEvent::Removed | WorktreeEvent::RolledBack | WorktreeEvent::HandedBack => {
            Some(EventKind::WorktreeGone)
        }
        WorktreeEvent::Doubted => Some(EventKind::WorktreeQuarantined),
    }
}
