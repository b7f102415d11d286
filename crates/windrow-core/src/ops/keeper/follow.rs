//! Following the branch that new worktrees start from: what is held ready is brought to its new commit in the background.
//!
//! A change of the files that hold the branch wakes the keeper once; then nothing is watched until it has looked at where the
//! branch is, which it does every ten seconds at most. While nothing changes it sleeps.

use std::{
    io,
    time::{Duration, Instant},
};

use windrow_model::Oid;

use super::diary::Diary;
use crate::{
    ops::{error, pool::Pool, warm},
    process::Watch,
};

/// Between two looks: whoever commits once mostly does so again.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of the branch.
#[derive(Debug, Default)]
pub(super) struct Follow {
    looked: Option<Instant>,
    /// Nothing changed since the last look, or we will be told.
    watching: bool,
}

impl Follow {
    /// Something was told: it is to be looked at, and no more needs to be told until then.
    pub(super) fn moved(&mut self, watch: &mut Watch) -> io::Result<()> {
        self.watching = false;
        watch.set_files(&[])
    }

    /// Has what is held ready, at these commits, brought to where the branch is; tells when to look again, if nobody tells.
    pub(super) fn look(
        &mut self,
        pool: &Pool,
        ready: &[Oid],
        watch: &mut Watch,
        diary: &mut Diary,
    ) -> io::Result<Option<Duration>> {
        if ready.is_empty() {
            self.looked = None;
            return self.moved(watch).map(|()| None);
        }
        let rest = self.looked.map_or(Duration::ZERO, |looked| PAUSE.saturating_sub(looked.elapsed()));
        if self.watching || !rest.is_zero() {
            return Ok((!self.watching).then_some(rest));
        }
        self.looked = Some(Instant::now());
        // Before the look: what changes after it is told.
        self.watching = match pool.repository().current_head(&pool.git) {
            Ok(head) => {
                watch.set_files(&pool.repository().files_of_head(&head))?;
                follow(pool, ready, diary)
            }
            // Whatever is wrong with it, git's user notices first.
            Err(error) => {
                diary.note(&error::chain(&error));
                false
            }
        };
        Ok((!self.watching).then_some(PAUSE))
    }
}

/// Starts a filling if the branch is elsewhere; `false` when that has to be looked at again.
fn follow(pool: &Pool, ready: &[Oid], diary: &mut Diary) -> bool {
    let tip = match warm::tip(pool) {
        Ok(tip) => tip.oid,
        Err(error) => {
            diary.note(&format!("cannot tell where the branch is: {}", error::chain(&error)));
            return true;
        }
    };
    if ready.iter().all(|base| *base == tip) {
        return true;
    }
    match warm::start_following(pool) {
        Ok(warm::Started::Yes) => {
            diary.note(&format!("brings what is held ready to {}", tip.short()));
            true
        }
        Ok(warm::Started::Busy) => false,
        Err(error) => {
            diary.note(&format!("what is held ready stays where it is: {}", error::chain(&error)));
            true
        }
    }
}
