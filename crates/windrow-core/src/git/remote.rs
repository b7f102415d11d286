//! Talking to a remote: what it has, fetching a commit, pushing one.
//!
//! Every call ends within a time, and asks nobody for anything: there may be nobody.
//!
//! # Security
//! The remote's address is in the shared configuration, which is the user's. What a remote says is shown, never believed.
//!
//! # Crash safety
//! A push happened or not, whether its answer was heard or not; who pushes asks first what the remote has.

use std::{path::Path, time::Duration};

use bstr::{BString, ByteSlice};
use windrow_model::Oid;

use super::{
    command::{Call, Git, GitError},
    refs::text_oid,
    repository::Repository,
    tree::{ObjectError, Objects},
};

/// Fewer bytes than this in a second, for so many seconds, and a connection by HTTP has failed.
const SLOW: [&str; 2] = ["http.lowSpeedLimit=1000", "http.lowSpeedTime=30"];

/// A remote, and how it is talked to.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// Its name, or its address.
    pub name: &'a str,
    /// How long one call may take.
    pub limit: Duration,
}

/// Whether the user's hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PushHooks {
    /// They do not.
    #[default]
    Skip,
    /// `pre-push` does, as for the user's own git in the main worktree.
    Run,
}

/// One ref to be pushed.
#[derive(Debug, Clone, Copy)]
pub struct PushRequest<'a> {
    /// What it becomes.
    pub commit: &'a Oid,
    /// Its full name at the remote.
    pub to: &'a str,
    /// What it has to be there; `None` is absent.
    pub expected: Option<&'a Oid>,
    /// Whether hooks run.
    pub hooks: PushHooks,
}

/// What the remote answered to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAnswer {
    /// Whether it took the commit.
    pub taken: bool,
    /// Why not, in its own words or git's, for people.
    pub reason: String,
    /// Everything it said, for people.
    pub said: String,
}

/// Tells where a ref is at the remote; `None` when it is not there.
///
/// # Errors
/// The remote cannot be reached in time, or says something else than its refs.
pub fn remote_ref(
    git: &Git,
    repo: &Repository,
    remote: Remote<'_>,
    name: &str,
) -> Result<Option<Oid>, GitError> {
    let call = call(git, repo, remote, "ls-remote").args(["--", remote.name, name]);
    let stdout = call.run()?;
    let named = |line: &&[u8]| line.split_once_str("\t").is_some_and(|(_, found)| found == name.as_bytes());
    let line = stdout.lines().find(|line| named(line));
    line.map(|line| text_oid(&call, line.split_str("\t").next().unwrap_or_default())).transpose()
}

/// Fetches what a ref of the remote reaches. No ref of ours changes.
///
/// *Source*: git-fetch(1), `--no-write-fetch-head` since 2.29, `--refmap`.
///
/// # Errors
/// The remote cannot be reached in time, or has no such ref.
pub fn fetch_objects(git: &Git, repo: &Repository, remote: Remote<'_>, name: &str) -> Result<(), GitError> {
    let quiet = ["--quiet", "--no-write-fetch-head", "--no-tags", "--no-recurse-submodules", "--refmap="];
    call(git, repo, remote, "fetch").args(quiet).args(["--", remote.name, name]).run().map(drop)
}

/// Tells whether a commit is here, with nothing fetched for it.
///
/// # Errors
/// Git fails otherwise.
pub fn has_commit(git: &Git, repo: &Repository, commit: &Oid) -> Result<bool, GitError> {
    let call = repo.call(git, "cat-file").offline().args(["-e".to_owned(), format!("{commit}^{{commit}}")]);
    Ok(call.output()?.status == Some(0))
}

