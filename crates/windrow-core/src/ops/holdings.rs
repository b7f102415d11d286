//! How much room what the pool holds takes. Every answer costs a look at every file.
//!
//! A worktree takes what its files do and what git's registration of it does, its index above all; one that is held ready
//! what is kept beside it. The objects that commits and rescues keep in the repository belong to nobody alone and are
//! not counted.

use std::{num::NonZeroUsize, ops::AddAssign, path::Path, thread};

use windrow_model::{Usage, WorktreeRecord, WorktreeState};

use super::{
    error::{QueryError, StateError, chain},
    outcome::Entry,
    pool::Pool,
    sweep,
    template::{self, Template},
    warm,
};
use crate::fs::{self, UsageError};

/// How much room one thing takes, or why that cannot be told, for people.
pub type Measured = Result<Usage, String>;

/// Things of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// How many there are.
    pub count: u64,
    /// What those take that can be looked at.
    pub usage: Usage,
    /// How many cannot.
    pub untold: u32,
}

impl Holding {
    fn add(&mut self, measured: Result<Usage, UsageError>) {
        match measured {
            Ok(usage) => self.usage += usage,
            Err(error) => {
                tracing::debug!(%error, "its size cannot be told");
                self.untold += 1;
            }
        }
    }
}

impl AddAssign for Holding {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.usage += other.usage;
        self.untold += other.untold;
    }
}

/// Everything that a pool holds beside and in the repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Worktrees that are held ready.
    pub ready: Holding,
    /// Templates.
    pub templates: Holding,
    /// All other worktrees that are there, kept and quarantined ones included.
    pub in_use: Holding,
    /// Rescues: the archives of what git does not hold.
    pub rescues: Holding,
    /// What was thrown away and is not deleted yet.
    pub trash: Holding,
}

impl Holdings {
    /// Everything together.
    #[must_use]
    pub fn total(&self) -> Holding {
        let mut all = self.ready;
        [self.templates, self.in_use, self.rescues, self.trash].into_iter().for_each(|other| all += other);
        all
    }
}

/// Measures everything that a pool holds. Changes nothing.
///
/// # Errors
/// The records cannot be read.
pub fn holdings(pool: &Pool) -> Result<Holdings, QueryError> {
    Ok(measure(pool)?)
}

/// Measures everything that a pool holds.
pub(super) fn measure(pool: &Pool) -> Result<Holdings, StateError> {
    let Some(store) = pool.records()? else { return Ok(Holdings::default()) };
    let records = store.worktrees()?;
    let mut held = Holdings::default();
    for record in &records {
        let kind = if record.state == WorktreeState::Idle { &mut held.ready } else { &mut held.in_use };
        kind.count += 1;
        kind.add(of_worktree(pool, record));
    }
    held.templates = of_templates(pool);
    for rescue in store.rescues()? {
        held.rescues.count += 1;
        held.rescues.add(rescue.archive.as_deref().map_or(Ok(Usage::default()), of_path));
    }
    for trash in sweep::directories(pool, &records) {
        held.trash += of_trash(&trash);
    }
    Ok(held)
}

/// Measures listed worktrees; an answer for each.
#[must_use]
pub fn usage_of(pool: &Pool, entries: &[Entry]) -> Vec<Measured> {
    let measured = |entry: &Entry| of_worktree(pool, &entry.worktree).map_err(|error| chain(&error));
    entries.iter().map(measured).collect()
}

/// What a worktree takes, one that is held ready included.
pub(super) fn of_worktree(pool: &Pool, record: &WorktreeRecord) -> Result<Usage, UsageError> {
    warm::parts(pool, record).iter().map(|part| of_path(part)).sum()
}

/// What the templates take.
pub(super) fn of_templates(pool: &Pool) -> Holding {
    let mut held = Holding::default();
    for template in template::templates(pool) {
        held.count += 1;
        held.add(of_template(&template));
    }
    held
}

/// What one template takes.
pub(super) fn of_template(template: &Template) -> Result<Usage, UsageError> {
    [&template.root, &template.index].into_iter().map(|part| of_path(part)).sum()
}

/// What waits in a trash directory to be deleted.
pub(super) fn of_trash(trash: &Path) -> Holding {
    let mut held = Holding::default();
    match sweep::entries(trash) {
        Ok(entries) => {
            held.count = entries.len() as u64;
            entries.iter().for_each(|entry| held.add(of_path(entry)));
        }
        Err(source) => held.add(Err(UsageError { path: bstr::BString::default(), source })),
    }
    held
}

/// What lies at a path; nothing when nothing is there.
pub(super) fn of_path(path: &Path) -> Result<Usage, UsageError> {
    fs::usage_of(path, thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}
