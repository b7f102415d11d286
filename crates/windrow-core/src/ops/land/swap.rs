//! Carrying out a plan, taking it back, and bringing the index up to it.
//!
//! # Crash safety
//! [`take_back`] and [`follow_index`] look at what is there, so both may be repeated and begin anywhere. What somebody wrote
//! meanwhile stays as it is: what it replaced is in git.

use std::{io, path::Path};

use bstr::{BString, ByteSlice};
use windrow_model::{EntryMode, FileStat, IndexEntry, IndexFlags, Oid};

use super::plan::{Content, Plan, Step, Way};
use crate::{
    fs::{self, Lying, Swap},
    git::{self, IndexError, IndexLock, ObjectFormat},
};

/// Why a plan was not carried out to its end; it has to be taken back.
#[derive(Debug)]
pub(super) enum SwapError {
    /// The file system cannot exchange; nothing was changed.
    NoExchange,
    /// Somebody was quicker at this path.
    Changed(BString),
    /// The file system refused.
    Io(BString, io::Error),
}

/// Carries a plan out, looking at each file that it displaces.
pub(super) fn carry_out(plan: &Plan, swap: &Swap, format: ObjectFormat) -> Result<(), SwapError> {
    let steps = || plan.steps.iter().enumerate();
    for (number, step) in steps() {
        // A directory becomes a file only when everything in it has gone.
        if step.way == Way::Put && swap.lying(&step.path).is_ok_and(|lying| lying == Lying::Directory) {
            clear_directory(swap, &step.path);
        }
        do_step(step, number, swap, format)?;
    }
    for (_, step) in steps().filter(|(_, step)| step.way == Way::Take) {
        swap.remove_empty(parent(&step.path));
    }
    Ok(())
}

/// Removes a directory that holds nothing but directories.
fn clear_directory(swap: &Swap, directory: &[u8]) {
    let Ok(true) = swap.below(directory).map(|below| below.is_empty()) else { return };
    if let Ok(mut inner) = swap.directories_below(directory) {
        inner.sort();
        for one in inner.iter().rev() {
            let _ = swap.remove_directory(one);
        }
    }
    let _ = swap.remove_directory(directory);
}

fn do_step(step: &Step, number: usize, swap: &Swap, format: ObjectFormat) -> Result<(), SwapError> {
    let path = &step.path;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => SwapError::Changed(path.clone()),
        _ if fs::cannot_exchange(&error) => SwapError::NoExchange,
        _ => SwapError::Io(path.clone(), error),
    };
    match step.way {
        Way::Exchange => {
            swap.exchange(path).map_err(failed)?;
            displaced(step, swap.ready(path), || raw_ready(swap, path, format))
        }
        Way::Take => {
            swap.take(path, number).map_err(failed)?;
            displaced(step, swap.aside(number), || raw_aside(swap, number, format))
        }
        Way::Put => swap.put(path).map_err(failed),
        Way::Index => Ok(()),
    }
}

/// Whether what came out is what was looked at before.
fn displaced(
    step: &Step,
    lying: io::Result<Lying>,
    raw: impl FnOnce() -> io::Result<Oid>,
) -> Result<(), SwapError> {
    let failed = |error| SwapError::Io(step.path.clone(), error);
    let expected = step.old.as_ref();
    let link = expected.is_some_and(|old| old.mode == EntryMode::Symlink);
    let same_kind = match lying.map_err(failed)? {
        Lying::Symlink { .. } => link,
        Lying::File { .. } => !link,
        _ => false,
    };
    if same_kind && expected.map(|old| old.raw) == Some(raw().map_err(failed)?) {
        return Ok(());
    }
    Err(SwapError::Changed(step.path.clone()))
}

fn raw_ready(swap: &Swap, path: &[u8], format: ObjectFormat) -> io::Result<Oid> {
    match swap.ready(path)? {
        Lying::Symlink { .. } => Ok(git::blob_hash(format, &swap.read_ready_link(path)?)),
        _ => git::hash_open(swap.open_ready(path)?, format),
    }
}

fn raw_aside(swap: &Swap, number: usize, format: ObjectFormat) -> io::Result<Oid> {
    match swap.aside(number)? {
        Lying::Symlink { .. } => Ok(git::blob_hash(format, &swap.read_aside_link(number)?)),
        _ => git::hash_open(swap.open_aside(number)?, format),
    }
}

fn raw_in_place(swap: &Swap, path: &[u8], format: ObjectFormat) -> io::Result<Oid> {
    match swap.lying(path)? {
        Lying::Symlink { .. } => Ok(git::blob_hash(format, &swap.read_link(path)?)),
        _ => git::hash_open(swap.open_file(path)?, format),
    }
}

/// The name of the bytes of what is ready at a path.
pub(super) fn ready_name(swap: &Swap, path: &[u8], format: ObjectFormat) -> io::Result<Oid> {
    raw_ready(swap, path, format)
}

