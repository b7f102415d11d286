//! What happened to a lease and its worktree, in a few aligned lines.

use windrow_core::{
    ops::{
        BranchFate, CarrySummary, Dropped, Finished, LandedFate, Leased, Provenance, Ran, RanLanding,
        RanPush, Released, Restored, WorkSummary, WorktreeFate,
    },
    process::{EndedBy, Straggler},
};
use windrow_model::{Drift, LeaseRecord, WorktreeRecord, format_bytes};

use super::{
    View,
    seed::add_seeds,
    style::{BAD, CARE, FAINT, GOOD, NAME, TYPED, paint},
    text::{Lines, branch, count, holder, path, safe, safe_bytes, until},
};

/// How many names are listed before the rest is only counted.
const NAMED: usize = 4;

/// How many changes of what is everybody's are told one by one.
const DRIFTS: usize = 8;

/// A lease that was given.
pub(crate) fn acquired(leased: &Leased, view: &View<'_>) -> String {
    let mut lines = Lines::default();
    lines.add("branch", branch_of(&leased.worktree));
    if let Some(expiry) = leased.lease.expires_at {
        lines.add("expires", format!("in {}", until(expiry, view)));
    } else {
        lines.add("holder", holder(&leased.lease.holder));
    }
    add_carried(&mut lines, &leased.carried);
    add_seeds(&mut lines, &leased.seeds);
    lines.add("next", paint(TYPED, format!("windrow release {}", leased.worktree.name)));
    let how = match leased.provenance {
        Provenance::Created => "made",
        Provenance::Same => "yours already",
        Provenance::TakenOver => "taken over from a dead holder, files untouched",
        Provenance::Reattached => "was kept, files untouched",
    };
    format!("{}  {how}\n{}", paint(NAME, &leased.worktree.name), lines.render("  "))
}

fn add_carried(lines: &mut Lines, carried: &CarrySummary) {
    if carried.files > 0 {
        let size = format_bytes(carried.bytes);
        lines.add("carried", format!("{}, {size}", count(carried.files, "untracked path")));
    }
    for (name, reason) in carried.skipped.iter().take(NAMED) {
        lines.add("skipped", format!("{}  {}", safe_bytes(name), paint(FAINT, safe(reason))));
    }
    if carried.skipped.len() > NAMED {
        lines.add("skipped", format!("and {} more", carried.skipped.len() - NAMED));
    }
}

/// A lease whose end was moved.
pub(crate) fn renewed(worktree: &WorktreeRecord, lease: &LeaseRecord, view: &View<'_>) -> String {
    let name = paint(NAME, &worktree.name);
    match lease.expires_at {
        Some(expiry) => format!("{name}  expires in {}\n", until(expiry, view)),
        None => format!("{name}  ends with its holder, {}\n", holder(&lease.holder)),
    }
}

/// The whole of a run.
pub(crate) fn ran(ran: &Ran, view: &View<'_>) -> String {
    let mut lines = Lines::default();
    add_seeds(&mut lines, &ran.leased.seeds);
    add_release(&mut lines, &ran.released);
    add_landing(&mut lines, &ran.landing);
    add_push(&mut lines, &ran.push);
    add_finished(&mut lines, &ran.finished, view);
    add_drift(&mut lines, &ran.released);
    add_next(&mut lines, &ran.released);
    under(&ran.released, &lines, view)
}

fn add_landing(lines: &mut Lines, landing: &RanLanding) {
    let text = match landing {
        RanLanding::NotAsked | RanLanding::Refused(_) => return,
        RanLanding::CommandFailed => paint(CARE, "nothing, because the command failed"),
        RanLanding::Landed(landed) => {
            let target = branch(Some(&landed.target), "none");
            match landed.fate {
                LandedFate::Landed => paint(GOOD, format!("on {target} at {}", landed.after.short())),
                _ => format!("nothing new for {target}"),
            }
        }
    };
    lines.add("landed", text);
}

fn add_push(lines: &mut Lines, push: &RanPush) {
    let text = match push {
        RanPush::NotAsked | RanPush::Refused(_) => return,
        RanPush::CommandFailed => paint(CARE, "nothing, because the command failed"),
        RanPush::Pushed(pushed) => {
            let to = branch(Some(&pushed.to), "none");
            paint(GOOD, format!("{to} at {}, {}", safe(&pushed.remote), pushed.after.short()))
        }
    };
    lines.add("pushed", text);
}

/// The end of a lease.
pub(crate) fn released(released: &Released, view: &View<'_>) -> String {
    let mut lines = Lines::default();
    add_release(&mut lines, released);
    add_drift(&mut lines, released);
    add_next(&mut lines, released);
    under(released, &lines, view)
}

/// A command that ended in a worktree that stays; empty when there is nothing to tell.
pub(crate) fn finished(finished: &Finished, view: &View<'_>) -> String {
    let mut lines = Lines::default();
    add_finished(&mut lines, finished, view);
    lines.render("")
}

fn under(released: &Released, lines: &Lines, view: &View<'_>) -> String {
    let name = paint(NAME, &released.worktree.name);
    let fate = fate(released, view);
    let seen = released.fate != WorktreeFate::Vanished;
    let nothing = if lines.is_empty() && seen { ", nothing was changed in it" } else { "" };
    format!("{name}  {fate}{nothing}\n{}", lines.render("  "))
}

