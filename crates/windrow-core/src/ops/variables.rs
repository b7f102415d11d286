//! The environment of commands in a worktree.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use windrow_model::{LeaseRecord, WorktreeRecord};

use super::{caches, outcome::EnvironmentChange, pool::Pool};
use crate::git;

/// What has to be set and unset for a command that works in `worktree`.
///
/// Variables that tie git to another repository go; git's automatic clean-up is off, because one agent's must not pull objects
/// from under another; carried files that are not ignored are hidden from `git add -A` by an excludes file. Of build tools see
/// [`caches`].
pub(super) fn change(pool: &Pool, worktree: &WorktreeRecord, lease: &LeaseRecord) -> EnvironmentChange {
    let mut set = windrow_variables(pool, worktree, lease);
    set.extend(git_configuration(pool, worktree));
    let mut caches = caches::variables(pool, worktree);
    set.append(&mut caches.set);
    set.sort();
    let mut unset: Vec<_> = pool.environment.variables.iter().map(|(name, _)| name.clone()).collect();
    unset.retain(|name| is_local_to_a_repository(name) && !set.iter().any(|(kept, _)| kept == name));
    unset.append(&mut caches.unset);
    unset.sort();
    unset.dedup();
    EnvironmentChange { set, unset }
}

/// The complete environment of a command that starts in `directory`: the caller's with the change applied.
///
/// `PWD` follows, because many programs believe it without looking: the caller's would lead them into the main checkout.
pub(super) fn complete(
    pool: &Pool,
    change: &EnvironmentChange,
    directory: &Path,
) -> Vec<(OsString, OsString)> {
    let replaced = |name: &OsString| {
        name == "PWD"
            || name == "OLDPWD"
            || change.unset.contains(name)
            || change.set.iter().any(|(new, _)| new == name)
    };
    let inherited = pool.environment.variables.iter().filter(|(name, _)| !replaced(name)).cloned();
    let here = ("PWD".into(), directory.as_os_str().to_owned());
    inherited.chain(change.set.iter().cloned()).chain([here]).collect()
}

fn windrow_variables(
    pool: &Pool,
    worktree: &WorktreeRecord,
    lease: &LeaseRecord,
) -> Vec<(OsString, OsString)> {
    let mut set: Vec<(OsString, OsString)> = Vec::new();
    let mut put = |name: &str, value: &OsStr| set.push((name.into(), value.to_owned()));
    put("WINDROW_LEASE", lease.id.to_string().as_ref());
    put("WINDROW_FENCE", lease.fence.to_string().as_ref());
    put("WINDROW_NAME", worktree.name.as_str().as_ref());
    put("WINDROW_PATH", worktree.path.as_os_str());
    put("WINDROW_BASE", worktree.base.to_string().as_ref());
    put("WINDROW_REPO", pool.repository().common_dir.as_os_str());
    put("WINDROW_MAIN_WORKTREE", pool.root().as_os_str());
    put("WINDROW_BRANCH", worktree.checkout.branch().map_or("", |branch| branch.as_str()).as_ref());
    put("WINDROW_KEY", lease.key.as_ref().map_or("", |key| key.as_str()).as_ref());
    set
}

/// Configuration at the level of the environment, which no file of the user's or the repository's is touched for.
///
/// What the user configured at that level stays, but for the keys that are ours.
fn git_configuration(pool: &Pool, worktree: &WorktreeRecord) -> Vec<(OsString, OsString)> {
    let mut ours: Vec<(OsString, OsString)> =
        vec![("gc.auto".into(), "0".into()), ("maintenance.auto".into(), "false".into())];
    let excludes = pool.excludes_path(&worktree.id);
    if excludes.exists() {
        ours.push(("core.excludesFile".into(), excludes.into_os_string()));
    }
    let mut entries = inherited_configuration(pool);
    entries.retain(|(key, _)| !ours.iter().any(|(own, _)| own.eq_ignore_ascii_case(key)));
    entries.append(&mut ours);
    let mut set = vec![("GIT_CONFIG_COUNT".into(), entries.len().to_string().into())];
    for (number, (key, value)) in entries.into_iter().enumerate() {
        set.push((format!("GIT_CONFIG_KEY_{number}").into(), key));
        set.push((format!("GIT_CONFIG_VALUE_{number}").into(), value));
    }
    set
}

fn inherited_configuration(pool: &Pool) -> Vec<(OsString, OsString)> {
    let variable = |name: String| pool.environment.variable(&name).map(OsStr::to_owned);
    let count = variable("GIT_CONFIG_COUNT".to_owned()).and_then(|text| text.to_str()?.parse::<usize>().ok());
    let entry = |number| {
        Some((variable(format!("GIT_CONFIG_KEY_{number}"))?, variable(format!("GIT_CONFIG_VALUE_{number}"))?))
    };
    (0..count.unwrap_or(0).min(1_000)).filter_map(entry).collect()
}

fn is_local_to_a_repository(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    git::LOCAL_VARIABLES.contains(&text.as_ref())
        || text.starts_with("GIT_CONFIG_KEY_")
        || text.starts_with("GIT_CONFIG_VALUE_")
        || (text.starts_with("WINDROW_") && WINDROW_OWN.contains(&text.as_ref()))
}

/// What a worktree around us may have set and must not leak into another.
const WINDROW_OWN: [&str; 9] = [
    "WINDROW_LEASE",
    "WINDROW_FENCE",
    "WINDROW_NAME",
    "WINDROW_PATH",
    "WINDROW_BASE",
    "WINDROW_REPO",
    "WINDROW_MAIN_WORKTREE",
    "WINDROW_BRANCH",
    "WINDROW_KEY",
];
