//! The short way to the most frequent answer: nothing in a worktree is unsaved.
//!
//! What this finds clean the survey would find clean too; it only asks in an order in which most is decided by one look at each
//! file and a hash of the index. Whatever it cannot decide so is no answer, and the survey looks at everything.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use bstr::ByteSlice;
use windrow_model::{BranchName, CarriedFile, Oid, StagedFile, WorktreeRecord};

use super::{Survey, converted, drop_files, io_error, refuse_mounts, set_carried_apart, written_at};
use crate::{
    fs::{Found, KnownFiles, Patterns, Scan, Tracked},
    git::{self, Head, Objects},
    ops::{
        both::both,
        error::RescueError,
        last_look::{self, LastLook},
        outcome::Dropped,
        pool::Pool,
    },
};

/// Above so many files that stat data does not prove, reading them all takes longer than the survey would notice.
const READ: usize = 256;

/// What is done with HEAD's branch and commit while the files are looked at.
pub(in crate::ops) type Meanwhile<'a> = &'a (dyn Fn(Option<&BranchName>, Oid) + Sync);

/// What there is to tell of a worktree in which nothing is unsaved and whose files stand at `root`, where nobody comes to them;
/// `None` when something may be unsaved.
///
/// # Errors
/// Something cannot be looked at.
pub(in crate::ops) fn if_clean(
    pool: &Pool,
    record: &WorktreeRecord,
    carried: &[CarriedFile],
    root: &Path,
    meanwhile: Meanwhile<'_>,
) -> Result<Option<Survey>, RescueError> {
    // First: what changes there while we look is found later.
    let seen = LastLook::at_registration(record)?;
    let path = record.admin.join("index");
    let written = written_at(&path)?;
    let index = git::read_raw(&path).map_err(|source| io_error(&path, source))?;
    let Some(files) = git::staged_files(&index, pool.repository().object_format) else { return Ok(None) };
    let known = Tracked::Known(KnownFiles { files: &files, written });
    let (registered, scan) =
        both(|| registered(pool, record, &files, meanwhile), || last_look::scan(pool, root, known));
    let (Some(mut survey), scan) = (registered?, scan?) else { return Ok(None) };
    let Some(extra) = extra(pool, root, &files, &scan)? else { return Ok(None) };
    survey.extra = extra;
    survey.odd = scan.odd;
    survey.dropped =
        scan.dropped.into_iter().map(|dropped| Dropped { path: dropped.path, why: dropped.why }).collect();
    refuse_mounts(&survey)?;
    set_carried_apart(root, carried, &mut survey)?;
    drop_files(&Patterns::new(&pool.settings().rescue.disposable)?, &mut survey);
    survey.seen = Some(seen);
    Ok(survey.is_clean().then_some(survey))
}

/// What git knows of the worktree; `None` when anything is staged or HEAD names no commit.
fn registered(
    pool: &Pool,
    record: &WorktreeRecord,
    files: &[StagedFile<'_>],
    meanwhile: Meanwhile<'_>,
) -> Result<Option<Survey>, RescueError> {
    let repository = pool.repository();
    let Head { oid: Some(head), branch } = repository.head(&pool.git, &record.admin)? else {
        return Ok(None);
    };
    if !is_tree_of(pool, files, &head)? {
        return Ok(None);
    }
    meanwhile(branch.as_ref(), head);
    let operations = git::in_progress(&record.admin)?;
    let known: Vec<Oid> = branch.iter().map(|_| head).chain([record.base]).collect();
    let orphans = git::orphan_commits(&pool.git, repository, &record.admin, &known)?;
    Ok(Some(Survey { head: Some(head), branch, operations, orphans, ..Survey::default() }))
}

fn is_tree_of(pool: &Pool, files: &[StagedFile<'_>], head: &Oid) -> Result<bool, RescueError> {
    let repository = pool.repository();
    let committed = Objects::open(repository).tree_of(head)?;
    Ok(git::tree_of_files(repository.object_format, files) == Some(committed))
}

/// What lies there beside the files of the index; `None` unless each of these is there and unchanged.
fn extra(
    pool: &Pool,
    root: &Path,
    files: &[StagedFile<'_>],
    scan: &Scan,
) -> Result<Option<Vec<Found>>, RescueError> {
    let (mut unproven, mut extra) = (0, Vec::new());
    for found in &scan.found {
        let Some(file) = file_of(files, found) else {
            extra.push(found.clone());
            continue;
        };
        unproven += 1;
        if unproven > READ || !found.kind.is(file.mode) || hash(pool, root, found)?.as_bytes() != file.oid {
            return Ok(None);
        }
    }
    // Where git converts, what is read tells nothing.
    let all_there = scan.as_known + unproven == files.len();
    let plain = unproven == 0 || !converted::converts_any(pool, files);
    Ok((all_there && plain).then_some(extra))
}

fn file_of<'a>(files: &'a [StagedFile<'a>], found: &Found) -> Option<&'a StagedFile<'a>> {
    let at = files.binary_search_by(|file| file.path.cmp(found.path.as_bstr())).ok()?;
    files.get(at)
}

fn hash(pool: &Pool, root: &Path, found: &Found) -> Result<Oid, RescueError> {
    let path = root.join(OsStr::from_bytes(&found.path));
    git::hash_path(&path, pool.repository().object_format).map_err(|source| io_error(&path, source))
}
