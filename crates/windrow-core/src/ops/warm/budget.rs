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
pub(super) enum Source {
    /// What was given back, which counts as trash already.
    Trash,
    /// Nothing that is there.
    Nothing,
}

/// The budget of one filling; `None` when there is none.
#[derive(Debug)]
pub(super) struct Budget<'a>(Option<Measured<'a>>);

#[derive(Debug)]
struct Measured<'a> {
    pool: &'a Pool,
    limit: u64,
    held: u64,
    /// What one more takes: at most, until some were made and measured.
    each: u64,
    /// How many were made of nothing since it was measured.
    made: u64,
}

impl<'a> Budget<'a> {
    /// Measures, if a budget is configured, what is held, and what a checkout of this commit takes.
    pub(super) fn of(pool: &'a Pool, base: &Oid) -> Result<Self, PoolError> {
        let Some(limit) = pool.settings().pool.max_bytes else { return Ok(Self(None)) };
        let (held, each) = (held_by(pool)?, size_of(pool, base)?);
        Ok(Self(Some(Measured { pool, limit, held, each, made: 0 })))
    }

    /// Why no more may be made, for people; `None` when one more may.
    pub(super) fn objection(&mut self, source: Source) -> Result<Option<String>, PoolError> {
        let Some(measured) = &mut self.0 else { return Ok(None) };
        if !measured.allows(source) && measured.made > 0 {
            measured.again()?;
        }
        Ok((!measured.allows(source)).then(|| measured.in_words()))
    }

    /// Counts one that was made of nothing.
    pub(super) fn spend(&mut self) {
        if let Some(measured) = &mut self.0 {
            measured.held = measured.held.saturating_add(measured.each);
            measured.made += 1;
        }
    }
}

impl Measured<'_> {
    fn allows(&self, source: Source) -> bool {
        let more = match source {
            Source::Trash => 0,
            Source::Nothing => self.each,
        };
        self.held.saturating_add(more) <= self.limit
    }

    /// Measures what those that were made really took: they may share most of it.
    fn again(&mut self) -> Result<(), PoolError> {
        let before = self.held.saturating_sub(self.made.saturating_mul(self.each));
        self.held = held_by(self.pool)?;
        self.each = (self.held.saturating_sub(before) / self.made).clamp(BLOCK, self.each.max(BLOCK));
        self.made = 0;
        Ok(())
    }

    fn in_words(&self) -> String {
        format!(
            "no more worktrees are made ready: {} are held, one more takes {}, and pool.max_bytes allows {}; \
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
