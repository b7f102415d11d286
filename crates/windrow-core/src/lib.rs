//! The Windrow library: isolated git worktrees for many agents at once.
//!
//! Layers: `ops` composes `git`, `store`, `fs` and `process`, which know nothing of each other. Nothing here prints,
//! reads the environment or the current directory.

pub mod config;
pub mod fs;
pub mod git;
pub mod ops;
pub mod process;
pub mod store;
