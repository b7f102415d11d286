//! The process table: one row per process, and the relations between rows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use windrow_model::ProcessIdentity;

use super::platform;

/// One process as the kernel's table shows it, zombies included.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) start_ticks: u64,
    /// The command name, shortened by the kernel; never trusted, only shown.
    pub(super) command: String,
    /// False for a zombie: it runs no code any more.
    pub(super) running: bool,
    /// Where its stack begins; random for each program started, so that a mere fork of it has the same. 0 when it is not told.
    pub(super) stack: u64,
    /// A thread of the kernel, which uses no user's directory.
    pub(super) kernel: bool,
}

impl Row {
    pub(super) fn identity(&self, scope: &str) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start_ticks: self.start_ticks, scope: scope.to_owned() }
    }
}

/// Every process visible now, by number. Processes that vanish while reading are left out.
pub(super) fn rows() -> io::Result<BTreeMap<u32, Row>> {
    let mut rows = BTreeMap::new();
    for pid in platform::pids()? {
        if let Some(row) = platform::row(pid)? {
            rows.insert(pid, row);
        }
    }
    Ok(rows)
}

/// All running processes below `roots` (the roots themselves not included), deepest last.
pub(super) fn descendants<'t>(table: &'t BTreeMap<u32, Row>, roots: &[u32]) -> Vec<&'t Row> {
    let mut children: BTreeMap<u32, Vec<&Row>> = BTreeMap::new();
    for row in table.values() {
        children.entry(row.parent).or_default().push(row);
    }
    let mut seen: BTreeSet<u32> = roots.iter().copied().collect();
    let mut queue: Vec<u32> = roots.to_vec();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(&pid) = queue.get(next) {
        next += 1;
        for &child in children.get(&pid).into_iter().flatten() {
            if seen.insert(child.pid) {
                queue.push(child.pid);
                found.push(child);
            }
        }
    }
    found.retain(|row| row.running);
    found
}
