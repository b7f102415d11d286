//! Tests of the records, on real files.

mod concurrency;
mod coordination;
mod damage;
mod full;
mod history;
mod killed;
mod leases;
mod sessions;
mod tickets;
mod verified;
mod worktrees;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use windrow_model::{
    BranchOrigin, Checkout, EventKind, Fence, Holder, LeaseId, LeaseRecord, Oid, ProcessIdentity,
    SessionBond, SessionId, SessionRecord, WorktreeEvent, WorktreeId, WorktreeRecord, WorktreeState,
};

use super::{Access, LocalStore, StoreError};

struct Fixture {
    dir: TempDir,
    store: LocalStore,
}

fn fixture() -> Fixture {
    let dir = TempDir::new().unwrap();
    let store = LocalStore::open(&state_dir(&dir), Access::ReadWrite).unwrap();
    Fixture { dir, store }
}

fn state_dir(dir: &TempDir) -> PathBuf {
    dir.path().join("windrow")
}

impl Fixture {
    fn path(&self) -> PathBuf {
        state_dir(&self.dir)
    }

    fn run<T>(&mut self, change: impl FnMut(&mut super::Tx<'_>) -> Result<T, StoreError>) -> T {
        self.store.transaction(change).unwrap()
    }

    fn add(&mut self, name: &str) -> WorktreeRecord {
        let record = worktree(name);
        self.run(|tx| tx.insert_worktree(&record));
        record
    }

    fn add_session(&mut self, bond: SessionBond) -> SessionRecord {
        let id = SessionId::new(uuid::Uuid::now_v7());
        let session = SessionRecord { id, bond, started_at: at(0), ended_at: None };
        self.run(|tx| tx.insert_session(&session));
        session
    }

    /// Adds a worktree and walks it to `state` along a legal way.
    fn add_in(&mut self, name: &str, state: WorktreeState) -> WorktreeRecord {
        let record = self.add(name);
        for event in way_to(state) {
            self.run(|tx| tx.advance(record.id, *event, at(1), ""));
        }
        self.store.worktree(record.id).unwrap().unwrap()
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.store.events(0, 1000).unwrap().into_iter().map(|event| event.event.kind).collect()
    }
}

fn way_to(state: WorktreeState) -> &'static [WorktreeEvent] {
    use WorktreeEvent as E;
    match state {
        WorktreeState::Creating => &[],
        WorktreeState::Idle => &[E::Created],
        WorktreeState::Leased => &[E::HandedOut],
        WorktreeState::Releasing => &[E::HandedOut, E::ReleaseBegan],
        WorktreeState::Kept => &[E::HandedOut, E::WasKept],
        WorktreeState::Removing => &[E::HandedOut, E::ReleaseBegan, E::RescueProven],
        WorktreeState::Quarantined => &[E::Doubted],
        WorktreeState::Gone => &[E::RolledBack],
    }
}

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-20T10:00:00.000001Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn worktree(name: &str) -> WorktreeRecord {
    WorktreeRecord {
        id: WorktreeId::new(uuid::Uuid::now_v7()),
        name: name.parse().unwrap(),
        path: Path::new("/pool").join(name),
        admin: Path::new("/repo/.git/worktrees").join(name),
        identity: None,
        state: WorktreeState::Creating,
        base: oid('a'),
        target: Some("main".parse().unwrap()),
        checkout: Checkout::Branch {
            name: format!("windrow/{name}").parse().unwrap(),
            origin: BranchOrigin::Created,
        },
        created_at: at(0),
        keep_until: None,
        doubt: None,
        boot_id: "boot-1".to_owned(),
    }
}

fn lease(worktree: &WorktreeRecord, fence: u64) -> LeaseRecord {
    LeaseRecord {
        id: LeaseId::new(uuid::Uuid::now_v7()),
        worktree: worktree.id,
        holder: Holder::Process(process(42)),
        key: None,
        fence: Fence(fence),
        expires_at: None,
        acquired_at: at(2),
        ended_at: None,
        keep: None,
        reaper: None,
    }
}

fn process(pid: u32) -> ProcessIdentity {
    ProcessIdentity { pid, start_ticks: u64::MAX, scope: "boot-1".to_owned() }
}

fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().unwrap()
}
