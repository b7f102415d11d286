//! Time that the machine slept does not count towards the end of a lease or of a kept worktree: whoever should have renewed it
//! slept as well.
//!
//! Ends are recorded as wall time. How long this boot has slept so far is recorded beside them; when it has grown, every end is
//! postponed by as much, in the same transaction. That happens before any command judges a lease, with or without a keeper.
//! A lease may be given a little more by it than it slept through, never less. A machine that was switched off has not slept.

use std::time::Duration;

use super::error::StateError;
use crate::{
    process,
    store::{LocalStore, StoreError, Tx},
};

/// `BOOT_ID MICROSECONDS`: how much sleep of which boot is made up for.
const META_SUSPENDED: &str = "suspended";

/// What is less than this is the time between two readings of a clock.
const NOTICED: Duration = Duration::from_secs(1);

/// Postpones every end by what the machine slept since this was done last; `suspended` is what it slept since it was started.
pub(super) fn make_up_for(store: &mut LocalStore, suspended: Duration) -> Result<(), StateError> {
    // Where there is no boot to tell from others there is no sleep to tell either.
    let Ok(boot) = process::boot_id() else { return Ok(()) };
    let known = store.meta(META_SUSPENDED)?;
    if known.as_deref().and_then(|known| read(known, &boot)).is_some_and(|known| !is_news(known, suspended)) {
        return Ok(());
    }
    Ok(store.transaction(|tx| postpone(tx, &boot, suspended))?)
}

fn is_news(known: Duration, suspended: Duration) -> bool {
    suspended.saturating_sub(known) >= NOTICED
}

fn postpone(tx: &mut Tx<'_>, boot: &str, suspended: Duration) -> Result<(), StoreError> {
    // Another command may have done it since we looked.
    match tx.meta(META_SUSPENDED)?.and_then(|known| read(&known, boot)) {
        Some(known) if !is_news(known, suspended) => return Ok(()),
        Some(known) => tx.postpone(suspended.saturating_sub(known))?,
        None => {}
    }
    tx.set_meta(META_SUSPENDED, &format!("{boot} {}", suspended.as_micros()))
}

/// The sleep that is made up for, if it was of this boot.
fn read(text: &str, boot: &str) -> Option<Duration> {
    let (of, micros) = text.split_once(' ')?;
    (of == boot).then(|| micros.parse().ok().map(Duration::from_micros))?
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use windrow_model::{
        Checkout, Holder, LeaseId, LeaseRecord, WorktreeEvent, WorktreeId, WorktreeRecord, WorktreeState,
    };

    use super::*;
    use crate::store::Access;

    fn worktree(name: &str) -> WorktreeRecord {
        WorktreeRecord {
            id: WorktreeId::new(uuid::Uuid::now_v7()),
            name: name.parse().expect("a name"),
            path: format!("/x/{name}").into(),
            admin: format!("/x/.git/worktrees/{name}").into(),
            identity: None,
            state: WorktreeState::Creating,
            base: "0123456789012345678901234567890123456789".parse().expect("an oid"),
            target: None,
            checkout: Checkout::Detached,
            created_at: Timestamp::now(),
            keep_until: None,
            doubt: None,
            boot_id: String::new(),
        }
    }

    /// A leased worktree whose lease ends at `end`.
    fn lease(store: &mut LocalStore, name: &str, end: Option<Timestamp>) -> WorktreeId {
        let record = worktree(name);
        let made = store.transaction(|tx| {
            tx.insert_worktree(&record)?;
            let lease = LeaseRecord {
                id: LeaseId::new(uuid::Uuid::now_v7()),
                worktree: record.id,
                holder: Holder::Unbound,
                key: None,
                fence: tx.next_fence()?,
                expires_at: end,
                acquired_at: Timestamp::now(),
                ended_at: None,
                keep: None,
                reaper: None,
            };
            tx.insert_lease(&lease)?;
            tx.advance(record.id, WorktreeEvent::HandedOut, Timestamp::now(), "")
        });
        made.expect("a new lease");
        record.id
    }

    fn end_of(store: &LocalStore, id: WorktreeId) -> Option<Timestamp> {
        store.live_lease_of(id).expect("readable").expect("a live lease").expires_at
    }

    #[test]
    fn every_end_is_postponed_once_by_what_was_slept() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = LocalStore::open(dir.path(), Access::ReadWrite).expect("a store");
        let seconds = Duration::from_secs;
        make_up_for(&mut store, seconds(100)).expect("works");
        let end = Timestamp::from_second(4_000_000_000).expect("a time");
        let fern = lease(&mut store, "fern", Some(end));
        let moss = lease(&mut store, "moss", None);
        let last = lease(&mut store, "last", Some(Timestamp::MAX));
        let kept = lease(&mut store, "kept", None);
        let keep = store.transaction(|tx| {
            tx.set_keep_until(kept, Some(end))?;
            tx.advance(kept, WorktreeEvent::WasKept, Timestamp::now(), "")
        });
        keep.expect("kept");
        for slept in [seconds(100), Duration::from_millis(100_900), seconds(160), seconds(160), seconds(130)]
        {
            make_up_for(&mut store, slept).expect("works");
        }
        let later = Some(end + SignedDuration::from_secs(60));
        assert_eq!(end_of(&store, fern), later);
        assert_eq!(store.worktree(kept).expect("readable").expect("there").keep_until, later);
        assert_eq!(end_of(&store, moss), None);
        assert!(end_of(&store, last) >= Some(end));
    }

    #[test]
    fn another_boot_begins_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = LocalStore::open(dir.path(), Access::ReadWrite).expect("a store");
        store.transaction(|tx| tx.set_meta(META_SUSPENDED, "another-boot 5000000")).expect("written");
        let end = Timestamp::from_second(4_000_000_000).expect("a time");
        let fern = lease(&mut store, "fern", Some(end));
        make_up_for(&mut store, Duration::from_secs(3_600)).expect("works");
        assert_eq!(end_of(&store, fern), Some(end));
        make_up_for(&mut store, Duration::from_secs(3_610)).expect("works");
        assert_eq!(end_of(&store, fern), Some(end + SignedDuration::from_secs(10)));
    }
}
