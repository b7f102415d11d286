//! The administrative directory of a worktree: built aside and published by one rename.
//!
//! # Locking
//! Publishing and retiring belong under the lock of the common directory; preparing does not.
//!
//! # Crash safety
//! Until it is published the directory is `<common>/windrow/new-…`, which git does not know; a crash leaves nothing else.
//! It is published locked, so that no `git worktree prune` takes it while the worktree is being filled.
//!
//! # Compatibility
//! The files are those that git 2.40 to 2.52 write. *Source*: gitrepository-layout(5), git-worktree(1).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::{BString, ByteSlice};
use rustix::{
    fs::{CWD, OFlags, RenameFlags, renameat_with},
    io::Errno,
};
use windrow_model::{BranchName, Oid};

use super::{
    command::{Git, GitError},
    config::Sparse,
    facts::read_plain,
    repository::{RefFormat, Repository},
};

/// The file that holds the token by which a directory is known to be ours.
pub const IDENTITY_FILE: &str = "windrow-id";

/// The file that tells a worktree of somebody else's, which is in our care, from those that we made.
pub(super) const ADOPTED_FILE: &str = "windrow-adopted";

/// What HEAD of a new worktree is.
#[derive(Debug, Clone, Copy)]
pub enum AdminHead<'a> {
    /// On a branch, which should exist when the directory is published.
    Branch(&'a BranchName),
    /// At the commit itself.
    Detached,
}

/// A worktree to be registered.
#[derive(Debug, Clone, Copy)]
pub struct AdminRequest<'a> {
    /// The name wanted below `worktrees/`.
    pub id: &'a str,
    /// A short text that no other request has; added to the name when that is taken.
    pub unique: &'a str,
    /// The root of the worktree, absolute.
    pub worktree: &'a Path,
    /// The commit to be checked out.
    pub commit: Oid,
    /// What HEAD is.
    pub head: AdminHead<'a>,
    /// Why it is locked against pruning, one line.
    pub lock_reason: &'a str,
    /// The token that proves the directory ours.
    pub identity_token: &'a str,
    /// The sparse checkout to take over.
    pub sparse: Option<&'a Sparse>,
    /// Seconds since 1970, for the reflog.
    pub now_seconds: i64,
}

/// Why a worktree was not registered or not removed from the registry.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Both names are taken.
    #[error("`{}` is already registered", .0.display())]
    Taken(PathBuf),
    /// A file system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git could not write the table of refs.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// An administrative directory that git does not know yet; dropping it removes it.
#[derive(Debug)]
pub struct PreparedAdmin {
    built: PathBuf,
    state: Prepared,
    registry: PathBuf,
    names: [String; 2],
}

#[derive(Debug, PartialEq, Eq)]
enum Prepared {
    Aside,
    Published,
}

/// Builds the administrative directory of a worktree aside, at the same depth as its final place.
///
/// # Errors
/// A file cannot be written, or git cannot write its table of refs. Nothing is left behind.
pub fn prepare(git: &Git, repo: &Repository, req: &AdminRequest<'_>) -> Result<PreparedAdmin, AdminError> {
    let home = repo.windrow_dir();
    private_directory(&home)?;
    let built = home.join(format!("new-{}", req.unique));
    fs::create_dir(&built).map_err(|source| AdminError::Io { path: built.clone(), source })?;
    let prepared = PreparedAdmin {
        built: built.clone(),
        state: Prepared::Aside,
        registry: repo.common_dir.join("worktrees"),
        names: [req.id.to_owned(), format!("{}-{}", req.id, req.unique)],
    };
    write_common_files(&built, req)?;
    match repo.ref_format {
        RefFormat::Files => write_head_files(git, repo, &built, req)?,
        RefFormat::Reftable => write_head_table(git, repo, &built, req)?,
    }
    Ok(prepared)
}

impl PreparedAdmin {
    /// Makes the directory known to git by one rename and returns its place.
    ///
    /// # Errors
    /// Both names are taken, or the file system refuses; the prepared directory is then removed.
    pub fn publish(mut self) -> Result<PathBuf, AdminError> {
        let failed = |path: &Path, source| AdminError::Io { path: path.to_owned(), source };
        match fs::create_dir(&self.registry) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(&self.registry, error));
            }
            _ => {}
        }
        for name in &self.names {
            let target = self.registry.join(name);
            match rename_new(&self.built, &target) {
                Ok(()) => {
                    self.state = Prepared::Published;
                    return Ok(target);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&target, error)),
            }
        }
        Err(AdminError::Taken(self.registry.join(&self.names[1])))
    }

    /// Moves an index in, of files that are there already.
    ///
    /// # Errors
    /// The file system refuses; the index then is where it was.
    pub fn take_index(&self, index: &Path) -> Result<(), AdminError> {
        let to = self.built.join("index");
        fs::rename(index, &to).map_err(|source| AdminError::Io { path: to, source })
    }

    /// Removes what was prepared.
    pub fn discard(self) {}
}

