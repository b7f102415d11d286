//! What Claude Code's worktree hooks say and want to hear, and its settings files.
//!
//! *Source*: the documentation of Claude Code's hooks (`WorktreeCreate`, `WorktreeRemove`): one JSON object on standard input; the
//! path is the last line on standard output; a failure of the first aborts the creation, one of the second keeps the worktree.

mod diff;
mod input;
mod settings;

pub(crate) use self::{
    diff::diff,
    input::{CreateInput, InputError, RemoveInput},
    settings::{SettingsError, install, uninstall},
};

/// How the kernel calls the program that runs the agents.
pub(crate) const HARNESS: [&str; 1] = ["claude"];

/// The events and the commands that answer them.
pub(crate) const EVENTS: [(&str, &str); 2] = [
    ("WorktreeCreate", "windrow hook claude worktree-create"),
    ("WorktreeRemove", "windrow hook claude worktree-remove"),
];
