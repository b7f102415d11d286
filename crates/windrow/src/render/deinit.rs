//! Leaving a repository to plain git, and taking worktrees into care.

use windrow_core::ops::{Adopted, DeinitFate, Deinited};
use windrow_model::{DeinitAction, DeinitObstacle, DeinitPlan, RecordsSeen, RescueFate};

use super::{
    View,
    style::{BAD, CARE, FAINT, GOOD, NAME, TYPED, paint},
    text::{Lines, branch, count, path, safe, until},
};
use crate::settle;

const NOTHING: &str = "nothing of windrow is here\n";

/// A worktree that was taken into care.
pub(crate) fn adopted(adopted: &Adopted, view: &View<'_>) -> String {
    let worktree = &adopted.worktree;
    let mut lines = Lines::default();
    lines.add("path", path(&worktree.path, view));
    lines.add("branch", branch(worktree.checkout.branch(), "none, detached"));
    let end = "what it holds then is saved and it is removed";
    lines.add("kept", format!("for {}; {end}", until(adopted.keep_until, view)));
    lines.add("next", paint(TYPED, format!("windrow run --name {} -- CMD", worktree.name)));
    format!("{}  adopted\n{}", paint(NAME, &worktree.name), lines.render("  "))
}

/// What would be done.
pub(crate) fn deinit_plan(plan: &DeinitPlan, view: &View<'_>) -> String {
    if plan.is_empty() && plan.stays.is_empty() {
        return NOTHING.to_owned();
    }
    obstacles(plan, view) + &steps(plan, view)
}

/// What was done, or stands in the way.
pub(crate) fn deinited(done: &Deinited, view: &View<'_>) -> String {
    let plan = &done.plan;
    match done.fate {
        DeinitFate::Obstructed => obstacles(plan, view),
        DeinitFate::Done if plan.is_empty() && plan.stays.is_empty() => NOTHING.to_owned(),
        DeinitFate::Done => format!("{}{}\n", steps(plan, view), paint(GOOD, "this is plain git again")),
    }
}

/// A label, what is told, and commands.
struct Line(String, String, Vec<String>);

fn aligned(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.0.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Line(label, told, commands) in lines {
        text.push_str(&format!("{}  {told}\n", paint(NAME, format!("{label:<width$}"))));
        for command in commands {
            text.push_str(&format!("{:width$}  {}\n", "", paint(TYPED, safe(command))));
        }
    }
    text
}

fn obstacles(plan: &DeinitPlan, view: &View<'_>) -> String {
    let mut lines = Vec::new();
    if let Some(records) = &plan.records {
        let told = match records {
            RecordsSeen::Damaged(why) => safe(why),
            _ => "came with a copy of another repository".to_owned(),
        };
        lines.push(Line("records".to_owned(), paint(BAD, told), settle::records(records)));
    }
    for worktree in &plan.worktrees {
        if let Err(obstacle) = &worktree.decision {
            let told =
                format!("{}  {}", paint(BAD, in_the_way(obstacle)), paint(FAINT, path(&worktree.path, view)));
            lines.push(Line(worktree.name.to_string(), told, settle::worktree(&worktree.name, obstacle)));
        }
    }
    for (work, fate) in &plan.rescues {
        if *fate == RescueFate::Obstructs {
            lines.push(Line(
                safe(&work.id),
                paint(BAD, "a rescue, saved nowhere else"),
                settle::rescue(work),
            ));
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let verdict = paint(BAD, "these stand in the way; nothing is removed before they are settled");
    format!("{}{verdict}\n", aligned(&lines))
}

fn in_the_way(obstacle: &DeinitObstacle) -> String {
    match obstacle {
        DeinitObstacle::Working => "somebody works on it".to_owned(),
        DeinitObstacle::Leased => "somebody holds it".to_owned(),
        DeinitObstacle::Unsaved(0) => "holds work that is on no branch".to_owned(),
        DeinitObstacle::Unsaved(paths) => format!("holds {} of unsaved work", count(*paths, "path")),
        DeinitObstacle::Unchecked(why) => format!("what it holds cannot be told: {}", safe(why)),
        DeinitObstacle::Quarantined => "is quarantined".to_owned(),
        DeinitObstacle::NoRecord => "bears our mark and is on no record".to_owned(),
    }
}

fn steps(plan: &DeinitPlan, view: &View<'_>) -> String {
    let mut lines = Vec::new();
    let mut add = |label: &str, told: String| lines.push(Line(label.to_owned(), told, Vec::new()));
    for worktree in &plan.worktrees {
        let told = match &worktree.decision {
            Ok(DeinitAction::HandBack) => "handed back as it is",
            Ok(DeinitAction::Release) => "given back; everything in it is on a branch",
            Ok(DeinitAction::Finish) => "half done; brought to its end",
            Err(_) => continue,
        };
        add(worktree.name.as_str(), format!("{told}  {}", paint(FAINT, path(&worktree.path, view))));
    }
    for (work, fate) in &plan.rescues {
        match fate {
            RescueFate::Obstructs => {}
            RescueFate::Discarded => add(&safe(&work.id), paint(CARE, "thrown away")),
            RescueFate::Kept { branch, directory } => {
                let branch = branch.as_ref().map(|branch| format!("branch {}", safe(branch)));
                let directory = directory.as_deref().map(|directory| path(directory, view));
                let told: Vec<_> = branch.into_iter().chain(directory).collect();
                add(&safe(&work.id), told.join(" and "));
            }
        }
    }
    if let Some(pid) = plan.keeper {
        add("keeper", format!("process {pid} ends"));
    }
    for gone in &plan.goes {
        add("removed", path(gone, view));
    }
    for left in &plan.stays {
        add("stays", format!("{}  {}", path(left, view), paint(CARE, "not windrow's")));
    }
    aligned(&lines)
}
