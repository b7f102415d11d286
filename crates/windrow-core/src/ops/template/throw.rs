//! Throwing templates away.

use std::{io, path::Path};

use jiff::Timestamp;

use super::{Template, make, note, templates};
use crate::{
    fs::{self, Writing},
    ops::{error::StateError, overlay, pool::Pool, sweep},
    process::{FileLock, Wait},
};

/// Throws a template away, unless overlays need it; what cannot be removed is tried again by the next that makes one. Tells whether
/// it was to go.
pub(super) fn discard(pool: &Pool, template: &Template) -> Fate {
    let taken = match template.take(pool) {
        Ok(Some(taken)) => taken,
        Ok(None) => return Fate::Needed,
        Err(error) => {
            tracing::warn!(%error, path = %template.root.display(), "a template cannot be thrown away");
            return Fate::Goes;
        }
    };
    let noted = note::begin(pool, &template.id, &template.root);
    drop(taken);
    if let Err(error) = noted {
        tracing::warn!(%error, path = %template.root.display(), "a template cannot be thrown away");
        return Fate::Goes;
    }
    discard_files(pool, &template.id, template.root.parent());
    Fate::Goes
}

/// What becomes of a template that is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes.
    Goes,
    /// It stays as long as overlays need it.
    Needed,
}

/// Throws away what a kill left of templates.
pub(super) fn discard_unfinished(pool: &Pool) {
    for (id, beside) in note::unfinished(pool) {
        discard_files(pool, &id, beside.as_deref());
    }
}

/// Throws every template away that no overlay needs, after waiting for whoever makes one; tells how many. For a day none is made in
/// the background.
///
/// # Errors
/// The state of the pool cannot be used, or one cannot be removed.
pub fn remove_templates(pool: &Pool) -> Result<u32, StateError> {
    if !pool.templates_dir().is_dir() {
        return Ok(0);
    }
    let _turn = FileLock::acquire(&make::lock_path(pool), Wait::Forever)?;
    let (needed, go): (Vec<_>, Vec<_>) =
        templates(pool).into_iter().partition(|template| discard(pool, template) == Fate::Needed);
    discard_unfinished(pool);
    overlay::forget(pool);
    make::rest(pool);
    let left = templates(pool).into_iter().map(|template| template.root).chain(note::unfinished_roots(pool));
    match left.into_iter().find(|left| needed.iter().all(|needed| needed.root != *left)) {
        Some(path) => Err(StateError::Io { path, source: io::ErrorKind::ResourceBusy.into() }),
        None => Ok(u32::try_from(go.len()).unwrap_or(u32::MAX)),
    }
}

/// What became of a template that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Removal {
    /// It is in the trash.
    Gone,
    /// It was not there any more.
    Missing,
    /// It is another one by now.
    Changed,
    /// Somebody makes, changes or removes templates.
    AtWork,
    /// It could not be moved.
    Stays,
}

/// Throws the template at `root` away if it is as it was at `seen`. For a day none is made in the background.
pub(in crate::ops) fn remove_one(
    pool: &Pool,
    root: &Path,
    seen: Option<Timestamp>,
) -> Result<Removal, StateError> {
    let Some(_turn) = FileLock::acquire(&make::lock_path(pool), Wait::No)? else {
        return Ok(Removal::AtWork);
    };
    let there = || templates(pool).into_iter().find(|template| template.root == root);
    let Some(template) = there() else { return Ok(Removal::Missing) };
    if Some(template.made_at) != seen {
        return Ok(Removal::Changed);
    }
    discard(pool, &template);
    make::rest(pool);
    let left = there().is_some() || note::unfinished_roots(pool).iter().any(|left| left == root);
    Ok(if left { Removal::Stays } else { Removal::Gone })
}

fn discard_files(pool: &Pool, id: &str, beside: Option<&Path>) {
    let gone = beside.map_or(Ok(()), |beside| throw(pool, &note::root(beside, id)));
    if let Err(error) = gone.and_then(|()| note::forget(pool, id)) {
        tracing::warn!(%error, id, "a template cannot be thrown away");
    }
}

fn throw(pool: &Pool, root: &Path) -> io::Result<()> {
    if root.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    // Only a subvolume can be closed to everybody; elsewhere there is nothing to open.
    let _ = fs::set_writing(root, Writing::Permitted);
    let trash = Pool::trash_beside(root);
    fs::move_to_trash(root, &trash, "template").map_err(io::Error::other)?;
    let _ = sweep::start(pool, &trash);
    Ok(())
}
