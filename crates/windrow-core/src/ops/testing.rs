//! What the tests of several rooms need.

use std::path::Path;

use windrow_model::{Checkout, Oid, WorktreeId, WorktreeRecord, WorktreeState};

use super::pool::Pool;

/// The record of a worktree `fern` at a path, of which nothing need exist.
pub(super) fn record(path: &Path, state: WorktreeState) -> WorktreeRecord {
    WorktreeRecord {
        id: WorktreeId::new(uuid::Uuid::now_v7()),
        name: "fern".parse().unwrap(),
        path: path.to_owned(),
        admin: path.with_file_name("admin"),
        identity: None,
        state,
        base: Oid::from_bytes(&[0; 20]).unwrap(),
        target: None,
        checkout: Checkout::Detached,
        created_at: Pool::now(),
        keep_until: None,
        doubt: None,
        boot_id: String::new(),
    }
}
