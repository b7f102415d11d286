//! How many more worktrees may be made ready before everything that is held exceeds `pool.max_bytes`.

use windrow_model::{Oid, TreeEntry, format_bytes};

use crate::{
    git::Objects,
    ops::{
        error::{CreateError, PoolError},
        holdings,
        pool::Pool,
    },
};

/// What a spare is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Source {
    /// What was given back, which counts as trash already.
    Trash,
    /// Nothing that is there.
    Nothing,
}

/// The budget of one filling.
#[derive(Debug)]
pub(in crate::ops) struct Budget<'a> {
    pool: &'a Pool,
    /// `None` when there is none.
    room: Option<Room>,
}

impl<'a> Budget<'a> {
    /// Measures, if a budget is configured, what is held, and what a checkout of this commit takes.
    pub(in crate::ops) fn of(pool: &'a Pool, base: &Oid) -> Result<Self, PoolError> {
        let Some(limit) = pool.settings().pool.max_bytes else { return Ok(Self { pool, room: None }) };
        let (held, each) = (held_by(pool)?, size_of(pool, base)?);
        Ok(Self { pool, room: Some(Room { limit, held, each, made: 0 }) })
    }

    /// Why no more may be made, for people; `None` when one more may.
    pub(in crate::ops) fn objection(&mut self, source: Source) -> Result<Option<String>, PoolError> {
        let Some(room) = &mut self.room else { return Ok(None) };
        if !room.allows(source) && room.made > 0 {
            room.learn(held_by(self.pool)?);
        }
        Ok((!room.allows(source)).then(|| room.in_words()))
    }

    /// Counts one that was made of nothing.
    pub(super) fn spend(&mut self) {
        if let Some(room) = &mut self.room {
            room.spend();
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Room {
    limit: u64,
    held: u64,
    /// What one more takes: at most, until some were made and measured.
    each: u64,
    /// How many were made of nothing since it was measured.
    made: u64,
}

impl Room {
    fn allows(&self, source: Source) -> bool {
        let more = match source {
            Source::Trash => 0,
            Source::Nothing => self.each,
        };
        self.held.saturating_add(more) <= self.limit
    }

    fn spend(&mut self) {
        self.held = self.held.saturating_add(self.each);
        self.made += 1;
    }

    /// Takes over what is held now, and what those that were made really took: they may share most of it.
    fn learn(&mut self, held: u64) {
        let before = self.held.saturating_sub(self.made.saturating_mul(self.each));
        let took = held.saturating_sub(before).checked_div(self.made).unwrap_or(self.each);
        *self = Self { limit: self.limit, held, each: took.clamp(BLOCK, self.each.max(BLOCK)), made: 0 };
    }

    fn in_words(&self) -> String {
        format!(
            "nothing more is made ready: {} are held, one more checkout takes {}, and pool.max_bytes allows {}; \
             `windrow prune --to-budget` makes room",
            format_bytes(self.held),
            format_bytes(self.each),
            format_bytes(self.limit)
        )
    }
}

fn held_by(pool: &Pool) -> Result<u64, PoolError> {
    Ok(holdings::measure(pool)?.total().usage.charged_bytes())
}

/// What file systems give out at once.
const BLOCK: u64 = 4_096;

/// About what an index takes for each file, with the copy that is kept of it.
const INDEXED: u64 = 256;

/// What the files of a commit take at most: whole blocks, nothing shared, directories as if each had five files.
fn size_of(pool: &Pool, base: &Oid) -> Result<u64, PoolError> {
    let objects = Objects::open(pool.repository());
    let entries: Vec<TreeEntry> = objects.listing(base).map_err(CreateError::from)?.entries;
    let sizes = objects.sizes(&entries).map_err(CreateError::from)?;
    let files = entries.len() as u64;
    let blocks: u64 = sizes.iter().map(|bytes| bytes.next_multiple_of(BLOCK)).sum();
    Ok(blocks + (1 + files / 5) * BLOCK + files * INDEXED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_fits_to_the_byte_and_what_was_given_back_counts_already() {
        let room = |held| Room { limit: 100, held, each: 30, made: 0 };
        assert!(room(70).allows(Source::Nothing) && !room(71).allows(Source::Nothing));
        assert!(room(100).allows(Source::Trash) && !room(101).allows(Source::Trash));
        assert!(!room(u64::MAX).allows(Source::Nothing));
    }

    #[test]
    fn what_those_that_were_made_took_is_learnt() {
        let mib = 1 << 20;
        let mut room = Room { limit: 100 * mib, held: 10 * mib, each: 40 * mib, made: 0 };
        room.spend();
        room.spend();
        assert_eq!((room.held, room.allows(Source::Nothing)), (90 * mib, false));
        room.learn(16 * mib);
        assert_eq!(room, Room { limit: 100 * mib, held: 16 * mib, each: 3 * mib, made: 0 });
        // What others gave back meanwhile makes none cost nothing, and what they took none cost more than a checkout.
        room.spend();
        room.learn(0);
        assert_eq!(room.each, BLOCK);
        room.each = 40 * mib;
        room.spend();
        room.learn(99 * mib);
        assert_eq!((room.each, room.allows(Source::Nothing)), (40 * mib, false));
    }
}
