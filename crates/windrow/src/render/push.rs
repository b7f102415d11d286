//! What a remote holds now.

use windrow_core::ops::{PullRequest, Pushed, PushedFate};

use super::{
    style::{CARE, FAINT, GOOD, NAME, paint},
    text::{Lines, branch, safe},
};

/// Work that was pushed.
pub(crate) fn pushed(pushed: &Pushed) -> String {
    let there = format!("{} at {}", branch(Some(&pushed.to), "none"), safe(&pushed.remote));
    let fate = match pushed.fate {
        PushedFate::Pushed => paint(GOOD, format!("pushed to {there}")),
        PushedFate::AlreadyThere => format!("is in {there} already"),
    };
    let mut lines = Lines::default();
    if pushed.before != Some(pushed.after) {
        let before = pushed.before.map_or_else(|| "new".to_owned(), |before| before.short());
        lines.add("remote", format!("{before} → {}", pushed.after.short()));
    }
    if pushed.fate == PushedFate::Pushed && pushed.after != pushed.source {
        lines.add("merged", paint(FAINT, "with what others had pushed there"));
    }
    match &pushed.pull_request {
        Some(PullRequest::Command(0)) => lines.add("request", "opened"),
        Some(PullRequest::Command(code)) => {
            lines.add("request", paint(CARE, format!("`push.pr_command` ended with {code}")));
        }
        Some(PullRequest::Nothing) => {
            lines.add("request", paint(CARE, "the remote offered none, and `push.pr_command` is not set"));
        }
        Some(PullRequest::Offered(_)) | None => {}
    }
    for notice in &pushed.notices {
        lines.add("note", safe(notice));
    }
    format!("{}  {fate}\n{}", paint(NAME, name(pushed)), lines.render("  "))
}

/// How many lines of what another program said are shown.
const LINES: usize = 20;

/// What a remote said.
pub(crate) fn said(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES);
    lines.map(|line| format!("  {}\n", safe(line.trim_end()))).collect()
}

fn name(pushed: &Pushed) -> String {
    match (&pushed.worktree, &pushed.branch) {
        (Some(worktree), _) => worktree.to_string(),
        (None, Some(name)) => branch(Some(name), "none"),
        (None, None) => pushed.source.short(),
    }
}
