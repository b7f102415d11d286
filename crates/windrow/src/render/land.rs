//! What landed, and what did not.

use bstr::BString;
use windrow_core::ops::{
    ConflictReport, Landed, LandedFate, Overlap, OverlapKind, StoodHow, SyncManner, Synced, Verified,
};

use super::{
    View,
    style::{BAD, CARE, FAINT, GOOD, NAME, TYPED, paint},
    summary::work,
    text::{Lines, branch, count, path, safe, safe_bytes},
};

/// How many paths are listed before the rest is only counted.
const NAMED: usize = 20;

/// Work that landed, or would.
pub(crate) fn landed(landed: &Landed, view: &View<'_>) -> String {
    let target = branch(Some(&landed.target), "none");
    let fate = match landed.fate {
        LandedFate::Landed => paint(GOOD, format!("landed on {target}")),
        LandedFate::AlreadyThere => format!("is on {target} already"),
        LandedFate::NothingToAdd => format!("adds nothing to {target}"),
        LandedFate::WouldLand => paint(CARE, format!("would land on {target}")),
        LandedFate::Staged => paint(CARE, format!("is staged, to be committed on {target}")),
    };
    let mut lines = Lines::default();
    if let Some(work) = work(&landed.work) {
        lines.add("work", format!("{work}  {}", paint(FAINT, landed.strategy)));
    }
    if landed.before != landed.after {
        lines.add("target", format!("{} → {}", landed.before.short(), landed.after.short()));
    }
    if let Some(place) = &landed.place {
        lines.add("checkout", path(place, view));
    }
    if let Some(verified) = &landed.verified {
        lines.add("verified", stood(verified));
        if let Some(log) = &verified.log {
            lines.add("log", path(log, view));
        }
    }
    if let Some(name) = landed.branch.as_ref().filter(|_| landed.branch_deleted) {
        let deleted = paint(CARE, format!("deleted at {}", landed.source.short()));
        lines.add("branch", format!("{}  {deleted}", branch(Some(name), "none")));
    }
    for notice in &landed.notices {
        lines.add("note", safe(notice));
    }
    match landed.fate {
        LandedFate::Landed => {
            let next = format!("git log -p {}..{}", landed.before.short(), landed.after.short());
            lines.add("next", paint(TYPED, next));
        }
        LandedFate::Staged => lines.add("next", paint(TYPED, "git diff --cached")),
        LandedFate::AlreadyThere | LandedFate::NothingToAdd | LandedFate::WouldLand => {}
    }
    format!("{}  {fate}\n{}", paint(NAME, name(landed)), lines.render("  "))
}

/// A worktree that has its target's commits.
pub(crate) fn synced(synced: &Synced) -> String {
    let from = branch(Some(&synced.from), "none");
    let name = paint(NAME, &synced.name);
    if synced.before == synced.after {
        return format!("{name}  has everything of {from} already\n");
    }
    let mut lines = Lines::default();
    let way = match synced.manner {
        SyncManner::Merge => "merge",
        SyncManner::Rebase => "rebase",
    };
    lines.add("new", format!("{}  {}", count(synced.commits, "commit"), paint(FAINT, way)));
    let at = format!("{} → {}", synced.before.short(), synced.after.short());
    lines.add("branch", format!("{}  {at}", branch(Some(&synced.branch), "none")));
    format!("{name}  {}\n{}", paint(GOOD, format!("has everything of {from}")), lines.render("  "))
}

fn stood(verified: &Verified) -> String {
    let command = safe(&verified.command);
    match verified.how {
        StoodHow::AtOnce => format!("{command}  {}", paint(GOOD, "passed")),
        StoodHow::AtTheSecondTry => format!("{command}  {}", paint(CARE, "passed at the second try")),
        StoodHow::Before => format!("{command}  {}", paint(FAINT, "passed before, on the same files")),
    }
}

/// The last lines of a log.
pub(crate) fn tail(text: &str) -> String {
    text.lines().map(|line| format!("  {}\n", paint(FAINT, safe(line)))).collect()
}

fn name(landed: &Landed) -> String {
    match (&landed.worktree, &landed.branch) {
        (Some(worktree), _) => worktree.to_string(),
        (None, Some(name)) => branch(Some(name), "none"),
        (None, None) => landed.source.short(),
    }
}

/// The conflicts, and the lines around them.
pub(crate) fn conflict(report: &ConflictReport) -> String {
    let mut page = String::new();
    for message in report.conflicts.messages.iter().take(NAMED) {
        page.push_str(&format!("  {}\n", paint(BAD, safe(message.text.trim_end()))));
    }
    for (path, hunk) in &report.hunks {
        page.push_str(&format!("  {}\n", paint(NAME, safe_bytes(path))));
        for line in hunk.lines() {
            let marker =
                ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
            let shown = if marker { paint(CARE, safe(line)) } else { safe(line) };
            page.push_str(&format!("    {shown}\n"));
        }
    }
    page
}

/// What is in the way.
pub(crate) fn overlaps(paths: &[Overlap]) -> String {
    let line =
        |overlap: &Overlap| format!("{}  {}", safe_bytes(&overlap.path), paint(FAINT, words(overlap.kind)));
    listed(paths.iter().map(line), paths.len())
}

/// What is not committed.
pub(crate) fn uncommitted(paths: &[BString], count: usize) -> String {
    listed(paths.iter().map(|path| safe_bytes(path)), count)
}

fn listed(lines: impl Iterator<Item = String>, count: usize) -> String {
    let mut page: String = lines.take(NAMED).map(|line| format!("  {line}\n")).collect();
    if count > NAMED {
        page.push_str(&format!("  and {} more\n", count - NAMED));
    }
    page
}

fn words(kind: OverlapKind) -> &'static str {
    match kind {
        OverlapKind::Staged => "something else is staged",
        OverlapKind::Changed => "changed",
        OverlapKind::Deleted => "deleted",
        OverlapKind::Untracked => "not tracked, or ignored",
        OverlapKind::Replaced => "something of another kind is in its place",
        OverlapKind::Hidden => "git was told not to look at it",
        OverlapKind::Submodule => "a submodule",
    }
}
