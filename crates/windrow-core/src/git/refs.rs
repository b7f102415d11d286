//! Reading refs and changing several of them in one transaction.

use bstr::{BString, ByteSlice};
use windrow_model::Oid;

use super::{
    command::{Call, Git, GitError},
    ref_locks::Note,
    repository::{RefFormat, Repository},
};

/// What a ref must be before it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It must not exist.
    Absent,
    /// It must be exactly this.
    Is(Oid),
    /// It may be anything.
    Any,
}

impl RefError {
    /// Tells whether a ref that was to be made is there already, or others below it; then another last part may do.
    #[must_use]
    pub fn name_taken(&self) -> bool {
        match self {
            Self::Conflict { expected, .. } => *expected == Expect::Absent,
            Self::Blocked { name, blocker } => blocker.starts_with(name.as_bytes()),
            Self::Git(_) => false,
        }
    }

    /// Tells whether a ref that was to be somewhere is somewhere else by now, or gone.
    #[must_use]
    pub fn moved(&self) -> bool {
        matches!(self, Self::Conflict { expected: Expect::Is(_), .. })
    }
}

/// One change of a transaction. A change to what is expected already only verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// The full name, `refs/…`.
    pub name: String,
    /// What it becomes; `None` deletes it.
    pub new: Option<Oid>,
    /// What it must be before.
    pub old: Expect,
}

/// Why a transaction changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// A ref is not what was expected.
    #[error("`{name}` is not what was expected: it is {}", found.map_or("absent".to_owned(), |oid| format!("at {oid}")))]
    Conflict {
        /// The ref.
        name: String,
        /// What was expected.
        expected: Expect,
        /// What it is.
        found: Option<Oid>,
    },
    /// A ref has a name that is a directory in the name of the other.
    #[error("`{name}` cannot be created while `{blocker}` exists")]
    Blocked {
        /// The ref that was to be created.
        name: String,
        /// The ref in the way.
        blocker: BString,
    },
    /// Git refused for another reason.
    #[error("cannot change refs")]
    Git(
        #[from]
        #[source]
        GitError,
    ),
}

/// Makes all changes, or none, in one `update-ref` transaction; symbolic refs are changed themselves.
///
/// `message` goes into the reflog of each ref, which is made when there is none. The caller holds the repository lock.
///
/// # Errors
/// A ref is not what was expected, the name of one blocks another, or git refuses.
pub fn update_refs(
    git: &Git,
    repo: &Repository,
    changes: &[RefChange],
    message: &str,
) -> Result<(), RefError> {
    if changes.is_empty() {
        return Ok(());
    }
    let input = changes.iter().flat_map(|change| instruction(change, repo)).collect();
    let call = repo
        .call(git, "update-ref")
        .args(["--no-deref", "--create-reflog", "-m", message, "--stdin", "-z"])
        .own_identity()
        .input(input);
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    run_noted(repo, &names, call)
        .or_else(|error| Err(explain(git, repo, changes)?.unwrap_or(RefError::Git(error))))
}

/// Moves a ref that is about to be deleted from a file of its own into `packed-refs`, which changes by one rename.
///
/// A git that lists refs, in `fetch` for instance, takes one for broken and fails when its file goes between the reading of the
/// directory and of the file. The deletion itself should come as much later as a listing takes. Reftables need nothing.
///
/// *Source*: git-pack-refs(1), `--include` since 2.42; `GIT_REF_PARANOIA` in git(1), on since 2.34.
///
/// # Errors
/// Git refuses, or is older than 2.42; the ref is as it was then.
pub fn pack_ref(git: &Git, repo: &Repository, name: &str) -> Result<(), GitError> {
    let has_file = || repo.common_dir.join(name).symlink_metadata().is_ok();
    match repo.ref_format {
        RefFormat::Files if has_file() => {
            run_noted(repo, &[name], repo.call(git, "pack-refs").args(["--include", name]))
        }
        RefFormat::Files | RefFormat::Reftable => Ok(()),
    }
}

/// Runs a change with a note of it, which stays when git was killed or locks are left.
fn run_noted(repo: &Repository, names: &[&str], call: Call<'_>) -> Result<(), GitError> {
    let note = Note::begin(repo, names);
    let held = note.as_ref().and_then(|note| note.held_by().ok());
    let call = held.map_or(call.clone(), |held| call.output_to(held));
    let output = call.output();
    let killed = output.as_ref().is_ok_and(|output| output.status.is_none());
    if let Some(note) = note.filter(|note| !killed && !note.finds_locks(repo, names)) {
        note.done();
    }
    let output = output?;
    if output.status == Some(0) { Ok(()) } else { Err(call.failure(output)) }
}

/// The message of the oldest entry in a ref's reflog; `None` when there is no such ref or it has no reflog.
///
/// # Errors
/// Git cannot be asked.
pub fn first_reflog_message(git: &Git, repo: &Repository, name: &str) -> Result<Option<BString>, GitError> {
    Ok(reflog_messages(git, repo, name)?.lines().next_back().map(BString::from))
}

/// The message of the newest entry in a ref's reflog; `None` when there is no such ref or it has no reflog.
///
/// # Errors
/// Git cannot be asked.
pub fn last_reflog_message(git: &Git, repo: &Repository, name: &str) -> Result<Option<BString>, GitError> {
    Ok(reflog_messages(git, repo, name)?.lines().next().map(BString::from))
}