impl Drop for PreparedAdmin {
    fn drop(&mut self) {
        if self.state == Prepared::Aside {
            // What stays behind is a directory that git does not know; `sweep_leftovers` takes it.
            let _ = fs::remove_dir_all(&self.built);
        }
    }
}

/// Removes what crashed processes left in Windrow's directory, prepared or temporary, if it is older than `before`.
///
/// Whoever prepares or snapshots meanwhile must not be that old: the age tells what is left over.
///
/// # Errors
/// The directory cannot be read, or something in it cannot be removed.
pub fn sweep_leftovers(repo: &Repository, before: SystemTime) -> io::Result<u64> {
    let entries = match fs::read_dir(repo.windrow_dir()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let ours = [&b"new-"[..], b"tmp-"].iter().any(|prefix| name.as_bytes().starts_with(prefix));
        let facts = entry.metadata()?;
        if ours && facts.is_dir() && facts.modified()? < before {
            fs::remove_dir_all(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Writes the `.git` file by which a worktree finds its administrative directory; never replaces or follows anything.
///
/// # Errors
/// Something is there already, or the file system refuses.
pub fn write_dot_git(worktree: &Path, admin: &Path) -> io::Result<()> {
    write_new(&worktree.join(".git"), &dot_git_text(admin))
}

/// What the `.git` file of a worktree says whose administrative directory is `admin`.
#[must_use]
pub fn dot_git_text(admin: &Path) -> Vec<u8> {
    [b"gitdir: ", admin.as_os_str().as_bytes(), b"\n"].concat()
}

/// Hides a registered worktree from every git that looks from now on, before its directory is taken out of the registry.
///
/// A git that is listing worktrees reads `gitdir` first and passes over a directory without one; but it dies when the
/// directory vanishes after that. So the file goes first, and the directory when those who had read it are through. The lock
/// in it keeps `git worktree prune` away meanwhile. *Source*: `get_linked_worktree` in git's worktree.c.
///
/// # Errors
/// The file system refuses.
pub fn hide_admin(admin: &Path) -> io::Result<()> {
    match fs::remove_file(admin.join("gitdir")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Locks a registered worktree for `reason` against pruning, unless it is locked already; tells whether it was not.
///
/// # Errors
/// The file system refuses.
pub fn lock_admin(admin: &Path, reason: &str) -> io::Result<bool> {
    match write_new(&admin.join("locked"), format!("{reason}\n").as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        made => made.map(|()| true),
    }
}

/// Undoes [`hide_admin`] for the worktree at `worktree`.
///
/// # Errors
/// The file system refuses.
pub fn show_admin(admin: &Path, worktree: &Path) -> io::Result<()> {
    let mut text = worktree.join(".git").into_os_string().into_vec();
    text.push(b'\n');
    match write_new(&admin.join("gitdir"), &text) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes an administrative directory out of the registry by one rename to `to`, and removes the registry when it is empty.
///
/// # Errors
/// `to` exists, is on another file system, or the file system refuses.
pub fn retire_admin(admin: &Path, to: &Path) -> io::Result<()> {
    rename_new(admin, to)?;
    if let Some(registry) = admin.parent() {
        // Fails while another worktree is registered, as it should.
        let _ = fs::remove_dir(registry);
    }
    Ok(())
}

/// Renames, refusing to replace. Where the kernel cannot refuse, the caller's lock makes the look-up before it enough.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if to.symlink_metadata().is_err() => {
            fs::rename(from, to)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(Errno::EXIST.into()),
        other => Ok(other?),
    }
}

/// Makes a directory that only its owner can enter, unless it is there.
pub(super) fn private_directory(path: &Path) -> Result<(), AdminError> {
    let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(|source| AdminError::Io { path: path.to_owned(), source })
}

pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file: File = OpenOptions::new().write(true).create_new(true).custom_flags(nofollow).open(path)?;
    file.write_all(bytes)?;
    begin_writing_out(&file);
    Ok(())
}

/// Has the kernel begin to write a file out, without waiting: its name may be on the disk with the next transaction of the
/// file system, and a power cut would leave an empty file of that name. A hint; who needs a promise syncs.
///
/// *Source*: posix_fadvise(2); Linux writes dirty pages out before it drops them.
#[cfg(target_os = "linux")]
pub(super) fn begin_writing_out(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// Other systems do not write out what they are told to drop.
#[cfg(not(target_os = "linux"))]
pub(super) fn begin_writing_out(_file: &File) {}

fn put(admin: &Path, name: &str, bytes: &[u8]) -> Result<(), AdminError> {
    let path = admin.join(name);
    write_new(&path, bytes).map_err(|source| AdminError::Io { path, source })
}

fn make(path: PathBuf) -> Result<(), AdminError> {
    fs::create_dir_all(&path).map_err(|source| AdminError::Io { path, source })
}

fn write_common_files(built: &Path, req: &AdminRequest<'_>) -> Result<(), AdminError> {
    let dot_git = req.worktree.join(".git");
    put(built, "commondir", b"../..\n")?;
    put(built, "gitdir", &[dot_git.as_os_str().as_bytes(), b"\n"].concat())?;
    put(built, "locked", format!("{}\n", req.lock_reason).as_bytes())?;
    put(built, IDENTITY_FILE, format!("{}\n", req.identity_token).as_bytes())?;
    req.sparse.map_or(Ok(()), |sparse| write_sparse(built, sparse))
}

/// Only the three settings that make a checkout sparse are taken over, not the whole of the main `config.worktree`.
fn write_sparse(built: &Path, sparse: &Sparse) -> Result<(), AdminError> {
    let failed = |source| AdminError::Io { path: sparse.patterns.clone(), source };
    let Some(patterns) = read_plain(&sparse.patterns).map_err(failed)? else { return Ok(()) };
    make(built.join("info"))?;
    put(built, "info/sparse-checkout", &patterns)?;
    if sparse.shared {
        return Ok(());
    }
    put(built, "config.worktree", sparse_config(sparse).as_bytes())
}

/// The whole `config.worktree` of a worktree that we made sparse.
pub(super) fn sparse_config(sparse: &Sparse) -> String {
    format!("[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = {}\n", sparse.cone)
}

fn write_head_files(
    git: &Git,
    repo: &Repository,
    built: &Path,
    req: &AdminRequest<'_>,
) -> Result<(), AdminError> {
    let commit = req.commit;
    let head = match req.head {
        AdminHead::Branch(branch) => format!("ref: {}\n", branch.full()),
        AdminHead::Detached => format!("{commit}\n"),
    };
    put(built, "HEAD", head.as_bytes())?;
    make(built.join("refs"))?;
    make(built.join("logs"))?;
    let mut line = format!("{} {commit} ", commit.null_like()).into_bytes();
    line.extend(reflog_identity(git, repo));
    line.extend(format!(" {} +0000\n", req.now_seconds).into_bytes());
    put(built, "logs/HEAD", &line)
}

/// The name for the reflog: the user's, or else Windrow's own.
fn reflog_identity(git: &Git, repo: &Repository) -> Vec<u8> {
    let value = |variable: &str, key: &str| {
        let given = git.variable(variable).map(|value| BString::from(value.as_bytes()));
        given.or_else(|| repo.config.get(key).cloned())
    };
    let (name, mail) =
        match (value("GIT_COMMITTER_NAME", "user.name"), value("GIT_COMMITTER_EMAIL", "user.email")) {
            (Some(name), Some(mail)) => (name, mail),
            _ => ("Windrow".into(), "windrow@localhost".into()),
        };
    let clean = |text: BString| text.replace("\n", "").replace("<", "").replace(">", "");
    [clean(name), b" <".to_vec(), clean(mail), b">".to_vec()].concat()
}

/// Lays out the stubs of git-worktree(1) on reftable and lets git itself write the table.
fn write_head_table(
    git: &Git,
    repo: &Repository,
    built: &Path,
    req: &AdminRequest<'_>,
) -> Result<(), AdminError> {
    put(built, "HEAD", b"ref: refs/heads/.invalid\n")?;
    make(built.join("refs"))?;
    put(built, "refs/heads", b"this repository uses the reftable format\n")?;
    make(built.join("reftable"))?;
    put(built, "reftable/tables.list", b"")?;
    let call = |verb| git.call(verb).repository(built, &repo.common_dir).own_identity();
    match req.head {
        AdminHead::Branch(branch) => call("symbolic-ref").args(["HEAD", &branch.full()]).run()?,
        AdminHead::Detached => {
            call("update-ref").args(["--no-deref", "HEAD", &req.commit.to_string()]).run()?
        }
    };
    Ok(())
}
