//! Reading what an agent may have written: raw, without git, and through no symbolic link.

use std::{
    ffi::OsStr,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::{fs::OFlags, io::Errno};
use windrow_model::{ProofSeen, WorktreeId};

use super::admin::{ADOPTED_FILE, IDENTITY_FILE};

/// What an administrative directory says, read raw: whoever works in the worktree can have written all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdminFacts {
    /// The `.git` file it claims to belong to.
    pub gitdir: Option<PathBuf>,
    /// The common directory it names, as written.
    pub commondir: Option<PathBuf>,
    /// Our identity token.
    pub identity_token: Option<BString>,
    /// Whether somebody else made the worktree and we only took it into our care.
    pub adopted: bool,
    /// Why it is locked; `None` when it is not.
    pub locked: Option<BString>,
    /// The text of HEAD.
    pub head: Option<BString>,
    /// The whole of `config.worktree`, which git never gets to read from us.
    pub config_worktree: Option<BString>,
}

impl AdminFacts {
    /// The worktree that our identity token names; `None` without one that can be read.
    #[must_use]
    pub fn worktree_id(&self) -> Option<WorktreeId> {
        std::str::from_utf8(self.identity_token.as_ref()?).ok()?.parse().ok()
    }
}

/// Reads an administrative directory without running git; files that do not exist are `None`.
///
/// # Errors
/// A file is a symbolic link, no plain file, or cannot be read.
pub fn admin_facts(admin: &Path) -> io::Result<AdminFacts> {
    let text = |name: &str| Ok::<_, io::Error>(read_plain(&admin.join(name))?.map(without_newline));
    let path =
        |name: &str| Ok::<_, io::Error>(text(name)?.map(|text| PathBuf::from(OsStr::from_bytes(&text))));
    Ok(AdminFacts {
        gitdir: path("gitdir")?,
        commondir: path("commondir")?,
        identity_token: text(IDENTITY_FILE)?,
        adopted: text(ADOPTED_FILE)?.is_some(),
        locked: text("locked")?,
        head: text("HEAD")?,
        config_worktree: read_plain(&admin.join("config.worktree"))?.map(BString::from),
    })
}

/// The directory that a worktree's `.git` file names, absolute but as written; `None` when there is no `.git`.
///
/// # Errors
/// `.git` is a directory, a symbolic link or something else, or does not say where.
pub fn dot_git_of(worktree: &Path) -> io::Result<Option<PathBuf>> {
    let Some(text) = read_plain(&worktree.join(".git"))? else { return Ok(None) };
    let text = without_newline(text);
    let target = text.strip_prefix(b"gitdir: ").filter(|target| !target.is_empty());
    let target =
        target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "`.git` names no directory"))?;
    Ok(Some(worktree.join(OsStr::from_bytes(target))))
}

/// What a file still says into which `written` was written: bytes that nobody synced are gone, or zeros, after a power cut.
///
/// # Errors
/// It cannot be read; what is no plain file says something else.
pub fn proof_in(path: &Path, written: &[u8]) -> io::Result<ProofSeen> {
    let bytes = match read_plain(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(ProofSeen::Missing),
        Err(error) if is_no_plain_file(&error) => return Ok(ProofSeen::Others),
        Err(error) => return Err(error),
    };
    Ok(if bytes == written {
        ProofSeen::Ours
    } else if written.starts_with(&bytes) || bytes.iter().all(|byte| *byte == 0) {
        ProofSeen::CutShort
    } else {
        ProofSeen::Others
    })
}

fn is_no_plain_file(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Reads a plain file without following a symbolic link; `None` when there is none.
pub(super) fn read_plain(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let mut file = match open {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a plain file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn without_newline(mut text: Vec<u8>) -> BString {
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    text.into()
}
