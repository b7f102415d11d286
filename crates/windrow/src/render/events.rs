//! The history.

use windrow_model::Event;

use super::{
    style::{FAINT, NAME, paint},
    text::safe,
};

/// One line for an event.
pub(crate) fn event(event: &Event) -> String {
    // Whole seconds are enough for people.
    let at = event.at.strftime("%Y-%m-%d %H:%M:%SZ");
    let worktree = event.event.worktree.as_ref().map(|name| paint(NAME, name)).unwrap_or_default();
    let text = format!("{}  {:<20}  {worktree}", paint(FAINT, at), event.event.kind);
    match event.event.detail.as_str() {
        "" => format!("{}\n", text.trim_end()),
        detail => format!("{text}  {}\n", safe(detail)),
    }
}
