//! The helper that works on overlays: it speaks to whoever started it.

use windrow_core::ops::{self, OverlaySaveRequest};

use super::Context;
use crate::{
    args::{OverlayCommand, OverlaySaveArgs},
    errors::{Exit, Problem},
};

/// Does one thing in a mount namespace, and ends with it.
pub(super) fn overlay(context: &mut Context, command: &OverlayCommand) -> Result<Exit, Problem> {
    let printed = match command {
        OverlayCommand::Try { trash } => ops::try_overlay(trash).map(|()| String::new()),
        OverlayCommand::Save(args) => {
            let environment = context.surroundings.for_core(&context.global.config);
            ops::save_apart(environment, &args.request()).map_err(|error| {
                // Why is for the log of whoever asked.
                context.console.complain(&error.to_string());
                String::new()
            })
        }
    };
    let exit = if printed.is_ok() { Exit::OK } else { Exit::FAILURE };
    let text = printed.unwrap_or_else(|why| why);
    context.raw(text.as_bytes())?;
    Ok(exit)
}

impl OverlaySaveArgs {
    fn request(&self) -> OverlaySaveRequest {
        OverlaySaveRequest {
            common_dir: self.pool.common_dir.clone(),
            root: self.pool.root.clone(),
            worktree: self.worktree,
            lease: self.lease,
            work: if self.discard { ops::WorkPolicy::Discard } else { ops::WorkPolicy::Rescue },
        }
    }
}
