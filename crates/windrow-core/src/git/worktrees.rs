//! What git knows of all worktrees, and which branches they need.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use windrow_model::{BranchName, Oid};

use super::{
    command::{Call, Git, GitError},
    facts::{admin_facts, read_plain},
    repository::Repository,
};

/// What a listed worktree has checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorktreeHead {
    /// There is none: the repository is bare.
    Bare,
    /// A branch.
    Branch(BString),
    /// A commit.
    Detached,
}

/// One worktree of `git worktree list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWorktree {
    /// Its root.
    pub path: PathBuf,
    /// Its administrative directory; `None` for the main one, or when it could not be told.
    pub admin: Option<PathBuf>,
    /// What it has checked out.
    pub head: WorktreeHead,
    /// The commit, if there is one.
    pub oid: Option<Oid>,
    /// Why it is locked; `None` when it is not, empty when no reason is given.
    pub locked: Option<BString>,
    /// Why git would prune it; `None` when it would not.
    pub prunable: Option<BString>,
    /// The branches that an operation in progress will write when it ends: of a rebase or a bisect.
    pub busy_branches: Vec<BString>,
}

impl Repository {
    /// Lists all worktrees, the main one first, with the branches that a rebase or bisect there holds.
    ///
    /// # Errors
    /// Git cannot list them, or an administrative directory cannot be read.
    pub fn worktrees(&self, git: &Git) -> Result<Vec<ListedWorktree>, GitError> {
        let call = self.call(git, "worktree").args(["list", "--porcelain", "-z"]);
        self.refuse_pipes().map_err(|error| call.strange(&error.to_string()))?;
        let stdout = call.run()?;
        let admins = self.admins().map_err(|error| call.strange(&error.to_string()))?;
        let mut listed = Vec::new();
        for record in stdout.split_str("\0\0").filter(|record| !record.is_empty()) {
            let mut one = parse(&call, record)?;
            if let Some(admin) = admins.iter().find(|admin| same_place(admin.root.as_deref(), &one.path)) {
                one.admin = Some(admin.path.clone());
                one.busy_branches.clone_from(&admin.busy_branches);
            } else if listed.is_empty() {
                let main = busy_branches(&self.common_dir);
                one.busy_branches = main.map_err(|error| call.strange(&error.to_string()))?;
            }
            listed.push(one);
        }
        Ok(listed)
    }

    /// The root of the worktree that has `branch` checked out, or will write it when its rebase or bisect ends.
    ///
    /// # Errors
    /// As [`Repository::worktrees`].
    pub fn branch_in_use(&self, git: &Git, branch: &BranchName) -> Result<Option<PathBuf>, GitError> {
        let full = BString::from(branch.full());
        let uses = |one: &ListedWorktree| {
            one.head == WorktreeHead::Branch(full.clone()) || one.busy_branches.contains(&full)
        };
        let listed = self.worktrees(git)?.into_iter().find(uses).map(|one| one.path);
        if listed.is_some() {
            return Ok(listed);
        }
        // A directory that git cannot list may hold the branch as well.
        let unreadable = |error: io::Error| git.call("worktree").strange(&error.to_string());
        let admins = self.admins().map_err(unreadable)?;
        let busy = admins.into_iter().find(|admin| admin.busy_branches.contains(&full));
        Ok(busy.map(|admin| admin.root.unwrap_or(admin.path)))
    }

    fn admins(&self) -> io::Result<Vec<Admin>> {
        self.admin_paths()?.into_iter().map(Admin::read).collect()
    }

    fn admin_paths(&self) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(self.common_dir.join("worktrees")) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Git would wait for ever on a pipe, and read a device without end, where it looks for these files.
    fn refuse_pipes(&self) -> io::Result<()> {
        for admin in self.admin_paths()? {
            for path in ["HEAD", "commondir", "gitdir", "locked"].map(|name| admin.join(name)) {
                if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
                    let said = format!("`{}` is not a plain file", path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, said));
                }
            }
        }
        Ok(())
    }
}

/// An administrative directory, whatever git makes of it.
struct Admin {
    path: PathBuf,
    root: Option<PathBuf>,
    busy_branches: Vec<BString>,
}

impl Admin {
    fn read(path: PathBuf) -> io::Result<Self> {
        let dot_git = admin_facts(&path).ok().and_then(|facts| facts.gitdir);
        let root = dot_git.as_deref().and_then(Path::parent).map(|root| path.join(root));
        Ok(Self { busy_branches: busy_branches(&path)?, root, path })
    }
}

/// The `gitdir` file may be relative to its directory, what git lists never is.
fn same_place(root: Option<&Path>, listed: &Path) -> bool {
    let same = |root: &Path| root == listed || root.canonicalize().is_ok_and(|real| real == listed);
    root.is_some_and(same)
}

fn parse(call: &Call<'_>, record: &[u8]) -> Result<ListedWorktree, GitError> {
    let mut one = ListedWorktree {
        path: PathBuf::new(),
        admin: None,
        head: WorktreeHead::Detached,
        oid: None,
        locked: None,
        prunable: None,
        busy_branches: Vec::new(),
    };
    for line in record.split(|&byte| byte == 0) {
        let (key, value) = line.split_once_str(" ").unwrap_or((line, b""));
        match key {
            b"worktree" => one.path = PathBuf::from(OsStr::from_bytes(value)),
            b"HEAD" => one.oid = Some(super::refs::text_oid(call, value)?).filter(|oid| !oid.is_null()),
            b"branch" => one.head = WorktreeHead::Branch(value.into()),
            b"bare" => one.head = WorktreeHead::Bare,
            b"locked" => one.locked = Some(value.into()),
            b"prunable" => one.prunable = Some(value.into()),
            _ => {}
        }
    }
    if one.path.as_os_str().is_empty() {
        return Err(call.strange("a worktree without a path"));
    }
    Ok(one)
}

fn busy_branches(git_dir: &Path) -> io::Result<Vec<BString>> {
    let mut found = Vec::new();
    for name in ["rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"] {
        let text = match read_plain(&git_dir.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => None,
            Err(error) => return Err(error),
        };
        let Some(text) = text else { continue };
        let text = text.trim_end();
        let full = if text.starts_with(b"refs/") { text.to_vec() } else { [b"refs/heads/", text].concat() };
        found.push(full.into());
    }
    Ok(found)
}