fn fate(released: &Released, view: &View<'_>) -> String {
    match &released.fate {
        WorktreeFate::Removed => "removed".to_owned(),
        WorktreeFate::Vanished => paint(BAD, "removed; its files were gone already"),
        WorktreeFate::Kept(then) => paint(CARE, format!("kept for {}", until(*then, view))),
        WorktreeFate::Quarantined(doubt) => paint(BAD, format!("left in place: {}", safe(doubt))),
    }
}

fn add_release(lines: &mut Lines, released: &Released) {
    add_branch(lines, &released.branch, &released.work);
    match (&released.rescue, released.unsaved) {
        (Some(rescue), paths) => {
            let restore = paint(TYPED, format!("windrow restore {}", rescue.id));
            lines.add("rescued", format!("{}  {restore}", paint(CARE, count(paths, "path"))));
        }
        (None, 0) => {}
        (None, paths) if matches!(released.fate, WorktreeFate::Removed) => {
            lines.add("discarded", paint(BAD, count(paths, "path")));
        }
        (None, paths) => lines.add("unsaved", paint(CARE, count(paths, "uncommitted path"))),
    }
    if !released.dropped.is_empty() {
        lines.add("dropped", dropped(&released.dropped));
    }
}

/// What of everybody's changed meanwhile, and who else was there.
fn add_drift(lines: &mut Lines, released: &Released) {
    for drift in released.drift.iter().take(DRIFTS) {
        let style = if matches!(drift, Drift::Unchecked { .. }) { FAINT } else { CARE };
        lines.add("drift", paint(style, safe(&drift.to_string())));
    }
    if released.drift.len() > DRIFTS {
        lines.add("drift", format!("{} more changes", released.drift.len() - DRIFTS));
    }
    if !released.meanwhile.is_empty() {
        let names =
            released.meanwhile.iter().map(|held| format!("{} ({})", held.worktree, holder(&held.holder)));
        lines.add("others", listed(names));
    }
}

fn add_branch(lines: &mut Lines, fate: &BranchFate, summary: &WorkSummary) {
    match (fate, work(summary)) {
        (BranchFate::Stays(name, _), Some(work)) => {
            lines.add("branch", format!("{}  {work}", branch(Some(name), "none")));
        }
        (BranchFate::Deleted(name, oid), Some(work)) => {
            let deleted = paint(CARE, format!("deleted at {}", oid.short()));
            lines.add("branch", format!("{}  {work}  {deleted}", branch(Some(name), "none")));
        }
        (BranchFate::None, Some(work)) => lines.add("commits", work),
        (_, None) => {}
    }
}

fn add_finished(lines: &mut Lines, finished: &Finished, view: &View<'_>) {
    if finished.timed_out {
        let elapsed = windrow_model::format_duration(finished.elapsed);
        lines.add("timeout", paint(BAD, format!("ended after {elapsed}")));
    }
    if !finished.stragglers.is_empty() {
        lines.add("ended", stragglers(&finished.stragglers));
    }
    if let Some(log) = &finished.log {
        lines.add("log", path(log, view));
    }
}

fn add_next(lines: &mut Lines, released: &Released) {
    let name = &released.worktree.name;
    let next = match (&released.fate, &released.branch) {
        (WorktreeFate::Quarantined(_), _) => format!("windrow show {name}"),
        (WorktreeFate::Kept(_), _) => format!("windrow shell {name}"),
        (WorktreeFate::Removed | WorktreeFate::Vanished, BranchFate::Stays(name, _))
            if released.work.commits > 0 =>
        {
            format!("git log -p {}..{}", released.worktree.base.short(), branch(Some(name), "HEAD"))
        }
        (WorktreeFate::Removed | WorktreeFate::Vanished, _) => return,
    };
    lines.add("next", paint(TYPED, next));
}

/// Work that is back.
pub(crate) fn restored(restored: &Restored, view: &View<'_>) -> String {
    let paths = count(restored.paths, "path");
    let line = format!("{} from {}\n", paint(GOOD, format!("restored {paths}")), restored.rescue.id);
    line + &acquired(&restored.leased, view)
}

/// `3 commits, 5 files, +120 -8`; nothing without commits.
pub(super) fn work(work: &WorkSummary) -> Option<String> {
    if work.commits == 0 {
        return None;
    }
    let (commits, files) = (count(work.commits, "commit"), count(work.files, "file"));
    let added = paint(GOOD, format!("+{}", work.added));
    let deleted = paint(BAD, format!("-{}", work.deleted));
    Some(format!("{commits}, {files}, {added} {deleted}"))
}

fn dropped(dropped: &[Dropped]) -> String {
    let names = dropped.iter().map(|item| format!("{}/", safe_bytes(&item.path).trim_end_matches('/')));
    format!("{}  {}", listed(names), paint(FAINT, "can be made again"))
}

fn stragglers(stragglers: &[Straggler]) -> String {
    let names = stragglers.iter().map(|item| {
        let how = match item.ended_by {
            EndedBy::Term => "",
            EndedBy::Kill => " (killed)",
            EndedBy::Nothing => " (may still run)",
        };
        format!("{} {}{how}", item.pid, safe(&item.command))
    });
    let processes = match stragglers.len() {
        1 => "1 process".to_owned(),
        number => format!("{number} processes"),
    };
    format!("{} left behind: {}", paint(CARE, processes), listed(names))
}

/// The first few, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn branch_of(worktree: &WorktreeRecord) -> String {
    let base = paint(FAINT, format!("at {}", worktree.base.short()));
    format!("{}  {base}", branch(worktree.checkout.branch(), "none"))
}
