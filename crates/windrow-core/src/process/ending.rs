//! Ends processes that should not be there any more: TERM, a grace, KILL, each only after proving who is meant.

use std::collections::BTreeMap;

use rustix::process::Signal;

use super::platform::{self, Sent};
use super::table::Row;

/// A process that was still there when it should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Straggler {
    /// The process number it had.
    pub pid: u32,
    /// Its command name as the kernel keeps it (at most 15 bytes, set by the process itself).
    pub command: String,
    /// What it took.
    pub ended_by: EndedBy,
}

/// What it took to end a straggler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It went within the grace after SIGTERM.
    Term,
    /// It had to be killed.
    Kill,
    /// It runs under another user and cannot be signalled: it may still run.
    Nothing,
}

/// All processes that were told to end, across the rounds of one ending.
#[derive(Debug, Default)]
pub(super) struct Hunt {
    /// By number and start time.
    told: BTreeMap<(u32, u64), Straggler>,
}

/// What one round of killing achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Something was signalled, or there was nothing to do: look again.
    Progress,
    /// Only processes that nobody here may signal are left.
    Stuck,
}

impl Hunt {
    /// Asks each of `rows` once to end. A stopped process is continued, or it could not follow.
    pub(super) fn terminate(&mut self, rows: &[&Row]) {
        for row in rows {
            if !self.told.contains_key(&key(row)) {
                let sent = send(row, Signal::TERM);
                send(row, Signal::CONT);
                self.note(row, sent, EndedBy::Term);
            }
        }
    }

    /// Kills each of `rows`.
    pub(super) fn kill(&mut self, rows: &[&Row]) -> Round {
        let mut forbidden = 0;
        for row in rows {
            let sent = send(row, Signal::KILL);
            forbidden += usize::from(sent == Sent::Forbidden);
            self.note(row, sent, EndedBy::Kill);
        }
        if forbidden > 0 && forbidden == rows.len() { Round::Stuck } else { Round::Progress }
    }

    /// Whether `row` has been told to end before.
    pub(super) fn knows(&self, row: &Row) -> bool {
        self.told.contains_key(&key(row))
    }

    /// Everything that was told to end, by process number.
    pub(super) fn stragglers(self) -> Vec<Straggler> {
        self.told.into_values().collect()
    }

    fn note(&mut self, row: &Row, sent: Sent, by: EndedBy) {
        let ended_by = match sent {
            Sent::Delivered => by,
            Sent::Forbidden => EndedBy::Nothing,
            // It went by itself, or by the signal before this one.
            Sent::Gone => return,
        };
        self.told
            .entry(key(row))
            .and_modify(|straggler| straggler.ended_by = ended_by)
            .or_insert_with(|| Straggler { pid: row.pid, command: row.command.clone(), ended_by });
    }
}

fn key(row: &Row) -> (u32, u64) {
    (row.pid, row.start_ticks)
}

/// A failure to signal for any other reason leaves the process there: it is met again in the next round.
fn send(row: &Row, signal: Signal) -> Sent {
    platform::signal(row.pid, row.start_ticks, signal).unwrap_or(Sent::Forbidden)
}
