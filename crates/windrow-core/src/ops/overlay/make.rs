//! Making a worktree that is an overlay.
//!
//! # Crash safety
//! As for every creation: the record says `creating`, and what was made bears the worktree's id in its name.

use std::io;

use windrow_model::WorktreeRecord;

use super::{Parts, ability, show};
use crate::{
    fs::{self, Protection},
    git,
    ops::{
        create::{self, Site, own_parent},
        error::{CreateError, StateError},
        filling::{self, Place, Step},
        observer::Observer,
        pool::Pool,
        template::Template,
        warm::spare,
    },
};

/// Makes the worktree of a record over a template, and shows it to us; `false` when its files have to be written, and nothing is
/// there then.
pub(in crate::ops) fn make(
    pool: &Pool,
    record: &mut WorktreeRecord,
    template: &Template,
    observer: &mut dyn Observer,
) -> Result<bool, CreateError> {
    let step = Step::to(pool, record, template)?;
    let Some(pin) = template.pin(pool)?.filter(|_| !matches!(step, Step::Impossible)) else {
        return Ok(false);
    };
    let mode = own_parent(&record.path)?;
    let (parts, place) = (Parts::of(record), create::unnamed(record));
    let made = parts.make(&template.root, mode).and_then(|()| parts.make_place(&place));
    made.map_err(|source| failed(record, source))?;
    // The link is there: it says the same as the lock.
    drop(pin);
    fs::private_dir(&pool.warm_dir()).map_err(StateError::from)?;
    let index = spare::index(pool, &record.id);
    std::fs::copy(&template.index, &index)
        .map_err(|source| CreateError::Io { path: index.clone(), source })?;
    create::register(pool, record, &Site { root: &place, files: &parts.upper }, Some(&index))?;
    show(record).inspect_err(|_| ability::forget(pool))?;
    if let Step::Across { objects, tree } = step {
        let index = record.admin.join("index");
        let there = git::read_index(&index, pool.repository().object_format)?;
        let place = Place { root: &record.path, index: &index, protection: Protection::Usual };
        filling::switch(pool, &place, &there, &objects, &tree, observer)?;
    }
    Ok(true)
}

fn failed(record: &WorktreeRecord, source: io::Error) -> CreateError {
    CreateError::Io { path: super::holder(&record.path, &record.id), source }
}
