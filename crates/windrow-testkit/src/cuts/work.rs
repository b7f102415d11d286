//! What an agent does in a worktree, and how to find it again.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::dice::Dice;
use crate::{Include, TestRepo, TreeSnapshot};

/// Everything that somebody did in a worktree.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The worktree.
    pub(super) name: String,
    /// Its commit.
    pub(super) head: String,
    /// All its files.
    pub(super) files: TreeSnapshot,
    /// Whether there is anything beyond the commit.
    pub(super) unsaved: bool,
    /// Whether there is a commit.
    pub(super) committed: bool,
}

impl Work {
    /// Works in the worktree `name` at `path`: commits, or leaves something uncommitted, or both, or neither.
    pub(super) fn at(repo: &TestRepo, name: &str, path: &Path, dice: &mut Dice) -> Self {
        let (committed, unsaved) = (dice.chance(70), dice.chance(70));
        // Objects that were written in part in an earlier cut must not stand for these.
        let unique = format!("{name} {:x}", dice.below(u64::MAX));
        if committed {
            put(&path.join("committed.txt"), &unique);
            put(&path.join("src/more.rs"), format!("//! {unique}\n").repeat(1_000));
            repo.commit_in(path, &unique);
        }
        if unsaved {
            leave_unsaved(repo, path, &unique);
        }
        let head = repo.git_in(path, ["rev-parse", "HEAD"]);
        Self { name: name.to_owned(), head, files: files(path), unsaved, committed }
    }

    /// Says how what is at `path` differs from it, if it does.
    pub(super) fn difference(&self, repo: &TestRepo, path: &Path) -> Option<String> {
        let differences = self.files.differences(&files(path));
        if !differences.is_empty() {
            return Some(differences.join("; "));
        }
        let head = repo.git_invocation(path).args(["rev-parse", "HEAD"]).run();
        (head.code != 0 || head.text() != self.head).then(|| format!("HEAD is not {}: {head}", self.head))
    }
}

fn leave_unsaved(repo: &TestRepo, path: &Path, unique: &str) {
    put(&path.join("staged.txt"), unique);
    repo.git_in(path, ["add", "staged.txt"]);
    put(&path.join("README.md"), unique);
    put(&path.join("new/untracked.txt"), unique.repeat(2_000));
    put(&path.join(".env"), format!("SECRET={unique}"));
    put(&path.join("new/tool"), unique);
    fs::set_permissions(path.join("new/tool"), fs::Permissions::from_mode(0o755)).expect("our own file");
    symlink(unique, path.join("new/link")).expect("a symlink can be made");
}

fn put(path: &PathBuf, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("below a worktree")).expect("the parent can be made");
    fs::write(path, bytes).expect("the file can be written");
}

fn files(path: &Path) -> TreeSnapshot {
    TreeSnapshot::of(path, &Include::without_git())
}
