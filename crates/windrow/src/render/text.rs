//! Small pieces of text: times, paths, holders, counts. Whatever comes from outside is made safe for a terminal.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use windrow_model::{BranchName, Holder, LeaseRecord, format_duration};

use super::View;

/// The text with every control character written out, so that it cannot steer the terminal.
pub(crate) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Raw bytes for people.
pub(super) fn safe_bytes(raw: &[u8]) -> String {
    safe(&String::from_utf8_lossy(raw))
}

/// A branch for people: git allows control characters beyond ASCII in its name. `none` stands for no branch.
pub(super) fn branch(branch: Option<&BranchName>, none: &str) -> String {
    branch.map_or_else(|| none.to_owned(), |branch| safe(branch.as_str()))
}

/// A path for people, with `~` for the home directory.
pub(super) fn path(path: &Path, view: &View<'_>) -> String {
    let below_home = view.home.and_then(|home| path.strip_prefix(home).ok());
    match below_home {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => safe(&format!("~/{}", rest.display())),
        None => safe(&path.display().to_string()),
    }
}

/// How long ago something was; what lies ahead counts as just now.
pub(super) fn age(since: Timestamp, view: &View<'_>) -> String {
    format_duration(between(since, view.now))
}

/// How long until then; what is over is `now`.
pub(super) fn until(then: Timestamp, view: &View<'_>) -> String {
    match between(view.now, then) {
        Duration::ZERO => "now".to_owned(),
        left => format_duration(left),
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    let span = to.duration_since(from);
    // Whole seconds, rounded up, so that a fresh `30m` is not shown as `29m 59s`.
    let seconds = span.as_secs().saturating_add(i64::from(span.subsec_nanos() > 0));
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// `1 commit`, `2 commits`.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Who holds a lease.
pub(super) fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Process(process) => format!("pid {}", process.pid),
        Holder::Session(session) => format!("session {}", session.short()),
        Holder::Remote(name) => safe(name),
        Holder::Unbound => "nobody watched".to_owned(),
    }
}

/// Who holds a lease, and for what.
pub(super) fn lease_holder(lease: &LeaseRecord) -> String {
    match &lease.key {
        Some(key) => format!("{} ({})", holder(&lease.holder), safe(key.as_str())),
        None => holder(&lease.holder),
    }
}

/// Lines of a label and a value, aligned.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<(&'static str, String)>);

impl Lines {
    pub(super) fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push((label, value.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines, each behind `indent`.
    pub(super) fn render(&self, indent: &str) -> String {
        let width = self.0.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let line = |(label, value): &(&str, String)| {
            let label = super::style::paint(super::style::FAINT, format!("{label:<width$}"));
            format!("{indent}{label}  {value}\n")
        };
        self.0.iter().map(line).collect()
    }
}