/// Pushes one ref if it is at the remote what is expected.
///
/// *Source*: git-push(1): `--force-with-lease` with the value named; without it a fetch in the background makes it void.
///
/// # Errors
/// The remote did not answer in time, or nothing that can be read: whether it took the commit is not known then.
pub fn push(
    git: &Git,
    repo: &Repository,
    remote: Remote<'_>,
    request: &PushRequest<'_>,
) -> Result<PushAnswer, GitError> {
    let expected = request.expected.map(Oid::to_string).unwrap_or_default();
    let call = call(git, repo, remote, "push");
    let call = match request.hooks {
        PushHooks::Run => call.with_hooks(),
        PushHooks::Skip => call,
    };
    let call = call
        .args(["--porcelain", "--atomic", "--no-follow-tags", "--recurse-submodules=no"])
        .arg(format!("--force-with-lease={}:{expected}", request.to))
        .args(["--", remote.name, &format!("{}:{}", request.commit, request.to)]);
    let output = call.output()?;
    if !matches!(output.status, Some(0 | 1)) {
        return Err(call.failure(output));
    }
    let reason = refusal(&output.stdout).unwrap_or_default();
    Ok(PushAnswer { taken: output.status == Some(0), reason, said: output.stderr })
}

/// The line of a ref that was not taken: a flag, both names, and why.
fn refusal(stdout: &[u8]) -> Option<String> {
    let line = stdout.lines().find(|line| line.starts_with(b"!\t"))?;
    let why = line.splitn(3, |&byte| byte == b'\t').nth(2)?;
    Some(why.to_str_lossy().into_owned())
}

fn call<'g>(git: &'g Git, repo: &Repository, remote: Remote<'_>, verb: &str) -> Call<'g> {
    let call =
        repo.call(git, verb).within(remote.limit).env("GIT_ASKPASS", "false").env("SSH_ASKPASS", "false");
    let call = SLOW.iter().fold(call, |call, setting| call.config(setting));
    let call = match ssh(git, repo) {
        Some(command) => call.env("GIT_SSH_COMMAND", super::os(&command)),
        None => call,
    };
    // A relative address is one of the main worktree.
    call.cwd(repo.main_worktree.as_deref().unwrap_or(&repo.common_dir))
}

/// The user's command for ssh, told to ask nothing; `None` where it is not known to be OpenSSH's.
fn ssh(git: &Git, repo: &Repository) -> Option<BString> {
    let variable = |name: &str| git.variable(name).map(|value| BString::from(value.as_encoded_bytes()));
    let variant = variable("GIT_SSH_VARIANT").or_else(|| repo.config.get("ssh.variant").cloned());
    if variant.is_some_and(|variant| !["ssh", "auto"].contains(&&*variant.to_str_lossy())) {
        return None;
    }
    let named = variable("GIT_SSH_COMMAND").or_else(|| repo.config.get("core.sshcommand").cloned());
    let named = named.or_else(|| variable("GIT_SSH").is_none().then(|| "ssh".into()))?;
    let program = named
        .fields()
        .next()?
        .rsplit_once_str("/")
        .map_or_else(|| named.fields().next().unwrap_or_default(), |(_, name)| name);
    (program == b"ssh").then(|| {
        [named.as_slice(), b" -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15"]
            .concat()
            .into()
    })
}

/// Tells whether files of a commit are kept by Git LFS, which uploads them from a hook.
///
/// # Errors
/// A tree or a file of attributes cannot be read.
pub fn uses_lfs(objects: &Objects, commit: &Oid) -> Result<bool, ObjectError> {
    let named =
        |path: &BString| Path::new(super::os(path)).file_name().is_some_and(|name| name == ".gitattributes");
    let mut reader = objects.open_reader()?;
    for entry in reader.listing(commit)?.entries.iter().filter(|entry| named(&entry.path)) {
        if reader.blob(&entry.oid)?.lines().any(|line| line.fields().any(|word| word == b"filter=lfs")) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_is_read() {
        let stdout = b"To git://x/y\n=\tHEAD:refs/heads/a\t[up to date]\n!\tx:refs/heads/b\t[rejected] (stale info)\nDone\n";
        assert_eq!(refusal(stdout).as_deref(), Some("[rejected] (stale info)"));
        assert_eq!(refusal(b"Done\n"), None);
    }
}