/// Newest first.
fn reflog_messages(git: &Git, repo: &Repository, name: &str) -> Result<Vec<u8>, GitError> {
    let call =
        repo.call(git, "log").args(["--walk-reflogs", "--no-show-signature", "--format=%gs", name, "--"]);
    Ok(call.ask()?.unwrap_or_default())
}

/// What a ref points to; `None` when there is no such ref.
///
/// That there is none is asked twice, in two ways: a listing passes over a directory that it cannot open, without a word.
///
/// # Errors
/// Git cannot be asked.
pub fn read_ref(git: &Git, repo: &Repository, name: &str) -> Result<Option<Oid>, GitError> {
    let listed = list_refs(git, repo, name)?;
    match listed.into_iter().find(|(found, _)| found == name) {
        Some((_, oid)) => Ok(Some(oid)),
        None => read_exactly(git, repo, name),
    }
}

/// *Source*: git-show-ref(1), `--verify`: an exact name, and a status that is not 0 when there is no such ref.
fn read_exactly(git: &Git, repo: &Repository, name: &str) -> Result<Option<Oid>, GitError> {
    let call = repo.call(git, "show-ref").args(["--verify", "--hash", "--"]).arg(name);
    let output = call.output()?;
    if output.status == Some(0) { text_oid(&call, &output.stdout).map(Some) } else { Ok(None) }
}

/// The ref that a branch follows; `None` when it follows none. It need not be there.
///
/// # Errors
/// Git cannot be asked.
pub fn upstream_of(git: &Git, repo: &Repository, branch: &str) -> Result<Option<String>, GitError> {
    let call = repo.call(git, "for-each-ref").args(["--format=%(refname) %(upstream)", "--"]).arg(branch);
    let stdout = call.run()?;
    let line = stdout.lines().find_map(|line| line.strip_prefix(branch.as_bytes())?.strip_prefix(b" "));
    Ok(line.filter(|name| !name.is_empty()).map(|name| name.to_str_lossy().into_owned()))
}

/// The refs whose name is `prefix` or begins with `prefix` and a slash, sorted by name.
///
/// # Errors
/// Git cannot be asked.
pub fn list_refs(git: &Git, repo: &Repository, prefix: &str) -> Result<Vec<(BString, Oid)>, GitError> {
    let call = repo.call(git, "for-each-ref").args(["--format=%(objectname) %(refname)", "--"]).arg(prefix);
    let stdout = call.run()?;
    stdout.lines().map(|line| ref_line(&call, line)).collect()
}

fn ref_line(call: &Call<'_>, line: &[u8]) -> Result<(BString, Oid), GitError> {
    let (oid, name) = line.split_once_str(" ").ok_or_else(|| call.strange("no name"))?;
    Ok((BString::from(name), text_oid(call, oid)?))
}

/// Reads an object name from a line that git printed.
pub(super) fn text_oid(call: &Call<'_>, text: &[u8]) -> Result<Oid, GitError> {
    let text = text.trim_end().to_str_lossy();
    text.parse().map_err(|_| call.strange(&format!("`{text}` is no object name")))
}

/// One instruction in the form of `update-ref --stdin -z`, where zeros stand for "absent" and nothing for "anything".
fn instruction(change: &RefChange, repo: &Repository) -> Vec<u8> {
    let zeros = "0".repeat(2 * repo.object_format.digest_bytes());
    let old = match change.old {
        Expect::Absent => zeros.clone(),
        Expect::Is(oid) => oid.to_string(),
        Expect::Any => String::new(),
    };
    let name = &change.name;
    match (change.new, change.old) {
        (Some(new), _) => format!("update {name}\0{new}\0{old}\0"),
        (None, Expect::Absent) => format!("verify {name}\0{zeros}\0"),
        (None, _) => format!("delete {name}\0{old}\0"),
    }
    .into_bytes()
}

/// Finds out by looking, not by what git said, why a transaction failed.
fn explain(git: &Git, repo: &Repository, changes: &[RefChange]) -> Result<Option<RefError>, RefError> {
    for change in changes {
        let found = read_ref(git, repo, &change.name)?;
        if let Some(blocker) = blocker(git, repo, change)? {
            return Ok(Some(RefError::Blocked { name: change.name.clone(), blocker }));
        }
        let as_expected = match change.old {
            Expect::Absent => found.is_none(),
            Expect::Is(oid) => found == Some(oid),
            Expect::Any => true,
        };
        if !as_expected {
            let (name, expected) = (change.name.clone(), change.old);
            return Ok(Some(RefError::Conflict { name, expected, found }));
        }
    }
    Ok(None)
}

fn blocker(git: &Git, repo: &Repository, change: &RefChange) -> Result<Option<BString>, GitError> {
    if change.new.is_none() {
        return Ok(None);
    }
    let below = list_refs(git, repo, &change.name)?.into_iter().map(|(name, _)| name);
    if let Some(name) = below.into_iter().find(|name| *name != change.name.as_str()) {
        return Ok(Some(name));
    }
    for (at, _) in change.name.match_indices('/').skip(1) {
        let above = &change.name[..at];
        if read_ref(git, repo, above)?.is_some() {
            return Ok(Some(above.into()));
        }
    }
    Ok(None)
}