/// Takes back what was done of a plan, the last step first. Names the paths where somebody wrote meanwhile, which stay.
pub(super) fn take_back(plan: &Plan, swap: &Swap, format: ObjectFormat) -> io::Result<Vec<BString>> {
    let mut stay = Vec::new();
    for (number, step) in plan.steps.iter().enumerate().rev() {
        let undone = match step.way {
            Way::Exchange => exchange_back(step, swap, format)?,
            Way::Put => withdraw(step, swap, format)?,
            Way::Take => give_back(step, number, swap)?,
            Way::Index => Undone::Whole,
        };
        if undone == Undone::Stays {
            stay.push(step.path.clone());
        }
    }
    for directory in plan.directories.iter().rev() {
        let _ = swap.remove_directory(directory);
    }
    // A directory in whose place a file came, or a file in whose place one came, has room again now.
    for (number, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.way == Way::Take) {
        if swap.aside(number)? != Lying::Nothing && give_back(step, number, swap)? == Undone::Whole {
            stay.retain(|path| *path != step.path);
        }
    }
    Ok(stay)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undone {
    Whole,
    /// Somebody wrote there.
    Stays,
}

fn exchange_back(step: &Step, swap: &Swap, format: ObjectFormat) -> io::Result<Undone> {
    if inode(&swap.ready(&step.path)?) == Some(step.inode) {
        return Ok(Undone::Whole);
    }
    let lying = swap.lying(&step.path)?;
    if inode(&lying) != Some(step.inode) {
        // What is there is neither the old file nor ours.
        return Ok(Undone::Stays);
    }
    if !is_ours(step, swap, format)? {
        return Ok(Undone::Stays);
    }
    swap.exchange(&step.path)?;
    Ok(Undone::Whole)
}

fn withdraw(step: &Step, swap: &Swap, format: ObjectFormat) -> io::Result<Undone> {
    let lying = swap.lying(&step.path)?;
    if step.new.is_some_and(|new| new.mode == EntryMode::Gitlink) {
        // The directory of a submodule that nobody populated.
        if lying == Lying::Directory && swap.remove_directory(&step.path).is_err() {
            return Ok(Undone::Stays);
        }
        return Ok(Undone::Whole);
    }
    match inode(&lying) {
        Some(found) if found == step.inode => {}
        None if matches!(lying, Lying::Nothing) => return Ok(Undone::Whole),
        _ if inode(&swap.ready(&step.path)?) == Some(step.inode) => return Ok(Undone::Whole),
        _ => return Ok(Undone::Stays),
    }
    if !is_ours(step, swap, format)? {
        return Ok(Undone::Stays);
    }
    swap.withdraw(&step.path)?;
    Ok(Undone::Whole)
}

fn give_back(step: &Step, number: usize, swap: &Swap) -> io::Result<Undone> {
    if swap.aside(number)? == Lying::Nothing {
        return Ok(Undone::Whole);
    }
    match swap.give_back(&step.path, number) {
        Ok(()) => Ok(Undone::Whole),
        Err(error) if fs::place_is_taken(&error) => Ok(Undone::Stays),
        Err(error) => Err(error),
    }
}

/// Whether the file in place still has the bytes that we wrote.
fn is_ours(step: &Step, swap: &Swap, format: ObjectFormat) -> io::Result<bool> {
    let wrote = step.new.map(|new| new.raw);
    Ok(wrote == Some(raw_in_place(swap, &step.path, format)?))
}

fn inode(lying: &Lying) -> Option<u64> {
    lying.stat().map(|stat| stat.ino)
}

fn parent(path: &[u8]) -> &[u8] {
    path.rfind_byte(b'/').map_or(b"", |at| &path[..at])
}

/// Brings the index of the checkout up to a plan that was carried out: entries that the user did not change since.
///
/// `room` is for the new index, which is published by one rename; whoever calls holds the lock.
pub(super) fn follow_index(
    plan: &Plan,
    swap: &Swap,
    lock: &IndexLock,
    (index, room): (&Path, &Path),
    format: ObjectFormat,
) -> Result<(), IndexError> {
    let entries = git::read_index(index, format)?;
    let failed = |source| IndexError::Io { path: room.to_owned(), source };
    let Some(followed) = followed(plan, swap, &entries).map_err(failed)? else { return Ok(()) };
    match std::fs::remove_file(room) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    git::write_index_aside(room, format, &followed, git::time_to_keep(index, &entries)?)?;
    lock.publish(room).map_err(failed)
}

/// The entries afterwards; `None` when nothing differs.
pub(super) fn followed(
    plan: &Plan,
    swap: &Swap,
    entries: &[IndexEntry],
) -> io::Result<Option<Vec<IndexEntry>>> {
    let steps: std::collections::BTreeMap<&BString, &Step> =
        plan.steps.iter().map(|step| (&step.path, step)).collect();
    let is = |entry: &IndexEntry, content: Option<Content>| {
        content.is_some_and(|content| (entry.mode, entry.oid) == (content.mode, content.oid))
    };
    let mut kept = Vec::with_capacity(entries.len() + plan.steps.len());
    let mut settled = std::collections::BTreeSet::new();
    let mut changed = false;
    for entry in entries {
        let step = steps.get(&entry.path).copied();
        match step.filter(|step| is(entry, step.old)) {
            Some(step) => {
                settled.insert(&entry.path);
                kept.extend(entry_of(step, swap, entry.flags)?);
                changed = true;
            }
            None => {
                settled.insert(&entry.path);
                kept.push(entry.clone());
            }
        }
    }
    for step in plan.steps.iter().filter(|step| step.old.is_none() && !settled.contains(&step.path)) {
        kept.extend(entry_of(step, swap, IndexFlags::default())?);
        changed = true;
    }
    Ok(changed.then_some(kept))
}

/// The entry of what came, with the stat data of the file if it is still the one that we put there.
fn entry_of(step: &Step, swap: &Swap, flags: IndexFlags) -> io::Result<Option<IndexEntry>> {
    let Some(new) = step.new else { return Ok(None) };
    let stat = match swap.lying(&step.path)? {
        Lying::File { stat, .. } | Lying::Symlink { stat } if stat.ino == step.inode => stat,
        _ => FileStat::default(),
    };
    let flags = IndexFlags { skip_worktree: flags.skip_worktree, ..IndexFlags::default() };
    Ok(Some(IndexEntry { path: step.path.clone(), mode: new.mode, oid: new.oid, stat, flags }))
}
