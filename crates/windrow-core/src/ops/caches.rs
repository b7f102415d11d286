//! Variables by which build tools find their caches: what would make a worktree build into another one's goes, what lets a cache
//! that knows its content serve all of them is set.
//!
//! What the user set for such a cache stays as it is.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use windrow_model::WorktreeRecord;

use super::pool::Pool;

/// Directories of outputs, which belong to one checkout. A relative one is found in each by itself.
const OUTPUTS: [&str; 4] =
    ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "UV_PROJECT_ENVIRONMENT"];

/// Of an environment of Python's, which holds absolute paths and runs the code of the checkout it was made in.
const ENVIRONMENT: &str = "VIRTUAL_ENV";

/// What a figure says of one target directory for all: measured on ripgrep with four agents.
const SHARED: &str = "`seed.shared_target` is on: agents that build at the same time run each other's programs (3 of 4 did), a test \
     that has to fail can pass, and each build waits for the others";

/// What a worktree's commands get and do not get.
#[derive(Debug, Default)]
pub(super) struct CacheVariables {
    /// To set.
    pub(super) set: Vec<(OsString, OsString)>,
    /// To unset.
    pub(super) unset: Vec<OsString>,
    /// What the user should know of it.
    pub(super) notices: Vec<String>,
}

/// Decides about the variables of build tools.
pub(super) fn variables(pool: &Pool, worktree: &WorktreeRecord) -> CacheVariables {
    let mut found = CacheVariables::default();
    for name in OUTPUTS {
        let absolute = pool.environment.variable(name).filter(|value| Path::new(value).is_absolute());
        found.unset.extend(absolute.map(|_| OsString::from(name)));
    }
    leave_environment(pool, &mut found);
    found.notices.extend(
        found.unset.iter().map(|name| {
            format!("`{}` is not passed on: builds would write where others build", name.display())
        }),
    );
    let seed = &pool.settings().seed;
    if let Some(main) = pool.repository().main_worktree.as_deref().filter(|_| seed.shared_target) {
        found.unset.retain(|name| name != "CARGO_TARGET_DIR");
        found.set.push(("CARGO_TARGET_DIR".into(), main.join("target").into()));
        found.notices.push(SHARED.to_owned());
    }
    share(pool, worktree, &mut found);
    found
}

/// Takes an active environment of Python's away, its programs included.
fn leave_environment(pool: &Pool, found: &mut CacheVariables) {
    let Some(environment) = pool.environment.variable(ENVIRONMENT).filter(|value| !value.is_empty()) else {
        return;
    };
    found.unset.push(ENVIRONMENT.into());
    let programs = Path::new(environment).join("bin");
    let Some(path) = pool.environment.variable("PATH") else { return };
    let mut parts: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b':').collect();
    let before = parts.len();
    parts.retain(|part| Path::new(OsStr::from_bytes(part)) != programs);
    if parts.len() < before {
        found.set.push(("PATH".into(), OsString::from_vec(parts.join(&b':'))));
    }
}

/// *Source*: ccache(1), "Compiling in different directories"; sccache's README on incremental compilation; go(1), `-trimpath`.
fn share(pool: &Pool, worktree: &WorktreeRecord, found: &mut CacheVariables) {
    let variable = |name: &str| pool.environment.variable(name);
    // A worktree around us has set its own.
    let around = variable("WINDROW_PATH");
    let mut put = |name: &str, value: &OsStr| {
        let given = pool.environment.variable(name);
        if given.is_none() || given == around {
            found.set.push((name.into(), value.to_owned()));
        }
    };
    put("CCACHE_BASEDIR", worktree.path.as_os_str());
    put("CCACHE_NOHASHDIR", "1".as_ref());
    let wrapper = variable("RUSTC_WRAPPER").or_else(|| variable("CARGO_BUILD_RUSTC_WRAPPER"));
    if wrapper.is_some_and(|wrapper| Path::new(wrapper).file_stem() == Some("sccache".as_ref())) {
        put("CARGO_INCREMENTAL", "0".as_ref());
    }
    if pool.settings().seed.go_trimpath {
        let mut flags = variable("GOFLAGS").unwrap_or_default().to_owned();
        if !flags.as_bytes().split(|byte| *byte == b' ').any(|flag| flag == b"-trimpath") {
            flags.push(if flags.is_empty() { "-trimpath" } else { " -trimpath" });
            found.set.push(("GOFLAGS".into(), flags));
        }
    }
}
