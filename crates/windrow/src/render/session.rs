//! Sessions.

use comfy_table::Cell;
use windrow_core::ops::{Released, SessionDetails};
use windrow_model::{HolderLiveness, SessionBond, SessionRecord, WorktreeName};

use super::{
    View, list,
    style::{BAD, NAME, paint},
    summary, table,
    text::{age, count, safe, until},
};
use crate::errors::Problem;

/// A session that began.
pub(crate) fn session_started(session: &SessionRecord, view: &View<'_>) -> String {
    format!("{}  ends {}\n", title(session), bond(session, view))
}

/// A table of sessions, or one line when there are none.
pub(crate) fn sessions(sessions: &[SessionDetails], view: &View<'_>) -> String {
    if sessions.is_empty() {
        return "no sessions\n".to_owned();
    }
    let mut table = table::table(&["SESSION", "ENDS", "LEASES", "AGE"]);
    for details in sessions {
        table.add_row([
            Cell::new(details.session.id).add_attribute(comfy_table::Attribute::Bold),
            Cell::new(end_of(details, view)),
            Cell::new(details.entries.len()),
            Cell::new(age(details.session.started_at, view)),
        ]);
    }
    table::render(table)
}

/// One session with what it holds.
pub(crate) fn session(details: &SessionDetails, view: &View<'_>) -> String {
    let session = &details.session;
    let end = match session.ended_at {
        Some(then) => format!("ended {} ago", age(then, view)),
        None => format!("ends {}", end_of(details, view)),
    };
    let begun = age(session.started_at, view);
    let head = format!("{}  {end}, began {begun} ago, {}\n", title(session), leases(details.entries.len()));
    if details.entries.is_empty() { head } else { format!("{head}\n{}", list(&details.entries, view)) }
}

/// A session that was ended: what became of each worktree, then the session.
pub(crate) fn session_ended(
    session: &SessionRecord,
    released: &[Released],
    failed: &[(WorktreeName, Problem)],
    view: &View<'_>,
) -> String {
    let mut text: String = released.iter().map(|one| summary::released(one, view)).collect();
    for (name, problem) in failed {
        let why = paint(BAD, format!("not given back yet: {}", safe(&problem.message)));
        text.push_str(&format!("{}  {why}\n", paint(NAME, name)));
    }
    format!("{text}{}  ended, {} given back\n", title(session), leases(released.len()))
}

fn title(session: &SessionRecord) -> String {
    paint(NAME, format!("session {}", session.id.short()))
}

fn leases(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), "lease")
}

fn end_of(details: &SessionDetails, view: &View<'_>) -> String {
    match details.liveness {
        HolderLiveness::Dead => "now, it is over".to_owned(),
        HolderLiveness::Alive | HolderLiveness::Unobservable => bond(&details.session, view),
    }
}

fn bond(session: &SessionRecord, view: &View<'_>) -> String {
    match &session.bond {
        SessionBond::Process(process) => format!("with pid {}", process.pid),
        SessionBond::Until(end) => format!("in {}", until(*end, view)),
    }
}
