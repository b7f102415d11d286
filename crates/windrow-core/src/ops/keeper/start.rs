//! Starting a keeper when an operation leaves something to keep.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
};

use super::{KEEPER_COMMAND, post};
use crate::{
    config,
    ops::pool::{KeeperMode, Pool},
    process::{self, LockState},
};

/// What a keeper is told of the environment; never anything of git's, which would be one caller's and not the pool's.
const HANDED_OVER: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG"];

/// Starts the pool's keeper unless it has one. Never waits; what was left to keep is committed already.
pub(in crate::ops) fn on_demand(pool: &Pool) {
    // One that began in a mount namespace would see what we see, and keep it from going.
    if pool.environment.keeper == KeeperMode::Never || !pool.settings().pool.keeper || process::is_apart() {
        return;
    }
    if let Err(error) = start(pool) {
        tracing::warn!(%error, "no keeper could be started: the next command ends what is over");
    }
}

fn start(pool: &Pool) -> io::Result<()> {
    if has_keeper(pool) {
        return Ok(());
    }
    let places = [pool.repository().common_dir.as_path(), pool.root()];
    let mut arguments: Vec<OsString> = vec![KEEPER_COMMAND.into(), "--".into()];
    arguments.extend(places.map(OsString::from));
    process::spawn_detached(&pool.environment.helper, &arguments, &environment(pool))
}

/// An older one does not count: the new one asks it to go.
fn has_keeper(pool: &Pool) -> bool {
    let lock = pool.keeper_lock();
    let held = process::is_free(&lock).is_ok_and(|state| state == LockState::Held);
    let own = &pool.environment.program_version;
    held && !post::incumbent(&lock).is_some_and(|other| config::is_older(&other.version, own))
}

pub(in crate::ops) fn environment(pool: &Pool) -> Vec<(OsString, OsString)> {
    let wanted =
        |name: &OsStr| HANDED_OVER.iter().any(|known| name == *known) || name.as_bytes().starts_with(b"XDG_");
    pool.environment.variables.iter().filter(|(name, _)| wanted(name)).cloned().collect()
}
