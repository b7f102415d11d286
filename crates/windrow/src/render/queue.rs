//! The queue of landings.

use comfy_table::Cell;
use windrow_model::{TicketRecord, TicketState};

use super::{
    View,
    style::{BAD, CARE, FAINT, GOOD, NAME, TYPED, paint},
    table,
    text::{Lines, age, branch, path, safe},
};

/// A table of tickets, or one line when there are none.
pub(crate) fn tickets(tickets: &[TicketRecord], view: &View<'_>) -> String {
    if tickets.is_empty() {
        return "nothing is queued\n".to_owned();
    }
    let mut table = table::table(&["TICKET", "STATE", "WORK", "TARGET", "AGE", "DETAIL"]);
    for ticket in tickets {
        table.add_row([
            Cell::new(ticket.number).add_attribute(comfy_table::Attribute::Bold),
            Cell::new(ticket.state),
            Cell::new(work(ticket)),
            Cell::new(branch(Some(&ticket.wanted.target), "none")),
            Cell::new(age(ticket.queued_at, view)),
            Cell::new(safe(&ticket.end.detail)),
        ]);
    }
    table::render(table)
}

/// One ticket, with what to do next.
pub(crate) fn ticket(ticket: &TicketRecord, view: &View<'_>) -> String {
    let target = branch(Some(&ticket.wanted.target), "none");
    let mut lines = Lines::default();
    lines.add("work", format!("{}  {}", work(ticket), paint(FAINT, ticket.wanted.strategy)));
    if let Some(after) = &ticket.end.after {
        lines.add("target", format!("{target} at {}", after.short()));
    }
    if !ticket.end.detail.is_empty() {
        lines.add("why", safe(&ticket.end.detail));
    }
    if let Some(log) = &ticket.end.log {
        lines.add("log", path(log, view));
    }
    if let Some(next) = next(ticket) {
        lines.add("next", paint(TYPED, next));
    }
    let number = paint(NAME, format!("ticket {}", ticket.number));
    format!("{number}  {}\n{}", state(ticket, &target), lines.render("  "))
}

fn state(ticket: &TicketRecord, target: &str) -> String {
    match ticket.state {
        TicketState::Queued => format!("queued for {target}"),
        TicketState::Landing => format!("being landed on {target}"),
        TicketState::Landed => paint(GOOD, format!("landed on {target}")),
        TicketState::Conflict => paint(BAD, format!("in conflict with {target}")),
        TicketState::VerifyFailed => paint(BAD, "did not stand its verification"),
        TicketState::Refused => paint(BAD, format!("could not be landed on {target}")),
        TicketState::Cancelled => paint(CARE, "taken out of the queue"),
    }
}

fn next(ticket: &TicketRecord) -> Option<String> {
    let again = || ticket.wanted.worktree.as_ref().map(|name| format!("windrow land {name}"));
    match ticket.state {
        TicketState::Queued | TicketState::Landing => Some(format!("windrow queue wait {}", ticket.number)),
        TicketState::Conflict | TicketState::Refused => again(),
        TicketState::Landed | TicketState::VerifyFailed | TicketState::Cancelled => None,
    }
}

fn work(ticket: &TicketRecord) -> String {
    let wanted = &ticket.wanted;
    match (&wanted.worktree, &wanted.branch) {
        (Some(worktree), _) => worktree.to_string(),
        (None, Some(name)) => branch(Some(name), "none"),
        (None, None) => wanted.source.short(),
    }
}
