//! The arguments of `hook`.

use clap::{Args, Subcommand};

/// Arguments of `hook`.
#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    pub(crate) harness: HookHarness,
}

/// Whose hooks.
#[derive(Debug, Subcommand)]
pub(crate) enum HookHarness {
    /// Claude Code
    Claude {
        #[command(subcommand)]
        command: ClaudeCommand,
    },
}

/// What Claude Code's hooks do, and how they come into its settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ClaudeCommand {
    /// Make a worktree: called by Claude Code, reads one JSON object and prints a path
    WorktreeCreate,
    /// Give a worktree back: called by Claude Code, reads one JSON object
    WorktreeRemove,
    /// Write the hooks into Claude Code's settings, after showing the change
    Install(SettingsArgs),
    /// Take the hooks out of Claude Code's settings, after showing the change
    Uninstall(SettingsArgs),
}

/// Which settings, and whether to ask.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// The settings of all your projects instead of this one's `.claude/settings.local.json`
    #[arg(long)]
    pub(crate) user: bool,
    /// This project's `.claude/settings.json`, which everybody shares
    #[arg(long, conflicts_with = "user")]
    pub(crate) project: bool,
    /// Only show the change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
