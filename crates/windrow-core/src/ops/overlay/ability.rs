//! Whether overlays can be had here: found by doing it once, in the helper, because there is no way back from a mount namespace.

use std::path::Path;

use windrow_model::Strategy;

use super::OVERLAY_COMMAND;
use crate::{
    fs,
    ops::{
        place,
        pool::{OverlayMode, Pool},
        template,
    },
    process,
};

/// Tries an overlay in a trash directory, in a mount namespace of our own; what the hidden subcommand does.
///
/// # Errors
/// Why it cannot be had, for people.
pub fn try_overlay(trash: &Path) -> Result<(), String> {
    process::go_apart().map_err(|error| format!("this user may have no mount namespace: {error}"))?;
    process::with_mount_rights(|| fs::try_overlay(trash))
        .map_err(|error| format!("an overlay cannot be mounted: {error}"))
}

/// Tries an overlay in the directory around worktrees.
pub(in crate::ops) fn ability(pool: &Pool, beside: &Path) -> Result<(), String> {
    if pool.environment.overlays == OverlayMode::Never {
        return Err("this program makes none".to_owned());
    }
    let trash = Pool::trash_in(beside);
    let args = [OVERLAY_COMMAND.into(), "try".into(), trash.into_os_string()];
    let asked = process::ask_helper(&pool.environment.helper, &args, &pool.environment.variables);
    let asked = asked.map_err(|error| format!("cannot try an overlay: {error}"))?;
    match asked.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&asked.stdout).trim().to_owned()),
    }
}

/// Why a new worktree cannot be an overlay, for people; `None` when it can.
///
/// What was tried once for this directory, system and user is not tried again.
pub(super) fn objection(pool: &Pool) -> Option<String> {
    if pool.environment.overlays == OverlayMode::Never {
        return Some("only `windrow run`, `exec` and `shell` show one".to_owned());
    }
    let Some(beside) = place::around(pool) else { return Some("there is no place for it".to_owned()) };
    if !template::templates(pool).iter().any(|one| serves(one, &beside)) {
        return Some(
            "it needs a template and there is none yet (`windrow pool template` makes one)".to_owned(),
        );
    }
    let conditions = conditions(&beside);
    let noted = std::fs::read_to_string(pool.overlay_note()).unwrap_or_default();
    if noted == conditions {
        return None;
    }
    match ability(pool, &beside) {
        Ok(()) => {
            let noted = std::fs::write(pool.overlay_note(), conditions);
            noted.inspect_err(|error| tracing::debug!(%error, "overlays are tried again the next time")).ok();
            None
        }
        Err(why) => Some(why),
    }
}

fn serves(template: &template::Template, beside: &Path) -> bool {
    template.serves == Strategy::Overlay && template.root.parent() == Some(beside)
}

/// What the answer depends on.
fn conditions(beside: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    let system = rustix::system::uname();
    let place = super::mark_of(beside).unwrap_or_default();
    format!("1 {user} {place} {}\n", system.release().to_string_lossy())
}

/// Forgets that overlays can be had: one could not be shown, or none is wanted any more.
pub(in crate::ops) fn forget(pool: &Pool) {
    let _ = std::fs::remove_file(pool.overlay_note());
}

/// Why a worktree is none although the configuration wants overlays, in words.
pub(in crate::ops) fn stepped_down(pool: &Pool, strategy: Strategy) -> String {
    let why = objection(pool).unwrap_or_else(|| "only `windrow run`, `exec` and `shell` show one".to_owned());
    format!("no overlay, {why}: files are written by {}", strategy.as_str())
}
