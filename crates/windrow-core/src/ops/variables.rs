//! The environment of commands in a worktree.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use windrow_model::{LeaseRecord, PortBlock, WorktreeRecord};

use super::{caches, error::StateError, outcome::EnvironmentChange, pool::Pool, scratch};
use crate::{git, store::Records};

/// What has to be set and unset for a command that works in `worktree`.
///
/// Variables that tie git to another repository go; git's automatic clean-up is off, because one agent's must not pull objects
/// from under another; carried files that are not ignored are hidden from `git add -A` by an excludes file. Of build tools see
/// [`caches`].
///
/// The worktree's own temporary directory and its directory of markers are made, if they are not there.
pub(super) fn change(
    pool: &Pool,
    records: &Records,
    worktree: &WorktreeRecord,
    lease: &LeaseRecord,
) -> Result<EnvironmentChange, StateError> {
    let scratch = scratch::prepare(pool, &worktree.id)?;
    let ports = records.ports_of(worktree.id)?;
    let mut set = windrow_variables(pool, worktree, lease);
    set.push(("TMPDIR".into(), scratch.temporary.into_os_string()));
    set.push(("WINDROW_MARKERS".into(), scratch.markers.into_os_string()));
    set.extend(port_variables(ports));
    let mut caches = caches::variables(pool, worktree);
    set.append(&mut caches.set);
    // What the user says counts more than what we do.
    let configured = configured_variables(pool, worktree, ports);
    set.retain(|(name, _)| !configured.iter().any(|(own, _)| own == name));
    set.extend(configured);
    set.extend(git_configuration(pool, worktree));
    set.sort();
    let mut unset: Vec<_> = pool.environment.variables.iter().map(|(name, _)| name.clone()).collect();
    unset.retain(|name| is_local_to_a_repository(name) && !set.iter().any(|(kept, _)| kept == name));
    unset.append(&mut caches.unset);
    unset.sort();
    unset.dedup();
    Ok(EnvironmentChange { set, unset })
}

/// `WINDROW_PORT`, `WINDROW_PORT_1` and so on.
fn port_variables(ports: Option<PortBlock>) -> Vec<(OsString, OsString)> {
    let numbered = ports.into_iter().flat_map(PortBlock::ports).enumerate();
    let variable = |(number, port): (usize, u16)| {
        let name = if number == 0 { "WINDROW_PORT".to_owned() } else { format!("WINDROW_PORT_{number}") };
        (name.into(), port.to_string().into())
    };
    numbered.map(variable).collect()
}

/// What `[env]` of the configuration sets.
fn configured_variables(
    pool: &Pool,
    worktree: &WorktreeRecord,
    ports: Option<PortBlock>,
) -> Vec<(OsString, OsString)> {
    let value = |name: &str| {
        let path = |path: &Path| Some(path.as_os_str().as_bytes().to_vec());
        match name {
            "name" => Some(worktree.name.as_str().as_bytes().to_vec()),
            "slug" => Some(worktree.name.as_str().replace('-', "_").into_bytes()),
            "repo" | "main" => path(pool.root()),
            "worktree" => path(&worktree.path),
            "state" => path(pool.state_dir()),
            port => port_named(port, ports).map(|port| port.to_string().into_bytes()),
        }
    };
    let filled = |(name, template): (&String, &String)| {
        let filled = windrow_model::fill_worktree_template(template.as_bytes(), value);
        (name.into(), OsString::from_vec(filled))
    };
    pool.settings().env.iter().map(filled).collect()
}

/// The port behind `port` or `port_1`; none where the worktree has not so many.
fn port_named(name: &str, ports: Option<PortBlock>) -> Option<u16> {
    let number = match name.strip_prefix("port")? {
        "" => 0,
        numbered => numbered.strip_prefix('_')?.parse().ok()?,
    };
    ports?.ports().nth(number)
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
