//! Hazards 1 to 9: work that is destroyed because a worktree is taken for somebody else's, for nobody's, or for gone.

mod foreign;
mod held;
mod resumed;
mod reused;
mod symlinks;
mod unsaved;
mod unseen;
