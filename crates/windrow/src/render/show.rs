//! `windrow show`.

use windrow_core::{
    ops::{Details, Entry},
    process::{Occupant, OccupiedBy},
};
use windrow_model::WorktreeState;

use super::{
    View,
    style::{BAD, CARE, FAINT, GOOD, NAME, paint},
    summary::work,
    text::{Lines, age, branch, count, holder, path, safe, until},
};

/// Everything about a worktree.
pub(crate) fn show(details: &Details, view: &View<'_>) -> String {
    let mut lines = Lines::default();
    add_place(&mut lines, details, view);
    add_lease(&mut lines, &details.entry, view);
    add_work(&mut lines, details);
    for occupant in &details.occupants {
        lines.add("used by", occupied(occupant));
    }
    for log in &details.logs {
        lines.add("log", path(log, view));
    }
    format!("{}\n{}", heading(&details.entry), lines.render("  "))
}

fn heading(entry: &Entry) -> String {
    let worktree = &entry.worktree;
    let style = match worktree.state {
        WorktreeState::Leased => GOOD,
        WorktreeState::Kept => CARE,
        WorktreeState::Quarantined => BAD,
        _ => FAINT,
    };
    format!("{}  {}", paint(NAME, &worktree.name), paint(style, worktree.state))
}

fn add_place(lines: &mut Lines, details: &Details, view: &View<'_>) {
    let worktree = &details.entry.worktree;
    lines.add("path", path(&worktree.path, view));
    let made_on = branch(worktree.checkout.branch(), "(detached)");
    lines.add("branch", made_on);
    match &details.head {
        None => lines.add("HEAD", paint(CARE, "cannot be read")),
        Some((oid, now)) if now.as_ref() != worktree.checkout.branch() => {
            let place = branch(now.as_ref(), "detached");
            lines.add("HEAD", format!("{}  {}", oid.short(), paint(CARE, format!("now {place}"))));
        }
        Some((oid, _)) => lines.add("HEAD", oid.short()),
    }
    let target = worktree.target.as_ref().map(|target| format!("  of {target}")).unwrap_or_default();
    lines.add("base", format!("{}{target}", worktree.base.short()));
    lines.add("made", format!("{} ago", age(worktree.created_at, view)));
    if let Some(keep) = worktree.keep_until {
        lines.add("kept for", until(keep, view));
    }
    if let Some(doubt) = &worktree.doubt {
        lines.add("doubt", paint(BAD, safe(doubt)));
    }
}

fn add_lease(lines: &mut Lines, entry: &Entry, view: &View<'_>) {
    let Some(lease) = &entry.lease else { return };
    lines.add("lease", format!("{}  fence {}", lease.id, lease.fence));
    lines.add("holder", format!("{} for {}", holder(&lease.holder), age(lease.acquired_at, view)));
    if let Some(key) = &lease.key {
        lines.add("key", safe(key.as_str()));
    }
    if let Some(expiry) = lease.expires_at {
        lines.add("expires", format!("in {}", until(expiry, view)));
    }
}

fn add_work(lines: &mut Lines, details: &Details) {
    lines.add("work", work(&details.work).unwrap_or_else(|| "no commits".to_owned()));
    if details.uncommitted > 0 {
        lines.add("unsaved", paint(CARE, count(details.uncommitted, "uncommitted path")));
    }
}

fn occupied(occupant: &Occupant) -> String {
    let how = match occupant.how {
        OccupiedBy::Cwd => "stands in it",
        OccupiedBy::Root => "has it as its root",
        OccupiedBy::Executable => "runs a program of it",
        OccupiedBy::Descriptor => "has a file of it open",
        OccupiedBy::Map => "has a file of it mapped",
        OccupiedBy::Unreadable => "does not let us look",
        OccupiedBy::OtherUser => "belongs to another user",
    };
    format!("{} {}  {}", occupant.pid, safe(&occupant.command), paint(FAINT, how))
}
